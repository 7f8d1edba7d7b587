"""Own how the tests of Responses requests ask: small requests, and what is written of them."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from manus.actors.codecs import codec_for
from manus.actors.codecs.base import CodecOptions, HttpRequest
from manus.messages.content import (
    Reasoning,
    Text,
    ToolCall,
    ToolResult,
    Turn,
    text_turn,
)
from manus.messages.ids import RequestId
from manus.messages.requests import (
    ChatRequest,
    Tool,
)

WIRE = "openai-responses"
PNG = b"\x89PNG\r\n\x1a\n1"
ASK = (text_turn("user", "Hi"),)
THINKER = "gpt-5.6"
WEATHER = Tool(name="get_weather", schema=msgspec.Raw(b'{"type":"object","properties":{"city":{"type":"string"}}}'))
OSLO = ToolCall(id="call_1", name="get_weather", arguments='{"city":"Oslo"}')
COLD = Turn(role="tool", parts=(ToolResult(id="call_1", content=(Text(text="4 C"),)),))


def raw_of(value: object) -> msgspec.Raw:
    """Write JSON."""
    return msgspec.Raw(json.dumps(value).encode())


def request_of(turns: tuple[Turn, ...] = ASK, **fields: Any) -> ChatRequest:
    """Make a request."""
    return ChatRequest(request_id=RequestId("r"), turns=turns, **fields)


def encoded(request: ChatRequest, model: str = "gpt-4.1", options: CodecOptions | None = None) -> HttpRequest:
    """Write a request."""
    written = codec_for(WIRE).encode(request, model, options or CodecOptions())
    assert isinstance(written, HttpRequest), written
    return written


def body_of(request: ChatRequest, model: str = "gpt-4.1", options: CodecOptions | None = None) -> dict[str, Any]:
    """Give the body that is written."""
    body: dict[str, Any] = json.loads(encoded(request, model, options).body)
    return body


def input_of(*turns: Turn, model: str = THINKER) -> list[dict[str, Any]]:
    """Give the input items that are written of a conversation."""
    items: list[dict[str, Any]] = body_of(request_of(turns), model)["input"]
    return items


def warned(request: ChatRequest, model: str = "gpt-4.1") -> list[str]:
    """Give the codes of the warnings."""
    return [warning.code for warning in encoded(request, model).warnings]


def thought(**fields: Any) -> Reasoning:
    """Make thinking of the model's own."""
    return Reasoning(**{"encrypted": "gAAA", "id": "rs_1", "provider": WIRE, "model": THINKER, **fields})


SEALED = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"}
CALLED = {"type": "function_call", "call_id": "call_1", "name": "get_weather", "arguments": '{"city":"Oslo"}'}
ANSWERED = {"type": "function_call_output", "call_id": "call_1", "output": "4 C"}
