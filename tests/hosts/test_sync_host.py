"""Programs without a loop and their agent: threads, scripts, notebooks."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import trio

import manus
from manus.sim.behaviour import Script
from manus.sim.faults import Rejected
from tests.face.rig import TEXT, Rig, config
from tests.hosts.rig import SILENT, STUCK, opened, options, runtimes, until


def test_it_answers_streams_and_chats() -> None:
    with opened(Rig()) as agent:
        assert agent.generate("Hello").content == TEXT
        chunks = list(agent.stream("Hello"))
        assert "".join(chunk.delta for chunk in chunks) == TEXT
        assert chunks[-1].kind == "final"
        assert "event: final" in list(agent.stream_sse("Hello"))[-1]
        assert agent.chat("Hello", "talk").conversation_id == "talk"
        assert agent.chat_stream("Hello", "talk").response().content == TEXT
        assert len(agent.get_conversation("talk").exchanges) == 2
        assert agent.delete_conversation("talk")
        assert agent.get_usage_stats().total.settled == 5
        assert agent.health().status == "ok"
        assert agent.request_status("none").state == "unknown"
        assert repr(agent) == "<SyncAgent first, second>"


def test_any_number_of_threads_use_one_agent_at_once() -> None:
    with opened(Rig(Script(words=5))) as agent:
        alone = {str(number): agent.generate(str(number)).content for number in range(8)}

        def play(thread: int) -> list[bool]:
            told = []
            for turn in range(6):
                prompt = str((thread + turn) % 8)
                stream = agent.stream(prompt)
                streamed = "".join(chunk.delta for chunk in stream)
                told.append(streamed == alone[prompt] == agent.generate(prompt).content)
            return told

        with ThreadPoolExecutor(32) as pool:
            assert all(all(told) for told in pool.map(play, range(32)))
        total = agent.get_usage_stats().total
        assert (total.settled, total.open) == (8 + 32 * 6 * 2, 0)


def test_one_stream_may_be_cancelled_by_another_thread_than_its_reader() -> None:
    with opened(Rig(STUCK)) as agent:
        stream = agent.stream("Hello")
        read: list[str] = []

        def reader() -> None:
            read.extend(chunk.delta for chunk in stream)

        thread = threading.Thread(target=reader)
        thread.start()
        until(lambda: len(read) == 2)
        cut = stream.cancel()
        thread.join()
        assert cut.finish_reason == "cancelled"
        assert cut.content == "".join(read)


def test_a_thread_that_waits_is_told_when_the_agent_ends() -> None:
    rig = Rig(SILENT)
    agent = manus.open_sync(config(), **options(rig))
    outcomes: list[object] = []

    def ask() -> None:
        try:
            outcomes.append(agent.generate("Hello"))
        except manus.LLMError as error:
            outcomes.append(error.kind)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    until(lambda: rig.open_exchanges == 3)
    agent.shutdown(drain_s=0.0)
    for thread in threads:
        thread.join()
    assert outcomes == ["stopped"] * 3
    with pytest.raises(manus.RequestCancelledError, match="Open another one"):
        agent.generate("Hello")
    agent.shutdown()


def test_it_works_where_a_loop_is_running_as_in_a_notebook() -> None:
    async def cell() -> str:
        with opened(Rig()) as agent:
            for _ in agent.stream("Hello"):
                pass
            return agent.generate("Hello").content

    assert asyncio.run(cell()) == TEXT
    assert trio.run(cell) == TEXT


@pytest.mark.parametrize(
    "abandon",
    [
        lambda agent: next(agent.stream("Hello")),
        lambda agent: agent.stream("Hello"),
        lambda agent: agent.stream("Hello").close(),
        lambda agent: agent.chat_stream("Hello").__enter__().__exit__(None, None, None),
        lambda agent: next(agent.stream_sse("Hello")),
    ],
    ids=["half read", "unread", "closed", "left", "events"],
)
def test_an_abandoned_stream_cancels_the_call_upstream(abandon: Callable[[manus.SyncAgent], object]) -> None:
    with opened(Rig(STUCK)) as agent:
        abandon(agent)
        gc.collect()
        until(lambda: agent.get_routing_metrics().in_flight == 0)
        assert agent.get_usage_stats().total.open == 0


def test_leaving_the_block_with_an_error_ends_what_is_in_flight_at_once() -> None:
    rig = Rig(SILENT)
    agent = manus.open_sync(config(), **options(rig))
    stream = agent.stream("Hello")
    until(lambda: rig.open_exchanges == 1)
    agent.__exit__(LookupError, LookupError(), None)
    assert runtimes() == []
    with pytest.raises(manus.RequestCancelledError):
        stream.response()


def test_an_agent_that_cannot_be_opened_leaves_no_thread() -> None:
    for _ in range(3):
        with pytest.raises(manus.ConfigurationError):
            manus.open_sync({"providers": {"first": {"type": "nobody"}}})
        assert runtimes() == []


def test_the_runtime_does_not_wait_for_itself() -> None:
    """A sync agent called in its own runtime's thread would wait for ever: say so instead."""
    with opened(Rig()) as agent:

        async def inside() -> None:
            agent.generate("Hello")

        with pytest.raises(RuntimeError, match="the thread of its own runtime"):
            run_inside(agent, inside)
        with pytest.raises(RuntimeError, match="cannot wait in its own thread"):
            run_inside(agent, agent._hosted.shutdown)


