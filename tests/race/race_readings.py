"""Own what a race's report comes to before anybody judges it: who took what of a budget and when, who stood in line.

Readings say what happened. What should have happened is for `race_judges.py`.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable
from typing import NamedTuple

from manus.actors.ledger.rows import LedgerRow
from manus.messages.limits import BudgetRule, Scope
from manus.messages.usage import Usage
from tests.race.race_plan import TOKEN_NANO_USD, Caller
from tests.race.race_report import RaceReport, Told

TIE_S = 1e-6
"""Moments this close are one: what came first among them is not asked."""


class Spell(NamedTuple):
    """What one attempt took of a budget: its bound while it was open, then what it came to."""

    row: LedgerRow
    from_unix_s: float
    until_unix_s: float
    bound: int
    final: int


def spells_of(report: RaceReport, rule: BudgetRule) -> list[Spell]:
    """Give what each attempt in a budget's scope took of it, and when."""
    callers = {f"caller-{caller.number}": caller for caller in report.plan.callers}
    return [
        Spell(
            row=row,
            from_unix_s=row.created_unix_s,
            until_unix_s=row.created_unix_s if row.ended_unix_s is None else row.ended_unix_s,
            bound=amount_of(rule, row.bound.total),
            final=0 if row.state == "released" else _final(rule, row.usage),
        )
        for row in report.rows
        if covers(rule.scope, callers[row.request_id])
    ]


def _final(rule: BudgetRule, usage: Usage) -> int:
    return amount_of(rule, usage.total)


def spending(report: RaceReport, rule: BudgetRule) -> Callable[[float], int]:
    """Give a function from a moment of the wall clock to what a budget's period has spent and doubts by then."""
    spells = sorted(spells_of(report, rule), key=_until)
    if rule.period == "rolling":
        return lambda at: sum(
            spell.final
            for spell in spells
            if spell.until_unix_s <= at + TIE_S and in_same_period(rule, spell.from_unix_s, at)
        )
    ends: dict[float, list[float]] = {}
    sums: dict[float, list[int]] = {}
    for spell in spells:
        period = period_of(rule, spell.from_unix_s)
        ends.setdefault(period, []).append(spell.until_unix_s)
        known = sums.setdefault(period, [0])
        known.append(known[-1] + spell.final)

    def by_then(at: float) -> int:
        period = period_of(rule, at)
        return sums[period][bisect_right(ends[period], at + TIE_S)] if period in sums else 0

    return by_then


def _until(spell: Spell) -> float:
    return spell.until_unix_s


def amount_of(rule: BudgetRule, tokens: int) -> int:
    """Give what tokens are in a budget's unit; in a race all of them cost the same."""
    return tokens * TOKEN_NANO_USD if rule.unit == "nano_usd" else tokens


def covers(scope: Scope, caller: Caller) -> bool:
    """Whether a caller falls under a scope."""
    match scope.kind:
        case "all":
            return True
        case "provider":
            return scope.name == caller.vendor
        case "deployment":
            return scope.name == f"{caller.vendor}/m"
        case "key":
            return scope.name == f"{caller.vendor}#k1"
        case "tag":
            return scope.name in caller.tags


def in_same_period(rule: BudgetRule, one_unix_s: float, at_unix_s: float) -> bool:
    """Whether what was reserved at one moment counts at another. Races are too short for a month to end in them."""
    if rule.period == "rolling":
        return at_unix_s - rule.window_s < one_unix_s <= at_unix_s
    return period_of(rule, one_unix_s) == period_of(rule, at_unix_s)


def period_of(rule: BudgetRule, at_unix_s: float) -> float:
    """Name the day of a moment, or the one month that all of a race lies in."""
    return at_unix_s // 86_400 if rule.period == "day" else 0.0


LineName = tuple[str, tuple[str, ...], str]
"""Whose line it is: the vendor, the tags, the priority."""


def lines_of(report: RaceReport) -> dict[LineName, list[Told]]:
    """Give those who would wait, by what they wait for, in the order in which they came."""
    lines: dict[LineName, list[Told]] = {}
    for told in report.told:
        if told.caller.wait and not math.isnan(told.asked_at):
            caller = told.caller
            lines.setdefault((caller.vendor, caller.tags, caller.priority), []).append(told)
    for line in lines.values():
        line.sort(key=_asked_at)
    return lines


def out_of_line(told: Told) -> float:
    """Tell when somebody left the line, one way or another."""
    return told.ended_at if math.isnan(told.answered_at) else told.answered_at


def refused_by_budget(report: RaceReport) -> list[Told]:
    """Give those who were told that a budget is used up."""
    return [
        told
        for told in report.told
        if told.end == "denied" and told.failure is not None and told.failure.kind == "budget_exceeded"
    ]


def _asked_at(told: Told) -> float:
    return told.asked_at
