"""Own the verdict that an actor hangs: it answers no pings, or has work waiting and does none of it.

An actor that never yields to the loop is not seen here (`stall.py` sees it), nor one that ignores its cancellation
(the supervisor's core does). This is for those that wait for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import trio

from manus.supervisor.control import Ping
from manus.supervisor.mailbox import SlotStatistics
from manus.supervisor.reasons import Hung
from manus.supervisor.runner import Incarnation
from manus.supervisor.spec import Liveness

_LOOKS_PER_TIMEOUT = 4
"""How often the progress of an actor is looked at within its timeout: a verdict comes at most two quarters late."""


@final
class ProgressJudge:
    """Judges from successive looks at a slot: work that waits while nothing gets done is a hang after a while."""

    __slots__ = ("_handled", "_since", "_timeout_s", "_waited")

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._handled = 0
        self._waited = False
        self._since = 0.0

    def stuck_s(self, statistics: SlotStatistics, now: float) -> float | None:
        """Give for how long nothing has been done, once that is too long; None while all is well."""
        waiting = statistics.queued + statistics.blocked > 0
        if not (waiting and self._waited) or statistics.handled != self._handled:
            self._waited, self._handled, self._since = waiting, statistics.handled, now
            return None
        stuck_s = now - self._since
        return stuck_s if stuck_s >= self._timeout_s else None


async def watch(incarnation: Incarnation, liveness: Liveness, report: Callable[[Hung], None]) -> None:
    """Look after `incarnation` until cancelled or until a first verdict has gone to `report`."""
    async with trio.open_nursery(strict_exception_groups=True) as nursery:

        def conclude(verdict: Hung) -> None:
            report(verdict)
            nursery.cancel_scope.cancel(reason="the verdict is given")

        nursery.start_soon(_watch_pings, incarnation, liveness, conclude)
        if liveness.progress_timeout_s is not None:
            nursery.start_soon(_watch_progress, incarnation, liveness.progress_timeout_s, conclude)


async def _watch_pings(incarnation: Incarnation, liveness: Liveness, conclude: Callable[[Hung], None]) -> None:
    nonce = 0
    while True:
        await trio.sleep(liveness.ping_interval_s)
        nonce += 1
        # A control lane that is full takes no ping; then there is no answer in time either.
        incarnation.order(Ping(nonce=nonce))
        await trio.sleep(liveness.ping_timeout_s)
        if incarnation.last_pong is None or incarnation.last_pong.nonce != nonce:
            conclude(Hung(kind="ping", busy_s=liveness.ping_timeout_s, stack=incarnation.stack()))


async def _watch_progress(incarnation: Incarnation, timeout_s: float, conclude: Callable[[Hung], None]) -> None:
    judge = ProgressJudge(timeout_s)
    while True:
        stuck_s = judge.stuck_s(incarnation.slot.statistics(), trio.current_time())
        if stuck_s is not None:
            conclude(Hung(kind="progress", busy_s=stuck_s, stack=incarnation.stack()))
        await trio.sleep(timeout_s / _LOOKS_PER_TIMEOUT)
