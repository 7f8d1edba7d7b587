"""The file's tables and the values actors are handed say the same where both speak."""

from __future__ import annotations

from pathlib import Path

import msgspec

from manus.actors.codecs import CODECS
from manus.actors.codecs.base import CodecOptions
from manus.config.policies import TYPE_CONCURRENCY, TYPE_TIMEOUTS, local_policy, router_policy
from manus.config.provider_places import DEFAULT_BASE_URLS, TYPES
from manus.config.routing_schema import HealthConfig, HedgeConfig, RetryConfig
from manus.config.schema import (
    General,
    LedgerConfig,
    LLMConfig,
    ProviderConfig,
    TimeoutsConfig,
    WireConfig,
)
from manus.messages.policy import LedgerPolicy, LocalPolicy, Timeouts
from manus.messages.routing_policy import HealthPolicy, HedgePolicy, RetryPolicy, RouterPolicy
from manus.wiring import WIRES


def test_every_named_wait_can_be_configured() -> None:
    assert TimeoutsConfig.__struct_fields__ == Timeouts.__struct_fields__


def test_an_empty_configuration_means_the_policies_own_defaults() -> None:
    assert router_policy(LLMConfig()) == RouterPolicy()
    assert RetryPolicy(**msgspec.structs.asdict(RetryConfig())) == RetryPolicy()
    assert HealthPolicy(**msgspec.structs.asdict(HealthConfig())) == HealthPolicy()
    assert HedgePolicy(**msgspec.structs.asdict(HedgeConfig())) == HedgePolicy()
    assert (LedgerConfig().durability, LedgerConfig().confirm_s) == (
        LedgerPolicy().durability,
        LedgerPolicy().confirm_s,
    )


def test_an_empty_local_entry_is_the_embedded_server() -> None:
    assert local_policy(ProviderConfig(), base=Path()) == LocalPolicy()


def test_general_keys_and_tables_do_not_share_a_name() -> None:
    """`LLMConfig` holds both flat; a file tells them apart by where they stand."""
    assert len(set(LLMConfig.__struct_fields__)) == len(LLMConfig.__struct_fields__)
    assert set(General.__struct_fields__) < set(LLMConfig.__struct_fields__)
    assert "general" not in LLMConfig.__struct_fields__


def test_every_wired_type_has_a_codec_and_its_numbers() -> None:
    assert set(WIRES) == set(TYPE_CONCURRENCY) == set(TYPES)
    assert set(WIRES.values()) <= set(CODECS)
    assert set(TYPE_TIMEOUTS) <= set(TYPES)
    assert set(DEFAULT_BASE_URLS) == set(TYPES) - {"local", "bedrock", "azure"}


def test_the_peculiarities_of_a_server_are_the_codecs_own_options() -> None:
    usual = CodecOptions()
    assert {name: getattr(usual, name) for name in WireConfig.__struct_fields__} == msgspec.structs.asdict(WireConfig())
