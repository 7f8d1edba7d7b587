"""An error is classified in every shape that servers, gateways and proxies give it, on every wire."""

from __future__ import annotations

import json
from typing import Any

import pytest

from manus.actors.assembly import Assembly
from manus.actors.codecs import CODECS, codec_for
from manus.actors.codecs.base import CodecOptions
from manus.messages.failures import FailureKind
from manus.messages.policy import Bounds

OPTIONS = CodecOptions()

BY_STATUS: dict[int, set[FailureKind]] = {
    400: {"invalid_request"},
    401: {"auth"},
    402: {"quota_exhausted"},
    403: {"permission", "auth"},
    404: {"not_found"},
    408: {"timeout"},
    413: {"too_large"},
    422: {"invalid_request"},
    429: {"rate_limited", "quota_exhausted"},
    500: {"server"},
    502: {"server", "overloaded"},
    503: {"overloaded"},
    504: {"timeout"},
    520: {"server"},
    529: {"overloaded"},
}
"""What may be made of a status where the body says nothing more; 429 is mostly a plan's quota at Ollama."""

WORDS = "Something is not as it should be"

SHAPES: dict[str, Any] = {
    "object": {"error": {"message": WORDS, "type": None, "code": None, "param": None}},
    "object with a numeric code": {"error": {"message": WORDS, "code": 7}},
    "string": {"error": WORDS},
    "anthropic": {"type": "error", "error": {"type": "new_error", "message": WORDS}, "request_id": "r"},
    "aws": {"message": WORDS},
    "aws, capital": {"Message": WORDS},
    "azure gateway": {"statusCode": 1, "message": WORDS},
    "fastapi": {"detail": WORDS},
    "fastapi, validated": {"detail": [{"loc": ["body", "x"], "msg": WORDS, "type": "missing"}]},
    "google": [{"error": {"code": 1, "message": WORDS, "status": "NEW"}}],
    "vllm": {"object": "error", "message": WORDS, "type": "NewError", "param": None, "code": 1},
    "message alone": {"message": WORDS, "raw_status_code": 1},
    "cloudflare": {"success": False, "errors": [{"code": 1, "message": WORDS}], "messages": [], "result": None},
    "nested text": {"error": {"message": json.dumps({"error": {"message": WORDS}})}},
    "openrouter": {
        "error": {"message": WORDS, "code": 1, "metadata": {"raw": "x", "provider_name": "p"}},
        "user_id": "u",
    },
}

UNREADABLE: dict[str, bytes] = {
    "nothing": b"",
    "blanks": b" \r\n",
    "web page": b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>",
    "plain text": b"upstream connect error or disconnect/reset before headers",
    "cut short": b'{"error":{"message":"Something is not as it',
    "xml": b'<?xml version="1.0"?><Error><Code>Slow</Code></Error>',
    "null": b"null",
    "list": b"[]",
    "number": b"7",
    "no utf-8": b"\xff\xfe{\x00",
    "empty object": b"{}",
    "error that is null": b'{"error":null}',
    "error that is a list": b'{"error":[]}',
    "error that is true": b'{"error":true}',
    "message that is an object": b'{"error":{"message":{"a":1},"code":[1],"type":{}}}',
    "deep": b'{"error":' * 900 + b"1" + b"}" * 900,
}


@pytest.mark.parametrize("status", BY_STATUS)
@pytest.mark.parametrize("wire", sorted(CODECS))
def test_every_shape_of_body_leaves_the_status_its_meaning(wire: str, status: int) -> None:
    bodies = {name: json.dumps(shape).encode() for name, shape in SHAPES.items()} | UNREADABLE
    kinds = {name: codec_for(wire).failure(status, {}, body, now_unix_s=0.0).kind for name, body in bodies.items()}

    assert {name: kind for name, kind in kinds.items() if kind not in BY_STATUS[status]} == {}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("wire", sorted(CODECS))
def test_the_servers_own_words_are_found_in_every_shape(wire: str, shape: str) -> None:
    if (wire, shape) == ("bedrock", "google"):
        return  # nothing of Google's speaks Bedrock's wire
    failure = codec_for(wire).failure(400, {}, json.dumps(SHAPES[shape]).encode(), now_unix_s=0.0)

    assert WORDS in failure.message


@pytest.mark.parametrize("wire", sorted(CODECS))
def test_a_success_that_is_no_answer_is_a_failure(wire: str) -> None:
    for body in UNREADABLE.values():
        for stream in (True, False):
            decoder = codec_for(wire).decoder(stream=stream, model="m", options=OPTIONS)
            assembly = Assembly(wire, "m", Bounds())
            assembly.add(decoder.feed(body))
            assembly.add(decoder.finish())
            assert assembly.failure is not None, body


GATEWAYS = ["google", "fastapi", "vllm"]
"""Shapes of servers that speak OpenAI's wires or Anthropic's; none speaks Bedrock's or Ollama's native one."""

UNDER_200 = [(wire, shape) for wire in sorted(CODECS) for shape in ("object", "string", "anthropic", "openrouter")] + [
    (wire, shape) for wire in sorted(set(CODECS) - {"bedrock", "ollama"}) for shape in GATEWAYS
]


@pytest.mark.parametrize(("wire", "shape"), UNDER_200)
def test_an_error_document_under_status_200_is_a_failure_with_its_words(wire: str, shape: str) -> None:
    for stream in (True, False):
        decoder = codec_for(wire).decoder(stream=stream, model="m", options=OPTIONS)
        assembly = Assembly(wire, "m", Bounds())
        assembly.add(decoder.feed(json.dumps(SHAPES[shape]).encode()))
        assembly.add(decoder.finish())

        assert assembly.failure is not None
        assert WORDS in assembly.failure.message


@pytest.mark.parametrize("wire", ["openai-chat", "openai-responses", "anthropic"])
def test_a_local_servers_full_window_is_the_context_length_on_each_wire_that_it_speaks(wire: str) -> None:
    said = "request (5031 tokens) exceeds the available context size (4096 tokens), try increasing it"
    error = {"code": 400, "message": said, "type": "exceed_context_size_error", "n_prompt_tokens": 5031, "n_ctx": 4096}

    failure = codec_for(wire).failure(400, {}, json.dumps({"error": error}).encode(), now_unix_s=0.0)

    assert failure.kind == "context_length"
