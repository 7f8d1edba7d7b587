"""Own embeddings on Bedrock: InvokeModel, with a body of each vendor's own (bedrock.md, section 8, read 2026-11).

Converse makes no vectors. Titan and Nova take one text a call, Cohere up to 96; Cohere and Nova embed questions and
passages differently. The count of tokens is in the body of Titan alone, and in a header for all of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, Literal

import msgspec

from manus.actors.codecs.base import NO_HEADERS, CodecOptions, EmbedLimits, HttpRequest
from manus.actors.codecs.bedrock import Bedrock
from manus.actors.codecs.bedrock_encode import model_path
from manus.actors.codecs.bedrock_errors import bedrock_failure_kind, facts_of_exception
from manus.actors.codecs.bedrock_messages import WIRE
from manus.actors.codecs.classify import stream_failure
from manus.actors.codecs.embed_answer import EMBED_HEADERS, EmbedAnswer, EmbedDecoder, packed
from manus.actors.codecs.encoding import Body, Unencodable, Warnings, options_of, write_body
from manus.actors.codecs.json_text import load_tolerant
from manus.messages.failures import Failed
from manus.messages.outcomes import RateLimitReading
from manus.messages.requests import EmbedRequest

COHERE_INPUTS_MAX: Final = 96

_DIGITS_MAX: Final = 16

Dialect = Literal["titan_1", "titan_2", "cohere_3", "cohere_4", "nova"]
"""How a family of models wants to be asked."""

_DIALECTS: tuple[tuple[re.Pattern[str], Dialect], ...] = (
    (re.compile(r"amazon\.titan-embed-text-v2"), "titan_2"),
    (re.compile(r"amazon\.titan-embed-(?:g1-)?text"), "titan_1"),
    (re.compile(r"cohere\.embed-v4"), "cohere_4"),
    (re.compile(r"cohere\.embed"), "cohere_3"),
    (re.compile(r"amazon\.nova-.*embed"), "nova"),
)


class TitanVector(msgspec.Struct, gc=False, rename="camel"):
    """The body of a success of Titan."""

    embedding: list[float]
    input_text_token_count: int | None = None


class CohereByType(msgspec.Struct, gc=False):
    """`embeddings` where several types of numbers may stand in it."""

    floats: list[list[float]] = msgspec.field(name="float")


class CohereVectors(msgspec.Struct, gc=False):
    """The body of a success of Cohere."""

    embeddings: list[list[float]] | CohereByType
    id: str | None = None


class NovaVector(msgspec.Struct, gc=False):
    """One entry of Nova's `embeddings`."""

    embedding: list[float]


class NovaVectors(msgspec.Struct, gc=False):
    """The body of a success of Nova."""

    embeddings: list[NovaVector]


_decode_titan = msgspec.json.Decoder(TitanVector).decode
_decode_cohere = msgspec.json.Decoder(CohereVectors).decode
_decode_nova = msgspec.json.Decoder(NovaVectors).decode


class BedrockEmbed:
    """`POST /model/{id}/invoke` of embedding models."""

    wire = "bedrock-embed"

    def limits(self, model: str, options: CodecOptions) -> EmbedLimits:
        """Tell what one call may hold."""
        dialect = _dialect_of(model, options)
        return EmbedLimits(inputs=COHERE_INPUTS_MAX if dialect in ("cohere_3", "cohere_4") else 1)

    def encode(self, request: EmbedRequest, model: str, options: CodecOptions) -> HttpRequest | Failed:
        """Write `request` for `model`."""
        warnings = Warnings()
        try:
            dialect = _dialect_of(model, options)
            if dialect is None:
                message = f"{model} is no embedding model of Bedrock that is known here: Titan, Cohere or Nova. For an "
                message += "inference profile, name the model behind it as `base` in its entry."
                raise Unencodable("unsupported", message, "model")
            path = model_path(model, "invoke")
            body = _WRITERS[dialect](request, warnings)
            if request.end_user_id is not None:
                warnings.say("end_user_id_dropped", "Embedding models of Bedrock take no end user.")
            body.update(options_of(request.extra, WIRE, self.wire, options.provider))
            data = write_body(body, options.bounds)
        except Unencodable as refusal:
            return refusal.failure
        return HttpRequest(method="POST", path=path, headers=EMBED_HEADERS, body=data, warnings=warnings.all())

    def decoder(
        self, request: EmbedRequest, model: str, options: CodecOptions, headers: Mapping[str, str] = NO_HEADERS
    ) -> EmbedDecoder:
        """Make the decoder of one call."""
        return EmbedDecoder(
            partial(_read, _dialect_of(model, options), _counted(headers)),
            inputs=len(request.inputs),
            dimensions=request.dimensions,
            bounds=options.bounds,
        )

    def failure(self, status: int, headers: Mapping[str, str], body: bytes, *, now_unix_s: float) -> Failed:
        """Classify an HTTP error."""
        return Bedrock().failure(status, headers, body, now_unix_s=now_unix_s)

    def rate_limits(self, headers: Mapping[str, str]) -> tuple[RateLimitReading, ...]:
        """Bedrock sends no such headers."""
        return ()


