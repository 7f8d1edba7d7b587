"""Own what a fuzzing host writes: requests that are good, the same spoilt, garbage, and what becomes of each line.

A stream of lines is drawn from a seed. What a line is expected to bring is told by the pure reading of it
(`dialects.reading`, which tests of its own hold to account); what is held here is that the whole server, from its pipe
to its pipe, does that to every line, and to no other.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Hashable, Iterator
from typing import Any, Final, Literal

import msgspec
from msgspec import UNSET

from manus.ipc.dialects.json_rpc import refusal_line
from manus.ipc.dialects.reading import read
from manus.ipc.refusals import FrameTooLarge
from manus.ipc.voice import Asked, Malformed, Told

FRAME_BYTES_MAX: Final = 65_536
"""Of the server that is fuzzed: lines that are too long are cheap to write then."""

CREDIT: Final = 100_000

PAUSED: Final = frozenset({"$/pause", "exit", "shutdown"})
"""What a spoilt line must not say by chance, as nobody would take it back."""

STREAMED: Final = frozenset({"stream", "chat_stream"})

Way = Literal["id", "turn", "reply", "health", "nothing"]


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """A line, and what it brings.

    Args:
        way: one answer known by `key`; one in its turn; the very bytes of `reply`; a report of health; or nothing.
        prompt: what stands in the answer, where it is known.
    """

    line: bytes
    way: Way
    key: Hashable | None = None
    reply: bytes = b""
    prompt: str | None = None
    streams: bool = False


class Lines:
    """An endless stream of lines, the same for the same seed.

    Args:
        asks: the share of lines that ask a model.
        engine: whether the engine's envelope is spoken.
    """

    def __init__(self, seed: int, *, asks: float, engine: bool) -> None:
        self._rng = random.Random(seed)
        self._asks = asks
        self._engine = engine
        self._number = 0
        self._used: set[Hashable] = set()
        self._later: list[bytes] = []
        self._open: list[str] = []

    def __iter__(self) -> Iterator[Expected]:
        while True:
            if self._later and self._rng.random() < 0.2:
                yield from self._judged(self._later.pop(0), spoilt=False)
            elif self._rng.random() < 0.45:
                yield from self._judged(self._good(), spoilt=False)
            else:
                yield from self._judged(self._bad(), spoilt=True)

    def rest(self) -> Iterator[Expected]:
        """Give what is owed to streams that were begun."""
        while self._later:
            yield from self._judged(self._later.pop(0), spoilt=False)

    # --- what is written --------------------------------------------------------------------------

    def _good(self) -> bytes:
        rng = self._rng
        self._number += 1
        name = f"q{self._number}"
        if rng.random() < self._asks:
            return self._ask(name)
        match rng.randrange(10):
            case 0 | 1 | 2 | 3:
                return _rpc(name, "ping", {"echo": name})
            case 4:
                return _rpc(self._number, "providers.list", None)
            case 5:
                return _rpc(None, rng.choice(("$/cancelRequest", "$/resume")), {"id": self._any_open()})
            case 6:
                return _rpc(None, "$/credit", {"id": self._any_open(), "n": rng.randrange(1, 9)})
            case 7:
                return _json({"command": "providers"} | ({"id": name} if rng.random() < 0.5 else {}))
            case 8:
                return _rpc(name, rng.choice(("$/cancelRequest", "$/credit")), {"id": self._any_open(), "n": 1})
            case _:
                return _rpc(name, rng.choice(("initialize", "genrate", "routing.metrics")), {})

    def _ask(self, name: str) -> bytes:
        rng = self._rng
        prompt = f"{name} {rng.choice(('', 'ünï', chr(0x1F600)))}"
        if self._engine and rng.random() < 0.1:
            return _json({"id": name, "type": 4, "timestamp": 0, "payload": {}})
        if self._engine and rng.random() < 0.3:
            payload = {"request_id": name, "prompt": prompt, "stream": rng.random() < 0.5, "metadata": {"k": name}}
            return _json({"id": name, "type": 0, "timestamp": 0, "payload": payload})
        match rng.randrange(5):
            case 0:
                return _json({"command": rng.choice(("generate", "stream")), "params": {"prompt": prompt}})
            case 1:
                return _json({"command": "generate", "params": {"prompt": prompt}, "id": name})
            case 2:
                return _rpc(name, "generate", {"messages": [{"role": "user", "content": prompt}], "max_tokens": 50})
            case _:
                self._open = [*self._open[-20:], name]
                window = {"window": rng.randrange(1, 5)} if rng.random() < 0.5 else {}
                word = rng.choice(("", "", "long ", "cut ", "bad "))  # what the simulated providers do then
                # What broke off stays broken: the other providers, which would see nothing but this, are left well.
                return _rpc(name, "stream", {"prompt": word + prompt, "on_interrupt": "error"} | window)

    def _any_open(self) -> str:
        return self._rng.choice(self._open) if self._open and self._rng.random() < 0.7 else "nobody"

    def _bad(self) -> bytes:
        rng = self._rng
        match rng.randrange(12):
            case 0:
                return rng.randbytes(rng.randrange(1, 60))
            case 1:
                return rng.choice(_KNOWN_GARBAGE)
            case 2 if rng.random() < 0.02:
                return rng.choice((b"x", b"[", b'"', b"\xff")) * rng.randrange(FRAME_BYTES_MAX - 2, 3 * FRAME_BYTES_MAX)
            case 3:
                return b"[" * rng.randrange(1, 400)
            case _:
                return _spoilt(rng, self._good())

    # --- what becomes of it -----------------------------------------------------------------------

    def _judged(self, text: bytes, *, spoilt: bool) -> Iterator[Expected]:
        for line in text.split(b"\n"):
            expected = self._expected(line, spoilt=spoilt)
            if expected is not None:
                yield expected

    def _expected(self, line: bytes, *, spoilt: bool) -> Expected | None:
        """Say what a line brings; None for one that must not be written."""
        held = line.removesuffix(b"\r")
        if len(held) > FRAME_BYTES_MAX:
            return Expected(line=line, way="reply", reply=refusal_line(FrameTooLarge(FRAME_BYTES_MAX)))
        match read(held, engine=self._engine):
            case None:
                return Expected(line=line, way="nothing")
            case Malformed(reply=reply):
                return Expected(line=line, way="reply", reply=reply)
            case Told(method=method):
                return None if spoilt and method in PAUSED else Expected(line=line, way="nothing")
            case Asked() as asked:
                return None if asked.method in PAUSED else self._asked(line, asked)

    def _asked(self, line: bytes, asked: Asked) -> Expected | None:
        streams = asked.method in STREAMED
        prompt = asked.params.get("prompt") if isinstance(asked.params, dict) else None
        if asked.method not in ("generate", "stream") or not isinstance(prompt, str) or not _NAME.match(prompt):
            prompt = None
        if asked.key is None:
            way: Way = "turn" if asked.ordered else "health"
            return Expected(line=line, way=way, prompt=prompt, streams=streams)
        if asked.key in self._used:
            return None  # whether an id is still in flight is a matter of time
        self._used.add(asked.key)
        assert isinstance(asked.key, tuple)
        dialect, about = asked.key
        if streams and dialect == "rpc":
            self._later.append(_rpc(None, "$/credit", {"id": about, "n": CREDIT}))
        return Expected(line=line, way="id", key=asked.key, prompt=prompt, streams=streams)


def _rpc(about: object, method: str, params: object) -> bytes:
    line = {"jsonrpc": "2.0", "method": method}
    return _json(line | ({} if about is None else {"id": about}) | ({} if params is None else {"params": params}))


def _json(value: Any) -> bytes:  # Any: JSON
    return json.dumps(value).encode()


_NAME: Final = re.compile(r"q\d+ ")
"""How a prompt begins that comes back in its answer."""

_KNOWN_GARBAGE: Final = (
    b"",
    b" \t",
    b"\r",
    b"{}",
    b"[]",
    b"null",
    b"\xef\xbb\xbf{}",
    b'{"jsonrpc": "2.0", "id": null, "method": "ping"}',
    b'{"jsonrpc": "2.0", "id": "x", "id": "y", "method": "ping"}',
    b'{"jsonrpc": "2.0", "id": "\\ud800", "method": "ping"}',
    b'{"jsonrpc": "2.0", "id": 1e3, "method": "ping"}',
    b'{"jsonrpc": "2.0", "id": 99999999999999999999, "method": "ping"}',
    b'[{"jsonrpc": "2.0", "id": 1, "method": "ping"}]',
    b'{"command": null}',
    b'{"command": "\\u0000"}',
    b'{"type": 0, "payload": {}}',
    b'{"type": 4, "payload": null}',
    b'{"type": 7, "payload": {"request_id": "\\udc00\\u0000"}}',
    b"NaN",
    b'"',
)


def _spoilt(rng: random.Random, line: bytes) -> bytes:
    """Change a line: bytes of it, or the JSON that it was."""
    at = rng.randrange(len(line))
    match rng.randrange(8):
        case 0:
            return line[:at]
        case 1:
            return line[:at] + rng.randbytes(1) + line[at + 1 :]
        case 2:
            return line[:at] + rng.choice((b'"', b"{", b"]", b",", b"\\", b"\x00", b"\n", b"\xff")) + line[at:]
        case 3:
            return line[at:] + line[:at]
        case 4:
            return line + line
        case 5:
            return line.replace(b'"params"', rng.choice((b'"parms"', b'"id"', b'"method"', b'"jsonrpc"')), 1)
        case _:
            return _other_value(rng, line)


_VALUES: Final[tuple[object, ...]] = (
    None,
    True,
    0,
    -1,
    1.5,
    10**30,
    "",
    "x",
    "\ud800",
    "\0",
    [],
    {},
    [None],
    {"x": None},
    "9" * 300,
)


def _other_value(rng: random.Random, line: bytes) -> bytes:
    """Put another value somewhere into the object, or one into its params."""
    frame = json.loads(line)
    place = frame
    inner = [each for each in frame.values() if isinstance(each, dict) and each]
    if inner and rng.random() < 0.6:
        place = rng.choice(inner)
    name = rng.choice([*place, "more", "temperature", "id"])
    if rng.random() < 0.2:
        place.pop(name, UNSET)
    else:
        place[name] = rng.choice(_VALUES)
    return _json(frame)
