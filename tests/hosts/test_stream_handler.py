"""`StreamHandler`: callbacks, pausing, cancelling, and which agent it uses; in asyncio and in Trio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

import manus
from manus.sim.behaviour import Script
from manus.sim.faults import Cut, Rejected
from tests.face.rig import TEXT, Rig, config
from tests.hosts.rig import LONG, STUCK, options

Program = Callable[[Rig], Coroutine[Any, Any, None]]


@asynccontextmanager
async def hosted(rig: Rig) -> AsyncIterator[manus.LLMAgent]:
    async with await manus.create_agent(config(limits={"stream_buffer": 4}), **options(rig)) as agent:
        yield agent


@asynccontextmanager
async def in_loop(rig: Rig) -> AsyncIterator[manus.LLMAgent]:
    async with manus.open_agent(config(limits={"stream_buffer": 4}), **options(rig)) as agent:
        yield agent


class World:
    """A loop with an agent in it. Any: of coroutines that give and take nothing."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.opened = in_loop if name == "trio" else hosted

    def run(self, program: Callable[[manus.LLMAgent], Awaitable[None]], rig: Rig) -> None:
        async def whole() -> None:
            async with self.opened(rig) as agent:
                await program(agent)

        if self.name == "asyncio":
            asyncio.run(asyncio.wait_for(whole(), 30.0))
        else:
            trio.run(self._bounded, whole)

    async def _bounded(self, whole: Callable[[], Awaitable[None]]) -> None:
        with trio.fail_after(30.0):
            await whole()

    async def both(self, first: Awaitable[Any], second: Awaitable[Any]) -> list[Any]:
        """Run two at once, and give what each gave or raised."""
        if self.name == "asyncio":
            return list(await asyncio.gather(first, second, return_exceptions=True))
        told: dict[int, Any] = {}

        async def play(place: int, work: Awaitable[Any]) -> None:
            try:
                told[place] = await work
            except manus.LLMError as error:
                told[place] = error

        async with trio.open_nursery(strict_exception_groups=True) as nursery:
            nursery.start_soon(play, 0, first)
            nursery.start_soon(play, 1, second)
        return [told[0], told[1]]

    async def a_while(self) -> None:
        if self.name == "asyncio":
            await asyncio.sleep(0.02)
        else:
            await trio.sleep(0.02)


@pytest.fixture(params=["asyncio", "trio", "trio, hosted"])
def world(request: pytest.FixtureRequest) -> World:
    return World(request.param)


def test_it_calls_back_with_chunks_and_with_the_whole(world: World) -> None:
    async def program(agent: manus.LLMAgent) -> None:
        chunks: list[str] = []
        wholes: list[manus.LLMResponse] = []

        async def note(response: manus.LLMResponse) -> None:
            wholes.append(response)

        handler = manus.StreamHandler(agent, on_chunk=lambda chunk: chunks.append(chunk.delta), on_complete=note)
        context = await handler.create_stream("Hello", "second")
        assert (context.state, context.provider) == ("created", "second")
        response = await handler.process_stream(None, None, context)
        assert "".join(chunks) == response.content == context.content == "The second speaks."
        assert wholes == [response]
        assert (context.state, context.response, context.chunks) == ("completed", response, len(chunks))
        with pytest.raises(manus.InvalidRequestError, match="create another"):
            await handler.process_stream(None, None, context)
        assert await context.cancel() == response

    world.run(program, Rig())


@pytest.mark.parametrize(
    "request_",
    [
        {"prompt": "Hello", "provider": "second", "temperature": 0.5},
        {"messages": [{"role": "user", "content": "Hello"}], "provider": "second"},
    ],
)
def test_a_request_may_bring_its_options(world: World, request_: dict[str, Any]) -> None:
    async def program(agent: manus.LLMAgent) -> None:
        handler = manus.StreamHandler(agent)
        context = await handler.create_stream(request_)
        assert (await handler.process_stream(None, request_, context)).provider == "second"
        context = await handler.create_stream(request_, "first")
        assert (await handler.process_stream("first", None, context)).provider == "first"

    world.run(program, Rig())


async def test_a_request_that_is_none_is_refused_before_anything_is_sent() -> None:
    handler = manus.StreamHandler()
    with pytest.raises(manus.InvalidRequestError, match="one of prompt and messages"):
        await handler.create_stream({"prompt": "Hello", "messages": []})
    with pytest.raises(manus.ConfigurationError, match="no agent is open here"):
        await handler.process_stream(None, None, await handler.create_stream("Hello"))


