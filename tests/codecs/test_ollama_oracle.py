"""What Ollama's own Python client sends and reads, we send and read too.

The same request goes through the client and through our codec and transport to one recorder on a loopback port; the
bodies are compared. The same recorded bytes are read by the client and by our decoder.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import httpx
import msgspec
import pytest
import trio

from manus.actors.assembly import Assembly
from manus.actors.codecs import codec_for, embed_codec_for
from manus.actors.codecs.base import CodecOptions, HttpRequest
from manus.actors.codecs.embed_answer import unpacked
from manus.messages.content import Image, Reasoning, Text, ToolCall, ToolResult, Turn, text_turn
from manus.messages.events import UsageReported, VectorsReported
from manus.messages.ids import RequestId
from manus.messages.policy import Bounds
from manus.messages.requests import ChatRequest, EmbedRequest, OutputFormat, ReasoningOptions, Sampling, Tool
from tests.codecs.oracle_recorder import Arrived, differences, json_answer, recorder, sent_by_us, stream_answer
from tests.shared_data import exchanges

ollama = pytest.importorskip("ollama", reason="the vendor's client is a development requirement")

MODEL = "qwen3:8b"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
PNG = b"\x89PNG\r\n\x1a\n0000"
USER = text_turn("user", "Hi")
SAID = {"model": MODEL, "message": {"role": "assistant", "content": "Hi"}, "done": True, "done_reason": "stop"}

OURS_ALONE = ("truncate", "shift")
"""Fields that the client cannot send: with them a prompt that is too long is an error and not another prompt."""


def _raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(value).encode())


def _request(turns: tuple[Turn, ...] = (USER,), **fields: Any) -> ChatRequest:
    return ChatRequest(request_id=RequestId("r"), turns=turns, **fields)


TOOL = Tool(name="get_weather", description="Tells the weather", schema=_raw(SCHEMA))
SDK_TOOL = {
    "type": "function",
    "function": {"name": "get_weather", "description": "Tells the weather", "parameters": SCHEMA},
}
SDK_USER = {"role": "user", "content": "Hi"}

CASES: dict[str, tuple[ChatRequest, dict[str, Any]]] = {
    "plain": (_request(), {"messages": [SDK_USER]}),
    "system, sampling and length": (
        _request(
            (text_turn("system", "Be terse."), USER),
            sampling=Sampling(temperature=0.5, top_p=0.9, top_k=3, seed=7, stop=("END",), presence_penalty=0.1),
            max_output_tokens=64,
            extra={"ollama": _raw({"keep_alive": "10m", "num_ctx": 8192})},
        ),
        {
            "messages": [{"role": "system", "content": "Be terse."}, SDK_USER],
            "options": {
                "num_predict": 64,
                "temperature": 0.5,
                "top_p": 0.9,
                "top_k": 3,
                "seed": 7,
                "stop": ["END"],
                "presence_penalty": 0.1,
                "num_ctx": 8192,
            },
            "keep_alive": "10m",
        },
    ),
    "thinking off": (_request(reasoning=ReasoningOptions(effort="off")), {"messages": [SDK_USER], "think": False}),
    "thinking hard": (_request(reasoning=ReasoningOptions(effort="high")), {"messages": [SDK_USER], "think": "high"}),
    "json": (_request(output=OutputFormat()), {"messages": [SDK_USER], "format": "json"}),
    "schema": (_request(output=OutputFormat(schema=_raw(SCHEMA))), {"messages": [SDK_USER], "format": SCHEMA}),
    "log probabilities": (
        _request(sampling=Sampling(logprobs=3)),
        {"messages": [SDK_USER], "logprobs": True, "top_logprobs": 3},
    ),
    "an image": (
        _request((Turn(role="user", parts=(Text(text="What is it?"), Image(data=PNG, media_type="image/png"))),)),
        {"messages": [{"role": "user", "content": "What is it?", "images": [PNG]}]},
    ),
    "a tool round trip with thinking": (
        _request(
            (
                text_turn("user", "Weather in Oslo?"),
                Turn(
                    role="assistant",
                    parts=(
                        Reasoning(text="Look it up.", provider="ollama", model=MODEL),
                        Text(text="One moment."),
                        ToolCall(id="call_1", name="get_weather", arguments='{"city": "Oslo"}'),
                    ),
                ),
                Turn(role="tool", parts=(ToolResult(id="call_1", content=(Text(text="4 C"),)),)),
            ),
            tools=(TOOL,),
        ),
        {
            "messages": [
                {"role": "user", "content": "Weather in Oslo?"},
                {
                    "role": "assistant",
                    "content": "One moment.",
                    "thinking": "Look it up.",
                    "tool_calls": [{"function": {"name": "get_weather", "arguments": {"city": "Oslo"}}}],
                },
                {"role": "tool", "content": "4 C", "tool_name": "get_weather"},
            ],
            "tools": [SDK_TOOL],
        },
    ),
}


def _sent_by_client(ask: Callable[[Any], object], answer: object) -> Arrived:
    with recorder(json_answer(answer)) as server:
        ask(ollama.Client(host=server.url))
        return server.last()


async def _sent_by_us(written: HttpRequest, answer: object) -> Arrived:
    with recorder(json_answer(answer)) as server:
        await sent_by_us(written, server.url)
        return server.last()


def _without_ids(body: dict[str, Any]) -> dict[str, Any]:
    """Leave out what the client does not know: the newer servers' ids and positions of calls."""
    for message in body["messages"]:
        message.pop("tool_call_id", None)
        for call in message.get("tool_calls", ()):
            call.pop("id", None)
            call["function"].pop("index", None)
    return body


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("case", CASES)
async def test_a_request_arrives_as_the_client_sends_it(case: str, stream: bool) -> None:
    request, fields = CASES[case]

    def ask(client: Any) -> None:
        said = client.chat(model=MODEL, stream=stream, **fields)
        assert stream == (not hasattr(said, "message"))
        for _ in said if stream else ():
            pass

    theirs = await trio.to_thread.run_sync(_sent_by_client, ask, SAID)
    request = msgspec.structs.replace(request, stream=stream)
    written = codec_for("ollama").encode(request, MODEL, CodecOptions())
    assert isinstance(written, HttpRequest), written
    assert written.warnings == ()
    ours = await _sent_by_us(written, SAID)

    assert (ours.method, ours.path) == (theirs.method, theirs.path) == ("POST", "/api/chat")
    assert ours.header("content-type") == theirs.header("content-type")
    expected = theirs.json()
    if expected["tools"] == []:
        del expected["tools"]  # the client writes an empty list where none are offered
    found = differences(_without_ids(ours.json()), expected)
    assert [line for line in found if not line.startswith(tuple(f"$.{name}: only here" for name in OURS_ALONE))] == []
    assert len(found) == len(OURS_ALONE)


