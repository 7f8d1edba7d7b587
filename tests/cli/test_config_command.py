"""`manus config check | show | init`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import tomli

from manus.cli import main

CANARY = "sk-canary-31"


@pytest.fixture(autouse=True)
def in_an_empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return tmp_path


BAD = f"""\
[general]
default_provider = "opnai"
[providers.openai]
api_key = "{CANARY}"
models = [{{ name = "a", cost_per_input = -5 }}]
[retry]
base = 1
"""


def test_check_prints_every_problem_with_file_line_and_path(capsys: pytest.CaptureFixture[str]) -> None:
    Path("llm.toml").write_text(BAD)

    assert main(["config", "check"]) == 2

    captured = capsys.readouterr()
    assert captured.out.splitlines() == [
        "llm.toml:2: general.default_provider: names no provider; there is openai; did you mean 'openai'?",
        "llm.toml:5: providers.openai.models[0].cost_per_input: expected USD per million tokens, 0 or more; got -5",
        "llm.toml:7: retry.base: unknown key; did you mean 'base_s'?",
    ]
    assert CANARY not in captured.out + captured.err


def test_check_as_json_gives_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    Path("named.toml").write_text(BAD)
    assert main(["config", "check", "--json", "named.toml"]) == 2
    told = json.loads(capsys.readouterr().out)
    assert told["origin"] == "named.toml"
    assert [problem["line"] for problem in told["problems"]] == [2, 5, 7]


def test_a_good_file_passes(capsys: pytest.CaptureFixture[str]) -> None:
    Path("llm.toml").write_text("[providers.ollama]\n")
    assert main(["config", "check"]) == 0
    assert capsys.readouterr().out == "llm.toml: no problems\n"


def test_warnings_alone_do_not_fail_a_check(capsys: pytest.CaptureFixture[str]) -> None:
    Path("llm.toml").write_text("[providers.ollama]\nverify = false\n")
    assert main(["config", "check"]) == 0
    assert "warning: providers.ollama.verify" in capsys.readouterr().out


@pytest.mark.parametrize("action", ["check", "show"])
@pytest.mark.parametrize("name", ["none.toml", ".", "a\0b"])
def test_a_file_that_cannot_be_read_is_status_2(action: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", action, name]) == 2
    captured = capsys.readouterr()
    assert captured.out + captured.err


def test_without_a_file_the_environment_is_checked(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_HOST", "localhost")
    assert main(["config", "check"]) == 0
    assert "the environment" in capsys.readouterr().out


def test_show_prints_toml_and_hides_every_secret(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", CANARY)
    Path("llm.toml").write_text(
        f'[providers.openai]\napi_keys = ["${{MY_KEY}}", "{CANARY}-2"]\nheaders = {{ X = "{CANARY}" }}\n'
    )

    assert main(["config", "show"]) == 0

    captured = capsys.readouterr()
    assert CANARY not in captured.out + captured.err
    assert tomli.loads(captured.out)["providers"]["openai"]["api_keys"] == [
        "<secret from ${MY_KEY}>",
        "<secret from the configuration>",
    ]


def test_show_of_a_bad_file_tells_the_problems_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    Path("llm.toml").write_text(BAD)
    assert main(["config", "show"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "llm.toml:7: retry.base" in captured.err


def test_init_writes_a_file_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "init"]) == 0
    written = Path("llm.toml").read_text()
    assert main(["config", "init"]) == 2
    assert "exists already" in capsys.readouterr().err
    assert Path("llm.toml").read_text() == written
    assert main(["config", "init", "deep/er/llm.toml"]) == 0
    assert Path("deep/er/llm.toml").read_text() == written
