"""Own the making of Converse streams for tests: frames by their event's name, cut anywhere."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from manus.actors.codecs.event_stream import encode_frame

# Any, throughout this file: JSON.


def frame(event: str, payload: object) -> bytes:
    """Write one event; a payload that is not bytes is written as JSON, with the padding that Bedrock adds."""
    if isinstance(payload, dict):
        payload = {**payload, "p": "abcd"}
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode("utf-8", "surrogatepass")
    return encode_frame({":event-type": event, ":content-type": "application/json", ":message-type": "event"}, body)


def exception(name: str, payload: object) -> bytes:
    """Write a modelled exception."""
    return encode_frame(
        {":exception-type": name, ":content-type": "application/json", ":message-type": "exception"},
        json.dumps(payload).encode(),
    )


def unmodelled(code: str, message: str) -> bytes:
    """Write an error that the service has no model of."""
    return encode_frame({":message-type": "error", ":error-code": code, ":error-message": message}, b"")


def start(number: int, **what: Any) -> bytes:
    """Write `contentBlockStart`."""
    return frame("contentBlockStart", {"contentBlockIndex": number, "start": what})


def delta(number: int, **what: Any) -> bytes:
    """Write `contentBlockDelta`."""
    return frame("contentBlockDelta", {"contentBlockIndex": number, "delta": what})


def stop(number: int) -> bytes:
    """Write `contentBlockStop`."""
    return frame("contentBlockStop", {"contentBlockIndex": number})


def message_stop(reason: str = "end_turn", **more: Any) -> bytes:
    """Write `messageStop`."""
    return frame("messageStop", {"stopReason": reason, **more})


USAGE = {"inputTokens": 13, "outputTokens": 5, "totalTokens": 18}


def metadata(**more: Any) -> bytes:
    """Write `metadata`."""
    return frame("metadata", {"usage": USAGE, "metrics": {"latencyMs": 9}, **more})


MESSAGE_START = frame("messageStart", {"role": "assistant"})


def stream(*frames: bytes, reason: str = "end_turn") -> bytes:
    """Write a whole stream around some frames."""
    return b"".join((MESSAGE_START, *frames, message_stop(reason), metadata()))


def converse(content: Iterable[object], reason: str | None = "end_turn", **more: Any) -> bytes:
    """Write the body of an answer that is not streamed."""
    body: dict[str, Any] = {"output": {"message": {"role": "assistant", "content": list(content)}}, "usage": USAGE}
    if reason is not None:
        body["stopReason"] = reason
    return json.dumps({**body, **more}).encode()
