"""Own the promise that an asker is free by its deadline and one tick, whatever has become of the actor it asked.

One task per tree watches all asks. That costs an ask a heap entry; a cancel scope of its own would cost it ten times
that.
"""

from __future__ import annotations

import math
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from manus.supervisor.envelope import Envelope

ANSWER_GRACE_S = 0.05
"""The tick: how long after the deadline a cancelled handler may still give its own answer.

It lets a handler say what it had got so far; a handler that ignores its cancellation is answered for.
"""

_SPARE_ENTRIES = 64
"""How many stale heap entries are tolerated besides one per live ask, before the heap is rebuilt."""


class DeadlineWatch:
    """All asks of one tree that are under way, by deadline."""

    __slots__ = ("_heap", "_live", "_sleep", "_wakes_at")

    def __init__(self) -> None:
        # (when to act, envelope id). Ids of answered asks stay until they come up or the heap is rebuilt.
        self._heap: list[tuple[float, int]] = []
        self._live: dict[int, Envelope] = {}
        self._sleep: trio.CancelScope | None = None
        self._wakes_at = math.inf

    def __len__(self) -> int:
        return len(self._live)

    def watch(self, envelope: Envelope) -> None:
        """Look after `envelope` until it is answered. Synchronous."""
        if envelope.deadline == math.inf:
            return
        if len(self._heap) > 2 * len(self._live) + _SPARE_ENTRIES:
            self._heap = [entry for entry in self._heap if entry[1] in self._live]
            heapify(self._heap)
        self._live[envelope.id] = envelope
        self._push(envelope.deadline, envelope.id)

    def forget(self, envelope: Envelope) -> None:
        """Stop looking after `envelope`: it was answered. Synchronous; unknown ones are ignored."""
        self._live.pop(envelope.id, None)

    async def run(self) -> None:
        """Watch for ever."""
        while True:
            self._act_on_due(trio.current_time())
            self._wakes_at = self._heap[0][0] if self._heap else math.inf
            with trio.CancelScope(deadline=self._wakes_at) as self._sleep:
                await trio.sleep_forever()

    def _push(self, at: float, envelope_id: int) -> None:
        heappush(self._heap, (at, envelope_id))
        if at < self._wakes_at:
            self._wakes_at = at
            if self._sleep is not None:
                self._sleep.deadline = at

    def _act_on_due(self, now: float) -> None:
        heap = self._heap
        while heap:
            at, envelope_id = heap[0]
            envelope = self._live.get(envelope_id)
            if envelope is not None and at > now:
                return
            heappop(heap)
            if envelope is not None and envelope.deadline_passed(last_call=at > envelope.deadline):
                self._push(at + ANSWER_GRACE_S, envelope_id)
