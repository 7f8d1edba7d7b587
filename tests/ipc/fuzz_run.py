"""Own a fuzz run: lines go into a real server, and everything that comes out is owed to exactly one of them."""

from __future__ import annotations

import collections
import itertools
import json
import random
import re
import threading
import time
from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec

from tests.ipc.fuzz_lines import Expected, Lines

OPEN_MAX: Final = 200
"""Requests at once, well below what the server takes: above it they would all be told that it is too much."""

SILENCE_S: Final = 60.0
"""A server that says nothing for so long while answers are owed has lost them."""

PIECE_MAX: Final = 65_536

GREETING: Final = b'{"jsonrpc": "2.0", "id": "greeting", "method": "initialize", "params": {"protocolVersion": 1}}'
PARTING: Final = b'{"jsonrpc": "2.0", "id": "parting", "method": "ping"}'

_TIMESTAMP: Final = re.compile(rb'"timestamp":\d+')


class Link(Protocol):
    """A way to a server."""

    def send(self, line: bytes) -> None:
        """Write to it."""

    def lines(self) -> Iterator[bytes]:
        """Give what it writes, to its end."""


class Figures(msgspec.Struct, kw_only=True):
    """What a run did."""

    lines: int = 0
    requests: int = 0
    malformed: int = 0
    events: int = 0
    seconds: float = 0.0
    rss_mib: list[float] = []

    def report(self) -> str:
        """Say it in a line."""
        rate = self.lines / self.seconds if self.seconds else 0.0
        rss = ", ".join(f"{each:.1f}" for each in self.rss_mib)
        return (
            f"{self.lines} lines in {self.seconds:.1f} s ({rate:.0f} lines/s): {self.requests} requests answered once, "
            f"{self.malformed} malformed lines refused, {self.events} events; RSS MiB: {rss}"
        )


