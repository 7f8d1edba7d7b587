"""Own what the tests of the Messages encoder share: short ways to ask, and to read what was written."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from manus.actors.codecs import codec_for
from manus.actors.codecs.base import CodecOptions, HttpRequest
from manus.messages.content import Turn, text_turn
from manus.messages.failures import Failed
from manus.messages.ids import RequestId
from manus.messages.policy import ModelCard
from manus.messages.requests import ChatRequest

USER = text_turn("user", "Hi")
SONNET_45 = "claude-sonnet-4-5"
OPUS_55 = "claude-opus-5-5"


def raw(value: object) -> msgspec.Raw:
    """Write JSON kept unread."""
    return msgspec.Raw(json.dumps(value).encode())


def asked(*turns: Turn, **fields: Any) -> ChatRequest:
    """Ask with these turns, or with a greeting."""
    return ChatRequest(request_id=RequestId("r"), turns=turns or (USER,), **fields)


def sent(request: ChatRequest, model: str = SONNET_45, *, card: ModelCard | None = None) -> HttpRequest:
    """Encode a request that can be encoded."""
    written = codec_for("anthropic").encode(request, model, CodecOptions(provider="claude", card=card))
    assert isinstance(written, HttpRequest), written
    return written


def body_of(request: ChatRequest, model: str = SONNET_45, *, card: ModelCard | None = None) -> dict[str, Any]:
    """Give the body that is written for a request."""
    body = json.loads(sent(request, model, card=card).body)
    assert isinstance(body, dict)
    return body


def warned(request: ChatRequest, model: str = SONNET_45, *, card: ModelCard | None = None) -> list[str]:
    """Give the codes of the warnings that go with a request."""
    return [warning.code for warning in sent(request, model, card=card).warnings]


def refused(request: ChatRequest, model: str = SONNET_45) -> Failed:
    """Encode a request that cannot be encoded."""
    failed = codec_for("anthropic").encode(request, model, CodecOptions())
    assert isinstance(failed, Failed)
    return failed
