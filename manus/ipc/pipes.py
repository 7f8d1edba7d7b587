"""Own what a connection needs of the two pipes, or the one socket, that it lives on."""

from __future__ import annotations

from typing import Protocol


class Source(Protocol):
    """Where bytes come from."""

    async def receive(self) -> bytes:
        """Wait for bytes and give them; nothing at the end of the stream.

        A checkpoint, with none after the bytes were taken: cancelled, it has taken nothing.

        Raises:
            OSError: the other side broke the connection.
        """

    def close(self) -> None:
        """Close what is read from; the other direction, where there is one, is closed by its own sink."""


class Sink(Protocol):
    """Where bytes go."""

    async def send_some(self, data: memoryview) -> int:
        """Wait until some of `data` can go, and give how many bytes of it went.

        A checkpoint only where it waits, and none after bytes went: cancelled, nothing has gone.

        Raises:
            OSError: nobody reads any more.
        """

    async def flush(self) -> None:
        """Wait until what has gone is out of our hands."""

    def is_broken(self) -> bool:
        """Tell, without waiting, whether it is certain that nobody reads any more."""

    def close(self) -> None:
        """Close what is written to."""
