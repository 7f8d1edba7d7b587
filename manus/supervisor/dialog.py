"""Own a streaming dialog's two ends: the sink that a handler pushes into, the dialog that the asker reads.

Between them stands a bounded buffer. The end of the dialog has a slot of its own, in the envelope, so that a full
buffer never blocks it.
"""

from __future__ import annotations

from collections import deque
from typing import Self, final

import trio

from manus.supervisor.envelope import PENDING, Envelope
from manus.supervisor.wake import WakeSlot


@final
class Sink:
    """The sending end of a stream: bounded, synchronous, fit for one writer at a time or several.

    `capacity` counts items. `closed` is set once the reader has left or the dialog has its end: nothing pushed then
    arrives. `paused` is the reader's explicit word that it will not read for a while.
    """

    __slots__ = ("_capacity", "_items", "_reader", "_room", "closed", "paused")

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"a stream needs room for at least 1 item, not {capacity}")
        self._capacity = capacity
        self._items: deque[object] = deque()
        self._reader = WakeSlot()
        self._room: trio.Event | None = None
        self.closed = False
        self.paused = False

    def push(self, item: object) -> bool:
        """Put `item` behind the others, synchronously; False when it was not: full, or `closed`."""
        if self.closed or len(self._items) >= self._capacity:
            return False
        self._items.append(item)
        self._reader.wake()
        return True

    async def wait_room(self) -> None:
        """Sleep until a push would succeed or the reader has left. No checkpoint when that is so already."""
        while not self.closed and len(self._items) >= self._capacity:
            if self._room is None:
                self._room = trio.Event()
            await self._room.wait()

    def __len__(self) -> int:
        return len(self._items)

    def ended(self) -> None:
        """The dialog has its end: take no more, and let the reader come to it."""
        self.closed = True
        self._made_room()
        self._reader.wake()

    def _left(self) -> None:
        self._items.clear()
        self.ended()

    def _made_room(self) -> None:
        room = self._room
        if room is not None:
            self._room = None
            room.set()


@final
class Dialog:
    """The asker's end of a stream: items first, then exactly one outcome. Use it as a context manager.

    Leaving the block, closing, and losing the last reference all end the dialog and cancel the work on it. For one
    reading task.
    """

    __slots__ = ("__weakref__", "_envelope", "_sink", "_token")

    def __init__(self, envelope: Envelope, sink: Sink) -> None:
        self._envelope = envelope
        self._sink = sink
        self._token = trio.lowlevel.current_trio_token()

    async def receive(self) -> object | None:
        """Give the next item; None when all are read and the outcome is there.

        A checkpoint only when nothing has arrived. Cancelled, it takes nothing.
        """
        sink = self._sink
        while not sink._items:
            if self._envelope.answered:
                return None
            await sink._reader.wait()
        item = sink._items.popleft()
        sink._made_room()
        return item

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> object:
        item = await self.receive()
        if item is None:
            raise StopAsyncIteration
        return item

    async def outcome(self) -> object:
        """Wait for the end of the dialog and give it, unread items or not. A checkpoint only while it is to come."""
        while self._envelope.answer is PENDING:
            await self._envelope.wait()
        return self._envelope.answer

    def pause(self) -> None:
        """Say that reading stops for a while, so that a full buffer does not count as a stalled reader."""
        self._sink.paused = True

    def resume(self) -> None:
        """Take back `pause`."""
        self._sink.paused = False

    def cancel(self) -> None:
        """Cancel the work. What was pushed can still be read, and `outcome` gives the handler's last word."""
        self._envelope.cancel_work("the asker cancelled")

    def close(self) -> None:
        """Leave: the work is cancelled, unread items are dropped. Synchronous; after the end, and twice, harmless."""
        _leave(self._envelope, self._sink)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        # The collector may call this in any thread, and in the middle of any line of this package. So it only leaves
        # a note for the loop.
        if self._envelope.answered:
            return
        try:
            self._token.run_sync_soon(_leave, self._envelope, self._sink)
        except trio.RunFinishedError:
            return  # the loop is gone, and all work with it


def _leave(envelope: Envelope, sink: Sink) -> None:
    envelope.leave()
    sink._left()
