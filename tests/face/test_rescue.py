"""Streams that break off, as a program sees them over real sockets: chunks, events and responses that agree."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

import manus
from manus.agent import LLMAgent
from manus.messages.content import Text
from manus.messages.requests import OnInterrupt
from manus.sim.faults import Cut, ErrorInside, Fault, Stall
from manus.testing import Script, SimProvider, serve_sim, sim_config

TEXT = "Once upon a time — 🌍 there was a small actor\nwho crashed, and came back before anybody noticed it."
OTHER = "Quite another tale is told here."
FAULT = Cut(after_chunks=9, reset=True)
LIMIT_S = 30


@asynccontextmanager
async def two_agents(
    second: SimProvider, *, fault: Fault = FAULT, prefill: bool = False, **sections: Any
) -> AsyncIterator[LLMAgent]:
    """Open an agent whose first provider breaks off, and whose second is `second`."""
    first = SimProvider("openai", Script(text=TEXT, fault=fault), models=("one",))
    with trio.fail_after(LIMIT_S):
        async with serve_sim(first) as broken, serve_sim(second) as other:
            config = sim_config({"first": broken, "second": other}, **sections)
            config["providers"]["second"]["models"][0]["prefill"] = prefill
            async with manus.open_agent(config, keep_books=False, seed=1) as agent:
                yield agent


def saying(text: str, *, wire: Any = "anthropic") -> SimProvider:
    return SimProvider(wire, Script(text=text), models=("two",))


def roles_of(response: manus.LLMResponse) -> list[str]:
    assert response.route is not None
    return [attempt.role for attempt in response.route.attempts]


@pytest.mark.parametrize(("prefill", "role"), [(True, "continue"), (False, "splice")])
async def test_program_that_prints_what_comes_prints_the_answer_once(prefill: bool, role: str) -> None:
    async with two_agents(saying(TEXT), prefill=prefill) as agent:
        stream = agent.stream("A story")
        chunks = [chunk async for chunk in stream]
        response = await stream.response()
        metrics = await agent.get_routing_metrics()

    assert "".join(chunk.delta for chunk in chunks) == TEXT == response.content
    assert {chunk.kind for chunk in chunks} == {"delta", "final"}
    assert (chunks[-1].provider, response.provider, response.finish_reason) == ("second", "second", "stop")
    assert roles_of(response)[-1] == role
    assert response.route is not None
    assert response.usage.output_tokens == sum(each.usage.output for each in response.route.attempts)
    assert (metrics.continued >= 1, metrics.spliced >= 1, metrics.restarts) == (prefill, not prefill, 0)


@pytest.mark.parametrize("fault", [FAULT, ErrorInside(after_chunks=9), Stall(where="body", after_chunks=9)], ids=repr)
async def test_response_alone_is_the_whole_answer_however_the_stream_broke_off(fault: Fault) -> None:
    async with two_agents(saying(TEXT), fault=fault, prefill=True, timeouts={"idle_s": 0.3}) as agent:
        response = await agent.stream("A story").response()

    assert response.content == TEXT


async def test_answer_that_cannot_be_taken_up_raises_with_what_was_printed() -> None:
    printed = ""
    error: manus.LLMError | None = None
    async with two_agents(saying(OTHER)) as agent:
        stream = agent.stream("A story")
        try:
            async for chunk in stream:
                printed += chunk.delta
        except manus.LLMError as raised:
            error = raised
        with pytest.raises(manus.LLMError):
            await stream.response()

    assert TEXT.startswith(printed)
    assert len(printed) > 10
    assert error is not None
    assert error.partial is not None
    assert "".join(part.text for part in error.partial.parts if isinstance(part, Text)) == printed
    assert "its answer differs" in str(error)


@pytest.mark.parametrize("says", [TEXT, OTHER])
async def test_restart_tells_to_forget_and_what_follows_is_the_response(says: str) -> None:
    printed, resets = "", 0
    async with two_agents(saying(says), prefill=True) as agent:
        stream = agent.stream("A story", on_interrupt="restart")
        async for chunk in stream:
            if chunk.kind == "reset":
                resets += 1
                printed = ""
            printed += chunk.delta
        response = await stream.response()

    assert printed == response.content == says
    assert resets >= 1
    assert "continue" not in roles_of(response)


async def test_error_mode_asks_nobody_else() -> None:
    second = saying(TEXT)
    async with two_agents(second, prefill=True) as agent:
        with pytest.raises(manus.LLMError):
            await agent.stream("A story", on_interrupt="error").response()

    assert len(second.bill) == 0


@pytest.mark.parametrize("mode", ["auto", "restart"])
async def test_server_sent_events_tell_the_same_story(mode: OnInterrupt) -> None:
    names: list[str] = []
    printed, final = "", ""
    async with two_agents(saying(TEXT), prefill=True) as agent:
        async for event in agent.stream_sse("A story", on_interrupt=mode):
            fields = dict(line.split(": ", 1) for line in event.strip().splitlines())
            data = json.loads(fields["data"])
            names.append(fields["event"])
            if fields["event"] == "reset":
                printed = ""
            printed += data.get("delta", "") if fields["event"] == "delta" else ""
            if fields["event"] == "final":
                final = data["content"]

    assert printed == final == TEXT
    assert ("reset" in names) == (mode == "restart")
    assert names.count("final") == 1
    assert names[-1] == "final"


async def test_whole_answers_are_asked_for_again_without_a_word() -> None:
    async with two_agents(saying(OTHER), prefill=True) as agent:
        response = await agent.generate("A story")

    assert response.content == OTHER
    assert "continue" not in roles_of(response)
