"""Own what the command line reads of a ledger file: as a run that closes dead ones first, or as one who only looks.

A reader makes, changes and locks nothing, so it may look at the books of a living process as often as it likes. What
that process wrote within its `gather_s` is not in the file yet.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeVar

import trio

from manus.actors.ledger.file import LedgerUnusable, open_file_to_read
from manus.actors.ledger.opening import open_ledger
from manus.actors.ledger.rows import LedgerRow
from manus.actors.ledger.sqlite import in_doubt_rows
from manus.actors.ledger.sqlite_spent import usage_spent
from manus.actors.ledger.sqlite_sums import usage_sums
from manus.actors.ledger.store import LedgerStore, Refused
from manus.messages.accounting import Spent, SpentAsked, StatsAsked, UsageRow, UsageStats
from manus.messages.policy import LedgerPolicy
from manus.reports import UsageReport, usage_report

T = TypeVar("T")


class LedgerSilent(Exception):
    """The ledger was opened and could not answer; the text says why."""


def no_report(asked: StatsAsked) -> UsageReport:
    """Give the books of which there are none yet."""
    return usage_report(_stats(asked, ()), UsageRow())


def closed_report(policy: LedgerPolicy, asked: StatsAsked) -> UsageReport:
    """Add the books up, once the runs that died are closed.

    Raises:
        LedgerUnusable: the file cannot be opened.
        LedgerSilent: it cannot be read.
    """
    return trio.run(_closed_report, policy, asked)


def doubted_calls(policy: LedgerPolicy, asked: StatsAsked, limit: int) -> list[LedgerRow]:
    """List the calls in doubt of a span of time, the latest `limit` of all of them, the latest first.

    Raises:
        LedgerUnusable: the file cannot be read.
    """
    with _reading(policy) as connection:
        rows = in_doubt_rows(connection, limit)
    since, until = asked.since_unix_s or float("-inf"), asked.until_unix_s or float("inf")
    return [row for row in rows if since <= row.created_unix_s < until]


def looked_up(policy: LedgerPolicy, look: Callable[[Reader], T]) -> T:
    """Look at the books as they stand in the file; between two questions they may move on.

    Raises:
        LedgerUnusable: the file cannot be read.
    """
    with _reading(policy) as connection:
        return look(Reader(connection))


class Reader:
    """Answers questions about the books in one open file; each answer is of one moment."""

    __slots__ = ("_connection",)

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def report(self, asked: StatsAsked) -> UsageReport:
        """Add up a span of time."""
        total = usage_sums(self._connection, _together(asked))[0] if "tag" in asked.by else None
        return usage_report(_stats(asked, usage_sums(self._connection, asked)), total)

    def spent(self, asked: tuple[SpentAsked, ...], now_unix_s: float) -> tuple[Spent, ...]:
        """Say what scopes have spent."""
        return usage_spent(self._connection, asked, now_unix_s=now_unix_s, own_run_id="")


@contextmanager
def _reading(policy: LedgerPolicy) -> Iterator[sqlite3.Connection]:
    assert policy.path is not None, "books in memory are read by nobody else"
    with closing(open_file_to_read(Path(policy.path), busy_s=policy.busy_s)) as connection:
        try:
            yield connection
        except sqlite3.Error as error:
            raise LedgerUnusable(f"the ledger {policy.path} cannot be read: {error}") from None


async def _closed_report(policy: LedgerPolicy, asked: StatsAsked) -> UsageReport:
    async with open_ledger(policy, now_unix_s=time.time) as store:
        rows = await _sums(store, asked)
        total = (await _sums(store, _together(asked)))[0] if "tag" in asked.by else None
        return usage_report(_stats(asked, rows, recovered_in_doubt=store.recovered.in_doubt), total)


async def _sums(store: LedgerStore, asked: StatsAsked) -> tuple[UsageRow, ...]:
    told = trio.Event()
    pending = store.sums(asked)
    if not pending.done:
        pending.then(lambda _: told.set())
        await told.wait()
    if isinstance(pending.value, Refused):
        raise LedgerSilent(f"the books cannot be read: {pending.value.reason}")
    return pending.value


def _together(asked: StatsAsked) -> StatsAsked:
    return StatsAsked(since_unix_s=asked.since_unix_s, until_unix_s=asked.until_unix_s, by=())


def _stats(asked: StatsAsked, rows: tuple[UsageRow, ...], *, recovered_in_doubt: int = 0) -> UsageStats:
    return UsageStats(
        rows=rows,
        since_unix_s=asked.since_unix_s,
        until_unix_s=asked.until_unix_s,
        by=asked.by,
        recovered_in_doubt=recovered_in_doubt,
    )
