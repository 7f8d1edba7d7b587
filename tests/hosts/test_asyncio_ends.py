"""How agents of asyncio programs end: with their loop, by a shutdown, cancelled, dropped, or never opened."""

from __future__ import annotations

import asyncio
import gc

import pytest

import manus
from manus.hosts.callers import loop_here
from manus.sim.behaviour import Script
from tests.face.rig import TEXT, Rig
from tests.hosts.loops import Run, agent_over, soon
from tests.hosts.rig import SILENT, runtimes, until


def test_an_agent_outlives_the_loop_that_made_it(run: Run) -> None:
    """Loops come and go: the agent belongs to the process."""
    kept: list[manus.HostedAgent] = []
    rig = Rig()

    async def make() -> None:
        kept.append(await agent_over(rig))
        assert (await kept[0].generate("Hello")).content == TEXT

    async def use() -> None:
        stream = kept[0].stream("Hello")
        assert (await stream.response()).content == TEXT

    async def end() -> None:
        await kept[0].shutdown()

    asyncio.run(make())
    asyncio.run(use())
    run(end())


def test_a_loop_that_ends_with_a_call_in_flight_cancels_it(run_both: Run) -> None:
    kept: list[manus.HostedAgent] = []
    rig = Rig(SILENT)

    async def make() -> None:
        agent = await agent_over(rig)
        kept.append(agent)
        kept_task = asyncio.create_task(agent.generate("Hello"))
        await soon(lambda: rig.open_exchanges == 1)
        assert not kept_task.done()

    async def end() -> None:
        await soon(lambda: rig.open_exchanges == 0)
        assert (await kept[0].get_usage_stats()).total.open == 0
        await kept[0].shutdown()

    asyncio.run(make())
    run_both(end())


def test_a_loop_that_is_closed_under_a_waiting_call_does_no_harm(run: Run) -> None:
    rig = Rig(SILENT)
    loop = asyncio.new_event_loop()
    agent = loop.run_until_complete(agent_over(rig))
    task = loop.create_task(agent.generate("Hello"))
    loop.run_until_complete(asyncio.sleep(0))
    until(lambda: rig.open_exchanges == 1)
    loop.close()  # no task is cancelled: the call has nobody left to tell, and its end must not break the runtime

    async def end() -> None:
        await agent.shutdown(drain_s=0.0)
        with pytest.raises(manus.RequestCancelledError):
            await agent.generate("Hello")

    run(end())
    task._log_destroy_pending = False  # type: ignore[attr-defined]  # known, and what the test is about


def test_shutting_down_gives_calls_in_flight_a_definite_error(run_both: Run) -> None:
    async def program() -> None:
        rig = Rig(SILENT)
        agent = await agent_over(rig)
        task = asyncio.create_task(agent.generate("Hello"))
        stream, events = agent.stream("Hello"), agent.events()
        await soon(lambda: rig.open_exchanges == 2)
        await agent.shutdown(drain_s=0.0)
        for waiting in (task, stream.response(), stream.cancel()):
            with pytest.raises(manus.RequestCancelledError):
                await waiting
        async for _ in events:
            pass
        await stream.aclose()

    run_both(program())


def test_shutting_down_lets_calls_in_flight_finish(run: Run) -> None:
    async def program() -> None:
        rig = Rig(Script(text=TEXT, latency_s=0.1))
        agent = await agent_over(rig)
        task = asyncio.create_task(agent.generate("Hello"))
        await soon(lambda: rig.open_exchanges == 1)
        ending = asyncio.create_task(agent.shutdown())
        await asyncio.sleep(0)
        with pytest.raises(manus.RequestCancelledError):
            await agent.generate("Hello")
        with pytest.raises(manus.RequestCancelledError):
            agent.stream("Hello")
        assert (await task).content == TEXT
        await ending

    run(program())


def test_calls_after_the_end_all_get_one_clear_error(run: Run) -> None:
    async def program() -> None:
        agent = await agent_over(Rig())
        await agent.shutdown()
        await agent.shutdown()
        for call in (
            agent.generate("Hello"),
            agent.chat("Hello"),
            agent.embed("Hello"),
            agent.get_usage_stats(),
            agent.get_provider_status(),
            agent.switch_provider("first"),
            agent.health(),
            agent.reload(),
        ):
            with pytest.raises(manus.RequestCancelledError, match=r"shut down\. Open another one") as caught:
                await call
            assert caught.value.kind == "stopped"
        for begin in (agent.stream, agent.chat_stream):
            with pytest.raises(manus.RequestCancelledError):
                begin("Hello")
        with pytest.raises(manus.RequestCancelledError):
            agent.events()
        assert agent.get_available_providers() == ["first", "second"]

    run(program())


def test_a_cancelled_shutdown_still_shuts_down(run: Run) -> None:
    async def program() -> None:
        rig = Rig(SILENT)
        agent = await agent_over(rig)
        stream = agent.stream("Hello")
        await soon(lambda: rig.open_exchanges == 1)
        ending = asyncio.create_task(agent.shutdown())
        await asyncio.sleep(0)
        ending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await ending
        stream.close()
        await soon(lambda: runtimes() == [])

    run(program())


def test_a_cancelled_opening_opens_nothing(run: Run) -> None:
    async def program() -> None:
        opening = asyncio.ensure_future(agent_over(Rig()))
        await asyncio.sleep(0)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        await soon(lambda: runtimes() == [])

    run(program())


def test_a_bad_configuration_is_told_as_in_every_other_host(run: Run) -> None:
    async def program() -> None:
        with pytest.raises(manus.ConfigurationError, match="prioritty"):
            await manus.create_agent({"providers": {"first": {"type": "openai", "prioritty": 1}}})
        with pytest.raises(manus.ConfigurationError, match=r"none\.toml"):
            await manus.create_agent(config_path="none.toml")

    run(program())


def test_an_agent_that_is_dropped_is_complained_of_and_ended(run: Run) -> None:
    async def program() -> None:
        agent = await agent_over(Rig())
        await agent.generate("Hello")
        with pytest.warns(ResourceWarning, match="without `shutdown"):
            del agent
        await soon(lambda: runtimes() == [])

    run(program())


def test_what_an_agent_has_handed_out_keeps_it_alive(run: Run) -> None:
    async def program() -> None:
        agent = await agent_over(Rig())
        runtime = agent._runtime
        events, tracker = agent.events(), agent.token_tracker()  # before there is anything to tell of
        stream = agent.stream("Hello")
        del agent
        gc.collect()
        assert (await stream.response()).content == TEXT
        assert type(await anext(events)) is not object
        assert tracker.total.attempts <= 1
        runtime.stop()
        await runtime.wait_ended(loop_here)

    run(program())
