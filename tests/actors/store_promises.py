"""What every store of the ledger promises, as tests: whoever writes one for a server derives from `DurablePromises`.

A subclass gives the fixture `shelf`: how a store is opened, and how what it owes is waited for.
"""

from __future__ import annotations

from typing import Protocol

import pytest

from manus.actors.ledger.records import AnyRecord
from manus.actors.ledger.rows import fold_records
from manus.actors.ledger.store import LedgerStore, Pending, Recovery, Refused, T
from manus.actors.ledger.sums import DAY_S, HOUR_S
from manus.messages.accounting import RequestStatus, Spent, SpentAsked, StatsAsked, UsageDimension, UsageRow
from manus.messages.ids import RequestKey
from manus.messages.limits import Scope
from tests.actors.books import BOUND, REPORTED, dispatched, doubted, released, reserved, settled
from tests.actors.ledger_walk import falls_under, same, spent_by, told, total_of, walk

NOW = 3 * DAY_S + 1000.0
EVERY_WAY: tuple[tuple[UsageDimension, ...], ...] = (
    (),
    ("provider", "model"),
    ("deployment",),
    ("key", "day"),
    ("tag",),
    ("conversation", "tag"),
)
SCOPES = (
    Scope(),
    Scope("provider", "alpha"),
    Scope("deployment", "beta/large"),
    Scope("key", "alpha#used"),
    Scope("tag", "team"),
    Scope("tag", "nobody"),
)


class Shelf(Protocol):
    """How stores of one kind are had in a test."""

    def open(self) -> LedgerStore:
        """Open a store, of the run `run`, whose clock says `NOW`; the next one is opened after this one's end."""
        ...

    def wait(self, pending: Pending[T]) -> T:
        """Wait until the store has what it owes."""
        ...


def a_history() -> list[AnyRecord]:
    """Calls of all kinds and all ends, over some days; some are open still."""
    records: list[AnyRecord] = []
    for number in range(40):
        name, at = f"r{number}", number * (NOW / 40)
        beta = number % 3 == 0
        records.append(
            reserved(
                name,
                at=at,
                provider="beta" if beta else "alpha",
                model="large" if beta else "small",
                deployment="beta/large" if beta else "alpha/small",
                key_fingerprint=(None, "expected")[number % 2],
                conversation_id=(None, "c1", "c2")[number % 3],
                tags=((), ("team",), ("team", "night"), ("team", "team"))[number % 4],
                request_key=f"key{number % 10}",
            )
        )
        if number % 5:
            records.append(dispatched(name, at=at, key=("used", None)[number % 2]))
        end = (settled, released, doubted, None)[number % 4]
        if end is not None:
            records.append(end(name, at=at + 1))
    return records


