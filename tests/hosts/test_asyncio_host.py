"""An asyncio program and its agent: answers, streams, cancellation both ways, loops that come and go."""

from __future__ import annotations

import asyncio
import contextvars
import gc
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, cast

import pytest
import uvloop

import manus
from manus.hosts.border import RELAY_ITEMS
from manus.hosts.callers import loop_here
from manus.sim.behaviour import Script
from manus.sim.faults import Rejected
from manus.sim.wire import ChatAsked
from tests.face.rig import KEY, TEXT, Rig, config
from tests.hosts.rig import LONG, SILENT, STUCK, WAIT_S, options, runtimes, until

Run = Callable[[Coroutine[Any, Any, None]], None]


def in_asyncio(program: Coroutine[Any, Any, None]) -> None:
    asyncio.run(program)


def in_uvloop(program: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(program)


@pytest.fixture
def run() -> Run:
    """Run a coroutine in a loop of its own, and see that no runtime is left."""
    return partial(checked, in_asyncio)


@pytest.fixture(params=[in_asyncio, in_uvloop])
def run_both(request: pytest.FixtureRequest) -> Run:
    """Do so in either implementation of the loop."""
    return partial(checked, request.param)


def checked(run: Run, program: Coroutine[Any, Any, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(WAIT_S):
            await program

    run(bounded())
    assert runtimes() == []


def agent_over(rig: Rig, **tables: object) -> Awaitable[manus.HostedAgent]:
    return manus.create_agent(config(**tables), **options(rig))


async def soon(condition: Callable[[], bool]) -> None:
    await asyncio.to_thread(until, condition)


async def in_flight(agent: manus.HostedAgent, requests: int) -> None:
    """Wait until so many requests are under way; the test's own bound ends a wait in vain."""
    while (await agent.get_routing_metrics()).in_flight != requests:  # noqa: ASYNC110  # no event crosses the border
        await asyncio.sleep(0.002)


def test_it_answers_and_streams(run_both: Run) -> None:
    async def program() -> None:
        async with await agent_over(Rig()) as agent:
            assert (await agent.generate("Hello")).content == TEXT
            chunks = [chunk async for chunk in agent.stream("Hello")]
            assert "".join(chunk.delta for chunk in chunks) == TEXT
            assert chunks[-1].kind == "final"
            events = [event async for event in agent.stream_sse("Hello")]
            assert events[-1].startswith("id: ")
            assert "event: final" in events[-1]
            assert (await agent.get_usage_stats()).total.settled == 3

    run_both(program())


def test_many_calls_at_once_get_each_its_own_answer(run_both: Run) -> None:
    async def program() -> None:
        async with await agent_over(Rig(Script(words=5))) as agent:
            alone = {str(number): (await agent.generate(str(number))).content for number in range(8)}
            answers = await asyncio.gather(*(agent.generate(str(number % 8)) for number in range(64)))
        assert [answer.content for answer in answers] == [alone[str(number % 8)] for number in range(64)]
        assert len({answer.request_id for answer in answers}) == 64

    run_both(program())


def test_errors_cross_whole(run: Run) -> None:
    async def program() -> None:
        refusing = Rig(Script(fault=Rejected(status=401)))
        async with await agent_over(refusing) as agent:
            with pytest.raises(manus.AuthenticationError) as caught:
                await agent.generate("Hello", fallback_providers=[])
            assert caught.value.attempts[0].provider == "first"
            with pytest.raises(manus.AuthenticationError):
                await agent.stream("Hello", fallback_providers=[]).response()
            with pytest.raises(manus.InvalidRequestError, match="temperature"):
                await agent.generate("Hello", temperature=17)
            with pytest.raises(manus.InvalidRequestError, match="temperature"):
                agent.stream("Hello", temperature=17)
            with pytest.raises(TypeError, match="temprature"):
                agent.stream("Hello", temprature=1)  # type: ignore[call-arg]

    run(program())


def test_an_error_that_was_raised_keeps_nothing_alive(run: Run) -> None:
    """An error kept by whoever made it, holding its traceback, would be a cycle of frames for the collector to find."""

    async def program() -> None:
        async with await agent_over(Rig(Script(fault=Rejected(status=401)))) as agent:
            gc.collect()
            gc.disable()
            try:
                with pytest.raises(manus.AuthenticationError):
                    await agent.generate("Hello", fallback_providers=[])
                while any(type(each).__name__ == "_Call" for each in gc.get_objects()):  # noqa: ASYNC110
                    await asyncio.sleep(0.002)  # the runtime's thread may be about to let go of it
            finally:
                gc.enable()

    run(program())


def test_what_the_caller_changes_after_the_call_is_not_sent(run: Run) -> None:
    said: list[str] = []

    def hear(asked: ChatAsked) -> Script:
        said.append(repr(asked))
        return Script(text=TEXT)

    async def program() -> None:
        rig = Rig()
        rig.first.behave(hear)
        async with await agent_over(rig) as agent:
            messages = [{"role": "user", "content": "first"}]
            stream = agent.stream(messages)
            messages[0]["content"] = "changed"
            messages.append({"role": "user", "content": "more"})
            await stream.response()
            chat = agent.chat_stream(parts := [manus.Text(text="first")], "c")
            parts.append(manus.Text(text="more"))
            await chat.response()

    run(program())
    assert len(said) == 2
    assert all("first" in each and "changed" not in each and "more" not in each for each in said)


@pytest.mark.parametrize("script", [SILENT, STUCK], ids=["silent", "stuck"])
def test_a_cancelled_task_cancels_the_call_upstream_and_what_it_used_is_settled(run_both: Run, script: Script) -> None:
    async def program() -> None:
        rig = Rig(script)
        async with await agent_over(rig) as agent:
            task = asyncio.create_task(agent.generate("Hello"))
            await soon(lambda: rig.open_exchanges == 1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await soon(lambda: rig.open_exchanges == 0)
            total = (await agent.get_usage_stats()).total
            assert (total.requests, total.open) == (1, 0)
            rig.first.behave(Script(text=TEXT))
            assert (await agent.generate("Hello")).content == TEXT

    run_both(program())


def test_a_timeout_of_asyncio_cancels_too(run: Run) -> None:
    async def program() -> None:
        rig = Rig(SILENT)
        async with await agent_over(rig) as agent:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await agent.generate("Hello")
            await soon(lambda: rig.open_exchanges == 0)

    run(program())


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


MARK: contextvars.ContextVar[str] = contextvars.ContextVar("mark", default="nobody")


def test_a_call_runs_with_its_callers_context_variables(run: Run) -> None:
    async def mark() -> str:
        return MARK.get()

    async def program() -> None:
        async with await agent_over(Rig()) as agent:

            async def named(name: str) -> str:
                MARK.set(name)
                return await agent._call(mark)

            assert list(await asyncio.gather(named("one"), named("two"))) == ["one", "two"]
            assert MARK.get() == "nobody"

    run(program())


def test_events_and_the_live_count_tell_of_what_came_after_them(run: Run) -> None:
    async def program() -> None:
        async with await agent_over(Rig()) as agent:
            with agent.token_tracker() as tracker, agent.events() as events:
                response = await agent.generate("Hello")
                seen = []
                async for event in events:
                    seen.append(type(event).__name__)
                    if seen[-1] == "AttemptEnded":
                        events.close()
                assert "AttemptStarted" in seen or seen
                assert tracker.total_tokens == response.usage.total_tokens
            await agent.generate("Hello")
            assert tracker.total.attempts == 1

    run(program())


def test_a_switch_holds_for_requests_made_after_it(run: Run) -> None:
    async def program() -> None:
        async with await agent_over(Rig()) as agent:
            await agent.switch_provider("second")
            assert agent.get_available_providers() == ["second", "first"]
            assert (await agent.generate("Hello")).provider == "second"
            with pytest.raises(manus.InvalidRequestError, match="no provider of this name"):
                await agent.switch_provider("third")

    run(program())


def test_no_key_is_shown(run: Run) -> None:
    async def program() -> None:
        async with await agent_over(Rig()) as agent:
            stream = agent.stream("Hello")
            shown = f"{agent!r} {stream!r} {agent._runtime!r} {agent.events()!r}"
            assert shown.startswith("<HostedAgent first, second>")
            assert KEY not in shown
            await stream.response()

    run(program())
