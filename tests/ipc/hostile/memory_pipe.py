"""Own a pipe of bytes in memory, with a bound: what stands for the kernel's between a host and its connection.

One end is a `Source` or `Sink` of the adapters, the other a host's; each may close its own.
"""

from __future__ import annotations

from typing import final

import trio


@final
class MemoryPipe:
    """Bytes in one direction, at most `capacity` of them under way."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._bytes = bytearray()
        self._changed = trio.Event()
        self._writer_closed = False
        self._reader_closed = False

    # --- the adapters' side

    async def receive(self) -> bytes:
        """See `Source`."""
        return await self.take(self._capacity)

    async def send_some(self, data: memoryview) -> int:
        """See `Sink`."""
        await trio.lowlevel.checkpoint()
        while not (self._reader_closed or self._writer_closed) and len(self._bytes) >= self._capacity:
            await self._changed.wait()
        if self._reader_closed or self._writer_closed:
            raise BrokenPipeError("nobody reads" if self._reader_closed else "this end was closed")
        part = data[: self._capacity - len(self._bytes)]
        self._bytes += part
        self._wake()
        return len(part)

    async def flush(self) -> None:
        """See `Sink`: what is in the pipe is out of our hands."""
        await trio.lowlevel.checkpoint()

    def is_broken(self) -> bool:
        """See `Sink`."""
        return self._reader_closed

    # --- the host's side

    async def take(self, most: int) -> bytes:
        """Wait for bytes and give some; nothing at the end."""
        await trio.lowlevel.checkpoint()
        while not self._bytes and not self._writer_closed:
            await self._changed.wait()
        taken = bytes(self._bytes[:most])
        del self._bytes[:most]
        self._wake()
        return taken

    async def put(self, data: bytes) -> None:
        """Write all of it.

        Raises:
            BrokenPipeError: nobody will read it.
        """
        view = memoryview(data)
        while view:
            view = view[await self.send_some(view) :]

    def close_writer(self) -> None:
        """Nothing more will be written."""
        self._writer_closed = True
        self._wake()

    def close_reader(self) -> None:
        """Nothing more will be read, and what is under way is lost."""
        self._reader_closed = True
        self._bytes.clear()
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = trio.Event()


@final
class SourceEnd:
    """The adapters' end of what a host writes."""

    def __init__(self, pipe: MemoryPipe) -> None:
        self._pipe = pipe
        self.receive = pipe.receive

    def close(self) -> None:
        """See `Source`."""
        self._pipe.close_reader()


@final
class SinkEnd:
    """The adapters' end of what a host reads."""

    def __init__(self, pipe: MemoryPipe) -> None:
        self._pipe = pipe
        self.send_some = pipe.send_some
        self.flush = pipe.flush
        self.is_broken = pipe.is_broken

    def close(self) -> None:
        """See `Sink`."""
        self._pipe.close_writer()
