"""Own the ways to spoil a body: other values in every place, events lost, doubled or out of order, bytes changed."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator
from typing import Any

from tests.fuzz.framing import Item, body_of, form_of, items_of

# Any, throughout this file: JSON as vendors write it.

DEEP = "[" * 3000 + "]" * 3000
VALUES = (
    "null",
    "true",
    "0",
    "-1",
    "1.5",
    '""',
    '"x"',
    '"\\ud83d"',
    '"\\ude00x"',
    "[]",
    "{}",
    "[null]",
    '[{"type":"x"}]',
    '{"x":null}',
    "NaN",
    "-Infinity",
    "1e999",
    "9" * 30,
    "9" * 400,
    "9" * 5000,
    DEEP,
)
"""JSON text that takes the place of a value: null first, which vendors really send."""

_HOLE = "\ue000hole\ue000"
_HOLE_JSON = json.dumps(_HOLE)

Path = tuple[str | int, ...]


def paths_of(value: Any, path: Path = ()) -> Iterator[Path]:
    """Give the path of every value in a JSON document, the document itself included."""
    yield path
    if isinstance(value, dict):
        for key, entry in value.items():
            yield from paths_of(entry, (*path, key))
    elif isinstance(value, list):
        for number, entry in enumerate(value):
            yield from paths_of(entry, (*path, number))


def with_value(payload: bytes, path: Path, value_json: str) -> bytes:
    """Give the document with other JSON text at a path."""
    document = json.loads(payload)
    if not path:
        return value_json.encode()
    holder = document
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = _HOLE
    return json.dumps(document).replace(_HOLE_JSON, value_json).encode()


def without(payload: bytes, path: Path) -> bytes:
    """Give the document without what is at a path."""
    document = json.loads(payload)
    holder = document
    for step in path[:-1]:
        holder = holder[step]
    del holder[path[-1]]
    return json.dumps(document).encode()


def with_other_values(body: bytes, *, per_place: int) -> Iterator[tuple[str, bytes]]:
    """Give the body with null, and with `per_place` other values in turn, in every place; and without the place."""
    form, items = form_of(body), items_of(body)
    others = itertools.cycle(VALUES[1:])
    for number, item in enumerate(items):
        for path in _places(item.payload):
            where = f"event {number} at {path}"
            for value in ("null", *itertools.islice(others, per_place)):
                spoilt = item._replace(payload=with_value(item.payload, path, value))
                yield f"{where}: {value[:20]}", body_of(form, [*items[:number], spoilt, *items[number + 1 :]])
            if path:
                spoilt = item._replace(payload=without(item.payload, path))
                yield f"{where}: nothing", body_of(form, [*items[:number], spoilt, *items[number + 1 :]])


def with_other_events(body: bytes) -> Iterator[tuple[str, bytes]]:
    """Give the body with each event lost, doubled, swapped with the next one, last, and the body backwards."""
    form, items = form_of(body), items_of(body)
    for number, item in enumerate(items):
        before, after = items[:number], items[number + 1 :]
        yield f"without event {number}", body_of(form, [*before, *after])
        yield f"event {number} twice", body_of(form, [*before, item, item, *after])
        yield f"event {number} first", body_of(form, [item, *before, *after])
        yield f"ends after event {number}", body_of(form, [*before, item])
        if after:
            yield f"event {number} late", body_of(form, [*before, after[0], item, *after[1:]])
        if item.name:
            yield f"event {number} under another name", body_of(form, [*before, item._replace(name="new.kind"), *after])
    yield "backwards", body_of(form, items[::-1])


def repeated(body: bytes, number: int, times: int, *, fresh: bool) -> list[Item]:
    """Give the events up to one of them, and that one many times; `fresh`: with other numbers in it each time."""
    items = items_of(body)
    item = items[number]
    try:
        document = json.loads(item.payload)
    except ValueError:
        return items[: number + 1]
    if not fresh:
        return [*items[: number + 1], *[item] * times]
    more = [item._replace(payload=json.dumps(_fresh(document, each)).encode()) for each in range(times)]
    return [*items[: number + 1], *more]


def scrambled(body: bytes, other: bytes, rng: random.Random) -> bytes:
    """Change bytes, cut pieces out, double pieces, or go on with another body, a few times over."""
    spoilt = bytearray(body)
    for _ in range(rng.randint(1, 4)):
        start = rng.randrange(len(spoilt) + 1)
        end = min(len(spoilt), start + int(2 ** rng.uniform(0, 8)))
        match rng.randrange(6):
            case 0 if spoilt:
                spoilt[min(start, len(spoilt) - 1)] = rng.randrange(256)
            case 1:
                del spoilt[start:end]
            case 2:
                spoilt[start:start] = spoilt[start:end]
            case 3:
                spoilt[start:] = other[rng.randrange(len(other) + 1) :]
            case 4:
                spoilt[start:start] = rng.choice(_SPLICES)
            case _:
                del spoilt[start:]
    return bytes(spoilt)


def pieces_of(body: bytes, rng: random.Random) -> list[bytes]:
    """Cut a body into pieces of sizes of all magnitudes; some are empty."""
    pieces = []
    place = 0
    while place < len(body):
        size = rng.choice((0, 1, 1, 2, 3, int(2 ** rng.uniform(0, 12))))
        pieces.append(body[place : place + size])
        place += size
    return pieces


_SPLICES = (
    b"\r",
    b"\n",
    b"\r\n",
    b"\n\n",
    b"\xef\xbb\xbf",
    b"\xe2\x80\xa8",
    b"\xf0\x9f",
    b"\x00",
    b"data:",
    b"data: [DONE]\n\n",
    b": ping\n",
    b"event: error\n",
    b"\\ud83d",
    b'"',
    b"null",
    b"NaN",
    b"[" * 2000,
    b'{"error":{"message":"m"}}\n',
    b"9" * 400,
)


def _places(payload: bytes) -> list[Path]:
    try:
        return list(paths_of(json.loads(payload)))
    except ValueError:
        return []


def _fresh(value: Any, number: int) -> Any:
    """Give a copy that a decoder must take for something new: its indexes are counted up."""
    if isinstance(value, dict):
        return {key: entry if key == "type" else _fresh(entry, number) for key, entry in value.items()}
    if isinstance(value, list):
        return [_fresh(entry, number) for entry in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return value + number
    return value
