"""Own what must hold of the messages of every run: one function per rule, from a report to what is wrong with it.

They judge from outside, by what senders and handlers saw and what the bus carried. A function gives sentences; none
means that the rule held. The rules for the supervisors' decisions stand in `tree_order`.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator

from manus.supervisor import events
from manus.supervisor.deadlines import ANSWER_GRACE_S
from manus.supervisor.events import SupervisionEvent
from manus.supervisor.phase import Phase
from manus.supervisor.reasons import Crashed
from manus.supervisor.terminals import ActorFailed, Expired, Unavailable, Undelivered, Withdrawn
from tests.sim.tree_plan import ActorPlan, actors_of, groups_of
from tests.sim.tree_report import CutShort, Done, Handled, Report, Sent
from tests.sim.tree_world import FAULTS_MAX

EPSILON_S = 1e-6
TERMINALS = (Done, CutShort, ActorFailed, Expired, Unavailable, Undelivered, Withdrawn)
ASKING = ("ask", "stream", "place")
IN_ORDER = ("turns", "inbox")


def plans_of(report: Report) -> dict[str, ActorPlan]:
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
            if isinstance(answer, ActorFailed) and answer.safe_to_retry != (answer.phase < Phase.SENT):
                yield f"message {sent.plan.number} may have been billed and is called safe to retry: {answer}"


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
    plans = plans_of(report)
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
    """4. No work starts after its deadline or after its asker left, in the same tick neither."""
    for handled in report.handled:
        sent = report.sent[handled.number]
        if sent.plan.way not in ("ask", "stream"):
            continue  # what is booked, or wants no answer, has no deadline
        if handled.began_at >= sent.deadline:
            yield f"{handled.actor} began {handled.number} at {handled.began_at:g}, deadline {sent.deadline:g}"
        if handled.moment > sent.end_moment:
            yield f"{handled.actor} began {handled.number} for somebody who had left"


def leaving_stops_the_work(report: Report) -> Iterator[str]:
    """4. The handler of a message that nobody waits for ends in the same tick."""
    for handled in report.handled:
        sent = report.sent[handled.number]
        if sent.plan.way not in ("ask", "stream") or handled.shielded:
            continue
        until = sent.deadline if sent.left_at is None else min(sent.left_at, sent.deadline)
        if handled.ended_at > until + EPSILON_S or math.isnan(handled.ended_at):
            yield f"{handled.actor} worked on {handled.number} until {handled.ended_at:g}, wanted only until {until:g}"


def streams_are_whole(report: Report) -> Iterator[str]:
    """1. All that was pushed is read before the end, in order."""
    for handled in report.handled:
        sent = report.sent[handled.number]
        if sent.plan.way != "stream" or not sent.answers or not isinstance(sent.answers[0], Done):
            continue
        if sent.items != list(range(handled.pushed)):
            yield f"message {handled.number}: {handled.pushed} items pushed, {sent.items} read"


def the_quarantined_answer_at_once(report: Report) -> Iterator[str]:
    """2. Who waits at an actor that is put to rest, or comes while it rests, is told so in the same tick."""
    for event in report.events:
        if not isinstance(event, events.Quarantined):
            continue
        rests_until = min([event.at + event.rest_s, *(at for at in upheavals(report, event.actor) if at >= event.at)])
        for sent in _asked(report):
            if sent.plan.to != event.actor:
                continue
            # Not those of the very tick in which it began.
            if sent.sent_at < event.at < sent.ended_at - EPSILON_S:
                yield f"message {sent.plan.number} was still waiting when {event.actor} was put to rest"
            if event.at < sent.sent_at < rests_until and sent.ended_at > sent.sent_at + EPSILON_S:
                yield f"message {sent.plan.number} waited at {event.actor}, which rests"


def upheavals(report: Report, name: str) -> list[float]:
    """Give the times at which a supervisor above `name` ended, gave up or was told to stop, or may have been.

    It remembers no rest from then on, and its successor starts all anew. A sibling that shares its fate takes it along.
    """
    above = {actor.name for actor in actors_of(report.plan.tree) if actor.significant}
    for group in groups_of(report.plan.tree):
        if name not in {actor.name for actor in actors_of(group)}:
            continue
        above.add(group.name)
        if group.strategy != "one_for_one" and name not in {child.name for child in group.children}:
            above |= {child.name for child in group.children}
    ends = (events.ActorExited, events.StartFailed, events.Escalated)
    return [event.at for event in report.events if isinstance(event, ends) and event.actor in above]


def one_crashed_request_is_survived(report: Report) -> Iterator[str]:
    """6. An actor crashes for its requests only when several of them crash in a short time."""
    crashed: Counter[tuple[str, int]] = Counter()
    for event in report.events:
        if isinstance(event, events.RequestCrashed):
            crashed[event.actor, event.generation] += 1
        if isinstance(event, events.ActorExited) and isinstance(event.reason, Crashed):
            survived = plans_of(report).get(event.actor)
            by_request = "a request" in event.reason.error and survived is not None and survived.manner == "requests"
            if by_request and crashed[event.actor, event.generation] <= FAULTS_MAX:
                yield f"{event.actor}#{event.generation} died of a single crashed request"


def bounds_hold(report: Report) -> Iterator[str]:
    """8. No mailbox, no actor and no crowd of zombies grows beyond what was said."""
    for name, plan in plans_of(report).items():
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
    yield from report.overfull


def nothing_stays_behind(report: Report) -> Iterator[str]:
    """9. After the stop no task, no message and no watched deadline is left."""
    if report.tasks_left:
        yield f"{report.tasks_left} tasks are left"
    if report.deadlines_left:
        yield f"{report.deadlines_left} deadlines are watched"
    for name, mailbox in report.mailboxes.items():
        if mailbox.queued or mailbox.blocked or mailbox.in_hand or mailbox.booked:
            yield f"{name} still has {mailbox}"


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
    for handled in report.handled:
        incarnation = (handled.actor, handled.generation)
        if any(_end_of(event) == incarnation for event in report.events[: handled.began_after_events]):
            yield f"message {handled.number} was begun by {handled.actor}#{handled.generation}, which had ended"


def _end_of(event: SupervisionEvent) -> tuple[str, int] | None:
    return (event.actor, event.generation) if isinstance(event, events.ActorExited) else None


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


MESSAGE_RULES = (
    each_dialog_has_one_end,
    askers_are_free_in_time,
    what_was_in_hand_is_answered_before_the_rest,
    first_in_is_first_served,
    nothing_accepted_vanishes,
    nothing_starts_too_late,
    leaving_stops_the_work,
    streams_are_whole,
    the_quarantined_answer_at_once,
    one_crashed_request_is_survived,
    bounds_hold,
    nothing_stays_behind,
    generations_are_fenced,
    all_is_well_after_the_faults,
)
