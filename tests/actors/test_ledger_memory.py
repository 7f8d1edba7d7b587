"""Books in memory are bounded, and what leaves them row by row stays in their sums."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import trio

from manus.actors.ledger.journaled import JournaledStore, runs_directory
from manus.actors.ledger.opening import open_ledger
from manus.actors.ledger.store import MemoryStore, Refused
from manus.actors.ledger.sums import DAY_S, OTHERS
from manus.messages.accounting import StatsAsked
from manus.messages.ids import RequestKey
from manus.messages.policy import LedgerPolicy
from manus.messages.usage import Usage
from tests.actors.books import REPORTED, dispatched, doubted, released, reserved, settled

ALL = StatsAsked()


def test_rows_are_bounded_and_their_sums_are_not_lost() -> None:
    store = MemoryStore(rows_max=10)
    for number in range(100):
        store.append(reserved(f"r{number}", at=float(number)))
        store.append(settled(f"r{number}"))
    store.append(reserved("open", at=50.0))
    assert len(store.rows) == 11
    (total,) = store.sums(ALL).value  # type: ignore[misc]
    assert (total.requests, total.settled, total.open) == (101, 100, 1)
    assert total.cost_nano_usd == 100 * 780_000
    assert total.usage.output == 100 * REPORTED.output


def test_open_rows_never_leave() -> None:
    store = MemoryStore(rows_max=2)
    for number in range(10):
        store.append(reserved(f"open{number}"))
        store.append(reserved(f"done{number}"))
        store.append((settled, released, doubted)[number % 3](f"done{number}"))
    assert sum(row.is_open for row in store.rows.values()) == 10
    (total,) = store.sums(ALL).value  # type: ignore[misc]
    assert (total.open, total.settled, total.released, total.in_doubt) == (10, 4, 3, 3)


def test_hours_that_are_only_sums_count_whole() -> None:
    store = MemoryStore(rows_max=1)
    for day in range(3):
        for part in range(4):
            name = f"d{day}-{part}"
            store.append(reserved(name, at=day * DAY_S + part * 3600.0))
            store.append(settled(name))
    (since_day_one,) = store.sums(StatsAsked(since_unix_s=float(DAY_S))).value  # type: ignore[misc]
    assert since_day_one.settled == 8
    (within_day_one,) = store.sums(StatsAsked(since_unix_s=DAY_S + 3650.0)).value  # type: ignore[misc]
    assert within_day_one.settled == 6, "the second hour of day 1 began before that, and its rows are gone"


def test_names_that_never_end_are_bounded_and_nothing_is_left_out() -> None:
    store = MemoryStore(rows_max=0, sums_max=5)
    for number in range(100):
        store.append(reserved(f"r{number}", at=number * 1e3, conversation_id=f"c{number}", tags=(f"t{number}",)))
        store.append(settled(f"r{number}"))
    assert len(store._folded) == 5 + 2, "and one more for each day"
    rows = store.sums(StatsAsked(by=("conversation", "tag"))).value
    assert not isinstance(rows, Refused)
    assert {row.conversation for row in rows} == {OTHERS, *(f"c{number}" for number in range(5))}
    assert {row.tag for row in rows} == {OTHERS, *(f"t{number}" for number in range(5))}
    assert sum(row.settled for row in rows) == 100
    days = store.sums(StatsAsked(by=("day",))).value
    assert not isinstance(days, Refused)
    assert [row.settled for row in days] == [87, 13]


def test_a_row_that_left_is_unknown_by_its_key() -> None:
    store = MemoryStore(rows_max=1)
    for name in ("a", "b"):
        store.append(reserved(name, request_key=RequestKey(f"key-{name}")))
        store.append(settled(name))
    states = [store.status(RequestKey(f"key-{name}")).value for name in ("a", "b")]
    assert [each.state for each in states if not isinstance(each, Refused)] == ["unknown", "settled"]


def now() -> float:
    return 5.0


async def test_a_ledger_without_a_path_is_in_memory_and_needs_no_thread(
    autojump_clock: Callable[[], None],
) -> None:
    async with open_ledger(LedgerPolicy(), now_unix_s=now) as store:
        assert isinstance(store, MemoryStore)
        assert trio.current_time() == 0.0


async def test_a_ledger_with_a_path_answers_on_the_loop_and_ends_cleanly(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    async with open_ledger(LedgerPolicy(path=str(path)), now_unix_s=now) as store:
        assert isinstance(store, JournaledStore)
        store.append(reserved(bound=Usage(output=7, source="bound")))
        store.append(dispatched())
        pending = store.sums(ALL)
        told = trio.Event()
        pending.then(lambda _: told.set())
        await told.wait()
        rows = pending.value
        assert not isinstance(rows, Refused)
        assert rows[0].open == 1
    assert list(runs_directory(path).iterdir()) == []
    async with open_ledger(LedgerPolicy(path=str(path)), now_unix_s=now) as store:
        assert store.recovered.in_doubt == 0, "the clean end had booked it"


async def test_a_cancelled_owner_still_ends_the_run(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with trio.CancelScope() as scope:
        async with open_ledger(LedgerPolicy(path=str(path)), now_unix_s=now) as store:
            store.append(reserved())
            scope.cancel()
            await trio.sleep_forever()
    assert scope.cancelled_caught
    assert list(runs_directory(path).iterdir()) == []


def test_the_end_of_the_loop_is_no_trouble_for_the_store_behind_it(tmp_path: Path) -> None:
    """A question under way when the loop ends has nobody to be answered to."""

    async def main() -> None:
        async with open_ledger(LedgerPolicy(path=str(tmp_path / "ledger.db")), now_unix_s=now) as store:
            for number in range(200):
                store.append(reserved(f"r{number}"))
                store.sums(ALL).then(lambda _: None)

    trio.run(main)
    assert list(runs_directory(tmp_path / "ledger.db").iterdir()) == []
