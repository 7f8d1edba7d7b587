"""Own the Ollama codec: one object that brings its encoder, decoder and error mapping together."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from manus.actors.codecs.base import CodecOptions, Decoder, HttpRequest
from manus.actors.codecs.classify import http_failure
from manus.actors.codecs.error_facts import facts_of_body
from manus.actors.codecs.json_text import MALFORMED_ERRORS
from manus.actors.codecs.ollama_decode import OllamaDecoder
from manus.actors.codecs.ollama_encode import WIRE, encode_ollama
from manus.actors.codecs.ollama_errors import ollama_failure_kind
from manus.actors.codecs.ollama_types import InstalledModels
from manus.messages.failures import Failed
from manus.messages.outcomes import RateLimitReading
from manus.messages.requests import ChatRequest

_decode_models = msgspec.json.Decoder(InstalledModels).decode


class Ollama:
    """The wire family `ollama`: the native API, which shows errors, thinking and load options."""

    wire = WIRE

    def encode(self, request: ChatRequest, model: str, options: CodecOptions) -> HttpRequest | Failed:
        """Write `request` for `model`."""
        return encode_ollama(request, model, options)

    def decoder(self, *, stream: bool, model: str, options: CodecOptions) -> Decoder:
        """Make the decoder of one call."""
        return OllamaDecoder(options.bounds, stream=stream)

    def failure(self, status: int, headers: Mapping[str, str], body: bytes, *, now_unix_s: float) -> Failed:
        """Classify an HTTP error."""
        facts = facts_of_body(body)
        return http_failure(ollama_failure_kind(status, facts), status, headers, facts, now_unix_s=now_unix_s)

    def rate_limits(self, headers: Mapping[str, str]) -> tuple[RateLimitReading, ...]:
        """Ollama sends no such headers."""
        return ()

    def list_models_request(self, options: CodecOptions) -> HttpRequest:
        """Write `GET /api/tags`, which loads no model."""
        return HttpRequest(method="GET", path="/api/tags", headers=(("accept", "application/json"),))

    def decode_models(self, body: bytes) -> tuple[str, ...]:
        """Read the installed models' names."""
        try:
            listed = _decode_models(body)
        except MALFORMED_ERRORS:
            return ()
        names = (entry.model or entry.name for entry in listed.models or ())
        return tuple(name for name in names if name)
