"""Own Ollama's native embeddings, `POST /api/embed` (ollama.md, section 5, read 2026-11)."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from manus.actors.codecs.base import NO_HEADERS, CodecOptions, EmbedLimits, HttpRequest
from manus.actors.codecs.classify import http_failure, stream_failure
from manus.actors.codecs.embed_answer import EMBED_HEADERS, EmbedAnswer, EmbedDecoder, packed
from manus.actors.codecs.encoding import Body, Unencodable, Warnings, options_of, write_body
from manus.actors.codecs.error_facts import facts_of_body
from manus.actors.codecs.json_text import NULL
from manus.actors.codecs.ollama_encode import WIRE
from manus.actors.codecs.ollama_errors import ollama_failure_kind
from manus.messages.failures import Failed
from manus.messages.outcomes import RateLimitReading
from manus.messages.requests import EmbedRequest

INPUTS_MAX = 512
"""Ollama states no limit; it works through the list one by one while the connection is silent."""

_TOP_LEVEL = {"truncate", "keep_alive", "options", "dimensions"}


class Vectors(msgspec.Struct, gc=False):
    """The body of a success; counters that are zero are left out."""

    embeddings: list[list[float]] | None = None
    model: str | None = None
    prompt_eval_count: int | None = None
    error: msgspec.Raw = NULL


_decode = msgspec.json.Decoder(Vectors).decode


class OllamaEmbed:
    """`POST /api/embed`, whose vectors have the length 1."""

    wire = "ollama-embed"

    def limits(self, model: str, options: CodecOptions) -> EmbedLimits:
        """Tell what one call may hold."""
        return EmbedLimits(inputs=INPUTS_MAX)

    def encode(self, request: EmbedRequest, model: str, options: CodecOptions) -> HttpRequest | Failed:
        """Write `request` for `model`."""
        warnings = Warnings()
        # Otherwise a text that is too long is cut without a word, and its vector is another text's.
        body: Body = {"model": model, "input": list(request.inputs), "truncate": options.truncate}
        if request.dimensions is not None:
            body["dimensions"] = request.dimensions
        if request.purpose is not None:
            warnings.say("purpose_dropped", "Ollama takes no purpose; write the prefix that the model wants yourself.")
        if options.context_tokens is not None:
            body["options"] = {"num_ctx": options.context_tokens}
        try:
            for name, value in options_of(request.extra, WIRE, self.wire, options.provider).items():
                if name in _TOP_LEVEL:
                    body[name] = value
                else:
                    body.setdefault("options", {})[name] = value
            data = write_body(body, options.bounds)
        except Unencodable as refusal:
            return refusal.failure
        return HttpRequest(method="POST", path="/api/embed", headers=EMBED_HEADERS, body=data, warnings=warnings.all())

    def decoder(
        self, request: EmbedRequest, model: str, options: CodecOptions, headers: Mapping[str, str] = NO_HEADERS
    ) -> EmbedDecoder:
        """Make the decoder of one call."""
        return EmbedDecoder(_read, inputs=len(request.inputs), dimensions=request.dimensions, bounds=options.bounds)

    def failure(self, status: int, headers: Mapping[str, str], body: bytes, *, now_unix_s: float) -> Failed:
        """Classify an HTTP error."""
        facts = facts_of_body(body)
        return http_failure(ollama_failure_kind(status, facts), status, headers, facts, now_unix_s=now_unix_s)

    def rate_limits(self, headers: Mapping[str, str]) -> tuple[RateLimitReading, ...]:
        """Ollama sends no such headers."""
        return ()


def _read(body: bytes) -> EmbedAnswer | Failed:
    answer = _decode(body)
    if answer.error != NULL:
        facts = facts_of_body(body)
        return stream_failure(ollama_failure_kind(None, facts), facts)
    return EmbedAnswer(
        vectors=tuple(packed(vector) for vector in answer.embeddings or ()),
        input_tokens=answer.prompt_eval_count,
        model=answer.model,
    )
