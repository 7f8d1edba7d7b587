"""Own what must hold of limits and budgets in every chaos run, as the vendors count and as the rows say.

A vendor whose limits we know is never asked for more than they allow. A budget is never overrun, at no instant: what
is spent, in doubt and reserved together fits into it. Who was refused by either is told so, and reached nobody.
"""

from __future__ import annotations

from manus.actors.ledger.rows import LedgerRow
from manus.messages.limits import BudgetRule, Scope
from manus.messages.outcomes import Attempt
from manus.messages.usage import Usage
from manus.sim.chaos_asked import routes_of
from manus.sim.chaos_world import Report

TIE_S = 1e-6

DENIALS = ("admission", "budget_exceeded")
"""Failures that are our own word: limits and budgets leave no room."""


def limits_hold(report: Report) -> list[str]:
    """P9: a vendor whose limits are in our configuration never has to refuse a call for them."""
    known = {rule.scope.name for rule in report.plan.admission.limits}
    wrong = [
        f"{name} refused call {bill.number}: {bill.fault}"
        for name, bills in report.bills.items()
        if name in known
        for bill in bills
        if bill.fault is not None and bill.fault.startswith("limit:")
    ]
    return wrong + [
        f"{name} was led beyond its limits: {over}" for name, over in report.overruns.items() if name in known
    ]


def budgets_hold(report: Report) -> list[str]:
    """P9: spent, in doubt and reserved together never exceed a budget; where the wall clock was set, in the end."""
    wrong: list[str] = []
    for rule in report.plan.admission.budgets:
        rows = [row for row in report.rows if _falls_under(report, rule.scope, row)]
        for at in sorted({row.created_unix_s for row in rows}):
            counted = [row for row in rows if _counts_at(rule, row, at)]
            if report.plan.jumps:
                used = sum(_came_to(rule, row) for row in counted)
            else:
                used = sum(_held_at(rule, row, at) for row in counted)
            if used > rule.amount:
                wrong.append(f"{rule.source} ({rule.scope}): {used} of {rule.amount} {rule.unit} at {at:.3f}")
                break
    return wrong


def the_denied_reach_nobody(report: Report) -> list[str]:
    """P9: an attempt that limits or budgets refused has no row and cost nothing, and nobody blames its deployment."""
    wrong: list[str] = []
    keys = {(str(row.request_id), row.attempt) for row in report.rows}
    for seen, outcome, route in routes_of(report):
        for attempt in route.attempts:
            if not is_denied(attempt):
                continue
            who = f"client {seen.client.number}, attempt {attempt.number}"
            if (str(outcome.request_id), attempt.number) in keys:
                wrong.append(f"{who} was refused ({attempt.result}) and stands in the books")
            if attempt.booking != "released" or attempt.cost_nano_usd:
                wrong.append(f"{who} was refused ({attempt.result}) and told as {attempt.booking}")
            if not report.plan.admission.limits and not report.plan.admission.budgets and not _vendors_limit(report):
                wrong.append(f"{who} was refused ({attempt.result}), and there are no limits")
    return wrong


def is_denied(attempt: Attempt) -> bool:
    """Whether limits or budgets refused it before anything was sent."""
    return attempt.result in DENIALS


def _vendors_limit(report: Report) -> bool:
    """Whether there was anything to be learnt from what vendors told of their limits."""
    storms = any(getattr(weather, "retry_after_s", None) is not None for weather in report.plan.weather)
    return storms or any(each.limits is not None for each in report.plan.providers)


def _falls_under(report: Report, scope: Scope, row: LedgerRow) -> bool:
    match scope.kind:
        case "all":
            return True
        case "provider":
            return row.provider == scope.name
        case "tag":
            return scope.name in row.tags
        case _:
            raise AssertionError(f"no plan has budgets of a {scope.kind}")


def _counts_at(rule: BudgetRule, row: LedgerRow, at_unix_s: float) -> bool:
    """Whether a row is of the period that a moment is in. Runs are too short for a month to end in them."""
    match rule.period:
        case "rolling":
            return at_unix_s - rule.window_s < row.created_unix_s <= at_unix_s
        case "day":
            return row.created_unix_s // 86_400 == at_unix_s // 86_400
        case "month":
            return True


def _held_at(rule: BudgetRule, row: LedgerRow, at_unix_s: float) -> int:
    if row.created_unix_s > at_unix_s:
        return 0
    if row.ended_unix_s is None or row.ended_unix_s > at_unix_s + TIE_S:
        return _amount(rule, row.bound, row.bound_cost_nano_usd)
    return _came_to(rule, row)


def _came_to(rule: BudgetRule, row: LedgerRow) -> int:
    return 0 if row.state == "released" else _amount(rule, row.usage, row.cost_nano_usd)


def _amount(rule: BudgetRule, usage: Usage, cost_nano_usd: int | None) -> int:
    return (cost_nano_usd or 0) if rule.unit == "nano_usd" else usage.total
