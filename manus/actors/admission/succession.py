"""Own which gauge follows which when limits and budgets change, so that what is counted stays counted.

Gauges are the same where they bound the same dimension of the same scope, in the same kind of period, whatever they
allow and wherever that is written. Where several do, they follow each other in their order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from manus.actors.admission.budgets import CalendarBudget, RollingBudget, budget_gauge
from manus.actors.admission.flows import ConcurrencyGauge, RateGauge, gauges_of
from manus.actors.admission.gauge import Gauge
from manus.actors.admission.needs import Clock
from manus.actors.admission.rules import Rules
from manus.messages.limits import AdmissionPolicy, BudgetWarned

G = TypeVar("G", bound=Gauge)

Warn = Callable[[BudgetWarned], None]


def flow_gauges(policy: AdmissionPolicy) -> list[RateGauge | ConcurrencyGauge]:
    """Make the gauges of all limits."""
    return [gauge for rule in policy.limits for gauge in gauges_of(rule)]


def budget_gauges(policy: AdmissionPolicy, warn: Warn) -> list[CalendarBudget | RollingBudget]:
    """Make the gauges of all budgets; `warn` is told of shares that are used up."""
    return [budget_gauge(rule, _warn_at(policy), warn) for rule in policy.budgets]


def successors(former: Rules, policy: AdmissionPolicy, warn: Warn, clock: Clock) -> Rules:
    """Make the rules of another policy out of the gauges that there are, and of new ones."""
    flows: list[RateGauge | ConcurrencyGauge] = []
    there = _by_identity(former.flows)
    for flow in flow_gauges(policy):
        known = _next(there, flow)
        match known, flow:
            case RateGauge() as known, RateGauge():
                known.adopt(flow)
                flows.append(known)
            case ConcurrencyGauge() as known, ConcurrencyGauge():
                known.adopt(flow)
                flows.append(known)
            case _:
                flows.append(flow)
    budgets: list[CalendarBudget | RollingBudget] = []
    budgets_there = _by_identity(former.budgets)
    for budget in budget_gauges(policy, warn):
        known_budget = _next(budgets_there, budget)
        if known_budget is None:
            budget.begin_late()
            budgets.append(budget)
        else:
            known_budget.adopt(budget.rule, _warn_at(policy), clock)
            budgets.append(known_budget)
    return Rules(flows, budgets)


def _warn_at(policy: AdmissionPolicy) -> tuple[float, ...]:
    return tuple(sorted(policy.warn_at))


def _by_identity(gauges: Iterable[G]) -> dict[tuple[object, ...], list[G]]:
    found: dict[tuple[object, ...], list[G]] = {}
    for gauge in gauges:
        found.setdefault(gauge.identity, []).append(gauge)
    return found


def _next(there: dict[tuple[object, ...], list[G]], gauge: G) -> G | None:
    same = there.get(gauge.identity)
    return same.pop(0) if same else None
