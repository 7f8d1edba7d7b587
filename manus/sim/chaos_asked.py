"""Own how attempts are put in time: what clients were told of them, laid beside the events of the run."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from manus.messages.outcomes import Attempt, Finished, Route, Unfinished
from manus.messages.watching import AttemptEnded
from manus.sim.chaos_clients import Seen
from manus.sim.chaos_plan import ClientPlan
from manus.sim.chaos_world import Report

TIE_S = 1e-6
"""What falls into one tick differs by no more than this."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt that a client was told of, in seconds of virtual time."""

    client: ClientPlan
    attempt: Attempt
    began_at: float
    ended_at: float


def routes_of(report: Report) -> Iterator[tuple[Seen, Finished | Unfinished, Route]]:
    """Give the clients that were told a route."""
    for seen in report.seen:
        if isinstance(seen.outcome, Finished | Unfinished):
            yield seen, seen.outcome, seen.outcome.route


def attempts_of(report: Report) -> list[Asked]:
    """Give all attempts that clients were told of, by their beginning. A client that walked away was told nothing.

    A route counts seconds from the admission, which only the events date. Of a call that was read to its end without
    its caller they tell when that was over; to the caller it ended when he left.
    """
    ended = {
        (str(event.request_id), event.attempt): event.at for event in report.events if isinstance(event, AttemptEnded)
    }
    found = []
    for seen, outcome, route in routes_of(report):
        closed = next((each for each in route.attempts if each.booking != "open"), None)
        for attempt in route.attempts:
            if attempt.booking != "open":
                ended_at = ended[str(outcome.request_id), attempt.number]
            elif closed is not None:
                ended_at = ended[str(outcome.request_id), closed.number] - closed.ended_s + attempt.ended_s
            else:
                ended_at = seen.ended_at
            began_at = ended_at - (attempt.ended_s - attempt.started_s)
            found.append(Asked(client=seen.client, attempt=attempt, began_at=began_at, ended_at=ended_at))
    return sorted(found, key=_began_at)


def _began_at(asked: Asked) -> float:
    return asked.began_at
