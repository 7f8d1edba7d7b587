"""Bedrock through a whole agent, on sockets and signed: streams, answers in a schema, tools, vectors, wrong keys."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

import manus
from manus.agent import LLMAgent
from manus.messages.content import Text, ToolResult, Turn, text_turn
from manus.opening import open_agent
from manus.sim.behaviour import Script, ScriptedCall
from manus.sim.embeddings import DIMENSIONS, vector_of
from manus.sim.faults import fault_named
from manus.sim.provider import SimProvider
from manus.sim.server import serve_sim

SECRET = "canary-secret-access-key"
CLAUDE_3 = "anthropic.claude-3-haiku-20240307-v1:0"
"""It has neither formats nor thinking: a schema goes to it as a tool that must be called."""

NEWER = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
TITAN = "amazon.titan-embed-text-v2:0"
WEATHER = {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}


class City(msgspec.Struct):
    name: str
    people: int


@asynccontextmanager
async def opened(script: Script | None = None, **entry: Any) -> AsyncIterator[tuple[LLMAgent, SimProvider]]:
    """Serve a simulated Bedrock on a socket, and open an agent that signs for it."""
    provider = SimProvider("bedrock", script or Script(), api_key=f"AKIATEST:{SECRET}")
    async with serve_sim(provider) as server:
        bedrock = {
            "type": "bedrock",
            "region": "eu-west-1",
            "base_url": server.base_url,
            "aws_access_key_id": "AKIATEST",
            "aws_secret_access_key": SECRET,
            "models": [{"name": name, "cost_per_input": 1, "cost_per_output": 2} for name in (NEWER, CLAUDE_3, TITAN)],
            **entry,
        }
        config = {"ledger": {"path": ":memory:"}, "providers": {"aws": bedrock}}
        async with open_agent(config) as agent:
            yield agent, provider


async def test_a_signed_stream_of_frames_reaches_the_caller_word_by_word() -> None:
    async with opened(Script(text="Größe und Mut 🌍 stehen hier.", reasoning="Hm")) as (agent, provider):
        chunks = [chunk async for chunk in agent.stream("Hi", model=NEWER)]
        response = await agent.generate("Hi", model=NEWER)
    assert "".join(chunk.delta for chunk in chunks) == "Größe und Mut 🌍 stehen hier."
    assert len(chunks) > 4
    assert response.content == "Größe und Mut 🌍 stehen hier."
    rows = provider.bill.rows()
    assert [row.model for row in rows] == [NEWER, NEWER]
    assert [row.stream for row in rows] == [True, False]
    assert response.usage.output_tokens == rows[1].output_tokens
    assert response.vendor_request_id is not None
    assert len(response.vendor_request_id.split("-")) == 5


@pytest.mark.parametrize("model", [NEWER, CLAUDE_3])
async def test_an_answer_in_a_schema_is_parsed_whether_it_came_as_text_or_as_a_call(model: str) -> None:
    async with opened() as (agent, _):
        response = await agent.generate("Which city?", model=model, response_format=City)
        async with agent.stream("Which city?", model=model, response_format=City) as stream:
            streamed = "".join([chunk.delta async for chunk in stream])
    assert isinstance(response.parsed, City)
    assert not response.tool_calls
    assert response.finish_reason == "stop"
    assert msgspec.json.decode(streamed, type=City) == response.parsed


async def test_a_tool_round_trip_goes_through() -> None:
    call = Script(text="Let me see.", tool_calls=(ScriptedCall(name="weather", arguments='{"city": "Oslo"}'),))
    async with opened(call) as (agent, provider):
        first = await agent.generate("Weather?", model=NEWER, tools=[WEATHER])
        (asked,) = first.tool_calls
        provider.behave(Script(text="4 degrees."))
        assert first.answer.turn is not None
        result = ToolResult(id=asked.id, content=(Text(text="4 C"),))
        turns = [text_turn("user", "Weather?"), first.answer.turn, Turn(role="tool", parts=(result,))]
        second = await agent.generate(turns, model=NEWER, tools=[WEATHER])
    assert (asked.name, json.loads(asked.arguments)) == ("weather", {"city": "Oslo"})
    assert second.content == "4 degrees."


async def test_texts_become_vectors() -> None:
    async with opened() as (agent, _):
        response = await agent.embed(["one", "two"], model=TITAN)
    assert [vector.tolist() for vector in response.vectors] == [vector_of(text, DIMENSIONS) for text in ("one", "two")]


async def test_a_wrong_secret_is_an_error_of_authentication_that_tells_no_secret() -> None:
    async with opened(aws_secret_access_key="canary-guess") as (agent, provider):
        with pytest.raises(manus.AuthenticationError) as refused:
            await agent.generate("Hi", model=NEWER)
    assert "UnrecognizedClientException" in str(refused.value)
    assert "canary" not in str(refused.value) + repr(refused.value)
    assert provider.bill.totals().billed == 0


async def test_an_exception_inside_a_stream_is_an_error_after_what_came() -> None:
    async with opened(Script(text="one two three four", fault=fault_named("error-after-content"))) as (agent, _):
        said: list[str] = []

        async def read() -> None:
            async for chunk in agent.stream("Hi", model=NEWER, on_interrupt="error"):
                said.append(chunk.delta)

        with pytest.raises(manus.LLMError):
            await read()
    assert "".join(said) == "one two"