class StorePromises:
    """The promises. Each is a test of its own; all of them say what `LedgerStore` documents."""

    def keep(self, shelf: Shelf, store: LedgerStore, *records: AnyRecord) -> None:
        """Append, and hear that each is kept."""
        for record in records:
            appended = store.append(record)
            assert not isinstance(appended, Refused)
            if isinstance(appended, Pending):
                assert shelf.wait(appended) is True

    def sums(self, shelf: Shelf, store: LedgerStore, asked: StatsAsked) -> tuple[UsageRow, ...]:
        """Ask for totals."""
        rows = shelf.wait(store.sums(asked))
        assert not isinstance(rows, Refused)
        return rows

    def spent(self, shelf: Shelf, store: LedgerStore, *asked: SpentAsked) -> tuple[Spent, ...]:
        """Ask what was spent."""
        answer = shelf.wait(store.spent(asked))
        assert not isinstance(answer, Refused)
        return answer

    def status(self, shelf: Shelf, store: LedgerStore, key: str) -> RequestStatus:
        """Ask what became of a request."""
        status = shelf.wait(store.status(RequestKey(key)))
        assert not isinstance(status, Refused)
        return status

    def test_a_new_store_is_well_and_empty(self, shelf: Shelf) -> None:
        store = shelf.open()
        assert (store.trouble, store.recovered) == (None, Recovery())
        assert self.sums(shelf, store, StatsAsked()) == ()
        assert self.spent(shelf, store, SpentAsked(scope=Scope(), since_unix_s=0.0))[0].buckets == ()
        assert self.status(shelf, store, "k").state == "unknown"

    @pytest.mark.parametrize("by", EVERY_WAY)
    def test_totals_are_what_a_walk_over_all_rows_says(self, shelf: Shelf, by: tuple[UsageDimension, ...]) -> None:
        store = shelf.open()
        history = a_history()
        self.keep(shelf, store, *history)
        rows = list(fold_records(history, "run").values())
        for since, until in ((None, None), (HOUR_S * 1.5, None), (None, DAY_S * 2.0), (DAY_S * 0.7, DAY_S * 2.3)):
            asked = StatsAsked(since_unix_s=since, until_unix_s=until, by=by)
            assert same(told(self.sums(shelf, store, asked), by), walk(rows, asked))

    def test_spending_is_what_a_walk_over_all_rows_says_and_comes_in_order(self, shelf: Shelf) -> None:
        store = shelf.open()
        history = a_history()
        self.keep(shelf, store, *history)
        rows = list(fold_records(history, "run").values())
        for since in (0.0, HOUR_S * 1.5, DAY_S * 2.0, NOW - 400.0):
            asked = tuple(SpentAsked(scope=scope, since_unix_s=since) for scope in SCOPES)
            for spent, scope in zip(self.spent(shelf, store, *asked), SCOPES, strict=True):
                assert spent.scope == scope
                assert total_of(spent) == spent_by([row for row in rows if falls_under(row, scope)], since)
                starts = [bucket.at_unix_s for bucket in spent.buckets]
                assert starts == sorted(set(starts))
                assert all(start > since - HOUR_S for start in starts)

    def test_nobody_else_has_spent_anything_where_one_is_alone(self, shelf: Shelf) -> None:
        store = shelf.open()
        others = SpentAsked(scope=Scope(), since_unix_s=0.0, others_only=True)
        self.keep(shelf, store, *a_history()[:30])
        assert total_of(self.spent(shelf, store, others)[0]) == (0,) * 6
        self.keep(shelf, store, *a_history()[30:])
        assert total_of(self.spent(shelf, store, others)[0]) == (0,) * 6

    def test_a_question_sees_all_that_was_appended_before_it(self, shelf: Shelf) -> None:
        store = shelf.open()
        asked: list[Pending[tuple[UsageRow, ...] | Refused]] = []
        for number in range(20):
            store.append(reserved(f"r{number}"))
            asked.append(store.sums(StatsAsked(by=())))
        for number, pending in enumerate(asked):
            rows = shelf.wait(pending)
            assert not isinstance(rows, Refused)
            assert rows[0].requests > number, "and perhaps what came after"

    def test_a_record_that_is_appended_twice_counts_once(self, shelf: Shelf) -> None:
        store = shelf.open()
        for record in (reserved(), dispatched(), settled()):
            self.keep(shelf, store, record, record)
        (row,) = self.sums(shelf, store, StatsAsked(by=()))
        assert (row.requests, row.settled, row.usage) == (1, 1, REPORTED)

    def test_an_attempt_ends_once_and_the_first_end_stands(self, shelf: Shelf) -> None:
        store = shelf.open()
        self.keep(shelf, store, reserved(), dispatched(), settled(), doubted(), released())
        (row,) = self.sums(shelf, store, StatsAsked(by=()))
        assert (row.settled, row.in_doubt, row.released, row.open) == (1, 0, 0, 0)

    def test_a_step_of_an_attempt_that_nobody_reserved_is_nothing(self, shelf: Shelf) -> None:
        store = shelf.open()
        self.keep(shelf, store, dispatched("stranger"), settled("stranger"))
        assert self.sums(shelf, store, StatsAsked(by=()))[0].requests == 0

    def test_a_request_is_found_by_the_hosts_name_for_it_the_latest_one(self, shelf: Shelf) -> None:
        store = shelf.open()
        self.keep(shelf, store, reserved("old", request_key="k"), settled("old"))
        assert self.status(shelf, store, "k").state == "settled"
        self.keep(shelf, store, reserved("new", request_key="k"), dispatched("new"))
        status = self.status(shelf, store, "k")
        assert (status.state, status.request_id, status.attempts) == ("open", "new", 1)
        assert self.status(shelf, store, "other").state == "unknown"

    def test_closing_twice_is_closing_once(self, shelf: Shelf) -> None:
        store = shelf.open()
        self.keep(shelf, store, reserved(), dispatched())
        store.close()
        store.close()


class DurablePromises(StorePromises):
    """And what those promise that outlive their process. `shelf` opens the same books again and again."""

    def test_what_was_kept_outlives_its_run_and_nothing_of_it_stays_open(self, shelf: Shelf) -> None:
        store = shelf.open()
        self.keep(shelf, store, reserved("done"), settled("done"), reserved("sent"), dispatched("sent"))
        self.keep(shelf, store, reserved("unsent", request_key="k"))
        store.close()
        following = shelf.open()
        assert following.run_id != store.run_id
        (row,) = self.sums(shelf, following, StatsAsked(by=()))
        assert (row.settled, row.in_doubt, row.released, row.open) == (1, 1, 1, 0)
        assert (row.in_doubt_bound.total, row.in_doubt_cost_nano_usd) == (BOUND.total, 3_000_000)
        assert self.status(shelf, following, "k").state == "released"
        others = self.spent(shelf, following, SpentAsked(scope=Scope(), since_unix_s=0.0, others_only=True))[0]
        assert total_of(others) == (780_000, REPORTED.total, 3_000_000, BOUND.total, 0, 0)
