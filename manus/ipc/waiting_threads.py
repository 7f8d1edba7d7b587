"""Own the reading and writing of descriptors that only a thread can wait for: files, devices, foreign pipes.

One thread per direction for the life of the channel, and never one per line. It may be stuck in the kernel for ever, so
nobody waits for it: it is a daemon. What it read, or has yet to write, is kept when the task that waits is cancelled.
"""

from __future__ import annotations

import contextlib
import os
import queue
from threading import Thread
from typing import final

import trio

from manus.supervisor.wake import WakeSlot

READ_BYTES = 65_536


@final
class ThreadedSource:
    """Reads ahead by one piece at most, and only when asked."""

    __slots__ = ("_arrived", "_asked", "_fd", "_orders", "_reader", "_thread", "_token")

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._token = trio.lowlevel.current_trio_token()
        self._orders: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._arrived: bytes | OSError | None = None
        self._asked = False
        self._reader = WakeSlot()
        self._thread = Thread(target=self._run, name="stdin", daemon=True)
        self._thread.start()

    async def receive(self) -> bytes:
        """Wait for bytes; see `Source`."""
        await trio.lowlevel.checkpoint()
        if not self._asked:
            self._asked = True
            self._orders.put(True)
        while self._arrived is None:
            await self._reader.wait()
        arrived, self._arrived, self._asked = self._arrived, None, False
        if isinstance(arrived, OSError):
            raise arrived
        return arrived

    def close(self) -> None:
        """Let the thread end, if it can; the descriptor is closed by it."""
        self._orders.put(False)

    def _run(self) -> None:
        while self._orders.get():
            arrived: bytes | OSError
            try:
                arrived = os.read(self._fd, READ_BYTES)
            except OSError as error:
                arrived = error
            with contextlib.suppress(trio.RunFinishedError):
                self._token.run_sync_soon(self._arrive, arrived)
        os.close(self._fd)

    def _arrive(self, arrived: bytes | OSError) -> None:
        self._arrived = arrived
        self._reader.wake()


@final
class ThreadedSink:
    """Takes one piece at a time; a piece that was taken is written whole, or the channel is broken."""

    __slots__ = ("_broken", "_fd", "_idle", "_orders", "_thread", "_token", "_writing")

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._token = trio.lowlevel.current_trio_token()
        self._orders: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._writing = False
        self._broken: OSError | None = None
        self._idle = WakeSlot()
        self._thread = Thread(target=self._run, name="stdout", daemon=True)
        self._thread.start()

    async def send_some(self, data: memoryview) -> int:
        """Wait until the piece before is written, and hand this one over; see `Sink`."""
        await trio.lowlevel.checkpoint()
        await self.flush()
        self._writing = True
        self._orders.put(bytes(data))
        return len(data)

    async def flush(self) -> None:
        """Wait until what was taken is written.

        Raises:
            OSError: it could not be.
        """
        while self._writing:
            await self._idle.wait()
        if self._broken is not None:
            raise self._broken

    def is_broken(self) -> bool:
        """Tell whether writing has failed."""
        return self._broken is not None

    def close(self) -> None:
        """Let the thread end, if it can; the descriptor is closed by it."""
        self._orders.put(None)

    def _run(self) -> None:
        while (data := self._orders.get()) is not None:
            broken: OSError | None = None
            rest = memoryview(data)
            try:
                while rest:
                    rest = rest[os.write(self._fd, rest) :]
            except OSError as error:
                broken = error
            with contextlib.suppress(trio.RunFinishedError):
                self._token.run_sync_soon(self._wrote, broken)
        os.close(self._fd)

    def _wrote(self, broken: OSError | None) -> None:
        self._writing = False
        self._broken = broken
        self._idle.wake()
