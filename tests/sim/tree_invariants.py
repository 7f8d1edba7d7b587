"""Own what must hold of every run of a tree: one function per rule, from a report to what is wrong with it.

They judge from outside, by what senders and handlers saw and what the bus carried, and recompute decisions naively.
A function gives sentences; none means that the rule held.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator

from manus.supervisor import events
from manus.supervisor.deadlines import ANSWER_GRACE_S
from manus.supervisor.reasons import Crashed, Normal, Shutdown
from manus.supervisor.terminals import ActorFailed, Expired, Unavailable, Undelivered, Withdrawn
from tests.sim.tree_plan import ActorPlan, GroupPlan, actors_of, groups_of
from tests.sim.tree_world import CutShort, Done, Handled, Report, Sent

EPSILON_S = 1e-6
TERMINALS = (Done, CutShort, ActorFailed, Expired, Unavailable, Undelivered, Withdrawn)
ASKING = ("ask", "stream", "place")
IN_ORDER = ("turns", "inbox")


def _plans(report: Report) -> dict[str, ActorPlan]:
    return {actor.name: actor for actor in actors_of(report.plan.tree)} | report.added


def _asked(report: Report) -> Iterator[Sent]:
    return (sent for sent in report.sent.values() if sent.order >= 0 and sent.plan.way in ASKING)


def each_dialog_has_one_end(report: Report) -> Iterator[str]:
    """1. Exactly one terminal, the same whenever it is looked at; none for who walked off."""
    for sent in _asked(report):
        if math.isnan(sent.ended_at):
            yield f"message {sent.plan.number} never came to an end"
        if sent.left_at is None and len({repr(answer) for answer in sent.answers}) != 1:
            yield f"message {sent.plan.number} has the ends {sent.answers}"
        for answer in sent.answers:
            if not isinstance(answer, TERMINALS):
                yield f"message {sent.plan.number} ended with {answer!r}"
            if isinstance(answer, Done) and answer.number != sent.plan.number:
                yield f"message {sent.plan.number} got the answer to {answer.number}"


def askers_are_free_in_time(report: Report) -> Iterator[str]:
    """2. By the deadline and a tick; at once when they walk off."""
    for sent in _asked(report):
        if sent.ended_at > max(sent.deadline, sent.sent_at) + ANSWER_GRACE_S + EPSILON_S:
            yield f"message {sent.plan.number} was free at {sent.ended_at:g}, its deadline was {sent.deadline:g}"
        if sent.ended_at > sent.leaves_at + EPSILON_S:
            yield f"message {sent.plan.number} wanted to leave and was held until {sent.ended_at:g}"


def what_was_in_hand_is_answered_before_the_rest(report: Report) -> Iterator[str]:
    """2. No back-off and no quarantine begins while something is in the hands of a dead incarnation."""
    yield from report.late_answers


def first_in_is_first_served(report: Report) -> Iterator[str]:
    """3. Of what an actor works on one by one, each begins in the order it was sent in, restarts or not."""
    plans = _plans(report)
    last: dict[str, int] = defaultdict(int)
    for handled in report.handled:
        plan, sent = plans[handled.actor], report.sent[handled.number]
        one_by_one = plan.manner in IN_ORDER or plan.places == 1
        if not one_by_one or sent.plan.way in ("place", "place_cast"):
            continue  # what was booked may pass those who wait for room
        if sent.order < last[handled.actor]:
            yield f"{handled.actor} began {sent.plan.number} (sent {sent.order}.) after one sent {last[handled.actor]}."
        last[handled.actor] = max(last[handled.actor], sent.order)


def nothing_accepted_vanishes(report: Report) -> Iterator[str]:
    """3. What wanted no answer was begun, or became a dead letter, once; both only when it died in the hands."""
    begun = Counter(handled.number for handled in report.handled)
    letters: dict[str, list[str]] = defaultdict(list)
    for event in report.events:
        if isinstance(event, events.DeadLetter):
            letters[event.message].append(event.why)
    for number, sent in report.sent.items():
        times, why = begun[number], letters[f"Work{number}"]
        quiet = sent.plan.way not in ASKING
        if times > 1 or len(why) > 1:
            yield f"message {number} was begun {times} times and has dead letters {why}"
        if times and why and why[0] not in ("crashed", "stopping"):
            yield f"message {number} was begun and is a dead letter: {why}"
        if quiet and sent.order >= 0 and sent.left_at is None and not times and not why:
            yield f"message {number} ({sent.plan.way}) vanished"
        if quiet and sent.accepted is False and not why:
            yield f"message {number} was refused without a dead letter"


def nothing_starts_too_late(report: Report) -> Iterator[str]:
    """4. No work starts after its deadline or after its asker left, unless room for it had been booked."""
    for handled in report.handled:
        sent = report.sent[handled.number]
        if sent.plan.way not in ("ask", "stream"):
            continue
        if handled.began_at >= sent.deadline:
            yield f"{handled.actor} began {handled.number} at {handled.began_at:g}, deadline {sent.deadline:g}"
        if sent.left_at is not None and handled.began_at > sent.left_at + EPSILON_S:
            yield f"{handled.actor} began {handled.number} at {handled.began_at:g}, left at {sent.left_at:g}"


def leaving_stops_the_work(report: Report) -> Iterator[str]:
    """4. The handler of a message that nobody waits for ends in the same tick."""
    for handled in report.handled:
        sent = report.sent[handled.number]
        if sent.plan.way not in ("ask", "stream") or handled.shielded:
            continue
        until = sent.deadline if sent.left_at is None else min(sent.left_at, sent.deadline)
        if handled.ended_at > until + EPSILON_S or math.isnan(handled.ended_at):
            yield f"{handled.actor} worked on {handled.number} until {handled.ended_at:g}, wanted only until {until:g}"


def restarts_are_as_specified(report: Report) -> Iterator[str]:
    """6. Who comes back, how often and after how long, recomputed from the log of events."""
    plans = _plans(report)
    for name, plan in plans.items():
        failures: list[tuple[float, bool]] = []
        started_at: float | None = None
        supervised_since = 0
        for event in (event for event in report.events if event.actor == name):
            match event:
                case events.ActorStarted():
                    started_at = event.at
                case events.ActorExited() | events.StartFailed():
                    reset_s = plan.period_s if plan.reset_after_s is None else plan.reset_after_s
                    well = started_at is not None and event.at - started_at >= reset_s
                    started_at = None
                    if event.cause.startswith(("start:", "add:")):
                        yield f"{name}: an end caused by {event.cause}"
                    failures.append((event.at, well))
                case events.RestartScheduled():
                    yield from _judge_restart(plan, failures[supervised_since:], event)
                case events.Quarantined() if plan.on_exhausted != "quarantine":
                    yield f"{name} was quarantined and should not be"
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
    for name, scheduled in due.items():
        interrupted = any(
            isinstance(event, events.Escalated) or event.cause.startswith(("stop:", "remove:"))
            for event in report.events
            if event.at >= scheduled.at
        )
        if not (excused or interrupted or scheduled.at + scheduled.delay_s + 5.0 > report.stop_began_at):
            yield f"{name} was to be restarted at {scheduled.at + scheduled.delay_s:g} and never was"


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
    # One that is being removed goes in its own time.
    missing = [name for name in fated if name in up and name not in report.removed]
    for event in report.events[index + 1 :]:
        if event.cause.startswith(("stop:", "remove:")) or isinstance(event, events.Escalated):
            return
        match event:
            case events.ActorExited(actor=name) if name in missing:
                if event.cause == failed.cause and name != missing[-1] and _obeys(report, missing[-1]):
                    yield f"{name} was taken down for {failed.cause} before its juniors {missing}"
                missing.remove(name)
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


def bounds_hold(report: Report) -> Iterator[str]:
    """8. No mailbox, no actor and no crowd of zombies grows beyond what was said."""
    for name, plan in _plans(report).items():
        mailbox = report.mailboxes.get(name)
        if mailbox is None:
            continue  # it was removed
        if mailbox.queued_peak > plan.capacity:
            yield f"{name} had {mailbox.queued_peak} queued, {plan.capacity} allowed"
        promises = any(deed.kind == "later" for sent in report.sent.values() for deed in sent.plan.deeds)
        if plan.places is not None and not promises and mailbox.in_hand_peak > plan.places:
            yield f"{name} had {mailbox.in_hand_peak} in hand, {plan.places} places"
    for event in report.events:
        if isinstance(event, events.Wedged) and event.zombies > 2:
            yield f"{event.actor} has {event.zombies} zombies"


def nothing_stays_behind(report: Report) -> Iterator[str]:
    """9. After the stop no task, no message and no watched deadline is left."""
    if report.tasks_left:
        yield f"{report.tasks_left} tasks are left"
    if report.deadlines_left:
        yield f"{report.deadlines_left} deadlines are watched"
    for name, mailbox in report.mailboxes.items():
        if mailbox.queued or mailbox.blocked or mailbox.in_hand or mailbox.booked:
            yield f"{name} still has {mailbox}"


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


def generations_are_fenced(report: Report) -> Iterator[str]:
    """11. No answer of an incarnation is taken once its end is known; generations only rise."""
    by_number: dict[int, Handled] = {handled.number: handled for handled in report.handled}
    last: dict[str, int] = defaultdict(int)
    for event in report.events:
        if isinstance(event, events.ActorStarted):
            if event.generation <= last[event.actor]:
                yield f"{event.actor} started generation {event.generation} after {last[event.actor]}"
            last[event.actor] = event.generation
    for sent in _asked(report):
        for answer in sent.answers:
            handled = by_number.get(sent.plan.number)
            if not isinstance(answer, Done) or handled is None:
                continue
            if answer.generation != handled.generation or handled.replied_after_events is None:
                yield f"message {answer.number} was answered by {answer.generation}, handled by {handled.generation}"
                continue
            for event in report.events[: handled.replied_after_events]:
                ended = isinstance(event, events.ActorExited) and event.actor == handled.actor
                if ended and event.generation == answer.generation:
                    yield f"message {answer.number} was answered by an incarnation that had ended"


def all_is_well_after_the_faults(report: Report) -> Iterator[str]:
    """12. In liveness mode every actor runs again in the end, and serves."""
    if report.plan.mode != "liveness":
        return
    if report.failure:
        yield f"the tree fell: {report.failure}"
        return
    for name, status in report.before_stop.items():
        if status.state != "running":
            yield f"{name} is {status.state} long after the last fault"
    for sent in report.sent.values():
        if sent.plan.at_s > report.plan.heal_at_s and not all(isinstance(answer, Done) for answer in sent.answers):
            yield f"{sent.plan.to} answered {sent.answers} long after the last fault"


def ends_that_bring_nobody_back(report: Report) -> Iterator[str]:
    """6. A transient child is not restarted after a normal end or a shutdown, a temporary one never."""
    plans = _plans(report)
    last_reason: dict[str, object] = {}
    for event in report.events:
        if isinstance(event, events.ActorExited | events.StartFailed):
            last_reason[event.actor] = event.reason
        elif isinstance(event, events.RestartScheduled) and event.actor in plans:
            harmless = isinstance(last_reason.get(event.actor), Normal | Shutdown)
            if plans[event.actor].restart == "transient" and harmless:
                yield f"{event.actor} is transient and came back after {last_reason[event.actor]}"


INVARIANTS = (
    each_dialog_has_one_end,
    askers_are_free_in_time,
    what_was_in_hand_is_answered_before_the_rest,
    first_in_is_first_served,
    nothing_accepted_vanishes,
    nothing_starts_too_late,
    leaving_stops_the_work,
    restarts_are_as_specified,
    ends_that_bring_nobody_back,
    every_restart_is_followed,
    groups_share_their_fate,
    stops_go_in_reverse_order,
    bounds_hold,
    nothing_stays_behind,
    everything_has_a_cause,
    generations_are_fenced,
    all_is_well_after_the_faults,
)
