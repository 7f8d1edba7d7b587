"""Own what follows when a stream breaks off after the caller has seen a part of the answer.

Today: `restart` tells the caller to forget what it saw and asks anew; any other mode gives up.

How `router_request.RequestRun` uses it. One `Rescue` is made per streamed chat, before its first attempt:

1. `follow(attempt, failure, cursor)` is called, synchronously, each time an attempt ended with a failure while
   `channel.shown` holds, also for attempts that this object asked for itself. `attempt.delivery.assembly` and
   `attempt.received()` have what that attempt brought, `attempt.role` why it was made. It answers with an `Ask`,
   gotten from `cursor.after(...)`, or a `GiveUp`:

   - the cursor gives what may be asked: `cursor.after(choice, failure, now=..., want=accepts_prefill)` prefers, among
     those that may be asked now, one that `want` is true of (the same deployment included, where the advice allows to
     return to it); with `insist=True` only such a one. The failure's advice decides who comes into question at all;
     pass one of your own (with `Advice("no", "yes", False)`) where the attempt was ended early;
   - `Ask.request` replaces the request of the next attempt (the partial answer as a last turn of the assistant);
     `Ask.role` says what it is for the route (`continue`, `splice`, `restart`);
   - `GiveUp.failure` is what the request then ends with; None means the failure of the last attempt. `GiveUp.reason`
     goes into `Route.gave_up`.
2. `announce(ask)` is awaited before the wait that `ask` may ask for: the place to tell the caller something (`Reset`).
   A failure it gives ends the request.
3. `prepare(attempt)` is called, synchronously, for each attempt that such an `Ask` led to, after it was opened and
   before anything happens: the place to give `attempt.delivery` a filter. Such attempts have `attempt.scope`, so the
   filter may call `attempt.end_early(failure)` from inside `deliver`: the call is cancelled in the same tick, what came
   is booked, and the attempt ends with that failure. Whatever leads from the delivery back to the attempt must be let
   go by `Delivery.fence`, or the two form a ring that only the collector frees.
4. At the end `answer(ended)` gives the request's answer from that of the last attempt, and `partial(last)` what the
   caller was shown, where the request fails; `last` is what the last attempt with content had brought.
"""

from __future__ import annotations

import msgspec
import trio

from manus.actors.attempt import OpenAttempt
from manus.actors.delivery import CallerChannel
from manus.actors.retry import PlanCursor
from manus.actors.router_desk import RouterCell
from manus.actors.steps import Ask, GiveUp
from manus.messages.events import Reset
from manus.messages.failures import Failed
from manus.messages.outcomes import Answer
from manus.messages.requests import ChatRequest, OnInterrupt


class Rescue:
    """One streamed request's.

    Args:
        request: as the caller wants it.
        mode: what the caller, or the router's policy, wants to happen.
        channel: the caller's.
        cell: where it is counted (`restarts`, `continued`, `spliced`).
    """

    __slots__ = ("_cell", "_channel", "_mode", "_request", "_reset")

    def __init__(self, request: ChatRequest, *, mode: OnInterrupt, channel: CallerChannel, cell: RouterCell) -> None:
        self._request = request
        self._mode = mode
        self._channel = channel
        self._cell = cell
        self._reset: Reset | None = None

    def follow(self, attempt: OpenAttempt, failure: Failed, cursor: PlanCursor) -> Ask | GiveUp:
        """Decide what follows `failure` of `attempt`, when the caller has seen a part of an answer."""
        if self._mode != "restart":
            return GiveUp(reason="the caller has seen a part of the answer")
        step = cursor.after(attempt.choice, failure, now=trio.current_time())
        if isinstance(step, GiveUp):
            return step
        choice = step.choice
        self._reset = Reset(reason=failure.kind, provider=choice.provider, model=choice.model)
        return msgspec.structs.replace(step, role="restart")

    async def announce(self, ask: Ask) -> Failed | None:
        """Tell the caller to forget what it has seen; gives a failure where it does not read."""
        assert self._reset is not None
        self._cell.count("restarts")
        if self._channel.start_over(self._reset) or await self._channel.wait_room():
            return None
        return Failed(kind="slow_consumer", message="The caller did not read its stream, not even that it starts over.")

    def prepare(self, attempt: OpenAttempt) -> None:
        """Make ready an attempt that this object asked for. One that starts over needs nothing."""

    def answer(self, ended: Answer) -> Answer:
        """Give the whole answer, as the caller received it, from that of the attempt which brought it to its end."""
        return ended

    def partial(self, last: Answer | None) -> Answer | None:
        """Give what the caller was shown of an answer that failed."""
        return last
