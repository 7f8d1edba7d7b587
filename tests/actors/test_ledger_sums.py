"""Totals by any dimension, and what scopes have spent, are what a plain walk over the rows says, in both stores."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from manus.actors.ledger import sqlite_spent
from manus.actors.ledger.file import open_file, transaction
from manus.actors.ledger.records import AnyRecord
from manus.actors.ledger.sqlite import ingest
from manus.actors.ledger.sqlite_spent import usage_spent
from manus.actors.ledger.sqlite_sums import usage_sums
from manus.actors.ledger.store import MemoryStore, Refused
from manus.actors.ledger.sums import FINE_FOR_S, FINE_S, HOUR_S
from manus.messages.accounting import Spent, SpentAsked, SpentBucket, StatsAsked, UsageRow
from manus.messages.limits import Scope
from tests.actors.books import BOUND, REPORTED, dispatched, doubted, released, reserved, settled

DAY = 86_400.0
NOW = 20 * DAY


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = open_file(tmp_path / "ledger.db", durability="process", busy_s=1.0)
    yield connection
    connection.close()


class BothBooks:
    """The same records in SQLite and in memory; what is asked must be answered alike."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.memory = MemoryStore(run_id="run")

    def keep(self, *records: AnyRecord) -> None:
        with transaction(self.connection):
            ingest(self.connection, "run", list(records))
        for record in records:
            self.memory.append(record)

    def sums(self, asked: StatsAsked) -> tuple[UsageRow, ...]:
        told = usage_sums(self.connection, asked)
        assert self.memory.sums(asked).value == told
        return told

    def spent(self, scope: Scope, since: float = 0.0, *, now: float = NOW) -> Spent:
        asked = SpentAsked(scope=scope, since_unix_s=since)
        (told,) = usage_spent(self.connection, (asked,), now_unix_s=now, own_run_id="run")
        (remembered,) = answered(self.memory.spent((asked,)).value)
        assert sum_of(remembered) == sum_of(told)
        return told


def answered(value: tuple[Spent, ...] | Refused) -> tuple[Spent, ...]:
    assert not isinstance(value, Refused)
    return value


def sum_of(spent: Spent) -> tuple[int, ...]:
    names = [name for name in SpentBucket.__struct_fields__ if name != "at_unix_s"]
    return tuple(sum(getattr(bucket, name) for bucket in spent.buckets) for name in names)


@pytest.fixture
def books(connection: sqlite3.Connection) -> BothBooks:
    return BothBooks(connection)


def test_no_dimension_gives_one_row_even_of_nothing(books: BothBooks) -> None:
    (nothing,) = books.sums(StatsAsked(by=()))
    assert (nothing.requests, nothing.usage.total, nothing.usage.source) == (0, 0, "reported")
    books.keep(reserved("a"), settled("a"), reserved("b", model="large"), released("b"))
    (row,) = books.sums(StatsAsked(by=()))
    assert (row.requests, row.settled, row.released, row.provider, row.model) == (2, 1, 1, None, None)
    assert row.cost_nano_usd == 780_000


def test_what_was_not_asked_for_is_not_told_and_rows_come_in_the_order_of_their_names(books: BothBooks) -> None:
    books.keep(reserved("a", provider="beta"), reserved("b", model="large"), reserved("c"))
    rows = books.sums(StatsAsked(by=("model", "provider")))
    assert [(row.model, row.provider) for row in rows] == [("large", "alpha"), ("small", "alpha"), ("small", "beta")]
    assert all(row.deployment is row.key is row.tag is row.conversation is row.day is None for row in rows)


def test_an_attempt_counts_once_under_each_of_its_tags(books: BothBooks) -> None:
    books.keep(reserved("a", tags=("x", "y", "x")), settled("a"), reserved("b", tags=("y",)), settled("b"))
    books.keep(reserved("c"), settled("c"), reserved("d", tags=("",)))
    rows = books.sums(StatsAsked(by=("tag",)))
    assert [(row.tag, row.requests) for row in rows] == [(None, 2), ("x", 1), ("y", 2)]


