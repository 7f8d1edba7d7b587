"""Own the Responses codec: one object that brings its encoder, decoder and error mapping together.

It serves api.openai.com and every server that speaks the same wire under another base URL, without any state at the
server's side.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from manus.actors.codecs.base import CodecOptions, Decoder, HttpRequest
from manus.actors.codecs.classify import http_failure
from manus.actors.codecs.error_facts import facts_of_body
from manus.actors.codecs.openai_errors import openai_failure_kind
from manus.actors.codecs.openai_shared import model_names
from manus.actors.codecs.responses_decode import ResponsesDecoder
from manus.actors.codecs.responses_encode import encode_responses
from manus.actors.codecs.wait_hints import openai_rate_limits
from manus.messages.failures import Failed
from manus.messages.outcomes import RateLimitReading
from manus.messages.requests import ChatRequest

_WITHOUT_SUMMARY = "Ask with ReasoningOptions(show=False), which leaves the thinking unseen."
"""Some models summarise their thinking only for organisations that OpenAI has verified."""


class OpenAIResponses:
    """The wire family `openai-responses` (openai.md sections 1, 5 to 8)."""

    wire = "openai-responses"

    def encode(self, request: ChatRequest, model: str, options: CodecOptions) -> HttpRequest | Failed:
        """Write `request` for `model`."""
        return encode_responses(request, model, options)

    def decoder(self, *, stream: bool, model: str, options: CodecOptions) -> Decoder:
        """Make the decoder of one call. The body's own first byte decides its form, not `stream`."""
        return ResponsesDecoder(options.bounds)

    def failure(self, status: int, headers: Mapping[str, str], body: bytes, *, now_unix_s: float) -> Failed:
        """Classify an HTTP error."""
        facts = facts_of_body(body)
        failure = http_failure(openai_failure_kind(status, facts), status, headers, facts, now_unix_s=now_unix_s)
        if facts.param == "reasoning.summary":
            return msgspec.structs.replace(failure, message=f"{failure.message} {_WITHOUT_SUMMARY}")
        return failure

    def rate_limits(self, headers: Mapping[str, str]) -> tuple[RateLimitReading, ...]:
        """Read the `x-ratelimit-*` headers."""
        return openai_rate_limits(headers)

    def list_models_request(self, options: CodecOptions) -> HttpRequest:
        """Write `GET /models`, which authenticates and costs nothing."""
        return HttpRequest(method="GET", path="/models", headers=(("accept", "application/json"),))

    def decode_models(self, body: bytes) -> tuple[str, ...]:
        """Read the ids of `GET /models`."""
        return model_names(body)
