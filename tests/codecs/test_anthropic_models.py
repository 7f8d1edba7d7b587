"""A Claude's family is told by its name in every cloud's spelling, and says what a request may hold."""

from __future__ import annotations

import pytest

from manus.actors.codecs.anthropic_models import UNKNOWN_FAMILY, family_of, nearest
from manus.config.catalogue import packaged_catalogue


@pytest.mark.parametrize(
    "name",
    [
        "claude-sonnet-4-5",
        "claude-sonnet-4-5-20250929",
        "anthropic.claude-sonnet-4-5-20250929-v1:0",
        "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "global.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "claude-sonnet-4-5@20250929",
        "anthropic/claude-sonnet-4.5",
        "Claude-Sonnet-4-5",
    ],
)
def test_every_spelling_of_a_name_gives_the_same_family(name: str) -> None:
    family = family_of(name)
    assert family is family_of("claude-sonnet-4-5-20250929")
    assert (family.prefill, family.sampling, family.budget, family.adaptive) == (True, True, True, False)


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("claude-opus-4-20250514", "claude-opus-4-5-20251101"),
        ("anthropic.claude-opus-4-20250514-v1:0", "claude-opus-4-1-20250805"),
        ("claude-3-opus-20240229", "claude-opus-4-0"),
        ("claude-3-5-sonnet-20241022", "claude-3-7-sonnet-20250219"),
        ("claude-opus-4-6", "claude-opus-4-7"),
        ("claude-opus-5", "claude-opus-5-5"),
        ("claude-sonnet-5", "claude-sonnet-5-5"),
        ("claude-fable-5", "claude-fable-5-1"),
        ("claude-haiku-4-5", "claude-haiku-5-5"),
    ],
)
def test_a_date_is_no_version_and_a_version_makes_a_difference(older: str, newer: str) -> None:
    assert family_of(older) != family_of(newer)


def test_a_model_newer_than_the_table_is_taken_for_the_newest_of_its_line() -> None:
    assert family_of("claude-opus-7-2") is family_of("claude-opus-5-5")
    assert family_of("claude-sonnet-6") is family_of("claude-sonnet-5-5")


@pytest.mark.parametrize("name", ["kimi-k2", "glm-4.6", "claude", "claude-next", "my-deployment", ""])
def test_a_name_that_is_no_known_claude_is_permitted_everything(name: str) -> None:
    assert family_of(name) is UNKNOWN_FAMILY
    assert UNKNOWN_FAMILY.sampling
    assert UNKNOWN_FAMILY.forced_tools
    assert UNKNOWN_FAMILY.json_schema


# The table of anthropic.md, section 3, row by row: sampling, thinking types, on by default, efforts, prefill.
ROWS: list[tuple[str, bool, set[str], bool, tuple[str, ...], bool]] = [
    ("claude-haiku-4-5", True, {"enabled", "disabled"}, False, (), True),
    ("claude-sonnet-4-5", True, {"enabled", "disabled"}, False, (), True),
    ("claude-opus-4-5", True, {"enabled", "disabled"}, False, ("low", "medium", "high"), True),
    ("claude-opus-4-6", True, {"adaptive", "enabled", "disabled"}, False, ("low", "medium", "high", "max"), False),
    ("claude-sonnet-4-6", True, {"adaptive", "enabled", "disabled"}, False, ("low", "medium", "high", "max"), False),
    ("claude-opus-4-7", False, {"adaptive", "disabled"}, False, ("low", "medium", "high", "xhigh", "max"), False),
    ("claude-opus-4-8", False, {"adaptive", "disabled"}, False, ("low", "medium", "high", "xhigh", "max"), False),
    ("claude-sonnet-5", False, {"adaptive", "disabled"}, True, ("low", "medium", "high", "xhigh", "max"), False),
    ("claude-opus-5", False, {"adaptive", "disabled"}, True, ("low", "medium", "high", "xhigh", "max"), False),
    ("claude-fable-5-2", False, {"adaptive"}, True, ("low", "medium", "high", "xhigh", "max"), False),
    ("claude-mythos-5-1", False, {"adaptive"}, True, ("low", "medium", "high", "xhigh", "max"), False),
    ("claude-opus-5-5", False, {"adaptive"}, True, ("low", "medium", "high", "xhigh", "max"), False),
    ("claude-sonnet-5-5", False, {"adaptive", "between_tools"}, True, ("low", "medium", "high", "xhigh", "max"), False),
    ("claude-haiku-5-5", False, {"adaptive"}, True, ("low", "medium", "high", "xhigh", "max"), False),
]


