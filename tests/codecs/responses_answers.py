"""Own the bodies that the tests of Responses answers are written with: items, events, whole answers."""

from __future__ import annotations

import json
from typing import Any

from tests.codecs.decoding import assemble

# Any, throughout this file: JSON as a server would write it.

WIRE = "openai-responses"
USAGE = {
    "input_tokens": 75,
    "input_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 5},
    "output_tokens": 40,
    "output_tokens_details": {"reasoning_tokens": 32},
    "total_tokens": 115,
}


def message_item(*texts: str, **fields: Any) -> dict[str, Any]:
    """Write a message of the model, one piece of content per text."""
    content = [{"type": "output_text", "text": text, "annotations": []} for text in texts]
    return {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": content, **fields}


def call_item(call_id: str = "call_9", arguments: str = '{"city":"Oslo"}', **fields: Any) -> dict[str, Any]:
    """Write a function call."""
    named = {"id": "fc_1", "type": "function_call", "call_id": call_id, "name": "get_weather"}
    return {**named, "arguments": arguments, **fields}


def response_of(*output: Any, **fields: Any) -> dict[str, Any]:
    """Write a whole answer."""
    done = {"id": "resp_1", "object": "response", "status": "completed", "model": "gpt-5.6", "output": list(output)}
    return {**done, "error": None, "incomplete_details": None, "usage": USAGE, **fields}


def framed(*events: dict[str, Any] | tuple[str, dict[str, Any]]) -> bytes:
    """Frame events as the server does, numbered."""
    written = []
    for number, event in enumerate(events):
        kind, fields = event if isinstance(event, tuple) else (str(event["type"]), event)
        payload = {"type": kind, "sequence_number": number, **fields}
        written.append(f"event: {kind}\ndata: {json.dumps(payload)}\n\n")
    return "".join(written).encode()


CREATED = (
    "response.created",
    {"response": {"id": "resp_1", "model": "gpt-5.6", "status": "in_progress", "output": []}},
)


def text_event(text: str, place: int = 0, number: int = 0, **fields: Any) -> tuple[str, dict[str, Any]]:
    """Write the event of more text."""
    return "response.output_text.delta", {"output_index": place, "content_index": number, "delta": text, **fields}


def begun(place: int, item: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Write the event of an item that begins."""
    return "response.output_item.added", {"output_index": place, "item": item}


def ended(place: int, item: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Write the event of an item that is whole."""
    return "response.output_item.done", {"output_index": place, "item": item}


def completed(*output: Any, **fields: Any) -> tuple[str, dict[str, Any]]:
    """Write the terminal event of an answer."""
    return "response.completed", {"response": response_of(*output, **fields)}


def parts_of(body: bytes) -> tuple[Any, ...]:
    """Decode a body into the parts of its answer."""
    return assemble(WIRE, body).answer().parts


def document_of(*output: Any, **fields: Any) -> bytes:
    """Write a whole answer as a body."""
    return json.dumps(response_of(*output, **fields)).encode()
