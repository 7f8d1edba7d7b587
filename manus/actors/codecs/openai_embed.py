"""Own embeddings as OpenAI and the servers that follow it write them (openai.md, section 9, read 2026-11)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import msgspec

from manus.actors.codecs.base import NO_HEADERS, CodecOptions, EmbedLimits, HttpRequest
from manus.actors.codecs.classify import http_failure, stream_failure
from manus.actors.codecs.embed_answer import EMBED_HEADERS, EmbedAnswer, EmbedDecoder, packed, packed_base64
from manus.actors.codecs.encoding import Body, Unencodable, Warnings, options_of, write_body
from manus.actors.codecs.error_facts import ErrorFacts, facts_of_body
from manus.actors.codecs.json_text import NULL
from manus.actors.codecs.openai_chat_types import UsageObject
from manus.actors.codecs.openai_errors import openai_failure_kind
from manus.actors.codecs.wait_hints import openai_rate_limits
from manus.messages.failures import Failed, FailureKind
from manus.messages.outcomes import RateLimitReading
from manus.messages.requests import EmbedRequest

FailureKindOf = Callable[[int | None, ErrorFacts], FailureKind]
"""How a vendor's errors are classified, by status and facts."""

INPUTS_MAX = 512
"""Texts in one call. OpenAI takes 2048, but such an answer (34 MB at 3072 dimensions) is read in one step of 120 ms,
in which nobody else gets a turn; a quarter of it in 30."""

TOKENS_MAX = 300_000
"""Tokens in one call, of all texts together; other servers take at most as much."""


class Vector(msgspec.Struct, gc=False):
    """One entry of `data`: numbers, or base64 where the server knows `encoding_format`."""

    embedding: str | list[float]
    index: int | None = None


class VectorList(msgspec.Struct, gc=False):
    """The body of a success, or of an error with the status of one."""

    data: list[Vector] | None = None
    model: str | None = None
    id: str | None = None
    usage: UsageObject | None = None
    error: msgspec.Raw = NULL


_decode = msgspec.json.Decoder(VectorList).decode


class OpenAIEmbed:
    """`POST /embeddings`, for every entry that speaks one of OpenAI's wires."""

    wire = "openai-embed"

    def limits(self, model: str, options: CodecOptions) -> EmbedLimits:
        """Tell what one call may hold."""
        return EmbedLimits(inputs=INPUTS_MAX, tokens=TOKENS_MAX)

    def encode(self, request: EmbedRequest, model: str, options: CodecOptions) -> HttpRequest | Failed:
        """Write `request` for `model`."""
        return encode_embeddings(request, model, options, path="/embeddings", wires=("openai-chat", self.wire))

    def decoder(
        self, request: EmbedRequest, model: str, options: CodecOptions, headers: Mapping[str, str] = NO_HEADERS
    ) -> EmbedDecoder:
        """Make the decoder of one call."""
        return openai_embed_decoder(request, options, openai_failure_kind)

    def failure(self, status: int, headers: Mapping[str, str], body: bytes, *, now_unix_s: float) -> Failed:
        """Classify an HTTP error."""
        facts = facts_of_body(body)
        return http_failure(openai_failure_kind(status, facts), status, headers, facts, now_unix_s=now_unix_s)

    def rate_limits(self, headers: Mapping[str, str]) -> tuple[RateLimitReading, ...]:
        """Read the `x-ratelimit-*` headers."""
        return openai_rate_limits(headers)


def encode_embeddings(
    request: EmbedRequest, model: str | None, options: CodecOptions, *, path: str, wires: tuple[str, ...]
) -> HttpRequest | Failed:
    """Write an embedding request in OpenAI's form.

    Args:
        model: None where the path names it.
        path: where it goes.
        wires: wire families whose vendor options are passed through, besides the entry's own.
    """
    warnings = Warnings()
    body: Body = {"input": list(request.inputs)}
    if model is not None:
        body["model"] = model
    if request.dimensions is not None:
        body["dimensions"] = request.dimensions
    if request.end_user_id is not None:
        body["user"] = request.end_user_id
    if request.purpose is not None:
        warnings.say("purpose_dropped", "These embedding models make no difference between questions and passages.")
    # A third of the bytes of numbers in JSON, and no parsing; servers that do not know it send numbers.
    body["encoding_format"] = "base64"
    try:
        body.update(options_of(request.extra, *wires, options.provider))
        data = write_body(body, options.bounds)
    except Unencodable as refusal:
        return refusal.failure
    return HttpRequest(method="POST", path=path, headers=EMBED_HEADERS, body=data, warnings=warnings.all())


def openai_embed_decoder(request: EmbedRequest, options: CodecOptions, kind_of: FailureKindOf) -> EmbedDecoder:
    """Make the decoder of a body in OpenAI's form; `kind_of` classifies an error inside a 200."""
    return EmbedDecoder(
        partial(_read, kind_of), inputs=len(request.inputs), dimensions=request.dimensions, bounds=options.bounds
    )


def _read(kind_of: FailureKindOf, body: bytes) -> EmbedAnswer | Failed:
    answer = _decode(body)
    if answer.error != NULL:
        facts = facts_of_body(body)
        return stream_failure(kind_of(None, facts), facts)
    entries = answer.data or []
    if sorted(entry.index if entry.index is not None else -1 for entry in entries) == list(range(len(entries))):
        entries.sort(key=_index_of)
    usage = answer.usage
    return EmbedAnswer(
        vectors=tuple(_bytes_of(entry.embedding) for entry in entries),
        input_tokens=None if usage is None else usage.prompt_tokens,
        id=answer.id,
        model=answer.model,
    )


def _index_of(entry: Vector) -> int:
    return entry.index or 0


def _bytes_of(embedding: str | list[float]) -> bytes:
    return packed_base64(embedding) if isinstance(embedding, str) else packed(embedding)
