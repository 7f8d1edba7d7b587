"""A ledger gets into trouble under a running agent: calls go on while the journal holds them, then they are refused.

What had been admitted is booked all the same, and once the trouble is over everything that a caller was told is in the
ledger. That is the policy: an answer is never held back for the disk, and no call is made that could not be booked.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import shutil
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
import trio

import manus
from manus.actors.ledger.file import open_file_to_read
from manus.actors.ledger.journaled import runs_directory
from manus.actors.ledger.rows import LedgerRow
from manus.actors.ledger.sqlite import all_rows
from manus.messages.accounting import LedgerHealed, LedgerTroubled
from manus.opening import open_agent
from manus.supervisor.bus import Subscription
from manus.trio_agent import TrioAgent
from tests.face.rig import Rig, config
from tests.patience import WAIT_S

BULKY = tuple(f"{number:03}-" + "x" * 200 for number in range(60))
"""Labels that make an intent of some 12 KB, so that a journal fills up in seconds."""

CALLS_MAX = 5000
"""Far more than a journal holds, with such labels."""


class Books:
    """An agent over simulated providers in memory and a ledger on disk, and what its callers were told."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rig = Rig()
        self.told: dict[str, int | None] = {}  # request id -> cost, of what was answered and said to be durable
        self._numbers = itertools.count()

    @asynccontextmanager
    async def open(self, **options: Any) -> AsyncIterator[TrioAgent]:
        """Open an agent with this ledger, and no other provider than the first."""
        tables = config(ledger={"path": str(self.path)}, retry={"base_s": 0.001})
        tables["providers"].pop("second")
        transports = {"first": self.rig.transports()["first"]}
        async with open_agent(tables, transports=transports, seed=1, **options) as agent:
            yield agent

    async def ask(self, agent: TrioAgent, tags: tuple[str, ...] = ()) -> bool:
        """Make a call; False where it was refused for the ledger's sake, and nothing was sent."""
        sent = len(self.rig.first.bill)
        refusal: manus.LLMError | None = None
        try:
            response = await agent.generate(f"question {next(self._numbers)}", tags=tags)
        except manus.LLMError as error:
            refusal = error
        if refusal is not None:
            assert refusal.kind == "ledger", refusal
            assert "nothing was sent" in str(refusal)
            assert len(self.rig.first.bill) == sent, "refused, and sent all the same"
            return False
        assert response.usage.durable
        self.told[response.request_id] = response.usage.cost_nano_usd
        return True

    def rows(self) -> list[LedgerRow]:
        """Read all rows."""
        with closing(open_file_to_read(self.path, busy_s=5.0)) as connection:
            return list(all_rows(connection))

    def check(self) -> None:
        """Everything that was told is in the ledger as it was told, and nothing else is."""
        rows = {row.request_id: row for row in self.rows()}
        settled = {request_id: row.cost_nano_usd for request_id, row in rows.items() if row.state == "settled"}
        assert settled == self.told
        assert {row.state for row in rows.values()} <= {"settled", "released"}
        assert len(self.rig.first.bill) == len(self.told)
        assert list(runs_directory(self.path).iterdir()) == [], "the run ended in good order"

    async def ask_until(self, agent: TrioAgent, events: Subscription, kind: type[object]) -> Any:
        """Make calls, some of which may be refused, until this kind of event has come. Any: the event."""
        with trio.fail_after(WAIT_S):
            while True:
                await self.ask(agent)
                await trio.sleep(0.02)
                with contextlib.suppress(trio.WouldBlock):
                    while True:
                        event = events.receive_nowait()
                        if isinstance(event, kind):
                            return event


async def wait_until(condition: Callable[[], bool]) -> None:
    """Look until a thread of the ledger, which has no other way to tell, has come so far."""
    with trio.fail_after(WAIT_S):
        while not condition():  # noqa: ASYNC110
            await trio.sleep(0.01)


