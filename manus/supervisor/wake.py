"""Own the cheapest way for one task to sleep until another one rouses it: a slot for the sleeper.

A `trio.Event` per occasion or a memory channel would do the same at several times the cost, and this sits on the path
of every request. The rule that keeps wakeups from getting lost: test the condition, then `wait()`, with no
checkpoint between, in a loop.
"""

from __future__ import annotations

import trio
from trio.lowlevel import Abort, RaiseCancelT, Task


class WakeSlot:
    """A place where at most one task sleeps."""

    __slots__ = ("_sleeper",)

    def __init__(self) -> None:
        self._sleeper: Task | None = None

    async def wait(self) -> None:
        """Sleep until `wake()`. A checkpoint; cancelled, it leaves the slot empty."""
        assert self._sleeper is None, "a wake slot has room for one sleeper"
        self._sleeper = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(self._abort)

    def wake(self) -> None:
        """Rouse the sleeper, if there is one. Synchronous; never blocks or raises."""
        sleeper = self._sleeper
        if sleeper is not None:
            self._sleeper = None
            trio.lowlevel.reschedule(sleeper)

    def _abort(self, _raise_cancel: RaiseCancelT) -> Abort:
        self._sleeper = None
        return Abort.SUCCEEDED
