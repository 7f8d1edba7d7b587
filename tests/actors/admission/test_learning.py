"""What vendors' headers teach: no more is sent than what they said remains, and no header is believed for long."""

from __future__ import annotations

import math
from typing import Literal

import pytest

from manus.actors.admission.learning import (
    DEPLOYMENTS_MAX,
    ENOUGH_REQUESTS,
    HELD_BACK_MAX_S,
    RESET_UNKNOWN_S,
)
from manus.messages.ids import DeploymentId
from manus.messages.outcomes import RateLimitReading
from tests.actors.admission.asking import Gate, in_doubt, make_reserve, settled

SMALL = DeploymentId("alpha/small")


def read(
    gate: Gate,
    remaining: int | None,
    reset_s: float | None = 30.0,
    *,
    dimension: Literal["requests", "tokens", "input_tokens", "output_tokens"] = "requests",
    ago_s: float = 0.0,
    deployment: DeploymentId = SMALL,
    limit: int | None = 100,
) -> None:
    """Let an answer that came `ago_s` seconds ago say what remains."""
    reading = RateLimitReading(dimension=dimension, limit=limit, remaining=remaining, reset_s=reset_s)
    changed = gate.admission.learn(deployment, (reading,), answered_at=gate.now - ago_s, now=gate.now)
    gate._after(gate.line.refill(changed, gate.clock))


def test_no_more_is_sent_than_what_remains_until_the_reset() -> None:
    gate = Gate()
    read(gate, 2, 30.0)
    assert [gate.ask(make_reserve(name)) for name in "abc"] == ["granted", "granted", "refused"]
    failure = gate.refused["c"]
    assert failure.kind == "admission"
    assert failure.retry_after_s == pytest.approx(30.0)
    assert "alpha said that 2 requests remain" in failure.message
    assert gate.ask(make_reserve("d", wait=True)) == "waiting"
    gate.pass_time(29.9)
    assert gate.waiting("d")
    gate.pass_time(0.2)
    assert gate.granted[-1] == "d"


def test_only_the_deployment_that_the_reading_is_of_is_held_back() -> None:
    gate = Gate()
    read(gate, 0)
    assert gate.ask(make_reserve("a")) == "refused"
    assert gate.ask(make_reserve("b", deployment="alpha/large")) == "granted"


def test_calls_that_end_still_count_until_the_vendor_says_anew() -> None:
    gate = Gate()
    read(gate, 2)
    for name in "ab":
        gate.ask(make_reserve(name))
        gate.pass_time(1.0)
        gate.end(name, settled())
    assert gate.ask(make_reserve("c")) == "refused"
    read(gate, 1)
    assert gate.ask(make_reserve("d")) == "granted"


def test_calls_that_have_no_answer_yet_are_not_in_what_remains() -> None:
    gate = Gate()
    read(gate, 5)
    for name in "abc":
        gate.ask(make_reserve(name))
    gate.pass_time(2.0)
    gate.answer("a")
    gate.end("a", settled())
    read(gate, 3)  # by the answer to `a`, which counts itself
    assert [gate.ask(make_reserve(name)) for name in "xy"] == ["granted", "refused"], "`b` and `c` are under way"


def test_a_reading_that_comes_late_counts_what_was_answered_since() -> None:
    gate = Gate()
    read(gate, 50)
    for name in "ab":
        gate.ask(make_reserve(name))
    gate.answer("a")
    gate.pass_time(5.0)
    gate.answer("b")
    gate.pass_time(5.0)
    gate.end("a", settled())
    read(gate, 1, 60.0, ago_s=10.0)
    assert gate.ask(make_reserve("c")) == "refused", "the one that remained was `b`"


def test_an_older_reading_than_the_latest_changes_nothing() -> None:
    gate = Gate()
    gate.pass_time(20.0)
    read(gate, 0)
    read(gate, 90, ago_s=15.0)
    assert gate.ask(make_reserve("a")) == "refused"


