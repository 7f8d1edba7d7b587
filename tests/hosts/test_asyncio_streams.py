"""Streams that an asyncio program leaves, drops, cancels, pauses or does not read."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable
from typing import cast

import pytest

import manus
from manus.hosts.border import RELAY_ITEMS
from tests.face.rig import Rig
from tests.hosts.loops import Run, agent_over, in_flight, soon
from tests.hosts.rig import LONG, STUCK


async def leave_the_block(agent: manus.HostedAgent) -> None:
    async with agent.stream("Hello") as stream:
        await anext(stream)


async def close_it(agent: manus.HostedAgent) -> None:
    stream = agent.stream("Hello")
    await anext(stream)
    await stream.aclose()
    with pytest.raises(StopAsyncIteration):
        await anext(stream)
    with pytest.raises(manus.RequestCancelledError):
        await stream.response()


async def break_out_of_the_loop(agent: manus.HostedAgent) -> None:
    async for _ in agent.stream("Hello"):
        break


async def drop_the_last_reference(agent: manus.HostedAgent) -> None:
    stream = agent.stream("Hello")
    await anext(stream)
    del stream


async def drop_it_inside_a_cycle(agent: manus.HostedAgent) -> None:
    ring: list[object] = [agent.stream("Hello")]
    ring.append(ring)


async def never_read_it(agent: manus.HostedAgent) -> None:
    agent.stream("Hello")


async def be_cancelled_while_reading(agent: manus.HostedAgent) -> None:
    async def read() -> None:
        async for _ in agent.stream("Hello"):
            reading.set()

    reading = asyncio.Event()
    task = asyncio.create_task(read())
    await reading.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def leave_the_events(agent: manus.HostedAgent) -> None:
    async with agent.stream_sse("Hello") as events:
        await anext(events)


ABANDONED = [
    leave_the_block,
    close_it,
    break_out_of_the_loop,
    drop_the_last_reference,
    drop_it_inside_a_cycle,
    never_read_it,
    be_cancelled_while_reading,
    leave_the_events,
]


@pytest.mark.parametrize("abandon", ABANDONED, ids=lambda way: way.__name__)
def test_an_abandoned_stream_cancels_the_call_upstream(
    run: Run, abandon: Callable[[manus.HostedAgent], Awaitable[None]]
) -> None:
    async def program() -> None:
        rig = Rig(STUCK)
        async with await agent_over(rig) as agent:
            await abandon(agent)
            gc.collect()
            await in_flight(agent, 0)
            await soon(lambda: rig.open_exchanges == 0)
            assert (await agent.get_usage_stats()).total.open == 0

    run(program())


def test_a_cancelled_stream_tells_what_came_and_what_it_cost(run_both: Run) -> None:
    async def program() -> None:
        async with await agent_over(Rig(STUCK)) as agent:
            stream = agent.stream("Hello")
            shown = (await anext(stream)).delta + (await anext(stream)).delta
            cut = await stream.cancel()
            assert cut.finish_reason == "cancelled"
            assert cut.content == shown
            assert cut.usage.output_tokens > 0
            assert await stream.response() == cut
            assert await stream.cancel() == cut
            assert [chunk async for chunk in stream] == []

    run_both(program())


def test_a_reader_is_let_go_when_another_task_cancels_its_stream(run: Run) -> None:
    async def program() -> None:
        async with await agent_over(Rig(STUCK)) as agent:
            stream = agent.stream("Hello")
            reader = asyncio.create_task(stream.response())
            first = asyncio.create_task(asyncio.sleep(0))
            await first
            cut = await stream.cancel()
            assert cut.finish_reason == "cancelled"
            outcome = (await asyncio.gather(reader, return_exceptions=True))[0]
            assert outcome == cut or isinstance(outcome, manus.RequestCancelledError)

    run(program())


def test_a_whole_stream_that_is_closed_unread_gives_no_response(run: Run) -> None:
    """What is told must not hang on whether the answer had come by then, which nobody outside can see."""

    async def program() -> None:
        rig = Rig()
        async with await agent_over(rig) as agent:
            unread, read = agent.stream("Hello"), agent.stream("Hello")
            whole = await read.response()
            await soon(lambda: "ended" in repr(unread))
            unread.close()
            read.close()
            with pytest.raises(manus.RequestCancelledError):
                await unread.response()
            assert await read.response() == whole

    run(program())


def test_an_unread_stream_holds_its_provider_back_and_nobody_else(run: Run) -> None:
    async def program() -> None:
        rig = Rig(LONG)
        async with await agent_over(rig, limits={"stream_buffer": 4}) as agent:
            slow = agent.stream("Hello", provider="first")
            await anext(slow)
            quick = await agent.generate("Hello", provider="second")
            assert quick.provider == "second"
            before, held = -1, 0
            while held != before:  # until nothing more comes
                before = held
                for _ in range(20):
                    await agent.get_routing_metrics()
                held = len(cast(manus.HostedStream, slow)._pump.relay)
            assert RELAY_ITEMS // 2 <= held < 4 * RELAY_ITEMS
            await in_flight(agent, 1)
            whole = await slow.response()
            assert len(whole.content.split()) == 5_000

    run(program())


def test_a_pause_is_no_stall(run: Run) -> None:
    async def program() -> None:
        tables = {"timeouts": {"consumer_stall_s": 0.05}, "limits": {"stream_buffer": 2}}
        async with await agent_over(Rig(LONG), **tables) as agent:
            paused, stalled = agent.stream("Hello"), agent.stream("Hello")
            paused.pause()
            while (await agent.get_routing_metrics()).unfinished == 0:  # noqa: ASYNC110  # no event crosses the border
                await asyncio.sleep(0.002)
            with pytest.raises(manus.StreamingError):
                await stalled.response()
            # Read while it is still exempt: a loaded machine may be slower than the limit of this test.
            assert len((await paused.response()).content.split()) == 5_000
            paused.resume()

    run(program())
