"""Over any history, what the file and the books in memory add up to is what a plain walk over the rows says.

Histories have several runs, records that are read in twice, recoveries, rows that are cleared away, and times all over
the place.
"""

from __future__ import annotations

import itertools
import math
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from manus.actors.ledger.file import open_file, transaction
from manus.actors.ledger.records import AnyRecord, AttemptKey, AttemptReserved
from manus.actors.ledger.retention import Retention
from manus.actors.ledger.rows import LedgerRow, ending_of_orphan, fold_records, next_row
from manus.actors.ledger.schema import LENGTHS_S
from manus.actors.ledger.spans import cut
from manus.actors.ledger.sqlite import end_run, ingest
from manus.actors.ledger.sqlite_spent import usage_spent
from manus.actors.ledger.sqlite_sums import usage_sums
from manus.actors.ledger.store import MemoryStore
from manus.actors.ledger.sums import DAY_S, HOUR_S, OTHERS
from manus.messages.accounting import SpentAsked, StatsAsked, UsageDimension
from manus.messages.limits import Scope, ScopeKind
from manus.messages.usage import Usage
from tests.actors.books import dispatched, doubted, released, reserved, settled
from tests.actors.ledger_walk import falls_under, same, spent_by, told, total_of, walk

RUNS = ("mine", "other")
NOW = 4.0 * DAY_S + 1000.0
DIMENSIONS: tuple[UsageDimension, ...] = ("provider", "model", "deployment", "key", "tag", "conversation", "day")

# Few moments, so that many rows lie at the edges of buckets, of spans that are asked for, and together.
MOMENTS = (0.0, 299.999, 300.0, 1800.0, 3599.999, 3600.0, 3700.0, DAY_S - 0.001, DAY_S, DAY_S + 10.0, 2.0 * DAY_S)
moments = st.sampled_from([*MOMENTS, NOW - DAY_S, NOW - 400.0, NOW]) | st.floats(0, NOW + 100)
tags = st.sampled_from(["a", "b", '"', ",", '","', "\\", "ab", ""])
names = st.sampled_from([f"r{number}" for number in range(8)])
usages = st.builds(
    Usage,
    input_uncached=st.integers(0, 10**9),
    cache_read=st.integers(0, 5),
    output=st.integers(0, 5),
    reasoning=st.integers(0, 5),
    source=st.sampled_from(["reported", "estimated"]),
)
intents = st.builds(
    reserved,
    names,
    st.integers(1, 2),
    moments,
    provider=st.sampled_from(["alpha", "beta"]),
    model=st.sampled_from(["small", "large"]),
    deployment=st.sampled_from(["alpha/small", "beta/large#k"]),
    key_fingerprint=st.none() | st.sampled_from(["f1", "f2", ""]),
    conversation_id=st.none() | st.sampled_from(["c1", "c2", ""]),
    tags=st.lists(tags, max_size=3).map(tuple),
    bound=st.builds(Usage, input_uncached=st.integers(0, 9), output=st.integers(0, 9), source=st.just("bound")),
    bound_cost_nano_usd=st.none() | st.integers(0, 10**9),
)
endings: st.SearchStrategy[AnyRecord] = st.one_of(
    st.builds(settled, names, st.integers(1, 2), cost=st.none() | st.integers(0, 10**9)),
    st.builds(released, names, st.integers(1, 2)),
    st.builds(doubted, names, st.integers(1, 2)),
    st.builds(
        lambda ending, usage: msgspec.structs.replace(ending, usage=usage),
        st.builds(settled, names, st.integers(1, 2)),
        usages,
    ),
)
steps = st.one_of(intents, endings, st.builds(dispatched, names, st.integers(1, 2), key=st.none() | st.just("used")))
runs = st.sampled_from(RUNS)


@st.composite
def calls(draw: st.DrawFn) -> list[tuple[str, AnyRecord]]:
    """All steps of a call that came to its end, in one run."""
    run_id, intent, ending = draw(runs), draw(intents), draw(endings)
    same_call = {"request_id": intent.request_id, "attempt": intent.attempt}
    sent = [dispatched(intent.request_id, intent.attempt, key=draw(st.none() | st.just("used")))]
    steps = [intent, *(sent if draw(st.booleans()) else []), msgspec.structs.replace(ending, **same_call)]
    return [(run_id, step) for step in steps]


# Calls that came to their end, and steps that came as they like.
histories = st.lists(calls() | st.tuples(runs, steps).map(lambda step: [step]), max_size=12).map(
    lambda parts: [step for part in parts for step in part]
)
questions = st.builds(
    StatsAsked,
    since_unix_s=st.none() | moments,
    until_unix_s=st.none() | moments,
    by=st.lists(st.sampled_from(DIMENSIONS), max_size=3, unique=True).map(tuple),
)
kinds: st.SearchStrategy[ScopeKind] = st.sampled_from(["all", "provider", "deployment", "key", "tag"])
scopes = st.builds(Scope, kinds, tags | st.sampled_from(["alpha", "beta/large#k", "alpha#f1", "beta#used", "beta#"]))


