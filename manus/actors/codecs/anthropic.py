"""Own the Anthropic Messages codec: one object that brings its encoder, decoder and error mapping together.

Its paths begin with `/v1`, as the vendor's base URL is `https://api.anthropic.com`.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from manus.actors.codecs.anthropic_decode import AnthropicDecoder
from manus.actors.codecs.anthropic_encode import VERSION, encode_anthropic
from manus.actors.codecs.anthropic_errors import anthropic_failure, anthropic_rate_limits
from manus.actors.codecs.anthropic_messages import WIRE
from manus.actors.codecs.anthropic_types import ModelList
from manus.actors.codecs.base import CodecOptions, Decoder, HttpRequest
from manus.actors.codecs.json_text import MALFORMED_ERRORS
from manus.messages.failures import Failed
from manus.messages.outcomes import RateLimitReading
from manus.messages.requests import ChatRequest

_decode_models = msgspec.json.Decoder(ModelList).decode


class Anthropic:
    """The wire family `anthropic`: the Messages API, at Anthropic and at servers that speak it too."""

    wire = WIRE

    def encode(self, request: ChatRequest, model: str, options: CodecOptions) -> HttpRequest | Failed:
        """Write `request` for `model`."""
        return encode_anthropic(request, model, options)

    def decoder(self, *, stream: bool, model: str, options: CodecOptions) -> Decoder:
        """Make the decoder of one call. The body's own first byte decides its form, not `stream`."""
        return AnthropicDecoder(options.bounds, options.answer_tool)

    def failure(self, status: int, headers: Mapping[str, str], body: bytes, *, now_unix_s: float) -> Failed:
        """Classify an HTTP error."""
        return anthropic_failure(status, headers, body, now_unix_s=now_unix_s)

    def rate_limits(self, headers: Mapping[str, str]) -> tuple[RateLimitReading, ...]:
        """Read the `anthropic-ratelimit-*` headers."""
        return anthropic_rate_limits(headers)

    def list_models_request(self, options: CodecOptions) -> HttpRequest:
        """Write `GET /v1/models`, which authenticates and costs nothing."""
        headers = (("accept", "application/json"), ("anthropic-version", VERSION))
        return HttpRequest(method="GET", path="/v1/models?limit=1000", headers=headers)

    def decode_models(self, body: bytes) -> tuple[str, ...]:
        """Read the ids of `GET /v1/models`."""
        try:
            listed = _decode_models(body)
        except MALFORMED_ERRORS:
            return ()
        return tuple(entry.id for entry in listed.data or () if entry.id)