async def test_an_embedding_arrives_as_the_client_sends_it_and_is_read_alike() -> None:
    answer = {"model": MODEL, "embeddings": [[0.6, 0.8], [1.0, 0.0]], "prompt_eval_count": 5}
    got: list[Any] = []

    def ask(client: Any) -> None:
        fields = {"dimensions": 2, "truncate": False, "keep_alive": 60, "options": {"num_ctx": 512}}
        got.append(client.embed(model=MODEL, input=["a", "b"], **fields))

    theirs = await trio.to_thread.run_sync(_sent_by_client, ask, answer)
    request = EmbedRequest(
        request_id=RequestId("r"), inputs=("a", "b"), dimensions=2, extra={"ollama": _raw({"keep_alive": 60})}
    )
    codec = embed_codec_for("ollama")
    assert codec is not None
    options = CodecOptions(context_tokens=512)
    written = codec.encode(request, MODEL, options)
    assert isinstance(written, HttpRequest), written
    ours = await _sent_by_us(written, answer)
    assert ours.path == theirs.path
    assert differences(ours.json(), theirs.json()) == []

    decoder = codec.decoder(request, MODEL, options)
    decoder.feed(json.dumps(answer).encode())
    events = decoder.finish()
    (vectors,) = (event.vectors for event in events if isinstance(event, VectorsReported))
    (usage,) = (event.usage for event in events if isinstance(event, UsageReported))
    assert [unpacked(vector).tolist() for vector in vectors] == [pytest.approx(each) for each in got[0].embeddings]
    assert usage.input_uncached == got[0].prompt_eval_count