def test_keys_are_named_as_scopes_name_them(books: BothBooks) -> None:
    books.keep(reserved("a", key_fingerprint="f1"), reserved("b", provider="beta", key_fingerprint="f1"), reserved("c"))
    rows = books.sums(StatsAsked(by=("key",)))
    assert [(row.key, row.requests) for row in rows] == [(None, 1), ("alpha#f1", 1), ("beta#f1", 1)]
    assert sum_of(books.spent(Scope("key", "beta#f1")))[5] == BOUND.total


def test_the_key_that_was_used_counts_and_not_the_one_that_was_expected(books: BothBooks) -> None:
    books.keep(reserved("a", key_fingerprint="f1"), dispatched("a", key="f2"), settled("a"))
    assert [row.key for row in books.sums(StatsAsked(by=("key",)))] == ["alpha#f2"]


def test_days_are_those_of_the_reservation_in_utc(books: BothBooks) -> None:
    books.keep(reserved("a", at=DAY - 0.001), settled("a", at=3 * DAY), reserved("b", at=DAY), released("b"))
    rows = books.sums(StatsAsked(by=("day", "conversation")))
    assert [(row.day, row.requests, row.settled) for row in rows] == [("1970-01-01", 1, 1), ("1970-01-02", 1, 0)]


def test_a_span_has_its_beginning_and_not_its_end(books: BothBooks) -> None:
    for number, at in enumerate((99.9, 100.0, 199.9, 200.0)):
        books.keep(reserved(f"r{number}", at=at), settled(f"r{number}"))
    (row,) = books.sums(StatsAsked(since_unix_s=100.0, until_unix_s=200.0, by=()))
    assert row.settled == 2


def test_rows_that_are_our_estimate_are_counted(books: BothBooks) -> None:
    import msgspec

    guess = msgspec.structs.replace(settled("b"), usage=msgspec.structs.replace(REPORTED, source="estimated"))
    books.keep(reserved("a"), settled("a"), reserved("b"), guess, reserved("c"), doubted("c"))
    (row,) = books.sums(StatsAsked(by=()))
    assert (row.settled, row.estimated, row.in_doubt) == (2, 1, 1)


def test_a_scope_spends_what_is_settled_and_in_doubt_and_what_open_calls_may_cost(books: BothBooks) -> None:
    books.keep(reserved("a"), settled("a"), reserved("b"), doubted("b"), reserved("c"), reserved("d"), released("d"))
    books.keep(reserved("e", bound_cost_nano_usd=None), settled("e", cost=None))
    spent = books.spent(Scope())
    assert spent.buckets == (
        SpentBucket(
            at_unix_s=0,
            cost_nano_usd=780_000,
            tokens=2 * REPORTED.total,
            in_doubt_cost_nano_usd=3_000_000,
            in_doubt_tokens=BOUND.total,
            open_cost_nano_usd=3_000_000,
            open_tokens=BOUND.total,
        ),
    )


@pytest.mark.parametrize(
    ("scope", "calls"),
    [
        (Scope(), 3),
        (Scope("provider", "alpha"), 2),
        (Scope("provider", "alph"), 0),
        (Scope("deployment", "alpha/small"), 1),
        (Scope("deployment", "alpha/large"), 2),
        (Scope("key", "alpha#f1"), 1),
        (Scope("key", "alpha#"), 0),
        (Scope("tag", "team-a"), 2),
        (Scope("tag", "team"), 0),
        (Scope("tag", ","), 0),
    ],
)
def test_a_scope_is_matched_whole(books: BothBooks, scope: Scope, calls: int) -> None:
    books.keep(reserved("a", key_fingerprint="f1", tags=("team-a", "x")), settled("a"))
    books.keep(reserved("b", deployment="alpha/large", tags=("team-a",)), settled("b"))
    books.keep(reserved("c", provider="beta", deployment="alpha/large"), settled("c"))
    assert sum_of(books.spent(scope))[:2] == (calls * 780_000, calls * REPORTED.total)


def test_a_window_begins_within_a_bucket(books: BothBooks) -> None:
    since = NOW - 1000.0
    books.keep(reserved("before", at=since - 0.5), settled("before"), reserved("after", at=since), settled("after"))
    spent = books.spent(Scope(), since=since)
    assert [bucket.cost_nano_usd for bucket in spent.buckets] == [780_000]


