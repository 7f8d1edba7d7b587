"""Own what must hold of the supervisors' decisions in every run, recomputed naively from the log of events."""

from __future__ import annotations

import math
from collections.abc import Iterator

from manus.supervisor import events
from manus.supervisor.reasons import Crashed, Normal, Shutdown
from tests.sim.tree_invariants import EPSILON_S, plans_of, upheavals
from tests.sim.tree_plan import ActorPlan, GroupPlan, actors_of, groups_of
from tests.sim.tree_report import Report


def restarts_are_as_specified(report: Report) -> Iterator[str]:
    """6. Who comes back, how often and after how long, recomputed from the log of events."""
    for name, plan in plans_of(report).items():
        reset_s = plan.period_s if plan.reset_after_s is None else plan.reset_after_s
        ends: list[tuple[float, bool]] = []
        started_at: float | None = None
        on_probation, tried_at = False, 0.0
        for event in (event for event in report.events if event.actor == name):
            match event:
                case events.ActorStarted():
                    started_at, on_probation, tried_at = event.at, event.probation, event.at
                case events.ActorExited() | events.StartFailed():
                    well = started_at is not None and event.at - started_at >= reset_s
                    ends.append((event.at, well))
                    started_at, on_probation = None, on_probation and not well
                case events.RestartScheduled():
                    anew = any(at >= tried_at for at in upheavals(report, name))
                    if on_probation and not anew and event.cause == f"{name}#{event.generation}":
                        yield f"{name} failed on probation and was not put back to rest"
                    yield from _judge_restart(plan, ends, event)
                case events.Quarantined() if plan.on_exhausted != "quarantine":
                    yield f"{name} was put to rest and should not be"
                case _:
                    pass


def _judge_restart(plan: ActorPlan, ends: list[tuple[float, bool]], event: events.RestartScheduled) -> Iterator[str]:
    if plan.restart == "temporary":
        yield f"{plan.name} is temporary and was restarted"
    if event.n_in_period > plan.max_restarts:
        yield f"{plan.name} was restarted {event.n_in_period} times in a period, {plan.max_restarts} allowed"
    in_period = sum(1 for at, _ in ends if event.at <= at + plan.period_s)
    if event.n_in_period > in_period:
        yield f"{plan.name}: {event.n_in_period} restarts counted, {in_period} ends seen in the period"
    in_a_row = 0
    for _, well in reversed(ends):
        in_a_row += 1
        if well:
            break
    most_s = plan.backoff_s * 2.0 ** (in_a_row - 1) * (1.0 + plan.jitter)
    if not min(plan.backoff_s, plan.backoff_max_s) - EPSILON_S <= event.delay_s <= plan.backoff_max_s + EPSILON_S:
        yield f"{plan.name} waits {event.delay_s:g} s, out of bounds"
    if event.delay_s > most_s + EPSILON_S:
        yield f"{plan.name} waits {event.delay_s:g} s after {in_a_row} failures in a row, {most_s:g} at most"


def ends_that_bring_nobody_back(report: Report) -> Iterator[str]:
    """6. A transient child is not restarted after a normal end or a shutdown, a temporary one never."""
    plans = plans_of(report)
    last_reason: dict[str, object] = {}
    for event in report.events:
        if isinstance(event, events.ActorExited | events.StartFailed):
            last_reason[event.actor] = event.reason
        elif isinstance(event, events.RestartScheduled) and event.actor in plans:
            harmless = isinstance(last_reason.get(event.actor), Normal | Shutdown)
            if plans[event.actor].restart == "transient" and harmless:
                yield f"{event.actor} is transient and came back after {last_reason[event.actor]}"


def every_restart_is_followed(report: Report) -> Iterator[str]:
    """10. By a start, a failed start, or the end of the supervisor or child; and not before its time."""
    due: dict[str, events.RestartScheduled] = {}
    beneath = {group.name: {actor.name for actor in actors_of(group)} for group in groups_of(report.plan.tree)}
    for event in report.events:
        if isinstance(event, events.ActorExited | events.StartFailed):
            # The successor of a supervisor starts all beneath it anew.
            due = {name: scheduled for name, scheduled in due.items() if name not in beneath.get(event.actor, ())}
        match event:
            case events.RestartScheduled(actor=name):
                if name in due:
                    yield f"{name} was scheduled again before its restart at {due[name].at:g}"
                due[name] = event
            case events.ActorStarted(actor=name) | events.StartFailed(actor=name):
                scheduled = due.pop(name, None)
                if scheduled is not None and event.at < scheduled.at + scheduled.delay_s - EPSILON_S:
                    yield f"{name} was back at {event.at:g}, before its back-off was over"
            case _:
                pass
    excused = bool(report.failure) or report.removed
    significant = {actor.name for actor in actors_of(report.plan.tree) if actor.significant}
    for name, scheduled in due.items():
        interrupted = any(
            isinstance(event, events.Escalated)
            or event.cause.startswith(("stop:", "remove:"))
            or (isinstance(event, events.ActorExited | events.StartFailed) and event.actor in significant)
            for event in report.events
            if event.at >= scheduled.at
        )
        if not (excused or interrupted or scheduled.at + scheduled.delay_s + 5.0 > report.stop_began_at):
            yield f"{name} was to be restarted at {scheduled.at + scheduled.delay_s:g} and never was"


