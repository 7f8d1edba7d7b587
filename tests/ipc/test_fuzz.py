"""Whatever bytes a host writes: no line is answered twice, none in place of another, and the next one works."""

from __future__ import annotations

import itertools
import json
import queue
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conformance.vendors import Vendors, served
from tests.ipc.fuzz import fuzz
from tests.ipc.fuzz_lines import Lines
from tests.ipc.fuzz_run import run
from tests.ipc.line_promises import check

LINES = 2500
LINES_LONG = 1_000_000


@pytest.fixture(scope="module")
def vendors() -> Iterator[Vendors]:
    with served() as vendors:
        yield vendors


@pytest.mark.parametrize(("seed", "unix"), [(11, False), (12, True)], ids=["stdio", "unix"])
def test_every_line_gets_its_due_and_nothing_else_comes(
    seed: int, unix: bool, vendors: Vendors, tmp_path: Path
) -> None:
    figures = fuzz(vendors, tmp_path, seed=seed, lines=LINES, asks=0.05, unix=unix)
    assert figures.requests > LINES / 5
    assert figures.malformed > LINES / 5
    assert figures.events > 0


@pytest.mark.long
@pytest.mark.parametrize("unix", [False, True], ids=["stdio", "unix"])
def test_a_million_lines_get_their_due(unix: bool, vendors: Vendors, tmp_path: Path) -> None:
    figures = fuzz(vendors, tmp_path, seed=1, lines=LINES_LONG, asks=0.02, unix=unix, every=LINES_LONG // 10)
    assert figures.rss_mib[-1] < figures.rss_mib[0] + 32


def test_the_same_seed_writes_the_same_lines() -> None:
    first, second = (list(itertools.islice(Lines(5, asks=0.1, engine=True), 500)) for _ in range(2))
    assert [(each.line, each.way) for each in first] == [(each.line, each.way) for each in second]
    assert {each.way for each in first} == {"id", "turn", "reply", "health", "nothing"}


# --- the reading alone ----------------------------------------------------------------------------

SHAPES = (
    {"jsonrpc": "2.0", "id": 1, "method": "generate", "params": {"prompt": "x", "temperature": 1}},
    {"jsonrpc": "2.0", "method": "$/credit", "params": {"id": 1, "n": 1}},
    {"command": "stream", "params": {"prompt": "x"}, "id": "a"},
    {"id": "m", "type": 0, "timestamp": 1, "payload": {"request_id": "r", "prompt": "x", "stream": True}},
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def spoilt(draw: st.DrawFn) -> bytes:
    """Draw a frame with another value somewhere, and a few other bytes."""
    frame = json.loads(json.dumps(draw(st.sampled_from(SHAPES))))
    inner = [each for each in (frame, frame.get("params"), frame.get("payload")) if isinstance(each, dict)]
    place = draw(st.sampled_from(inner))
    place[draw(st.sampled_from([*place, "more", "id"]))] = draw(JSON)
    line = bytearray(json.dumps(frame).encode())
    for _ in range(draw(st.integers(0, 2))):
        line[draw(st.integers(0, len(line) - 1))] = draw(st.integers(0, 255))
    return bytes(line)


@given(spoilt() | st.binary(max_size=80))
@settings(max_examples=200)
def test_the_reading_of_any_line_ends_well(line: bytes) -> None:
    check(line)


# --- the fuzzer itself ----------------------------------------------------------------------------


class Parrot:
    """A server that answers each ping, and does one thing wrong."""

    def __init__(self, wrong: str) -> None:
        self._wrong = wrong
        self._heard: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def send(self, line: bytes) -> None:
        for each in line.splitlines():
            self._heard.put(each)

    def lines(self) -> Iterator[bytes]:
        while True:
            yield from self._answers(json.loads(self._heard.get())["id"])

    def _answers(self, about: str) -> Iterator[bytes]:
        reply = json.dumps({"jsonrpc": "2.0", "id": about, "result": {}}).encode() + b"\n"
        match self._wrong, about:
            case "twice", "greeting":
                yield from (reply, reply)
            case ("nothing" | "twice", _) | (_, "greeting"):
                yield reply
            case "another's", _:
                yield reply.replace(b"parting", b"somebody")
            case "torn", _:
                yield from (reply[:9] + b"\n", reply)
            case _:
                yield b'{"jsonrpc":"2.0","method":"stream.event","params":{"id":"parting","seq":1,"event":{}}}\n'


@pytest.mark.parametrize("wrong", ["twice", "another's", "torn", "event"])
def test_a_server_that_goes_wrong_is_found_out(wrong: str) -> None:
    with pytest.raises(AssertionError, match="seed 1"):
        run(Parrot(wrong), seed=1, lines=0, asks=0.0, engine=False)


def test_a_server_that_goes_right_is_not() -> None:
    assert run(Parrot("nothing"), seed=1, lines=0, asks=0.0, engine=False).requests == 2
