"""Own the tables of the ledger's SQLite file: their text, and how a file of an older version becomes one of today's.

`attempts` holds a row per attempt. What they add up to is kept beside them, by triggers: in the very transaction in
which a row ends, once, whoever ends it and from whatever process, a program of the version before among them.

* `sums`: ended attempts by time (five minutes, hours and days), labels and state; conversations only as "has one".
* `conversation_sums`: those that have a conversation, by day, with its id.
* `marks`: since when there are rows of `attempts`, and sums of five minutes; what was before is in coarser sums.

What is open is not in them: there is little of it, and it is read from its rows.
"""

from __future__ import annotations

import sqlite3

from manus.actors.ledger.sums import DAY_S, FINE_FOR_S, FINE_S, HOUR_S

COUNTS = (
    "input_uncached",
    "cache_read",
    "cache_write_short",
    "cache_write_long",
    "output",
    "reasoning",
    "audio_input",
    "audio_output",
    "server_tool_calls",
)
"""The columns of a usage, in the order in which bounds and estimates are written as arrays."""

LABELS = ("provider", "model", "deployment", "key_fingerprint", "tags")
"""The columns that sums are told apart by, besides their time and state."""

SUMMED = ("attempts", "unpriced", "estimated", "cost_nano_usd", *COUNTS)
"""The columns of sums that add up. `worst_source`, the rank of the least certain source among them, does not."""

LENGTHS_S = (FINE_S, HOUR_S, DAY_S)
"""How long the buckets of `sums` are."""

FILL_IDS = 50_000
"""Rows that an update of an old file adds up at a time: as many as sort in memory."""

VERSION_1 = (
    f"""
    CREATE TABLE attempts (
        id INTEGER PRIMARY KEY,
        request_id TEXT NOT NULL,
        attempt INTEGER NOT NULL,
        run_id TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('intent', 'dispatched', 'settled', 'released', 'in_doubt')),
        provider TEXT NOT NULL,
        model TEXT NOT NULL,
        deployment TEXT NOT NULL,
        created_unix_s REAL NOT NULL,
        bound TEXT NOT NULL,
        estimate TEXT NOT NULL,
        request_key TEXT,
        conversation_id TEXT,
        key_fingerprint TEXT,
        tags TEXT,
        dispatched_unix_s REAL,
        ended_unix_s REAL,
        bound_cost_nano_usd INTEGER,
        estimate_cost_nano_usd INTEGER,
        price_version TEXT NOT NULL,
        {" ".join(f"{name} INTEGER NOT NULL," for name in COUNTS)}
        source TEXT NOT NULL CHECK (source IN ('reported', 'estimated', 'bound', 'missing')),
        cost_nano_usd INTEGER,
        finish TEXT,
        reason TEXT,
        UNIQUE (request_id, attempt, run_id)
    )
    """,
    "CREATE INDEX attempts_open ON attempts (run_id) WHERE ended_unix_s IS NULL",
    "CREATE INDEX attempts_in_doubt ON attempts (ended_unix_s) WHERE state = 'in_doubt'",
    "CREATE INDEX attempts_named ON attempts (request_key) WHERE request_key IS NOT NULL",
)


ROWS_MARK = "attempts"
"""Of the moments before this mark, rows are gone."""

FINE_MARK = "fine"
"""Of the moments before this mark, sums of five minutes are gone."""

FINE_KEPT_S = 2 * FINE_FOR_S
"""For so long, and the day that began before, sums of five minutes are kept."""


def labels_of(row: str) -> tuple[str, ...]:
    """Give the expressions of a row's labels, "" and [] for none. `row` is NEW or the name of the table."""
    plain = tuple(f"{row}.{name}" for name in LABELS[:3])
    return (*plain, f"coalesce({row}.key_fingerprint, '')", f"coalesce({row}.tags, '[]')")


def has_conversation(row: str) -> str:
    """Give the expression of whether a row has a conversation."""
    return f"coalesce({row}.conversation_id, '') <> ''"


