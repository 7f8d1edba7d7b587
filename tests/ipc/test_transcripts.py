"""The transcripts of `docs/ipc.md` are what the real server says; every line of them is what the schema allows."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from manus.ipc.protocol.errors import NAME_OF
from manus.ipc.protocol.methods import METHODS
from manus.ipc.protocol.schema import protocol_schema
from tests.conformance.links import Pipes, Socket, UnixServer, write_config
from tests.conformance.vendors import Vendors, served
from tests.ipc.transcripts import PAGE, Link, Transcript, is_piece, play, transcripts

ALL = transcripts()
RPC = [each for each in ALL if each.kind == "transcript"]
ENGINE = [each for each in ALL if each.kind == "engine"]
SCHEMA = json.loads(json.dumps(protocol_schema()))


@pytest.fixture(scope="module")
def vendors() -> Iterator[Vendors]:
    with served() as vendors:
        yield vendors


HARMFUL = ("errors",)
"""After these the providers rest, which others would notice: they get a server of their own."""


@pytest.fixture(scope="module")
def unix(vendors: Vendors, tmp_path_factory: pytest.TempPathFactory) -> Iterator[UnixServer]:
    directory = tmp_path_factory.mktemp("unix")
    config = write_config(vendors.configuration(ledger={"path": str(directory / "ledger.db")}), directory / "llm.toml")
    server = UnixServer(config, directory / "manus.sock")
    try:
        yield server
        server.end()
    finally:
        server.kill()


class Witness:
    """Holds every line against the schema, and the numbers of events against each other."""

    def __init__(self) -> None:
        self._methods: dict[object, str] = {}
        self._numbers: dict[object, Iterator[int]] = {}

    def __call__(self, sent: bytes | None, got: Any) -> None:  # Any: JSON
        if sent is not None:
            self._hear(sent)
            return
        name = self._kind_of(got)
        if name is not None:
            validate(got, name)

    def _hear(self, line: bytes) -> None:
        try:
            asked = json.loads(line)
        except (ValueError, RecursionError):
            return
        if isinstance(asked, dict) and isinstance(asked.get("method"), str) and isinstance(asked.get("id"), str | int):
            self._methods[asked["id"]] = asked["method"]
            self._numbers[asked["id"]] = itertools.count()

    def _kind_of(self, got: Any) -> str | None:
        match got:
            case {"method": "stream.event", "params": {"id": about, "seq": number}}:
                assert number == next(self._numbers[about]), f"a gap before {got}"
                return "event"
            case {"jsonrpc": "2.0", "error": _}:
                return "error"
            case {"jsonrpc": "2.0", "id": about}:
                return f"reply:{self._methods[about]}"
            case {"status": "error"}:
                return "failure"
            case {"status": "chunk"}:
                return "chunk"
            case {"type": int(kind)}:
                return {
                    1: "engine:RESPONSE",
                    2: "engine:STREAM_CHUNK",
                    3: "engine:ERROR",
                    5: "engine:HEALTH_RESPONSE",
                }[kind]
            case _:
                return None


def validate(line: Any, name: str) -> None:  # Any: JSON
    """Hold a line against one schema of the protocol's.

    Raises:
        jsonschema.ValidationError: it does not fit.
    """
    about = {"$ref": "#/$defs/" + name.replace("/", "~1"), "$defs": SCHEMA["$defs"]}
    jsonschema.Draft202012Validator(about).validate(line)


@pytest.mark.parametrize("transcript", RPC, ids=lambda each: each.name)
def test_a_subprocess_says_what_the_page_says(transcript: Transcript, vendors: Vendors, tmp_path: Path) -> None:
    tables = vendors.configuration(ledger={"path": str(tmp_path / "ledger.db")})
    config = write_config(tables, tmp_path / "llm.toml")
    with contextlib.ExitStack() as stack:
        started: list[Pipes] = []

        def connect() -> Link:
            for before in started:
                before.kill()
            pipes = Pipes(config)
            stack.callback(pipes.kill)
            started.append(pipes)
            return pipes

        play(transcript, connect, Witness())
        started[-1].end()


@pytest.mark.parametrize(
    "transcript",
    [each for each in (*RPC, *ENGINE) if not each.kills and each.name not in HARMFUL],
    ids=lambda each: each.name,
)
def test_a_unix_socket_says_what_the_page_says(transcript: Transcript, unix: UnixServer) -> None:
    made: list[Socket] = []

    def connect() -> Link:
        made.append(unix.connect())
        return made[-1]

    try:
        play(transcript, connect, Witness())
    finally:
        made[0].close()


def test_every_request_on_the_page_that_succeeds_fits_the_schema() -> None:
    checked = 0
    for transcript in RPC:
        refused = {
            json.loads(line.text).get("id")
            for line in transcript.lines
            if line.side == "server" and line.text.startswith('{"jsonrpc"') and '"error"' in line.text
        }
        for line in transcript.lines:
            if line.side == "host" and line.text.startswith('{"jsonrpc": "2.0", "id"'):
                asked = json.loads(line.text) if line.text.endswith("}}") else {}
                if asked.get("method") in METHODS and asked["id"] not in refused:
                    validate(asked, f"request:{asked['method']}")
                    checked += 1
    assert checked > 30


def test_the_page_tells_every_method_and_every_code() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for name, method in METHODS.items():
        assert f"| `{name}` | {method.does} |" in page
    for code, meaning in NAME_OF.items():
        assert f"| {code} | {meaning} |" in page


def test_a_transcript_that_is_wrong_is_found_out() -> None:
    """The player itself: what it lets pass, and what not."""

    class Canned:
        def send(self, line: bytes) -> None:
            assert line == b'{"id": 1}\n'

        def lines(self) -> Iterator[bytes]:
            yield b'{"method": "stream.event", "params": {}}\n'
            yield b'{"id": 1, "result": {"a": 1, "b": 2}}\n'

    def played(*texts: str) -> None:
        lines = tuple(
            type(ALL[0].lines[0])(number, "host" if number == 0 else "server", text)
            for number, text in enumerate(texts)
        )
        play(Transcript("# t", "transcript", lines), Canned, lambda sent, got: None)

    played('{"id": 1}', "(more events)", '{"id": 1, "result": {"a": 1, "...": "..."}}', "(end)")
    for wrong in (
        '{"id": 1, "result": {"a": 1}}',
        '{"id": 1, "result": {"a": true, "b": 2}}',
        '{"id": 2, "...": "..."}',
    ):
        with pytest.raises(AssertionError):
            played('{"id": 1}', "(more events)", wrong)
    with pytest.raises(AssertionError):
        played('{"id": 1}', '{"id": 1, "result": "..."}')
    assert is_piece({"method": "stream.event"})
