"""Own reading from and writing to descriptors that others made, whatever they are, without blocking the loop.

Their open file descriptions may be shared with other processes, a shell for instance, and outlive us. So `O_NONBLOCK`
is never set on them: a pipe or a terminal is opened anew by its name in `/proc`, which gives a description of our own;
a socket is asked not to wait in each call; and what cannot be waited for (a file, `/dev/null`), or opened anew, has one
thread that does the waiting.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import stat
from typing import final

import trio

from manus.ipc.pipes import Sink, Source
from manus.ipc.waiting_threads import ThreadedSink, ThreadedSource

READ_BYTES = 65_536


@final
class PipeSource:
    """Reads from a descriptor of our own that never blocks."""

    __slots__ = ("_fd",)

    def __init__(self, fd: int) -> None:
        self._fd = fd

    async def receive(self) -> bytes:
        """Wait for bytes; see `Source`."""
        while True:
            # First this, which is a checkpoint too: that nothing is there yet is the usual case.
            await trio.lowlevel.wait_readable(self._fd)
            try:
                return os.read(self._fd, READ_BYTES)
            except BlockingIOError:
                continue  # somebody else who holds the pipe was faster

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self._fd)


@final
class PipeSink:
    """Writes to a descriptor of our own that never blocks."""

    __slots__ = ("_fd",)

    def __init__(self, fd: int) -> None:
        self._fd = fd

    async def send_some(self, data: memoryview) -> int:
        """Wait until some went; see `Sink`. No pass of the loop where there is room, which is the usual case."""
        await trio.lowlevel.checkpoint_if_cancelled()
        while True:
            try:
                return os.write(self._fd, data)
            except BlockingIOError:
                await trio.lowlevel.wait_writable(self._fd)

    async def flush(self) -> None:
        """What was written is the kernel's."""
        await trio.lowlevel.checkpoint()

    def is_broken(self) -> bool:
        """Tell whether the last reader has closed its end."""
        return has_no_reader(self._fd)

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self._fd)


@final
class SocketPipe:
    """Reads from, or writes to, a socket that others may hold too: each call says that it does not wait."""

    __slots__ = ("socket",)

    def __init__(self, fd: int) -> None:
        self.socket = socket.socket(fileno=fd)

    async def receive(self) -> bytes:
        """Wait for bytes; see `Source`."""
        while True:
            await trio.lowlevel.wait_readable(self.socket)
            try:
                return self.socket.recv(READ_BYTES, socket.MSG_DONTWAIT)
            except BlockingIOError:
                continue

    async def send_some(self, data: memoryview) -> int:
        """Wait until some went; see `Sink`. No pass of the loop where there is room, which is the usual case."""
        await trio.lowlevel.checkpoint_if_cancelled()
        while True:
            try:
                return self.socket.send(data, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
            except BlockingIOError:
                await trio.lowlevel.wait_writable(self.socket)

    def send_last(self, data: bytes) -> None:
        """Send what there is room for, without waiting, to somebody who may have left already."""
        with contextlib.suppress(OSError):
            self.socket.send(data, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)

    async def flush(self) -> None:
        """What was sent is the kernel's."""
        await trio.lowlevel.checkpoint()

    def is_broken(self) -> bool:
        """Tell whether the other side is closed altogether."""
        return has_no_reader(self.socket.fileno())

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()


def open_source(fd: int) -> Source:
    """Make a source of a descriptor, which is then the source's. Call it in the loop."""
    mode = os.fstat(fd).st_mode
    if stat.S_ISSOCK(mode):
        return SocketPipe(fd)
    own = _own_description(fd, mode, os.O_RDONLY)
    return ThreadedSource(fd) if own is None else PipeSource(own)


def open_sink(fd: int) -> Sink:
    """Make a sink of a descriptor, which is then the sink's. Call it in the loop."""
    mode = os.fstat(fd).st_mode
    if stat.S_ISSOCK(mode):
        return SocketPipe(fd)
    own = _own_description(fd, mode, os.O_WRONLY)
    return ThreadedSink(fd) if own is None else PipeSink(own)


def has_no_reader(fd: int) -> bool:
    """Tell, without waiting, whether what is written to `fd` will never be read."""
    poll = select.poll()
    poll.register(fd, 0)  # errors and hang-ups are told in any case
    return any(events & (select.POLLERR | select.POLLHUP) for _, events in poll.poll(0))


def _own_description(fd: int, mode: int, access: int) -> int | None:
    """Open a pipe or terminal anew and close `fd`; None, and `fd` is as it was, where that cannot be."""
    if not (stat.S_ISFIFO(mode) or (stat.S_ISCHR(mode) and os.isatty(fd))):
        return None
    own = None
    with contextlib.suppress(OSError):  # no /proc; another user's; no reader any more
        own = os.open(f"/proc/self/fd/{fd}", access | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    if own is not None:
        os.close(fd)
    return own
