"""Own how totals are read from SQLite: out of sums as far as they go, the rest out of rows.

One query reads all pieces of a span (`spans.py`) under the same names, so that it sees one state of the file, whoever
writes meanwhile. Its groups are few; names of keys, tags and days are made of them in `sums.py`, as for any books.
"""

from __future__ import annotations

import math
import sqlite3
from typing import Any, Literal

import msgspec

from manus.actors.ledger.file import one_state
from manus.actors.ledger.schema import COUNTS, LABELS, ROWS_MARK, VALUES, added_up, labels_of, start_of, values_of
from manus.actors.ledger.spans import Piece, cut
from manus.actors.ledger.sums import DAY_S, HOUR_S, NOTHING, Labels, Part, sum_parts
from manus.messages.accounting import StatsAsked, UsageDimension, UsageRow
from manus.messages.usage import Usage

_SOURCES: tuple[Literal["reported", "estimated", "bound", "missing"], ...] = (
    "reported",
    "estimated",
    "bound",
    "missing",
)
_decode_tags = msgspec.json.Decoder(tuple[str, ...]).decode


def mark(connection: sqlite3.Connection, name: str) -> float:
    """Say since when what the mark is about is all there; since ever where nothing was cleared away."""
    found = connection.execute("SELECT since_unix_s FROM marks WHERE name = ?", (name,)).fetchone()
    return -math.inf if found is None else float(found[0])


# -- what is read, under the same names wherever it comes from

# Every text here is put together from names of our own and holds nothing that came from outside.
_SUMS = f"SELECT start_unix_s, {', '.join(LABELS)}, '' AS conversation_id, state, {', '.join(VALUES)} FROM sums "
_CONVERSATIONS = (
    f"SELECT start_unix_s, {', '.join(LABELS)}, conversation_id, state, {', '.join(VALUES)} FROM conversation_sums "
)


def _rows(length_s: int, values: tuple[str, ...], *, index: str = "") -> str:
    named = [f"{value} AS {name}" for name, value in zip(LABELS, labels_of("attempts"), strict=True)]
    named += ["coalesce(conversation_id, '') AS conversation_id", "state"]
    named += [f"{value} AS {name}" for name, value in zip(VALUES, values, strict=True)]
    return f"SELECT {start_of('attempts', length_s)} AS start_unix_s, {', '.join(named)} FROM attempts {index} "


_WITHIN = "created_unix_s >= ? AND created_unix_s < ? "
_ENDED = _rows(DAY_S, values_of("attempts")) + f"WHERE ended_unix_s IS NOT NULL AND {_WITHIN}"
_OPEN = (
    _rows(DAY_S, ("1", *("0" for _ in VALUES[1:])), index="INDEXED BY attempts_open")
    + f"WHERE ended_unix_s IS NULL AND {_WITHIN}"
)


def _sources(piece: Piece, *, conversations: bool) -> list[str]:
    """Give the queries that read a piece; each takes its beginning and its end."""
    if piece.length_s == 0:
        return [_ENDED]
    within = "start_unix_s >= ? AND start_unix_s < ? "
    sums = f"{_SUMS} WHERE length_s = {piece.length_s} AND {within}"
    if not conversations:
        return [sums]
    return [f"{_CONVERSATIONS} WHERE {within}", f"{sums} AND NOT in_conversation"]


# -- totals


def usage_sums(connection: sqlite3.Connection, asked: StatsAsked) -> tuple[UsageRow, ...]:
    """Sum up the rows that were reserved in the span that is asked for, split as `asked.by` says."""
    since = -math.inf if asked.since_unix_s is None else asked.since_unix_s
    until = math.inf if asked.until_unix_s is None else asked.until_unix_s
    conversations = "conversation" in asked.by
    sources, values = [_OPEN], [since, until]
    with one_state(connection):
        lengths_s = (DAY_S,) if conversations else (DAY_S, HOUR_S)
        for piece in cut(since, until, mark(connection, ROWS_MARK), *lengths_s):
            for source in _sources(piece, conversations=conversations):
                sources.append(source)
                values += [piece.since, piece.until]
        columns = _columns(asked.by)
        query = (
            f"SELECT {', '.join(columns)}, {added_up(VALUES)} FROM ({' UNION ALL '.join(sources)}) "
            f"GROUP BY {', '.join(str(number + 1) for number in range(len(columns)))}"
        )
        parts = [_part(group) for group in connection.execute(query, values)]
    return sum_parts(parts, asked.by)


def _columns(by: tuple[UsageDimension, ...]) -> tuple[str, ...]:
    """Say what groups are told apart by: what nobody asked for is the same in all of them."""
    asked = set(by)

    def if_asked(column: str, *dimensions: UsageDimension, otherwise: str = "''") -> str:
        return column if asked.intersection(dimensions) else f"{otherwise} AS {column}_"

    return (
        f"start_unix_s / {DAY_S} * {DAY_S} AS day" if "day" in asked else "0 AS day",
        if_asked("provider", "provider", "key"),
        if_asked("model", "model"),
        if_asked("deployment", "deployment"),
        if_asked("key_fingerprint", "key"),
        if_asked("tags", "tag", otherwise="'[]'"),
        if_asked("conversation_id", "conversation"),
        "state",
    )


def _part(group: tuple[object, ...]) -> Part:
    day, provider, model, deployment, key, tags, conversation, state, *sums = group
    labels = Labels(str(provider), str(model), str(deployment), str(key), _decode_tags(str(tags)), str(conversation))
    return Part(labels, float(str(day)), _total(str(state), [int(str(each)) for each in sums]))


def _total(state: str, sums: list[int]) -> UsageRow:
    attempts, unpriced, estimated, cost, *counts, worst = sums
    usage = Usage(**dict[str, Any](zip(COUNTS, counts, strict=True)), source=_SOURCES[worst])
    replace = msgspec.structs.replace
    match state:
        case "settled":
            return replace(
                NOTHING,
                requests=attempts,
                settled=attempts,
                usage=usage,
                cost_nano_usd=cost,
                unpriced=unpriced,
                estimated=estimated,
            )
        case "in_doubt":
            return replace(
                NOTHING,
                requests=attempts,
                in_doubt=attempts,
                in_doubt_bound=usage,
                in_doubt_cost_nano_usd=cost,
                unpriced=unpriced,
            )
        case "released":
            return replace(NOTHING, requests=attempts, released=attempts)
        case _:
            return replace(NOTHING, requests=attempts, open=attempts)
