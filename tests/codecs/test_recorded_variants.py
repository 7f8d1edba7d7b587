"""Recorded answers say the same when they are written otherwise: as other proxies, servers and versions would."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from manus.testing.wire_replay import WIRES, passes
from tests.fuzz.framing import Item, body_of, event, form_of, frame, items_of
from tests.shared_data import exchanges

# Any, throughout this file: recorded JSON.

BODY_BYTES_MAX = 40_000
"""Longer ones say nothing that the others do not, and take all the time."""

CALLERS_OWN = {"input", "arguments", "args", "output", "text", "content_filter_results", "queries", "response"}
"""Under these keys stands what models and filters wrote, where another key is another answer; or, under `output`
and `response`, something that is looked into."""

_LOOKED_INTO = {"output", "response", "text"}

Rewrite = Callable[[bytes], bytes]


def _rewritten(body: bytes, change: Callable[[Any], Any], *, ascii_only: bool = False, **style: Any) -> bytes:
    """Change every JSON payload of a body."""
    items = []
    for item in items_of(body):
        try:
            value = change(json.loads(item.payload))
        except ValueError:
            items.append(item)
            continue
        written = json.dumps(value, ensure_ascii=ascii_only, **style)
        items.append(item._replace(payload=written.encode("utf-8", "surrogatepass")))
    return body_of(form_of(body), items)


def _with_unknown_keys(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_unknown_keys(each) for each in value]
    if not isinstance(value, dict):
        return value
    grown = {"aa_new": {"x": [1, None]}}
    for key, each in value.items():
        callers = (key == "content" and isinstance(each, dict)) or (
            key in CALLERS_OWN and not (key in _LOOKED_INTO and isinstance(each, dict | list))
        )
        grown[key] = each if callers else _with_unknown_keys(each)
    return {**grown, "zz_new": None}


def _without_nulls(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_nulls(each) for each in value]
    if not isinstance(value, dict):
        return value
    kept = {"input", "arguments", "args"}
    return {key: each if key in kept else _without_nulls(each) for key, each in value.items() if each is not None}


def _backwards(value: Any) -> Any:
    if isinstance(value, list):
        return [_backwards(each) for each in value]
    if not isinstance(value, dict):
        return value
    # `type` keeps its place before what it names only by chance: nobody may rely on it.
    kept = {"input", "arguments", "args", "content"}
    turned = reversed(value.items())
    return {key: each if key in kept and isinstance(each, dict) else _backwards(each) for key, each in turned}


def _same(value: Any) -> Any:
    return value


def _noisy(body: bytes) -> bytes:
    items = items_of(body)
    match form_of(body):
        case "sse":
            news = b': keep-alive\n\nid: 3\nretry: 5\nevent: new.kind\ndata: {"type":"new.kind"}\n\n'
            return b"".join(news + event(item) for item in items)
        case "frames":
            unknown = frame(Item("newEvent", b'{"x":1}')) + frame(Item("initial-response", b"{}"), kind="event")
            return b"".join(unknown + frame(item) for item in items)
        case "lines":
            return b"\n\n".join(item.payload for item in items) + b"\n\n\n"
        case "document":
            return b"\r\n \t" + body + b"\r\n\n"


def _no_last_line_end(body: bytes) -> bytes:
    return body if form_of(body) == "frames" else body.rstrip(b"\r\n")


def _line_ends(end: bytes) -> Rewrite:
    def rewrite(body: bytes) -> bytes:
        if form_of(body) == "frames":
            return body
        return body.replace(b"\r\n", b"\n").replace(b"\n", end)

    return rewrite


def _indented(body: bytes) -> bytes:
    # An NDJSON object is one line: to indent it is to break it.
    return body if form_of(body) == "lines" else _rewritten(body, _same, indent=2)


def _spaced(body: bytes) -> bytes:
    return body.replace(b"data: ", b"data:") if form_of(body) == "sse" else _rewritten(body, _same)


def _marked(body: bytes) -> bytes:
    return body if form_of(body) == "frames" else b"\xef\xbb\xbf" + body


WAYS: dict[str, Rewrite] = {
    "crlf": _line_ends(b"\r\n"),
    "cr in streams": lambda body: _line_ends(b"\r")(body) if form_of(body) == "sse" else body,
    "indented": _indented,
    "without blanks": lambda body: _rewritten(body, _same, separators=(",", ":")),
    "escaped": lambda body: _rewritten(body, _same, ascii_only=True),
    "spaced otherwise": _spaced,
    "unknown keys": lambda body: _rewritten(body, _with_unknown_keys),
    "without nulls": lambda body: _rewritten(body, _without_nulls),
    "keys backwards": lambda body: _rewritten(body, _backwards),
    "noise between": _noisy,
    "no last line end": _no_last_line_end,
    "byte order mark": _marked,
}


def _answers(api: tuple[str, str]) -> Iterator[tuple[dict[str, Any], bytes]]:
    for exchange in exchanges(api):
        response = exchange["response"]
        encoded = response.get("body_base64")
        body = base64.b64decode(encoded) if encoded else (response.get("body_text") or "").encode()
        if 0 < len(body) <= BODY_BYTES_MAX and response["status"] == 200:
            yield exchange, body


def _said(exchange: dict[str, Any], body: bytes) -> dict[str, Any]:
    response = {**exchange["response"], "body_text": None, "body_base64": base64.b64encode(body).decode()}
    each = next(passes({**exchange, "response": response}, splits=0))
    return {**each.line, "model": each.model}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("api", WIRES, ids="/".join)
def test_an_answer_says_the_same_however_it_is_written(api: tuple[str, str], way: str) -> None:
    told_apart = [
        (exchange["id"], key, said, wanted[key])
        for exchange, body in _answers(api)
        for wanted in [_said(exchange, body)]
        for key, said in _said(exchange, WAYS[way](body)).items()
        if said != wanted[key]
    ]

    assert told_apart == []
