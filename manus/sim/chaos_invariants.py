"""Own what must hold of every chaos run: one function per promise, from a report to what is wrong with it.

Each is judged from the outside: what clients saw, what the simulated providers billed, what the books say. None reads
the state of the code that it judges. A function gives sentences; an empty list is a pass.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from manus.messages.outcomes import Finished, Unfinished
from manus.sim.chaos_books import drains_bring_the_count, exact_books, right_prices, sums_add_up, told_as_booked
from manus.sim.chaos_bugs import InjectedBug
from manus.sim.chaos_keys import SECRET
from manus.sim.chaos_limits import budgets_hold, limits_hold, the_denied_reach_nobody
from manus.sim.chaos_rests import breakers, cooldowns
from manus.sim.chaos_routes import (
    answered_if_possible,
    batch_gives_way,
    finite_plans,
    nobody_is_hammered,
    whole_is_finished,
)
from manus.sim.chaos_streams import no_lie, whole_streams
from manus.sim.chaos_world import Report
from manus.supervisor.events import (
    ActorExited,
    ActorStarted,
    Escalated,
    Quarantined,
    RequestCrashed,
    RestartScheduled,
    StartFailed,
)
from manus.supervisor.reasons import Crashed
from manus.supervisor.terminals import ActorFailed, Expired, Unavailable, Undelivered, Withdrawn

TICK_S = 0.05
"""How long after its deadline a caller is free at the latest (`supervisor/deadlines.py`)."""

TERMINALS = (Finished, Unfinished, ActorFailed, Expired, Undelivered, Unavailable, Withdrawn)
"""What a request may end with: the router's outcome, or the supervisor's where the router could not answer."""

INJECTED = InjectedBug.__name__


def one_end(report: Report) -> list[str]:
    """P1: every request has exactly one terminal outcome, by its deadline and a tick."""
    wrong: list[str] = []
    for seen in report.seen:
        client = seen.client
        if math.isnan(seen.ended_at):
            wrong.append(f"client {client.number} never came to an end")
            continue
        if seen.outcome is None and not seen.walked_away:
            wrong.append(f"client {client.number} waited to the end and has no outcome")
        if seen.outcome is not None and not isinstance(seen.outcome, TERMINALS):
            wrong.append(f"client {client.number} was given a {type(seen.outcome).__name__}")
        if seen.after_end:
            wrong.append(f"client {client.number} got {seen.after_end} items after the end")
        # A caller that rests between reads holds itself up, not us.
        free_by = client.at_s + client.timeout_s + TICK_S + client.read_gap_s * (client.buffer + 1)
        if client.read_gap_s == 0 and seen.ended_at > free_by + 1e-6:
            wrong.append(f"client {client.number} was free at {seen.ended_at:g}, its deadline was {free_by - TICK_S:g}")
    return wrong


def restarts(report: Report) -> list[str]:
    """P3: a crash has a cause, is followed by what the policy says, and in the end everybody serves."""
    wrong: list[str] = []
    following: dict[str, object] = {}
    for event in report.events:
        match event:
            case ActorExited(actor=actor, reason=reason) | StartFailed(actor=actor, reason=reason):
                if isinstance(reason, Crashed) and not reason.error:
                    wrong.append(f"{actor} crashed without a cause")
                following[actor] = event
            case RestartScheduled(actor=actor) | Quarantined(actor=actor):
                following[actor] = event
            case ActorStarted(actor=actor):
                following.pop(actor, None)
            case Escalated(actor=actor):
                wrong.append(f"{actor} escalated, which no plan here allows")
            case _:
                pass
    for status in report.statuses:
        if status.state not in ("running", "quarantined"):
            wrong.append(f"{status.id} ended as {status.state}")
        last = following.get(status.id)
        if last is not None and not isinstance(last, Quarantined):
            wrong.append(f"{status.id} did not come back after {type(last).__name__}")
    return wrong


def no_bugs(report: Report) -> list[str]:
    """Nothing of ours raises but what the plan makes it raise."""
    wrong: list[str] = []
    for event in report.events:
        match event:
            case RequestCrashed(actor=actor, error=error) if INJECTED not in error:
                wrong.append(f"a request crashed at {actor}: {error}")
            case ActorExited(actor=actor, reason=Crashed(error=error)) if INJECTED not in error:
                wrong.append(f"{actor} crashed: {error}")
            case _:
                pass
    return wrong


def no_hang(report: Report) -> list[str]:
    """P4: no attempt outlasts its named waits, and the world comes to rest."""
    wrong = [] if report.quiet else ["the tree did not come to rest"]
    longest = report.plan.total_s + 2 * report.plan.consumer_stall_s + report.plan.confirm_s + 1.0
    # Where calls queue for a place, an attempt waits for others too, and its own deadline is the bound.
    roomy = {each.name for each in report.plan.providers if each.concurrency >= len(report.plan.clients)}
    for seen in report.seen:
        if isinstance(seen.outcome, Finished | Unfinished) and seen.client.read_gap_s == 0:
            wrong += [
                f"client {seen.client.number}: attempt {attempt.number} at {attempt.provider} took "
                f"{attempt.ended_s - attempt.started_s:g} s"
                for attempt in seen.outcome.route.attempts
                if attempt.provider in roomy and attempt.ended_s - attempt.started_s > longest
            ]
    return wrong


def bounded(report: Report) -> list[str]:
    """P10: nobody is asked more than its limit, nothing stays open, no mailbox is over its capacity."""
    wrong: list[str] = []
    if report.open_exchanges:
        wrong.append(f"{report.open_exchanges} exchanges are still open")
    limits = {each.name: each for each in report.plan.providers}
    for name, peak in report.in_flight_peaks.items():
        # A fenced incarnation's calls linger beside those of its successor, one zombie at most.
        limit = limits[name].concurrency * (2 if _has_wedge(report, name) else 1)
        if peak > limit:
            wrong.append(f"{name} was asked {peak} things at once, its limit is {limits[name].concurrency}")
    for status in report.statuses:
        mailbox = status.mailbox
        if mailbox is None:
            continue
        if status.id.startswith("provider/") and mailbox.queued_peak > limits[status.id[9:]].queue:
            wrong.append(f"{status.id} had {mailbox.queued_peak} messages queued")
        if mailbox.queued or mailbox.in_hand or mailbox.blocked or mailbox.booked:
            wrong.append(f"{status.id} is not at rest: {mailbox}")
        if status.zombies:
            wrong.append(f"{status.id} still has {status.zombies} zombies")
    return wrong


def alive_after_healing(report: Report) -> list[str]:
    """P3, liveness: once everything is healed, every new request succeeds."""
    if report.plan.mode != "liveness":
        return []
    assert report.plan.heal_at_s is not None
    return [
        f"client {seen.client.number} came after the healing and got {short(seen.outcome)}"
        for seen in report.seen
        if seen.client.at_s > report.plan.heal_at_s + 40 and not isinstance(seen.outcome, Finished)
    ]


def fresh_credentials(report: Report) -> list[str]:
    """No request shows a token whose time is over."""
    return [f"{name} was shown {door.stale} stale tokens" for name, door in report.doors.items() if door.stale]


def no_secret_leaves(report: Report) -> list[str]:
    """P11: no key and no token stands in an outcome, in the books or in an event."""
    wrong = [f"client {seen.client.number} was told a secret" for seen in report.seen if SECRET in repr(seen.outcome)]
    wrong += [f"the row of {row.request_id} holds a secret" for row in report.rows if SECRET in repr(row)]
    return wrong + [f"{type(event).__name__} holds a secret" for event in report.events if SECRET in repr(event)]


INVARIANTS: tuple[Callable[[Report], list[str]], ...] = (
    one_end,
    restarts,
    no_bugs,
    no_hang,
    no_lie,
    whole_streams,
    exact_books,
    right_prices,
    sums_add_up,
    told_as_booked,
    drains_bring_the_count,
    limits_hold,
    budgets_hold,
    the_denied_reach_nobody,
    bounded,
    fresh_credentials,
    no_secret_leaves,
    alive_after_healing,
    finite_plans,
    whole_is_finished,
    answered_if_possible,
    nobody_is_hammered,
    batch_gives_way,
    breakers,
    cooldowns,
)


def short(outcome: object) -> str:
    """Name an outcome in a word or two."""
    kind = outcome.failure.kind if isinstance(outcome, Unfinished) else ""
    return f"{type(outcome).__name__} {kind}".strip()


def _has_wedge(report: Report, name: str) -> bool:
    return any(met.bug == "wedge" for client in report.plan.clients for met in client.meets.get(name, ()))
