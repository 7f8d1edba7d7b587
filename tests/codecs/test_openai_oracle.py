"""What OpenAI's own Python SDK sends and reads over Chat Completions, we send and read too.

The same request goes through the SDK and through our codec and transport to one recorder on a loopback port; method,
target, bodies and the headers that matter are compared. The same recorded bytes are read by the SDK's stream parser
and by our decoder.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
import trio

from manus.actors.codecs import codec_for
from manus.actors.codecs.base import CodecOptions, HttpRequest
from manus.actors.credentials import StaticKey
from manus.messages.content import Document, Image, Text, ToolCall, ToolResult, Turn, text_turn
from manus.messages.ids import RequestId
from manus.messages.policy import ModelCard
from manus.messages.requests import ChatRequest, OutputFormat, ReasoningOptions, Sampling, Tool, ToolChoice
from manus.testing.wire import replay
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
MODEL = "gpt-4.1-mini"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
CLOSED = {**SCHEMA, "additionalProperties": False}
COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": MODEL,
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}
PNG = b"\x89PNG\r\n\x1a\n0000"
PNG_URL = "data:image/png;base64,iVBORw0KGgowMDAw"
USER = text_turn("user", "Hi")
SDK_USER = {"role": "user", "content": "Hi"}


def _raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(value).encode())


def _request(turns: tuple[Turn, ...] = (USER,), **fields: Any) -> ChatRequest:
    return ChatRequest(request_id=RequestId("r"), turns=turns, **fields)


TOOL = Tool(name="get_weather", description="Tells the weather", schema=_raw(CLOSED), strict=True)
SDK_FUNCTION = {"name": "get_weather", "description": "Tells the weather", "parameters": CLOSED, "strict": True}
SDK_TOOL = {"type": "function", "function": SDK_FUNCTION}

CASES: dict[str, tuple[str, ChatRequest, dict[str, Any]]] = {
    "plain": (MODEL, _request(), {"messages": [SDK_USER]}),
    "stream": (
        MODEL,
        _request(stream=True),
        {"messages": [SDK_USER], "stream": True, "stream_options": {"include_usage": True}},
    ),
    "sampling": (
        MODEL,
        _request(
            (text_turn("system", "Be terse."), USER),
            max_output_tokens=64,
            sampling=Sampling(
                temperature=0.5,
                top_p=0.9,
                seed=7,
                stop=("END",),
                presence_penalty=0.1,
                frequency_penalty=0.2,
                logprobs=3,
            ),
            end_user_id="u1",
            service_tier="flex",
        ),
        {
            "messages": [{"role": "system", "content": "Be terse."}, SDK_USER],
            "max_tokens": 64,
            "temperature": 0.5,
            "top_p": 0.9,
            "seed": 7,
            "stop": ["END"],
            "presence_penalty": 0.1,
            "frequency_penalty": 0.2,
            "logprobs": True,
            "top_logprobs": 3,
            "safety_identifier": "u1",
            "service_tier": "flex",
        },
    ),
    "pictures and papers": (
        MODEL,
        _request(
            (
                Turn(
                    role="user",
                    parts=(
                        Text(text="Compare."),
                        Image(data=PNG, detail="low"),
                        Image(url="https://example.org/a.png"),
                        Document(data=b"%PDF-1.4", name="a.pdf"),
                        Document(file_id="file-1"),
                    ),
                ),
            )
        ),
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "Compare."},
                        {"type": "image_url", "image_url": {"url": PNG_URL, "detail": "low"}},
                        {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
                        {
                            "type": "file",
                            "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0xLjQ="},
                        },
                        {"type": "file", "file": {"file_id": "file-1"}},
                    ],
                }
            ]
        },
    ),
    "tools": (
        MODEL,
        _request(
            (
                USER,
                Turn(role="assistant", parts=(ToolCall(id="call_1", name="get_weather", arguments='{"city":"Oslo"}'),)),
                Turn(role="tool", parts=(ToolResult(id="call_1", content=(Text(text="4 C"),)),)),
            ),
            tools=(TOOL,),
            tool_choice=ToolChoice(mode="tool", name="get_weather", parallel=False),
        ),
        {
            "messages": [
                SDK_USER,
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [
                        {
                            "id": "call_1",
                            "type": "function",
                            "function": {"name": "get_weather", "arguments": '{"city":"Oslo"}'},
                        }
                    ],
                },
                {"role": "tool", "tool_call_id": "call_1", "content": "4 C"},
            ],
            "tools": [SDK_TOOL],
            "tool_choice": {"type": "function", "function": {"name": "get_weather"}},
            "parallel_tool_calls": False,
        },
    ),
    "schema": (
        MODEL,
        _request(output=OutputFormat(schema=_raw(CLOSED), name="place", description="A place.")),
        {
            "messages": [SDK_USER],
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "place", "description": "A place.", "schema": CLOSED, "strict": True},
            },
        },
    ),
    "any object": (
        MODEL,
        _request((text_turn("user", "As JSON."),), output=OutputFormat()),
        {"messages": [{"role": "user", "content": "As JSON."}], "response_format": {"type": "json_object"}},
    ),
    "a model that thinks": (
        "gpt-5-mini",
        _request(
            (text_turn("system", "Be terse."), USER),
            max_output_tokens=500,
            reasoning=ReasoningOptions(effort="minimal"),
        ),
        {
            "messages": [{"role": "developer", "content": "Be terse."}, SDK_USER],
            "max_completion_tokens": 500,
            "reasoning_effort": "minimal",
        },
    ),
    "options of the caller's own": (
        MODEL,
        _request(extra={"openai-chat": _raw({"metadata": {"a": "b"}, "store": True, "logit_bias": {"50256": -100}})}),
        {"messages": [SDK_USER], "metadata": {"a": "b"}, "store": True, "logit_bias": {"50256": -100}},
    ),
}


@pytest.mark.parametrize("name", CASES)
async def test_our_request_is_the_sdks_request(name: str) -> None:
    model, request, kwargs = CASES[name]
    options = CodecOptions(card=ModelCard(name=model))
    encoded = codec_for("openai-chat").encode(request, model, options)
    assert isinstance(encoded, HttpRequest)
    assert encoded.warnings == ()

    with recorder(json_answer(COMPLETION)) as server:
        await sent_by_us(encoded, f"{server.url}/v1", credentials=StaticKey(KEY))
        ours = server.last()
        theirs = await trio.to_thread.run_sync(_sent_by_the_sdk, server, {"model": model, **kwargs})

    assert (ours.method, ours.path) == (theirs.method, theirs.path) == ("POST", "/v1/chat/completions")
    assert ours.header("authorization") == theirs.header("authorization") == f"Bearer {KEY}"
    assert ours.header("content-type") == theirs.header("content-type") == "application/json"
    body = {key: value for key, value in ours.json().items() if (key, value) != ("stream", False)}
    assert differences(body, theirs.json()) == []


@pytest.mark.parametrize("api", [("openai", "chat"), ("openai-compat", "chat")], ids="/".join)
async def test_our_decoder_and_the_sdks_read_the_same(api: tuple[str, str]) -> None:
    with recorder() as server:
        read = await trio.to_thread.run_sync(_compare_reading, server, api)
    assert read["streams"] >= 5
    assert read["documents"] >= 20


def _sent_by_the_sdk(server: Recorder, kwargs: dict[str, Any]) -> Arrived:
    with openai.OpenAI(api_key=KEY, base_url=f"{server.url}/v1", max_retries=0) as client:
        made = client.chat.completions.create(**kwargs)
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
            streamed = text.lstrip().startswith((":", "data:"))
            server.answer(recorded_answer(exchange, text.encode()))
            made = client.chat.completions.create(model="m", messages=[SDK_USER], stream=streamed)
            theirs = _folded(list(made)) if streamed else _whole(made)
            line = next(iter(replay(exchange)))
            if not isinstance(theirs["text"], str):
                continue  # content that is an object, which the SDK hands on and we read as its JSON
            ours = {
                "text": line["text"],
                "finish": line["finish_reason_raw"],
                "calls": [(call["id"], call["name"], call["arguments"]) for call in line["tool_calls"]],
                "usage": (line["input_tokens"], line["output_tokens"]),
            }
            assert ours == theirs, exchange["id"]
            read["streams" if streamed else "documents"] += 1
    return read


def _whole(made: Any) -> dict[str, Any]:
    choice = made.choices[0]
    calls = [
        (call.id, call.function.name, _loaded(call.function.arguments))
        for call in choice.message.tool_calls or ()
        if call.type == "function"
    ]
    usage = (made.usage.prompt_tokens, made.usage.completion_tokens) if made.usage else (None, None)
    content = choice.message.content
    return {"text": content or "", "finish": choice.finish_reason, "calls": calls, "usage": usage}


def _folded(chunks: list[Any]) -> dict[str, Any]:
    said: list[str] = []
    calls: dict[int, list[str]] = {}
    finish, usage = None, (None, None)
    for chunk in chunks:
        if chunk.usage:
            usage = (chunk.usage.prompt_tokens, chunk.usage.completion_tokens)
        for choice in chunk.choices or ():
            if choice.index:
                continue
            finish = choice.finish_reason or finish
            delta = choice.delta
            said.append((delta and delta.content) or "")
            for piece in (delta and delta.tool_calls) or ():
                call = calls.setdefault(piece.index, ["", "", ""])
                function = piece.function
                call[0] = call[0] or piece.id or ""
                call[1] = call[1] or (function and function.name) or ""
                call[2] += (function and function.arguments) or ""
    put = [(call[0], call[1], _loaded(call[2])) for _, call in sorted(calls.items())]
    return {"text": "".join(said), "finish": finish, "calls": put, "usage": usage}


def _loaded(arguments: str) -> Any:
    try:
        return json.loads(arguments)
    except ValueError:
        return None
