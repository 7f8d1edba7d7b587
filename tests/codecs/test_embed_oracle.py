"""What OpenAI's own SDK sends for embeddings and reads of them, at OpenAI and Azure, we send and read too."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable
from typing import Any

import pytest
import trio

from manus.actors.codecs import embed_codec_for
from manus.actors.codecs.base import CodecOptions, HttpRequest
from manus.actors.codecs.embed_answer import unpacked
from manus.messages.events import UsageReported, VectorsReported
from manus.messages.ids import RequestId
from manus.messages.requests import EmbedRequest
from tests.codecs.oracle_recorder import Arrived, Recorder, differences, json_answer, recorder, sent_by_us

openai = pytest.importorskip("openai", reason="the vendor's SDK is a development requirement")

MODEL = "text-embedding-3-small"
VERSION = "2024-10-21"
VECTORS = [[0.25, -0.5, 1.0], [3.0, 0.0, -1.5]]
ANSWER = {
    "object": "list",
    "data": [
        {"object": "embedding", "index": index, "embedding": base64.b64encode(struct.pack("<3f", *vector)).decode()}
        for index, vector in enumerate(VECTORS)
    ],
    "model": MODEL,
    "usage": {"prompt_tokens": 4, "total_tokens": 4},
}
REQUEST = EmbedRequest(request_id=RequestId("r"), inputs=("a", "b"), dimensions=3, end_user_id="u")
FIELDS: dict[str, Any] = {"model": MODEL, "input": ["a", "b"], "dimensions": 3, "user": "u"}


def _openai(server: Recorder) -> Any:
    return openai.OpenAI(api_key="sk-x", base_url=server.url, max_retries=0)


def _azure_classic(server: Recorder) -> Any:
    return openai.AzureOpenAI(azure_endpoint=server.url, api_key="x", api_version=VERSION, max_retries=0)


def _azure_v1(server: Recorder) -> Any:
    return openai.OpenAI(api_key="x", base_url=f"{server.url}/openai/v1", max_retries=0)


PLACES = {
    "openai": ("openai-chat", _openai, CodecOptions()),
    "azure, classic": ("azure-chat", _azure_classic, CodecOptions(api_version=VERSION)),
    "azure, v1": ("azure-responses", _azure_v1, CodecOptions()),
}


def _by_the_sdk(make: Callable[[Recorder], Any]) -> tuple[Arrived, Any]:
    with recorder(json_answer(ANSWER)) as server, make(server) as client:
        read = client.embeddings.create(**FIELDS)
        return server.last(), read


@pytest.mark.parametrize("place", PLACES)
async def test_the_sdk_sends_and_reads_the_same(place: str) -> None:
    wire, make, options = PLACES[place]
    codec = embed_codec_for(wire)
    assert codec is not None
    written = codec.encode(REQUEST, MODEL, options)
    assert isinstance(written, HttpRequest), written
    with recorder(json_answer(ANSWER)) as server:
        await sent_by_us(written, server.url)
        ours = server.last()
    theirs, read = await trio.to_thread.run_sync(_by_the_sdk, make)

    assert (ours.method, ours.path) == (theirs.method, theirs.path)
    assert ours.header("content-type") == theirs.header("content-type")
    found = differences(ours.json(), theirs.json())
    # The classic surface names the deployment in the path; the SDK says it once more in the body.
    assert found == (["$.model: only there, " + json.dumps(MODEL)] if place == "azure, classic" else [])

    decoder = codec.decoder(REQUEST, MODEL, options)
    decoder.feed(json.dumps(ANSWER).encode())
    events = decoder.finish()
    (vectors,) = (event.vectors for event in events if isinstance(event, VectorsReported))
    assert [unpacked(vector).tolist() for vector in vectors] == [entry.embedding for entry in read.data] == VECTORS
    (usage,) = (event.usage for event in events if isinstance(event, UsageReported))
    assert usage.input_uncached == read.usage.prompt_tokens