def run_inside(agent: manus.SyncAgent, function: Callable[[], object]) -> None:
    """Run an async function in the runtime's loop, as a user's own token source would."""
    from manus.hosts.sync_stream import finish

    finish(agent._hosted._call(function))  # type: ignore[arg-type]


def test_a_loop_that_crashes_tells_everybody() -> None:
    """Whatever waits outside is told, even where nothing inside can run to its end any more."""
    rig = Rig(SILENT)
    agent = manus.open_sync(config(), **options(rig))
    stream, events = agent.stream("Hello"), agent.events()
    outcomes: list[object] = []

    def ask() -> None:
        try:
            agent.generate("Hello")
        except manus.LLMError as error:
            outcomes.append(error.kind)

    thread = threading.Thread(target=ask)
    thread.start()
    until(lambda: rig.open_exchanges == 2)
    agent._hosted._border.post(divmod, 1, 0)
    thread.join()
    assert outcomes == ["stopped"]
    with pytest.raises(manus.RequestCancelledError):
        stream.response()
    for _ in events:
        pass
    with pytest.raises(trio.TrioInternalError):
        agent.shutdown()
    assert runtimes() == []


@pytest.mark.long
def test_a_runtime_whose_actors_are_given_up_tells_everybody() -> None:
    """The actors are given up after crash upon crash: callers get an error, and the end says what happened."""
    rig = Rig(SILENT)
    agent = manus.open_sync(config(), **options(rig))
    stream = agent.stream("Hello")
    until(lambda: rig.open_exchanges == 1)

    def crash_for_good() -> None:
        inner = agent._hosted._agent
        for actor in ("accounting", "router", "conversations"):
            with contextlib.suppress(LookupError):  # it is being restarted
                inner._tree.crash(actor, RuntimeError("injected"))

    def gone() -> bool:
        agent._hosted._border.post_quietly(crash_for_good)
        return agent._hosted._runtime.ended

    until(gone)
    with pytest.raises(manus.LLMError):
        stream.response()
    with pytest.raises(manus.RequestCancelledError):
        agent.generate("Hello")
    with pytest.raises(manus.InternalError, match="could not be kept running"):
        agent.shutdown()
    assert runtimes() == []


def test_errors_have_what_is_known() -> None:
    with opened(Rig(Script(fault=Rejected(status=429, retry_after_s=3.0)))) as agent:
        with pytest.raises(manus.RateLimitError) as caught:
            agent.generate("Hello", fallback_providers=[], timeout_s=1.0)
        assert caught.value.provider == "first"
        assert caught.value.attempts


def test_a_subscription_tells_of_what_comes_after_it_and_ends_with_its_block() -> None:
    with opened(Rig()) as agent:
        with agent.events() as events:
            agent.generate("Hello")
            seen = []
            for event in events:
                seen.append(type(event).__name__)
                if seen[-1] == "AttemptEnded":
                    events.close()
        assert "AttemptEnded" in seen


def test_a_reader_of_events_that_falls_behind_is_told_how_many_it_missed() -> None:
    with opened(Rig()) as agent:
        with agent.events(capacity=2) as events:
            for _ in range(20):
                agent.generate("Hello")
            seen = []
            for event in events:
                seen.append(type(event).__name__)
                if seen[-1] == "Lagged":
                    break
        assert len(seen) <= 6