def values_of(row: str) -> tuple[str, ...]:
    """Give the expressions of what one ended row adds to the columns of `SUMMED`, and the rank of its source."""
    rank = f"CASE {row}.source WHEN 'reported' THEN 0 WHEN 'estimated' THEN 1 WHEN 'bound' THEN 2 ELSE 3 END"
    counts = tuple(f"{row}.{name}" for name in COUNTS)
    unpriced, estimated = f"{row}.cost_nano_usd IS NULL", f"{row}.source = 'estimated'"
    return ("1", unpriced, estimated, f"coalesce({row}.cost_nano_usd, 0)", *counts, rank)


def added_up(values: tuple[str, ...]) -> str:
    """Give the expressions that add up `values`, which are in the order of `SUMMED` and the rank."""
    return ", ".join((*(f"sum({value})" for value in values[:-1]), f"max({values[-1]})"))


VALUES = (*SUMMED, "worst_source")
"""All columns of sums that say how much."""

CONVERSATION_SUMS = f"(start_unix_s, conversation_id, {', '.join(LABELS)}, state, {', '.join(VALUES)})"
"""All columns of `conversation_sums`, in the order in which they are inserted."""

_SUMS = f"(length_s, start_unix_s, {', '.join(LABELS)}, in_conversation, state, {', '.join(VALUES)})"

ADD_UP = "ON CONFLICT DO UPDATE SET worst_source = max(worst_source, excluded.worst_source), " + ", ".join(
    f"{name} = {name} + excluded.{name}" for name in SUMMED
)
"""What an insertion into sums does where there are some already."""


def _sums_table(name: str, *, temporary: bool = False) -> str:
    return f"""
    CREATE {"TEMP " if temporary else ""}TABLE {name} (
        length_s INTEGER NOT NULL,
        start_unix_s INTEGER NOT NULL,
        {" ".join(f"{label} TEXT NOT NULL," for label in LABELS)}
        in_conversation INTEGER NOT NULL,
        state TEXT NOT NULL,
        {" ".join(f"{each} INTEGER NOT NULL," for each in VALUES)}
        PRIMARY KEY (length_s, start_unix_s, {", ".join(LABELS)}, in_conversation, state)
    ) WITHOUT ROWID
    """


_CONVERSATION_SUMS_TABLE = f"""
    CREATE TABLE conversation_sums (
        start_unix_s INTEGER NOT NULL,
        conversation_id TEXT NOT NULL,
        {" ".join(f"{label} TEXT NOT NULL," for label in LABELS)}
        state TEXT NOT NULL,
        {" ".join(f"{each} INTEGER NOT NULL," for each in VALUES)}
        PRIMARY KEY (start_unix_s, conversation_id, {", ".join(LABELS)}, state)
    ) WITHOUT ROWID
    """


def start_of(row: str, length_s: int) -> str:
    """Give the expression of the bucket that a row's reservation lies in; whole numbers, so that none slips."""
    return f"CAST({row}.created_unix_s AS INTEGER) / {length_s} * {length_s}"


def _add_one(table: str, lengths_s: tuple[int, ...]) -> str:
    """Give the statements of a trigger that add the row NEW to sums."""
    return "".join(
        f"INSERT INTO {table} {_SUMS} VALUES ({length}, {start_of('NEW', length)}, {', '.join(labels_of('NEW'))}, "
        f"{has_conversation('NEW')}, NEW.state, {', '.join(values_of('NEW'))}) {ADD_UP};\n"
        for length in lengths_s
    )


def _add_conversation() -> str:
    values = ", ".join(values_of("NEW"))
    return (
        f"INSERT INTO conversation_sums {CONVERSATION_SUMS} SELECT {start_of('NEW', DAY_S)}, NEW.conversation_id, "
        f"{', '.join(labels_of('NEW'))}, NEW.state, {values} WHERE {has_conversation('NEW')} {ADD_UP};\n"
    )