def test_plenty_that_remains_holds_nothing_back_and_ends_what_did() -> None:
    gate = Gate()
    read(gate, ENOUGH_REQUESTS)
    assert gate.admission.is_idle(gate.now)
    read(gate, 0)
    assert not gate.admission.is_idle(gate.now)
    gate.ask(make_reserve("a", wait=True))
    read(gate, ENOUGH_REQUESTS)
    assert gate.granted == ["a"]
    assert gate.admission.is_idle(gate.now)


def test_a_reading_is_forgotten_at_its_reset() -> None:
    gate = Gate()
    read(gate, 0, 10.0)
    gate.pass_time(10.0)
    assert gate.admission.is_idle(gate.now)
    assert gate.ask(make_reserve("a")) == "granted"


@pytest.mark.parametrize(
    ("reset_s", "held_s"),
    [
        (1e9, HELD_BACK_MAX_S),
        (math.inf, RESET_UNKNOWN_S),
        (None, RESET_UNKNOWN_S),
        (math.nan, 0.0),
        (0.0, 0.0),
        (-1.0, 0.0),
    ],
)
def test_no_header_blocks_for_longer_than_a_bound(reset_s: float | None, held_s: float) -> None:
    gate = Gate()
    read(gate, 0, reset_s)
    gate.ask(make_reserve("a", wait=True))
    if held_s:
        gate.pass_time(held_s - 0.1)
        assert gate.waiting("a")
        gate.pass_time(0.2)
    assert gate.granted == ["a"]


def test_absurd_numbers_are_read_as_none_remaining_or_not_at_all() -> None:
    gate = Gate()
    read(gate, None)
    assert gate.admission.is_idle(gate.now)
    read(gate, -7, 5.0, limit=-1)
    assert gate.ask(make_reserve("a")) == "refused"
    gate.pass_time(5.0)
    assert gate.ask(make_reserve("b")) == "granted"


def test_tokens_are_held_back_by_what_a_call_is_expected_to_use() -> None:
    gate = Gate()
    read(gate, 250, dimension="tokens")
    assert gate.ask(make_reserve("a", tokens=(200, 200))) == "granted", "100 of input and 100 of output are expected"
    assert gate.ask(make_reserve("b", tokens=(200, 200))) == "refused"
    gate.end("a", settled((10, 10)))
    assert gate.ask(make_reserve("c", tokens=(200, 200))) == "granted", "it used 20"
    gate.end("c", in_doubt(make_reserve(tokens=(200, 200))))
    assert gate.ask(make_reserve("d", tokens=(20, 20), asked_output_tokens=20)) == "granted", "10 and its cap"
    assert gate.ask(make_reserve("e", tokens=(20, 2))) == "refused"


def test_input_and_output_are_learnt_apart() -> None:
    gate = Gate()
    read(gate, 100, dimension="input_tokens")
    read(gate, 40, dimension="output_tokens")
    assert gate.ask(make_reserve("a", tokens=(200, 100))) == "refused"
    assert gate.ask(make_reserve("b", tokens=(200, 60))) == "granted"
    gate.end("b", settled((100, 5)))
    assert gate.ask(make_reserve("c", tokens=(2, 60))) == "refused"


def test_it_can_be_switched_off() -> None:
    gate = Gate(learn=False)
    read(gate, 0)
    assert gate.admission.is_idle(gate.now)
    assert gate.ask(make_reserve("a")) == "granted"


def test_so_many_deployments_are_learnt_of_and_no_more() -> None:
    gate = Gate()
    for number in range(DEPLOYMENTS_MAX + 10):
        read(gate, 0, deployment=DeploymentId(f"alpha/m{number}"))
    assert len(gate.admission.state(gate.clock, gate.line.waiting_at).limits) == DEPLOYMENTS_MAX
    gate.pass_time(30.0)
    assert gate.admission.is_idle(gate.now)


def test_what_is_learnt_shows_in_the_read_out() -> None:
    gate = Gate()
    read(gate, 3, 30.0, limit=10)
    gate.ask(make_reserve("a"))
    [state] = gate.admission.state(gate.clock, gate.line.waiting_at).limits
    assert (state.learnt, state.dimension, state.limit, state.used) == (True, "requests", 10, 8)
