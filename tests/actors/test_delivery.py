"""What reaches the caller: once, in order, from one attempt at a time."""

from __future__ import annotations

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from manus.actors.assembly import Assembly
from manus.actors.delivery import CallerChannel, Delivery
from manus.messages.events import (
    Ended,
    FinishReported,
    Pinged,
    Reset,
    Started,
    StreamEvent,
    StreamFailed,
    TextDelta,
    UsageReported,
)
from manus.messages.failures import Failed, Phase
from manus.messages.policy import Bounds
from manus.messages.usage import Usage
from manus.supervisor.dialog import Sink

STALL_S = 30.0


class Reader:
    """A caller's end of a real sink: reads what the runtime would hand it."""

    def __init__(self, capacity: int = 8) -> None:
        self.sink = Sink(capacity)
        self.read: list[StreamEvent] = []

    def take(self) -> None:
        """Read one item."""
        item = self.sink._items.popleft()
        assert isinstance(item, list)
        self.read.extend(item)
        self.sink._made_room()

    def take_all(self) -> list[StreamEvent]:
        while len(self.sink):
            self.take()
        return self.read


def opened(reader: Reader | None, sent: list[str] | None = None) -> Delivery:
    channel = None if reader is None else CallerChannel(reader.sink, stall_s=STALL_S)
    log: list[str] = [] if sent is None else sent

    def note() -> None:
        log.append("sending")

    delivery = Delivery(channel, on_sending=note)
    delivery.begin(Assembly("openai-chat", "m", Bounds()))
    return delivery


HELLO = TextDelta(text="Hello")
WORLD = TextDelta(text=" world")


async def test_lifecycle_events_wait_for_the_first_content_and_come_with_it(autojump_clock: object) -> None:
    reader = Reader()
    delivery = opened(reader)

    assert delivery.deliver([Started(id="1")])
    assert delivery.deliver([UsageReported(usage=Usage())])
    assert len(reader.sink) == 0
    await trio.sleep(3)
    assert delivery.deliver([HELLO])

    assert reader.take_all() == [Started(id="1"), UsageReported(usage=Usage()), HELLO]
    assert delivery.first_content_at == trio.current_time()
    assert delivery.phase == "streaming"


async def test_one_socket_read_is_one_item() -> None:
    reader = Reader()
    delivery = opened(reader)

    delivery.deliver([HELLO, WORLD])
    delivery.deliver([WORLD])

    assert len(reader.sink) == 2


@pytest.mark.parametrize(
    "terminal", [Ended(evidence="marker"), StreamFailed(failure=Failed(kind="server", message=""))]
)
async def test_terminal_of_a_decoder_never_reaches_the_caller(terminal: StreamEvent) -> None:
    reader = Reader()
    delivery = opened(reader)

    delivery.deliver([HELLO, terminal])
    delivery.deliver([terminal])

    assert reader.take_all() == [HELLO]


async def test_failure_before_content_leaves_the_caller_nothing_to_forget() -> None:
    reader = Reader()
    delivery = opened(reader)

    delivery.deliver([Started(id="1")])
    delivery.deliver([StreamFailed(failure=Failed(kind="overloaded", message=""))])
    delivery.fence()

    assert reader.take_all() == []


async def test_answer_without_content_is_passed_on_at_its_end() -> None:
    reader = Reader()
    delivery = opened(reader)

    delivery.deliver([Started(id="1"), FinishReported(reason="stop"), Ended(evidence="marker")])

    assert delivery.flush_held()
    assert reader.take_all() == [Started(id="1"), FinishReported(reason="stop")]


async def test_pings_alone_are_not_handed_on() -> None:
    reader = Reader()
    delivery = opened(reader)

    delivery.deliver([Pinged()])
    delivery.deliver([HELLO])
    delivery.deliver([Pinged()])

    assert reader.take_all() == [HELLO]


async def test_held_lifecycle_events_are_bounded() -> None:
    delivery = opened(Reader())

    for _ in range(10_000):
        delivery.deliver([UsageReported(usage=Usage())])

    assert len(delivery._held) <= 256


async def test_fenced_attempt_reaches_nobody_and_changes_no_record() -> None:
    reader = Reader()
    sent: list[str] = []
    delivery = opened(reader, sent)
    delivery.deliver([HELLO])
    delivery.fence()

    assert delivery.deliver([WORLD])
    assert await delivery.wait_room()
    delivery.advance("sending")

    assert reader.take_all() == [HELLO]
    assert delivery.assembly is not None
    assert delivery.assembly.text_so_far == "Hello"
    assert sent == []


async def test_whole_answers_go_to_no_channel_and_are_folded_all_the_same() -> None:
    delivery = opened(None)

    assert delivery.deliver([HELLO, WORLD])
    assert await delivery.wait_room()

    assert delivery.assembly is not None
    assert delivery.assembly.text_so_far == "Hello world"


@pytest.mark.parametrize(
    ("phases", "calls", "ends"),
    [
        (["connecting", "sending", "sent"], 1, "sent"),
        (["connecting", "sending", "connecting", "sending", "sent"], 1, "sent"),
        (["sending", "sent", "sending"], 1, "sent"),
        (["sent"], 1, "sent"),
        (["connecting"], 0, "connecting"),
    ],
)
async def test_sending_is_told_once_before_anything_leaves(phases: list[Phase], calls: int, ends: Phase) -> None:
    sent: list[str] = []
    delivery = opened(None, sent)

    for phase in phases:
        delivery.advance(phase)

    assert len(sent) == calls
    assert delivery.phase == ends


