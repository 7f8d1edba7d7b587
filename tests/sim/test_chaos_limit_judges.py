"""The judges of limits, budgets and drains can tell: what is broken by hand in a good run is noticed."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from manus.messages.ids import RequestId
from manus.messages.outcomes import Finished, Unfinished
from manus.sim.chaos_books import drains_bring_the_count, served_calls
from manus.sim.chaos_limits import budgets_hold, is_denied, limits_hold, the_denied_reach_nobody
from manus.sim.chaos_world import Report
from tests.sim.chaos_reports import SEEDS, clients, report_of


def run_that(fits: Callable[[Report], bool]) -> Report:
    for seed in range(2 * SEEDS):
        report = report_of(seed)
        if fits(report):
            return report
    raise AssertionError("no run is like that")


def limited(report: Report) -> bool:
    return any(report.bills[rule.scope.name] for rule in report.plan.admission.limits)


def test_a_refusal_by_a_vendor_whose_limits_are_known_is_noticed() -> None:
    report = run_that(limited)
    assert not limits_hold(report)
    name = next(rule.scope.name for rule in report.plan.admission.limits if report.bills[rule.scope.name])
    refused = msgspec.structs.replace(report.bills[name][0], fault="limit:tokens")
    assert limits_hold(msgspec.structs.replace(report, bills={**report.bills, name: [refused]}))
    assert limits_hold(msgspec.structs.replace(report, overruns={name: {"output_tokens": 1}}))


def test_a_budget_that_is_overrun_by_one_is_noticed() -> None:
    def spent(report: Report) -> bool:
        return bool(report.plan.admission.budgets) and any(row.state == "settled" for row in report.rows)

    report = run_that(spent)
    assert not budgets_hold(report)
    policy = report.plan.admission
    tight = tuple(msgspec.structs.replace(rule, amount=0) for rule in policy.budgets)
    plan = msgspec.structs.replace(report.plan, admission=msgspec.structs.replace(policy, budgets=tight))
    everything = [msgspec.structs.replace(row, tags=("crowd",), provider=plan.providers[0].name) for row in report.rows]
    assert budgets_hold(msgspec.structs.replace(report, plan=plan, rows=everything))


def test_a_denied_attempt_that_stands_in_the_books_is_noticed() -> None:
    for report, seen in clients():
        outcome = seen.outcome
        if not isinstance(outcome, Finished | Unfinished) or not report.rows:
            continue
        denied = [attempt for attempt in outcome.route.attempts if is_denied(attempt)]
        if not denied:
            continue
        assert not the_denied_reach_nobody(report)
        request_id = RequestId(str(outcome.request_id))
        row = msgspec.structs.replace(report.rows[0], request_id=request_id, attempt=denied[0].number)
        assert the_denied_reach_nobody(msgspec.structs.replace(report, rows=[*report.rows, row]))
        return
    raise AssertionError("nobody was denied")


def test_a_drained_call_that_is_booked_as_an_estimate_is_noticed() -> None:
    for seed in range(4 * SEEDS):
        report = report_of(seed)
        served = served_calls(report)
        for seen in report.seen:
            outcome = seen.outcome
            if not isinstance(outcome, Finished | Unfinished) or report.plan.blows:
                continue
            calls = (
                served.get((outcome.route.attempts[0].provider, seen.client.number), [])
                if outcome.route.attempts
                else []
            )
            whole = len(calls) == 1 and calls[0].bill.state == "complete" and calls[0].visit.script.fault is None
            if not whole or drains_bring_the_count(report):
                continue
            attempt = msgspec.structs.replace(outcome.route.attempts[0], booking="open")
            seen.outcome = msgspec.structs.replace(
                outcome, route=msgspec.structs.replace(outcome.route, attempts=(attempt,))
            )
            assert not drains_bring_the_count(report)
            rows = [
                msgspec.structs.replace(row, usage=msgspec.structs.replace(row.usage, source="estimated"))
                for row in report.rows
            ]
            if any(met.bug for client in report.plan.clients for each in client.meets.values() for met in each):
                continue
            assert drains_bring_the_count(msgspec.structs.replace(report, rows=rows))
            return
    raise AssertionError("no call was answered whole")
