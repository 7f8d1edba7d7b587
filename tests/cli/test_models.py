"""`manus models`: what is configured and what the catalogue has, with unknown said as unknown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from manus.cli import main
from manus.config.catalogue import packaged_catalogue

CONFIG = """
[providers.openai]
api_key = "sk-canary-51"
models = [
  { name = "gpt-5.4-mini" },
  { name = "gpt-4o-mini", cost_per_input = 1, cost_per_output = 2, vision = false },
  { name = "brand-new" },
]
[providers.mine]
type = "openai"
base_url = "http://127.0.0.1:9/v1"
models = [{ name = "gpt-5.4-mini" }]
[providers.azure]
api_key = "sk-canary-52"
base_url = "https://acme.openai.azure.com"
models = [{ name = "production", base = "gpt-6-sol" }, { name = "gpt-6-luna" }]
"""


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a configuration, for the command to run in."""
    (tmp_path / "llm.toml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MANUS_CONFIG", raising=False)
    return tmp_path


def listed(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, dict[str, Any]]:
    """Run `manus models --json`; gives the models by provider and name."""
    assert main(["models", "--json", *arguments]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["as_of"] == packaged_catalogue().as_of
    return {f"{model['provider']}/{model['model']}": model for model in told["models"]}


def table(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, str]:
    """Run `manus models`; gives the lines of the table by model."""
    assert main(["models", *arguments]) == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    return {"/".join(line.split()[:2]): line for line in lines}


def test_configured_models_are_listed_with_the_catalogues_facts(
    configured: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = listed(capsys)
    assert set(models) == {
        "openai/gpt-5.4-mini",
        "openai/gpt-4o-mini",
        "openai/brand-new",
        "mine/gpt-5.4-mini",
        "azure/production",
        "azure/gpt-6-luna",
    }
    known = models["openai/gpt-5.4-mini"]
    assert known["price"]["input"] == 750_000_000
    assert known["price_from"].startswith("catalogue ")
    assert known["capabilities"]["tools"] is True


def test_what_is_configured_over_the_catalogue_is_marked(configured: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = listed(capsys)["openai/gpt-4o-mini"]
    assert model["price"]["input"] == 1_000_000_000
    assert model["price_from"] == "config"
    assert model["capabilities"]["vision"] is False
    assert model["capabilities"]["tools"] is True
    assert table(capsys)["openai/gpt-4o-mini"].endswith("config")


def test_what_is_unknown_is_said_to_be_unknown_and_never_free(
    configured: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models, lines = listed(capsys), table(capsys)
    for name in ("openai/brand-new", "mine/gpt-5.4-mini", "azure/gpt-6-luna"):
        assert models[name]["price"] is None
        assert "unknown" in lines[name]
        assert "$" not in lines[name]
    assert models["openai/brand-new"]["context_tokens"] is None
    assert models["openai/brand-new"]["capabilities"]["vision"] is None
    assert "V?" in lines["openai/brand-new"]


def test_a_deployment_is_shown_with_the_model_behind_it(configured: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert listed(capsys)["azure/production"]["base"] == "gpt-6-sol"
    line = table(capsys)["azure/production"]
    assert "production (gpt-6-sol)" in line
    assert "$2.00, >272k $4.00" in line


def test_an_entry_or_a_vendor_is_chosen_by_name(configured: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert set(listed(capsys, "--provider", "mine")) == {"mine/gpt-5.4-mini"}
    vendor = listed(capsys, "--provider", "anthropic")
    assert len(vendor) == len(packaged_catalogue().rows("anthropic"))
    assert vendor["anthropic/claude-opus-5-5"]["price_from"] == "genai-prices 0.2.3"
    everything = listed(capsys, "--all", "--provider", "openai")
    assert len(everything) == len(packaged_catalogue().rows("openai"))


def test_all_of_the_catalogue_needs_no_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    models = listed(capsys, "--all")
    catalogue = packaged_catalogue()
    assert len(models) == sum(len(catalogue.rows(vendor)) for vendor in catalogue.vendors)
    assert models["openai/gpt-5.4"]["price"]["tiers"][0]["above_tokens"] == 272_000
    assert models["openai/gpt-4o-2024-05-13"]["retires"] == "2026-10-23"
    assert models["ollama/llama3.1"]["price"] is None


def test_models_are_found_by_a_part_of_their_name(configured: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert set(listed(capsys, "--find", "GPT-6")) == {"azure/production", "azure/gpt-6-luna"}
    assert listed(capsys, "--find", "no such model") == {}


def test_a_provider_that_nobody_has_is_bad_input(configured: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--provider", "opennai"]) == 2
    assert "did you mean 'openai'" in capsys.readouterr().err


def test_a_configuration_that_cannot_be_used_is_bad_input(configured: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = configured / "broken.toml"
    broken.write_text("[providers.x]\ntype = 'nonsense'\n")
    assert main(["models", "--config", str(broken)]) == 2
    assert "providers.x.type" in capsys.readouterr().err


def test_no_key_is_shown(configured: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["models"], ["models", "--json"], ["models", "--all"]):
        assert main(arguments) == 0
        shown = capsys.readouterr()
        assert "sk-canary" not in shown.out + shown.err


def test_every_class_of_a_price_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "llm.toml").write_text(
        """
[providers.mine]
type = "openai"
base_url = "http://127.0.0.1:9/v1"
[[providers.mine.models]]
name = "m"
cost_per_input = 1
cost_per_output = 2
cost_per_cache_read = 0.1
cost_per_cache_write_long = 3
cost_per_audio_input = 32
cost_per_request = 0.5
cost_per_tool_call = { web_search = 0.01, mcp = 0 }
cost_tiers = [{ above_tokens = 200000, input = 4, output = 12 }]
service_costs = { flex = { input = 0.5, output = 1 } }
[[providers.mine.models]]
name = "unpriced"
"""
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MANUS_CONFIG", raising=False)
    lines = table(capsys)
    for words in (
        "$1.00, >200k $4.00",
        "$2.00, >200k $12.00",
        "$0.10/-/$3.00",
        "$32.00/-",
        "call $0.50, web_search $0.01, flex",
    ):
        assert words in lines["mine/m"]
    assert "$" not in lines["mine/unpriced"]
    assert lines["mine/unpriced"].count("unknown") >= 5
    models = listed(capsys)
    price = models["mine/m"]["price"]
    assert (price["audio_input"], price["audio_output"]) == (32_000_000_000, None)
    assert price["tool_calls"] == {"web_search": 10_000_000, "mcp": 0}
    assert models["mine/m"]["service_prices"]["flex"]["input"] == 500_000_000
    assert models["mine/unpriced"]["price"] is None
