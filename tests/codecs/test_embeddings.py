"""Embedding codecs: what they write, and that they believe only whole lists of whole vectors."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manus.actors.codecs import EMBED_CODECS, embed_codec_for
from manus.actors.codecs.base import CodecOptions, EmbedCodec, HttpRequest
from manus.actors.codecs.embed_answer import EmbedAnswer, EmbedDecoder, unpacked
from manus.messages.events import Ended, FinishReported, StreamEvent, StreamFailed, UsageReported, VectorsReported
from manus.messages.failures import Failed
from manus.messages.ids import RequestId
from manus.messages.policy import Bounds, ModelCard
from manus.messages.requests import EmbedRequest

OPTIONS = CodecOptions(provider="p")
OPENAI_SHAPED = ["openai-chat", "openai-responses", "azure-chat", "azure-responses"]


def _codec(wire: str) -> EmbedCodec:
    codec = embed_codec_for(wire)
    assert codec is not None
    return codec


def _ask(*inputs: str, **fields: Any) -> EmbedRequest:
    return EmbedRequest(request_id=RequestId("r"), inputs=inputs or ("a", "b"), **fields)


def _written(wire: str, request: EmbedRequest, options: CodecOptions = OPTIONS) -> tuple[HttpRequest, dict[str, Any]]:
    encoded = _codec(wire).encode(request, "m", options)
    assert isinstance(encoded, HttpRequest), encoded
    return encoded, json.loads(encoded.body)


def _decoded(wire: str, request: EmbedRequest, body: object) -> list[StreamEvent]:
    decoder = _codec(wire).decoder(request, "m", OPTIONS)
    data = body if isinstance(body, bytes) else msgspec.json.encode(body)
    events = decoder.feed(data[: len(data) // 2]) + decoder.feed(data[len(data) // 2 :])
    assert events == []
    events = decoder.finish()
    assert decoder.done
    assert decoder.feed(b"more") == decoder.finish() == []
    return events


def _vectors(events: list[StreamEvent]) -> list[list[float]]:
    (reported,) = (event for event in events if isinstance(event, VectorsReported))
    return [unpacked(vector).tolist() for vector in reported.vectors]


def _failure(events: list[StreamEvent]) -> Failed:
    assert isinstance(events[-1], StreamFailed)
    assert sum(isinstance(event, StreamFailed | Ended) for event in events) == 1
    return events[-1].failure


def _b64(*numbers: float) -> str:
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


def test_openais_request() -> None:
    encoded, body = _written("openai-chat", _ask(dimensions=3, end_user_id="u", extra={"p": msgspec.Raw(b'{"x":1}')}))
    assert (encoded.method, encoded.path) == ("POST", "/embeddings")
    assert body == {
        "input": ["a", "b"],
        "model": "m",
        "dimensions": 3,
        "user": "u",
        "encoding_format": "base64",
        "x": 1,
    }


def test_azure_names_the_deployment_in_the_path_or_in_the_body() -> None:
    classic, body = _written("azure-chat", _ask(), CodecOptions(api_version="2024-10-21"))
    assert classic.path == "/openai/deployments/m/embeddings?api-version=2024-10-21"
    assert "model" not in body
    v1, body = _written("azure-responses", _ask(), CodecOptions())
    assert v1.path == "/openai/v1/embeddings"
    assert body["model"] == "m"


def test_ollamas_request_never_lets_a_text_be_cut_in_silence() -> None:
    extra = {"ollama": msgspec.Raw(b'{"keep_alive":"5m","num_thread":2}')}
    encoded, body = _written("ollama", _ask(dimensions=4, extra=extra), CodecOptions(context_tokens=8192))
    assert encoded.path == "/api/embed"
    assert body == {
        "model": "m",
        "input": ["a", "b"],
        "truncate": False,
        "dimensions": 4,
        "keep_alive": "5m",
        "options": {"num_ctx": 8192, "num_thread": 2},
    }
    assert _written("ollama", _ask(), CodecOptions(truncate=True))[1]["truncate"] is True


@pytest.mark.parametrize("wire", ["openai-chat", "azure-chat", "ollama"])
def test_a_purpose_that_the_wire_cannot_say_is_a_warning(wire: str) -> None:
    encoded, body = _written(wire, _ask(purpose="query"))
    assert [warning.code for warning in encoded.warnings] == ["purpose_dropped"]
    assert "query" not in json.dumps(body)


@pytest.mark.parametrize("wire", [*OPENAI_SHAPED, "ollama"])
def test_what_cannot_be_written_is_a_value(wire: str) -> None:
    bad = _codec(wire).encode(_ask(extra={"p": msgspec.Raw(b"[]")}), "m", OPTIONS)
    assert isinstance(bad, Failed)
    assert (bad.kind, bad.param) == ("invalid_request", "extra.p")
    long = _codec(wire).encode(_ask("x" * 100), "m", CodecOptions(bounds=Bounds(request_bytes=50)))
    assert isinstance(long, Failed)
    assert long.kind == "too_large"


@pytest.mark.parametrize("wire", OPENAI_SHAPED)
def test_base64_and_numbers_give_the_same_vectors_in_the_order_of_the_inputs(wire: str) -> None:
    usage = {"prompt_tokens": 5, "total_tokens": 5}
    packed = {"data": [{"index": 1, "embedding": _b64(0.5, -1)}, {"index": 0, "embedding": _b64(1, 2)}], "usage": usage}
    plain = {"data": [{"index": 1, "embedding": [0.5, -1]}, {"index": 0, "embedding": [1, 2]}], "usage": usage}
    events = _decoded(wire, _ask(), packed)
    assert _vectors(events) == [[1, 2], [0.5, -1]]
    assert events == _decoded(wire, _ask(), plain)
    (reported,) = (event for event in events if isinstance(event, UsageReported))
    assert (reported.usage.input_uncached, reported.usage.output, reported.usage.source) == (5, 0, "reported")
    assert events[-2:] == [FinishReported(reason="stop"), Ended(evidence="marker")]


def test_entries_without_an_index_stay_in_their_order() -> None:
    body = {"data": [{"embedding": [1.0]}, {"embedding": [2.0]}]}
    assert _vectors(_decoded("openai-chat", _ask(), body)) == [[1], [2]]
    doubled = {"data": [{"index": 0, "embedding": [1.0]}, {"index": 0, "embedding": [2.0]}]}
    assert _vectors(_decoded("openai-chat", _ask(), doubled)) == [[1], [2]]


def test_ollamas_answer_without_counters_reports_no_usage() -> None:
    events = _decoded("ollama", _ask(), {"model": "m", "embeddings": [[1, 0], [0, 1]]})
    assert _vectors(events) == [[1, 0], [0, 1]]
    assert not any(isinstance(event, UsageReported) for event in events)
    counted = _decoded("ollama", _ask(), {"embeddings": [[1, 0], [0, 1]], "prompt_eval_count": 7})
    assert [event.usage.input_uncached for event in counted if isinstance(event, UsageReported)] == [7]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<html>", "web page"),
        (b"", "no list of vectors"),
        (b"[]", "no list of vectors"),
        (b'{"data":[{"embedding":[1]},', "no list of vectors"),
        ({"data": [{"embedding": "not base64!"}] * 2}, "no list of vectors"),
        ({"data": [{"embedding": {"a": 1}}] * 2}, "no list of vectors"),
        ({}, "0 vectors for 2 inputs"),
        ({"data": [{"embedding": [1.0]}]}, "1 vectors for 2 inputs"),
        ({"data": [{"embedding": [1.0]}] * 3}, "3 vectors for 2 inputs"),
        ({"data": [{"embedding": []}] * 2}, "empty, uneven or no numbers"),
        ({"data": [{"embedding": [1.0]}, {"embedding": [1.0, 2.0]}]}, "empty, uneven or no numbers"),
        ({"data": [{"embedding": [1e300]}] * 2}, "empty, uneven or no numbers"),
        ({"data": [{"embedding": _b64(float("nan"))}] * 2}, "empty, uneven or no numbers"),
        ({"data": [{"embedding": _b64(float("inf"))}] * 2}, "empty, uneven or no numbers"),
        ({"data": [{"embedding": "YWJj"}] * 2}, "empty, uneven or no numbers"),
    ],
    ids=lambda value: None if isinstance(value, str) else str(value)[:40],
)
def test_what_is_no_list_of_whole_vectors_is_a_protocol_failure(body: object, words: str) -> None:
    failure = _failure(_decoded("openai-chat", _ask(), body))
    assert failure.kind == "protocol"
    assert words in failure.message


def test_an_error_inside_a_200_is_the_vendors_failure() -> None:
    error = {"error": {"message": "overloaded", "type": "server_error"}}
    assert _failure(_decoded("openai-chat", _ask(), error)).kind == "server"
    assert _failure(_decoded("azure-chat", _ask(), error)).kind == "server"
    assert _failure(_decoded("ollama", _ask(), {"error": 'model "m" not found'})).kind == "not_found"


def test_vectors_of_another_length_than_asked_for_are_told_and_refused() -> None:
    events = _decoded("ollama", _ask(dimensions=2), {"embeddings": [[1, 2, 3]] * 2, "prompt_eval_count": 4})
    failure = _failure(events)
    assert (failure.kind, failure.param) == ("unsupported", "dimensions")
    assert "3 dimensions and not of 2" in failure.message
    # They came and were counted, so they are billed.
    assert any(isinstance(event, VectorsReported) for event in events)
    assert any(isinstance(event, UsageReported) for event in events)


def test_a_body_over_its_bound_ends_at_once() -> None:
    request = _ask()
    decoder = _codec("ollama").decoder(request, "m", CodecOptions(bounds=Bounds(response_bytes=100)))
    assert decoder.feed(b" " * 100) == []
    failure = _failure(decoder.feed(b" "))
    assert failure.kind == "protocol"
    assert "response_bytes" in failure.message
    assert decoder.done
    assert decoder.finish() == []


@pytest.mark.parametrize("wire", sorted(EMBED_CODECS))
def test_every_wire_states_its_limits_and_classifies_errors(wire: str) -> None:
    codec = _codec(wire)
    assert codec.limits("m", CodecOptions(card=ModelCard(name="m"))).inputs >= 1
    failure = codec.failure(429, {}, b'{"error":{"message":"slow down","code":"rate_limit_exceeded"}}', now_unix_s=0.0)
    assert failure.kind in ("rate_limited", "quota_exhausted", "overloaded")
    assert codec.failure(401, {}, b"", now_unix_s=0.0).kind == "auth"


def test_anthropic_has_none() -> None:
    assert embed_codec_for("anthropic") is None


@given(body=st.binary(max_size=200), wire=st.sampled_from(sorted({*OPENAI_SHAPED, "ollama"})))
def test_no_bytes_make_a_decoder_raise(body: bytes, wire: str) -> None:
    _failure(_decoded(wire, _ask(), body))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["data", "embedding", "embeddings", "index", "error", "usage", "prompt_tokens"]), inner
        )
    ),
    max_leaves=20,
)


@given(body=_JSON, wire=st.sampled_from(["openai-chat", "azure-chat", "ollama"]))
def test_no_json_makes_a_decoder_raise(body: object, wire: str) -> None:
    events = _decoded(wire, _ask("a"), json.dumps(body).encode())
    assert sum(isinstance(event, StreamFailed | Ended) for event in events) == 1


@given(
    st.lists(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=3, max_size=3), min_size=1)
)
def test_finite_numbers_come_back_as_they_were(vectors: list[list[float]]) -> None:
    def read(_: bytes) -> EmbedAnswer:
        return EmbedAnswer(vectors=tuple(struct.pack("<3f", *vector) for vector in vectors))

    decoder = EmbedDecoder(read, inputs=len(vectors), dimensions=3, bounds=Bounds())
    assert _vectors(decoder.finish()) == vectors
