"""A line's dialect and kind are told by its shape; what is of none is told why, and never disturbs the next."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from manus.ipc.protocol import frames
from manus.ipc.protocol.frames import EngineMessage, Malformed, Notification, Request, ShortForm, parse


@pytest.mark.parametrize(
    ("line", "frame"),
    [
        ('{"jsonrpc": "2.0", "id": 0, "method": "ping"}', Request(id=0, method="ping")),
        ('{"jsonrpc": "2.0", "id": "a", "method": "x", "params": [1]}', Request(id="a", method="x", params=[1])),
        ('{"jsonrpc": "2.0", "id": "a", "method": "x", "params": null}', Request(id="a", method="x", params=None)),
        ('{"jsonrpc": "2.0", "method": "x"}', Notification(method="x")),
        ('{"command": "generate", "params": {}}', ShortForm(command="generate", params={})),
        ('{"command": "generate", "id": 3}', ShortForm(command="generate", id=3)),
        ('{"id": "m", "type": 0, "timestamp": 1, "payload": {}}', EngineMessage(type=0, payload={}, id="m")),
        ('{"id": 7, "type": 4, "payload": {}, "more": 1}', EngineMessage(type=4, payload={})),
        # The first member that decides wins, however many there are.
        ('{"jsonrpc": "2.0", "command": "x", "id": 1, "method": "m"}', None),
        (" \t\r", None),
        ("", None),
    ],
)
def test_the_shape_tells_what_a_line_is(line: str, frame: object) -> None:
    got = parse(line.encode())
    assert got == frame or (frame is None and isinstance(got, Malformed))


@pytest.mark.parametrize(
    ("line", "said", "known_id"),
    [
        ("17", "expected an object; got a number", UNSET),
        ('"text"', "expected an object; got text", UNSET),
        ("null", "expected an object; got null", UNSET),
        ("[]", "batches are not taken", UNSET),
        ("{}", "of no dialect", UNSET),
        ('{"id": 1, "method": "ping"}', 'add "jsonrpc": "2.0"', 1),
        ('{"jsonrpc": "1.0", "id": 1, "method": "ping"}', 'jsonrpc: expected "2.0"', 1),
        ('{"jsonrpc": 2.0, "id": 1, "method": "ping"}', 'jsonrpc: expected "2.0"', 1),
        ('{"jsonrpc": "2.0", "id": null, "method": "ping"}', "id: expected", UNSET),
        ('{"jsonrpc": "2.0", "id": true, "method": "ping"}', "id: expected", UNSET),
        ('{"jsonrpc": "2.0", "id": 1.0, "method": "ping"}', "id: expected", UNSET),
        ('{"jsonrpc": "2.0", "id": {}, "method": "ping"}', "id: expected", UNSET),
        ('{"jsonrpc": "2.0", "id": "", "method": "ping"}', "id: expected", UNSET),
        ('{"jsonrpc": "2.0", "id": "\\ud800", "method": "ping"}', "id: expected", UNSET),
        ('{"jsonrpc": "2.0", "id": 9007199254740993, "method": "ping"}', "id: expected", UNSET),
        ('{"jsonrpc": "2.0", "id": "%s", "method": "ping"}' % ("x" * 129), "id: expected", UNSET),
        ('{"jsonrpc": "2.0", "id": 1}', "method: is missing", 1),
        ('{"jsonrpc": "2.0", "id": 1, "method": 4}', "method: expected text; got a number", 1),
        ('{"jsonrpc": "2.0", "id": 1, "result": {}}', "method: is missing", 1),
        ('{"jsonrpc": "2.0", "id": 1, "method": "m", "parms": {}}', "did you mean 'params'?", 1),
        ('{"command": 4}', "command: expected text; got a number", UNSET),
        ('{"command": "generate", "param": {}, "id": 5}', "did you mean 'params'?", 5),
        ('{"command": "generate", "id": 1.5}', "id: expected", UNSET),
        ('{"type": 0, "payload": []}', "payload: expected an object; got a list", UNSET),
        ('{"type": "0", "payload": {}}', "of no dialect", UNSET),
        ('{"type": true, "payload": {}}', "of no dialect", UNSET),
    ],
)
def test_what_is_no_message_is_told_why(line: str, said: str, known_id: object) -> None:
    got = parse(line.encode())
    assert isinstance(got, Malformed)
    assert got.error.code == -32600
    assert got.error.data.kind == "invalid_request"
    assert said in got.error.message
    assert got.error.data.id == known_id


def test_what_is_no_json_is_a_parse_error_of_its_kind() -> None:
    got = parse(b"\xff")
    assert isinstance(got, Malformed)
    assert (got.error.code, got.error.data.kind, got.error.data.id) == (-32700, "invalid_utf8", UNSET)


def test_a_name_that_is_shown_in_an_error_is_cut_and_cleaned() -> None:
    name = "\ud800\n\x1b[31m" + "x" * 10_000
    got = parse(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "m", name: 1}).encode())
    assert isinstance(got, Malformed)
    assert len(got.error.message) < 150
    assert got.error.message.isprintable()
    got.error.message.encode("utf-8")


@given(st.integers() | st.text() | st.none() | st.floats(allow_nan=False) | st.booleans())
@settings(max_examples=150)
def test_an_id_that_is_taken_can_be_read_back_by_any_peer(given_id: object) -> None:
    line = json.dumps({"jsonrpc": "2.0", "id": given_id, "method": "ping"}).encode()
    got = parse(line)
    if isinstance(got, Request):
        assert type(given_id) in (int, str)
        assert json.loads(json.dumps(got.id).encode("utf-8")) == given_id
        assert frames.key_of(got.id) == ("rpc", given_id)
    else:
        assert isinstance(got, Malformed)
