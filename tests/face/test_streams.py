"""`stream`: chunks in order, one honest end, and nothing left upstream when the caller is gone."""

from __future__ import annotations

import gc
import json
from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing

import manus
from manus.sim.behaviour import Script, ScriptedCall
from manus.sim.faults import Cut, ErrorInside, Malformed, NoMarker, Rejected, Slow, Stall
from manus.streams import LLMStream
from manus.trio_agent import TrioAgent
from tests.face.rig import TEXT, Rig, open_rig


async def read(stream: LLMStream, chunks: list[manus.StreamChunk]) -> None:
    """Read to the end, and keep what came also where that is no good end."""
    async for chunk in stream:
        chunks.append(chunk)


PACED = Script(text=TEXT, gap_s=1.0)


async def test_deltas_make_the_text_and_the_last_chunk_has_the_facts(autojump_clock: trio.testing.MockClock) -> None:
    async with open_rig(Rig()) as agent:
        chunks = [chunk async for chunk in agent.stream("Hello")]
    assert "".join(chunk.delta for chunk in chunks) == TEXT
    assert {chunk.kind for chunk in chunks[:-1]} == {"delta"}
    final = chunks[-1]
    assert (final.kind, final.finish_reason, final.provider, final.model) == ("final", "stop", "first", "big")
    assert final.usage is not None
    assert final.usage.source == "reported"


async def test_the_response_of_a_stream_is_that_of_generate(autojump_clock: trio.testing.MockClock) -> None:
    async with open_rig(Rig()) as agent:
        stream = agent.stream("Hello")
        streamed = await stream.response()
        whole = await agent.generate("Hello")
        assert [chunk async for chunk in stream] == []
        assert await stream.response() is streamed
    assert (streamed.content, streamed.usage, streamed.finish_reason) == (
        whole.content,
        whole.usage,
        whole.finish_reason,
    )


