"""An asyncio program and its agent: answers, errors, cancellation, context, and what it may ask."""

from __future__ import annotations

import asyncio
import contextvars
import gc

import pytest

import manus
from manus.hosts import border
from manus.sim.behaviour import Script
from manus.sim.faults import Rejected
from manus.sim.wire import ChatAsked
from tests.face.rig import KEY, TEXT, Rig
from tests.hosts.loops import Run, agent_over, soon
from tests.hosts.rig import SILENT, STUCK


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
                while any(type(each) is border._Call for each in gc.get_objects()):  # noqa: ASYNC110
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