def _triggers(name: str, body: str, *, only: str = "", temporary: bool = False) -> tuple[str, str]:
    """Make the two ways in which a row ends do `body`: it comes in ended, or it was open and is no more."""
    make, table = ("CREATE TEMP TRIGGER", "main.attempts") if temporary else ("CREATE TRIGGER", "attempts")
    return (
        f"{make} {name}_at_once AFTER INSERT ON {table} WHEN NEW.ended_unix_s IS NOT NULL {only} BEGIN {body} END",
        f"{make} {name}_later AFTER UPDATE OF ended_unix_s ON {table} "
        f"WHEN OLD.ended_unix_s IS NULL AND NEW.ended_unix_s IS NOT NULL {only} BEGIN {body} END",
    )


VERSION_2 = (
    "CREATE INDEX attempts_created ON attempts (created_unix_s)",
    _sums_table("sums"),
    _CONVERSATION_SUMS_TABLE,
    "CREATE TABLE marks (name TEXT PRIMARY KEY, since_unix_s INTEGER NOT NULL) WITHOUT ROWID",
    *_triggers("attempts_ended", _add_one("sums", LENGTHS_S) + _add_conversation()),
)

VERSIONS = (VERSION_1, VERSION_2)
"""What turns a file of version n into one of version n + 1. Only ever appended to."""


def upgrade(connection: sqlite3.Connection, version: int) -> None:
    """Bring a file of `version` to the next one. Expects to be inside a transaction, which is all or nothing."""
    for statement in VERSIONS[version]:
        connection.execute(statement)
    if version == 1:
        _fill_sums(connection)


def _fill_sums(connection: sqlite3.Connection) -> None:
    """Add up the rows that had ended before there were sums; by five minutes only what is recent."""
    last, latest = connection.execute("SELECT coalesce(max(id), 0), max(created_unix_s) FROM attempts").fetchone()
    if latest is None:
        return
    fine_since = int(latest) // DAY_S * DAY_S - FINE_KEPT_S
    connection.execute("INSERT INTO marks VALUES (?, ?)", (FINE_MARK, fine_since))
    ended = "FROM attempts WHERE id > :first AND id <= :last AND ended_unix_s IS NOT NULL"
    summed = added_up(values_of("attempts"))
    by = f"{', '.join(labels_of('attempts'))}, {has_conversation('attempts')}, state"
    statements = [
        f"INSERT INTO sums {_SUMS} SELECT {length}, {start_of('attempts', length)} AS start, {by}, {summed} {ended} "
        f"{'AND created_unix_s >= :fine_since' if length == FINE_S else ''} GROUP BY start, {by} {ADD_UP}"
        for length in LENGTHS_S
    ]
    by = f"conversation_id, {', '.join(labels_of('attempts'))}, state"
    statements.append(
        f"INSERT INTO conversation_sums {CONVERSATION_SUMS} SELECT {start_of('attempts', DAY_S)} AS start, {by}, "
        f"{summed} {ended} AND {has_conversation('attempts')} GROUP BY start, {by} {ADD_UP}"
    )
    for first in range(0, last, FILL_IDS):
        for statement in statements:
            names = {"first": first, "last": first + FILL_IDS}
            connection.execute(statement, names | ({"fine_since": fine_since} if ":fine_since" in statement else {}))


def own_sums(run_id: str, after_id: int) -> tuple[str, ...]:
    """Give the statements that keep sums of one run's rows apart, for the connection that writes them alone.

    A budget asks what everybody else has spent; that is all but these. They go with the connection. All rows of the run
    have ids above `after_id`.
    """
    quoted = run_id.replace("'", "''")
    lengths_s = (FINE_S, HOUR_S)
    triggers = _triggers("own", _add_one("own_sums", lengths_s), only=f"AND NEW.run_id = '{quoted}'", temporary=True)
    by = f"{', '.join(labels_of('attempts'))}, {has_conversation('attempts')}, state"
    begun = tuple(
        f"INSERT INTO own_sums {_SUMS} SELECT {length}, {start_of('attempts', length)} AS start, {by}, "
        f"{added_up(values_of('attempts'))} FROM attempts "
        f"WHERE id > {after_id} AND run_id = '{quoted}' AND ended_unix_s IS NOT NULL GROUP BY start, {by}"
        for length in lengths_s
    )
    return (_sums_table("own_sums", temporary=True), *triggers, *begun)
