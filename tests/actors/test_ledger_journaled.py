"""The durable store: what it accepted is in SQLite at the end, and what the disk refuses is refused, never lost."""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from manus.actors.ledger import threads
from manus.actors.ledger.file import LedgerUnusable, open_file, open_file_to_read
from manus.actors.ledger.journal import Segment
from manus.actors.ledger.journaled import JournaledStore, runs_directory
from manus.actors.ledger.records import AnyRecord
from manus.actors.ledger.sqlite import all_rows, ingest
from manus.actors.ledger.store import Pending, Recovery, Refused
from manus.messages.accounting import RequestStatus, StatsAsked, UsageRow
from manus.messages.ids import RequestKey
from tests.actors.books import Desk, dispatched, leave_dead_run, released, reserved, settled


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    desk.close()


def rows_of(path: Path) -> dict[str, str]:
    connection = open_file_to_read(path, busy_s=5.0)
    rows: dict[str, str] = {row.request_id: row.state for row in all_rows(connection)}
    connection.close()
    return rows


def append(store: JournaledStore, *records: AnyRecord) -> None:
    for record in records:
        assert not isinstance(store.append(record), Refused)


def totals(desk: Desk, store: JournaledStore) -> UsageRow:
    rows = desk.wait(store.sums(StatsAsked()))
    assert isinstance(rows, tuple)
    (row,) = rows
    return row


def test_a_clean_end_leaves_rows_and_no_files(desk: Desk, path: Path) -> None:
    store = desk.open(path)
    append(store, reserved("a"), dispatched("a"), settled("a"), reserved("b"), released("b"))
    store.close()
    store.close()
    assert rows_of(path) == {"a": "settled", "b": "released"}
    assert list(runs_directory(path).iterdir()) == []
    assert desk.open(path).recovered == Recovery()


def test_a_clean_end_leaves_nothing_open(desk: Desk, path: Path) -> None:
    store = desk.open(path)
    append(store, reserved("sent"), dispatched("sent"), reserved("unsent"))
    store.close()
    assert rows_of(path) == {"sent": "in_doubt", "unsent": "released"}


def test_opening_books_dead_runs_and_says_so(desk: Desk, path: Path) -> None:
    desk.open(path).close()
    leave_dead_run(path, "dead", [reserved("a"), dispatched("a")])
    store = desk.open(path)
    assert store.recovered == Recovery(runs=1, in_doubt=1)
    store.close()
    assert rows_of(path) == {"a": "in_doubt"}


def test_two_living_runs_share_one_file(desk: Desk, path: Path) -> None:
    one, two = desk.open(path), desk.open(path)
    append(one, reserved("a"), dispatched("a"))
    append(two, reserved("b"), settled("b"))
    assert desk.wait(one.status(RequestKey("none"))) == RequestStatus(request_key=RequestKey("none"), state="unknown")
    two.close()
    three = desk.open(path)
    assert three.recovered == Recovery(), "the first is alive"
    assert rows_of(path) == {"a": "dispatched", "b": "settled"}
    append(one, settled("a"))
    one.close()
    three.close()
    assert rows_of(path) == {"a": "settled", "b": "settled"}


