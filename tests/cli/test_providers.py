"""`manus providers`: who is configured and how they stand, without asking them or leaving anything behind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from manus.cli import main
from manus.cli.providers import states_table
from manus.messages.ids import DeploymentId
from manus.messages.routing import DeploymentMetrics
from manus.reports import ProviderState

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


def test_a_deployment_that_rests_is_told_with_its_reason_and_when_it_is_asked_again() -> None:
    well = DeploymentMetrics(deployment=DeploymentId("first/a"), attempts=3)
    why = "5 failures in a row, the last: server (HTTP 500)"
    rests = DeploymentMetrics(deployment=DeploymentId("first/b"), breaker="open", ready_in_s=12.3, resting=why)
    states = [ProviderState(name="first", type="openai", state="running", deployments=(well, rests))]
    lines = states_table(states).splitlines()
    assert lines[-1].split(maxsplit=3) == ["first/b", "12", "s", why]
    assert "first/a" not in "".join(lines)
    assert "RESTS" not in states_table([ProviderState(name="x", type="openai", state="running", deployments=(well,))])


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
