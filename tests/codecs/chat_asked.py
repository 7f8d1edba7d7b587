"""Own how the tests of Chat Completions requests ask: small requests, and what is written of them."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from manus.actors.codecs import codec_for
from manus.actors.codecs.base import CodecOptions, HttpRequest
from manus.messages.content import (
    Turn,
    text_turn,
)
from manus.messages.failures import Failed
from manus.messages.ids import RequestId
from manus.messages.requests import (
    ChatRequest,
    Tool,
)

PNG = b"\x89PNG\r\n\x1a\n1"
JPEG = b"\xff\xd8\xff1"
ASK = (text_turn("user", "Hi"),)
WEATHER = Tool(name="get_weather", schema=msgspec.Raw(b'{"type":"object","properties":{"city":{"type":"string"}}}'))


def request_of(turns: tuple[Turn, ...] = ASK, **fields: Any) -> ChatRequest:
    """Make a request."""
    return ChatRequest(request_id=RequestId("r"), turns=turns, **fields)


def encoded(request: ChatRequest, model: str = "llama-3", options: CodecOptions | None = None) -> HttpRequest:
    """Write a request."""
    written = codec_for("openai-chat").encode(request, model, options or CodecOptions())
    assert isinstance(written, HttpRequest), written
    return written


def body_of(request: ChatRequest, model: str = "llama-3", options: CodecOptions | None = None) -> dict[str, Any]:
    """Give the body that is written."""
    body: dict[str, Any] = json.loads(encoded(request, model, options).body)
    return body


def refused(request: ChatRequest, model: str = "llama-3", options: CodecOptions | None = None) -> Failed:
    """Give the failure of a request that cannot be written."""
    failure = codec_for("openai-chat").encode(request, model, options or CodecOptions())
    assert isinstance(failure, Failed)
    return failure


def messages_of(*turns: Turn, model: str = "llama-3", options: CodecOptions | None = None) -> list[dict[str, Any]]:
    """Give the messages that are written of a conversation."""
    messages: list[dict[str, Any]] = body_of(request_of(turns), model, options)["messages"]
    return messages
