"""Whole requests over Messages: the key and version, a tool loop with signed thinking, an answer in a made-up tool."""

from __future__ import annotations

import json
from typing import Any

import httpx
import msgspec
import pytest
from trio.testing import MockClock

import manus
from manus.messages.content import Reasoning, Text, ToolResult, Turn, text_turn
from manus.messages.requests import Tool
from manus.opening import open_agent
from manus.sim.behaviour import Behaviour, Responder, Script, ScriptedCall
from manus.sim.faults import FAULTS
from manus.sim.memory import SimTransport
from manus.sim.provider import SimProvider
from manus.sim.wire import ChatAsked
from tests.face.rig import KEY, TEXT, config

WEATHER = Tool(name="get_weather", description="Tells the weather.")
WITHOUT_SCHEMAS = "claude-3-5-haiku-20241022"


class City(msgspec.Struct):
    """What the answers are to hold."""

    name: str
    people: int


class Watched(SimTransport):
    """A simulated provider that also tells what it was asked."""

    def __init__(self, sim: SimProvider, seen: list[httpx.Request]) -> None:
        super().__init__(sim)
        self._seen = seen

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Note the request."""
        self._seen.append(request)
        return await super().handle_async_request(request)


def _opened(script: Script | Responder | Behaviour, seen: list[httpx.Request], **entry: Any) -> Any:
    sim = SimProvider("anthropic", script, api_key=KEY)
    tables = config(providers={"claude": {"type": "anthropic", "api_key": KEY, **entry}})
    return open_agent(tables, transports={"claude": lambda base_url: Watched(sim, seen)})


def _loop(asked: ChatAsked) -> Script:
    """Think and call the tool at first; answer once its result is there."""
    if asked.answers_tool:
        return Script(text=TEXT)
    return Script(text="", words=0, reasoning="I must look", tool_calls=(ScriptedCall(name="get_weather"),))


@pytest.mark.parametrize("base_url", ["https://api.anthropic.com", "https://gateway.example/v1"])
async def test_a_request_goes_to_its_place_with_its_key_and_version(base_url: str, autojump_clock: MockClock) -> None:
    seen: list[httpx.Request] = []
    async with _opened(Script(text=TEXT), seen, base_url=base_url, betas=["some-beta-2026-01-01"]) as agent:
        answer = await agent.generate("Hello", model="claude-sonnet-4-5")

    (request,) = seen
    assert str(request.url) == f"{base_url.removesuffix('/v1')}/v1/messages"
    assert request.headers["x-api-key"] == KEY
    assert "authorization" not in request.headers
    assert request.headers["anthropic-version"] == "2023-06-01"
    assert request.headers["anthropic-beta"] == "some-beta-2026-01-01"
    assert answer.content == TEXT
    assert answer.vendor_request_id.startswith("req_")
    assert answer.usage.output_tokens > 0


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
async def test_a_tool_loop_gives_the_signed_thinking_back(stream: bool, autojump_clock: MockClock) -> None:
    seen: list[httpx.Request] = []
    async with _opened(_loop, seen) as agent:
        options: dict[str, Any] = {"model": "claude-opus-5-5", "tools": [WEATHER], "reasoning": "low"}
        asked = [text_turn("user", "How is the weather?")]
        first = await (agent.stream(asked, **options).response() if stream else agent.generate(asked, **options))
        (call,) = first.tool_calls
        result = Turn(role="tool", parts=(ToolResult(id=call.id, content=(Text(text="4 C"),)),))
        second = await agent.generate([*asked, first.turn, result], **options)

    (thought,) = [part for part in first.turn.parts if isinstance(part, Reasoning)]
    sent = json.loads(seen[1].content)["messages"]
    assert sent[1]["content"][0] == {"type": "thinking", "thinking": "I must look", "signature": thought.signature}
    assert sent[2]["content"][0]["tool_use_id"] == call.id
    assert second.content == TEXT


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
async def test_a_model_without_schemas_answers_in_shape_all_the_same(stream: bool, autojump_clock: MockClock) -> None:
    def answering(asked: ChatAsked) -> Script:
        (tool,) = asked.tools
        return Script(text="", words=0, tool_calls=(ScriptedCall(name=tool, arguments='{"name":"Oslo","people":7}'),))

    seen: list[httpx.Request] = []
    async with _opened(answering, seen) as agent:
        options: dict[str, Any] = {"model": WITHOUT_SCHEMAS, "response_format": City}
        answer = await (agent.stream("A city", **options).response() if stream else agent.generate("A city", **options))

    assert answer.parsed == City(name="Oslo", people=7)
    assert answer.content == '{"name":"Oslo","people":7}'
    assert (answer.finish_reason, answer.tool_calls) == ("stop", ())
    (tool,) = json.loads(seen[0].content)["tools"]
    assert tool["input_schema"]["type"] == "object"
    assert set(tool["input_schema"]["properties"]) == {"name", "people"}


async def test_what_the_model_rejects_is_dropped_and_told(autojump_clock: MockClock) -> None:
    seen: list[httpx.Request] = []
    async with _opened(Script(text=TEXT), seen) as agent:
        answer = await agent.generate("Hello", model="claude-opus-5-5", temperature=0.2, seed=1)

    assert not {"temperature", "seed"} & json.loads(seen[0].content).keys()
    assert answer.warnings


@pytest.mark.parametrize(
    ("fault", "kind"),
    [("401", "auth"), ("context-length", "context_length"), ("529", "overloaded"), ("quota", "quota_exhausted")],
)
async def test_a_refusal_is_told_as_what_it_is(fault: str, kind: str, autojump_clock: MockClock) -> None:
    async with _opened(Script(fault=FAULTS[fault]), []) as agent:
        with pytest.raises(manus.LLMError) as caught:
            await agent.generate("Hello", model="claude-sonnet-4-5")

    failure = caught.value.failure
    assert failure is not None
    assert failure.kind == kind
    assert failure.vendor_request_id