async def test_a_failure_before_the_first_word_is_failed_over_in_silence(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_rig(Rig(Script(text=TEXT, fault=Cut(where="headers")))) as agent:
        chunks = [chunk async for chunk in agent.stream("Hello")]
    assert "".join(chunk.delta for chunk in chunks) == "The second speaks."
    assert "reset" not in {chunk.kind for chunk in chunks}


@pytest.mark.parametrize(
    "fault",
    [Cut(where="body"), Cut(where="utf8"), Malformed(), ErrorInside(after_chunks=2), NoMarker(finish=False), Stall()],
    ids=lambda fault: type(fault).__name__,
)
async def test_an_answer_that_breaks_off_raises_with_what_had_come(
    autojump_clock: trio.testing.MockClock, fault: Cut
) -> None:
    """Never a success, never in silence: the chunks that were shown, then an error that has them too."""
    chunks: list[manus.StreamChunk] = []
    async with open_rig(Rig(Script(text=TEXT, fault=fault))) as agent:
        stream = agent.stream("Hello")
        with pytest.raises(manus.LLMError) as caught:
            await read(stream, chunks)
        assert [chunk async for chunk in stream] == []
        with pytest.raises(manus.LLMError):
            await stream.response()
    assert {chunk.kind for chunk in chunks} == {"delta"}
    shown = "".join(chunk.delta for chunk in chunks)
    assert TEXT.startswith(shown) or isinstance(fault, Malformed)
    error = caught.value
    assert error.partial is not None
    assert "".join(getattr(part, "text", "") for part in error.partial.parts) == shown
    assert error.partial.finish.reason == "incomplete"
    assert error.attempts[-1].booking in ("settled", "in_doubt")


async def test_a_router_that_dies_ends_its_streams_with_what_had_come(
    autojump_clock: trio.testing.MockClock,
) -> None:
    chunks: list[manus.StreamChunk] = []
    rig = Rig(PACED)
    async with open_rig(rig) as agent:
        stream = agent.stream("Hello")
        chunks.append(await anext(stream))
        agent._tree.crash("router", RuntimeError("injected"))
        with pytest.raises(manus.InternalError) as caught:
            await read(stream, chunks)
        await trio.testing.wait_all_tasks_blocked()
        assert rig.open_exchanges == 0
        assert (await agent.get_usage_stats()).total.open == 0
        assert (await agent.generate("Hello")).content == TEXT, "the router is back for the next request"
    partial = caught.value.partial
    assert partial is not None
    assert "".join(getattr(part, "text", "") for part in partial.parts) == "".join(chunk.delta for chunk in chunks)


async def test_restart_tells_the_caller_to_forget_and_streams_anew(autojump_clock: trio.testing.MockClock) -> None:
    text = ""
    resets = []
    async with open_rig(Rig(Script(text=TEXT, fault=Cut(where="body")))) as agent:
        stream = agent.stream("Hello", on_interrupt="restart")
        async for chunk in stream:
            if chunk.kind == "reset":
                assert text
                resets.append((chunk.text, chunk.provider))
                text = ""
            text += chunk.delta
        response = await stream.response()
    assert text == response.content
    assert resets
    assert response.provider == resets[-1][1]


async def test_tool_calls_come_in_pieces_that_fit_together(autojump_clock: trio.testing.MockClock) -> None:
    call = ScriptedCall(name="weather", arguments='{"city":"Oslo"}')
    async with open_rig(Rig(Script(text="Let me see.", tool_calls=(call,)))) as agent:
        pieces = [
            chunk.tool_call
            async for chunk in agent.stream("Oslo?", tools=[{"name": "weather"}])
            if chunk.tool_call is not None
        ]
    assert pieces[0].name == "weather"
    assert pieces[0].id
    assert json.loads("".join(piece.arguments for piece in pieces)) == {"city": "Oslo"}


async def leave_the_block(agent: TrioAgent) -> None:
    async with agent.stream("Hello") as stream:
        await anext(stream)


async def close_it(agent: TrioAgent) -> None:
    stream = agent.stream("Hello")
    await anext(stream)
    await stream.aclose()


async def break_out_of_the_loop(agent: TrioAgent) -> None:
    async for _ in agent.stream("Hello"):
        break


async def drop_the_last_reference(agent: TrioAgent) -> None:
    stream = agent.stream("Hello")
    await anext(stream)
    del stream


async def drop_it_inside_a_cycle(agent: TrioAgent) -> None:
    cycle: list[object] = [agent.stream("Hello")]
    await trio.sleep(1.5)
    cycle.append(cycle)
    del cycle
    gc.collect()


async def never_read_it(agent: TrioAgent) -> None:
    agent.stream("Hello")
    await trio.lowlevel.checkpoint()


async def be_cancelled_while_reading(agent: TrioAgent) -> None:
    with trio.move_on_after(1.5):
        async for _ in agent.stream("Hello"):
            pass


async def raise_while_reading(agent: TrioAgent) -> None:
    async def fail_at_the_first() -> None:
        async for _ in agent.stream("Hello"):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as caught:
        await fail_at_the_first()
    del caught  # its traceback holds the frame, and the frame the stream


async def leave_the_events(agent: TrioAgent) -> None:
    async with agent.stream_sse("Hello") as events:
        await anext(events)


@pytest.mark.parametrize(
    "abandon",
    [
        leave_the_block,
        close_it,
        break_out_of_the_loop,
        drop_the_last_reference,
        drop_it_inside_a_cycle,
        never_read_it,
        be_cancelled_while_reading,
        raise_while_reading,
        leave_the_events,
    ],
)
async def test_however_a_stream_is_abandoned_upstream_is_cancelled_at_once_and_the_use_is_booked(
    autojump_clock: trio.testing.MockClock, abandon: Callable[[TrioAgent], Awaitable[None]]
) -> None:
    rig = Rig(PACED)
    async with open_rig(rig) as agent:
        await abandon(agent)
        left_at = trio.current_time()
        await trio.testing.wait_all_tasks_blocked()
        assert trio.current_time() == left_at, "no time may pass before the work upstream is over"
        assert rig.open_exchanges == 0
        total = (await agent.get_usage_stats()).total
    assert total.open == 0
    bill = rig.first.bill.totals()
    spent = total.cost_nano_usd + total.in_doubt_cost_nano_usd
    assert spent >= bill.input_tokens * 1000 + bill.output_tokens * 2000
    assert total.requests <= 1


async def test_cancel_gives_what_had_come_and_what_it_cost(autojump_clock: trio.testing.MockClock) -> None:
    rig = Rig(PACED)
    async with open_rig(rig) as agent:
        stream = agent.stream("Hello")
        first = await anext(stream)
        response = await stream.cancel()
        assert await stream.cancel() == response
        assert [chunk async for chunk in stream] == []
        await trio.testing.wait_all_tasks_blocked()
        assert rig.open_exchanges == 0
    assert response.finish_reason == "cancelled"
    assert response.content.startswith(first.delta)
    assert response.usage.output_tokens > 0
    assert response.usage.source == "estimated"
    assert response.provider == "first"


async def test_cancel_before_anything_was_sent_costs_nothing(autojump_clock: trio.testing.MockClock) -> None:
    async with open_rig(Rig()) as agent:
        response = await agent.stream("Hello").cancel()
        assert (await agent.get_usage_stats()).total.open == 0
    assert response.content == ""
    assert response.finish_reason == "cancelled"


async def test_cancel_after_the_end_gives_the_whole_response(autojump_clock: trio.testing.MockClock) -> None:
    async with open_rig(Rig()) as agent:
        stream = agent.stream("Hello")
        whole = await stream.response()
        assert await stream.cancel() is whole


async def test_a_handle_on_an_answer_in_one_piece_can_be_cancelled_too(autojump_clock: trio.testing.MockClock) -> None:
    rig = Rig(Script(text=TEXT, fault=Slow(where="headers", delay_s=50)))
    async with open_rig(rig) as agent:
        handle = agent.begin("Hello", streamed=False)
        with trio.move_on_after(2):
            await handle.response()
        cut = await handle.cancel()
        assert cut.finish_reason == "cancelled"
        await trio.testing.wait_all_tasks_blocked()
        assert rig.open_exchanges == 0
        rig.first.behave(Script(text=TEXT))
        chunks = [chunk async for chunk in agent.begin("Hello", streamed=False)]
    assert [chunk.kind for chunk in chunks] == ["final"]


async def test_a_closed_stream_has_no_response(autojump_clock: trio.testing.MockClock) -> None:
    async with open_rig(Rig(PACED)) as agent:
        async with agent.stream("Hello") as stream:
            await anext(stream)
        assert [chunk async for chunk in stream] == []
        with pytest.raises(manus.RequestCancelledError):
            await stream.response()
        with pytest.raises(manus.RequestCancelledError):
            await stream.cancel()
        await stream.aclose()


async def test_a_caller_that_does_not_read_loses_its_stream_and_no_other(
    autojump_clock: trio.testing.MockClock,
) -> None:
    long = Script(words=400)
    async with open_rig(Rig(long)) as agent:
        idle = agent.stream("Hello")
        other = agent.stream("Hello")
        assert (await other.response()).finish_reason == "stop"
        await trio.sleep(40)
        with pytest.raises(manus.StreamingError) as caught:
            await idle.response()
    assert caught.value.kind == "slow_consumer"


async def test_a_paused_stream_waits_for_its_caller(autojump_clock: trio.testing.MockClock) -> None:
    async with open_rig(Rig(Script(words=400))) as agent:
        stream = agent.stream("Hello")
        stream.pause()
        await trio.sleep(40)
        stream.resume()
        response = await stream.response()
    assert response.finish_reason == "stop"


async def test_closing_the_agent_ends_its_streams(autojump_clock: trio.testing.MockClock) -> None:
    rig = Rig(Script(text=TEXT, gap_s=20.0))
    streams: list[LLMStream] = []
    async with open_rig(rig) as agent:
        streams.append(agent.stream("Hello"))
        await anext(streams[0])
    assert rig.open_exchanges == 0
    with pytest.raises(manus.LLMError):
        await streams[0].response()


async def test_a_body_that_ends_lets_its_streams_drain(autojump_clock: trio.testing.MockClock) -> None:
    streams: list[LLMStream] = []
    async with open_rig(Rig(PACED)) as agent:
        streams.append(agent.stream("Hello"))
        await anext(streams[0])
    assert (await streams[0].response()).content == TEXT


async def test_server_sent_events_have_ids_and_end_with_the_response(autojump_clock: trio.testing.MockClock) -> None:
    async with open_rig(Rig(Script(text="Line one.\nLine two.\r\n\r\ndata: no event"))) as agent:
        stream = agent.stream_sse("Hello")
        events = [event async for event in stream]
    read = [dict(line.split(": ", 1) for line in event.splitlines() if line) for event in events]
    assert all(event.endswith("\n\n") and event.count("\n") == 4 for event in events)
    request_id = read[0]["id"].split(":")[0]
    assert [event["id"] for event in read] == [f"{request_id}:{number + 1}" for number in range(len(read))]
    assert [event["event"] for event in read] == ["delta"] * (len(read) - 1) + ["final"]
    text = "".join(json.loads(event["data"])["delta"] for event in read[:-1])
    final = json.loads(read[-1]["data"])
    assert text == final["content"] == "Line one.\nLine two.\r\n\r\ndata: no event"


async def test_server_sent_events_end_with_the_error_of_a_failed_request(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_rig(Rig(Script(fault=Rejected(status=429, retry_after_s=900)))) as agent:
        events = [event async for event in agent.stream_sse("Hello", fallback_providers=[])]
    (event,) = events
    told = json.loads(event.split("data: ", 1)[1])
    assert told["type"] == "RateLimitError"
    assert told["retry_after_s"] == 900