class Ledger:
    """What is owed and what came. For the writer's and the reader's thread."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.figures = Figures()
        self.wrong: str | None = None
        self._by_id: dict[Hashable, Expected] = {}
        self._in_turn: collections.deque[Expected] = collections.deque()
        self._replies: collections.Counter[bytes] = collections.Counter()
        self._health = 0
        self._seqs: dict[Hashable, Iterator[int]] = {}
        self._heard_at = time.monotonic()

    def owe(self, expected: Expected) -> None:
        """Book a line before it is written."""
        with self.changed:
            self.figures.lines += 1
            match expected.way:
                case "id":
                    self._by_id[expected.key] = expected
                    self._seqs[expected.key] = itertools.count()
                case "turn":
                    self._in_turn.append(expected)
                case "reply":
                    self._replies[_timeless(expected.reply)] += 1
                case "health":
                    self._health += 1
                case "nothing":
                    pass

    @property
    def owed(self) -> int:
        """How many answers are yet to come."""
        return len(self._by_id) + len(self._in_turn) + self._replies.total() + self._health

    def wait_until(self, at_most: int) -> None:
        """Return when no more answers are owed than that.

        Raises:
            AssertionError: something is wrong, or nothing comes any more.
        """
        with self.changed:
            while self.owed > at_most and self.wrong is None:
                self.changed.wait(1.0)
                silence_s = time.monotonic() - self._heard_at
                assert silence_s < SILENCE_S, f"owed and never answered: {self._some()}"
            assert self.wrong is None, self.wrong

    def take(self, line: bytes) -> None:
        """Book a line that came."""
        with self.changed:
            self._heard_at = time.monotonic()
            try:
                self._take(line)
            except (AssertionError, ValueError, KeyError) as error:
                self.wrong = f"{type(error).__name__}: {error}: {line[:500]!r}"
            self.changed.notify_all()

    def ended(self) -> None:
        """Book that nothing comes any more."""
        with self.changed:
            if self.owed and self.wrong is None:
                self.wrong = f"the server ended and owes: {self._some()}"
            self.changed.notify_all()

    def _take(self, line: bytes) -> None:
        assert line.endswith(b"\n"), "a line without its end"
        said = json.loads(line.decode("utf-8"))
        timeless = _timeless(line)
        if self._replies[timeless] > 0:
            self._replies[timeless] -= 1
            if not self._replies[timeless]:
                del self._replies[timeless]
            self.figures.malformed += 1
            return
        match said:
            case {"method": "stream.event", "params": {"id": about, "seq": seq}}:
                self._event(("rpc", about), seq)
            case {"jsonrpc": "2.0", "id": str() | int() as about}:
                self._settle(("rpc", about), said.get("result"))
            case {"status": "chunk", "id": about}:
                assert ("short", about) in self._by_id, "a piece of nothing"
            case {"status": "chunk"}:
                assert self._in_turn, "a piece of nothing"
                assert self._in_turn[0].streams, "a piece out of turn"
            case {"status": _, "id": about}:
                self._settle(("short", about), said.get("response"))
            case {"status": _}:
                self._content(self._in_turn.popleft(), said.get("response"))
            case {"type": 5}:
                self._health -= 1
                assert self._health >= 0, "health that nobody asked for"
            case {"type": 2, "payload": {"request_id": about, "is_final": False, "chunk_index": index}}:
                self._event(("engine", about), index)
            case {"type": int(), "payload": {"request_id": about}}:
                self._settle(("engine", about), said["payload"])
            case _:
                raise AssertionError("a line of no kind")

    def _event(self, key: Hashable, seq: int) -> None:
        assert key in self._by_id, "an event of nothing"
        assert self._by_id[key].streams, "an event of what does not stream"
        assert seq == next(self._seqs[key]), "a gap"
        self.figures.events += 1

    def _settle(self, key: Hashable, result: object) -> None:
        expected = self._by_id.pop(key)  # a KeyError is an answer to nothing, or a second one
        del self._seqs[key]
        self._content(expected, result)

    def _content(self, expected: Expected, result: object) -> None:
        """Hold an answer against its question: whose it is, where it says so."""
        self.figures.requests += 1
        if expected.prompt is None or not isinstance(result, dict) or not result.get("content"):
            return
        if result.get("finish_reason") not in ("cancelled", "length"):
            asked = expected.prompt.split(" ")[0].encode("utf-8", "replace").decode()
            assert asked in result["content"], f"the answer to another question than {expected.prompt!r}"

    def _some(self) -> str:
        some = [*self._by_id.values(), *self._in_turn][:3]
        return f"{self.owed}: {some} {self._replies.most_common(2)} {self._health}"


def run(
    link: Link, *, seed: int, lines: int, asks: float, engine: bool, process: int | None = None, every: int = 0
) -> Figures:
    """Write so many lines, and see that each gets what is its due.

    Args:
        process: whose memory is told, at the start (after the first tenth) and every `every` lines.

    Raises:
        AssertionError: something came that nobody was owed, or did not come; the seed is in the text.
    """
    ledger = Ledger()
    reader = threading.Thread(target=_read, args=(link, ledger), daemon=True)
    reader.start()
    began = time.monotonic()
    try:
        _write(link, ledger, seed=seed, lines=lines, asks=asks, engine=engine, process=process, every=every)
    except AssertionError as error:
        raise AssertionError(f"seed {seed}: {error}") from None
    ledger.figures.seconds = time.monotonic() - began
    if process is not None:
        ledger.figures.rss_mib.append(rss_mib(process))
    return ledger.figures


def _write(
    link: Link,
    ledger: Ledger,
    *,
    seed: int,
    lines: int,
    asks: float,
    engine: bool,
    process: int | None,
    every: int,
) -> None:
    drawn = Lines(seed, asks=asks, engine=engine)
    rng = random.Random(seed)
    ledger.owe(Expected(line=GREETING, way="id", key=("rpc", "greeting")))
    link.send(GREETING + b"\n")
    ledger.wait_until(0)
    waiting = bytearray()
    for number, expected in enumerate(itertools.islice(drawn, lines), 1):
        ledger.owe(expected)
        waiting += expected.line + b"\n"
        if len(waiting) > 4096 or rng.random() < 0.02:
            _send_in_pieces(link, waiting, rng)
            ledger.wait_until(OPEN_MAX)
        if process is not None and every and number % every == 0:
            ledger.figures.rss_mib.append(rss_mib(process))
    for expected in drawn.rest():
        ledger.owe(expected)
        waiting += expected.line + b"\n"
    _send_in_pieces(link, waiting, rng)
    ledger.wait_until(0)
    ledger.owe(Expected(line=PARTING, way="id", key=("rpc", "parting")))
    link.send(PARTING + b"\n")
    ledger.wait_until(0)


def _send_in_pieces(link: Link, waiting: bytearray, rng: random.Random) -> None:
    """Write what waits, cut anywhere: a line's end is no end of a write."""
    pieces = rng.choice((1, 1, 2, 5))
    cuts = sorted(rng.randrange(len(waiting) + 1) for _ in range(pieces - 1))
    for start, stop in itertools.pairwise((0, *cuts, len(waiting))):
        link.send(bytes(waiting[start:stop]))
    waiting.clear()


def _read(link: Link, ledger: Ledger) -> None:
    try:
        for line in link.lines():
            ledger.take(line)
    except (OSError, ValueError):
        pass  # torn off: what is owed then is said below
    ledger.ended()


def _timeless(line: bytes) -> bytes:
    return _TIMESTAMP.sub(b'"timestamp":0', line) if b'"timestamp":' in line else line


def rss_mib(process: int) -> float:
    """Read how much memory a process holds."""
    for line in Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise AssertionError(f"process {process} has no memory")


def told(figures: Figures) -> dict[str, Any]:
    """Give the figures as plain data. Any: JSON."""
    plain: dict[str, Any] = msgspec.to_builtins(figures)
    return plain
