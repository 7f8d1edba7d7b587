"""Own the border between the runtime's loop and its callers: nothing else crosses it, in either direction.

(How a caller is roused at his end stands in `callers`.)

Calls go in by `post` and `call`, items of streams come out through a `Relay`. Both sides are held to three rules:

- Whoever waits outside stands in `_open` or `_watchers`, and is told when the runtime ends, however it ends.
- There are no locks: each side publishes first and looks at the other's word second, and every single step is one
  atomic operation of the interpreter. A lock could be held by a thread that a fork has left behind, by a line that
  Ctrl-C has interrupted, or by the very line in which the collector calls a finaliser that wants it.
- A wake-up costs more than the rest of a chunk's way together, so that nobody is woken who is awake.
"""

from __future__ import annotations

import contextvars
import os
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Final, Generic, ParamSpec, Protocol, TypeVar, TypeVarTuple, final

import trio

from manus.errors import LLMError, error_of
from manus.hosts.callers import Here, Waiter
from manus.messages.failures import Failed
from manus.messages.ids import RequestId
from manus.messages.outcomes import Unfinished

T = TypeVar("T")
P = ParamSpec("P")
Ts = TypeVarTuple("Ts")

RELAY_ITEMS: Final = 64
"""How many items wait for a reader outside before the runtime stops reading on: the back-pressure of a stream.

Twice what the router itself holds per stream, so that a reader that comes back from a tick of its own finds work.
"""

_births = 0
"""How many forks lie between this process and the one in which the module was loaded."""


def _born() -> None:
    global _births
    _births += 1


os.register_at_fork(after_in_child=_born)


class Outside(Protocol):
    """Whoever has work in the runtime and waits for it outside."""

    def lost(self) -> None:
        """The runtime has ended without an answer. Called once at most, in its thread."""


