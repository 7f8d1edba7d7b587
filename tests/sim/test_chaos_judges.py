"""The judges of chaos can tell: each promise, broken by hand in the report of a run that kept it, is found broken."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
import trio

from manus.messages.content import Text
from manus.messages.ids import DeploymentId
from manus.messages.outcomes import Attempt, AttemptRole, Finished, Unfinished
from manus.sim.behaviour import Script
from manus.sim.chaos import simulated
from manus.sim.chaos_asked import attempts_of
from manus.sim.chaos_books import exact_books
from manus.sim.chaos_draw import plan_from_seed
from manus.sim.chaos_invariants import (
    INVARIANTS,
    fresh_credentials,
    no_bugs,
    no_secret_leaves,
    one_end,
)
from manus.sim.chaos_isolation import isolated
from manus.sim.chaos_keys import SECRET, Doorkeeper
from manus.sim.chaos_plan import ClientPlan, Plan, without_faults_of
from manus.sim.chaos_rests import breakers, cooldowns
from manus.sim.chaos_routes import batch_gives_way, finite_plans, nobody_is_hammered, whole_is_finished
from manus.sim.chaos_said import said_to
from manus.sim.chaos_streams import no_lie, whole_streams
from manus.sim.chaos_world import MODEL, Report, Visit
from manus.supervisor.events import RequestCrashed
from tests.sim.chaos_reports import SEEDS, clients, finished, report_of


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


# --- isolation ----------------------------------------------------------------------------------------


def test_who_notices_the_faults_of_another_is_noticed() -> None:
    plan = plan_from_seed(3, "isolation")
    report, calm = report_of(3, "isolation"), simulated(without_faults_of(plan, "alpha"))
    mine = [seen for seen in report.seen if seen.client.provider == "beta"]
    assert mine
    assert not isolated(report, calm, "beta")
    mine[0].ended_at += 0.001
    assert len(isolated(report, calm, "beta")) == 1
    mine[0].ended_at -= 0.001
    mine[0].outcome = None
    assert len(isolated(report, calm, "beta")) == 1


def test_both_kinds_of_isolation_are_drawn_and_mostly_comparable() -> None:
    plans = [plan_from_seed(seed, "isolation") for seed in range(40)]
    assert {plan.providers[1].grid for plan in plans} == {True, False}
    for plan in plans:
        mine = [client for client in plan.clients if client.provider == "beta"]
        assert all(client.alone for client in mine)
        assert all("beta" not in (client.fallbacks or ()) for client in plan.clients if client not in mine)
        if not plan.providers[1].grid:
            assert len({client.at_s for client in mine}) == len(mine)


def test_every_judge_is_asked() -> None:
    assert {breakers, cooldowns, finite_plans, nobody_is_hammered, batch_gives_way, no_bugs} <= set(INVARIANTS)
