"""What OpenAI's own Python SDK sends and reads over the Responses API, we send and read too.

As with Chat Completions: one recorder on a loopback port for both, and the same recorded bytes for both parsers.
"""

from __future__ import annotations

import json
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
from manus.messages.policy import Bounds, ModelCard
from manus.messages.requests import ChatRequest, OutputFormat, ReasoningOptions, Sampling, Tool, ToolChoice
from tests.codecs.decoding import decode
from tests.codecs.oracle_recorder import (
    Arrived,
    Recorder,
    differences,
    json_answer,
    recorded_answer,
    recorder,
    sent_by_us,
)
from tests.shared_data import exchanges

openai = pytest.importorskip("openai", reason="the vendor's SDK is a development requirement")

KEY = "sk-test-0123456789"
THINKER = "gpt-5.6"
PLAIN = "gpt-4.1-mini"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
CLOSED = {**SCHEMA, "additionalProperties": False}
RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "status": "completed",
    "model": PLAIN,
    "output": [],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
}
PNG = b"\x89PNG\r\n\x1a\n0000"
PNG_URL = "data:image/png;base64,iVBORw0KGgowMDAw"
USER = text_turn("user", "Hi")
SDK_USER = {"role": "user", "content": "Hi"}


def _raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(value).encode())


def _request(turns: tuple[Turn, ...] = (USER,), **fields: Any) -> ChatRequest:
    return ChatRequest(request_id=RequestId("r"), turns=turns, **fields)


CASES: dict[str, tuple[str, ChatRequest, dict[str, Any]]] = {
    "plain": (PLAIN, _request(), {"input": [SDK_USER], "store": False}),
    "stream": (PLAIN, _request(stream=True), {"input": [SDK_USER], "store": False, "stream": True}),
    "sampling": (
        PLAIN,
        _request(
            (text_turn("system", "Be terse."), USER),
            max_output_tokens=64,
            sampling=Sampling(temperature=0.5, top_p=0.9, logprobs=3),
            end_user_id="u1",
            service_tier="flex",
        ),
        {
            "instructions": "Be terse.",
            "input": [SDK_USER],
            "max_output_tokens": 64,
            "temperature": 0.5,
            "top_p": 0.9,
            "top_logprobs": 3,
            "include": ["message.output_text.logprobs"],
            "safety_identifier": "u1",
            "service_tier": "flex",
            "store": False,
        },
    ),
    "pictures and papers": (
        PLAIN,
        _request(
            (
                Turn(
                    role="user",
                    parts=(
                        Text(text="Compare."),
                        Image(data=PNG, detail="low"),
                        Image(file_id="file-1"),
                        Document(data=b"%PDF-1.4", name="a.pdf"),
                        Document(url="https://example.org/b.pdf"),
                    ),
                ),
            )
        ),
        {
            "input": [
                {
                    "role": "user",
                    "content": [
                        {"type": "input_text", "text": "Compare."},
                        {"type": "input_image", "image_url": PNG_URL, "detail": "low"},
                        {"type": "input_image", "file_id": "file-1"},
                        {
                            "type": "input_file",
                            "filename": "a.pdf",
                            "file_data": "data:application/pdf;base64,JVBERi0xLjQ=",
                        },
                        {"type": "input_file", "file_url": "https://example.org/b.pdf"},
                    ],
                }
            ],
            "store": False,
        },
    ),
    "tools and thinking": (
        THINKER,
        _request(
            (
                USER,
                Turn(
                    role="assistant",
                    parts=(
                        Reasoning(text="Hm.", encrypted="gAAA", id="rs_1", provider="openai-responses", model=THINKER),
                        ToolCall(id="call_1", name="get_weather", arguments='{"city":"Oslo"}'),
                    ),
                ),
                Turn(role="tool", parts=(ToolResult(id="call_1", content=(Text(text="4 C"), Image(data=PNG))),)),
            ),
            tools=(Tool(name="get_weather", description="Tells the weather", schema=_raw(CLOSED), strict=True),),
            tool_choice=ToolChoice(mode="tool", name="get_weather", parallel=False),
            reasoning=ReasoningOptions(effort="low"),
        ),
        {
            "input": [
                SDK_USER,
                {
                    "type": "reasoning",
                    "id": "rs_1",
                    "summary": [{"type": "summary_text", "text": "Hm."}],
                    "encrypted_content": "gAAA",
                },
                {"type": "function_call", "call_id": "call_1", "name": "get_weather", "arguments": '{"city":"Oslo"}'},
                {
                    "type": "function_call_output",
                    "call_id": "call_1",
                    "output": [
                        {"type": "input_text", "text": "4 C"},
                        {"type": "input_image", "image_url": PNG_URL},
                    ],
                },
            ],
            "tools": [
                {
                    "type": "function",
                    "name": "get_weather",
                    "description": "Tells the weather",
                    "parameters": CLOSED,
                    "strict": True,
                }
            ],
            "tool_choice": {"type": "function", "name": "get_weather"},
            "parallel_tool_calls": False,
            "reasoning": {"effort": "low", "summary": "auto"},
            "include": ["reasoning.encrypted_content"],
            "store": False,
        },
    ),
    "schema": (
        PLAIN,
        _request(output=OutputFormat(schema=_raw(CLOSED), name="place", strict=True)),
        {
            "input": [SDK_USER],
            "text": {"format": {"type": "json_schema", "name": "place", "schema": CLOSED, "strict": True}},
            "store": False,
        },
    ),
    "options of the caller's own": (
        PLAIN,
        _request(
            extra={"openai-responses": _raw({"metadata": {"a": "b"}, "store": True, "tools": [{"type": "web_search"}]})}
        ),
        {"input": [SDK_USER], "metadata": {"a": "b"}, "store": True, "tools": [{"type": "web_search"}]},
    ),
}


