"""The judges of chaos can tell: each promise, broken by hand in the report of a run that kept it, is found broken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import msgspec
import pytest
import trio

from manus.messages.content import Text
from manus.messages.ids import DeploymentId
from manus.messages.outcomes import Attempt, AttemptRole, Finished, Unfinished
from manus.messages.watching import AttemptEnded, BreakerMoved
from manus.sim.behaviour import Script
from manus.sim.chaos import simulated
from manus.sim.chaos_asked import attempts_of
from manus.sim.chaos_clients import Seen
from manus.sim.chaos_draw import plan_from_seed
from manus.sim.chaos_invariants import (
    INVARIANTS,
    exact_books,
    fresh_credentials,
    no_bugs,
    no_secret_leaves,
    one_end,
)
from manus.sim.chaos_keys import SECRET, Doorkeeper
from manus.sim.chaos_plan import ClientPlan, Mode, Plan, ProviderPlan
from manus.sim.chaos_rests import breakers, cooldowns
from manus.sim.chaos_routes import batch_gives_way, finite_plans, nobody_is_hammered, whole_is_finished
from manus.sim.chaos_said import said_to
from manus.sim.chaos_streams import no_lie, whole_streams
from manus.sim.chaos_world import MODEL, Report, Visit
from manus.sim.faults import Rejected
from manus.supervisor.events import RequestCrashed

SEEDS = 60


@cache
def _encoded_report(seed: int, mode: Mode) -> Report:
    return simulated(plan_from_seed(seed, mode))


def report_of(seed: int, mode: Mode = "safety") -> Report:
    """Give the report of a run that keeps every promise, to be spoilt: what is changed in it is copied."""
    kept = _encoded_report(seed, mode)
    return msgspec.structs.replace(
        kept,
        seen=[msgspec.structs.replace(seen) for seen in kept.seen],
        rows=list(kept.rows),
        events=list(kept.events),
        visits=list(kept.visits),
        doors=dict(kept.doors),
    )


def finished() -> tuple[Report, Seen, Finished]:
    """Find a stream that brought its answer."""
    for report, seen in clients():
        if seen.client.stream and isinstance(seen.outcome, Finished) and len(seen.text) > 1:
            return report, seen, seen.outcome
    raise AssertionError("no stream finished")


def clients() -> Iterator[tuple[Report, Seen]]:
    for seed in range(SEEDS):
        report = report_of(seed)
        for seen in report.seen:
            yield report, seen


def asked_twice() -> Report:
    """Find a run in which a request took two attempts."""
    for report, seen in clients():
        if isinstance(seen.outcome, Finished | Unfinished) and len(seen.outcome.route.attempts) == 2:
            return report
    raise AssertionError("no request took two attempts")


def with_attempts(outcome: Finished | Unfinished, *attempts: Attempt) -> Finished | Unfinished:
    route = msgspec.structs.replace(outcome.route, attempts=attempts)
    return msgspec.structs.replace(outcome, route=route)


def changed(outcome: Finished | Unfinished, place: int, **fields: object) -> Finished | Unfinished:
    """Tell another story of one attempt."""
    attempts = list(outcome.route.attempts)
    attempts[place] = msgspec.structs.replace(attempts[place], **fields)
    return with_attempts(outcome, *attempts)


# --- outcomes, streams, books -------------------------------------------------------------------------


def test_a_lost_terminal_is_noticed() -> None:
    report, seen, _ = finished()
    seen.outcome = None
    assert one_end(report)


def test_a_shortened_answer_is_noticed() -> None:
    report, seen, outcome = finished()
    parts = tuple(Text(text=part.text[:-1]) for part in outcome.answer.parts if isinstance(part, Text))
    seen.outcome = msgspec.structs.replace(outcome, answer=msgspec.structs.replace(outcome.answer, parts=parts))
    assert no_lie(report)
    assert whole_streams(report)


def test_a_duplicated_delta_is_noticed() -> None:
    report, seen, _ = finished()
    seen.text += seen.text[-1]
    assert whole_streams(report)


def test_a_missing_row_and_a_wrong_count_are_noticed() -> None:
    report, _, outcome = finished()
    row = next(row for row in report.rows if row.request_id == outcome.request_id and row.state == "settled")
    report.rows.remove(row)
    assert exact_books(report)
    usage = msgspec.structs.replace(row.usage, output=row.usage.output + 1)
    report.rows.append(msgspec.structs.replace(row, usage=usage))
    assert exact_books(report)


def test_a_stale_token_and_a_secret_that_got_out_are_noticed() -> None:
    report, seen, outcome = finished()
    assert not fresh_credentials(report)
    assert not no_secret_leaves(report)
    door = Doorkeeper("alpha", "tokens", now_unix_s=trio.current_time, seed=1)
    door.stale = 1
    report.doors["alpha"] = door
    assert fresh_credentials(report)
    seen.outcome = msgspec.structs.replace(outcome, model=f"{SECRET}-alpha-key-0")
    assert no_secret_leaves(report)


def test_an_unfinished_outcome_is_a_terminal_too() -> None:
    report = report_of(1)
    assert any(isinstance(seen.outcome, Unfinished) for seen in report.seen)
    assert not one_end(report)


def test_a_crash_that_nobody_injected_is_noticed() -> None:
    report = report_of(1)
    assert not no_bugs(report)
    report.events.append(RequestCrashed(at=1.0, actor="router", generation=1, cause="x", error="KeyError: 'p'"))
    assert no_bugs(report)


# --- what two providers said --------------------------------------------------------------------------


def said(*visits: tuple[str, str]) -> list[str]:
    """Tell the texts that come of visits, each told what was shown to it (or nothing) and its own text."""
    plan = Plan(
        seed=0, schedule_seed=0, mode="safety", providers=(), clients=(ClientPlan(number=1, at_s=0.0, timeout_s=1.0),)
    )
    report = msgspec.structs.replace(
        report_of(0),
        plan=plan,
        visits=[
            Visit(
                provider="p",
                model=MODEL,
                number=1,
                attempt=place,
                at=0.0,
                script=Script(text=text),
                begun=begun,
                prefill="continue" if begun else None,
            )
            for place, (begun, text) in enumerate(visits, start=1)
        ],
    )
    return [each.text for each in said_to(report, 1)]


def test_what_one_says_is_its_text() -> None:
    assert said(("", "one two"), ("", "three")) == ["one two", "three"]


def test_a_continuation_is_of_two_hands() -> None:
    assert set(said(("", "one two"), ("one", "one two three"))[1:]) == {"one two three"}
    assert said(("", "one two"), ("one", "other"))[1] == "one other"


def test_blanks_that_were_shown_and_not_told_are_not_doubled() -> None:
    assert set(said(("", "one  two"), ("one", "other"))[1:]) == {"one other", "one  other"}


def test_what_nobody_began_cannot_be_continued() -> None:
    assert said(("", "one two"), ("two", "three")) == ["one two"]


# --- routes -------------------------------------------------------------------------------------------


def broken_routes() -> list[tuple[str, Callable[[Finished | Unfinished], Finished | Unfinished]]]:
    """Name what may be wrong with a route of two attempts, and how it is made so."""
    roles: tuple[AttemptRole, ...] = ("first", "retry", "splice")
    return [
        ("asked and no candidate", lambda o: changed(o, 1, deployment=DeploymentId("nobody/none"))),
        ("numbered twice", lambda o: changed(o, 1, number=1)),
        ("still open", lambda o: changed(o, 1, booking="open")),
        *((f"a failover that is called {role}", lambda o, role=role: changed(o, 1, role=role)) for role in roles),
        ("a first attempt that is called a retry", lambda o: changed(o, 0, role="retry")),
    ]


@pytest.mark.parametrize(("name", "spoil"), broken_routes(), ids=[name for name, _ in broken_routes()])
def test_a_route_that_cannot_be_is_noticed(
    name: str, spoil: Callable[[Finished | Unfinished], Finished | Unfinished]
) -> None:
    for report, seen in clients():
        outcome = seen.outcome
        if not isinstance(outcome, Finished | Unfinished) or len(outcome.route.attempts) != 2:
            continue
        first, second = outcome.route.attempts
        # A stream of which something was shown may be spliced, and attempts that overlap may be a race.
        if second.role == "failover" and first.first_content_s is None:
            assert not finite_plans(report)
            seen.outcome = spoil(outcome)
            assert finite_plans(report), name
            return
    raise AssertionError("no request failed over")


def test_more_attempts_than_allowed_are_noticed() -> None:
    report = asked_twice()
    assert not finite_plans(report)
    retry = msgspec.structs.replace(report.plan.retry, attempts_max=1)
    assert finite_plans(msgspec.structs.replace(report, plan=msgspec.structs.replace(report.plan, retry=retry)))


def test_retries_above_the_budget_are_noticed() -> None:
    for seed in range(SEEDS):
        report = report_of(seed)
        if any(asked.attempt.role == "retry" for asked in attempts_of(report)):
            assert not nobody_is_hammered(report)
            for fields in ({"budget_min": 0, "budget_ratio": 0.0}, {"same_deployment": 0}):
                retry = msgspec.structs.replace(report.plan.retry, **fields)
                plan = msgspec.structs.replace(report.plan, retry=retry)
                assert nobody_is_hammered(msgspec.structs.replace(report, plan=plan))
            return
    raise AssertionError("nothing was retried")


def test_a_race_that_nobody_wanted_or_that_came_too_soon_is_noticed() -> None:
    for report, seen in clients():
        outcome = seen.outcome
        nobody_raced = not any(asked.attempt.role == "hedge" for asked in attempts_of(report))
        if nobody_raced and isinstance(outcome, Finished | Unfinished) and len(outcome.route.attempts) == 2:
            hedge = msgspec.structs.replace(report.plan.hedge, enabled=False, delay_min_s=100.0)
            report = msgspec.structs.replace(report, plan=msgspec.structs.replace(report.plan, hedge=hedge))
            assert not nobody_is_hammered(report)
            seen.outcome = changed(outcome, 1, role="hedge")
            assert nobody_is_hammered(report)
            assert finite_plans(report)
            return
    raise AssertionError("no request took two attempts")


def test_an_answer_of_somebody_who_failed_is_noticed() -> None:
    report, seen, outcome = finished()
    assert not whole_is_finished(report)
    seen.outcome = msgspec.structs.replace(outcome, model="another")
    assert whole_is_finished(report)


def test_a_batch_request_that_did_not_give_way_is_noticed() -> None:
    for seed in range(SEEDS):
        report = report_of(seed)
        asked = attempts_of(report)
        together = [
            (one, other)
            for one in asked
            for other in asked
            if one.client.number != other.client.number and one.began_at + 0.01 < other.began_at < one.ended_at - 0.01
        ]
        if not together:
            continue
        _, late = together[0]
        clients = tuple(
            msgspec.structs.replace(client, priority="batch") if client.number == late.client.number else client
            for client in report.plan.clients
        )
        plan = msgspec.structs.replace(report.plan, clients=clients, in_flight_max=1, batch_share=1.0)
        if attempts_of(report) and late.attempt.number == 1:
            assert batch_gives_way(msgspec.structs.replace(report, plan=plan))
            return
    raise AssertionError("no two requests were under way together")


# --- rests --------------------------------------------------------------------------------------------


def asked_at(*times: tuple[float, float, str]) -> Report:
    """Make the report of clients that ask one deployment, one attempt each: began, ended, result."""
    report = report_of(0)
    _, _, pattern = finished()
    attempt = pattern.route.attempts[0]
    deployment = DeploymentId(f"alpha/{MODEL}")
    report.seen, report.visits, report.events = [], [], []
    plans = []
    for number, (began_at, ended_at, result) in enumerate(times):
        client = ClientPlan(number=number, at_s=began_at, timeout_s=20.0)
        plans.append(client)
        told = msgspec.structs.replace(
            attempt, deployment=deployment, provider="alpha", model=MODEL, started_s=0.0, ended_s=ended_at - began_at
        )
        outcome = with_attempts(
            msgspec.structs.replace(pattern, request_id=pattern.request_id.__class__(f"client-{number}")),
            msgspec.structs.replace(told, number=1, result=result),
        )
        report.seen.append(Seen(client=client, began_at=began_at, ended_at=ended_at, outcome=outcome))
        report.events.append(
            AttemptEnded(
                at=ended_at,
                request_id=outcome.request_id,
                attempt=1,
                deployment=deployment,
                result=result,
                booking="settled",
            )
        )
        fault = Rejected(status=429, retry_after_s=5.0) if result == "rate_limited" else None
        script = Script(text="x", fault=fault)
        report.visits.append(Visit(provider="alpha", model=MODEL, number=number, attempt=1, at=began_at, script=script))
    plan = Plan(seed=0, schedule_seed=0, mode="safety", providers=(ProviderPlan(name="alpha"),), clients=tuple(plans))
    return msgspec.structs.replace(report, plan=plan, ended_at=100.0)


def moved(report: Report, *moves: tuple[float, str, str, float | None]) -> Report:
    for at, before, after, retry_in_s in moves:
        report.events.append(
            BreakerMoved(
                at=at,
                deployment=DeploymentId(f"alpha/{MODEL}"),
                before=before,  # type: ignore[arg-type]
                after=after,  # type: ignore[arg-type]
                reason="because",
                retry_in_s=retry_in_s,
            )
        )
    return report


OPENED = (1.0, "closed", "open", 5.0)
TRIED = (6.0, "open", "half_open", None)
CLOSED = (7.0, "half_open", "closed", None)


def test_a_breaker_that_does_its_work_is_left_in_peace() -> None:
    report = asked_at((0.0, 1.0, "server"), (6.0, 7.0, "ok"), (8.0, 9.0, "ok"))
    assert not breakers(moved(report, OPENED, TRIED, CLOSED))


@pytest.mark.parametrize(
    ("times", "moves"),
    [
        (((0.0, 1.0, "server"), (3.0, 4.0, "ok")), (OPENED,)),
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
        "two probes at once",
        "closed without a probe",
        "a move from where it was not",
        "open for nobody knows how long",
        "opened by a bad request",
        "opened by a 429",
    ],
)
def test_a_breaker_that_does_not_is_noticed(
    times: tuple[tuple[float, float, str], ...], moves: tuple[tuple[float, str, str, float | None], ...]
) -> None:
    assert breakers(moved(asked_at(*times), *moves))


def test_who_comes_before_the_time_is_noticed() -> None:
    assert not cooldowns(asked_at((0.0, 1.0, "rate_limited"), (0.5, 2.0, "ok"), (5.0, 6.0, "ok")))
    assert cooldowns(asked_at((0.0, 1.0, "rate_limited"), (3.0, 4.0, "ok")))


def test_every_judge_is_asked() -> None:
    assert {breakers, cooldowns, finite_plans, nobody_is_hammered, batch_gives_way, no_bugs} <= set(INVARIANTS)
