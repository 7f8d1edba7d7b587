"""Own what a connection has yet to write: replies first, then events of many streams in turn.

It outlives the session that fills it: a line that is half written is finished by the next one. Replies are bounded by
whoever asks `has_room` before making more of them; events are made only as they are taken.
"""

from __future__ import annotations

from collections import deque
from typing import Final, final

import trio

from manus.ipc.flow import Flow
from manus.supervisor.wake import WakeSlot

REPLIES_IN_A_ROW: Final = 64
"""So many replies go before the streams have one event each: a flood of pings must not silence them."""


@final
class Outbox:
    """The lines of one connection that wait. Everything but the waits is synchronous.

    Args:
        bytes_max: of replies; one that is longer by itself is taken when no other waits.
        batch_bytes: about how much is put together for one write.
    """

    __slots__ = (
        "_batch",
        "_batch_bytes",
        "_bytes_max",
        "_flows",
        "_replies",
        "_reply_bytes",
        "_room",
        "_sent",
        "_writer",
        "abandoned",
        "wrote_at",
    )

    def __init__(self, *, bytes_max: int, batch_bytes: int) -> None:
        self._bytes_max = bytes_max
        self._batch_bytes = batch_bytes
        self._replies: deque[bytes] = deque()
        self._reply_bytes = 0
        # Streams with something that may go, in turn; a dictionary for its order.
        self._flows: dict[Flow, None] = {}
        self._batch = b""
        self._sent = 0
        self._writer = WakeSlot()
        self._room: trio.Event | None = None
        self.abandoned = False
        """Whether nobody will ever read what is put in."""
        self.wrote_at = 0.0
        """When the host last took a byte."""

    # --- putting in -------------------------------------------------------------------------------

    @property
    def has_room(self) -> bool:
        """Whether another reply may be made."""
        return self._reply_bytes < self._bytes_max

    @property
    def waiting_bytes(self) -> int:
        """How much is made and not yet written."""
        return self._reply_bytes + len(self._batch) - self._sent

    @property
    def empty(self) -> bool:
        """Whether all is written that may go."""
        return not (self._replies or self._flows or self._batch)

    async def wait_room(self) -> None:
        """Sleep until another reply may be made. No checkpoint where that is so already."""
        while not self.has_room:
            if self._room is None:
                self._room = trio.Event()
            await self._room.wait()

    def reply(self, line: bytes) -> None:
        """Let a reply wait. Whoever makes them without asking `has_room` before must be bounded otherwise."""
        if self.abandoned:
            return
        self._replies.append(line)
        self._reply_bytes += len(line)
        self._writer.wake()

    def flow_moves(self, flow: Flow) -> None:
        """A stream has something that may go, perhaps."""
        if not (self.abandoned or flow.empty) and flow.has_credit:
            self._flows[flow] = None
            self._writer.wake()

    def forget(self, flow: Flow) -> None:
        """A stream has nothing more to send."""
        self._flows.pop(flow, None)

    # --- taking out -------------------------------------------------------------------------------

    async def wait_work(self) -> None:
        """Sleep until there may be something to write. For the one task that writes."""
        if self.empty:
            await self._writer.wait()

    def next_bytes(self, now: float) -> memoryview | None:
        """Give what is to be written next, whole lines after what is left of the last one; None where nothing is."""
        if not self._batch:
            self._batch = b"".join(self._lines(now))
            self._sent = 0
        return memoryview(self._batch)[self._sent :] if self._batch else None

    def wrote(self, count: int, now: float) -> None:
        """So many bytes of `next_bytes` are written."""
        self.wrote_at = now
        self._sent += count
        if self._sent >= len(self._batch):
            self._batch = b""
            self._sent = 0

    def abandon(self) -> None:
        """Nobody reads any more: let nothing wait, and nobody wait for room."""
        self.abandoned = True
        self._replies.clear()
        self._reply_bytes = 0
        self._flows.clear()
        self._batch = b""
        self._sent = 0
        self._made_room()

    def _lines(self, now: float) -> list[bytes]:
        lines: list[bytes] = []
        size = 0
        while size < self._batch_bytes and (self._replies or self._flows):
            for _ in range(min(len(self._replies), REPLIES_IN_A_ROW)):
                line = self._replies.popleft()
                self._reply_bytes -= len(line)
                lines.append(line)
                size += len(line)
                if size >= self._batch_bytes:
                    break
            for flow in list(self._flows):
                line_or_none = flow.take(now)
                if line_or_none is not None:
                    lines.append(line_or_none)
                    size += len(line_or_none)
                # Behind those that have not had their turn, if it has more.
                del self._flows[flow]
                if not flow.empty and flow.has_credit:
                    self._flows[flow] = None
                if size >= self._batch_bytes:
                    break
        if self.has_room:
            self._made_room()
        return lines

    def _made_room(self) -> None:
        room = self._room
        if room is not None:
            self._room = None
            room.set()
