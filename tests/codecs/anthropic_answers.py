"""Own what the tests of the Messages decoder share: short ways to write answers, and to read them."""

from __future__ import annotations

import json
from typing import Any

from manus.actors.assembly import Assembly
from manus.actors.codecs import codec_for
from manus.actors.codecs.base import CodecOptions
from manus.messages.events import StreamEvent
from manus.messages.policy import Bounds

Event = dict[str, Any]


def framed(*events: Event) -> bytes:
    """Frame events as the vendor does."""
    return "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events).encode()


def begun(**fields: Any) -> Event:
    """Make `message_start`."""
    usage = {"input_tokens": 12, "cache_read_input_tokens": 2048, "cache_creation_input_tokens": 0, "output_tokens": 1}
    return {"type": "message_start", "message": {"id": "msg_1", "model": "claude-x", "usage": usage, **fields}}


def block(index: int, kind: str, *deltas: Event, **fields: Any) -> list[Event]:
    """Make a block with its start, its deltas and its stop."""
    return [
        {"type": "content_block_start", "index": index, "content_block": {"type": kind, **fields}},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def said(index: int, *texts: str) -> list[Event]:
    """Make a block of text."""
    return block(index, "text", *({"type": "text_delta", "text": text} for text in texts), text="")


def over(reason: str | None = "end_turn", **fields: Any) -> list[Event]:
    """Make the end of a message."""
    usage = fields.pop("usage", {"output_tokens": 90})
    delta = {"stop_reason": reason, "stop_sequence": None, **fields}
    return [{"type": "message_delta", "delta": delta, "usage": usage}, {"type": "message_stop"}]


def read(
    body: bytes, *, answer_tool: str | None = None, bounds: Bounds | None = None
) -> tuple[list[StreamEvent], Assembly]:
    """Decode a body and fold its events."""
    options = CodecOptions(answer_tool=answer_tool, bounds=bounds or Bounds())
    decoder = codec_for("anthropic").decoder(stream=True, model="m", options=options)
    events = decoder.feed(body) + decoder.finish()
    assert decoder.done
    assembly = Assembly("anthropic", "m", Bounds())
    assembly.add(events)
    return events, assembly


def whole(*content: Event, **fields: Any) -> bytes:
    """Write an answer in one piece."""
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-x",
        "content": list(content),
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 1, "output_tokens": 2},
        **fields,
    }
    return json.dumps(message).encode()
