"""No body makes an embedding decoder raise, or give other vectors than as many finite ones as were asked for."""

from __future__ import annotations

import base64
import json
import math
import random
import struct
from typing import Any

import msgspec
import pytest

from manus.actors.codecs import EMBED_CODECS, embed_codec_for
from manus.actors.codecs.base import CodecOptions
from manus.messages.events import Ended, StreamEvent, StreamFailed, VectorsReported
from manus.messages.ids import RequestId
from manus.messages.requests import EmbedRequest
from tests.fuzz.mutations import pieces_of, scrambled, with_other_values

# Any: JSON as vendors write it.

_VECTOR = [0.25, -1.5, 3.0]
_PACKED = base64.b64encode(struct.pack("<3f", *_VECTOR)).decode()
_OPENAI = {
    "object": "list",
    "model": "m",
    "data": [
        {"object": "embedding", "index": place, "embedding": form} for place, form in ((1, _PACKED), (0, _VECTOR))
    ],
    "usage": {"prompt_tokens": 5, "total_tokens": 5},
}
_TITAN = {"embedding": _VECTOR, "inputTextTokenCount": 5, "embeddingsByType": {"float": _VECTOR}}
_COHERE = {
    "id": "r",
    "embeddings": {"float": [_VECTOR, _VECTOR]},
    "texts": ["a", "b"],
    "response_type": "embeddings_by_type",
}
_OLLAMA = {"model": "m", "embeddings": [_VECTOR, _VECTOR], "prompt_eval_count": 5, "total_duration": 9}

ANSWERS: dict[str, tuple[str, str, int, Any]] = {
    "openai-chat": ("openai-chat", "text-embedding-3-small", 2, _OPENAI),
    "openai-responses": ("openai-responses", "text-embedding-3-small", 2, _OPENAI),
    "azure-chat": ("azure-chat", "text-embedding-3-small", 2, _OPENAI),
    "azure-responses": ("azure-responses", "text-embedding-3-small", 2, _OPENAI),
    "bedrock titan": ("bedrock", "amazon.titan-embed-text-v2:0", 1, _TITAN),
    "bedrock cohere": ("bedrock", "cohere.embed-english-v3", 2, _COHERE),
    "ollama": ("ollama", "nomic-embed-text", 2, _OLLAMA),
}


def _decoded(wire: str, model: str, inputs: int, pieces: list[bytes]) -> list[StreamEvent]:
    codec = embed_codec_for(wire)
    assert codec is not None
    request = EmbedRequest(request_id=RequestId("r"), inputs=("a", "b")[:inputs])
    decoder = codec.decoder(request, model, CodecOptions())
    events: list[StreamEvent] = []
    for piece in pieces:
        events.extend(decoder.feed(piece))
    events.extend(decoder.finish())
    assert decoder.done
    assert decoder.finish() == []
    terminals = [event for event in events if isinstance(event, Ended | StreamFailed)]
    assert terminals == events[-1:]
    msgspec.json.encode(events)
    if isinstance(events[-1], Ended):
        (reported,) = [event for event in events if isinstance(event, VectorsReported)]
        assert len(reported.vectors) == inputs
        for vector in reported.vectors:
            numbers = struct.unpack(f"<{len(vector) // 4}f", vector)
            assert numbers
            assert all(map(math.isfinite, numbers))
    return events


def test_every_wire_that_embeds_is_fuzzed() -> None:
    assert {wire for wire, _, _, _ in ANSWERS.values()} == set(EMBED_CODECS)


@pytest.mark.parametrize(("wire", "model", "inputs", "answer"), ANSWERS.values(), ids=ANSWERS.keys())
def test_any_value_in_any_place_keeps_the_promises(wire: str, model: str, inputs: int, answer: Any) -> None:
    body = json.dumps(answer).encode()
    assert isinstance(_decoded(wire, model, inputs, [body])[-1], Ended)

    for where, spoilt in with_other_values(body, per_place=20):
        try:
            _decoded(wire, model, inputs, [spoilt])
        except Exception as error:
            raise AssertionError(where) from error


@pytest.mark.parametrize(("wire", "model", "inputs", "answer"), ANSWERS.values(), ids=ANSWERS.keys())
def test_scrambled_bytes_keep_the_promises_in_any_pieces(wire: str, model: str, inputs: int, answer: Any) -> None:
    body = json.dumps(answer).encode()
    for seed in range(300):
        rng = random.Random(seed)
        spoilt = scrambled(body, body, rng)
        assert _decoded(wire, model, inputs, pieces_of(spoilt, rng)) == _decoded(wire, model, inputs, [spoilt])
