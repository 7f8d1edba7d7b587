"""Own embeddings at Azure: OpenAI's, at a deployment's path or the resource's (azure.md, section 7, read 2026-11)."""

from __future__ import annotations

from collections.abc import Mapping

from manus.actors.codecs.azure_errors import azure_failure, azure_failure_kind, azure_rate_limits
from manus.actors.codecs.azure_paths import deployment_path, is_classic
from manus.actors.codecs.base import NO_HEADERS, CodecOptions, EmbedLimits, HttpRequest
from manus.actors.codecs.embed_answer import EmbedDecoder
from manus.actors.codecs.openai_embed import INPUTS_MAX, TOKENS_MAX, encode_embeddings, openai_embed_decoder
from manus.messages.failures import Failed
from manus.messages.outcomes import RateLimitReading
from manus.messages.requests import EmbedRequest


class AzureEmbed:
    """Embeddings of a deployment, on either surface."""

    wire = "azure-embed"

    def limits(self, model: str, options: CodecOptions) -> EmbedLimits:
        """Tell what one call may hold."""
        return EmbedLimits(inputs=INPUTS_MAX, tokens=TOKENS_MAX)

    def encode(self, request: EmbedRequest, model: str, options: CodecOptions) -> HttpRequest | Failed:
        """Write `request` for the deployment `model`, which the classic surface names in the path alone."""
        named = None if is_classic(options) else model
        path = deployment_path("embeddings", model, options)
        return encode_embeddings(request, named, options, path=path, wires=("azure-chat", self.wire))

    def decoder(
        self, request: EmbedRequest, model: str, options: CodecOptions, headers: Mapping[str, str] = NO_HEADERS
    ) -> EmbedDecoder:
        """Make the decoder of one call."""
        return openai_embed_decoder(request, options, azure_failure_kind)

    def failure(self, status: int, headers: Mapping[str, str], body: bytes, *, now_unix_s: float) -> Failed:
        """Classify an HTTP error."""
        return azure_failure(status, headers, body, now_unix_s=now_unix_s)

    def rate_limits(self, headers: Mapping[str, str]) -> tuple[RateLimitReading, ...]:
        """Read the `x-ratelimit-*` headers."""
        return azure_rate_limits(headers)
