"""Own the calls that are read to their end though nobody waits for their answers any more (`on_cancel = "drain"`).

A caller who leaves does not stop a vendor's meter, and what was received by then is only an estimate of the bill. Read
to its end the answer brings the vendor's own count, so the row of such a call stays open until then. A drain ends, and
is booked by what came, with its own time (`drain_s`), its request's deadline, and any of the call's timeouts; it ends
with the router's incarnation, and with the provider's. Nothing is kept but what any call keeps, and nothing is sent
anew.
"""

from __future__ import annotations

from collections.abc import Callable

import trio

from manus.actors.journey.attempt import OpenAttempt
from manus.messages.routing_policy import RouterPolicy


class Drains:
    """The drains of one router incarnation.

    Args:
        nursery: the incarnation's own, which an orderly end waits for.
        told: called, synchronously, with each attempt whose drain is over and booked.
    """

    __slots__ = ("_nursery", "_policy", "_told", "count")

    def __init__(self, nursery: trio.Nursery, policy: RouterPolicy, told: Callable[[OpenAttempt], None]) -> None:
        self._nursery = nursery
        self._policy = policy
        self._told = told
        self.count = 0
        """How many go on now; at most `drains_max`."""

    def adopt(self, policy: RouterPolicy) -> None:
        """Go by another policy from now on; drains that go on keep the time that they were given."""
        self._policy = policy

    def take(self, attempt: OpenAttempt) -> bool:
        """Take an attempt over, whose call is under way. False, and nothing has changed, where there are too many."""
        if self.count >= self._policy.drains_max:
            return False
        self.count += 1
        attempt.detach()
        self._nursery.start_soon(self._drain, attempt, name=f"drain of {attempt.request_id}/{attempt.number}")
        return True

    async def _drain(self, attempt: OpenAttempt) -> None:
        assert attempt.question is not None, "what is drained was asked for"
        try:
            with trio.move_on_after(self._policy.drain_s):
                attempt.judge(await attempt.question.answer())
        finally:
            self.count -= 1
            attempt.close()
            self._told(attempt)