def _dialect_of(model: str, options: CodecOptions) -> Dialect | None:
    name = (model if options.card is None else options.card.vendor_name).lower()
    return next((dialect for pattern, dialect in _DIALECTS if pattern.search(name)), None)


def _titan_1(request: EmbedRequest, warnings: Warnings) -> Body:
    if request.dimensions is not None:
        message = "The first Titan embedding model has vectors of one length only: leave `dimensions` out."
        raise Unencodable("unsupported", message, "dimensions")
    return _titan(request, warnings)


def _titan(request: EmbedRequest, warnings: Warnings) -> Body:
    if request.purpose is not None:
        warnings.say("purpose_dropped", "Titan makes no difference between questions and passages.")
    body: Body = {"inputText": request.inputs[0]}
    if request.dimensions is not None:
        body["dimensions"] = request.dimensions
    return body


_COHERE_PURPOSES = {
    None: "search_document",
    "document": "search_document",
    "query": "search_query",
    "classification": "classification",
    "clustering": "clustering",
}


def _cohere_3(request: EmbedRequest, warnings: Warnings) -> Body:
    if request.dimensions is not None:
        message = "This Cohere model has vectors of one length only: leave `dimensions` out."
        raise Unencodable("unsupported", message, "dimensions")
    return _cohere(request, warnings)


def _cohere(request: EmbedRequest, warnings: Warnings) -> Body:
    # Otherwise a text that is too long is cut without a word, and its vector is another text's.
    body: Body = {"texts": list(request.inputs), "input_type": _COHERE_PURPOSES[request.purpose], "truncate": "NONE"}
    if request.dimensions is not None:
        body["output_dimension"] = request.dimensions
    return body


def _nova(request: EmbedRequest, warnings: Warnings) -> Body:
    if request.purpose in ("classification", "clustering"):
        warnings.say("purpose_dropped", "Nova makes a difference between questions and passages only.")
    params: Body = {
        "embeddingPurpose": "GENERIC_RETRIEVAL" if request.purpose == "query" else "GENERIC_INDEX",
        "text": {"value": request.inputs[0], "truncationMode": "NONE"},
    }
    if request.dimensions is not None:
        params["embeddingDimension"] = request.dimensions
    return {"taskType": "SINGLE_EMBEDDING", "singleEmbeddingParams": params}


_WRITERS: dict[Dialect, Callable[[EmbedRequest, Warnings], Body]] = {
    "titan_1": _titan_1,
    "titan_2": _titan,
    "cohere_3": _cohere_3,
    "cohere_4": _cohere,
    "nova": _nova,
}


def _counted(headers: Mapping[str, str]) -> int | None:
    """Read the tokens that the header of every answer tells (bedrock.md, section 8); None where it is no number."""
    count = headers.get("x-amzn-bedrock-input-token-count", "")
    return int(count) if count.isascii() and count.isdigit() and len(count) < _DIGITS_MAX else None


def _read(dialect: Dialect | None, counted: int | None, body: bytes) -> EmbedAnswer | Failed:
    try:
        answer = _vectors(dialect, body)
        return answer if answer.input_tokens is not None else msgspec.structs.replace(answer, input_tokens=counted)
    except msgspec.ValidationError:
        facts = facts_of_exception("", load_tolerant(body))
        if facts.message or facts.code:
            return stream_failure(bedrock_failure_kind(None, facts), facts)
        raise


def _vectors(dialect: Dialect | None, body: bytes) -> EmbedAnswer:
    if dialect in ("titan_1", "titan_2"):
        titan = _decode_titan(body)
        return EmbedAnswer(vectors=(packed(titan.embedding),), input_tokens=titan.input_text_token_count)
    if dialect == "nova":
        return EmbedAnswer(vectors=tuple(packed(entry.embedding) for entry in _decode_nova(body).embeddings))
    cohere = _decode_cohere(body)
    given = cohere.embeddings.floats if isinstance(cohere.embeddings, CohereByType) else cohere.embeddings
    return EmbedAnswer(vectors=tuple(map(packed, given)), id=cohere.id)