def sensible(history: list[tuple[str, AnyRecord]]) -> list[tuple[str, AnyRecord]]:
    """Leave out steps before their intent, and let an intent that is read again be the same one."""
    known: dict[tuple[str, AttemptKey], AttemptReserved] = {}
    kept: list[tuple[str, AnyRecord]] = []
    for run_id, record in history:
        if isinstance(record, AttemptReserved):
            record = known.setdefault((run_id, record.key), record)
        if (run_id, record.key) in known:
            kept.append((run_id, record))
    return kept


# -- the same histories in both books


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = open_file(tmp_path / "ledger.db", durability="process", busy_s=1.0)
    connection.execute("PRAGMA synchronous = OFF")
    yield connection
    connection.close()


def begin_anew(connection: sqlite3.Connection) -> None:
    for trigger in ("own_at_once", "own_later"):
        connection.execute(f"DROP TRIGGER IF EXISTS temp.{trigger}")
    connection.execute("DROP TABLE IF EXISTS temp.own_sums")
    for table in ("attempts", "sums", "conversation_sums", "marks"):
        connection.execute(f"DELETE FROM {table}")


def keep(connection: sqlite3.Connection, history: Sequence[tuple[str, AnyRecord]], batch: int) -> None:
    """Bring a history in as several processes would, in batches of one run each."""
    for start in range(0, len(history), batch):
        for run_id in RUNS:
            with transaction(connection):
                ingest(connection, run_id, [record for run, record in history[start : start + batch] if run == run_id])


def rows_of(history: list[tuple[str, AnyRecord]]) -> list[LedgerRow]:
    runs = [fold_records([record for run, record in history if run == run_id], run_id) for run_id in RUNS]
    return [row for run in runs for row in run.values()]


@given(
    history=histories.map(sensible),
    batch=st.integers(1, 8),
    again=st.integers(0, 30),
    recovered=st.booleans(),
    asked=st.lists(questions, min_size=1, max_size=3),
)
@settings(max_examples=100)
def test_totals_are_what_a_walk_over_the_rows_says(
    connection: sqlite3.Connection,
    history: list[tuple[str, AnyRecord]],
    batch: int,
    again: int,
    recovered: bool,
    asked: list[StatsAsked],
) -> None:
    begin_anew(connection)
    keep(connection, history, batch)
    keep(connection, history[again:], 30)
    rows = rows_of(history)
    if recovered:
        with transaction(connection):
            end_run(connection, "other", NOW, certain=True)
        rows = [
            next_row(row, ending_of_orphan(row, NOW, certain=True), row.run_id) or row
            if row.is_open and row.run_id == "other"
            else row
            for row in rows
        ]
        keep(connection, history, 5)
    for question in asked:
        assert same(told(usage_sums(connection, question), question.by), walk(rows, question))
    alone = MemoryStore(run_id="mine")
    for run_id, record in history:
        if run_id == "mine":
            alone.append(record)
    own = [row for row in rows if row.run_id == "mine"]
    for question in asked:
        assert same(told(alone.sums(question).value, question.by), walk(own, question))


@given(
    history=histories.map(sensible),
    asked_early=st.integers(0, 30),
    keep_days=st.none() | st.floats(0, 5),
    scope=scopes,
    since=moments,
    now=st.just(NOW) | moments,
    others_only=st.booleans(),
)
@settings(max_examples=100)
def test_spending_is_what_a_walk_over_the_rows_says(
    connection: sqlite3.Connection,
    tmp_path: Path,
    history: list[tuple[str, AnyRecord]],
    asked_early: int,
    keep_days: float | None,
    scope: Scope,
    since: float,
    now: float,
    others_only: bool,
) -> None:
    begin_anew(connection)
    asked = SpentAsked(scope=scope, since_unix_s=since, others_only=others_only)
    keep(connection, history[:asked_early], 4)
    usage_spent(connection, (asked,), now_unix_s=now, own_run_id="mine")
    keep(connection, history, 4)
    keeper = Retention(tmp_path, "mine", keep_days)
    while keep_days is not None and keeper.step(connection, NOW, own_until_id=0):
        pass
    (spent,) = usage_spent(connection, (asked,), now_unix_s=now, own_run_id="mine")
    rows = [row for row in rows_of(history) if falls_under(row, scope) and not (others_only and row.run_id == "mine")]
    expected, at_most = spent_by(rows, since), spent_by(rows, since - HOUR_S)
    total = total_of(spent)
    if connection.execute("SELECT 1 FROM marks").fetchone() is None:
        assert total == expected
    else:
        assert all(low <= each <= high for low, each, high in zip(expected, total, at_most, strict=True))
    starts = [bucket.at_unix_s for bucket in spent.buckets]
    assert starts == sorted(set(starts))
    assert all(start % 300 == 0 and start > since - HOUR_S for start in starts)


