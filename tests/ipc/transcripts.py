"""Own the reading of the transcripts in `docs/ipc.md`, and the playing of one against a server."""

from __future__ import annotations

import json
import queue
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, Literal, Protocol

import msgspec

PAGE: Final = Path(__file__).parents[2] / "docs" / "ipc.md"

ANY: Final = "..."
"""As a value, whatever it is; as a member, whatever further members there are."""

WAIT_S: Final = 10.0
"""How long a line may take; none takes a tenth of it."""

_BYTES: Final = re.compile(r"\(bytes ((?:[0-9a-f]{2} ?)+)\)")
_MANY: Final = re.compile(r'\((\d+) bytes of "(.)"\)')
_MORE: Final = re.compile(r"\(more (events|chunks)\)")
KILL: Final = "(kill -9, and a new server)"
END: Final = "(end)"


class Line(msgspec.Struct, frozen=True):
    """One line of a transcript, and where it stands on the page."""

    number: int
    side: Literal["host", "server"]
    text: str


class Transcript(msgspec.Struct, frozen=True):
    """A conversation of a host and a server: under which heading it stands, in which kind of block, and its lines."""

    heading: str
    kind: str
    lines: tuple[Line, ...]

    @property
    def kills(self) -> bool:
        """Whether the server dies in it."""
        return any(line.text == KILL for line in self.lines)

    @property
    def name(self) -> str:
        """Name it for a test."""
        return self.heading.strip("# ").lower().replace(" ", "_")


def transcripts(page: Path = PAGE) -> list[Transcript]:
    """Read all of a page."""
    found: list[Transcript] = []
    heading, kind, lines = "", "", list[Line]()
    for number, text in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if text.startswith("```"):
            if kind in ("transcript", "engine"):
                found.append(Transcript(heading, kind, tuple(lines)))
            kind, lines = ("" if kind else text[3:] or "plain"), []
        elif kind in ("transcript", "engine"):
            lines += _line(number, text)
        elif not kind and text.startswith("#"):
            heading = text
    return found


def _line(number: int, text: str) -> Iterator[Line]:
    if text.startswith("--> "):
        yield Line(number, "host", text[4:])
    elif text.startswith("<-- "):
        yield Line(number, "server", text[4:])
    else:
        assert text.startswith("# "), f"line {number} of the page is of nobody: {text}"


def sent(text: str) -> bytes:
    """Give the bytes that a line of the host stands for."""
    if given := _BYTES.fullmatch(text):
        return bytes.fromhex(given[1]) + b"\n"
    if many := _MANY.fullmatch(text):
        return many[2].encode() * int(many[1]) + b"\n"
    return text.encode() + b"\n"


class Link(Protocol):
    """A way to a server."""

    def send(self, line: bytes) -> None:
        """Write to it."""

    def lines(self) -> Iterator[bytes]:
        """Give what it writes, to its end."""


class Reader:
    """What a server writes, read in a thread, so that a line that never comes fails a test instead of hanging it."""

    def __init__(self, link: Link) -> None:
        self._lines: queue.Queue[bytes | None] = queue.Queue()
        threading.Thread(target=self._read, args=(link,), daemon=True).start()

    def next(self) -> Any:  # Any: JSON
        """Give the next line as JSON; None at the end."""
        try:
            line = self._lines.get(timeout=WAIT_S)
        except queue.Empty:
            raise AssertionError("the server says nothing") from None
        return None if line is None else json.loads(line)

    def _read(self, link: Link) -> None:
        try:
            for line in link.lines():
                self._lines.put(line)
        except (OSError, ValueError):
            pass  # a link that was torn off has ended, too
        self._lines.put(None)


def play(transcript: Transcript, connect: Callable[[], Link], seen: Callable[[bytes | None, Any], None]) -> None:
    """Play a transcript; each line of either side is shown to `seen`. Any: JSON.

    Raises:
        AssertionError: the server says something else.
    """
    link = connect()
    reader = Reader(link)
    ahead: list[Any] = []
    for position, line in enumerate(transcript.lines):
        where = f"docs/ipc.md:{line.number}"
        if line.text == KILL:
            link = connect()
            reader, ahead = Reader(link), []
        elif line.side == "host":
            seen(sent(line.text), None)
            link.send(sent(line.text))
        elif _MORE.fullmatch(line.text):
            following = next(each for each in transcript.lines[position + 1 :] if each.side == "server")
            _skip(reader, ahead, following, seen)
        else:
            try:
                got = ahead.pop() if ahead else _next(reader, seen)
            except AssertionError as silent:
                raise AssertionError(f"{where}: {silent}") from None
            if line.text == END:
                assert got is None, f"{where}: the server said more: {got}"
            else:
                wrong = difference(json.loads(line.text), got)
                assert wrong is None, f"{where}: {wrong}\n  in {got}"


def _next(reader: Reader, seen: Callable[[bytes | None, Any], None]) -> Any:  # Any: JSON
    got = reader.next()
    if got is not None:
        seen(None, got)
    return got


def _skip(reader: Reader, ahead: list[Any], following: Line, seen: Callable[[bytes | None, Any], None]) -> None:
    """Pass over pieces of streams, up to what is expected after them."""
    expected = json.loads(following.text)
    while True:
        got = ahead.pop() if ahead else _next(reader, seen)
        if not is_piece(got) or difference(expected, got) is None:
            ahead.append(got)
            return


def is_piece(line: Any) -> bool:  # Any: JSON
    """Say whether a line is a piece of a stream, in any dialect."""
    match line:
        case {"method": "stream.event"} | {"status": "chunk"} | {"type": 2, "payload": {"is_final": False}}:
            return True
        case _:
            return False


def difference(expected: Any, got: Any, place: str = "$") -> str | None:  # Any: JSON
    """Say where `got` is not what was expected; None where it is."""
    if expected == ANY:
        return None
    match expected, got:
        case dict(), dict():
            missing = [name for name in expected if name != ANY and name not in got]
            more = [name for name in got if name not in expected] if ANY not in expected else []
            if missing or more:
                return f"{place}: missing {missing}, unexpected {more}"
            wrong = (difference(expected[name], got[name], f"{place}.{name}") for name in expected if name != ANY)
            return next(filter(None, wrong), None)
        case list(), list():
            if len(expected) != len(got):
                return f"{place}: {len(got)} of them instead of {len(expected)}"
            pairs = enumerate(zip(expected, got, strict=True))
            return next(filter(None, (difference(one, other, f"{place}[{i}]") for i, (one, other) in pairs)), None)
        case _:
            same = type(expected) is type(got) and expected == got
            return None if same else f"{place}: {got!r} instead of {expected!r}"
