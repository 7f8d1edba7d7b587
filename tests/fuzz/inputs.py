"""Own what one fuzzing input means: which decoder it goes through, in which pieces, and what must then hold.

The first byte chooses the wire, the second how it is asked and cut, the rest is the body. Files in
`tests/fuzz/found` have this form too: each is an input that broke a promise once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import msgspec

from manus.actors.codecs import codec_for
from tests.fuzz.promises import SMALL, decoded
from tests.fuzz.seeds import Seed

WIRES = ("openai-chat", "ollama", "openai-responses", "anthropic", "bedrock", "azure-chat", "azure-responses")
"""By number, for ever: the inputs that were found hold it. A new wire goes to the end."""

_STREAM, _SMALL, _ERROR = 1, 2, 4
_STATUSES = (400, 401, 403, 404, 413, 429, 500, 503)


def input_of(seed: Seed, *, small: bool = False, error: bool = False, piece: int = 3) -> bytes:
    """Write a seed as an input."""
    flags = _STREAM * seed.stream | _SMALL * small | _ERROR * error | piece << 3
    return bytes((WIRES.index(seed.wire), flags)) + seed.body


def run_input(data: bytes) -> None:
    """Play one input.

    Raises:
        AssertionError, or whatever a decoder raises: a promise is broken.
    """
    if len(data) < 2:
        return
    wire, flags, body = WIRES[data[0] % len(WIRES)], data[1], data[2:]
    if flags & _ERROR:
        _run_error(wire, _STATUSES[flags >> 3 & 7], body)
        return
    bounds = SMALL if flags & _SMALL else None
    stream = bool(flags & _STREAM)
    whole, _ = decoded(wire, [body], stream=stream, bounds=bounds)
    cut, _ = decoded(wire, _pieces(body, 1 + (flags >> 3)), stream=stream, bounds=bounds)
    assert cut == whole, "a split gives other events"


def _run_error(wire: str, status: int, body: bytes) -> None:
    codec = codec_for(wire)
    text = body[:200].decode("latin-1")
    headers = dict.fromkeys(("retry-after", "x-ratelimit-reset-requests", "x-amzn-errortype", "date"), text)
    failure = codec.failure(status, headers, body, now_unix_s=1e9)
    json.loads(msgspec.json.encode(failure))
    assert failure.status == status
    assert failure.message
    assert "".join(codec.decode_models(body)).encode() is not None
    json.loads(msgspec.json.encode(codec.rate_limits(headers)))


def _pieces(body: bytes, size: int) -> Iterator[bytes]:
    return (body[place : place + size] for place in range(0, len(body), size))
