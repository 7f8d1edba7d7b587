"""What Anthropic's own Python SDK sends and reads, we send and read too.

The same request goes through the SDK and through our codec and transport to one recorder on a loopback port; bodies
and the headers that matter are compared. The same recorded bytes are read by the SDK's stream parser and by our
decoder; text, thinking, calls, stop reason and usage are compared.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
import trio

from manus.actors.assembly import Assembly
from manus.actors.codecs import codec_for
from manus.actors.codecs.base import CodecOptions, HttpRequest
from manus.actors.credentials import StaticKey
from manus.messages.content import Document, Image, Reasoning, Text, ToolCall, ToolResult, Turn, text_turn
from manus.messages.ids import RequestId
from manus.messages.policy import Bounds
from manus.messages.requests import ChatRequest, OutputFormat, ReasoningOptions, Sampling, Tool, ToolChoice
from tests.codecs.oracle_recorder import Arrived, differences, json_answer, recorder, sent_by_us, stream_answer
from tests.shared_data import exchanges

anthropic = pytest.importorskip("anthropic", reason="the vendor's SDK is a development requirement")

pytestmark = pytest.mark.filterwarnings("ignore:The model .* is deprecated:DeprecationWarning")

KEY = "sk-ant-test-0123456789"
MODEL = "claude-sonnet-4-5"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
CLOSED = {**SCHEMA, "additionalProperties": False}
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": MODEL,
    "content": [{"type": "text", "text": "Hi"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 1, "output_tokens": 1},
}
PNG = b"\x89PNG\r\n\x1a\n0000"
USER = text_turn("user", "Hi")


def _raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(value).encode())


def _request(turns: tuple[Turn, ...] = (USER,), **fields: Any) -> ChatRequest:
    return ChatRequest(request_id=RequestId("r"), turns=turns, **{"max_output_tokens": 64, **fields})


TOOL = Tool(name="get_weather", description="Tells the weather", schema=_raw(SCHEMA))
SDK_TOOL = {"name": "get_weather", "description": "Tells the weather", "input_schema": SCHEMA}
IMAGE_SOURCE = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgowMDAw"}
ROUND_TRIP = (
    text_turn("user", "Weather in Oslo?"),
    Turn(
        role="assistant",
        parts=(
            Reasoning(text="", signature="EqMB", provider="anthropic", model=MODEL),
            ToolCall(id="toolu_1", name="get_weather", arguments='{"city": "Oslo"}'),
        ),
    ),
    Turn(role="tool", parts=(ToolResult(id="toolu_1", content=(Text(text="4 C"), Image(data=PNG))),)),
)
SDK_ROUND_TRIP = [
    {"role": "user", "content": "Weather in Oslo?"},
    {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "", "signature": "EqMB"},
            {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Oslo"}},
        ],
    },
    {
        "role": "user",
        "content": [
            {
                "type": "tool_result",
                "tool_use_id": "toolu_1",
                "content": [{"type": "text", "text": "4 C"}, {"type": "image", "source": IMAGE_SOURCE}],
            }
        ],
    },
]

CASES: dict[str, tuple[ChatRequest, dict[str, Any]]] = {
    "plain": (_request(), {"messages": [{"role": "user", "content": "Hi"}]}),
    "system and sampling": (
        _request(
            (text_turn("system", "Be terse."), USER),
            sampling=Sampling(temperature=0.5, top_k=3, stop=("END",)),
            end_user_id="u1",
            service_tier="auto",
        ),
        {
            "system": "Be terse.",
            "messages": [{"role": "user", "content": "Hi"}],
            "extra_body": {"temperature": 0.5, "top_k": 3},  # the SDK no longer knows them, the older models do
            "stop_sequences": ["END"],
            "metadata": {"user_id": "u1"},
            "service_tier": "auto",
        },
    ),
    "tools": (
        _request(tools=(TOOL,), tool_choice=ToolChoice(mode="required", parallel=False)),
        {
            "messages": [{"role": "user", "content": "Hi"}],
            "tools": [SDK_TOOL],
            "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
        },
    ),
    "a tool round trip with hidden thinking": (
        _request(ROUND_TRIP, tools=(TOOL,), reasoning=ReasoningOptions(budget_tokens=2000), max_output_tokens=4096),
        {
            "messages": SDK_ROUND_TRIP,
            "tools": [SDK_TOOL],
            "thinking": {"type": "enabled", "budget_tokens": 2000},
            "max_tokens": 4096,
        },
    ),
    "documents and breakpoints": (
        _request(
            (
                Turn(role="system", parts=(Text(text="Read.", cache="long"),)),
                Turn(
                    role="user",
                    parts=(
                        Document(data=b"%PDF-1.4", name="a.pdf"),
                        Document(text="plain", name="b.txt"),
                        Image(url="https://example.com/x.png"),
                        Text(text="What is it?", cache="short"),
                    ),
                ),
            )
        ),
        {
            "system": [{"type": "text", "text": "Read.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {
                            "type": "document",
                            "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjQ="},
                            "title": "a.pdf",
                        },
                        {
                            "type": "document",
                            "source": {"type": "text", "media_type": "text/plain", "data": "plain"},
                            "title": "b.txt",
                        },
                        {"type": "image", "source": {"type": "url", "url": "https://example.com/x.png"}},
                        {"type": "text", "text": "What is it?", "cache_control": {"type": "ephemeral"}},
                    ],
                }
            ],
        },
    ),
    "structured output": (
        _request(output=OutputFormat(schema=_raw(CLOSED))),
        {
            "messages": [{"role": "user", "content": "Hi"}],
            "output_config": {"format": {"type": "json_schema", "schema": CLOSED}},
        },
    ),
    "betas": (
        _request(extra={"anthropic": _raw({"betas": ["a-2026-01-01", "b-2026-01-01"]})}),
        {
            "messages": [{"role": "user", "content": "Hi"}],
            "extra_headers": {"anthropic-beta": "a-2026-01-01,b-2026-01-01"},
        },
    ),
}


def _sent_by_sdk(fields: Mapping[str, Any], *, stream: bool) -> Arrived:
    answers = (
        stream_answer(b'event: message_stop\ndata: {"type":"message_stop"}\n\n') if stream else json_answer(MESSAGE)
    )
    with recorder(answers) as server:
        client = anthropic.Anthropic(api_key=KEY, base_url=server.url, max_retries=0)
        arguments = {"model": MODEL, "max_tokens": 64, **fields, "stream": stream}
        answered = client.messages.create(**arguments)
        if stream:
            list(answered)
        client.close()
        return server.last()


async def _sent_by_us(request: ChatRequest) -> Arrived:
    written = codec_for("anthropic").encode(request, MODEL, CodecOptions())
    assert isinstance(written, HttpRequest), written
    with recorder(json_answer(MESSAGE)) as server:
        await sent_by_us(written, server.url, credentials=StaticKey(KEY, header="x-api-key", prefix=""))
        return server.last()


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("case", CASES)
async def test_a_request_arrives_as_the_sdk_sends_it(case: str, stream: bool) -> None:
    request, fields = CASES[case]
    theirs = await trio.to_thread.run_sync(lambda: _sent_by_sdk(fields, stream=stream))
    ours = await _sent_by_us(msgspec.structs.replace(request, stream=stream))

    assert (ours.method, ours.path) == (theirs.method, theirs.path)
    for header in ("content-type", "anthropic-beta"):
        assert ours.header(header) == theirs.header(header), header
    # The key may stand in either of two headers, never in both. Newer SDKs ask for a newer version of the API, of
    # which nothing is recorded; the version that we name is the one that all recordings were made with.
    assert (ours.header("x-api-key"), ours.header("authorization")) == (KEY, None)
    assert theirs.header("x-api-key") == KEY or theirs.header("authorization") == f"Bearer {KEY}"
    assert ours.header("anthropic-version") == "2023-06-01" <= (theirs.header("anthropic-version") or "")
    assert differences(ours.json(), theirs.json()) == []


def _recorded_streams() -> list[dict[str, Any]]:
    return [
        exchange
        for exchange in exchanges(("anthropic", "messages"))
        if exchange["response"]["status"] == 200 and not exchange["response"]["body_text"].lstrip().startswith("{")
    ]


def test_the_sdk_reads_from_recorded_streams_what_we_read() -> None:
    streams = _recorded_streams()
    assert len(streams) >= 37
    whole = failed = 0
    with recorder() as server:
        client = anthropic.Anthropic(api_key=KEY, base_url=server.url, max_retries=0)
        for exchange in streams:
            body = exchange["response"]["body_text"].encode()
            server.answer(stream_answer(body, piece_bytes=997))
            ours = Assembly("anthropic", MODEL, Bounds())
            decoder = codec_for("anthropic").decoder(stream=True, model=MODEL, options=CodecOptions())
            ours.add(decoder.feed(body))
            ours.add(decoder.finish())
            try:
                with client.messages.stream(
                    model=MODEL, max_tokens=1, messages=[{"role": "user", "content": "x"}]
                ) as events:
                    theirs = events.get_final_message()
            except anthropic.APIStatusError:
                assert ours.failure is not None, exchange["id"]
                failed += 1
                continue
            _compare(ours, theirs.to_dict(mode="json", warnings=False), exchange["id"])
            whole += 1
        client.close()
    assert (whole, failed) == (len(streams) - 1, 1)


def _compare(ours: Assembly, theirs: dict[str, Any], name: str) -> None:
    answer = ours.answer()
    blocks = theirs["content"]
    assert ours.failure is None, name
    assert ours.text_so_far == "".join(block["text"] for block in blocks if block["type"] == "text"), name
    assert ours.reasoning_so_far == "".join(b["thinking"] for b in blocks if b["type"] == "thinking"), name
    signatures = [part.signature for part in answer.parts if isinstance(part, Reasoning) and part.signature]
    assert signatures == [b["signature"] for b in blocks if b["type"] == "thinking" and b["signature"]], name
    calls = [(part.id, part.name, json.loads(part.arguments)) for part in answer.parts if isinstance(part, ToolCall)]
    assert calls == [(b["id"], b["name"], b["input"]) for b in blocks if b["type"] == "tool_use"], name
    assert answer.finish.raw == theirs["stop_reason"], name
    counts, usage = ours.vendor_counts, theirs["usage"]
    assert counts is not None, name
    assert (counts.input, counts.output) == (usage["input_tokens"], usage["output_tokens"]), name
    assert counts.cached == usage.get("cache_read_input_tokens"), name
    assert counts.cache_write == usage.get("cache_creation_input_tokens"), name
