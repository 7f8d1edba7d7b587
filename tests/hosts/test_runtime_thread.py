"""The runtime's thread: it never outlives whoever wanted it, and nobody but its own files reaches into it."""

from __future__ import annotations

import ast
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from manus.hosts.callers import ThreadWaiter
from manus.hosts.runtime_thread import RuntimeThread
from manus.hosts.sync_stream import finish
from tests.hosts.rig import runtimes, until

HOSTS = Path(__file__).parent.parent.parent / "manus" / "hosts"

CROSSING = {"run_sync_soon", "call_soon_threadsafe", "start_soon", "Thread"}
MAY_CROSS = {"border.py", "callers.py", "runtime_thread.py"}


@asynccontextmanager
async def an_agent() -> AsyncIterator[str]:
    yield "the agent"


WAITING = threading.Event()


@asynccontextmanager
async def an_agent_that_takes_its_time() -> AsyncIterator[str]:
    """Open when somebody waits for it, and not before."""
    while not WAITING.is_set():  # noqa: ASYNC110  # it is set in another thread
        await trio.sleep(0.001)
    yield "the agent"


class InterruptedLate:
    """A caller whom Ctrl-C meets after he has been told that the agent is open, and before he has it."""

    blocks = True

    def __init__(self) -> None:
        self._waiter = ThreadWaiter()

    def notify(self) -> None:
        self._waiter.notify()

    async def wait(self) -> None:
        WAITING.set()
        await self._waiter.wait()
        raise KeyboardInterrupt


def test_an_opening_that_is_interrupted_at_the_last_moment_leaves_no_runtime() -> None:
    runtime = RuntimeThread(an_agent_that_takes_its_time)
    with pytest.raises(KeyboardInterrupt):
        finish(runtime.start(InterruptedLate))
    assert runtime.stopping
    until(lambda: runtimes() == [])
    assert runtime.ended


def test_an_agent_is_open_until_it_is_told_to_stop() -> None:
    runtime = RuntimeThread(an_agent)
    assert finish(runtime.start(ThreadWaiter)) == "the agent"
    assert not runtime.ended
    runtime.stop()
    finish(runtime.wait_ended(ThreadWaiter))
    assert runtimes() == []


def crossings(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and node.attr in CROSSING:
            yield f"{path.name}:{node.lineno}: {node.attr}"


@pytest.mark.parametrize("path", sorted(HOSTS.glob("*.py")), ids=lambda path: path.name)
def test_only_the_border_crosses_between_loops_and_threads(path: Path) -> None:
    assert path.name in MAY_CROSS or list(crossings(path)) == []
