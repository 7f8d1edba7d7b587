"""What is old leaves the file in small steps, totals never change by it, and nothing counts twice."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from manus.actors.ledger import retention
from manus.actors.ledger.file import open_file, transaction
from manus.actors.ledger.journaled import runs_directory
from manus.actors.ledger.records import AnyRecord
from manus.actors.ledger.recovery import recover
from manus.actors.ledger.retention import NAMED_DAYS, Retention
from manus.actors.ledger.sqlite import all_rows, ingest, request_status
from manus.actors.ledger.sqlite_spent import usage_spent
from manus.actors.ledger.sqlite_sums import usage_sums
from manus.actors.ledger.sums import DAY_S, FINE_FOR_S, HOUR_S, OTHERS
from manus.messages.accounting import Spent, SpentAsked, StatsAsked, UsageDimension
from manus.messages.ids import RequestKey
from manus.messages.limits import Scope
from tests.actors.books import Desk, dispatched, doubted, leave_dead_run, released, reserved, settled

NOW = 100 * DAY_S + 12.5 * HOUR_S
EVERY_WAY: tuple[tuple[UsageDimension, ...], ...] = (
    (),
    ("day",),
    ("provider", "model"),
    ("tag", "deployment"),
    ("key",),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def connection(path: Path) -> Iterator[sqlite3.Connection]:
    connection = open_file(path, durability="process", busy_s=1.0)
    runs_directory(path).mkdir()
    yield connection
    connection.close()


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    desk.close()


def put(connection: sqlite3.Connection, *records: AnyRecord, run_id: str = "over") -> None:
    with transaction(connection):
        ingest(connection, run_id, list(records))


def clear(connection: sqlite3.Connection, path: Path, *, keep_days: float | None = 30.0, now: float = NOW) -> int:
    """Take every step there is; give how many."""
    keeper = Retention(runs_directory(path), "mine", keep_days)
    steps = 1
    while keeper.step(connection, now, own_until_id=0):
        steps += 1
        assert steps < 1000
    return steps


def names(connection: sqlite3.Connection) -> list[str]:
    return [row.request_id for row in all_rows(connection)]


def put_one_a_day(connection: sqlite3.Connection, days: range) -> None:
    for day in days:
        at = day * DAY_S + 5000.0
        put(
            connection,
            reserved(f"d{day}", at=at, conversation_id=f"talk {day}", tags=("team", f"t{day % 3}")),
            (settled, released, doubted)[day % 3](f"d{day}", at=at + 1),
        )


def test_old_rows_go_and_every_total_stays(connection: sqlite3.Connection, path: Path) -> None:
    put_one_a_day(connection, range(90))
    put(connection, reserved("still open", at=5000.0), dispatched("still open"))
    before = [usage_sums(connection, StatsAsked(by=by)) for by in EVERY_WAY]
    since = [usage_sums(connection, StatsAsked(since_unix_s=day * DAY_S, by=())) for day in range(95)]

    clear(connection, path, keep_days=50.0)

    left = names(connection)
    assert "still open" in left
    doubted_since = NOW - NAMED_DAYS * DAY_S
    kept = [day for day in range(90) if day >= 50 or (day % 3 == 2 and day * DAY_S + 5000.0 >= doubted_since)]
    assert [name for name in left if name.startswith("d")] == [f"d{day}" for day in kept]
    assert [usage_sums(connection, StatsAsked(by=by)) for by in EVERY_WAY] == before
    assert [usage_sums(connection, StatsAsked(since_unix_s=day * DAY_S, by=())) for day in range(95)] == since


def test_what_ends_after_its_time_still_counts(connection: sqlite3.Connection, path: Path) -> None:
    put_one_a_day(connection, range(3))
    put(connection, reserved("slow", at=5000.0, conversation_id="slow talk"))
    clear(connection, path)
    (before,) = usage_sums(connection, StatsAsked(by=()))
    put(connection, settled("slow"))
    (after,) = usage_sums(connection, StatsAsked(by=()))
    assert (after.open, after.settled, after.requests) == (0, before.settled + 1, before.requests)


def test_without_a_term_rows_stay_for_ever(connection: sqlite3.Connection, path: Path) -> None:
    put_one_a_day(connection, range(5))
    clear(connection, path, keep_days=None)
    assert len(names(connection)) == 5


def test_ends_of_a_span_among_rows_that_are_gone_count_by_the_hour(connection: sqlite3.Connection, path: Path) -> None:
    for minute in (10, 50, 70):
        put(connection, reserved(f"m{minute}", at=minute * 60.0), settled(f"m{minute}"))
    put(connection, reserved("late", at=NOW), settled("late"))

    def within(since: float, until: float) -> int:
        return usage_sums(connection, StatsAsked(since_unix_s=since, until_unix_s=until, by=()))[0].settled

    assert within(30 * 60.0, 60 * 60.0) == 1
    clear(connection, path)
    assert names(connection) == ["late"]
    assert within(30 * 60.0, 60 * 60.0) == 0, "the hour began before that"
    assert within(0.0, 30 * 60.0) == 2, "the hour began within it"
    assert within(0.0, NOW) == 3
    assert within(0.0, NOW + 1) == 4
    assert within(60 * 60.0, 2 * 60 * 60.0) == 1


def test_a_window_that_begins_among_rows_that_are_gone_counts_its_first_hour_whole(
    connection: sqlite3.Connection, path: Path
) -> None:
    for minute in (10, 50):
        put(connection, reserved(f"m{minute}", at=minute * 60.0), settled(f"m{minute}"))
    put(connection, reserved("late", at=NOW), settled("late"))
    clear(connection, path)
    asked = (SpentAsked(scope=Scope(), since_unix_s=30 * 60.0),)
    (spent,) = usage_spent(connection, asked, now_unix_s=NOW, own_run_id="mine")
    assert [bucket.cost_nano_usd for bucket in spent.buckets] == [2 * 780_000, 780_000], (
        "rather too much than too little"
    )


def test_requests_that_hosts_ask_for_and_doubts_stay_for_two_bills(connection: sqlite3.Connection, path: Path) -> None:
    day = 100 - NAMED_DAYS
    for name, at in (("long ago", (day - 1) * DAY_S), ("of late", (day + 1) * DAY_S)):
        put(connection, reserved(name, at=at, request_key=f"key {name}"), settled(name))
        put(connection, reserved(f"{name} doubted", at=at), doubted(f"{name} doubted"))
    put(connection, reserved("today", at=NOW), settled("today"))
    clear(connection, path, keep_days=7.0)
    assert names(connection) == ["of late", "of late doubted", "today"]
    assert request_status(connection, RequestKey("key of late")).state == "settled"


def test_old_conversations_are_summed_up_together(connection: sqlite3.Connection, path: Path) -> None:
    put_one_a_day(connection, range(40, 90))
    put(connection, reserved("alone", at=41 * DAY_S), settled("alone"))
    (before,) = usage_sums(connection, StatsAsked(by=()))
    clear(connection, path)
    rows = usage_sums(connection, StatsAsked(by=("conversation",)))
    assert [row.conversation for row in rows] == [None, OTHERS, *(f"talk {day}" for day in range(70, 90))]
    assert sum(row.requests for row in rows) == before.requests
    assert sum(row.cost_nano_usd for row in rows) == before.cost_nano_usd
    tables = "SELECT count(DISTINCT conversation_id) FROM conversation_sums WHERE start_unix_s < ?"
    assert connection.execute(tables, (70 * DAY_S,)).fetchone() == (1,)


def test_steps_are_small_and_go_on_where_they_were(
    connection: sqlite3.Connection, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "_OLD_ROWS", retention._OLD_ROWS.replace("LIMIT 500", "LIMIT 3"))
    put_one_a_day(connection, range(30))
    keeper = Retention(runs_directory(path), "mine", 1.0)
    sizes = [len(names(connection))]
    while keeper.step(connection, NOW, own_until_id=0):
        sizes.append(len(names(connection)))
    assert all(before - after <= 3 for before, after in itertools.pairwise(sizes))
    assert sizes[-1] == 1, "the last row stays, so that ids only grow"
    assert not keeper.step(connection, NOW + 60, own_until_id=0)


def test_nothing_goes_that_a_journal_can_bring_back(connection: sqlite3.Connection, path: Path) -> None:
    """A run whose journal is still there is read in again when it dies: what had gone by then would count twice."""
    records: list[AnyRecord] = [reserved("a", at=5000.0), settled("a")]
    leave_dead_run(path, "dead", records)
    put(connection, *records, run_id="dead")
    put(connection, reserved("b", at=5000.0), settled("b"))
    put(connection, reserved("c", at=NOW), settled("c"))
    clear(connection, path)
    assert names(connection) == ["a", "c"]
    recover(connection, runs_directory(path), own_run_id="mine", at_unix_s=NOW)
    assert usage_sums(connection, StatsAsked(by=()))[0].settled == 3
    clear(connection, path)
    assert names(connection) == ["c"]
    assert usage_sums(connection, StatsAsked(by=()))[0].settled == 3


def test_fine_sums_go_when_nobody_needs_them_so_fine_and_hours_take_their_place(
    connection: sqlite3.Connection, path: Path
) -> None:
    for number in range(20):
        put(connection, reserved(f"r{number}", at=NOW - number * HOUR_S * 6), settled(f"r{number}"))

    def spent(since: float, now: float) -> Spent:
        asked = (SpentAsked(scope=Scope(), since_unix_s=since),)
        (told,) = usage_spent(connection, asked, now_unix_s=now, own_run_id="mine")
        return told

    before = spent(0.0, NOW)
    clear(connection, path, keep_days=None)
    assert spent(0.0, NOW) == before
    fine = "SELECT count(*) FROM sums WHERE length_s = 300 AND start_unix_s < ?"
    assert connection.execute(fine, (NOW - 3 * FINE_FOR_S,)).fetchone() == (0,)
    # The clock goes back: what is recent by it has no fine sums any more, and none of it is forgotten.
    backwards = spent(NOW - 4 * DAY_S, NOW - 3 * DAY_S)
    assert sum(bucket.cost_nano_usd for bucket in backwards.buckets) == 780_000 * 17


def test_a_clock_that_goes_back_brings_nothing_back_and_clears_nothing_more(
    connection: sqlite3.Connection, path: Path
) -> None:
    put_one_a_day(connection, range(60, 90))
    clear(connection, path, keep_days=20.0)
    left, total = names(connection), usage_sums(connection, StatsAsked(by=("day",)))
    clear(connection, path, keep_days=20.0, now=NOW - 50 * DAY_S)
    put(connection, reserved("again", at=61 * DAY_S + 7.0), settled("again"))
    clear(connection, path, keep_days=20.0, now=NOW - 50 * DAY_S)
    assert names(connection) == [*left, "again"]
    after = usage_sums(connection, StatsAsked(by=("day",)))
    assert sum(row.requests for row in after) == sum(row.requests for row in total) + 1


def test_a_run_clears_its_own_rows_once_its_journal_has_moved_on(desk: Desk, path: Path) -> None:
    """The rows of a living run go too, though its journal could bring them back: not before it cannot."""
    store = desk.open(path, now=NOW, keep_days=1.0, run_id="mine")
    for number in range(5):
        store.append(reserved(f"old {number}", at=5000.0))
        store.append(settled(f"old {number}"))
    desk.wait(store.sums(StatsAsked()))

    def rows_left() -> int:
        reader = sqlite3.connect(path)
        count = reader.execute("SELECT count(*) FROM attempts WHERE request_id LIKE 'old%'").fetchone()[0]
        reader.close()
        return int(count)

    assert rows_left() == 5
    desk.wait_until(lambda: store._journal.worn or store._journal.current.number > 1)
    store.append(reserved("new", at=NOW))
    store.append(settled("new"))
    (total,) = desk.wait(store.sums(StatsAsked(by=())))  # type: ignore[misc]
    assert total.settled == 6
    assert store._journal.current.number == 2, "the journal has moved on"
    store._filler._idle_s = 0.01
    store.append(reserved("newer", at=NOW))
    desk.wait_until(lambda: rows_left() == 0)
    (total,) = desk.wait(store.sums(StatsAsked(by=())))  # type: ignore[misc]
    assert (total.settled, total.open) == (6, 1)


def test_room_that_got_free_is_used_again(connection: sqlite3.Connection, path: Path) -> None:
    def fill(day: int) -> None:
        records: list[AnyRecord] = []
        for number in range(500):
            records += [reserved(f"{day}-{number}", at=day * DAY_S + number), settled(f"{day}-{number}")]
        put(connection, *records)

    for day in range(6):
        fill(day)
        clear(connection, path, keep_days=2.0, now=day * DAY_S + DAY_S / 2)
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    for day in range(6, 12):
        fill(day)
        clear(connection, path, keep_days=2.0, now=day * DAY_S + DAY_S / 2)
    assert connection.execute("PRAGMA page_count").fetchone()[0] <= pages * 1.1
    assert usage_sums(connection, StatsAsked(by=()))[0].settled == 6000


def test_no_row_goes_whose_intent_is_in_the_segment_at_hand(desk: Desk, path: Path) -> None:
    """Killed now, the run would be read in again from its journal, and what had gone would count twice."""
    store = desk.open(path, now=NOW, run_id="mine")
    for number in range(3):
        store.append(reserved(f"old {number}", at=5000.0))
        store.append(settled(f"old {number}"))
        desk.wait(store.sums(StatsAsked()))
    assert store._journal.current.number == 1
    keeper = Retention(runs_directory(path), "mine", 1.0)
    connection = open_file(path, durability="process", busy_s=1.0)
    while keeper.step(connection, NOW, own_until_id=store._filler._own_until_id):
        pass
    assert names(connection) == ["old 0", "old 1", "old 2"]
    connection.close()
