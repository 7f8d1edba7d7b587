"""Events keep their order and their numbers whatever is joined or held back; replies go first, and starve nobody."""

from __future__ import annotations

import json
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from manus.ipc.flow import Flow
from manus.ipc.outbox import REPLIES_IN_A_ROW, Outbox
from manus.responses import StreamChunk, ToolCallDelta


class PlainVoice:
    """Writes events that a test can read."""

    needs_greeting = True

    def __init__(self, name: str = "s") -> None:
        self.name = name

    def result(self, result: object) -> bytes:
        raise AssertionError("these tests make no replies")

    def failure(self, error: Exception) -> bytes:
        raise AssertionError("these tests make no replies")

    def event(self, seq: int, chunk: StreamChunk) -> bytes:
        return json.dumps([self.name, seq, chunk.to_dict()]).encode() + b"\n"


def flow_of(*, window: int | None = None, join_max: int = 8192, name: str = "s") -> Flow:
    return Flow(PlainVoice(name), window=window, join_max=join_max, now=0.0)


def taken(flow: Flow) -> list[dict[str, Any]]:
    """Take all that may go, and check its numbers."""
    events = []
    while (line := flow.take(1.0)) is not None:
        _, seq, event = json.loads(line)
        assert seq == flow.sent - 1
        events.append(event)
    return events


def text(delta: str, index: int = 0) -> StreamChunk:
    return StreamChunk(delta=delta, index=index)


def test_neighbouring_pieces_of_one_text_are_joined() -> None:
    flow = flow_of()
    for word in ("one ", "two ", "three"):
        flow.put(text(word))

    assert [event["delta"] for event in taken(flow)] == ["one two three"]


@pytest.mark.parametrize(
    "between",
    [
        StreamChunk(kind="reset", text="again"),
        StreamChunk(kind="warning", text="w"),
        StreamChunk(kind="reasoning", text="hm"),
        StreamChunk(kind="tool_call", tool_call=ToolCallDelta(index=0, id="1", name="f")),
        text("other part", index=1),
    ],
)
def test_nothing_is_joined_across_another_chunk(between: StreamChunk) -> None:
    flow = flow_of()
    for chunk in (text("a"), between, text("b")):
        flow.put(chunk)

    assert [event.get("delta") for event in taken(flow)] == ["a", between.delta, "b"]


def test_warnings_and_resets_are_never_joined() -> None:
    flow = flow_of()
    for kind in ("warning", "warning", "reset", "reset"):
        flow.put(StreamChunk(kind=kind, text=kind))

    assert [event["text"] for event in taken(flow)] == ["warning", "warning", "reset", "reset"]


def test_arguments_of_two_tool_calls_are_not_mixed() -> None:
    flow = flow_of()
    for index, piece in ((0, '{"a":'), (0, "1}"), (1, '{"b":'), (1, "2}")):
        call = ToolCallDelta(index=index, arguments=piece)
        flow.put(StreamChunk(kind="tool_arguments", tool_call=call, index=index))

    told = [(event["tool_call"]["index"], event["tool_call"]["arguments"]) for event in taken(flow)]
    assert told == [(0, '{"a":1}'), (1, '{"b":2}')]


def test_joined_pieces_stay_below_their_bound() -> None:
    flow = flow_of(join_max=10)
    for _ in range(100):
        flow.put(text("abcd"))

    events = taken(flow)
    assert max(len(event["delta"]) for event in events) <= 10
    assert "".join(event["delta"] for event in events) == "abcd" * 100


def test_no_more_events_go_than_there_is_credit_for() -> None:
    flow = flow_of(window=2, join_max=1)
    for letter in "abcdef":
        flow.put(text(letter))

    assert len(taken(flow)) == 2
    flow.grant(3, 2.0)
    assert len(taken(flow)) == 3
    assert taken(flow) == []
    flow.grant(10**12, 2.0)
    assert len(taken(flow)) == 1


def test_a_paused_stream_sends_nothing_and_goes_on_where_it_was() -> None:
    flow = flow_of()
    flow.put(text("a"))
    flow.pause()
    assert taken(flow) == []
    flow.put(text("b"))
    flow.resume(1.0)

    assert [event["delta"] for event in taken(flow)] == ["ab"]


chunks = st.one_of(
    st.builds(text, st.text("abc", min_size=1, max_size=5), st.integers(0, 1)),
    st.builds(lambda said: StreamChunk(kind="reasoning", text=said), st.text("xyz", min_size=1, max_size=5)),
    st.just(StreamChunk(kind="reset", text="r")),
)


