"""From a configuration to the values that actors are handed."""

from __future__ import annotations

from pathlib import Path

import pytest

from manus.config.load import load
from manus.config.policies import (
    ledger_policy,
    provider_policies,
    router_policy,
    timeouts_of,
)
from manus.config.schema import LLMConfig
from manus.messages.policy import ModelCard, ProviderPolicy, Timeouts
from manus.messages.routing_policy import HealthPolicy, HedgePolicy, RetryPolicy, RouterPolicy
from manus.messages.usage import FREE, UNKNOWN_PRICE, Price, Usage


def config_of(**tables: object) -> LLMConfig:
    return load({"providers": {"openai": {"api_key": "k"}}} | tables, environ={}).config


def providers_of(**entries: object) -> tuple[ProviderPolicy, ...]:
    return provider_policies(config_of(providers=entries))


def test_costs_become_exact_nano_usd_per_million_tokens() -> None:
    model = {"name": "m", "cost_per_input": 0.15, "cost_per_cache_read": 0.075, "cost_per_output": 4.5}
    (provider,) = providers_of(openai={"api_key": "k", "models": [model]})
    price = provider.models[0].price
    assert price == Price(input=150_000_000, output=4_500_000_000, cache_read=75_000_000, version="config")
    assert price.cost_nano_usd(Usage(input_uncached=1_000_000)) == 150_000_000


def test_a_model_without_costs_has_an_unknown_price() -> None:
    (provider,) = providers_of(openai={"api_key": "k", "models": [{"name": "m"}]})
    assert provider.models[0].price == UNKNOWN_PRICE


@pytest.mark.parametrize(
    ("entry", "model", "price"),
    [
        ({"type": "ollama"}, "qwen3:8b", FREE),
        ({"type": "ollama", "base_url": "http://localhost:1"}, "qwen3:8b", FREE),
        ({"type": "ollama"}, "gpt-oss:120b-cloud", UNKNOWN_PRICE),
        ({"type": "ollama", "base_url": "https://ollama.example"}, "qwen3:8b", UNKNOWN_PRICE),
        ({"type": "local", "command": "serve", "args": ["{port}"]}, "m", FREE),
    ],
)
def test_only_what_runs_on_this_machine_is_free_without_being_told_so(
    entry: dict[str, object], model: str, price: Price
) -> None:
    (provider,) = providers_of(x=entry | {"models": [{"name": model}]})
    assert provider.models[0].price == price


def test_capabilities_and_windows_reach_the_card_and_unknown_stays_unknown() -> None:
    model = {"name": "m", "context_length": 8, "max_output_tokens": 4, "vision": True, "tools": False, "tier": 7}
    (provider,) = providers_of(openai={"api_key": "k", "base_url": "http://gateway.example/v1", "models": [model]})
    assert provider.models[0] == ModelCard(
        name="m", context_tokens=8, max_output_tokens=4, vision=True, tools=False, tier=7
    )


def test_models_not_listed_are_allowed_only_where_none_is_or_where_it_says_so() -> None:
    listed = {"api_key": "k", "models": [{"name": "m"}]}
    assert not providers_of(openai=listed)[0].any_model
    assert providers_of(openai={"api_key": "k"})[0].any_model
    assert providers_of(openai=listed | {"any_model": True})[0].any_model
    assert not providers_of(openai={"api_key": "k", "any_model": False})[0].any_model


def test_disabled_entries_are_not_described() -> None:
    config = config_of(providers={"openai": {"api_key": "k"}, "ollama": {"enabled": False}})
    assert [provider.name for provider in provider_policies(config)] == ["openai"]


def test_a_providers_own_waits_come_before_all_providers_before_its_types() -> None:
    config = config_of(
        providers={
            "openai": {"api_key": "k", "timeouts": {"idle_s": 1}},
            "ollama": {"timeouts": {"headers_s": 2}},
        },
        timeouts={"idle_s": 30, "connect_s": 3},
    )
    assert timeouts_of("openai", config) == Timeouts(connect_s=3.0, idle_s=1.0)
    assert timeouts_of("ollama", config) == Timeouts(connect_s=3.0, idle_s=30.0, headers_s=2.0, first_content_s=300.0)


def test_the_router_is_handed_numbers() -> None:
    config = config_of(
        general={"default_provider": "openai", "fallback_providers": ["bedrock"], "routing_strategy": "weighted"},
        routing={
            "fallbacks": {"a": ["b", "openai/c"]},
            "content_policy_fallbacks": ["openai/x", "azure"],
            "on_interrupt": "restart",
            "affinity_s": 0,
        },
        retry={"attempts_max": 3},
        health={"failures": 2},
        hedge={"enabled": True},
        limits={"in_flight_max": 9, "batch_share": 0.5, "batch_waiting_max": 7, "stream_buffer": 4},
        timeouts={"request_s": 20, "consumer_stall_s": 5},
    )
    assert router_policy(config) == RouterPolicy(
        in_flight_max=9,
        batch_share=0.5,
        batch_waiting_max=7,
        stream_buffer=4,
        consumer_stall_s=5.0,
        timeout_s=20.0,
        on_interrupt="restart",
        default_provider="openai",
        fallback_providers=(),
        fallbacks={"a": ("b", "openai/c")},
        policy_fallbacks=("openai/x",),
        strategy="weighted",
        affinity_s=0.0,
        retry=RetryPolicy(attempts_max=3),
        health=HealthPolicy(failures=2),
        hedge=HedgePolicy(enabled=True),
    )


def test_no_fallback_list_means_everybody_and_an_empty_one_nobody() -> None:
    assert router_policy(config_of()).fallback_providers is None
    assert router_policy(config_of(general={"fallback_providers": []})).fallback_providers == ()


def test_the_ledger_stands_beside_the_file_or_in_the_state_directory_or_in_memory(tmp_path: Path) -> None:
    state = tmp_path / "state"
    assert ledger_policy(config_of(ledger={"path": "a/l.db"}), base=tmp_path, state=state).path == str(
        tmp_path / "a/l.db"
    )
    assert ledger_policy(config_of(), base=tmp_path, state=state).path == str(state / "ledger.sqlite")
    assert ledger_policy(config_of(), base=tmp_path, state=None).path is None
    assert ledger_policy(config_of(ledger={"path": ":memory:"}), base=tmp_path, state=state).path is None
    power = ledger_policy(config_of(ledger={"durability": "power"}), base=tmp_path, state=state)
    assert power.durability == "power"


def test_what_happens_to_rejected_parameters_is_said_for_all_and_for_one() -> None:
    entries = {"openai": {"api_key": "k"}, "ollama": {"on_unsupported": "drop"}}
    strict = config_of(providers=entries, general={"on_unsupported": "refuse"})
    assert [provider.on_unsupported for provider in provider_policies(strict)] == ["refuse", "drop"]
    assert [provider.on_unsupported for provider in provider_policies(config_of(providers=entries))] == ["drop", "drop"]
