"""Own what the tests of Bedrock's encoder share: models of each family, and requests written and read back."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from manus.actors.codecs import codec_for
from manus.actors.codecs.base import CodecOptions, HttpRequest
from manus.messages.content import (
    Text,
    ToolCall,
    ToolResult,
    Turn,
    text_turn,
)
from manus.messages.failures import Failed
from manus.messages.ids import RequestId
from manus.messages.requests import ChatRequest, OutputFormat, Tool

# Any, throughout this file: JSON.

PNG = b"\x89PNG\r\n\x1a\n1"
ASK = (text_turn("user", "Hi"),)
CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
CLAUDE_NEW = "global.anthropic.claude-opus-5-5"
CLAUDE_5 = "us.anthropic.claude-sonnet-5"
CLAUDE_3 = "anthropic.claude-3-haiku-20240307-v1:0"
NOVA = "amazon.nova-lite-v1:0"
NOVA_2 = "us.amazon.nova-2-lite-v1:0"
LLAMA = "meta.llama3-3-70b-instruct-v1:0"
MISTRAL = "mistral.mistral-large-2407-v1:0"
TITAN = "amazon.titan-text-express-v1"
QWEN = "qwen.qwen3-32b-v1:0"
GPT_OSS = "openai.gpt-oss-120b-1:0"
PROFILE = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/1arbu5hu2sjr"

WEATHER = Tool(name="get_weather", schema=msgspec.Raw(b'{"type":"object","properties":{"city":{"type":"string"}}}'))
CLOCK = Tool(name="clock", description="Tells the time.", schema=msgspec.Raw(b'{"type":"object"}'))
SCHEMA = OutputFormat(schema=msgspec.Raw(b'{"type":"object","properties":{"n":{"type":"integer"}}}'), name="count")


def asking(turns: tuple[Turn, ...] = ASK, **fields: Any) -> ChatRequest:
    return ChatRequest(request_id=RequestId("r"), turns=turns, **fields)


def written_for(request: ChatRequest, model: str = "m", options: CodecOptions | None = None) -> HttpRequest:
    written = codec_for("bedrock").encode(request, model, options or CodecOptions())
    assert isinstance(written, HttpRequest), written
    return written


def body_of(request: ChatRequest, model: str = "m", options: CodecOptions | None = None) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(written_for(request, model, options).body)
    return body


def warnings_of(request: ChatRequest, model: str = "m", options: CodecOptions | None = None) -> list[str]:
    return [warning.code for warning in written_for(request, model, options).warnings]


def refusal_of(request: ChatRequest, model: str = "m", options: CodecOptions | None = None) -> Failed:
    failure = codec_for("bedrock").encode(request, model, options or CodecOptions())
    assert isinstance(failure, Failed)
    return failure


def from_user(*parts: Any) -> tuple[Turn, ...]:
    return (Turn(role="user", parts=parts),)


def content_of(*parts: Any, model: str = "m") -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = body_of(asking(from_user(*parts)), model)["messages"][0]["content"]
    return content


def tool_loop(*after: Turn, result: ToolResult | None = None) -> tuple[Turn, ...]:
    """A tool round trip, and what comes behind."""
    answer = result or ToolResult(id="t1", content=(Text(text="4 C"),))
    return (
        text_turn("user", "Weather?"),
        Turn(role="assistant", parts=(ToolCall(id="t1", name="get_weather", arguments='{"city":"Oslo"}'),)),
        Turn(role="tool", parts=(answer,)),
        *after,
    )