def fill_up(ballast: Path) -> None:
    """Leave no room on a disk."""
    full = False
    with ballast.open("wb", buffering=0) as file:
        while not full:
            try:
                file.write(bytes(4096))
            except OSError as error:
                full = error.errno == errno.ENOSPC
                if not full:
                    raise


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Give a file system of 24 MB: room for a journal and little more."""
    place = tmp_path / "small"
    place.mkdir()
    mount = shutil.which("mount")
    if os.geteuid() != 0 or mount is None:
        pytest.skip("only root may mount a small disk; a full one is injected in tests/actors/test_ledger_journaled.py")
    made = subprocess.run([mount, "-t", "tmpfs", "-o", "size=24m", "none", str(place)], check=False)
    if made.returncode != 0:
        pytest.skip("this machine does not let a small disk be mounted")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


async def test_a_disk_that_fills_up_under_way_costs_no_row_and_heals(small_disk: Path) -> None:
    books = Books(small_disk / "ledger.sqlite")
    ballast = small_disk / "ballast"
    async with books.open() as agent:
        with agent.events(4096) as events:
            assert await books.ask(agent)
            await wait_until(lambda: len(list(runs_directory(books.path).glob("*.journal"))) == 2)
            fill_up(ballast)
            answered = 0
            while await books.ask(agent, BULKY):
                answered += 1
                assert answered < CALLS_MAX, "the journal holds more than it can"
            trouble = await books.ask_until(agent, events, LedgerTroubled)
            assert "ledger" in trouble.reason
            assert answered > 100, "calls go on as long as the journal has room"
            for _ in range(3):
                assert not await books.ask(agent, BULKY)

            ballast.unlink()
            await books.ask_until(agent, events, LedgerHealed)
        assert await books.ask(agent)
        assert (await agent.get_usage_stats()).total.settled == len(books.told)
    books.check()


async def test_a_disk_that_is_full_at_the_end_leaves_the_rest_for_the_next_start(small_disk: Path) -> None:
    books = Books(small_disk / "ledger.sqlite")
    ballast = small_disk / "ballast"
    async with books.open() as agent:
        assert await books.ask(agent)
        await wait_until(lambda: len(list(runs_directory(books.path).glob("*.journal"))) == 2)
        fill_up(ballast)
        for _ in range(200):
            assert await books.ask(agent, BULKY)
    assert list(runs_directory(books.path).glob("*.journal")), "what SQLite did not take stays in the journal"
    ballast.unlink()
    async with books.open() as agent:
        assert (await agent.get_usage_stats()).total.settled == len(books.told)
    books.check()


async def test_while_somebody_holds_the_file_calls_go_on_and_are_booked_later(tmp_path: Path) -> None:
    books = Books(tmp_path / "ledger.sqlite")
    async with books.open() as agent:
        assert await books.ask(agent)
        with closing(sqlite3.connect(books.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            for _ in range(50):
                assert await books.ask(agent)
            assert len(books.rows()) < len(books.told), "they wait in the journal"
            other.execute("ROLLBACK")
        await wait_until(lambda: len(books.rows()) == len(books.told))
    books.check()


@pytest.mark.parametrize("replaced", [False, True], ids=["removed", "replaced"])
async def test_calls_made_while_the_ledger_is_gone_are_in_the_next_one(tmp_path: Path, replaced: bool) -> None:
    books = Books(tmp_path / "ledger.sqlite")
    async with books.open() as agent:
        with agent.events(4096) as events:
            assert await books.ask(agent)
            await wait_until(lambda: len(books.rows()) == 1)
            for file in (books.path, Path(f"{books.path}-wal"), Path(f"{books.path}-shm")):
                file.unlink(missing_ok=True)
            if replaced:
                async with Books(books.path).open():
                    pass
            for _ in range(5):
                assert await books.ask(agent)
            trouble = await books.ask_until(agent, events, LedgerTroubled)
            assert str(books.path) in trouble.reason
            assert "removed" in trouble.reason
    assert list(runs_directory(books.path).glob("*.journal")), "the journal is all there is of them"
    async with books.open() as agent:
        assert (await agent.get_usage_stats()).total.settled == len(books.told)
    rows = {row.request_id: row.cost_nano_usd for row in books.rows()}
    assert rows == books.told
    assert len(books.rig.first.bill) == len(books.told)


async def test_a_journal_whose_directory_is_removed_is_told_of_and_costs_no_row(tmp_path: Path) -> None:
    books = Books(tmp_path / "ledger.sqlite")
    async with books.open() as agent:
        with agent.events(4096) as events:
            assert await books.ask(agent)
            await wait_until(lambda: len(list(runs_directory(books.path).glob("*.journal"))) == 2)
            shutil.rmtree(runs_directory(books.path))
            for _ in range(5):
                assert await books.ask(agent)
            trouble = await books.ask_until(agent, events, LedgerTroubled)
            assert str(runs_directory(books.path)) in trouble.reason
    settled = {row.request_id: row.cost_nano_usd for row in books.rows() if row.state == "settled"}
    assert settled == books.told


@pytest.mark.parametrize("between_runs", [True, False])
async def test_a_clock_that_goes_back_by_a_day_harms_no_row(tmp_path: Path, between_runs: bool) -> None:
    books = Books(tmp_path / "ledger.sqlite")
    now = [1_795_500_000.0]
    day = 86_400.0

    def now_unix_s() -> float:
        return now[0]

    async with books.open(now_unix_s=now_unix_s) as agent:
        for _ in range(3):
            assert await books.ask(agent)
        if not between_runs:
            now[0] -= day
            for _ in range(2):
                assert await books.ask(agent)
    if between_runs:
        now[0] -= day
        async with books.open(now_unix_s=now_unix_s) as agent:
            for _ in range(2):
                assert await books.ask(agent)
    books.check()
    rows = books.rows()
    assert sorted(row.created_unix_s for row in rows) == [now[0]] * 2 + [now[0] + day] * 3
    async with books.open(now_unix_s=now_unix_s) as agent:
        assert (await agent.get_usage_stats()).total.settled == 5
        by_day = await agent.get_usage_stats(by=("day",))
    assert [(line.day, line.settled) for line in by_day.lines] == [("2026-11-23", 2), ("2026-11-24", 3)]


async def test_a_clock_that_goes_back_while_a_call_is_under_way_books_it_all_the_same(tmp_path: Path) -> None:
    books = Books(tmp_path / "ledger.sqlite")
    now = [1_795_500_000.0]

    def now_unix_s() -> float:
        now[0] -= 3600.0  # at every look
        return now[0]

    async with books.open(now_unix_s=now_unix_s) as agent:
        for _ in range(5):
            assert await books.ask(agent)
    books.check()
    assert any(row.ended_unix_s is not None and row.ended_unix_s < row.created_unix_s for row in books.rows())


async def test_a_budget_knows_its_days_also_when_the_clock_goes_back_and_forth(tmp_path: Path) -> None:
    rig = Rig()
    tables = config(ledger={"path": str(tmp_path / "ledger.sqlite")}, budgets={"usd_per_day": 0.00068})
    tables["providers"].pop("second")
    now = [1_795_500_000.0]
    day = 86_400.0

    async def calls_that_fit(agent: TrioAgent) -> int:
        for answered in range(100):
            try:
                await agent.generate("Hello", max_tokens=5)
            except manus.BudgetExceededError:
                return answered
        raise AssertionError("the budget has no end")

    transports = {"first": rig.transports()["first"]}
    async with open_agent(tables, transports=transports, seed=1, now_unix_s=lambda: now[0]) as agent:
        today = await calls_that_fit(agent)
        assert today > 1
        now[0] -= day
        assert await calls_that_fit(agent) == today, "yesterday has a budget of its own"
        now[0] += day
        assert await calls_that_fit(agent) == 0, "and today's is used up still"
        now[0] += day
        assert await calls_that_fit(agent) == today
