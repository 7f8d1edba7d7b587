"""Own what a connection needs of a byte stream: waiting and not waiting, and an end that needs no await.

Trio's own streams close with an await and cannot say what would block. A cancelled request must close
its socket synchronously, and a small request should leave in one step; hence this narrower shape.
"""

from __future__ import annotations

import abc
from collections.abc import Callable

import trio

READ_BYTES = 64 * 1024
"""What one read asks for: a socket buffer's usual fill; a larger buffer buys nothing (measured)."""

Sendable = bytes | memoryview


class ByteStream(abc.ABC):
    """One ordered stream of bytes each way, owned by one connection.

    One task may send while another receives. Failures of the network are `OSError` or trio's
    `BrokenResourceError`; using a stream that was closed meanwhile is `trio.ClosedResourceError`.
    """

    __slots__ = ()

    @abc.abstractmethod
    def send_now(self, data: Sendable) -> int:
        """Take what can be taken without waiting, and say how many bytes that was.

        After 0 the caller comes back with the same bytes, through `send_some`.
        """

    @abc.abstractmethod
    async def send_some(self, data: Sendable) -> int:
        """Wait until some of `data` is taken, and say how many bytes: at least one."""

    @abc.abstractmethod
    async def receive(self) -> bytes:
        """Give all that has arrived, up to `READ_BYTES`, waiting if that is nothing; `b""` is the end.

        Not always a checkpoint: a stream with more than one read in its buffer is drained a few reads
        at a time before other tasks get their turn.
        """

    @abc.abstractmethod
    def has_news(self) -> bool:
        """Say whether bytes, an end or an error wait to be received. On an idle connection: it is stale."""

    @abc.abstractmethod
    def acknowledged_bytes(self) -> int | None:
        """Count the sent bytes that the peer's system has confirmed, or None where nobody can tell.

        Meaningful once `receive` has told the end of the stream: an end confirms all that came before it.
        """

    @abc.abstractmethod
    def sent_bytes(self) -> int:
        """Count the bytes handed to the system so far, in the unit of `acknowledged_bytes`."""

    @abc.abstractmethod
    def close(self) -> None:
        """End the stream now, without a checkpoint; whoever waits on it gets an error. Idempotent."""


class TrioStream(ByteStream):
    """Any trio stream in this shape, for in-memory networks.

    Args:
        stream: the stream; it is used through `send_all` and `receive_some` only.
        close: ends it synchronously, as `MemorySendStream.close` and its sibling do.
    """

    __slots__ = ("_close", "_closed", "_sent_bytes", "_stream")

    def __init__(self, stream: trio.abc.Stream, close: Callable[[], None]) -> None:
        self._stream = stream
        self._close = close
        self._closed = False
        self._sent_bytes = 0

    def send_now(self, data: Sendable) -> int:
        """Take nothing: a trio stream cannot say what it could take."""
        return 0

    async def send_some(self, data: Sendable) -> int:
        """Send all of `data`."""
        await self._stream.send_all(data)
        self._sent_bytes += len(data)
        return len(data)

    async def receive(self) -> bytes:
        """Receive what the stream gives in one piece."""
        return bytes(await self._stream.receive_some(READ_BYTES))

    def has_news(self) -> bool:
        """Never know: a stream that ended while idle is found out at the next exchange."""
        return False

    def acknowledged_bytes(self) -> int | None:
        """Never know."""
        return None

    def sent_bytes(self) -> int:
        """Count what `send_all` took."""
        return self._sent_bytes

    def close(self) -> None:
        """Call the given end, once."""
        if not self._closed:
            self._closed = True
            self._close()
