"""Embeddings over InvokeModel: each vendor's own body, and vectors believed only where they are whole."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from manus.actors.codecs import embed_codec_for
from manus.actors.codecs.base import CodecOptions, EmbedCodec, HttpRequest
from manus.actors.codecs.embed_answer import unpacked
from manus.messages.events import Ended, StreamEvent, StreamFailed, UsageReported, VectorsReported
from manus.messages.failures import Failed
from manus.messages.ids import RequestId
from manus.messages.policy import ModelCard
from manus.messages.requests import EmbedPurpose, EmbedRequest

TITAN_1 = "amazon.titan-embed-text-v1"
TITAN_2 = "amazon.titan-embed-text-v2:0"
COHERE_3 = "cohere.embed-multilingual-v3"
COHERE_4 = "us.cohere.embed-v4:0"
NOVA = "amazon.nova-2-multimodal-embeddings-v1:0"


def _codec() -> EmbedCodec:
    codec = embed_codec_for("bedrock")
    assert codec is not None
    return codec


def _ask(*inputs: str, **fields: Any) -> EmbedRequest:
    return EmbedRequest(request_id=RequestId("r"), inputs=inputs or ("a",), **fields)


def _written(model: str, request: EmbedRequest, options: CodecOptions | None = None) -> HttpRequest:
    written = _codec().encode(request, model, options or CodecOptions(provider="entry"))
    assert isinstance(written, HttpRequest), written
    return written


def _events(model: str, request: EmbedRequest, body: bytes) -> list[StreamEvent]:
    decoder = _codec().decoder(request, model, CodecOptions())
    assert decoder.feed(body[:3]) + decoder.feed(body[3:]) == []
    events = decoder.finish()
    assert decoder.done
    return events


def _vectors(events: list[StreamEvent]) -> list[list[float]]:
    (reported,) = (event for event in events if isinstance(event, VectorsReported))
    assert isinstance(events[-1], Ended)
    return [unpacked(vector).tolist() for vector in reported.vectors]


@pytest.mark.parametrize(
    ("model", "request_", "body"),
    [
        (TITAN_1, _ask(), {"inputText": "a"}),
        (TITAN_2, _ask(dimensions=256), {"inputText": "a", "dimensions": 256}),
        (
            COHERE_3,
            _ask("a", "b"),
            {"texts": ["a", "b"], "input_type": "search_document", "truncate": "NONE"},
        ),
        (
            COHERE_4,
            _ask("a", purpose="query", dimensions=512),
            {"texts": ["a"], "input_type": "search_query", "truncate": "NONE", "output_dimension": 512},
        ),
        (
            NOVA,
            _ask(purpose="query", dimensions=384),
            {
                "taskType": "SINGLE_EMBEDDING",
                "singleEmbeddingParams": {
                    "embeddingPurpose": "GENERIC_RETRIEVAL",
                    "text": {"value": "a", "truncationMode": "NONE"},
                    "embeddingDimension": 384,
                },
            },
        ),
    ],
)
def test_each_vendor_is_asked_in_its_own_words(model: str, request_: EmbedRequest, body: dict[str, Any]) -> None:
    written = _written(model, request_)
    assert json.loads(written.body) == body
    assert written.path == f"/model/{model.replace(':', '%3A')}/invoke"
    assert dict(written.headers)["content-type"] == "application/json"
    assert written.warnings == ()


@pytest.mark.parametrize(
    ("purpose", "cohere", "nova"),
    [
        (None, "search_document", "GENERIC_INDEX"),
        ("document", "search_document", "GENERIC_INDEX"),
        ("query", "search_query", "GENERIC_RETRIEVAL"),
        ("classification", "classification", "GENERIC_INDEX"),
        ("clustering", "clustering", "GENERIC_INDEX"),
    ],
)
def test_purposes_have_their_words_or_a_warning(purpose: EmbedPurpose | None, cohere: str, nova: str) -> None:
    request = _ask(purpose=purpose)
    assert json.loads(_written(COHERE_3, request).body)["input_type"] == cohere
    written = _written(NOVA, request)
    assert json.loads(written.body)["singleEmbeddingParams"]["embeddingPurpose"] == nova
    assert bool(written.warnings) == (purpose in ("classification", "clustering"))
    assert bool(_written(TITAN_2, request).warnings) == (purpose is not None)


def test_one_call_holds_one_text_or_what_cohere_takes() -> None:
    limits = {model: _codec().limits(model, CodecOptions()).inputs for model in (TITAN_1, TITAN_2, COHERE_3, NOVA)}
    assert limits == {TITAN_1: 1, TITAN_2: 1, COHERE_3: 96, NOVA: 1}


@pytest.mark.parametrize("model", [TITAN_1, COHERE_3])
def test_dimensions_that_a_model_cannot_shorten_to_are_refused_before_the_call(model: str) -> None:
    failure = _codec().encode(_ask(dimensions=256), model, CodecOptions())
    assert isinstance(failure, Failed)
    assert (failure.kind, failure.param) == ("unsupported", "dimensions")


def test_a_model_that_makes_no_vectors_is_refused_and_a_profile_is_known_by_its_base() -> None:
    failure = _codec().encode(_ask(), "anthropic.claude-opus-5-5", CodecOptions())
    assert isinstance(failure, Failed)
    assert (failure.kind, failure.param) == ("unsupported", "model")
    options = CodecOptions(card=ModelCard(name="arn:x/1", base=TITAN_2))
    assert json.loads(_written("arn:x/1", _ask(), options).body) == {"inputText": "a"}
    assert _written("arn:x/1", _ask(), options).path == "/model/arn%3Ax%2F1/invoke"


def test_vendor_options_are_merged() -> None:
    extra = {"bedrock": msgspec.Raw(b'{"normalize":false}'), "entry": msgspec.Raw(b'{"embeddingTypes":["float"]}')}
    body = json.loads(_written(TITAN_2, _ask(extra=extra)).body)
    assert body == {"inputText": "a", "normalize": False, "embeddingTypes": ["float"]}


@pytest.mark.parametrize(
    ("model", "inputs", "body", "vectors"),
    [
        (TITAN_2, 1, {"embedding": [0.5, -1], "inputTextTokenCount": 5}, [[0.5, -1.0]]),
        (COHERE_3, 2, {"id": "c", "embeddings": [[0.5], [1.5]], "texts": ["a", "b"]}, [[0.5], [1.5]]),
        (COHERE_4, 2, {"id": "c", "embeddings": {"float": [[0.5], [1.5]]}}, [[0.5], [1.5]]),
        (NOVA, 1, {"embeddings": [{"embeddingType": "TEXT", "embedding": [0.25]}]}, [[0.25]]),
    ],
)
def test_vectors_are_read_in_each_vendors_form(
    model: str, inputs: int, body: dict[str, Any], vectors: list[list[float]]
) -> None:
    events = _events(model, _ask(*["x"] * inputs), json.dumps(body).encode())
    assert _vectors(events) == vectors
    reported = [event.usage.input_uncached for event in events if isinstance(event, UsageReported)]
    assert reported == ([5] if model == TITAN_2 else [])


@pytest.mark.parametrize("model", [TITAN_2, COHERE_3, NOVA])
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "protocol"),
        (b"<html>", "protocol"),
        (b"{}", "protocol"),
        (b'{"embedding":[],"embeddings":[]}', "protocol"),
        (b'{"embedding":["x"],"embeddings":["x"]}', "protocol"),
        (b'{"message":"Too many requests","__type":"ThrottlingException"}', "rate_limited"),
    ],
)
def test_what_is_no_vector_is_a_failure(model: str, body: bytes, kind: str) -> None:
    (event,) = _events(model, _ask(), body)
    assert isinstance(event, StreamFailed)
    assert event.failure.kind == kind


def test_refusals_are_told_as_for_chat() -> None:
    headers = {"x-amzn-errortype": "ModelNotReadyException:http://x/"}
    failure = _codec().failure(429, headers, b'{"message":"m"}', now_unix_s=0.0)
    assert (failure.kind, failure.code) == ("overloaded", "ModelNotReadyException")
    assert _codec().rate_limits(headers) == ()


@pytest.mark.parametrize(
    ("headers", "tokens", "source"),
    [
        ({"x-amzn-bedrock-input-token-count": "11"}, 11, "reported"),
        ({"x-amzn-bedrock-input-token-count": "-3"}, 0, "missing"),
        ({"x-amzn-bedrock-input-token-count": "many"}, 0, "missing"),
        ({"x-amzn-bedrock-input-token-count": "9" * 5000}, 0, "missing"),
        ({}, 0, "missing"),
    ],
)
def test_tokens_that_only_a_header_counts_are_counted(headers: dict[str, str], tokens: int, source: str) -> None:
    decoder = _codec().decoder(_ask(), COHERE_3, CodecOptions(), headers)
    decoder.feed(b'{"id":"x","embeddings":[[1.0,2.0]]}')
    usages = [event.usage for event in decoder.finish() if isinstance(event, UsageReported)]
    assert [(usage.input_uncached, usage.source) for usage in usages] == ([(tokens, source)] if tokens else [])


def test_what_the_body_counts_stands_before_the_header() -> None:
    decoder = _codec().decoder(_ask(), TITAN_2, CodecOptions(), {"x-amzn-bedrock-input-token-count": "11"})
    decoder.feed(b'{"embedding":[1.0],"inputTextTokenCount":5}')
    (usage,) = [event.usage for event in decoder.finish() if isinstance(event, UsageReported)]
    assert usage.input_uncached == 5