@final
class Border:
    """The two-way door of one runtime. Opened in its loop, used from every thread."""

    def __init__(self) -> None:
        self._token: trio.lowlevel.TrioToken | None = None
        self._calls: trio.Nursery | None = None
        self._open: set[Outside] = set()
        self._watchers: set[Waiter] = set()
        self._thread: int | None = None
        self._born = _births
        self._pid = os.getpid()
        self.ended = False

    # --- the runtime's side ---------------------------------------------------------------------------

    def open(self) -> None:
        """Let posts in. In the runtime's loop."""
        self._thread = threading.get_ident()
        self._token = trio.lowlevel.current_trio_token()

    def admit(self, calls: trio.Nursery | None) -> None:
        """Run calls in this nursery from now on; with None refuse them. In the runtime's loop."""
        self._calls = calls
        self._tell_watchers()

    def end(self) -> None:
        """The loop is over: whoever still waits is told so. The last word of the runtime's thread."""
        self.ended = True
        for each in tuple(self._open):
            each.lost()
        self._tell_watchers()

    def _tell_watchers(self) -> None:
        for waiter in tuple(self._watchers):
            waiter.notify()

    def spawn(self, function: Callable[[], Awaitable[object]]) -> bool:
        """Run a task among the calls; False when none are run any more. In the runtime's loop."""
        if self._calls is None:
            return False
        self._calls.start_soon(function)
        return True

    # --- the callers' side ----------------------------------------------------------------------------

    @property
    def forked(self) -> bool:
        """Whether this process is a fork of the runtime's, which has its memory but not its threads."""
        return self._born != _births

    @property
    def is_here(self) -> bool:
        """Whether the caller is in the runtime's own thread, which must never wait for itself."""
        return threading.get_ident() == self._thread

    def post(self, function: Callable[[*Ts], object], *args: *Ts) -> None:
        """Run a function in the runtime's loop, soon, behind what this thread has posted before. It must not raise.

        Raises:
            RequestCancelledError: the runtime has ended, or is another process's.
        """
        if self.forked:
            raise stopped(
                f"This agent lives in process {self._pid}, from which this one was forked. Open another one here."
            )
        if self.ended or self._token is None:
            raise stopped()
        try:
            self._token.run_sync_soon(function, *args)
        except trio.RunFinishedError:
            raise stopped() from None

    def post_quietly(self, function: Callable[[*Ts], object], *args: *Ts) -> None:
        """Do as `post`, but where nobody is left to do it, leave it undone. Safe in finalisers."""
        if not (self.forked or self.ended or self._token is None):
            try:
                self._token.run_sync_soon(function, *args)
            except trio.RunFinishedError:
                return  # all work has ended with the loop

    def may_wait(self, waiter: Waiter) -> None:
        """Check that the runtime's own thread is not about to be put to sleep until it has done something.

        Raises:
            RuntimeError: it is.
        """
        if waiter.blocks and self.is_here:
            raise RuntimeError("a sync agent was called in the thread of its own runtime, which would wait for itself")

    def enter(self, outside: Outside) -> None:
        """Have `outside.lost()` called should the runtime end before `leave`."""
        self._open.add(outside)
        if self.ended:
            self._open.discard(outside)
            raise stopped()

    def leave(self, outside: Outside) -> None:
        """Take back `enter`."""
        self._open.discard(outside)

    async def call(self, waiter: Waiter, function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run an async function in the runtime's loop, with the caller's context variables, and give its result.

        Cancelled or interrupted outside, it is cancelled inside, and not waited for.

        Raises:
            RequestCancelledError: the runtime ended before, or in the middle of it.
        """
        self.may_wait(waiter)
        call = _Call(self, waiter, partial(function, *args, **kwargs))
        try:
            self.enter(call)
            self.post(call.start)
            await waiter.wait()
        finally:
            self.leave(call)
            if not call.done:
                self.post_quietly(call.cancel)
        return call.result()

    async def until(self, reached: Callable[[], bool], here: Here) -> None:
        """Wait until something is so that `admit` or `end` makes so."""
        while not reached():
            waiter = here()
            self.may_wait(waiter)
            self._watchers.add(waiter)
            try:
                if not reached():
                    await waiter.wait()
            finally:
                self._watchers.discard(waiter)


@final
class _Call(Generic[T]):
    """One call on its way through the runtime and back."""

    __slots__ = ("_border", "_context", "_error", "_function", "_scope", "_value", "_waiter", "done")

    def __init__(self, border: Border, waiter: Waiter, function: Callable[[], Awaitable[T]]) -> None:
        self._border = border
        self._waiter = waiter
        self._function = function
        self._context = contextvars.copy_context()
        self._scope = trio.CancelScope()
        self._value: tuple[T, ...] = ()
        self._error: Exception | None = None
        self.done = False

    def start(self) -> None:
        if not self._context.run(self._border.spawn, self._run):
            self.lost()

    def cancel(self) -> None:
        self._scope.cancel("the caller outside has left")

    def lost(self) -> None:
        if not self.done:
            self._end(stopped())

    async def _run(self) -> None:
        try:
            with self._scope:
                self._value = (await self._function(),)
                self._end(None)
        except Exception as error:
            self._end(error)
        finally:
            self.lost()  # cancelled, by the caller or with the runtime

    def _end(self, error: Exception | None) -> None:
        self._error = error
        self.done = True
        self._waiter.notify()

    def result(self) -> T:
        error, self._error = self._error, None
        if error is None:
            (value,) = self._value
            return value
        try:
            raise error
        finally:
            del error  # its traceback holds this frame: together they would keep each other alive


@final
class Relay(Generic[T]):
    """Items on their way from the runtime's loop to one reader outside, at most `limit` and one batch of them."""

    __slots__ = ("_border", "_ended", "_error", "_items", "_limit", "_readers", "_rooms")

    def __init__(self, border: Border, limit: int = RELAY_ITEMS) -> None:
        self._border = border
        self._limit = limit
        self._items: deque[T] = deque()
        # At most one each. They are deques because taking from one is a single step, however the threads are switched.
        self._readers: deque[Waiter] = deque()
        self._rooms: deque[trio.Event] = deque()
        self._error: Exception | None = None
        self._ended = False

    @property
    def ended(self) -> bool:
        """Whether nothing more will be put."""
        return self._ended

    def __len__(self) -> int:
        return len(self._items)

    # --- in the runtime's loop ------------------------------------------------------------------------

    async def put(self, items: Sequence[T]) -> None:
        """Hand over a batch, and wait until there is room for another. Cancelled, the batch is handed over."""
        self._items.extend(items)
        self._wake()
        while len(self._items) >= self._limit and not self._ended:
            room = trio.Event()
            self._rooms.append(room)
            if len(self._items) < self._limit:
                self._rooms.clear()  # the reader may have looked in vain for an event to set, just before
            else:
                await room.wait()

    def end(self, error: Exception | None = None) -> None:
        """Nothing more will come, and `error` is raised at the end. The first end stands."""
        if not self._ended:
            self._error = error
            self._ended = True
            self._wake()

    def _wake(self) -> None:
        with suppress(IndexError):  # nobody sleeps
            self._readers.popleft().notify()

    # --- outside --------------------------------------------------------------------------------------

    async def get(self, here: Here) -> T:
        """Take the next item. A checkpoint only when there is none; cancelled, it takes nothing.

        Raises:
            StopAsyncIteration: all are taken. Before, once, whatever error the relay ended with.
        """
        while True:
            try:
                item = self._items.popleft()
            except IndexError:
                ended = self._ended  # looked at first: what was put before the end is then in sight
                if self._items:
                    continue
                if ended:
                    raise self._last() from None
                await self._sleep(here())
                continue
            if self._rooms and len(self._items) <= self._limit // 2:
                self._let_more_in()
            return item

    def clear(self) -> None:
        """Drop what is unread."""
        self._items.clear()
        self._let_more_in()

    async def _sleep(self, waiter: Waiter) -> None:
        self._border.may_wait(waiter)
        self._readers.append(waiter)
        try:
            if not self._items and not self._ended:
                await waiter.wait()
        finally:
            self._readers.clear()

    def _last(self) -> Exception:
        error, self._error = self._error, None
        return StopAsyncIteration() if error is None else error

    def _let_more_in(self) -> None:
        with suppress(IndexError):  # it does not wait
            self._border.post_quietly(self._rooms.popleft().set)


def stopped(message: str = "The agent was shut down. Open another one.") -> LLMError:
    """Make the error of a call that no runtime will answer."""
    return error_of(Unfinished(request_id=RequestId(""), failure=Failed(kind="stopped", message=message)))