@given(
    steps=st.lists(st.one_of(chunks, st.just("take"), st.integers(1, 3)), max_size=60),
    window=st.one_of(st.none(), st.integers(1, 4)),
    join_max=st.integers(1, 12),
)
def test_whatever_waits_comes_out_in_order_numbered_and_counted(
    steps: list[StreamChunk | str | int], window: int | None, join_max: int
) -> None:
    flow = flow_of(window=window, join_max=join_max)
    put: list[tuple[str, int, str]] = []
    came: list[dict[str, Any]] = []
    granted = window

    for step in steps:
        match step:
            case StreamChunk():
                flow.put(step)
                put.append((step.kind, step.index, step.delta or step.text))
            case int():
                flow.grant(step, 0.0)
                granted = None if granted is None else granted + step
            case _:
                came += taken(flow)
        assert granted is None or flow.sent <= granted
    flow.grant(10_000, 0.0)
    came += taken(flow)

    assert flow.empty
    assert flow.waiting_bytes == 0
    assert _merged([(each["kind"], each.get("index", 0), each["delta"] or each["text"]) for each in came]) == _merged(
        put
    )


def _merged(said: list[tuple[str, int, str]]) -> list[tuple[str, int, str]]:
    """Join neighbours of one text, so that only order and content are left to compare."""
    merged: list[tuple[str, int, str]] = []
    for kind, index, words in said:
        if merged and kind != "reset" and merged[-1][:2] == (kind, index):
            merged[-1] = (kind, index, merged[-1][2] + words)
        else:
            merged.append((kind, index, words))
    return merged


# --- the outbox ---------------------------------------


def written(outbox: Outbox, *, at_most: int = 10**9) -> bytes:
    """Be the writer, for as much as there is."""
    out = b""
    while (data := outbox.next_bytes(0.0)) is not None:
        count = min(len(data), at_most)
        out += bytes(data[:count])
        outbox.wrote(count, 0.0)
    return out


def outbox_of(bytes_max: int = 1000, batch_bytes: int = 100) -> Outbox:
    return Outbox(bytes_max=bytes_max, batch_bytes=batch_bytes)


@pytest.mark.parametrize("at_most", [1, 3, 7, 1000])
def test_a_line_is_never_torn_however_little_is_written_at_once(at_most: int) -> None:
    outbox = outbox_of()
    flow = flow_of()
    flow.put(text("event"))
    outbox.flow_moves(flow)
    outbox.reply(b"first\n")
    outbox.reply(b"second\n")

    assert written(outbox, at_most=at_most).splitlines()[:2] == [b"first", b"second"]
    assert outbox.empty


def test_replies_go_before_events() -> None:
    outbox = outbox_of()
    flow = flow_of()
    flow.put(text("event"))
    outbox.flow_moves(flow)
    outbox.reply(b"reply\n")

    assert written(outbox).splitlines()[0] == b"reply"


def test_streams_have_their_turns() -> None:
    outbox = outbox_of(batch_bytes=60)
    flows = [flow_of(join_max=1, name=name) for name in "abc"]
    for flow in flows:
        for _ in range(5):
            flow.put(text("x"))
        outbox.flow_moves(flow)

    names = [json.loads(line)[0] for line in written(outbox).splitlines()]

    assert [names[at : at + 3] for at in range(0, 15, 3)] == [["a", "b", "c"]] * 5


def test_a_flood_of_replies_does_not_silence_a_stream() -> None:
    outbox = outbox_of(bytes_max=10**9, batch_bytes=10**9)
    flow = flow_of(join_max=1)
    for _ in range(3):
        flow.put(text("x"))
    outbox.flow_moves(flow)
    for _ in range(10 * REPLIES_IN_A_ROW):
        outbox.reply(b"pong\n")

    lines = written(outbox).splitlines()

    assert [at for at, line in enumerate(lines) if line != b"pong"] == [64, 129, 194]


async def test_who_waits_for_room_goes_on_when_the_host_has_read() -> None:
    outbox = outbox_of(bytes_max=10)
    outbox.reply(b"0123456789\n")
    assert not outbox.has_room
    order: list[str] = []

    async def wait() -> None:
        await outbox.wait_room()
        order.append("room")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        assert order == []
        written(outbox)

    assert order == ["room", "room"]


async def test_an_abandoned_outbox_holds_nothing_and_nobody() -> None:
    outbox = outbox_of(bytes_max=10)
    outbox.reply(b"0123456789\n")
    flow = flow_of()
    flow.put(text("x"))
    outbox.flow_moves(flow)

    outbox.abandon()

    await outbox.wait_room()
    outbox.reply(b"more\n")
    outbox.flow_moves(flow)
    assert outbox.empty
    assert outbox.next_bytes(0.0) is None


def test_a_stream_that_lost_its_credit_is_left_out() -> None:
    outbox = outbox_of()
    flow = flow_of(window=1)
    flow.put(text("x"))
    outbox.flow_moves(flow)
    flow.pause()

    assert outbox.next_bytes(0.0) is None
    assert outbox.empty
    flow.resume(0.0)
    outbox.flow_moves(flow)
    assert written(outbox)