@pytest.mark.parametrize("name", CASES)
async def test_our_request_is_the_sdks_request(name: str) -> None:
    model, request, kwargs = CASES[name]
    encoded = codec_for("openai-responses").encode(request, model, CodecOptions(card=ModelCard(name=model)))
    assert isinstance(encoded, HttpRequest)
    assert encoded.warnings == ()

    with recorder(json_answer(RESPONSE)) as server:
        await sent_by_us(encoded, f"{server.url}/v1", credentials=StaticKey(KEY))
        ours = server.last()
        theirs = await trio.to_thread.run_sync(_sent_by_the_sdk, server, {"model": model, **kwargs})

    assert (ours.method, ours.path) == (theirs.method, theirs.path) == ("POST", "/v1/responses")
    assert ours.header("authorization") == theirs.header("authorization") == f"Bearer {KEY}"
    assert ours.header("content-type") == theirs.header("content-type") == "application/json"
    body = {key: value for key, value in ours.json().items() if (key, value) != ("stream", False)}
    assert differences(body, theirs.json()) == []


@pytest.mark.parametrize("api", [("openai-responses", "responses"), ("azure", "responses")], ids="/".join)
async def test_our_decoder_and_the_sdks_read_the_same(api: tuple[str, str]) -> None:
    with recorder() as server:
        read = await trio.to_thread.run_sync(_compare_reading, server, api)
    assert read["streams"] >= 7
    assert read["documents"] >= 10


def _sent_by_the_sdk(server: Recorder, kwargs: dict[str, Any]) -> Arrived:
    with openai.OpenAI(api_key=KEY, base_url=f"{server.url}/v1", max_retries=0) as client:
        made = client.responses.create(**kwargs)
        if kwargs.get("stream"):
            made.close()
    return server.last()


def _compare_reading(server: Recorder, api: tuple[str, str]) -> dict[str, int]:
    read = {"streams": 0, "documents": 0}
    with openai.OpenAI(api_key=KEY, base_url=f"{server.url}/v1", max_retries=0) as client:
        for exchange in exchanges(api):
            text = exchange["response"].get("body_text") or ""
            if exchange["response"]["status"] != 200 or exchange["expect"]["error"] is not None:
                continue
            streamed = not text.lstrip().startswith("{")
            server.answer(recorded_answer(exchange, text.encode()))
            made = client.responses.create(model="m", input="Hi", stream=streamed)
            response, items = _ended(made) if streamed else (made, made.output)
            assembly = Assembly("openai-responses", "m", Bounds())
            assembly.add(decode("openai-responses", [text.encode()]))
            assert _ours(assembly) == _theirs(response, items), exchange["id"]
            read["streams" if streamed else "documents"] += 1
    return read


def _ended(stream: Any) -> tuple[Any, list[Any]]:
    """Give what the first terminal event says (one recording holds several answers in a row), and the items.

    The terminal event has these again, with their thinking encrypted anew: both are good, we keep the first.
    """
    items: list[Any] = []
    with stream:
        for event in stream:
            if event.type == "response.output_item.done":
                items.append(event.item)
            if event.type in ("response.completed", "response.incomplete"):
                return event.response, items
    raise AssertionError("the stream had no end")


def _ours(assembly: Assembly) -> dict[str, Any]:
    answer = assembly.answer()
    counts = assembly.vendor_counts
    return {
        "text": assembly.text_so_far,
        "calls": [(part.id, part.name, part.arguments) for part in answer.parts if isinstance(part, ToolCall)],
        "thoughts": [
            (part.id, part.encrypted, part.text)
            for part in answer.parts
            if isinstance(part, Reasoning) and (part.text or part.encrypted)
        ],
        "usage": None if counts is None else (counts.input, counts.output, counts.reasoning),
        "model": answer.model,
        "id": answer.id,
    }


def _theirs(response: Any, items: list[Any]) -> dict[str, Any]:
    usage = response.usage
    thoughts = [
        (item.id, item.encrypted_content, "\n\n".join(part.text for part in (*item.summary, *(item.content or ()))))
        for item in items
        if item.type == "reasoning"
    ]
    return {
        "text": response.output_text,
        "calls": [
            (item.call_id, item.name, item.arguments) for item in response.output if item.type == "function_call"
        ],
        "thoughts": [thought for thought in thoughts if thought[1] or thought[2]],
        "usage": usage and (usage.input_tokens, usage.output_tokens, usage.output_tokens_details.reasoning_tokens),
        "model": response.model,
        "id": response.id,
    }