def test_without_an_agent_it_uses_the_one_that_is_open(world: World) -> None:
    async def program(agent: manus.LLMAgent) -> None:
        handler = manus.StreamHandler()
        context = await handler.create_stream("Hello")
        assert (await handler.process_stream(None, None, context)).content == TEXT
        async with world.opened(Rig()):
            with pytest.raises(manus.ConfigurationError, match="2 agents are open"):
                await handler.process_stream(None, None, await handler.create_stream("Hello"))
        context = await handler.create_stream("Hello")
        assert (await handler.process_stream(None, None, context)).content == TEXT

    world.run(program, Rig())


def test_a_failure_is_told_and_raised(world: World) -> None:
    async def program(agent: manus.LLMAgent) -> None:
        errors: list[Exception] = []
        handler = manus.StreamHandler(agent, on_error=errors.append)
        context = await handler.create_stream({"prompt": "Hello", "fallback_providers": []})
        with pytest.raises(manus.AuthenticationError) as caught:
            await handler.process_stream(None, None, context)
        assert errors == [caught.value] == [context.error]
        assert context.state == "failed"

    world.run(program, Rig(Script(fault=Rejected(status=401))))


def test_a_callback_that_raises_ends_the_stream_upstream(world: World) -> None:
    async def program(agent: manus.LLMAgent) -> None:
        def refuse(chunk: manus.StreamChunk) -> None:
            raise LookupError(chunk.delta)

        handler = manus.StreamHandler(agent, on_chunk=refuse)
        context = await handler.create_stream("Hello")
        with pytest.raises(LookupError):
            await handler.process_stream(None, None, context)
        assert context.state == "failed"
        while (await agent.get_routing_metrics()).in_flight:
            await world.a_while()
        assert (await agent.get_usage_stats()).total.open == 0

    world.run(program, Rig(STUCK))


def test_a_cancelled_stream_gives_both_sides_what_had_come(world: World) -> None:
    async def program(agent: manus.LLMAgent) -> None:
        handler = manus.StreamHandler(agent)
        context = await handler.create_stream("Hello")

        async def cancel() -> object:
            while context.chunks < 2:
                await world.a_while()
            return await context.cancel()

        processed, cancelled = await world.both(handler.process_stream(None, None, context), cancel())
        assert processed == cancelled == context.response
        assert processed.finish_reason == "cancelled"
        assert processed.content == context.content != ""
        assert context.state == "cancelled"

    world.run(program, Rig(STUCK))


def test_a_stream_that_is_cancelled_before_it_begins_is_never_sent(world: World) -> None:
    async def program(agent: manus.LLMAgent) -> None:
        handler = manus.StreamHandler(agent)
        context = await handler.create_stream("Hello")
        assert await context.cancel() is None
        with pytest.raises(manus.InvalidRequestError):
            await handler.process_stream(None, None, context)
        assert (await agent.get_usage_stats()).total.requests == 0

    world.run(program, Rig())


def test_a_stream_that_fails_while_it_is_cancelled_ends_for_both(world: World) -> None:
    async def program(agent: manus.LLMAgent) -> None:
        handler = manus.StreamHandler(agent)
        context = await handler.create_stream({"prompt": "Hello", "fallback_providers": []})
        context.pause()

        async def cancel_late() -> object:
            while (await agent.get_routing_metrics()).unfinished == 0:
                await world.a_while()
            return await context.cancel()

        outcomes = await world.both(handler.process_stream(None, None, context), cancel_late())
        assert all(isinstance(each, manus.LLMError) for each in outcomes), outcomes
        assert context.state == "failed"
        with pytest.raises(manus.StreamingError):
            await context.cancel()

    world.run(program, Rig(Script(text=TEXT, fault=Cut(where="body"))))


def test_a_paused_stream_waits_however_long_and_goes_on(world: World) -> None:
    async def program(agent: manus.LLMAgent) -> None:
        handler = manus.StreamHandler(agent)
        context = await handler.create_stream("Hello")
        context.pause()

        async def resume() -> int:
            while context.state != "paused":
                await world.a_while()
            for _ in range(3):
                await world.a_while()
            seen = context.chunks
            context.resume()
            return seen

        response, seen = await world.both(handler.process_stream(None, None, context), resume())
        assert seen == 0
        assert context.content == response.content
        assert len(response.content.split()) == 5_000

    world.run(program, Rig(LONG))


def test_a_stream_that_starts_over_keeps_only_the_new_answer(world: World) -> None:
    async def program(agent: manus.LLMAgent) -> None:
        handler = manus.StreamHandler(agent)
        context = await handler.create_stream({"prompt": "Hello", "on_interrupt": "restart"})
        response = await handler.process_stream(None, None, context)
        assert context.content == response.content

    world.run(program, Rig(Script(text=TEXT, fault=Cut(where="body"))))
