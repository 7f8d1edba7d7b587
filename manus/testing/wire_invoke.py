"""Own the unwrapping of InvokeModel answers, for the replay: Claude's body inside is Messages, Nova's is Converse.

InvokeModel hands through what a model's own vendor writes: whole as it is, streamed as base64 of one event a frame. So
recordings of it are further proof for the decoders of those two wires. The older families (Titan, Llama, Mistral's own
body) have wires of their own that nobody speaks.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

from manus.actors.codecs.event_stream import FrameSplitter, encode_frame
from manus.actors.codecs.json_text import MALFORMED_ERRORS, dump, load_tolerant

# Any, throughout this file: recorded JSON.

_FRAME_BYTES_MAX = 16 * 1024 * 1024


def wire_inside(status: int, body: bytes) -> str | None:
    """Tell which wire's decoder reads the answer inside; None for a family that has a wire of its own."""
    if not 200 <= status < 300:
        return "bedrock"
    first = _first_event(body) if body[:1] == b"\0" else _parsed(body)
    if not isinstance(first, dict):
        return None
    if first.get("type") in ("message", "message_start") or isinstance(first.get("content"), list):
        return "anthropic"
    return "bedrock" if "output" in first or "messageStart" in first else None


def unwrapped(pieces: Iterator[bytes], wire: str) -> Iterator[bytes]:
    """Give the inner answer in pieces, as they are completed by those of the outer one."""
    frames: FrameSplitter | None = None
    begun = False
    for piece in pieces:
        if not begun:
            begun = True
            frames = FrameSplitter(_FRAME_BYTES_MAX) if piece[:1] == b"\0" else None
        if frames is None:
            yield piece
            continue
        for _, payload in frames.feed(piece):
            yield _rewrapped(_inner(payload), wire)
        assert frames.fault is None, frames.fault


def _first_event(body: bytes) -> Any:
    frames = FrameSplitter(_FRAME_BYTES_MAX).feed(body)
    return _parsed(_inner(frames[0][1])) if frames else None


def _inner(payload: bytes) -> bytes:
    return base64.b64decode(load_tolerant(payload)["bytes"])


def _rewrapped(event: bytes, wire: str) -> bytes:
    if wire == "anthropic":
        return b"data: " + event + b"\n\n"
    # One member names the event; the last one also holds the service's own counts beside it.
    name, payload = next((key, value) for key, value in _parsed(event).items() if not key.startswith("amazon-bedrock"))
    return encode_frame({":event-type": name, ":message-type": "event"}, dump(payload).encode())


def _parsed(data: bytes) -> Any:
    try:
        return load_tolerant(data)
    except MALFORMED_ERRORS:
        return None
