"""SQLite and the books in memory hold the same rows and give the same sums, however records are batched."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manus.actors.ledger.file import open_file, transaction
from manus.actors.ledger.records import AnyRecord, AttemptKey, AttemptReserved
from manus.actors.ledger.rows import LedgerRow, fold_records
from manus.actors.ledger.sqlite import (
    all_rows,
    end_run,
    in_doubt_rows,
    ingest,
    request_status,
    runs_with_open_rows,
)
from manus.actors.ledger.sqlite_sums import usage_sums
from manus.actors.ledger.store import MemoryStore
from manus.messages.accounting import StatsAsked
from manus.messages.ids import RequestKey
from manus.messages.usage import Usage
from tests.actors.books import BOUND, dispatched, doubted, released, reserved, settled


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = open_file(tmp_path / "ledger.db", durability="process", busy_s=1.0)
    yield connection
    connection.close()


def forget(connection: sqlite3.Connection) -> None:
    """Empty the file for the next example."""
    for table in ("attempts", "sums", "conversation_sums"):
        connection.execute(f"DELETE FROM {table}")


names = st.sampled_from(["a", "b", "c"])
numbers = st.integers(1, 2)
costs = st.none() | st.integers(0, 10**12)
steps: st.SearchStrategy[AnyRecord] = st.one_of(
    st.builds(
        reserved,
        names,
        numbers,
        st.floats(0, 1e6),
        model=st.sampled_from(["small", "large"]),
        request_key=st.none() | st.sampled_from(["k1", "k2"]),
        key_fingerprint=st.none() | st.sampled_from(["e1", "e2"]),
        tags=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), max_size=2).map(tuple),
        bound_cost_nano_usd=costs,
        bound=st.builds(Usage, input_uncached=st.integers(0, 10**9), source=st.just("bound")),
    ),
    st.builds(dispatched, names, numbers, key=st.none() | st.sampled_from(["u1", "u2"])),
    st.builds(settled, names, numbers, cost=costs),
    st.builds(released, names, numbers),
    st.builds(doubted, names, numbers),
)


def only_what_a_ledger_writes(records: list[AnyRecord]) -> list[AnyRecord]:
    """Leave out steps of an attempt before its intent, and let an intent that is read again be the same one."""
    known: dict[AttemptKey, AttemptReserved] = {}
    sensible: list[AnyRecord] = []
    for record in records:
        if isinstance(record, AttemptReserved):
            record = known.setdefault(record.key, record)
        if record.key in known:
            sensible.append(record)
    return sensible


@given(
    records=st.lists(steps, max_size=25).map(only_what_a_ledger_writes),
    cuts=st.sets(st.integers(0, 25)),
    again=st.integers(0, 25),
)
@settings(max_examples=200)
def test_batches_and_repetition_change_nothing(
    connection: sqlite3.Connection, records: list[AnyRecord], cuts: set[int], again: int
) -> None:
    connection.execute("PRAGMA synchronous = OFF")
    forget(connection)
    edges = [0, *sorted(cut for cut in cuts if cut < len(records)), len(records)]
    for start, end in itertools.pairwise(edges):
        with transaction(connection):
            ingest(connection, "run", records[start:end])
    with transaction(connection):
        # What a recovery does that finds records whose rows had been written: from some point, all again.
        ingest(connection, "run", records[again:])
    rows = {(row.request_id, row.attempt): row for row in all_rows(connection)}
    expected = fold_records(records, "run")
    assert rows == expected
    memory = MemoryStore(run_id="run")
    for record in records:
        memory.append(record)
    assert dict(memory.rows) == expected
    for since in (None, 5e5):
        asked = StatsAsked(since_unix_s=since)
        assert usage_sums(connection, asked) == memory.sums(asked).value
    for key in ("k1", "k2", "never"):
        assert request_status(connection, RequestKey(key)) == memory.status(RequestKey(key)).value
    for total in usage_sums(connection, StatsAsked()):
        assert total.requests == total.open + total.settled + total.released + total.in_doubt


def put(connection: sqlite3.Connection, *records: AnyRecord, run_id: str = "run") -> None:
    with transaction(connection):
        ingest(connection, run_id, list(records))


def test_an_unknown_cost_is_counted_and_never_summed_as_nothing(connection: sqlite3.Connection) -> None:
    put(connection, reserved("a"), settled("a", cost=None), reserved("b"), settled("b", cost=500))
    put(connection, reserved("c"), released("c"), reserved("d"))
    (total,) = usage_sums(connection, StatsAsked())
    assert (total.settled, total.released, total.open, total.unpriced) == (2, 1, 1, 1)
    assert total.cost_nano_usd == 500


def test_the_sources_of_a_sum_are_as_good_as_the_worst(connection: sqlite3.Connection) -> None:
    put(connection, reserved("a"), settled("a"))
    assert usage_sums(connection, StatsAsked())[0].usage.source == "reported"
    estimated = msgspec.structs.replace(settled("b"), usage=Usage(output=5, source="estimated"))
    put(connection, reserved("b"), estimated, reserved("c"), released("c"))
    assert usage_sums(connection, StatsAsked())[0].usage.source == "estimated"


def test_a_row_that_has_ended_stays_as_it_is(connection: sqlite3.Connection) -> None:
    put(connection, reserved("a"), settled("a"))
    put(connection, reserved("a"), dispatched("a"), released("a"))
    put(connection, doubted("a"))
    (row,) = all_rows(connection)
    assert (row.state, row.usage) == ("settled", settled("a").usage)


def test_the_same_request_id_in_two_runs_is_booked_twice(connection: sqlite3.Connection) -> None:
    put(connection, reserved("a"), settled("a"), run_id="one")
    put(connection, reserved("a"), settled("a"), run_id="two")
    assert usage_sums(connection, StatsAsked())[0].settled == 2


def test_ending_a_run_ends_its_own_open_rows_and_no_others(connection: sqlite3.Connection) -> None:
    put(connection, reserved("sent"), dispatched("sent"), reserved("unsent"), reserved("done"), settled("done"))
    put(connection, reserved("alive"), dispatched("alive"), run_id="other")
    assert sorted(runs_with_open_rows(connection)) == ["other", "run"]
    with transaction(connection):
        assert end_run(connection, "run", 9.0, certain=True) == (1, 1)
    states = {row.request_id: row.state for row in all_rows(connection)}
    assert states == {"sent": "in_doubt", "unsent": "released", "done": "settled", "alive": "dispatched"}
    (row,) = in_doubt_rows(connection, 10)
    assert (row.usage, row.cost_nano_usd, row.ended_unix_s) == (BOUND, 3_000_000, 9.0)
    assert runs_with_open_rows(connection) == ["other"]
    with transaction(connection):
        assert end_run(connection, "run", 10.0, certain=True) == (0, 0)


def test_without_the_whole_journal_no_intent_is_taken_for_unsent(connection: sqlite3.Connection) -> None:
    put(connection, reserved("a"))
    with transaction(connection):
        assert end_run(connection, "run", 9.0, certain=False) == (1, 0)


def test_what_is_in_doubt_comes_latest_first_and_bounded(connection: sqlite3.Connection) -> None:
    for number in range(5):
        put(connection, reserved(f"r{number}"), doubted(f"r{number}", at=float(number)))
    assert [row.request_id for row in in_doubt_rows(connection, 3)] == ["r4", "r3", "r2"]
    connection.close()


@pytest.mark.parametrize(
    ("records", "state"),
    [
        ([], "unknown"),
        ([reserved(request_key="k")], "open"),
        ([reserved(request_key="k"), released()], "released"),
        ([reserved(request_key="k"), settled(), reserved(attempt=2, request_key="k"), released(attempt=2)], "settled"),
        ([reserved(request_key="k"), doubted(), reserved(attempt=2, request_key="k"), settled(attempt=2)], "in_doubt"),
        ([reserved(request_key="k"), doubted(), reserved(attempt=2, request_key="k")], "open"),
    ],
)
def test_a_request_stands_as_its_least_certain_attempt(
    connection: sqlite3.Connection, records: list[AnyRecord], state: str
) -> None:
    put(connection, *records)
    status = request_status(connection, RequestKey("k"))
    assert status.state == state
    assert status.attempts == sum(isinstance(record, AttemptReserved) for record in records)


def test_a_key_used_again_means_the_latest_request(connection: sqlite3.Connection) -> None:
    put(connection, reserved("first", request_key="k"), settled("first"))
    put(connection, reserved("second", request_key="k"), released("second"))
    status = request_status(connection, RequestKey("k"))
    assert (status.request_id, status.state, status.cost_nano_usd) == ("second", "released", 0)


def test_the_questions_that_are_asked_often_use_an_index(connection: sqlite3.Connection) -> None:
    for query, index in (
        ("SELECT * FROM attempts WHERE request_key = 'k'", "attempts_named"),
        ("SELECT * FROM attempts WHERE run_id = 'r' AND ended_unix_s IS NULL", "attempts_open"),
        ("SELECT DISTINCT run_id FROM attempts WHERE ended_unix_s IS NULL", "attempts_open"),
        (
            "SELECT * FROM attempts WHERE state = 'in_doubt' ORDER BY ended_unix_s DESC, id DESC LIMIT 5",
            "attempts_in_doubt",
        ),
    ):
        plan = " ".join(str(step[3]) for step in connection.execute(f"EXPLAIN QUERY PLAN {query}"))
        assert index in plan, plan


def test_a_row_is_read_as_it_was_written(connection: sqlite3.Connection) -> None:
    intent = reserved(
        request_key="k", conversation_id="c", key_fingerprint="f", tags=("x", "y"), estimate_cost_nano_usd=None
    )
    put(connection, intent, dispatched(), settled())
    (row,) = all_rows(connection)
    assert isinstance(row, LedgerRow)
    assert row == fold_records([intent, dispatched(), settled()], "run")[intent.key]
    connection.close()


@pytest.mark.parametrize("used", ["used", None])
@pytest.mark.parametrize("ending", [(), (settled(),), (released(),)], ids=["open", "settled", "released"])
def test_a_row_names_the_key_that_was_used_however_its_records_are_gathered_and_reread(
    connection: sqlite3.Connection, used: str | None, ending: tuple[AnyRecord, ...]
) -> None:
    intent = reserved(key_fingerprint="expected")
    records: list[AnyRecord] = [intent, dispatched(key=used), *ending]
    for batches in ([records], [records[:1], records[1:]], [records[:1], records[1:2], records[2:]]):
        forget(connection)
        for batch in (*batches, *batches):
            put(connection, *batch)
        (row,) = all_rows(connection)
        assert row.key_fingerprint == (used or "expected")
        assert row == fold_records(records, "run")[intent.key]


@pytest.mark.parametrize("version", [None, "2026-12"])
def test_a_row_names_the_price_that_was_charged_however_its_records_are_gathered(
    connection: sqlite3.Connection, version: str | None
) -> None:
    records: list[AnyRecord] = [reserved(), msgspec.structs.replace(settled(), price_version=version)]
    for batches in ([records], [records[:1], records[1:]]):
        forget(connection)
        for batch in (*batches, *batches):
            put(connection, *batch)
        (row,) = all_rows(connection)
        assert row.price_version == (version or "2026-11")
        assert row == fold_records(records, "run")[records[0].key]
