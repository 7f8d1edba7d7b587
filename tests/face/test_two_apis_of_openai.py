"""Whole requests over OpenAI's second API and over Azure: the model chooses; a tool loop gives its thinking back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from trio.testing import MockClock

import manus
from manus.config.load import load
from manus.messages.content import Reasoning, Text, ToolResult, Turn, text_turn
from manus.messages.requests import Tool
from manus.opening import open_agent
from manus.sim.behaviour import Script, ScriptedCall
from manus.sim.memory import SimTransport
from manus.sim.provider import SimProvider
from manus.sim.wire import ChatAsked, WireName
from manus.wiring import wire
from tests.face.rig import KEY, TEXT, config

WEATHER = Tool(name="get_weather", description="Tells the weather.")


class Watched(SimTransport):
    """A simulated provider that also tells what it was asked."""

    def __init__(self, sim: SimProvider, seen: list[httpx.Request]) -> None:
        super().__init__(sim)
        self._seen = seen

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Note the request."""
        self._seen.append(request)
        return await super().handle_async_request(request)


def _loop(asked: ChatAsked) -> Script:
    """Think and call the tool at first; answer once its result is there."""
    if asked.answers_tool:
        return Script(text=TEXT)
    return Script(text="", words=0, reasoning="I must look", tool_calls=(ScriptedCall(name="get_weather"),))


def _opened(wire_name: WireName, entry: dict[str, Any], seen: list[httpx.Request]) -> Any:
    sim = SimProvider(wire_name, _loop, api_key=KEY)
    tables = config(providers={"it": {"api_key": KEY, **entry}})
    return open_agent(tables, transports={"it": lambda base_url: Watched(sim, seen)})


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
async def test_a_tool_loop_over_responses_gives_the_thinking_back(stream: bool, autojump_clock: MockClock) -> None:
    seen: list[httpx.Request] = []
    async with _opened("openai-responses", {"type": "openai"}, seen) as agent:
        options: dict[str, Any] = {"model": "gpt-5.6", "tools": [WEATHER], "reasoning": "low"}
        asked = [text_turn("user", "How is the weather?")]
        first = await (agent.stream(asked, **options).response() if stream else agent.generate(asked, **options))
        (call,) = first.tool_calls
        result = Turn(role="tool", parts=(ToolResult(id=call.id, content=(Text(text="4 C"),)),))
        # The simulated server refuses a call without its result, thinking that is not sealed or leads to nothing.
        second = await agent.generate([*asked, first.turn, result], **options)

    assert [request.url.path for request in seen] == ["/v1/responses", "/v1/responses"]
    assert any(isinstance(part, Reasoning) and part.encrypted for part in first.turn.parts)
    assert b'"encrypted_content"' in seen[1].content
    assert second.content == TEXT


async def test_other_models_of_the_same_entry_stay_with_chat(autojump_clock: MockClock) -> None:
    seen: list[httpx.Request] = []
    async with _opened("openai", {"type": "openai"}, seen) as agent:
        await agent.generate("Hello", model="gpt-4.1")

    assert [request.url.path for request in seen] == ["/v1/chat/completions"]


@pytest.mark.parametrize(
    ("entry", "target"),
    [
        ({"api_version": "2024-10-21"}, "/openai/deployments/my%20chat/chat/completions?api-version=2024-10-21"),
        ({}, "/openai/v1/chat/completions"),
        ({"base_url": "https://acme.openai.azure.com/openai/v1/"}, "/openai/v1/chat/completions"),
    ],
    ids=["classic", "v1", "v1 as its own documents write it"],
)
async def test_azure_is_asked_at_its_places_with_its_key(
    entry: dict[str, Any], target: str, autojump_clock: MockClock
) -> None:
    seen: list[httpx.Request] = []
    azure = {"type": "azure", "base_url": "https://acme.openai.azure.com", **entry}
    async with _opened("azure", azure, seen) as agent:
        asked = [text_turn("user", "How is the weather?")]
        first = await agent.generate(asked, model="my chat", tools=[WEATHER])
        result = Turn(role="tool", parts=(ToolResult(id=first.tool_calls[0].id, content=(Text(text="4 C"),)),))
        second = await agent.stream([*asked, first.turn, result], model="my chat", tools=[WEATHER]).response()

    assert {request.url.raw_path.decode() for request in seen} == {target}
    assert {request.headers["api-key"] for request in seen} == {KEY}
    assert "authorization" not in seen[0].headers
    assert second.content == TEXT
    assert second.usage.output_tokens > 0


async def test_a_deployment_that_is_not_there_is_told_with_its_mend(autojump_clock: MockClock) -> None:
    sim = SimProvider("azure", models=("chat",), any_model=False)
    tables = config(providers={"it": {"type": "azure", "api_key": KEY, "base_url": "https://a.openai.azure.com"}})
    async with open_agent(tables, transports={"it": lambda base_url: SimTransport(sim)}) as agent:
        with pytest.raises(manus.LLMError, match=r"deployment's name") as caught:
            await agent.generate("Hello", model="chatt")

    failure = caught.value.failure
    assert failure is not None
    assert failure.kind == "not_found"


@pytest.mark.parametrize(
    ("entry", "api"),
    [
        ({"type": "openai", "api_key": "k"}, "auto"),
        ({"type": "openai", "api_key": "k", "base_url": "https://eu.api.openai.com/v1"}, "auto"),
        ({"type": "openai", "base_url": "http://localhost:8000/v1"}, "chat"),
        ({"type": "openai", "base_url": "http://localhost:8000/v1", "wire": {"api": "responses"}}, "responses"),
        ({"type": "openai", "base_url": "https://api.openai.com.evil.example/v1", "api_key": "k"}, "chat"),
        ({"type": "openai", "api_key": "k", "wire": {"api": "chat"}}, "chat"),
        ({"type": "azure", "api_key": "k", "base_url": "https://a.openai.azure.com"}, "auto"),
    ],
)
def test_the_second_api_is_looked_for_at_its_own_places_alone(entry: dict[str, Any], api: str) -> None:
    loaded = load(config(providers={"it": entry}), environ={})
    (spec,) = wire(loaded.config, base=Path(), state=None).providers

    assert spec.options.api == api