def test_buckets_are_fine_for_recent_times_and_of_an_hour_before(connection: sqlite3.Connection) -> None:
    books = BothBooks(connection)
    long_ago = NOW - 3 * FINE_FOR_S
    for number, at in enumerate((long_ago, long_ago + FINE_S, NOW - FINE_S, NOW - 1)):
        books.keep(reserved(f"r{number}", at=at), settled(f"r{number}"))
    spent = books.spent(Scope())
    assert [bucket.at_unix_s for bucket in spent.buckets] == [long_ago, NOW - FINE_S]
    assert long_ago % HOUR_S == 0
    assert [bucket.cost_nano_usd for bucket in spent.buckets] == [2 * 780_000, 2 * 780_000]


def test_others_are_all_runs_but_ones_own(connection: sqlite3.Connection) -> None:
    for run_id in ("mine", "dead", "alive"):
        with transaction(connection):
            ingest(connection, run_id, [reserved("a"), settled("a"), reserved("b"), reserved("c"), doubted("c")])
    asked = (SpentAsked(scope=Scope(), since_unix_s=0.0, others_only=True), SpentAsked(scope=Scope(), since_unix_s=0.0))
    others, everybody = usage_spent(connection, asked, now_unix_s=NOW, own_run_id="mine")
    assert [part * 3 for part in sum_of(others)] == [part * 2 for part in sum_of(everybody)]
    (memory,) = answered(MemoryStore().spent(asked[:1]).value)
    assert memory.buckets == ()


def test_a_span_over_days_is_exact_at_both_ends(books: BothBooks) -> None:
    since, until = 2000.5, 2 * DAY + 2000.5
    moments = (since - 1, since, 3 * HOUR_S, DAY - 0.001, DAY, 2 * DAY, until - 1, until)
    for number, at in enumerate(moments):
        books.keep(reserved(f"r{number}", at=at), settled(f"r{number}"))
    (row,) = books.sums(StatsAsked(since_unix_s=since, until_unix_s=until, by=()))
    assert row.settled == len(moments) - 2
    assert [row.settled for row in books.sums(StatsAsked(by=("day",)))] == [4, 1, 3]


def test_calls_with_a_conversation_and_without_count_once_whatever_they_are_split_by(books: BothBooks) -> None:
    for number, talk in enumerate(("c1", "c1", "c2", None, "")):
        books.keep(reserved(f"r{number}", at=DAY + number, conversation_id=talk), settled(f"r{number}"))
    rows = books.sums(StatsAsked(by=("conversation",)))
    assert [(row.conversation, row.settled) for row in rows] == [(None, 2), ("c1", 2), ("c2", 1)]
    assert books.sums(StatsAsked(by=()))[0].settled == 5


def test_what_others_spent_is_read_again_only_when_somebody_else_has_written(
    connection: sqlite3.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[SpentAsked] = []

    def noted(*arguments: Any, **names: Any) -> tuple[Spent, ...]:
        read.extend(arguments[1])
        return usage_spent(*arguments, **names)

    monkeypatch.setattr(sqlite_spent, "usage_spent", noted)
    others = sqlite_spent.OthersSpent("mine", 0)
    month, day = (SpentAsked(scope=Scope(), since_unix_s=since, others_only=True) for since in (0.0, DAY))
    everybody = SpentAsked(scope=Scope(), since_unix_s=0.0)

    def spent() -> list[int]:
        return [sum_of(told)[0] for told in others.read(connection, (month, everybody, day), NOW)]

    assert spent() == [0, 0, 0]
    with transaction(connection):
        ingest(connection, "mine", [reserved("a"), settled("a")])
    assert spent() == [0, 780_000, 0]
    assert read == [month, everybody, day, everybody]
    elsewhere = open_file(tmp_path / "ledger.db", durability="process", busy_s=1.0)
    with transaction(elsewhere):
        ingest(elsewhere, "other", [reserved("a", at=DAY), settled("a"), reserved("b"), settled("b", cost=5)])
    elsewhere.close()
    assert spent() == [780_005, 1_560_005, 780_000]
    assert read[4:] == [month, everybody, day]
