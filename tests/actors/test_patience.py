"""How long silence may last while somebody else could be asked, and what it then says of the one that was silent."""

from __future__ import annotations

from typing import Any

import pytest
from trio.testing import MockClock

from manus.actors.journey.patience import STREAM_MIN_S, WHOLE_MIN_S, hurried, patience_s
from manus.messages.calls import Call
from manus.messages.ids import RequestId, deployment_id
from manus.messages.outcomes import Finished, Unfinished
from manus.messages.policy import Timeouts
from manus.messages.requests import ChatRequest, Tool
from manus.sim.behaviour import Script
from manus.sim.faults import Slow, Stall
from tests.actors.rig import Upstreams, open_rig

PATIENT = Timeouts(headers_s=60.0, answer_s=300.0, first_content_s=60.0, idle_s=60.0)
BUDGET_S = 30.0


def call(patience: float | None, *, tools: bool = False) -> Call:
    request = ChatRequest(request_id=RequestId("r"), turns=(), tools=(Tool(name="f"),) if tools else ())
    return Call(request=request, model="m", deployment=deployment_id("p", "m"), attempt=1, patience_s=patience)


@pytest.mark.parametrize(
    ("left_s", "streamed", "expected"),
    [
        (30.0, True, 10.0),
        (30.0, False, 15.0),
        (1.5, True, STREAM_MIN_S),
        (12.0, False, WHOLE_MIN_S),
        (600.0, True, 200.0),
    ],
)
def test_silence_may_cost_a_share_of_what_is_left(left_s: float, streamed: bool, expected: float) -> None:
    assert patience_s(left_s, streamed=streamed) == pytest.approx(expected)


def test_only_waits_that_are_longer_are_shortened_and_they_are_named() -> None:
    timeouts, phases = hurried(PATIENT, call(10.0), streamed=True)
    assert (timeouts.headers_s, timeouts.first_content_s, timeouts.idle_s) == (10.0, 10.0, 10.0)
    assert timeouts.answer_s == PATIENT.answer_s
    assert phases == {"headers", "first_content", "idle"}
    assert hurried(PATIENT, call(200.0), streamed=True) == (PATIENT, frozenset())
    timeouts, phases = hurried(PATIENT, call(200.0), streamed=False)
    assert (timeouts.answer_s, timeouts.headers_s) == (200.0, PATIENT.headers_s)
    assert phases == {"headers"}


def test_nobody_is_hurried_who_is_the_last_or_may_have_begun_to_call_a_tool() -> None:
    assert hurried(PATIENT, call(None), streamed=True) == (PATIENT, frozenset())
    timeouts, phases = hurried(PATIENT, call(10.0, tools=True), streamed=True)
    assert timeouts.idle_s == PATIENT.idle_s
    assert phases == {"headers", "first_content"}


async def ask(first: Script, *, within_s: float, stream: bool, alone: bool = False, times: int = 1) -> list[Any]:
    """Ask a silent provider, and another one after it. Any: outcomes and what health knows of the first."""
    upstreams = {"alpha": Upstreams(first)}
    if not alone:
        upstreams["beta"] = Upstreams(Script(text="The other one."))
    async with open_rig(*upstreams.items(), timeouts=PATIENT) as rig:
        outcomes: list[Any] = []
        for _ in range(times):
            if stream:
                outcomes.append((await rig.stream(within_s=within_s))[1])
            else:
                outcomes.append(await rig.generate(within_s=within_s))
    return outcomes


@pytest.mark.parametrize(("stream", "after_s"), [(True, 10.0), (False, 15.0)])
async def test_a_silent_provider_leaves_the_others_their_time(
    stream: bool, after_s: float, autojump_clock: MockClock
) -> None:
    (outcome,) = await ask(Script(fault=Stall(where="headers")), within_s=BUDGET_S, stream=stream)
    assert isinstance(outcome, Finished)
    assert outcome.provider == "beta"
    first = outcome.route.attempts[0]
    assert first.failure is not None
    assert (first.failure.kind, first.failure.timeout) == ("timeout", "headers")
    assert "`timeout_s`" in first.failure.message
    assert outcome.latency_s == pytest.approx(after_s)


async def test_with_nobody_else_to_ask_an_attempt_has_all_the_time_there_is(autojump_clock: MockClock) -> None:
    slow = Script(text="Late.", fault=Slow(where="first_token", delay_s=25.0))
    (outcome,) = await ask(slow, within_s=BUDGET_S, stream=True, alone=True)
    assert isinstance(outcome, Finished)
    assert outcome.latency_s == pytest.approx(25.0)


async def test_callers_in_a_hurry_put_nobody_to_rest_for_others(autojump_clock: MockClock) -> None:
    slow = Script(text="Late.", fault=Slow(where="first_token", delay_s=1.5))
    outcomes = await ask(slow, within_s=2.0, stream=True, times=10)
    assert {outcome.route.attempts[0].provider for outcome in outcomes} == {"alpha"}
    assert {outcome.provider for outcome in outcomes} == {"beta"}


async def test_a_silence_that_was_long_by_itself_counts_against_its_deployment(autojump_clock: MockClock) -> None:
    outcomes = await ask(Script(fault=Stall(where="headers")), within_s=BUDGET_S, stream=True, times=6)
    assert [outcome.route.attempts[0].provider for outcome in outcomes] == ["alpha"] * 5 + ["beta"]
    assert not any(isinstance(outcome, Unfinished) for outcome in outcomes)
