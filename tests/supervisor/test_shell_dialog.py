"""Streams: items in order through a bounded buffer, then exactly one outcome, and no work for a reader who left."""

from __future__ import annotations

import gc
import threading

import pytest
import trio
import trio.testing

from manus.supervisor.bus import EventBus
from manus.supervisor.dialog import Dialog, Sink
from manus.supervisor.envelope import Envelope
from manus.supervisor.mailbox import Commons, Slot
from manus.supervisor.ref import Ref
from manus.supervisor.spec import MailboxSpec
from manus.supervisor.terminals import ActorFailed, Expired, Undelivered, Withdrawn
from tests.supervisor.rig import (
    Answers,
    Boom,
    for_ever,
    in_s,
    running,
    serving,
    settle,
    worker,
)


async def count_up(envelope: Envelope) -> object:
    """Push as many numbers as asked for, waiting for room."""
    for number in range(envelope.message):  # type: ignore[call-overload]
        while not envelope.sink.push(number):
            if envelope.sink.closed:
                return "reader left"
            await envelope.sink.wait_room()
    return "all said"


async def read_all(dialog: Dialog) -> list[object]:
    return [item async for item in dialog]


@pytest.mark.parametrize("buffer", [1, 2, 32])
async def test_a_stream_gives_every_item_in_order_and_then_its_outcome(autojump_clock: object, buffer: int) -> None:
    async with running(worker("a", serving(count_up))) as tree:
        with tree.ref("a").ask_stream(100, deadline=in_s(5), buffer=buffer) as dialog:
            assert await read_all(dialog) == list(range(100))
            assert await dialog.outcome() == "all said"
            assert await dialog.receive() is None


async def test_a_slow_reader_holds_up_its_own_writer_and_nobody_else(autojump_clock: object) -> None:
    async with running(worker("a", serving(count_up))) as tree:
        ref = tree.ref("a")
        with ref.ask_stream(100, deadline=in_s(60), buffer=4) as slow:
            await settle()
            assert len(slow._sink) == 4
            with ref.ask_stream(100, deadline=in_s(60), buffer=4) as quick:
                assert await read_all(quick) == list(range(100))
            assert len(slow._sink) == 4


async def test_the_outcome_does_not_wait_for_room_in_a_full_buffer(autojump_clock: object) -> None:
    async def handler(envelope: Envelope) -> object:
        while envelope.sink.push("item"):
            pass
        return "ended"

    async with running(worker("a", serving(handler))) as tree:
        with tree.ref("a").ask_stream("go", deadline=in_s(60), buffer=3) as dialog:
            assert await dialog.outcome() == "ended"
            assert await read_all(dialog) == ["item"] * 3


async def test_nothing_pushed_after_the_outcome_reaches_the_reader(autojump_clock: object) -> None:
    sinks: list[Sink] = []

    async def handler(envelope: Envelope) -> object:
        sinks.append(envelope.sink)
        envelope.sink.push("before")
        return "ended"

    async with running(worker("a", serving(handler))) as tree:
        with tree.ref("a").ask_stream("go", deadline=in_s(60)) as dialog:
            await dialog.outcome()
            assert not sinks[0].push("after")
            assert sinks[0].closed
            assert await read_all(dialog) == ["before"]


async def test_leaving_the_block_cancels_the_handler_and_frees_a_writer_that_waits_for_room(
    autojump_clock: object,
) -> None:
    left: list[str] = []

    async def handler(envelope: Envelope) -> object:
        try:
            return await count_up(envelope)
        finally:
            left.append("handler")

    async with running(worker("a", serving(handler))) as tree:
        with tree.ref("a").ask_stream(100, deadline=in_s(60), buffer=1) as dialog:
            assert await dialog.receive() == 0
        await settle()

        assert left == ["handler"]
        assert await dialog.outcome() == Withdrawn()
        assert tree.status()[0].in_hand == 0


async def test_a_dialog_that_is_dropped_cancels_its_handler(autojump_clock: object) -> None:
    left: list[str] = []

    async def handler(envelope: Envelope) -> object:
        try:
            await trio.sleep_forever()
        finally:
            left.append("handler")

    async with running(worker("a", serving(handler))) as tree:
        dialog = tree.ref("a").ask_stream("work", deadline=in_s(60))
        await settle()
        assert tree.status()[0].in_hand == 1
        del dialog
        gc.collect()
        # The note reaches the loop through its wakeup socket, which is no matter of virtual time.
        while not left:
            await trio.lowlevel.checkpoint()
        await settle()

        assert tree.status()[0].in_hand == 0


async def test_a_dialog_may_be_collected_in_another_thread(autojump_clock: object) -> None:
    async with running(worker("a", serving(for_ever))) as tree:
        holder = [tree.ref("a").ask_stream("work", deadline=in_s(60))]
        await settle()
        thread = threading.Thread(target=holder.clear)
        thread.start()
        thread.join()
        while tree.status()[0].in_hand:
            await trio.lowlevel.checkpoint()


