"""Does only that count against a deployment which is its fault?"""

from __future__ import annotations

import itertools
from typing import get_args

import msgspec
import pytest

from manus.actors.health.counting import EFFECTS, Effect, effect_of, in_words
from manus.messages.failures import ADVICE, Advice, Failed, FailureKind, Phase, TimeoutPhase

KINDS: tuple[FailureKind, ...] = get_args(FailureKind)
PHASES: tuple[Phase | None, ...] = (None, *get_args(Phase))

EXPECTED: dict[Effect, set[FailureKind]] = {
    "bad": {"overloaded", "timeout", "server", "network", "protocol", "incomplete"},
    "cooling": {"rate_limited"},
    "key_refused": {"auth", "quota_exhausted"},
    "model_refused": {"permission"},
}
NEVER: set[FailureKind] = {
    "not_found", "invalid_request", "context_length", "content_policy", "too_large", "unsupported",
    "no_candidate", "admission", "budget_exceeded", "shed", "slow_consumer", "deadline", "cancelled",
    "actor_crashed", "actor_hung", "stopped", "unavailable", "ledger",
}  # fmt: skip


def expected_of(kind: FailureKind) -> Effect:
    return next((effect for effect, kinds in EXPECTED.items() if kind in kinds), "nothing")


def test_every_kind_of_failure_is_judged() -> None:
    assert set(EFFECTS) == set(KINDS)
    assert set().union(*EXPECTED.values()) | NEVER == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_says_the_same_in_every_phase(kind: FailureKind) -> None:
    for phase in PHASES:
        assert effect_of(Failed(kind=kind, message="", phase=phase)) == expected_of(kind)


@pytest.mark.parametrize("kind", KINDS)
def test_the_default_advice_agrees_with_the_table(kind: FailureKind) -> None:
    assert ADVICE[kind].health == (expected_of(kind) not in ("nothing", "cooling"))


@pytest.mark.parametrize("kind", KINDS)
def test_advice_can_take_a_failure_back_and_cannot_make_one(kind: FailureKind) -> None:
    for retry_here, elsewhere in itertools.product(("no", "once", "after_wait"), ("no", "yes")):
        spared = Failed(kind=kind, message="", advice=Advice(retry_here, elsewhere, False))  # type: ignore[arg-type]
        assert effect_of(spared) == ("cooling" if kind == "rate_limited" else "nothing")
        blamed = msgspec.structs.replace(spared, advice=Advice(retry_here, elsewhere, True))  # type: ignore[arg-type]
        assert effect_of(blamed) == expected_of(kind)


def test_success_is_good() -> None:
    assert effect_of(None) == "good"


def test_a_deadline_that_passed_in_silence_counts() -> None:
    failure = Failed(kind="deadline", message="")
    assert effect_of(failure, silent=True) == "bad"
    assert effect_of(failure, silent=False) == "nothing"
    assert effect_of(Failed(kind="cancelled", message=""), silent=True) == "nothing"
    assert effect_of(None, silent=True) == "good"


def test_every_wait_counts_but_the_one_for_our_own_connections() -> None:
    for wait in get_args(TimeoutPhase):
        failure = Failed(kind="timeout", message="", timeout=wait)
        assert effect_of(failure) == ("nothing" if wait == "pool" else "bad")


def test_failures_are_named_by_what_we_know_and_never_by_their_text() -> None:
    assert in_words(Failed(kind="server", message="sk-secret", status=503, code="sk-secret")) == "server (HTTP 503)"
    assert in_words(Failed(kind="timeout", message="sk-secret", timeout="idle")) == "timeout (idle)"
    assert in_words(Failed(kind="network", message="sk-secret")) == "network"
