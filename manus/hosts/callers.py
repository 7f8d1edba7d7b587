"""Own how a caller sleeps until another thread tells it something: in an asyncio loop, in a Trio loop, in a thread."""

from __future__ import annotations

import queue
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeAlias, final

import trio
from trio.lowlevel import Abort, RaiseCancelT, Task

if TYPE_CHECKING:
    import asyncio


class Waiter(Protocol):
    """A place where one caller sleeps once."""

    @property
    def blocks(self) -> bool:
        """Whether it is the thread that sleeps, with all that runs in it."""

    def notify(self) -> None:
        """Rouse the caller, from any thread. Never blocks or raises; more than once is fine."""

    async def wait(self) -> None:
        """Sleep until `notify`, which may have come already. Cancelled, or interrupted, it just leaves."""


Here: TypeAlias = Callable[[], Waiter]
"""Makes a waiter for the caller of this very moment."""


@final
class AsyncioWaiter:
    """Sleeps in the running asyncio loop, whoever made that loop."""

    __slots__ = ("_future", "_loop")

    blocks = False

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._future: asyncio.Future[None] = loop.create_future()

    def notify(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._rouse)
        except RuntimeError:
            return  # the loop is closed, and whoever slept in it is gone

    async def wait(self) -> None:
        await self._future

    def _rouse(self) -> None:
        if not self._future.done():
            self._future.set_result(None)


@final
class TrioWaiter:
    """Sleeps in the running Trio loop."""

    __slots__ = ("_notified", "_task", "_token")

    blocks = False

    def __init__(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        self._task: Task | None = None
        self._notified = False

    def notify(self) -> None:
        try:
            self._token.run_sync_soon(self._rouse)
        except trio.RunFinishedError:
            return  # the loop has ended, and whoever slept in it is gone

    async def wait(self) -> None:
        if not self._notified:
            self._task = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(self._abort)

    def _rouse(self) -> None:
        self._notified = True
        task, self._task = self._task, None
        if task is not None:
            trio.lowlevel.reschedule(task)

    def _abort(self, _raise_cancel: RaiseCancelT) -> Abort:
        self._task = None
        return Abort.SUCCEEDED


@final
class ThreadWaiter:
    """Blocks the calling thread, whether or not a loop runs in it. Ctrl-C gets through.

    Its `wait` never suspends: a coroutine that waits nowhere else runs to its end when it is sent its first None.
    """

    __slots__ = ("_told",)

    blocks = True

    def __init__(self) -> None:
        # A SimpleQueue, because its `put` may be called from anywhere, a finaliser in the middle of `get` included.
        self._told: queue.SimpleQueue[None] = queue.SimpleQueue()

    def notify(self) -> None:
        self._told.put(None)

    async def wait(self) -> None:
        self._told.get()


def loop_here() -> Waiter:
    """Make a waiter for the loop that this is called in.

    Raises:
        RuntimeError: neither Trio nor asyncio runs here.
    """
    if trio.lowlevel.in_trio_task():
        return TrioWaiter()
    loaded = sys.modules.get("asyncio")  # it takes long to load, and where nobody has loaded it, no loop of its runs
    loop: asyncio.AbstractEventLoop | None = None if loaded is None else loaded._get_running_loop()
    if loop is None:
        raise RuntimeError("neither asyncio nor Trio runs here; a thread without a loop uses manus.open_sync")
    return AsyncioWaiter(loop)
