"""Own the thread in which a hosted runtime lives: how it begins, how it is told to stop, and that it always ends.

The thread is a daemon, so that a program which forgets its agent still ends: when the interpreter exits, and the
program's own threads have ended, every runtime is stopped and its books are settled.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, Generic, TypeVar, final

import trio

from manus.hosts.border import Border, stopped
from manus.hosts.callers import Here

AgentT = TypeVar("AgentT")

EXIT_S: Final = 30.0
"""How long an exiting interpreter waits for each runtime to clean up; after that the process ends all the same.

What is cut off is that the ledger's last rows may be found open at the next start, as after a kill.
"""

_running: set[RuntimeThread[Any]] = set()  # Any: whatever the agent


@final
class RuntimeThread(Generic[AgentT]):
    """One runtime in its own loop in its own thread. `opening` makes its agent, inside the thread."""

    def __init__(self, opening: Callable[[], AbstractAsyncContextManager[AgentT]]) -> None:
        self.border = Border()
        self._opening = opening
        self._agent: AgentT | None = None
        self._failure: BaseException | None = None
        self._stop_drain_s: float | None = None
        self._life = trio.CancelScope()
        self._stopping = trio.Event()
        self._thread = threading.Thread(target=self._live, name="manus runtime", daemon=True)
        self.stopping = False

    @property
    def ended(self) -> bool:
        """Whether the loop is over, or is another process's."""
        return self.border.ended or self.border.forked

    async def start(self, here: Here) -> AgentT:
        """Start the thread and wait until its agent is open. Cancelled, it is ended.

        Raises:
            Exception: whatever the opening raised.
        """
        _running.add(self)
        awaited = False
        try:
            self._thread.start()
            await self.border.until(lambda: self._agent is not None or self.border.ended, here)
            awaited = True
        finally:
            if not awaited:  # also where it is open by now: nobody will have it
                self.stop(0.0)
        if self._agent is None:
            self._thread.join()
            raise self._failure or stopped("The agent was stopped while it was being opened.")
        return self._agent

    def stop(self, drain_s: float | None = None) -> None:
        """Have the runtime end, from any thread and without waiting for it. Repeated, the shorter time counts.

        Args:
            drain_s: how long requests in flight may finish: 0 ends them at once, None leaves it to the opening.
        """
        self.stopping = True
        if drain_s is not None:
            self._stop_drain_s = drain_s if self._stop_drain_s is None else min(self._stop_drain_s, drain_s)
        self.border.post_quietly(self._stop_now)

    async def wait_ended(self, here: Here) -> None:
        """Wait until the thread has ended, told to or not. Cancelled, it just leaves.

        Raises:
            RuntimeError: called from inside the runtime, which cannot wait for its own end.
            Exception: what the runtime died of, if it did.
        """
        if self.border.is_here:
            raise RuntimeError("the runtime cannot wait in its own thread for its own end")
        if self.border.forked:
            return
        await self.border.until(lambda: self.border.ended, here)
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def join(self, timeout_s: float) -> None:
        """Block until the thread has ended, or for so long."""
        self._thread.join(timeout_s)

    # --- in the thread --------------------------------------------------------------------------------

    def _live(self) -> None:
        try:
            trio.run(self._main, strict_exception_groups=True)
        except BaseException as error:
            self._failure = error
        finally:
            self.border.end()
            _running.discard(self)

    async def _main(self) -> None:
        self.border.open()
        if self.stopping:
            self._stop_now()  # told before there was a loop to post it to
        async with trio.open_nursery(strict_exception_groups=True) as calls:
            try:
                with self._life:
                    async with self._opening() as agent:
                        self._agent = agent
                        self.border.admit(calls)
                        await self._stopping.wait()
            except Exception as error:
                self._failure = error
            # The agent has given every call its end; what is not over now waits for nothing that could come.
            self.border.admit(None)
            calls.cancel_scope.cancel("the runtime has ended")

    def _stop_now(self) -> None:
        self._stopping.set()
        if self._agent is None:
            self._life.cancel("stopped while it was being opened")
        elif self._stop_drain_s is not None:
            self._life.deadline = min(self._life.deadline, trio.current_time() + self._stop_drain_s)


def _stop_all() -> None:
    """End every runtime of this process at once: nobody is left who could take an answer."""
    runtimes = tuple(_running)
    for runtime in runtimes:
        runtime.stop(0.0)
    for runtime in runtimes:
        runtime.join(EXIT_S)


def _forget() -> None:
    """In the child of a fork: the runtimes are the parent's."""
    _running.clear()


atexit.register(_stop_all)
os.register_at_fork(after_in_child=_forget)
