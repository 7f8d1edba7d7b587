"""`manus providers`: who is configured and how they stand, without asking them or leaving anything behind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from manus.cli import main

CONFIG = """\
[general]
default_provider = "second"
[providers.first]
type = "openai"
base_url = "http://127.0.0.1:9/v1"
priority = 1
models = [{ name = "a", cost_per_input = 1, cost_per_output = 1 }]
[providers.second]
type = "ollama"
priority = 2
[providers.off]
type = "openai"
enabled = false
[ledger]
path = "ledger.sqlite"
"""


@pytest.fixture(autouse=True)
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "llm.toml").write_text(CONFIG)


def test_the_table_lists_them_in_the_order_in_which_they_are_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["providers"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["PROVIDER", "TYPE", "PRIORITY", "STATE", "MODELS"]
    assert lines[1].split() == ["second", "ollama", "2", "running", "any"]
    assert lines[2].split() == ["first", "openai", "1", "running", "a"]
    assert lines[3].split() == ["off", "openai", "100", "disabled", "any"]


def test_json_has_the_same_and_more(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["providers", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["providers"]
    assert [(state["name"], state["state"]) for state in told] == [
        ("second", "running"),
        ("first", "running"),
        ("off", "disabled"),
    ]
    assert told[1]["models"] == ["a"]


def test_listing_leaves_no_ledger_behind(tmp_path: Path) -> None:
    assert main(["providers"]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["llm.toml"]


def test_a_bad_configuration_is_status_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "llm.toml").write_text("[providers.ollama]\npriorty = 1\n")
    assert main(["providers"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "llm.toml:2: providers.ollama.priorty: unknown key; did you mean 'priority'?" in captured.err