async def test_a_dialog_collected_after_its_loop_is_gone_is_no_trouble() -> None:
    kept: list[Dialog] = []

    async def main() -> None:
        # A slot without a tree: nobody answers when the loop ends.
        slot = Slot("a", MailboxSpec(), Commons(EventBus(), str))
        kept.append(Ref(slot).ask_stream("work", deadline=in_s(60)))

    thread = threading.Thread(target=trio.run, args=(main,))
    thread.start()
    thread.join()
    assert not kept[0]._envelope.answered
    # An exception in a finalizer would be a warning, and so an error.
    kept.clear()
    gc.collect()


async def test_cancelling_keeps_what_was_pushed_and_the_handlers_last_word(autojump_clock: object) -> None:
    async def handler(envelope: Envelope) -> object:
        with envelope.scope:
            envelope.sink.push("said so far")
            await trio.sleep_forever()
        return "cancelled, with what there was"

    async with running(worker("a", serving(handler, own_scope=True))) as tree:
        with tree.ref("a").ask_stream("go", deadline=in_s(60)) as dialog:
            await settle()
            dialog.cancel()
            assert await dialog.outcome() == "cancelled, with what there was"
            assert await read_all(dialog) == ["said so far"]


async def test_cancelling_what_still_waits_withdraws_it_at_once(autojump_clock: object) -> None:
    async with running(worker("a", serving(for_ever, places=1))) as tree, trio.open_nursery() as nursery:
        Answers(nursery).ask(tree.ref("a"), "in hand")
        await settle()
        with tree.ref("a").ask_stream("queued", deadline=in_s(60)) as dialog:
            assert tree.status()[0].queued == 1
            dialog.cancel()
            with trio.testing.assert_no_checkpoints():
                assert await dialog.outcome() == Withdrawn()
            assert tree.status()[0].queued == 0
        nursery.cancel_scope.cancel()


async def test_a_stream_expires_with_what_it_had_got(autojump_clock: object) -> None:
    async def handler(envelope: Envelope) -> object:
        envelope.sink.push("early")
        await trio.sleep_forever()

    async with running(worker("a", serving(handler))) as tree:
        with tree.ref("a").ask_stream("go", deadline=in_s(2)) as dialog:
            assert await read_all(dialog) == ["early"]
            assert await dialog.outcome() == Expired(where="running")
            assert trio.current_time() == 2.0


async def test_a_crash_ends_a_stream_where_it_stands(autojump_clock: object) -> None:
    async def handler(envelope: Envelope) -> object:
        envelope.sink.push("early")
        await trio.sleep_forever()

    async with running(worker("a", serving(handler))) as tree:
        with tree.ref("a").ask_stream("go", deadline=in_s(60)) as dialog:
            await settle()
            tree.crash("a", Boom())
            assert await read_all(dialog) == ["early"]
            assert isinstance(await dialog.outcome(), ActorFailed)


async def test_a_reader_that_is_cancelled_loses_no_item(autojump_clock: object) -> None:
    items: list[Sink] = []

    async def handler(envelope: Envelope) -> object:
        items.append(envelope.sink)
        await trio.sleep_forever()

    async with running(worker("a", serving(handler))) as tree:
        with tree.ref("a").ask_stream("go", deadline=in_s(60)) as dialog:
            with trio.move_on_after(1):
                await dialog.receive()
            items[0].push("item")
            assert await dialog.receive() == "item"


async def test_a_pause_is_seen_by_the_writer(autojump_clock: object) -> None:
    sinks: list[Sink] = []

    async def handler(envelope: Envelope) -> object:
        sinks.append(envelope.sink)
        await trio.sleep_forever()

    async with running(worker("a", serving(handler))) as tree:
        with tree.ref("a").ask_stream("go", deadline=in_s(60)) as dialog:
            await settle()
            dialog.pause()
            assert sinks[0].paused
            dialog.resume()
            assert not sinks[0].paused


async def test_a_stream_that_is_refused_has_its_outcome_at_once(autojump_clock: object) -> None:
    spec = worker("a", serving(for_ever, places=1), mailbox=MailboxSpec(capacity=0, overflow="shed"))
    async with running(spec) as tree, trio.open_nursery() as nursery:
        Answers(nursery).ask(tree.ref("a"), "in hand")
        await settle()
        with tree.ref("a").ask_stream("refused", deadline=in_s(60)) as dialog:
            assert await dialog.receive() is None
            assert await dialog.outcome() == Undelivered(reason="full")
        with tree.ref("a").ask_stream("late", deadline=trio.current_time()) as dialog:
            assert await dialog.outcome() == Expired(where="queued")
        nursery.cancel_scope.cancel()


async def test_several_writers_may_wait_for_room(autojump_clock: object) -> None:
    sink = Sink(1)
    assert sink.push("fills it")
    waited: list[str] = []

    async def wait(name: str) -> None:
        await sink.wait_room()
        waited.append(name)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait, "one")
        nursery.start_soon(wait, "two")
        await settle()
        sink.ended()
    assert sorted(waited) == ["one", "two"]


def test_a_stream_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 item"):
        Sink(0)
