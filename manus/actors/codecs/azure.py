"""Own Azure's two codecs: OpenAI's wires at Azure's places, with Azure's errors and what it cannot do.

The model asked for is the deployment's name, which says nothing of the model behind it: `ModelCard.base` does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from manus.actors.codecs.azure_errors import azure_failure, azure_failure_kind, azure_rate_limits
from manus.actors.codecs.azure_paths import deployment_path, is_classic, reads_version, resource_path
from manus.actors.codecs.base import CodecOptions, Decoder, HttpRequest
from manus.actors.codecs.openai_chat_decode import OpenAIChatDecoder
from manus.actors.codecs.openai_chat_encode import encode_chat
from manus.actors.codecs.openai_models import family_for
from manus.actors.codecs.openai_shared import Surface, model_names
from manus.actors.codecs.responses_decode import ResponsesDecoder
from manus.actors.codecs.responses_encode import encode_responses
from manus.messages.failures import Failed
from manus.messages.outcomes import RateLimitReading
from manus.messages.requests import ChatRequest

_THINKING_SINCE = "2024-09-01"
"""The version of the classic API that first took `max_completion_tokens` and `stream_options`."""

_NEWER_FIELDS_SINCE = "2025-04-01"
"""The one that first took `safety_identifier` and `prompt_cache_key`."""

_OTHER_VENDORS = re.compile(r"llama|mi[sx]tral|deepseek|phi-?\d|cohere|command-|jamba|codestral|qwen", re.IGNORECASE)
"""Models that Azure serves but OpenAI did not make: they know no `max_completion_tokens`."""


class _Azure:
    """What both wires have in common: errors, limits, and the list of models."""

    def failure(self, status: int, headers: Mapping[str, str], body: bytes, *, now_unix_s: float) -> Failed:
        """Classify an HTTP error."""
        return azure_failure(status, headers, body, now_unix_s=now_unix_s)

    def rate_limits(self, headers: Mapping[str, str]) -> tuple[RateLimitReading, ...]:
        """Read the `x-ratelimit-*` headers."""
        return azure_rate_limits(headers)

    def list_models_request(self, options: CodecOptions) -> HttpRequest:
        """Write the request for the models of the resource: it proves address and key, and no deployment."""
        headers = (("accept", "application/json"),)
        return HttpRequest(method="GET", path=resource_path("models", options), headers=headers)

    def decode_models(self, body: bytes) -> tuple[str, ...]:
        """Read the ids: of the region's catalogue (classic), or of what the resource can use (v1)."""
        return model_names(body)


class AzureChat(_Azure):
    """The wire family `azure-chat`: Chat Completions (azure.md)."""

    wire = "azure-chat"

    def encode(self, request: ChatRequest, model: str, options: CodecOptions) -> HttpRequest | Failed:
        """Write `request` for the deployment `model`."""
        surface = _surface(self.wire, deployment_path("chat/completions", model, options), options)
        old = not reads_version(options, _THINKING_SINCE)
        if old:
            options = msgspec.structs.replace(options, include_usage=False)
        if options.max_tokens_field == "auto" and not family_for(model, options.card).openai:
            # A deployment of whatever name is most likely one of OpenAI's, and the newer of those refuse the old name.
            name = model if options.card is None else options.card.vendor_name
            field = "max_tokens" if old or _OTHER_VENDORS.search(name) else "max_completion_tokens"
            options = msgspec.structs.replace(options, max_tokens_field=field)
        return encode_chat(request, model, options, surface)

    def decoder(self, *, stream: bool, model: str, options: CodecOptions) -> Decoder:
        """Make the decoder of one call. The body's own first byte decides its form, not `stream`."""
        return OpenAIChatDecoder(options.bounds, azure_failure_kind)


class AzureResponses(_Azure):
    """The wire family `azure-responses`: the Responses API (azure.md)."""

    wire = "azure-responses"

    def encode(self, request: ChatRequest, model: str, options: CodecOptions) -> HttpRequest | Failed:
        """Write `request` for the deployment `model`."""
        return encode_responses(
            request, model, options, _surface(self.wire, resource_path("responses", options), options)
        )

    def decoder(self, *, stream: bool, model: str, options: CodecOptions) -> Decoder:
        """Make the decoder of one call. The body's own first byte decides its form, not `stream`."""
        return ResponsesDecoder(options.bounds, azure_failure_kind)


def _surface(wire: str, path: str, options: CodecOptions) -> Surface:
    newer = not is_classic(options) or reads_version(options, _NEWER_FIELDS_SINCE)
    return Surface(wire=wire, path=path, files=False, newer_fields=newer)