def test_the_client_reads_from_recorded_streams_what_we_read() -> None:
    lines = [e for e in exchanges(("ollama", "chat")) if "stream" in e["features"] and e["response"]["status"] == 200]
    assert len(lines) >= 10
    with recorder() as server:
        client = ollama.Client(host=server.url)
        for exchange in lines:
            name, body = exchange["id"], exchange["response"]["body_text"].encode()
            server.answer(stream_answer(body, piece_bytes=997, content_type="application/x-ndjson"))
            theirs = list(client.chat(model=MODEL, messages=[SDK_USER], stream=True))
            ours = Assembly("ollama", MODEL, Bounds())
            decoder = codec_for("ollama").decoder(stream=True, model=MODEL, options=CodecOptions())
            ours.add(decoder.feed(body))
            ours.add(decoder.finish())
            assert ours.failure is None, name
            assert ours.text_so_far == "".join(line.message.content or "" for line in theirs), name
            assert ours.reasoning_so_far == "".join(line.message.thinking or "" for line in theirs), name
            calls = [(p.name, json.loads(p.arguments)) for p in ours.answer().parts if isinstance(p, ToolCall)]
            called = [call.function for line in theirs for call in line.message.tool_calls or ()]
            assert calls == [(function.name, dict(function.arguments)) for function in called], name
            last, counts = theirs[-1], ours.vendor_counts
            assert counts is not None, name
            assert (counts.input, counts.output) == (last.prompt_eval_count, last.eval_count), name
            assert ours.answer().finish.raw == last.done_reason, name


def test_where_the_client_raises_we_have_a_failure() -> None:
    with recorder() as server:
        client = ollama.Client(host=server.url)
        for status, text in ((404, "model 'x' not found"), (500, "llama runner process has terminated")):
            server.answer(json_answer({"error": text}, status=status))
            with pytest.raises(ollama.ResponseError) as caught:
                client.chat(model=MODEL, messages=[SDK_USER])
            body = json.dumps({"error": text}).encode()
            failure = codec_for("ollama").failure(status, {}, body, now_unix_s=0.0)
            assert failure.status == caught.value.status_code == status
            assert caught.value.error in failure.message
        cut = b'{"model":"m","message":{"role":"assistant","content":"a"},"done":false}\n{"error":"it broke"}\n'
        server.answer(stream_answer(cut, piece_bytes=997, content_type="application/x-ndjson"))
        with pytest.raises(ollama.ResponseError, match="it broke"):
            list(client.chat(model=MODEL, messages=[SDK_USER], stream=True))
        ours = Assembly("ollama", MODEL, Bounds())
        decoder = codec_for("ollama").decoder(stream=True, model=MODEL, options=CodecOptions())
        ours.add(decoder.feed(cut))
        assert ours.failure is not None
        assert "it broke" in ours.failure.message


def test_pictures_are_bare_base64() -> None:
    written = codec_for("ollama").encode(CASES["an image"][0], MODEL, CodecOptions())
    assert isinstance(written, HttpRequest)
    (message,) = json.loads(written.body)["messages"]
    assert base64.b64decode(message["images"][0], validate=True) == PNG
    assert httpx.Headers(dict(written.headers))["accept"] == "application/json"