@pytest.mark.parametrize(("name", "sampling", "thinking", "on", "efforts", "prefill"), ROWS, ids=[r[0] for r in ROWS])
def test_the_families_are_those_of_the_vendors_table(
    name: str, sampling: bool, thinking: set[str], on: bool, efforts: tuple[str, ...], prefill: bool
) -> None:
    family = family_of(name)
    assert family.claude
    assert family.sampling is sampling
    assert set(family.thinking) == thinking
    assert family.thinks_by_default is on
    assert family.efforts == efforts
    assert family.prefill is prefill


@pytest.mark.parametrize("name", ["claude-fable-5", "claude-mythos-5", "claude-opus-5-5", "claude-sonnet-5-5"])
def test_a_forced_tool_is_refused_by_these(name: str) -> None:
    assert not family_of(name).forced_tools


@pytest.mark.parametrize("name", ["claude-haiku-5-5", "claude-opus-5", "claude-sonnet-5", "claude-3-haiku-20240307"])
def test_a_forced_tool_is_taken_by_these(name: str) -> None:
    assert family_of(name).forced_tools


def test_a_schema_is_taken_since_these() -> None:
    for name in ("claude-opus-4-1", "claude-sonnet-4-5", "claude-haiku-4-5", "claude-fable-5"):
        assert family_of(name).json_schema, name
    for name in ("claude-opus-4-20250514", "claude-sonnet-4-20250514", "claude-3-5-haiku-20241022", "claude-2.1"):
        assert not family_of(name).json_schema, name


def test_system_turns_inside_the_conversation_are_taken_by_these() -> None:
    for name in ("claude-opus-4-8", "claude-opus-5", "claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5"):
        assert family_of(name).mid_system, name
    for name in ("claude-opus-4-7", "claude-sonnet-5", "claude-sonnet-4-5", "unknown"):
        assert not family_of(name).mid_system, name


def test_thinking_is_bound_to_the_conversation_by_these() -> None:
    bound = {"claude-fable-5-1", "claude-fable-5-2", "claude-mythos-5-1", "claude-opus-5-5", "claude-sonnet-5-5"}
    for name in bound | {"claude-haiku-5-5", "us.anthropic.claude-opus-5-5-v1:0"}:
        assert family_of(name).bound_thinking, name
    for name in ("claude-fable-5", "claude-opus-5", "claude-sonnet-5"):
        assert not family_of(name).bound_thinking, name


def test_the_catalogue_and_the_names_do_not_contradict_each_other() -> None:
    compared = 0
    for row in packaged_catalogue().rows("anthropic"):
        family = family_of(row.id)
        if not family.claude:
            continue
        can, cannot = set(row.can.split()), set(row.cannot.split())
        for capability, ours in (
            ("sampling", family.sampling),
            ("reasoning", bool(family.thinking)),
            ("thinking_budget", family.budget),
            ("thinking_off", family.can_be_thoughtless),
            ("prefill", family.prefill),
            ("forced_tools", family.forced_tools),
            ("json_schema", family.json_schema),
        ):
            assert capability not in (cannot if ours else can), (row.id, capability)
        assert row.efforts in ("", " ".join(family.efforts) or "none"), row.id
        assert row.output in (None, family.max_output_tokens), row.id
        compared += 1
    assert compared >= 20


def test_the_nearest_effort_is_the_lower_of_two_and_never_off() -> None:
    assert nearest("xhigh", ("low", "medium", "high", "max")) == "high"
    assert nearest("minimal", ("off", "low", "high")) == "low"
    assert nearest("high", ()) is None
