"""A byte stream between two tasks in memory, with a bounded buffer each way, in the shape that connections use."""

from __future__ import annotations

import trio

from manus.actors.http1.streams import READ_BYTES, ByteStream, Sendable


class _Channel:
    """One direction."""

    def __init__(self, capacity_bytes: int) -> None:
        self.capacity_bytes = capacity_bytes
        self.buffer = bytearray()
        self.ended = False
        self.abandoned = False
        self.changed = trio.Event()
        self.taken_bytes = 0

    def change(self) -> None:
        self.changed.set()
        self.changed = trio.Event()


class MemoryStream(ByteStream):
    """One end of a pipe. What the peer has taken out of the buffer counts as acknowledged."""

    def __init__(self, incoming: _Channel, outgoing: _Channel) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._sent_bytes = 0
        self.closed = False

    def send_now(self, data: Sendable) -> int:
        if self.closed:
            raise trio.ClosedResourceError
        if self._outgoing.abandoned:
            raise trio.BrokenResourceError
        taken = bytes(data[: self._outgoing.capacity_bytes - len(self._outgoing.buffer)])
        if taken:
            self._outgoing.buffer += taken
            self._sent_bytes += len(taken)
            self._outgoing.change()
        return len(taken)

    async def send_some(self, data: Sendable) -> int:
        await trio.lowlevel.checkpoint()
        while not (taken := self.send_now(data)):
            await self._outgoing.changed.wait()
        return taken

    async def send_all(self, data: bytes) -> None:
        """Send everything, as a test's server does."""
        while data:
            data = data[await self.send_some(data) :]

    def unread_by_peer(self) -> int:
        """Count the bytes that the peer has not taken, and will take unless it closes."""
        return 0 if self._outgoing.abandoned else len(self._outgoing.buffer)

    def received_bytes(self) -> int:
        """Count what was taken here."""
        return self._incoming.taken_bytes

    def send_eof(self) -> None:
        """End this direction only."""
        self._outgoing.ended = True
        self._outgoing.change()

    async def receive(self) -> bytes:
        await trio.lowlevel.checkpoint()
        while True:
            if self.closed:
                raise trio.ClosedResourceError
            if self._incoming.buffer:
                data = bytes(self._incoming.buffer[:READ_BYTES])
                del self._incoming.buffer[: len(data)]
                self._incoming.taken_bytes += len(data)
                self._incoming.change()
                return data
            if self._incoming.ended:
                return b""
            await self._incoming.changed.wait()

    def has_news(self) -> bool:
        return bool(self._incoming.buffer) or self._incoming.ended

    def acknowledged_bytes(self) -> int | None:
        return self._outgoing.taken_bytes

    def sent_bytes(self) -> int:
        return self._sent_bytes

    def close(self) -> None:
        self.closed = True
        self._outgoing.ended = True
        self._incoming.abandoned = True
        self._outgoing.change()
        self._incoming.change()


def memory_pipe(capacity_bytes: int = 64 * 1024) -> tuple[MemoryStream, MemoryStream]:
    """Make a pipe; give its two ends."""
    there, back = _Channel(capacity_bytes), _Channel(capacity_bytes)
    return MemoryStream(back, there), MemoryStream(there, back)
