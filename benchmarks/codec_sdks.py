"""Own the vendors' own stream parsers as contenders: each reads the same frames, through its public client.

The network is a transport in memory, so that what is measured is framing, JSON and their models. What a call costs
before its first byte is shared by all its chunks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.codec_streams import CHUNKS, Stream

# Any: the vendors' clients are not typed for this, or are not installed where types are checked.

Contender = Callable[[], int]
"""Reads the whole stream once; gives how many characters of text it found."""

_ASKED: list[Any] = [{"role": "user", "content": "Hi"}]


def sdk_of(stream: Stream, *, bursts: bool) -> Contender | None:
    """Give the vendor's parser over `stream`; None where the vendor has no Python SDK that is installed."""
    pieces = stream.bursts if bursts else stream.frames
    try:
        return _MAKERS[stream.wire](pieces)
    except ImportError:
        return None


def _openai(pieces: tuple[bytes, ...]) -> Any:
    import httpx2
    import openai

    class Pieces(httpx2.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            return iter(pieces)

    def answer(request: Any) -> Any:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, stream=Pieces())

    http = httpx2.Client(transport=httpx2.MockTransport(answer))
    return openai.OpenAI(api_key="none", base_url="http://sdk.invalid/v1", http_client=http)


def _openai_chat(pieces: tuple[bytes, ...]) -> Contender:
    client = _openai(pieces)

    def read() -> int:
        found = 0
        for chunk in client.chat.completions.create(model="m", messages=_ASKED, stream=True):
            found += len(chunk.choices[0].delta.content or "")
        return found

    return read


def _openai_responses(pieces: tuple[bytes, ...]) -> Contender:
    client = _openai(pieces)

    def read() -> int:
        found = 0
        for event in client.responses.create(model="m", input="Hi", stream=True):
            if event.type == "response.output_text.delta":
                found += len(event.delta)
        return found

    return read


def _anthropic(pieces: tuple[bytes, ...]) -> Contender:
    import anthropic
    import httpx2

    class Pieces(httpx2.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            return iter(pieces)

    def answer(request: Any) -> Any:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, stream=Pieces())

    http = httpx2.Client(transport=httpx2.MockTransport(answer))
    client = anthropic.Anthropic(api_key="none", base_url="http://sdk.invalid", http_client=http)

    def read() -> int:
        found = 0
        for event in client.messages.create(model="m", max_tokens=CHUNKS, messages=_ASKED, stream=True):
            if event.type == "content_block_delta":
                found += len(event.delta.text) if event.delta.type == "text_delta" else 0
        return found

    return read


def _bedrock(pieces: tuple[bytes, ...]) -> Contender:
    import botocore.eventstream
    import botocore.loaders
    import botocore.model
    import botocore.parsers

    service = botocore.loaders.Loader().load_service_model("bedrock-runtime", "service-2")
    model = botocore.model.ServiceModel(service)
    shape = model.operation_model("ConverseStream").output_shape.members["stream"]
    parser = botocore.parsers.EventStreamJSONParser()

    class Raw:
        def stream(self) -> Iterator[bytes]:
            return iter(pieces)

    def read() -> int:
        found = 0
        for event in botocore.eventstream.EventStream(Raw(), shape, parser, "ConverseStream"):
            if "contentBlockDelta" in event:
                found += len(event["contentBlockDelta"]["delta"]["text"])
        return found

    return read


def _ollama(pieces: tuple[bytes, ...]) -> Contender:
    import httpx
    import ollama

    class Pieces(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            return iter(pieces)

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"content-type": "application/x-ndjson"}, stream=Pieces())

    client = ollama.Client(host="http://sdk.invalid", transport=httpx.MockTransport(answer))

    def read() -> int:
        return sum(len(part.message.content or "") for part in client.chat(model="m", messages=_ASKED, stream=True))

    return read


_MAKERS: dict[str, Callable[[tuple[bytes, ...]], Contender]] = {
    "openai-chat": _openai_chat,
    "openai-responses": _openai_responses,
    "anthropic": _anthropic,
    "bedrock": _bedrock,
    "ollama": _ollama,
}
