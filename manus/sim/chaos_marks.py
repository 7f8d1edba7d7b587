"""Own what a chaos run has seen: a batch that never sees a kind of outcome, fault or event proves nothing about it."""

from __future__ import annotations

from collections import Counter

from manus.messages.outcomes import Finished, Unfinished
from manus.messages.watching import BreakerMoved
from manus.sim.chaos_limits import is_denied
from manus.sim.chaos_weather import kind_of
from manus.sim.chaos_world import Report

COUNTED = ("shed", "retries", "failovers", "restarts", "continued", "spliced", "hedges", "hedges_won", "drains")
"""What the router itself has counted, and a batch must have seen."""


def marks_of(report: Report) -> dict[str, int]:
    """Count what was seen, by kind."""
    marks: Counter[str] = Counter(type(event).__name__ for event in report.events)
    for event in report.events:
        if isinstance(event, BreakerMoved):
            marks[f"breaker:{event.before} to {event.after}"] += 1
    _mark_outcomes(report, marks)
    _mark_traffic(report, marks)
    for rule in report.plan.admission.budgets:
        marks[f"budget:{rule.unit} {rule.period} {rule.scope.kind}"] += 1
    for row in report.rows:
        marks[f"row:{row.state}"] += 1
        marks[f"usage:{row.usage.source}"] += row.state == "settled"
    if report.metrics is not None:
        for what in COUNTED:
            marks[f"counted:{what}"] += getattr(report.metrics, what)
    return dict(+marks)


def _mark_outcomes(report: Report, marks: Counter[str]) -> None:
    wires = {each.name: each.wire for each in report.plan.providers}
    for seen in report.seen:
        outcome = seen.outcome
        if isinstance(outcome, Unfinished):
            marks[f"failed:{outcome.failure.kind}"] += 1
            marks["partial"] += outcome.partial is not None
        elif outcome is not None:
            marks[type(outcome).__name__] += 1
        if isinstance(outcome, Finished | Unfinished):
            asked = list(dict.fromkeys(attempt.provider for attempt in outcome.route.attempts))
            marks["failover"] += len(asked) > 1
            for name in asked[:-1]:
                marks[f"{wires[name]}:failed over from"] += 1
            marks["not_durable"] += not outcome.durable
            marks[f"strategy:{outcome.route.strategy}"] += 1
            for attempt in outcome.route.attempts:
                marks[f"role:{attempt.role}"] += 1
                marks[f"{attempt.role}:{'failed' if attempt.failure else 'ok'}"] += 1
                marks[f"denied:{attempt.result}"] += is_denied(attempt)
                marks["answered after a denial"] += isinstance(outcome, Finished) and is_denied(attempt)
                marks["told as open"] += attempt.booking == "open"
        if isinstance(outcome, Finished):
            marks[f"{wires[outcome.provider]}:finished"] += 1
        marks["walked_away"] += seen.walked_away
        marks["reset"] += seen.resets


def _mark_traffic(report: Report, marks: Counter[str]) -> None:
    wires = {each.name: each.wire for each in report.plan.providers}
    for each in report.plan.providers:
        marks[f"several {each.proof} shown"] += len(report.doors[each.name].shown) > 1
    for name, bills in report.bills.items():
        for bill in bills:
            marks[f"fault:{bill.fault or 'none'}"] += 1
            marks[f"{wires[name]}:billed"] += bill.billed
            marks[f"{wires[name]}:cached"] += bill.cached_tokens + bill.cache_write_tokens > 0
    for visit in report.visits:
        for weather in report.plan.weather:
            marks[f"weather:{kind_of(weather)}"] += weather.covers(visit.provider, visit.at)
    marks["weather:clock jump"] += len(report.plan.jumps)
