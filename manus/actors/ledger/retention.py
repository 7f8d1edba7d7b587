"""Own what leaves the ledger's file, and when: old rows, old conversations, sums that nobody needs so fine any more.

Totals never change by it. Rows that have ended go `keep_days` after their reservation; their sums stay, exact to the
hour. What names a request (`request_key`) or is in doubt stays for `NAMED_DAYS` at least: a host that asks what became
of its request must not be told that there was none, and a doubt is settled by the vendor's bill, which comes once a
month. Conversations go with their rows: from then on they are summed up under `OTHERS`. The pages that get free are
used again; the file stays as large as it was at most.

A row goes only when no journal is left that tells of it: read in again, it would count twice. So a run's rows stay as
long as its files do, but for those of this run whose segments have been removed.

Everything happens in steps of a few hundred rows, each a transaction of its own, by the thread that fills the file,
when it has nothing else to do. Any number of processes may do it at once.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec

from manus.actors.ledger.file import transaction
from manus.actors.ledger.recovery import runs_in
from manus.actors.ledger.schema import (
    ADD_UP,
    CONVERSATION_SUMS,
    FINE_KEPT_S,
    FINE_MARK,
    LABELS,
    ROWS_MARK,
    VALUES,
    added_up,
)
from manus.actors.ledger.sums import DAY_S, FINE_S, OTHERS, bucket_of

NAMED_DAYS = 62.0
"""For so long at least rows in doubt, and rows with a request's key, are kept: two bills."""

STEP_ROWS = 500
"""Rows that one transaction clears away: another process waits for it for some 10 ms."""

_OLD_ROWS = (
    "SELECT id, created_unix_s FROM attempts WHERE created_unix_s >= ? AND created_unix_s < ? "
    "AND ended_unix_s IS NOT NULL AND (created_unix_s < ? OR (request_key IS NULL AND state <> 'in_doubt')) "
    # Ids of new rows stay above those of old ones as long as the last row stays.
    "AND id < (SELECT max(id) FROM attempts) "
    "AND (run_id NOT IN (SELECT value FROM json_each(?)) OR (run_id = ? AND id <= ?)) "
    f"ORDER BY created_unix_s LIMIT {STEP_ROWS}"
)
_OLD_FINE = "sums WHERE length_s = ? AND start_unix_s < ?"
_OLD_CONVERSATIONS = "conversation_sums WHERE start_unix_s = ? AND conversation_id <> ? AND conversation_id <= ?"


class Retention:
    """Clears away what is old, step by step."""

    def __init__(self, directory: Path, run_id: str, keep_days: float | None) -> None:
        self._directory = directory
        self._run_id = run_id
        self._keep_days = keep_days
        self._cleared_until = 0  # all that is to go before this moment has gone
        self._at_unix_s = 0.0  # where the walk over old rows is

    def step(self, connection: sqlite3.Connection, now_unix_s: float, *, own_until_id: int) -> bool:
        """Clear away a little; whether there is more.

        Args:
            own_until_id: rows of this run up to this id are in no journal any more.
        """
        if self._clear_fine(connection, bucket_of(max(0.0, now_unix_s - FINE_KEPT_S), DAY_S)):
            return True
        if self._keep_days is None:
            return False
        until = bucket_of(max(0.0, now_unix_s - self._keep_days * DAY_S), DAY_S)
        if until <= self._cleared_until:
            return False
        if self._clear_rows(connection, until, now_unix_s, own_until_id) or _gather_conversations(connection, until):
            return True
        self._cleared_until, self._at_unix_s = until, 0.0
        return False

    def _clear_fine(self, connection: sqlite3.Connection, until: int) -> bool:
        oldest = connection.execute(
            f"SELECT start_unix_s FROM {_OLD_FINE} ORDER BY start_unix_s LIMIT {STEP_ROWS}", (FINE_S, until)
        ).fetchall()
        if not oldest:
            return False
        before = oldest[-1][0] + 1
        with transaction(connection):
            _set_mark(connection, FINE_MARK, until)
            connection.execute(f"DELETE FROM {_OLD_FINE}", (FINE_S, before))
            if connection.execute("SELECT 1 FROM temp.sqlite_master WHERE name = 'own_sums'").fetchone() is not None:
                connection.execute(f"DELETE FROM own_{_OLD_FINE}", (FINE_S, before))
        return True

    def _clear_rows(self, connection: sqlite3.Connection, until: int, now_unix_s: float, own_until_id: int) -> bool:
        assert self._keep_days is not None
        named_until = now_unix_s - max(self._keep_days, NAMED_DAYS) * DAY_S
        with transaction(connection):
            # Read within the transaction: a run that has left its files by now is over and cannot write another row.
            there = msgspec.json.encode(sorted(runs_in(self._directory))).decode()
            found = connection.execute(
                _OLD_ROWS, (self._at_unix_s, until, named_until, there, self._run_id, own_until_id)
            ).fetchall()
            if not found:
                return False
            _set_mark(connection, ROWS_MARK, until)
            connection.executemany("DELETE FROM attempts WHERE id = ?", [(row_id,) for row_id, _ in found])
        self._at_unix_s = found[-1][1]
        return True


def _gather_conversations(connection: sqlite3.Connection, until: int) -> bool:
    """Sum up some conversations of the oldest day that has any."""
    oldest = connection.execute(
        "SELECT start_unix_s, conversation_id FROM conversation_sums WHERE start_unix_s < ? AND conversation_id <> ? "
        f"ORDER BY start_unix_s, conversation_id LIMIT {STEP_ROWS}",
        (until, OTHERS),
    ).fetchall()
    if not oldest:
        return False
    start = oldest[0][0]
    last = max(conversation for day, conversation in oldest if day == start)
    names = f"{', '.join(LABELS)}, state"
    with transaction(connection):
        _set_mark(connection, ROWS_MARK, until)
        connection.execute(
            f"INSERT INTO conversation_sums {CONVERSATION_SUMS} SELECT start_unix_s, ? AS others, {names}, "
            f"{added_up(VALUES)} FROM {_OLD_CONVERSATIONS} GROUP BY start_unix_s, {names} {ADD_UP}",
            (OTHERS, start, OTHERS, last),
        )
        connection.execute(f"DELETE FROM {_OLD_CONVERSATIONS}", (start, OTHERS, last))
    return True


def _set_mark(connection: sqlite3.Connection, name: str, since_unix_s: int) -> None:
    connection.execute(
        "INSERT INTO marks VALUES (?, ?) ON CONFLICT DO UPDATE "
        "SET since_unix_s = max(since_unix_s, excluded.since_unix_s)",
        (name, since_unix_s),
    )