def first_starts_go_in_order(report: Report) -> Iterator[str]:
    """6. An ordered child first starts when all its elders are up, or have come to rest otherwise."""
    for group in groups_of(report.plan.tree):
        order = [child.name for child in group.children]
        settled: set[str] = set()
        for event in report.events:
            if event.actor not in order:
                continue
            if isinstance(event, events.ActorStarted | events.StartFailed) and event.actor not in settled:
                waited_for = [name for name in order[: order.index(event.actor)] if name not in settled]
                if group.ordered and waited_for and not report.removed:
                    yield f"{event.actor} started before {waited_for}"
            gave_up = isinstance(event, events.StartFailed) and _never_returns(report, event.actor)
            if gave_up or isinstance(event, events.ActorStarted | events.Quarantined | events.ActorExited):
                settled.add(event.actor)


def _never_returns(report: Report, name: str) -> bool:
    plan = plans_of(report).get(name)
    return plan is not None and plan.restart == "temporary"


def nothing_starts_while_stopping(report: Report) -> Iterator[str]:
    """6. From the stop on the root begins to start nobody. (The supervisors beneath it are stopped in their turn.)"""
    root = {child.name: child for child in report.plan.tree.children if isinstance(child, ActorPlan)}
    for event in report.events:
        if isinstance(event, events.ActorStarted) and event.actor in root:
            began_at = event.at - root[event.actor].start_s
            if began_at > report.stop_began_at:
                yield f"{event.actor} began to start at {began_at:g}, the stop began at {report.stop_began_at:g}"


def groups_share_their_fate(report: Report) -> Iterator[str]:
    """6. Who is taken along goes down, the youngest first, before the failed one starts again."""
    for group in groups_of(report.plan.tree):
        if group.strategy == "one_for_one":
            continue
        order = [child.name for child in group.children]
        for index, event in enumerate(report.events):
            if isinstance(event, events.RestartScheduled) and event.actor in order:
                yield from _judge_group(report, group, order, index, event)


def _judge_group(
    report: Report, group: GroupPlan, order: list[str], index: int, failed: events.RestartScheduled
) -> Iterator[str]:
    position = order.index(failed.actor)
    fated = order[position + 1 :] if group.strategy == "rest_for_one" else [n for n in order if n != failed.actor]
    up = _up_before(report, index)
    # One that is being removed goes in its own time, and then holds nobody up.
    due_at = -math.inf if failed.actor in report.removed else failed.at + failed.delay_s
    missing = [name for name in fated if name in up and name not in report.removed]
    for event in report.events[index + 1 :]:
        if event.cause.startswith(("stop:", "remove:")) or isinstance(event, events.Escalated):
            return
        if event.actor == group.name and isinstance(event, events.ActorExited | events.StartFailed):
            return  # its successor starts all of them anew
        match event:
            case events.ActorExited(actor=name) if name in missing:
                if event.cause == failed.cause and name != missing[-1] and _obeys(report, missing[-1]):
                    yield f"{name} was taken down for {failed.cause} before its juniors {missing}"
                missing.remove(name)
            case events.ActorStarted(actor=name) if name in fated and event.at < due_at - EPSILON_S:
                yield f"{name} started again before the back-off of {failed.actor} was over"
                return
            case events.ActorStarted(actor=failed.actor) if missing:
                yield f"{failed.actor} started again while {missing} were still up"
                return
            case events.ActorStarted(actor=failed.actor):
                return
            case _:
                pass


def _obeys(report: Report, name: str) -> bool:
    """A wedged child holds nobody up for longer than its grace, and is known only at the end of that."""
    return not any(isinstance(event, events.Wedged | events.Hung) and event.actor == name for event in report.events)


def _up_before(report: Report, index: int) -> set[str]:
    up: set[str] = set()
    for event in report.events[:index]:
        if isinstance(event, events.ActorStarted):
            up.add(event.actor)
        elif isinstance(event, events.ActorExited):
            up.discard(event.actor)
    return up


def stops_go_in_reverse_order(report: Report) -> Iterator[str]:
    """6. At the final stop ordered siblings end youngest first, as long as there is time for order."""
    hard_at = report.stop_began_at + report.plan.drain_s + report.plan.hard_s
    for group in groups_of(report.plan.tree):
        order = [child.name for child in group.children]
        ended = [
            event.actor
            for event in report.events
            if isinstance(event, events.ActorExited | events.StartFailed)
            and event.actor in order
            and event.at >= report.stop_began_at
            and event.at < hard_at - EPSILON_S
            and event.cause == "stop:stop"
        ]
        if group.ordered and ended != sorted(ended, key=order.index, reverse=True):
            yield f"{group.name} stopped its children in the order {ended}"


def everything_has_a_cause(report: Report) -> Iterator[str]:
    """10. Each end names an incarnation that was there, or a request; a crash names itself.

    Unless it came in the very tick in which another's end took it along: then it was one of many to go.
    """
    requests = ("start:", "stop:", "add:", "remove:", "retire:")
    known = {f"{event.actor}#{event.generation}" for event in report.events}
    others_end_at = -1.0
    for event in report.events:
        if isinstance(event, events.Lagged) or event.cause.startswith(requests):
            continue
        itself = f"{event.actor}#{event.generation}"
        if event.cause not in known:
            yield f"{event} has an unknown cause"
        if not isinstance(event, events.ActorExited | events.StartFailed):
            continue
        if isinstance(event.reason, Crashed) and event.cause != itself and event.at != others_end_at:
            yield f"{itself} crashed and blames {event.cause}"
        others_end_at = event.at


DECISION_RULES = (
    restarts_are_as_specified,
    ends_that_bring_nobody_back,
    every_restart_is_followed,
    first_starts_go_in_order,
    nothing_starts_while_stopping,
    groups_share_their_fate,
    stops_go_in_reverse_order,
    everything_has_a_cause,
)
