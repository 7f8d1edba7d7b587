"""The judges of races can tell: each promise, broken by hand in the report of a race that kept it, is found broken."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import msgspec

from manus.messages.failures import Failed
from manus.messages.limits import BudgetRule
from manus.sim.quota import Excess
from tests.race.race_judges import (
    batch_gives_way_and_gets_through,
    bills_fit_budgets,
    budgets_hold,
    comes_to_rest,
    conserved,
    judged,
    nobody_is_refused_early,
    nobody_overtakes,
    nothing_is_held,
    rejects_cost_nothing,
    room_is_used,
    tags_take_turns,
    vendors_never_refuse,
    who_waits_is_answered,
)
from tests.race.race_plan import PATIENT_S, Kind, race_from_seed
from tests.race.race_readings import lines_of, refused_by_budget
from tests.race.race_report import RaceReport, Told
from tests.race.race_world import run_race

SEEDS = 24


@cache
def kept(seed: int, kind: Kind) -> RaceReport:
    return run_race(race_from_seed(seed, kind))


def race_that(fits: Callable[[RaceReport], bool], kind: Kind = "budget") -> RaceReport:
    """Give a race that kept every promise, to be spoilt: what is changed in it is copied."""
    for seed in range(SEEDS):
        report = kept(seed, kind)
        if fits(report):
            assert not list(judged(report))
            return msgspec.structs.replace(
                report,
                told=[msgspec.structs.replace(told) for told in report.told],
                rows=list(report.rows),
                bills=[msgspec.structs.replace(bill) for bill in report.bills],
            )
    raise AssertionError("no race is like that")


def any_race(report: RaceReport) -> bool:
    return bool(report.bills)


def calm(report: RaceReport) -> bool:
    return report.plan.calm


def overspent(report: RaceReport) -> bool:
    return bool(refused_by_budget(report)) and not any(rule.period == "rolling" for rule in report.plan.policy.budgets)


def patient(report: RaceReport) -> Told:
    """Find somebody who waited and was answered."""
    return next(
        told
        for told in report.told
        if told.end == "answered" and told.caller.wait and told.caller.timeout_s >= PATIENT_S
    )


def with_budgets(report: RaceReport, shrink: Callable[[BudgetRule], int]) -> RaceReport:
    """Give the same race under other budgets than it was run with."""
    policy = report.plan.policy
    budgets = tuple(msgspec.structs.replace(rule, amount=shrink(rule)) for rule in policy.budgets)
    plan = msgspec.structs.replace(report.plan, policy=msgspec.structs.replace(policy, budgets=budgets))
    return msgspec.structs.replace(report, plan=plan)


def test_a_refusal_by_a_vendor_is_noticed() -> None:
    report = race_that(any_race, "rates")
    excess = Excess(dimension="requests", limit=1, used=1, requested=1)
    assert vendors_never_refuse(msgspec.structs.replace(report, excesses=[excess]))


def test_an_overrun_of_what_is_written_is_noticed() -> None:
    report = race_that(lambda race: race.plan.vendors[0].limits.output_tokens_per_minute is not None, "rates")
    quota = report.quotas[report.plan.vendors[0].name]
    before = dict(quota.peaks)
    quota.peaks["output_tokens"] = (quota.limits.output_tokens_per_minute or 0) + 1
    assert vendors_never_refuse(report)
    quota.peaks = before


def test_an_overrun_budget_is_noticed_by_one_nano_dollar() -> None:
    report = race_that(overspent)
    spent = max(budget.spent + budget.in_doubt for budget in report.limits.budgets)
    assert not budgets_hold(with_budgets(report, lambda rule: rule.amount))
    assert budgets_hold(with_budgets(report, lambda rule: spent - 1))


def test_a_budget_that_was_overrun_for_a_moment_is_noticed() -> None:
    report = race_that(overspent)
    # What was open must have counted with its bound, even where in the end little was used.
    rows = [msgspec.structs.replace(row, ended_unix_s=math.inf) for row in report.rows]
    assert budgets_hold(msgspec.structs.replace(report, rows=rows))


def test_bills_above_a_budget_are_noticed() -> None:
    report = race_that(
        lambda race: any(rule.scope.kind == "all" and rule.period != "rolling" for rule in race.plan.policy.budgets)
    )
    for bill in report.bills:
        bill.output_tokens += 1_000_000
    assert bills_fit_budgets(report)


def test_an_early_refusal_is_noticed() -> None:
    report = race_that(overspent)
    first = min(refused_by_budget(report), key=lambda told: told.ended_at)
    first.ended_at = min(told.granted_at for told in report.told if not math.isnan(told.granted_at)) - 1.0
    assert len(nobody_is_refused_early(report)) == 2  # it would have fitted, and nothing was used


def test_somebody_who_waited_for_nothing_is_noticed() -> None:
    report = race_that(any_race, "rates")
    told = patient(report)
    told.end, told.failure = "denied", Failed(kind="admission", message="no room")
    assert who_waits_is_answered(report)
    told.end, told.failure = "waiting", None
    assert who_waits_is_answered(report)


def test_an_idle_line_is_noticed() -> None:
    report = race_that(calm, "rates")
    report.told[0].ended_at += 1e6
    assert room_is_used(report)


def test_an_overtaker_is_noticed() -> None:
    def spread(race: RaceReport) -> bool:
        return calm(race) and len({told.asked_at for told in race.told}) > 100

    report = race_that(spread, "rates")
    line = max(lines_of(report).values(), key=len)
    line[0].answered_at = line[0].granted_at = max(told.granted_at for told in line) + 1.0
    assert nobody_overtakes(report)


def test_a_tag_that_gets_no_turn_is_noticed() -> None:
    def two_tags(race: RaceReport) -> bool:
        return calm(race) and not any(rule.scope.kind == "tag" for rule in race.plan.policy.budgets)

    report = race_that(two_tags, "rates")
    lines = lines_of(report)
    crowd = max(lines, key=lambda name: len(lines[name]))
    other = next(name for name in lines if name[0] == crowd[0] and name[2] == crowd[2] and name[1] != crowd[1])
    # All of the crowd, and only then the others, one by one.
    for at, told in enumerate([*lines[crowd], *lines[other]]):
        told.asked_at, told.granted_at, told.answered_at = 0.0, 1.0 + at, 1.0 + at
    assert tags_take_turns(report)


def test_a_batch_request_that_starves_is_noticed() -> None:
    report = race_that(calm, "rates")
    vendor = report.plan.vendors[0].name
    mine = [told for told in report.told if told.caller.wait and told.caller.vendor == vendor]
    for told in mine:
        told.asked_at = told.granted_at = told.answered_at = 0.0
    batch = next(told for told in mine if told.caller.priority == "batch")
    other = next(told for told in mine if told.caller.priority != "batch")
    batch.answered_at = batch.granted_at = 100.0
    other.asked_at, other.answered_at, other.granted_at = 9.0, 50.0, 50.0
    assert not batch_gives_way_and_gets_through(report)
    other.asked_at = 11.0
    assert batch_gives_way_and_gets_through(report)


def test_a_row_that_is_missing_or_off_by_a_token_is_noticed() -> None:
    report = race_that(any_race)
    row = next(row for row in report.rows if row.state == "settled")
    report.rows.remove(row)
    assert conserved(report)
    usage = msgspec.structs.replace(row.usage, output=row.usage.output + 1)
    report.rows.append(msgspec.structs.replace(row, usage=usage))
    assert conserved(report)
    report.rows[-1] = row
    assert not conserved(report)
    report.rows.append(row)
    assert conserved(report)


def test_what_is_held_in_the_end_is_noticed() -> None:
    report = race_that(any_race)
    first, *rest = report.limits.budgets
    for lie in ({"reserved": 1}, {"waiting": 1}, {"spent": first.spent + 1}, {"in_doubt": first.in_doubt + 1}):
        told = msgspec.structs.replace(first, **lie)
        limits = msgspec.structs.replace(report.limits, budgets=(told, *rest))
        if "spent" in lie or "in_doubt" in lie:
            rules = {(rule.source, rule.scope): rule for rule in report.plan.policy.budgets}
            if rules[first.source, first.scope].period == "rolling":
                continue
        assert nothing_is_held(msgspec.structs.replace(report, limits=limits))


def test_an_envelope_that_is_never_answered_is_noticed() -> None:
    report = race_that(any_race)
    (status,) = report.statuses
    assert comes_to_rest(msgspec.structs.replace(report, statuses=(msgspec.structs.replace(status, in_hand=1),)))


def test_a_reject_that_cost_something_is_noticed() -> None:
    report = race_that(overspent)
    refused = refused_by_budget(report)[0]
    refused.arrived_at = 1.0
    assert rejects_cost_nothing(report)
    refused.arrived_at = math.nan
    assert not rejects_cost_nothing(report)
    row = report.rows[0]
    name = type(row.request_id)(f"caller-{refused.caller.number}")
    report.rows.append(msgspec.structs.replace(row, request_id=name, attempt=refused.attempt))
    assert rejects_cost_nothing(report)
