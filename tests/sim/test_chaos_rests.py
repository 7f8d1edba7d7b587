"""The judges of what rests can tell: reports written by hand, of breakers and cooldowns that do their work and not."""

from __future__ import annotations

import pytest

from manus.messages.ids import DeploymentId, RequestId
from manus.messages.outcomes import Answer, Attempt, BreakerState, Finished, Route
from manus.messages.watching import AttemptEnded, BreakerMoved
from manus.sim.behaviour import Script
from manus.sim.chaos_clients import Seen
from manus.sim.chaos_plan import ClientPlan, Plan, ProviderPlan
from manus.sim.chaos_rests import breakers, cooldowns
from manus.sim.chaos_world import MODEL, Report, Visit
from manus.sim.faults import Rejected

DEPLOYMENT = DeploymentId(f"alpha/{MODEL}")


def asked_at(*times: tuple[float, float, str]) -> Report:
    """Make the report of clients that ask one deployment, one attempt each: began, ended, result."""
    seen, visits, plans = [], [], []
    events: list[object] = []
    for number, (began_at, ended_at, result) in enumerate(times):
        client = ClientPlan(number=number, at_s=began_at, timeout_s=20.0)
        request_id = RequestId(f"client-{number}")
        attempt = Attempt(
            number=1,
            deployment=DEPLOYMENT,
            provider="alpha",
            model=MODEL,
            result=result,
            started_s=0.0,
            ended_s=ended_at - began_at,
        )
        outcome = Finished(
            request_id=request_id, answer=Answer(), provider="alpha", model=MODEL, route=Route(attempts=(attempt,))
        )
        ended = AttemptEnded(
            at=ended_at, request_id=request_id, attempt=1, deployment=DEPLOYMENT, result=result, booking="settled"
        )
        script = Script(text="x", fault=Rejected(status=429, retry_after_s=5.0) if result == "rate_limited" else None)
        plans.append(client)
        seen.append(Seen(client=client, began_at=began_at, ended_at=ended_at, outcome=outcome))
        events.append(ended)
        visits.append(Visit(provider="alpha", model=MODEL, number=number, attempt=1, at=began_at, script=script))
    plan = Plan(seed=0, schedule_seed=0, mode="safety", providers=(ProviderPlan(name="alpha"),), clients=tuple(plans))
    return Report(
        plan=plan,
        seen=seen,
        rows=[],
        bills={},
        visits=visits,
        metrics=None,
        events=events,
        statuses=(),
        quiet=True,
        open_exchanges=0,
        in_flight_peaks={},
        blows_missed=0,
        doors={},
        ended_at=100.0,
    )


Move = tuple[float, BreakerState, BreakerState, float | None]


def moved(report: Report, *moves: Move) -> Report:
    """Have the breaker tell of moves: when, from where, to where, for how long."""
    for at, before, after, retry_in_s in moves:
        move = BreakerMoved(
            at=at, deployment=DEPLOYMENT, before=before, after=after, reason="because", retry_in_s=retry_in_s
        )
        report.events.append(move)
    return report


OPENED: Move = (1.0, "closed", "open", 5.0)
TRIED: Move = (6.0, "open", "half_open", None)
CLOSED: Move = (7.0, "half_open", "closed", None)


def test_a_breaker_that_does_its_work_is_left_in_peace() -> None:
    report = asked_at((0.0, 1.0, "server"), (6.0, 7.0, "ok"), (8.0, 9.0, "ok"))
    assert not breakers(moved(report, OPENED, TRIED, CLOSED))


@pytest.mark.parametrize(
    ("times", "moves"),
    [
        (((0.0, 1.0, "server"), (3.0, 4.0, "ok")), (OPENED,)),
        (((0.0, 1.0, "server"), (3.0, 4.0, "ok")), (OPENED, (3.0, "open", "half_open", None))),
        (
            ((0.0, 1.0, "server"), (6.0, 9.0, "ok"), (6.5, 9.0, "ok")),
            (OPENED, TRIED),
        ),
        (((0.0, 1.0, "server"),), (OPENED, (6.0, "open", "closed", None))),
        (((0.0, 1.0, "server"),), (OPENED, CLOSED)),
        (((0.0, 1.0, "server"),), ((1.0, "closed", "open", None),)),
        (((0.0, 1.0, "invalid_request"),), (OPENED,)),
        (((0.0, 1.0, "rate_limited"),), (OPENED,)),
    ],
    ids=[
        "asked while open",
        "tried too soon",
        "two probes at once",
        "closed without a probe",
        "a move from where it was not",
        "open for nobody knows how long",
        "opened by a bad request",
        "opened by a 429",
    ],
)
def test_a_breaker_that_does_not_is_noticed(
    times: tuple[tuple[float, float, str], ...], moves: tuple[Move, ...]
) -> None:
    assert breakers(moved(asked_at(*times), *moves))


def test_who_comes_before_the_time_is_noticed() -> None:
    assert not cooldowns(asked_at((0.0, 1.0, "rate_limited"), (0.5, 2.0, "ok"), (5.0, 6.0, "ok")))
    assert cooldowns(asked_at((0.0, 1.0, "rate_limited"), (3.0, 4.0, "ok")))
