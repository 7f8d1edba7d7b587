"""Generated exchanges for the oracle test: what a server says, how it is cut into sends, and how it ends."""

from __future__ import annotations

import gzip
import itertools
import zlib
from typing import Literal

import msgspec
from hypothesis import strategies as st

from tests.actors.http_server import AwaitReader, HalfClose, HangUp, Read, Reset, Say, Script

Ending = Literal["open", "hang_up", "half_close", "reset"]

_NAMES = st.sampled_from(
    [b"x-request-id", b"Content-Type", b"X-RATELIMIT-REMAINING", b"retry-after", b"x!#$%&'*+-.^_`|~1"]
)
_VALUES = st.sampled_from([b"", b"1", b"text/event-stream; charset=utf-8", b'a, b;c="d e"', b"caf\xc3\xa9", b"x" * 300])
_CONNECTION = [b"", b"", b"Connection: close", b"connection: Keep-Alive", b"connection: x, CLOSE"]
_INTERIM = [b"", b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early\r\nlink: x\r\n\r\n" * 2]
_TRAILERS = [b"", b"", b"X-Trailer: 1\r\n", b"a: b\r\nX-Checksum: 7 \r\n"]
_PADDING = st.sampled_from([b"", b" ", b"  ", b"\t", b" \t "])


class Exchange(msgspec.Struct, frozen=True):
    """One request and what the server answers."""

    method: str
    body: bytes
    pieces: tuple[bytes, ...]
    ending: Ending

    def script(self) -> Script:
        """Say it the server's way."""
        said = [Say(piece) for piece in self.pieces]
        match self.ending:
            case "open":
                return [Read(), *said]
            case "hang_up":
                return [Read(), *said, HangUp()]
            case "half_close":
                return [Read(), *said, HalfClose()]
            case "reset" if said:
                return [Read(), *said, AwaitReader(), Reset()]
            case "reset":
                return [Read(), Reset()]


@st.composite
def exchanges(draw: st.DrawFn) -> Exchange:
    """Draw an exchange that a reasonable client must survive, and understand as every other does."""
    method = draw(st.sampled_from(["POST", "GET", "HEAD"]))
    status = draw(st.sampled_from([200, 200, 200, 201, 204, 299, 304, 400, 404, 429, 500, 503]))
    framing = draw(st.sampled_from(["sized", "chunked", "until_close"]))
    version = b"1.0" if framing != "chunked" and draw(st.integers(0, 5)) == 0 else b"1.1"
    body = draw(st.one_of(st.binary(max_size=200), st.binary(max_size=3000)))
    encoding = draw(st.sampled_from([b"", b"", b"", b"gzip", b"deflate"])) if body else b""
    encoded = gzip.compress(body) if encoding == b"gzip" else zlib.compress(body) if encoding else body
    headers = draw(st.lists(st.tuples(_NAMES, _VALUES, _PADDING, _PADDING), max_size=5))
    lines = [b"%b:%b%b%b" % (name, before, value, after) for name, value, before, after in headers]
    if encoding:
        lines.append(b"Content-Encoding: " + encoding)
    connection = draw(
        st.sampled_from([b"", b"", b"Connection: close", b"connection: Keep-Alive", b"connection: x, CLOSE"])
    )
    if connection:
        lines.append(connection)
    bodiless = method == "HEAD" or status in (204, 304)
    if framing == "sized":
        lines.append(b"Content-Length: %d" % len(encoded))
    elif framing == "chunked":
        lines.append(b"Transfer-Encoding: " + draw(st.sampled_from([b"chunked", b"Chunked"])))
    lines = draw(st.permutations(lines))
    reason = draw(st.sampled_from([b" OK", b" ", b"", b" Something Else (really)"]))
    head = b"\r\n".join([b"HTTP/%b %d%b" % (version, status, reason), *lines, b"", b""])
    interim = draw(
        st.sampled_from([b"", b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early\r\nlink: x\r\n\r\n" * 2])
    )
    wire = interim + head
    if not bodiless:
        wire += draw(_chunked(encoded)) if framing == "chunked" else encoded
    ending: Ending = (
        "hang_up"
        if framing == "until_close" and not bodiless
        else draw(st.sampled_from(["open", "open", "open", "hang_up", "half_close"]))
    )
    fault = draw(st.sampled_from(["none", "none", "cut", "reset"]))
    if fault == "cut":
        wire, ending = wire[: draw(st.integers(0, len(wire)))], "hang_up"
    elif fault == "reset":
        unfinished = bool(encoded) and not bodiless and framing != "until_close"
        wire = interim + head if unfinished and draw(st.booleans()) else b""
        ending = "reset"
    if not wire:
        method = "POST"  # Ours sends an unanswered idempotent request again, on purpose.
    return Exchange(
        method=method,
        body=draw(st.sampled_from([b"", b"{}", b"x" * 100_000])) if method == "POST" else b"",
        pieces=draw(_cut(wire)),
        ending=ending,
    )


@st.composite
def _chunked(draw: st.DrawFn, body: bytes) -> bytes:
    wire = bytearray()
    while body:
        size = draw(st.integers(1, len(body)))
        extension = draw(st.sampled_from([b"", b"", b";a=b", b';a="b c"', b"   "]))
        digits = draw(st.sampled_from([b"%x", b"%X", b"00%x"])) % size
        wire += digits + extension + b"\r\n" + body[:size] + b"\r\n"
        body = body[size:]
    wire += b"0\r\n" + draw(st.sampled_from(_TRAILERS)) + b"\r\n"
    return bytes(wire)


@st.composite
def _cut(draw: st.DrawFn, wire: bytes) -> tuple[bytes, ...]:
    if len(wire) <= 300 and draw(st.integers(0, 3)) == 0:
        return tuple(wire[at : at + 1] for at in range(len(wire)))
    cuts = sorted(draw(st.sets(st.integers(1, len(wire) - 1), max_size=6))) if len(wire) > 1 else []
    edges = [0, *cuts, len(wire)]
    return tuple(wire[start:end] for start, end in itertools.pairwise(edges) if start < end)
