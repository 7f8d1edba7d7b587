"""The relay between two threads: nothing lost, nothing twice, nobody asleep for ever, however threads are switched."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest
import trio

from manus.hosts.border import Border, Relay
from manus.hosts.callers import ThreadWaiter
from manus.hosts.sync_stream import finish
from tests.patience import WAIT_S

T = TypeVar("T")

ITEMS = 4_000


@pytest.fixture
def _switched_often() -> Iterator[None]:
    """Have the interpreter change threads all the time, so that the narrow places are met."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


def read_all(relay: Relay[int], read: list[int]) -> None:
    while True:
        try:
            read.append(finish(relay.get(ThreadWaiter)))
        except StopAsyncIteration:
            return


@pytest.mark.parametrize("limit", [1, 2, 5])
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.usefixtures("_switched_often")
async def test_every_item_arrives_once_in_order_and_both_sides_end(limit: int, batch: int) -> None:
    border = Border()
    border.open()
    relay: Relay[int] = Relay(border, limit)
    read: list[int] = []
    reader = threading.Thread(target=read_all, args=(relay, read), daemon=True)
    reader.start()
    most = 0
    with trio.fail_after(WAIT_S):
        for start in range(0, ITEMS, batch):
            await relay.put(range(start, min(start + batch, ITEMS)))
            most = max(most, len(relay))
    relay.end()
    await trio.to_thread.run_sync(reader.join, WAIT_S, abandon_on_cancel=True)
    assert not reader.is_alive()
    assert read == list(range(ITEMS))
    assert most < limit + batch


async def test_a_reader_that_was_interrupted_misses_nothing() -> None:
    """Cancelled, a read takes nothing, and leaves nobody behind who would be woken in the next one's place."""
    border = Border()
    border.open()
    relay: Relay[int] = Relay(border)

    class Interrupted:
        blocks = True

        def notify(self) -> None:
            raise AssertionError("it has left, and is woken in another's place")

        async def wait(self) -> None:
            raise KeyboardInterrupt

    def interrupted() -> bool:
        try:
            finish(relay.get(Interrupted))
        except KeyboardInterrupt:
            return True
        return False

    async def elsewhere(function: Callable[[], T]) -> T:
        with trio.fail_after(WAIT_S):
            return await trio.to_thread.run_sync(function, abandon_on_cancel=True)

    assert await elsewhere(interrupted)
    await relay.put([1])
    assert await elsewhere(lambda: finish(relay.get(ThreadWaiter))) == 1
    assert await elsewhere(interrupted)
    async with trio.open_nursery(strict_exception_groups=True) as nursery:
        nursery.start_soon(elsewhere, lambda: finish(relay.get(ThreadWaiter)))
        await relay.put([2])
    assert len(relay) == 0


async def test_an_error_comes_behind_what_was_put_before_it_and_once() -> None:
    border = Border()
    border.open()
    relay: Relay[int] = Relay(border)
    await relay.put([1, 2])
    relay.end(LookupError("the end"))
    relay.end(ValueError("a second end"))
    assert [finish(relay.get(ThreadWaiter)), finish(relay.get(ThreadWaiter))] == [1, 2]
    with pytest.raises(LookupError):
        finish(relay.get(ThreadWaiter))
    with pytest.raises(StopAsyncIteration):
        finish(relay.get(ThreadWaiter))
