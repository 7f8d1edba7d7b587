"""Own how spending is read from SQLite, for budgets: in buckets of time, with or without this run's own attempts.

What others have spent is what everybody has less what this run has: its own sums are kept apart by its own connection,
from the first time that is asked, and go with it.
"""

from __future__ import annotations

import math
import sqlite3
from typing import assert_never

import msgspec

from manus.actors.ledger.file import one_state
from manus.actors.ledger.schema import (
    COUNTS,
    FINE_MARK,
    LABELS,
    ROWS_MARK,
    SUMMED,
    labels_of,
    own_sums,
    start_of,
    values_of,
)
from manus.actors.ledger.spans import Piece
from manus.actors.ledger.sqlite_sums import mark
from manus.actors.ledger.sums import FINE_S, HOUR_S, bucket_of, fine_from_unix_s, sum_buckets
from manus.messages.accounting import Spent, SpentAsked, SpentBucket
from manus.messages.limits import Scope

# Every text here is put together from names of our own and holds nothing that came from outside.
_TOKENS = " + ".join(COUNTS[:5])
_BOUND_TOKENS = " + ".join(f"json_extract(bound, '$[{place}]')" for place in range(5))
assert COUNTS[:5] == ("input_uncached", "cache_read", "cache_write_short", "cache_write_long", "output")

_READ = ", ".join(("start_unix_s", *LABELS, "state", *SUMMED))
_SPENT = ", ".join(
    f"sum(CASE state WHEN '{state}' THEN sign * ({value}) ELSE 0 END)"
    for state in ("settled", "in_doubt")
    for value in ("cost_nano_usd", _TOKENS)
)


def _row_labels() -> str:
    return ", ".join(f"{value} AS {name}" for name, value in zip(LABELS, labels_of("attempts"), strict=True))


def _ended_rows(length_s: int) -> str:
    values = ", ".join(f"{value} AS {name}" for name, value in zip(SUMMED, values_of("attempts"), strict=False))
    return (
        f"SELECT {start_of('attempts', length_s)} AS start_unix_s, {_row_labels()}, state, {values}, 1 AS sign "
        "FROM attempts WHERE ended_unix_s IS NOT NULL AND created_unix_s >= ? AND created_unix_s < ? AND run_id <> ?"
    )


def usage_spent(
    connection: sqlite3.Connection,
    asked: tuple[SpentAsked, ...],
    *,
    now_unix_s: float,
    own_run_id: str,
    own_after_id: int = 0,
) -> tuple[Spent, ...]:
    """Say what each scope has spent since its moment. All rows of the run `own_run_id` have ids above `own_after_id`.

    Where rows have been cleared away, the whole bucket that a window begins in counts.
    """
    if any(one.others_only for one in asked):
        _keep_own_sums(connection, own_run_id, own_after_id)
    with one_state(connection):
        rows_from = mark(connection, ROWS_MARK)
        fine_from = max(float(fine_from_unix_s(now_unix_s)), mark(connection, FINE_MARK))
        return tuple(_spent(connection, one, rows_from, fine_from, own_run_id) for one in asked)


class OthersSpent:
    """What others have spent, remembered for as long as nobody else writes to the file.

    A budget asks every second, and where one process is alone nothing of the answer can have changed.
    """

    __slots__ = ("_after_id", "_run_id", "_told", "_version")

    def __init__(self, run_id: str, after_id: int) -> None:
        self._run_id = run_id
        self._after_id = after_id
        self._told: dict[SpentAsked, Spent] = {}
        self._version = -1

    def read(
        self, connection: sqlite3.Connection, asked: tuple[SpentAsked, ...], now_unix_s: float
    ) -> tuple[Spent, ...]:
        """Answer as `usage_spent` does."""
        # Looked at before the rows are: what is written in between is read now, and again the next time.
        version = connection.execute("PRAGMA data_version").fetchone()[0]
        known = self._told if version == self._version else {}
        new = tuple(one for one in asked if one not in known)
        answers = usage_spent(
            connection, new, now_unix_s=now_unix_s, own_run_id=self._run_id, own_after_id=self._after_id
        )
        told = known | dict(zip(new, answers, strict=True))
        self._version = version
        self._told = {one: told[one] for one in asked if one.others_only}
        return tuple(told[one] for one in asked)


