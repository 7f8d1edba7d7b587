"""Programs that treat an agent roughly: calls cancelled at any tick, streams dropped, an end in the middle of it all.

Afterwards no provider serves anybody, the books are as the bills say, and no thread of the runtime's is left.
"""

from __future__ import annotations

import asyncio
import gc
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final

import pytest
import uvloop

import manus
from tests.conformance.books import check_books
from tests.conformance.driver import WAIT_S, HostError
from tests.conformance.hosts import HOSTS
from tests.conformance.loops import NewLoop
from tests.conformance.threads import SyncDriver
from tests.conformance.vendors import TEXT, Vendors, served

ASKED: Final[dict[str, Any]] = {"provider": "first", "fallback_providers": [], "tags": ["left"]}
TASKS: Final = 120
TICKS_MAX: Final = 60
THREADS: Final = 32
ROUNDS: Final = 4


@pytest.fixture
def vendors() -> Iterator[Vendors]:
    with served() as made:
        yield made


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    gc.collect()
    for thread in set(threading.enumerate()) - before:
        thread.join(WAIT_S)
        assert not thread.is_alive(), thread


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("seed", range(2))
def test_tasks_cancelled_at_any_tick_leave_nothing_open_and_the_books_right(
    vendors: Vendors, new_loop: NewLoop, seed: int
) -> None:
    async def program() -> Counter[str]:
        agent = await manus.create_agent(vendors.configuration())
        rngs = [random.Random(f"{seed}/{number}") for number in range(TASKS)]
        ends = Counter(await asyncio.gather(*(one(agent, number, rng) for number, rng in enumerate(rngs))))
        await asyncio.to_thread(vendors.rows)  # returns when nobody is served any more
        book = await agent.get_usage_stats(by=["provider", "tag"])
        while book.total.open:
            await asyncio.sleep(0.01)
            book = await agent.get_usage_stats(by=["provider", "tag"])
        await asyncio.to_thread(check_books, Reading(book.to_dict()), vendors)
        await agent.shutdown()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return ends

    async def one(agent: Any, number: int, rng: random.Random) -> str:
        task = asyncio.create_task(asks(agent, number, rng))
        for _ in range(rng.randrange(TICKS_MAX)):
            await asyncio.sleep(0.001 if rng.random() < 0.2 else 0)
        if rng.random() < 0.8:
            task.cancel()
        try:
            return await task
        except asyncio.CancelledError:
            return "cancelled"

    with asyncio.Runner(loop_factory=new_loop) as runner:
        ends = runner.run(program())
    assert ends["cancelled"] > 0
    assert ends["whole"] > 0, ends


async def asks(agent: Any, number: int, rng: random.Random) -> str:  # Any: the public methods are all that is called
    """Ask in a way that chance decides, and say how it ended."""
    prompt = f"rough {number}"
    match rng.randrange(4):
        case 0:
            assert (await agent.generate(prompt, **ASKED)).content == TEXT
            return "whole"
        case 1:
            async with agent.stream(prompt, **ASKED) as stream:
                text = "".join([chunk.delta async for chunk in stream])
            assert text == TEXT
            return "whole"
        case 2:
            async for chunk in agent.stream(prompt, **ASKED):  # noqa: B007  # dropped without a word
                if rng.random() < 0.5:
                    return "dropped"
            return "whole"
        case _:
            stream = agent.stream(prompt, **ASKED)
            await anext(stream)
            response = await stream.cancel()
            assert TEXT.startswith(response.content)
            return "taken back"


def test_threads_that_drop_what_they_asked_for_leave_nothing_open_and_the_books_right(vendors: Vendors) -> None:
    with manus.open_sync(vendors.configuration()) as agent:
        with ThreadPoolExecutor(THREADS) as threads:
            ends = Counter(threads.map(partial(drops, agent), range(THREADS * ROUNDS)))
        vendors.rows()
        while agent.get_usage_stats().total.open:
            time.sleep(0.01)
        check_books(SyncDriver(agent), vendors)
    assert ends.keys() == {"whole", "closed", "taken back", "dropped"}, ends


def drops(agent: Any, number: int) -> str:  # Any: the public methods are all that is called
    """Ask, and leave in a way that chance decides."""
    rng = random.Random(f"drops/{number}")
    stream = agent.stream(f"rough {number}", **ASKED)
    for _ in range(rng.randrange(6)):
        next(stream)
    match rng.randrange(4):
        case 0:
            assert stream.response().content == TEXT
            return "whole"
        case 1:
            stream.close()
            return "closed"
        case 2:
            assert TEXT.startswith(stream.cancel().content)
            return "taken back"
        case _:
            return "dropped"


@pytest.mark.parametrize("host", [name for name in HOSTS if name != "trio"])
def test_an_end_among_many_callers_gives_each_an_answer_or_a_definite_error(vendors: Vendors, host: str) -> None:
    """One caller ends the agent while others ask without end; who asked has been answered, and who comes is refused."""
    with HOSTS[host].opens(vendors.configuration(), 0.2) as driver, ThreadPoolExecutor(THREADS) as threads:
        others = [threads.submit(asks_until_the_end, driver, number) for number in range(THREADS - 1)]
        vendors.wait_for("rough ", working=THREADS // 2)
        driver.shut_down()
        ends = Counter(each.result(WAIT_S) for each in others)
    assert ends.keys() <= {"stopped", "stopping", "cancelled"}, ends
    assert all(not row.open for rows in vendors.rows().values() for row in rows)


def asks_until_the_end(driver: Any, number: int) -> str:  # Any: a `Driver`
    """Ask again and again, and say what one is told at the end."""
    while True:
        try:
            response = driver.ask("generate", prompt=f"rough {number}", **ASKED)
        except HostError as error:
            return str(error.told["kind"])
        if response["finish_reason"] == "cancelled":
            return "cancelled"
        assert response["content"] == TEXT


class Reading:
    """Books that were asked for in the loop, as a driver tells them."""

    def __init__(self, book: dict[str, Any]) -> None:
        self._book = book

    def ask(self, method: str, **params: object) -> dict[str, Any]:
        assert method == "usage.stats"
        return self._book
