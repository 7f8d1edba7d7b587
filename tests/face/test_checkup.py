"""What an examination makes of what it sees: clocks, refusals, and what a list of models proves."""

from __future__ import annotations

import pytest

from manus.checkup import (
    SKEW_MAX_S,
    SKEW_NOTABLE_S,
    Check,
    Checkup,
    State,
    clock_check,
    deployment_check,
    model_check,
    refusal_check,
)
from manus.messages.failures import Failed, FailureKind

NOW = 1_700_000_000.0
DATE = "Tue, 14 Nov 2023 22:13:20 GMT"


@pytest.mark.parametrize(
    ("ahead_s", "signs", "state"),
    [
        (0.0, True, "ok"),
        (SKEW_NOTABLE_S - 1, True, "ok"),
        (SKEW_NOTABLE_S, False, "warning"),
        (-SKEW_NOTABLE_S, True, "warning"),
        (SKEW_MAX_S, True, "failed"),
        (-SKEW_MAX_S, True, "failed"),
        (10 * SKEW_MAX_S, False, "warning"),
    ],
)
def test_a_clock_is_judged_by_what_depends_on_it(ahead_s: float, signs: bool, state: State) -> None:
    check = clock_check(DATE, NOW + ahead_s, signs=signs)
    assert check.state == state
    assert bool(check.mend) is (state != "ok")
    assert ("behind" in check.found) is (state != "ok" and ahead_s < 0)


@pytest.mark.parametrize("date", [None, "", "soon", "Tue, 99 Nov 2023 22:13:20 GMT"])
def test_a_server_without_a_clock_proves_nothing(date: str | None) -> None:
    assert clock_check(date, NOW, signs=True).state == "unknown"


@pytest.mark.parametrize(
    ("kind", "status", "vendor_type", "state", "word"),
    [
        ("auth", 401, "openai", "failed", "check the key"),
        ("auth", 403, "bedrock", "failed", "aws sts"),
        ("auth", 401, "azure", "failed", "resource"),
        ("permission", 403, "openai", "failed", "access"),
        ("permission", 403, "bedrock", "warning", "bedrock:ListFoundationModels"),
        ("quota_exhausted", 402, "openai", "failed", "pay"),
        ("not_found", 404, "openai", "unknown", "base_url"),
        ("overloaded", 503, "openai", "unknown", "later"),
        ("rate_limited", 429, "openai", "unknown", "later"),
    ],
)
def test_a_refused_list_says_what_to_mend(
    kind: FailureKind, status: int, vendor_type: str, state: State, word: str
) -> None:
    failure = Failed(kind=kind, message="The vendor's words.", status=status)
    check = refusal_check(kind, status, failure, vendor_type=vendor_type)
    assert (check.name, check.state) == ("authenticated", state)
    assert "The vendor's words." in check.found
    assert word in check.mend


LISTED = ("gpt-5.4", "claude-haiku-4-5-20251001", "qwen3:8b", "llama:latest", "anthropic.claude-opus-5")


@pytest.mark.parametrize(
    ("model", "vendor_type", "state", "word"),
    [
        ("gpt-5.4", "openai", "ok", "listed"),
        ("gpt-5.5", "openai", "failed", "did you mean 'gpt-5.4'"),
        ("claude-haiku-4-5", "anthropic", "ok", "alias"),
        ("claude-haiku-latest", "anthropic", "unknown", "aliases"),
        ("claude-nothing", "anthropic", "failed", "not among the 5"),
        ("llama", "ollama", "ok", "installed"),
        ("qwen3:9b", "ollama", "failed", "not installed"),
        ("gpt-5.4", "azure", "unknown", "cannot tell"),
        ("anthropic.claude-opus-5", "bedrock", "unknown", "does not prove access"),
        ("us.anthropic.claude-opus-5", "bedrock", "unknown", "profile"),
        ("anthropic.claude-opus-6", "bedrock", "failed", "not offered in this region; did you mean"),
        ("arn:aws:bedrock:us-east-1:1:inference-profile/x", "bedrock", "unknown", "cannot tell"),
    ],
)
def test_a_list_proves_what_it_can(model: str, vendor_type: str, state: State, word: str) -> None:
    check = model_check(model, LISTED, vendor_type=vendor_type)
    assert (check.name, check.state) == (f"model {model}", state)
    assert word in check.found
    assert bool(check.mend) is (state == "failed")


@pytest.mark.parametrize(("status", "state"), [(404, "failed"), (400, "ok"), (429, "unknown"), (200, "unknown")])
def test_an_empty_question_tells_whether_a_deployment_is_there(status: int, state: State) -> None:
    assert deployment_check("mine", status, None).state == state


def test_a_checkup_is_as_well_as_its_worst_check() -> None:
    states: list[State] = ["ok", "skipped", "unknown", "warning", "failed"]
    for count in range(len(states)):
        checks = tuple(Check(name="x", state=state, found="") for state in states[: count + 1])
        assert Checkup(provider="p", type="openai", address="", checks=checks).state == states[count]
