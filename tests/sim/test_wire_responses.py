"""The simulated Responses API and Azure: what they refuse, what they say, and that OpenAI's own SDK believes them."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
import trio
from trio.testing import MockClock

from manus.actors.codecs import codec_for
from manus.actors.codecs.base import CodecOptions, HttpRequest
from manus.messages.content import Reasoning, Text, ToolCall, ToolResult, Turn, text_turn
from manus.messages.ids import RequestId
from manus.messages.requests import ChatRequest, Tool
from manus.sim.behaviour import Script, ScriptedCall
from manus.sim.provider import SimProvider
from manus.sim.server import serve_sim
from manus.sim.wire import WireName
from tests.codecs.decoding import assemble
from tests.sim.asking import asking

openai = pytest.importorskip("openai", reason="the vendor's SDK is a development requirement")

TEXT = "Größe und Mut 🌍 stehen hier."
CALL = ScriptedCall(name="get_weather", arguments='{"city": "Oslo"}')
USER = {"role": "user", "content": "Hi"}


async def _asked(body: dict[str, Any], wire: WireName = "openai-responses", **script: Any) -> tuple[int, Any]:
    async with asking(SimProvider(wire, Script(text=TEXT, **script)), "memory") as asker:
        request = httpx.Request("POST", f"{asker.origin}/v1/responses", json={"model": "m", **body})
        response = await asker.transport.handle_async_request(request)
        return response.status_code, json.loads(await response.aread())


@pytest.mark.parametrize(
    ("body", "param", "words"),
    [
        ({}, "input", "Missing required"),
        ({"input": "x", "stop": ["a"]}, "stop", "Unknown parameter"),
        ({"input": "x", "messages": []}, "messages", "Unknown parameter"),
        ({"input": "x", "stream_options": {"include_usage": True}}, "stream_options.include_usage", "Unknown"),
        ({"input": "x", "max_output_tokens": 15}, "max_output_tokens", "below minimum"),
        ({"input": "x", "tool_choice": "auto"}, "tool_choice", "only allowed"),
        ({"input": [{"role": "tool", "content": "x"}]}, "input[0].role", "Invalid value"),
        (
            {"input": [{"role": "assistant", "content": [{"type": "input_text", "text": "x"}]}]},
            "input[0].content[0]",
            "Invalid value",
        ),
        (
            {"input": [{"type": "function_call_output", "call_id": "c", "output": ""}]},
            "input",
            "No tool call found",
        ),
        (
            {"input": [{"type": "function_call", "call_id": "c", "name": "n", "arguments": "{}"}]},
            "input",
            "No tool output found",
        ),
        (
            {"input": [{"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "g"}]},
            "input",
            "without its required following item",
        ),
    ],
)
async def test_what_openai_refuses_is_refused(
    body: dict[str, Any], param: str, words: str, autojump_clock: MockClock
) -> None:
    status, answer = await _asked(body)

    assert status == 400
    assert answer["error"]["param"] == param
    assert words in answer["error"]["message"]


async def test_thinking_that_is_not_sealed_is_not_found(autojump_clock: MockClock) -> None:
    status, answer = await _asked({"input": [{"type": "reasoning", "id": "rs_1", "summary": []}, USER]})

    assert status == 404
    assert "not persisted" in answer["error"]["message"]


async def test_our_whole_round_trip_is_accepted_and_read_back(autojump_clock: MockClock) -> None:
    wire: WireName = "openai-responses"
    turns = (
        text_turn("system", "Be terse."),
        text_turn("user", "Weather?"),
        Turn(
            role="assistant",
            parts=(
                Reasoning(text="Hm.", encrypted="gAAA", id="rs_1", provider=wire, model="gpt-5.6"),
                Text(text="Looking."),
                ToolCall(id="c1", name="get_weather", arguments="{}"),
            ),
        ),
        Turn(role="tool", parts=(ToolResult(id="c1", content=(Text(text="4 C"),)),)),
    )
    request = ChatRequest(
        request_id=RequestId("r"), turns=turns, tools=(Tool(name="get_weather"),), stream=True, max_output_tokens=500
    )
    encoded = codec_for(wire).encode(request, "gpt-5.6", CodecOptions())
    assert isinstance(encoded, HttpRequest)
    script = Script(text=TEXT, reasoning="I think so", tool_calls=(CALL, CALL), words=6)
    provider = SimProvider(wire, script)
    async with asking(provider, "memory") as asker:
        sent = httpx.Request("POST", f"{asker.origin}/v1{encoded.path}", content=encoded.body)
        response = await asker.transport.handle_async_request(sent)
        assert response.status_code == 200
        answer = assemble(wire, await response.aread()).answer()

    kinds = [type(part) for part in answer.parts]
    assert kinds == [Reasoning, Text, ToolCall, ToolCall]
    assert isinstance(answer.parts[0], Reasoning)
    assert answer.parts[0].encrypted
    assert answer.parts[1] == Text(text=TEXT)
    assert answer.finish.reason == "tool_calls"
    row = provider.bill.rows()[0]
    assert (answer.usage.input_total, answer.usage.output) == (row.input_tokens, row.output_tokens)


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
async def test_the_sdk_believes_the_simulated_responses(stream: bool) -> None:
    script = Script(text=TEXT, reasoning="I think so", tool_calls=(CALL,))
    async with serve_sim(SimProvider("openai-responses", script)) as server:
        response = await trio.to_thread.run_sync(_responses_by_the_sdk, server.origin, stream)

    assert response.output_text == TEXT
    assert [item.type for item in response.output] == ["reasoning", "message", "function_call"]
    assert response.output[2].arguments == CALL.arguments


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("classic", [True, False], ids=["classic", "v1"])
async def test_the_sdk_believes_the_simulated_azure(stream: bool, classic: bool) -> None:
    provider = SimProvider("azure", Script(text=TEXT, tool_calls=(CALL,)), api_key="k" * 32)
    async with serve_sim(provider) as server:
        said, calls = await trio.to_thread.run_sync(_azure_by_the_sdk, server.origin, stream, classic)

    assert (said, calls) == (TEXT, CALL.arguments)
    assert provider.bill.rows()[0].model == "my deployment"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/openai/deployments/d/chat/completions", 404),
        ("/openai/deployments/d/chat/completions?api-version=2024-10-21", 200),
        ("/openai/v1/chat/completions", 200),
        ("/openai/v1/chat/completions?api-version=preview", 200),
        ("/v1/chat/completions", 404),
        ("/openai/deployments?api-version=2024-10-21", 404),
    ],
)
async def test_azures_places(path: str, status: int, autojump_clock: MockClock) -> None:
    async with asking(SimProvider("azure"), "memory") as asker:
        request = httpx.Request("POST", f"{asker.origin}{path}", json={"model": "m", "messages": [USER]})
        response = await asker.transport.handle_async_request(request)
        await response.aread()

    assert response.status_code == status


@pytest.mark.parametrize("header", [{"api-key": "right"}, {"authorization": "Bearer right"}, {"api-key": "wrong"}])
async def test_azure_takes_a_key_at_either_place(header: dict[str, str], autojump_clock: MockClock) -> None:
    async with asking(SimProvider("azure", api_key="right"), "memory") as asker:
        request = httpx.Request("GET", f"{asker.origin}/openai/v1/models", headers=header)
        response = await asker.transport.handle_async_request(request)
        body = await response.aread()

    assert response.status_code == (401 if "wrong" in header.values() else 200)
    assert b"wrong" not in body.replace(b"wrong API endpoint", b"")


def _responses_by_the_sdk(origin: str, stream: bool) -> Any:
    with openai.OpenAI(api_key="k", base_url=f"{origin}/v1", max_retries=0) as client:
        made = client.responses.create(model="m", input="Hi", stream=stream)
        if not stream:
            return made
        deltas, response = "", None
        for event in made:
            if event.type == "response.output_text.delta":
                deltas += event.delta
            response = getattr(event, "response", response)
        assert response is not None
        assert deltas == response.output_text
        return response


def _azure_by_the_sdk(origin: str, stream: bool, classic: bool) -> tuple[str, str]:
    client = (
        openai.AzureOpenAI(azure_endpoint=origin, api_key="k" * 32, api_version="2024-10-21", max_retries=0)
        if classic
        else openai.OpenAI(base_url=f"{origin}/openai/v1", api_key="k" * 32, max_retries=0)
    )
    with client:
        made = client.chat.completions.create(model="my deployment", messages=[USER], stream=stream)
        if not stream:
            message = made.choices[0].message
            return message.content, message.tool_calls[0].function.arguments
        said, arguments = "", ""
        for chunk in made:
            for choice in chunk.choices:
                said += (choice.delta and choice.delta.content) or ""
                for piece in (choice.delta and choice.delta.tool_calls) or ():
                    arguments += piece.function.arguments or ""
        return said, arguments