def _keep_own_sums(connection: sqlite3.Connection, run_id: str, after_id: int) -> None:
    if connection.execute("SELECT 1 FROM temp.sqlite_master WHERE name = 'own_sums'").fetchone() is not None:
        return
    connection.execute("PRAGMA temp_store = MEMORY")  # a full disk shall not keep the books from being written
    with one_state(connection):
        for statement in own_sums(run_id, after_id):
            connection.execute(statement)


def _spent(
    connection: sqlite3.Connection, asked: SpentAsked, rows_from: float, fine_from: float, own_run_id: str
) -> Spent:
    length_s = FINE_S if asked.since_unix_s >= fine_from else HOUR_S
    first = bucket_of(asked.since_unix_s, length_s)
    sources: list[str] = []
    values: list[float | str] = []
    left_out = own_run_id if asked.others_only else ""
    if first < asked.since_unix_s and asked.since_unix_s >= rows_from:
        first += length_s
        sources.append(_ended_rows(length_s))
        values += [asked.since_unix_s, first, left_out]
    for table, sign in (("sums", 1), ("own_sums", -1)) if asked.others_only else (("sums", 1),):
        for piece in (Piece(HOUR_S, first, fine_from), Piece(FINE_S, max(float(first), fine_from), math.inf)):
            if piece.since < piece.until:
                sources.append(
                    f"SELECT {_READ}, {sign} AS sign FROM {table} "
                    f"WHERE length_s = {piece.length_s} AND start_unix_s >= ? AND start_unix_s < ?"
                )
                values += [piece.since, piece.until]
    condition, names = _condition(asked.scope)
    query = f"SELECT start_unix_s, {_SPENT} FROM ({' UNION ALL '.join(sources)}) WHERE {condition} GROUP BY 1"
    ended = [
        SpentBucket(
            at_unix_s=at, cost_nano_usd=cost, tokens=tokens, in_doubt_cost_nano_usd=doubt, in_doubt_tokens=doubted
        )
        for at, cost, tokens, doubt, doubted in connection.execute(query, [*values, *names])
        if cost or tokens or doubt or doubted
    ]
    return sum_buckets(asked, [*ended, *_open(connection, asked, fine_from, left_out)])


def _open(connection: sqlite3.Connection, asked: SpentAsked, fine_from: float, left_out: str) -> list[SpentBucket]:
    """Say what open rows may spend at most."""
    condition, names = _condition(asked.scope)
    query = (
        f"SELECT at, sum(cost), sum(tokens) FROM (SELECT {_row_labels()}, coalesce(bound_cost_nano_usd, 0) AS cost, "
        f"{_BOUND_TOKENS} AS tokens, CASE WHEN created_unix_s >= ? THEN {start_of('attempts', FINE_S)} "
        f"ELSE {start_of('attempts', HOUR_S)} END AS at FROM attempts INDEXED BY attempts_open "
        f"WHERE ended_unix_s IS NULL AND created_unix_s >= ? AND run_id <> ?) WHERE {condition} GROUP BY at"
    )
    found = connection.execute(query, [fine_from, asked.since_unix_s, left_out, *names])
    return [SpentBucket(at_unix_s=at, open_cost_nano_usd=cost, open_tokens=tokens) for at, cost, tokens in found]


def _condition(scope: Scope) -> tuple[str, list[str]]:
    """Give the condition on labels that a scope is, and what it is compared with."""
    match scope.kind:
        case "all":
            return "true", []
        case "provider" | "deployment":
            return f"{scope.kind} = ?", [scope.name]
        case "key":
            return "key_fingerprint <> '' AND provider || '#' || key_fingerprint = ?", [scope.name]
        case "tag":
            # The first is no proof, since quotes stand between tags too, but it leaves little for the second to read.
            quoted = msgspec.json.encode(scope.name).decode()
            among = "instr(tags, ?) AND EXISTS (SELECT 1 FROM json_each(tags) WHERE value = ?)"
            return among, [quoted, scope.name]
        case _:
            assert_never(scope.kind)