def test_a_question_sees_all_that_was_appended_before_it(
    desk: Desk, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # While the thread writes a batch, more is appended and then asked for: the answer must wait for that as well.
    store = desk.open(path)
    asked: list[Pending[tuple[UsageRow, ...] | Refused]] = []

    def ingest_while_more_comes(connection: sqlite3.Connection, run_id: str, records: list[AnyRecord]) -> None:
        ingest(connection, run_id, records)
        if not asked:
            append(store, reserved("late"), settled("late"))
            asked.append(store.sums(StatsAsked()))

    monkeypatch.setattr(threads, "ingest", ingest_while_more_comes)
    append(store, reserved("early"))
    desk.wait_until(lambda: bool(asked))
    rows = desk.wait(asked[0])
    assert isinstance(rows, tuple)
    assert rows[0].requests == 2
    store.close()


def test_segments_go_once_sqlite_has_them(desk: Desk, path: Path) -> None:
    store = desk.open(path, segment_bytes=65536, open_max=16)
    for number in range(600):
        name = f"r{number}"
        while isinstance(store.append(reserved(name)), Refused):
            desk.wait_until(lambda: store._filler.backlog == 0)
        append(store, dispatched(name), settled(name))
        if number % 50 == 0:
            assert totals(desk, store).requests == number + 1
            # The one in use, the spare, and at most the one that was in use when the last batch was taken.
            assert len(list(runs_directory(path).glob("*.journal"))) <= 3
    store.close()
    assert rows_of(path) == {f"r{number}": "settled" for number in range(600)}


def test_no_segment_goes_before_sqlite_has_all_of_it(desk: Desk, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # While a batch out of the first segment is written, that segment gets more records and is left for the next one.
    store = desk.open(path, segment_bytes=65536, open_max=16)
    first = next(runs_directory(path).glob("*.00000001.journal"))
    seen: list[bool] = []

    def ingest_while_the_segment_is_left(connection: sqlite3.Connection, run_id: str, records: list[AnyRecord]) -> None:
        if len(seen) == 1:
            for number in range(500):
                if store._journal.current.number == 1:
                    append(store, reserved(f"more{number}"), settled(f"more{number}"))
        seen.append(first.exists())
        if len(seen) == 3:
            raise sqlite3.OperationalError("injected: not this time")
        ingest(connection, run_id, records)

    monkeypatch.setattr(threads, "ingest", ingest_while_the_segment_is_left)
    append(store, reserved("a"))
    desk.wait_until(lambda: len(seen) == 1)
    append(store, settled("a"))
    desk.wait_until(lambda: not first.exists())
    assert len(seen) >= 4, "one, the other, what came meanwhile in vain, and again"
    assert all(seen)
    store.close()
    assert set(rows_of(path).values()) == {"settled"}


class Blocked:
    """Another process that writes to the ledger for as long as the test likes."""

    def __init__(self, path: Path) -> None:
        self._connection = open_file(path, durability="process", busy_s=5.0)
        self._connection.execute("BEGIN IMMEDIATE")

    def let_go(self) -> None:
        self._connection.execute("ROLLBACK")
        self._connection.close()


def test_while_sqlite_is_locked_calls_go_on_up_to_the_backlog_and_nothing_is_lost(desk: Desk, path: Path) -> None:
    store = desk.open(path, busy_s=0.01, backlog_max=20)
    blocked = Blocked(path)
    names = [f"r{number}" for number in range(10)]
    for name in names:
        append(store, reserved(name), dispatched(name))
    desk.wait_until(lambda: store.trouble is not None)
    assert "locked" in (store.trouble or "")
    refused = store.append(reserved("one too many"))
    assert isinstance(refused, Refused)
    assert "locked" in refused.reason
    append(store, *(settled(name) for name in names))
    answer = desk.wait(store.sums(StatsAsked()))
    assert isinstance(answer, Refused)
    blocked.let_go()
    desk.wait_until(lambda: store.trouble is None)
    append(store, reserved("welcome"), settled("welcome"))
    store.close()
    assert rows_of(path) == dict.fromkeys([*names, "welcome"], "settled")


def test_an_end_that_sqlite_does_not_let_happen_is_recovered_by_the_next_start(desk: Desk, path: Path) -> None:
    store = desk.open(path, busy_s=0.01)
    blocked = Blocked(path)
    append(store, reserved("a"), settled("a"), reserved("b"), dispatched("b"))
    store.close()
    assert rows_of(path) == {}
    blocked.let_go()
    assert desk.open(path).recovered == Recovery(runs=1, in_doubt=1)
    assert rows_of(path) == {"a": "settled", "b": "in_doubt"}


def fail_with(code: int) -> Callable[..., int]:
    def fail(*_: object) -> int:
        raise OSError(code, os.strerror(code))

    return fail


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT])
def test_a_disk_that_refuses_is_told_and_what_it_refused_may_be_appended_again(
    desk: Desk, path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    store = desk.open(path)
    append(store, reserved("a"), dispatched("a"))
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", fail_with(code))
        for record in (settled("a"), reserved("b")):
            refused = store.append(record)
            assert isinstance(refused, Refused)
            assert os.strerror(code) in refused.reason
            assert store.trouble == refused.reason
    append(store, settled("a"))
    assert store.trouble is None
    store.close()
    assert rows_of(path) == {"a": "settled"}


def test_on_a_disk_that_has_filled_up_what_was_admitted_can_still_be_booked(
    desk: Desk, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = desk.open(path, segment_bytes=65536, open_max=16)
    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", fail_with(errno.ENOSPC))
        admitted: list[str] = []
        while len(admitted) < 1000:
            name = f"r{len(admitted)}"
            if isinstance(store.append(reserved(name)), Refused):
                break
            admitted.append(name)
            append(store, dispatched(name))
            if len(admitted) > 12:
                append(store, settled(admitted[len(admitted) - 13]))
        assert 100 < len(admitted) < 1000
        append(store, *(settled(name) for name in admitted[-12:]))
        desk.wait_until(lambda: store.trouble is not None)
        assert "no room" in (store.trouble or "")
    desk.wait_until(lambda: not isinstance(store.append(reserved("again")), Refused))
    store.close()
    assert rows_of(path) == dict.fromkeys(admitted, "settled") | {"again": "released"}


@pytest.mark.parametrize(
    "record",
    [reserved(tags=("x" * 20_000,)), reserved(conversation_id="\ud83d")],
    ids=["too long", "lone surrogate"],
)
def test_an_intent_that_cannot_be_written_is_refused_and_harms_nothing(
    desk: Desk, path: Path, record: AnyRecord
) -> None:
    store = desk.open(path)
    assert isinstance(store.append(record), Refused)
    assert store.trouble is None
    append(store, reserved("b"), settled("b"))
    store.close()
    assert rows_of(path) == {"b": "settled"}


def test_with_power_durability_a_record_is_confirmed_after_its_sync(
    desk: Desk, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_sync = threading.Event()
    real_sync = Segment.sync

    def slow_sync(segment: Segment) -> None:
        assert let_sync.wait(30)
        real_sync(segment)

    store = desk.open(path, durability="power")
    monkeypatch.setattr(Segment, "sync", slow_sync)
    first, second = store.append(reserved("a")), store.append(dispatched("a"))
    assert isinstance(first, Pending)
    assert isinstance(second, Pending)
    assert desk.posted.empty()
    let_sync.set()
    assert desk.wait(second)
    assert first.done
    assert first.value
    store.close()
    assert rows_of(path) == {"a": "in_doubt"}


def test_a_sync_that_fails_is_not_confirmed_and_the_next_record_goes_elsewhere(
    desk: Desk, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = desk.open(path, durability="power")
    with monkeypatch.context() as patch:
        patch.setattr(Segment, "sync", fail_with(errno.EIO))
        pending = store.append(reserved("a"))
        assert isinstance(pending, Pending)
        assert not desk.wait(pending)
        assert "does not sync" in (store.trouble or "")
    pending = store.append(settled("a"))
    assert isinstance(pending, Pending)
    assert desk.wait(pending)
    assert store.trouble is None
    assert store._journal.current.number == 2
    store.close()
    assert rows_of(path) == {"a": "settled"}


class Reading:
    """Another process that reads the ledger, and sees it as it was when it began."""

    def __init__(self, path: Path) -> None:
        self._connection = open_file_to_read(path, busy_s=1.0)
        self._connection.execute("BEGIN")
        self._connection.execute("SELECT count(*) FROM attempts").fetchone()

    def finish(self) -> None:
        self._connection.execute("COMMIT")
        self._connection.close()


def test_readers_in_the_way_do_not_let_the_log_grow_without_end(
    desk: Desk, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "FOLD_PAUSE_S", 0.0)
    wal_bytes = 200_000
    store = desk.open(path, wal_bytes=wal_bytes, backlog_max=40)
    log = Path(f"{path}-wal")
    # One that stays: the log grows to its last bound, then records wait in the journal, then calls are refused.
    reading = Reading(path)
    names = [f"r{number}" for number in range(2000)]
    booked: list[str] = []
    for name in names:
        refused = store.append(reserved(name, tags=("x" * 4000,)))
        if isinstance(refused, Refused):
            if store.trouble is not None:
                break
            desk.wait_until(lambda: store._filler.backlog == 0 or store.trouble is not None)
            continue
        append(store, settled(name))
        booked.append(name)
    assert "long read" in (store.trouble or "")
    assert log.stat().st_size < 8 * wal_bytes
    reading.finish()
    desk.wait_until(lambda: store.trouble is None)
    assert totals(desk, store).settled == len(booked)
    assert log.stat().st_size <= 4 * wal_bytes
    store.close()


def test_a_place_without_room_for_a_journal_is_refused(desk: Desk, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", fail_with(errno.ENOSPC))
        with pytest.raises(LedgerUnusable, match="make room"):
            desk.open(path)
    assert list(runs_directory(path).iterdir()) == []
    desk.open(path).close()


def test_segments_too_small_for_their_promises_are_refused(desk: Desk, path: Path) -> None:
    with pytest.raises(LedgerUnusable, match="segment_bytes"):
        desk.open(path, segment_bytes=4096)