@given(
    history=histories.map(sensible),
    more=histories.map(sensible),
    keep_days=st.floats(0, 5),
    by=st.lists(st.sampled_from(DIMENSIONS), max_size=3, unique=True).map(tuple),
)
@settings(max_examples=60)
def test_clearing_away_changes_no_total(
    connection: sqlite3.Connection,
    tmp_path: Path,
    history: list[tuple[str, AnyRecord]],
    more: list[tuple[str, AnyRecord]],
    keep_days: float,
    by: tuple[UsageDimension, ...],
) -> None:
    """But for conversations that are too old to be told apart; those add up to the same together."""
    begin_anew(connection)
    keep(connection, history, 4)
    keeper = Retention(tmp_path, "mine", keep_days)
    asked = StatsAsked(by=by)
    rows = rows_of(history)
    while keeper.step(connection, NOW, own_until_id=0):
        assert same(gathered(told(usage_sums(connection, asked), by), by), gathered(walk(rows, asked), by))
    # What is open may still end, however long ago it began.
    open_keys = {(row.run_id, row.request_id, row.attempt) for row in rows if row.is_open}
    later = [
        (run_id, record)
        for run_id, record in more
        if not isinstance(record, AttemptReserved) and (run_id, *record.key) in open_keys
    ]
    keep(connection, later, 3)
    rows = rows_of([*history, *later])
    assert same(gathered(told(usage_sums(connection, asked), by), by), gathered(walk(rows, asked), by))
    for day in range(6):
        from_day = StatsAsked(since_unix_s=float(day * DAY_S), by=())
        assert same(told(usage_sums(connection, from_day), ()), walk(rows, from_day))


def gathered(
    sums: dict[tuple[str | None, ...], Counter[str]], by: tuple[UsageDimension, ...]
) -> dict[tuple[str | None, ...], Counter[str]]:
    """Take all conversations for one."""
    together: dict[tuple[str | None, ...], Counter[str]] = {}
    for place, count in sums.items():
        names = tuple(
            OTHERS if dimension == "conversation" and name else name for dimension, name in zip(by, place, strict=True)
        )
        together.setdefault(names, Counter()).update(count)
    return together


@given(
    history=histories.map(sensible),
    rows_max=st.integers(0, 3),
    sums_max=st.integers(0, 3),
    by=st.lists(st.sampled_from([each for each in DIMENSIONS if each != "tag"]), max_size=3, unique=True).map(tuple),
)
@settings(max_examples=60)
def test_books_in_memory_lose_nothing_when_they_are_full(
    history: list[tuple[str, AnyRecord]], rows_max: int, sums_max: int, by: tuple[UsageDimension, ...]
) -> None:
    mine = [record for run_id, record in history if run_id == "mine"]
    # An intent that is told again after its row has left begins it anew: the actor above never does that.
    mine = [record for number, record in enumerate(mine) if record not in mine[:number]]
    store = MemoryStore(run_id="mine", rows_max=rows_max, sums_max=sums_max)
    for record in mine:
        store.append(record)
    asked = StatsAsked(by=by)
    rows = list(fold_records(mine, "mine").values())
    assert same(gathered(told(store.sums(asked).value, by), by), gathered(walk(rows, asked), by))
    assert len(store._folded) <= sums_max + len({(int(row.created_unix_s // DAY_S), *row_labels(row)) for row in rows})


def row_labels(row: LedgerRow) -> tuple[object, ...]:
    """Name what books in memory always tell apart."""
    has_tags, has_conversation = bool(row.tags), bool(row.conversation_id)
    return (row.provider, row.model, row.deployment, row.key_fingerprint, has_tags, has_conversation)


@given(since=moments | st.just(-math.inf), until=moments | st.just(math.inf), lengths=st.integers(1, 3))
@example(since=0.0, until=0.0, lengths=2)
@settings(max_examples=200)
def test_the_pieces_of_a_span_are_all_of_it_and_do_not_overlap(since: float, until: float, lengths: int) -> None:
    pieces = cut(since, until, -math.inf, *sorted(LENGTHS_S, reverse=True)[:lengths])
    ordered = sorted(pieces, key=lambda piece: piece.since)
    assert all(piece.since < piece.until for piece in pieces)
    assert all(one.until == other.since for one, other in itertools.pairwise(ordered))
    if since < until:
        assert (ordered[0].since, ordered[-1].until) == (since, until)
    else:
        assert not pieces
    for piece in pieces:
        edges = [edge for edge in (piece.since, piece.until) if not math.isinf(edge)]
        assert piece.length_s == 0 or all(edge % piece.length_s == 0 for edge in edges)
    assert sum(piece.length_s == 0 for piece in pieces) <= 2
