"""Own what is done with a contender, and the CPU time it took: the same for every contender, on either loop.

CPU time is that of the whole process: threads of a writer or of a Rust runtime count.
"""

from __future__ import annotations

import gc
import resource
import time
from collections.abc import Awaitable, Callable

from benchmarks.contract import Contender
from benchmarks.upstream import ANSWER, BURST_CHUNKS, HELD_CHUNKS, PACED_CHUNKS, streamed_text

PACED_TEXT = streamed_text(PACED_CHUNKS)
BURST_TEXT = streamed_text(BURST_CHUNKS)
HELD_TEXT = streamed_text(HELD_CHUNKS)

RunAtOnce = Callable[[list[Callable[[], Awaitable[None]]]], Awaitable[None]]
"""Runs jobs at once, each in a task of its own, and waits for all: a nursery or a gather."""


async def one_after_another(contender: Contender, requests: int) -> float:
    """Give CPU microseconds per request."""
    began = time.process_time()
    for _ in range(requests):
        _check(await contender.ask())
    return (time.process_time() - began) / requests * 1e6


async def at_once(contender: Contender, requests: int, width: int, run: RunAtOnce) -> float:
    """Give CPU microseconds per request, with `width` of them in flight."""

    async def ask() -> None:
        for _ in range(requests // width):
            _check(await contender.ask())

    began = time.process_time()
    await run([ask] * width)
    return (time.process_time() - began) / (requests // width * width) * 1e6


async def paced_streams(contender: Contender, width: int, run: RunAtOnce) -> float:
    """Give CPU microseconds per chunk of `width` streams whose chunks come one by one."""

    async def stream() -> None:
        pieces: list[str] = []
        await contender.stream("paced", pieces.append)
        assert "".join(pieces) == PACED_TEXT

    began = time.process_time()
    await run([stream] * width)
    return (time.process_time() - began) / (width * PACED_CHUNKS) * 1e6


async def burst_stream(contender: Contender) -> float:
    """Give CPU microseconds per chunk of one stream whose chunks come all at once."""
    pieces: list[str] = []
    began = time.process_time()
    await contender.stream("burst", pieces.append)
    spent = time.process_time() - began
    assert "".join(pieces) == BURST_TEXT
    return spent / BURST_CHUNKS * 1e6


async def bursts_at_once(contender: Contender, width: int, run: RunAtOnce) -> float:
    """Give CPU microseconds per chunk of `width` such streams at once."""

    async def stream() -> None:
        pieces: list[str] = []
        await contender.stream("burst", pieces.append)
        assert "".join(pieces) == BURST_TEXT

    began = time.process_time()
    await run([stream] * width)
    return (time.process_time() - began) / (width * BURST_CHUNKS) * 1e6


class HeldStreams:
    """Streams that are in the middle of their answer, so that their memory can be weighed."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.on_all_begun: Callable[[], None] | None = None
        self._waiting = width
        self._before_bytes = 0

    def begin(self) -> None:
        """Weigh the process without them."""
        gc.collect()
        self._before_bytes = resident_bytes()

    def job(self, contender: Contender) -> Callable[[], Awaitable[None]]:
        """Make the job of one stream; it ends when it is cancelled."""

        async def hold() -> None:
            missing = len(HELD_TEXT)

            def count(text: str) -> None:
                nonlocal missing
                missing -= len(text)
                if not missing:
                    self._one_begun()

            await contender.stream("hold", count)

        return hold

    def _one_begun(self) -> None:
        self._waiting -= 1
        if not self._waiting and self.on_all_begun is not None:
            self.on_all_begun()

    def kilobytes_each(self) -> float:
        """Weigh the process with them."""
        gc.collect()
        return (resident_bytes() - self._before_bytes) / self.width / 1024


def resident_bytes() -> int:
    """Give the memory that the process holds now."""
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()


def _check(text: str) -> None:
    assert text == ANSWER, f"the answer is not what was served: {text[:40]!r}"