async def test_full_channel_makes_the_call_wait_and_loses_nothing(autojump_clock: object) -> None:
    reader = Reader(capacity=1)
    delivery = opened(reader)
    assert delivery.deliver([HELLO])
    assert not delivery.deliver([WORLD])

    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def read_later() -> None:
            await trio.sleep(STALL_S / 2)
            reader.take()

        assert await delivery.wait_room()

    assert reader.take_all() == [HELLO, WORLD]


async def test_what_waits_for_room_is_not_overtaken_when_there_is_some(autojump_clock: object) -> None:
    reader = Reader(capacity=1)
    delivery = opened(reader)
    delivery.deliver([TextDelta(text="1")])
    delivery.deliver([TextDelta(text="2")])
    reader.take()

    assert not delivery.deliver([TextDelta(text="3")])
    assert await delivery.wait_room()

    assert reader.take_all() == [TextDelta(text="1"), TextDelta(text="2"), TextDelta(text="3")]


async def test_caller_that_does_not_read_stalls_its_stream_for_so_long_and_no_longer(autojump_clock: object) -> None:
    reader = Reader(capacity=1)
    delivery = opened(reader)
    delivery.deliver([HELLO])
    delivery.deliver([WORLD])
    before = trio.current_time()

    assert not await delivery.wait_room()
    assert trio.current_time() - before == STALL_S


async def test_paused_caller_is_not_stalled(autojump_clock: object) -> None:
    reader = Reader(capacity=1)
    reader.sink.paused = True
    delivery = opened(reader)
    delivery.deliver([HELLO])
    delivery.deliver([WORLD])

    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def resume_much_later() -> None:
            await trio.sleep(STALL_S * 10 + 1)
            reader.sink.paused = False
            await trio.sleep(1)
            reader.take()

        assert await delivery.wait_room()

    assert reader.take_all() == [HELLO, WORLD]


async def test_caller_that_stalls_after_a_pause_is_stalled(autojump_clock: object) -> None:
    reader = Reader(capacity=1)
    reader.sink.paused = True
    delivery = opened(reader)
    delivery.deliver([HELLO])
    delivery.deliver([WORLD])

    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def resume() -> None:
            await trio.sleep(1)
            reader.sink.paused = False

        assert not await delivery.wait_room()


async def test_caller_that_left_holds_nobody_up() -> None:
    reader = Reader(capacity=1)
    delivery = opened(reader)
    delivery.deliver([HELLO])
    delivery.deliver([WORLD])
    reader.sink.ended()

    assert await delivery.wait_room()
    assert delivery.deliver([WORLD])


async def test_starting_over_drops_what_was_not_shown_and_says_so(autojump_clock: object) -> None:
    reader = Reader(capacity=1)
    channel = CallerChannel(reader.sink, stall_s=STALL_S)
    first = Delivery(channel, on_sending=_nothing)
    first.begin(Assembly("openai-chat", "m", Bounds()))
    first.deliver([HELLO])
    first.deliver([WORLD])
    first.fence()

    assert not channel.start_over(Reset(reason="network"))
    assert not channel.shown
    async with trio.open_nursery() as nursery:
        nursery.start_soon(channel.wait_room)
        await trio.testing.wait_all_tasks_blocked()
        reader.take()

    assert reader.take_all() == [HELLO, Reset(reason="network")]


def _nothing() -> None:
    """Be told that bytes leave."""


TEXTS = st.lists(st.lists(st.text("ab", min_size=1, max_size=3), min_size=1, max_size=3), max_size=12)


@settings(max_examples=100, deadline=None)
@given(reads=TEXTS, capacity=st.integers(1, 3), takes=st.lists(st.integers(0, 3), max_size=12))
def test_what_is_read_is_what_was_sent_whole_and_in_order(
    reads: list[list[str]], capacity: int, takes: list[int]
) -> None:
    async def main() -> None:
        reader = Reader(capacity)
        delivery = opened(reader)
        pace = iter(takes)
        for texts in reads:
            if not delivery.deliver([TextDelta(text=text) for text in texts]):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(delivery.wait_room)
                    await trio.testing.wait_all_tasks_blocked()
                    reader.take()
            for _ in range(min(next(pace, 0), len(reader.sink))):
                reader.take()
        got = "".join(event.text for event in reader.take_all() if isinstance(event, TextDelta))
        assert got == "".join(text for texts in reads for text in texts)
        assert delivery.assembly is not None
        assert delivery.assembly.text_so_far == got

    trio.run(main)


# --- what is told of it besides -----------------------------------------------------------------------------------


async def test_head_of_the_response_is_told_once_and_to_nobody_once_it_is_over() -> None:
    told: list[str] = []
    delivery = opened(None)
    delivery.on_answered = lambda: told.append("answered")
    delivery.advance("sent")
    assert told == []
    delivery.answered()
    delivery.answered()
    assert told == ["answered"]
    assert delivery.phase == "sent"

    late = opened(None)
    late.on_answered = lambda: told.append("too late")
    late.fence()
    late.answered()
    assert told == ["answered"]


async def test_muted_attempt_reaches_nobody_and_is_taken_down_all_the_same() -> None:
    reader, won = Reader(), list[str]()
    delivery = opened(reader)
    delivery.on_first_content = lambda: won.append("won")
    delivery.deliver([Started(id="1")])
    delivery.mute()
    delivery.deliver([HELLO])
    delivery.finishes()

    assert await delivery.wait_room()
    assert (len(reader.sink), won) == (0, [])
    assert delivery.assembly is not None
    assert delivery.assembly.text_so_far == "Hello"
    assert delivery.assembly.finishing


async def test_fenced_attempt_is_not_told_to_be_finishing() -> None:
    delivery = opened(None)
    delivery.fence()
    delivery.finishes()

    assert delivery.assembly is not None
    assert not delivery.assembly.finishing
