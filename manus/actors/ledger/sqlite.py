"""Own how records become rows in SQLite, and the questions asked of rows.

One row per attempt; a row changes until it has ended and never after, so that records may be read in twice.
Nothing here runs on the loop's thread; every function that writes expects to be inside a `transaction`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator

import msgspec

from manus.actors.ledger.records import (
    AnyRecord,
    AttemptDispatched,
    AttemptDoubted,
    AttemptEnded,
    AttemptKey,
    AttemptReleased,
    AttemptReserved,
    AttemptSettled,
)
from manus.actors.ledger.rows import CERTAIN_ZERO, LedgerRow, ending_of_orphan, fold_records, status_of
from manus.actors.ledger.schema import COUNTS
from manus.messages.accounting import RequestStatus
from manus.messages.ids import RequestKey
from manus.messages.usage import Usage

_FIXED = (
    "request_id",
    "attempt",
    "run_id",
    "provider",
    "model",
    "deployment",
    "created_unix_s",
    "bound",
    "estimate",
    "request_key",
    "conversation_id",
    "key_fingerprint",
    "tags",
    "bound_cost_nano_usd",
    "estimate_cost_nano_usd",
    "price_version",
)
_ENDING = ("state", "ended_unix_s", *COUNTS, "source", "cost_nano_usd", "finish", "reason")
_COLUMNS = (*_FIXED, "dispatched_unix_s", *_ENDING)

# Every text below is put together from the names above and holds nothing that came from outside.
_PUT = (
    f"INSERT INTO attempts ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))}) "
    "ON CONFLICT (request_id, attempt, run_id) DO UPDATE SET "
    "state = CASE excluded.state WHEN 'intent' THEN attempts.state ELSE excluded.state END, "
    "dispatched_unix_s = coalesce(attempts.dispatched_unix_s, excluded.dispatched_unix_s), "
    # An intent that is read again knows only which key was expected; which one was used is told once, by the dispatch.
    "key_fingerprint = CASE WHEN excluded.state = 'intent' OR attempts.dispatched_unix_s IS NOT NULL "
    "THEN attempts.key_fingerprint ELSE coalesce(excluded.key_fingerprint, attempts.key_fingerprint) END, "
    + ", ".join(f"{name} = excluded.{name}" for name in ("price_version", *_ENDING[1:]))
    + " WHERE attempts.ended_unix_s IS NULL"
)
_DISPATCH = (
    "UPDATE attempts SET state = 'dispatched', dispatched_unix_s = ?, key_fingerprint = coalesce(?, key_fingerprint) "
    "WHERE request_id = ? AND attempt = ? AND run_id = ? AND state = 'intent'"
)
_END = (
    f"UPDATE attempts SET price_version = coalesce(?, price_version), {', '.join(f'{name} = ?' for name in _ENDING)} "
    "WHERE request_id = ? AND attempt = ? AND run_id = ? AND ended_unix_s IS NULL"
)
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM attempts "

# -- writing


def ingest(connection: sqlite3.Connection, run_id: str, records: list[AnyRecord]) -> None:
    """Bring rows up to date with `records` of one run, in the order in which they were written.

    Attempts that begin and end within `records` cost one statement.
    """
    begun: set[AttemptKey] = set()
    dispatches: list[AttemptDispatched] = []  # of attempts whose intents are rows already
    endings: dict[AttemptKey, AttemptEnded] = {}
    for record in records:
        match record:
            case AttemptReserved():
                begun.add(record.key)
            case _ if record.key in begun or record.key in endings:
                pass
            case AttemptDispatched():
                dispatches.append(record)
            case _:
                endings[record.key] = record
    connection.executemany(
        _DISPATCH, [(step.at_unix_s, step.key_fingerprint, *step.key, run_id) for step in dispatches]
    )
    end_rows(connection, run_id, endings.values())
    connection.executemany(_PUT, [_row_values(row) for row in fold_records(records, run_id).values()])


def end_rows(connection: sqlite3.Connection, run_id: str, endings: Iterable[AttemptEnded]) -> None:
    """End rows of a run that are open; the others stay as they are."""
    values = [
        (_price_version(ending), *_ending_values(ending), ending.request_id, ending.attempt, run_id)
        for ending in endings
    ]
    connection.executemany(_END, values)


def end_run(connection: sqlite3.Connection, run_id: str, at_unix_s: float, *, certain: bool) -> tuple[int, int]:
    """End every open row of a run that is over; give how many are in doubt now, and how many were released."""
    endings = [ending_of_orphan(row, at_unix_s, certain=certain) for row in open_rows(connection, run_id)]
    end_rows(connection, run_id, endings)
    in_doubt = sum(isinstance(ending, AttemptDoubted) for ending in endings)
    return in_doubt, len(endings) - in_doubt


# -- reading


def open_rows(connection: sqlite3.Connection, run_id: str) -> list[LedgerRow]:
    """List what is open of one run."""
    query = _SELECT + "WHERE run_id = ? AND ended_unix_s IS NULL ORDER BY id"
    return list(_rows(connection.execute(query, (run_id,))))


def last_id(connection: sqlite3.Connection) -> int:
    """Give the id that every row to come is above, as long as the row that has it is there."""
    return int(connection.execute("SELECT coalesce(max(id), 0) FROM attempts").fetchone()[0])


def runs_with_open_rows(connection: sqlite3.Connection) -> list[str]:
    """List the runs that have open rows, alive or not."""
    return [
        run_id for (run_id,) in connection.execute("SELECT DISTINCT run_id FROM attempts WHERE ended_unix_s IS NULL")
    ]


def in_doubt_rows(connection: sqlite3.Connection, limit: int) -> list[LedgerRow]:
    """List what is in doubt, latest first, at most `limit` rows."""
    query = _SELECT + "WHERE state = 'in_doubt' ORDER BY ended_unix_s DESC, id DESC LIMIT ?"
    return list(_rows(connection.execute(query, (limit,))))


def all_rows(connection: sqlite3.Connection) -> Iterator[LedgerRow]:
    """Go through every row in the order of reserving: for exports and audits, one row in memory at a time."""
    return _rows(connection.execute(_SELECT + "ORDER BY id"))


def request_status(connection: sqlite3.Connection, request_key: RequestKey) -> RequestStatus:
    """Say what became of the latest request with this key."""
    query = (
        _SELECT + "WHERE request_key = ? AND request_id = "
        "(SELECT request_id FROM attempts WHERE request_key = ? ORDER BY id DESC LIMIT 1) ORDER BY attempt"
    )
    return status_of(request_key, list(_rows(connection.execute(query, (request_key, request_key)))))


# -- between structs and columns


def _row_values(row: LedgerRow) -> tuple[object, ...]:
    return (
        row.request_id,
        row.attempt,
        row.run_id,
        row.provider,
        row.model,
        row.deployment,
        row.created_unix_s,
        _pack(row.bound),
        _pack(row.estimate),
        row.request_key,
        row.conversation_id,
        row.key_fingerprint,
        msgspec.json.encode(row.tags).decode() if row.tags else None,
        row.bound_cost_nano_usd,
        row.estimate_cost_nano_usd,
        row.price_version,
        row.dispatched_unix_s,
        row.state,
        row.ended_unix_s,
        *_flat(row.usage),
        row.cost_nano_usd,
        row.finish,
        row.reason,
    )


def _price_version(ending: AttemptEnded) -> str | None:
    return ending.price_version if isinstance(ending, AttemptSettled) else None


def _ending_values(ending: AttemptEnded) -> tuple[object, ...]:
    match ending:
        case AttemptSettled():
            return ("settled", ending.at_unix_s, *_flat(ending.usage), ending.cost_nano_usd, ending.finish, None)
        case AttemptReleased():
            return ("released", ending.at_unix_s, *_flat(CERTAIN_ZERO), 0, None, ending.reason)
        case AttemptDoubted():
            return ("in_doubt", ending.at_unix_s, *_flat(ending.usage), ending.cost_nano_usd, None, ending.reason)


def _rows(found: Iterable[tuple[object, ...]]) -> Iterator[LedgerRow]:
    for values in found:
        fields = dict(zip(_COLUMNS, values, strict=True))
        usage = {name: fields.pop(name) for name in (*COUNTS, "source")}
        fields["usage"] = usage
        fields["bound"] = _unpack(fields["bound"])
        fields["estimate"] = _unpack(fields["estimate"])
        fields["tags"] = _decode_tags(str(fields["tags"] or "[]"))
        yield msgspec.convert(fields, LedgerRow)


def _flat(usage: Usage) -> tuple[int | str, ...]:
    """Give the values of a usage in the order of its columns."""
    values = msgspec.structs.astuple(usage)
    return (*values[: len(COUNTS)], usage.source)


def _pack(usage: Usage) -> str:
    return msgspec.json.encode(_flat(usage)).decode()


def _unpack(text: object) -> Usage:
    values = msgspec.json.decode(str(text), type=list[int | str])
    return msgspec.convert(dict(zip((*COUNTS, "source"), values, strict=True)), Usage)


_decode_tags = msgspec.json.Decoder(tuple[str, ...]).decode

# The kinds of the vendor's tools are not kept, their number is: what they cost is in the row.
assert Usage.__struct_fields__ == (*COUNTS, "server_tools", "source"), "a new kind of token needs a column: migrate"
