"""The mailbox slot: capacity, order, places, sheds and dead letters."""

from __future__ import annotations

import pytest
import trio

from manus.supervisor.context import Context
from manus.supervisor.envelope import Envelope
from manus.supervisor.events import DeadLetter
from manus.supervisor.spec import MailboxSpec
from manus.supervisor.terminals import Expired, Undelivered
from tests.supervisor.rig import (
    BACKOFF_S,
    Answers,
    Boom,
    Diary,
    echo,
    for_ever,
    in_s,
    running,
    serving,
    settle,
    taking_turns,
    worker,
)


async def test_at_most_places_requests_are_worked_on_and_the_rest_wait_in_the_mailbox(autojump_clock: object) -> None:
    async with running(worker("a", serving(for_ever, places=2))) as tree, trio.open_nursery() as nursery:
        answers = Answers(nursery)
        for number in range(5):
            answers.ask(tree.ref("a"), number)
        await settle()

        status = tree.status()[0]
        assert (status.in_hand, status.queued) == (2, 3)
        nursery.cancel_scope.cancel()


async def test_a_place_freed_by_one_request_goes_to_the_oldest_that_waits(autojump_clock: object) -> None:
    doors = {number: trio.Event() for number in range(4)}
    begun: list[object] = []

    async def handler(envelope: Envelope) -> object:
        assert isinstance(envelope.message, int)
        begun.append(envelope.message)
        await doors[envelope.message].wait()
        return envelope.message

    async with running(worker("a", serving(handler, places=1))) as tree, trio.open_nursery() as nursery:
        answers = Answers(nursery)
        for number in doors:
            answers.ask(tree.ref("a"), number)
            await settle()
        for number in doors:
            doors[number].set()
            await settle()

        assert begun == [0, 1, 2, 3]


async def test_a_message_never_overtakes_one_that_is_queued(autojump_clock: object) -> None:
    """The fast path of an idle actor is closed while anything waits."""
    seen: list[object] = []
    hold = trio.Event()

    async def start(ctx: Context) -> None:
        ctx.started()
        await hold.wait()
        await ctx.serve_turns(lambda envelope: seen.append(envelope.message))

    async with running(worker("a", start)) as tree:
        ref = tree.ref("a")
        ref.cast(1)
        ref.cast(2)
        hold.set()
        await settle()
        ref.cast(3)
        await settle()

        assert seen == [1, 2, 3]


async def test_what_a_turn_sends_to_its_own_actor_comes_after_it(autojump_clock: object) -> None:
    seen: list[object] = []

    async def start(ctx: Context) -> None:
        def handler(envelope: Envelope) -> object:
            seen.append(("begin", envelope.message))
            if envelope.message == 1:
                tree.ref("a").cast(2)
            seen.append(("end", envelope.message))
            return None

        ctx.started()
        await ctx.serve_turns(handler)

    async with running(worker("a", start)) as tree:
        await tree.ref("a").ask(1, deadline=in_s(5))
        await settle()

        assert seen == [("begin", 1), ("end", 1), ("begin", 2), ("end", 2)]


async def test_a_shedding_mailbox_answers_full(autojump_clock: object) -> None:
    spec = worker("a", serving(for_ever, places=1), mailbox=MailboxSpec(capacity=1, overflow="shed"))
    diary = Diary()
    async with running(spec, diary=diary) as tree, trio.open_nursery() as nursery:
        answers = Answers(nursery)
        answers.ask(tree.ref("a"), "in hand")
        answers.ask(tree.ref("a"), "queued")
        await settle()

        assert await tree.ref("a").ask("too many", deadline=in_s(5)) == Undelivered(reason="full")
        await tree.ref("a").tell("note")
        assert diary.one(DeadLetter).why == "full"
        nursery.cancel_scope.cancel()


async def test_an_asker_may_shed_where_the_mailbox_would_let_it_wait(autojump_clock: object) -> None:
    spec = worker("a", serving(for_ever, places=1), mailbox=MailboxSpec(capacity=0))
    async with running(spec) as tree, trio.open_nursery() as nursery:
        Answers(nursery).ask(tree.ref("a"), "in hand")
        await settle()

        assert await tree.ref("a").ask("too many", deadline=in_s(5), shed=True) == Undelivered(reason="full")
        assert not tree.ref("a").cast("too many")
        nursery.cancel_scope.cancel()


async def test_a_rendezvous_mailbox_still_serves_those_who_wait(autojump_clock: object) -> None:
    finish = trio.Event()

    async def handler(envelope: Envelope) -> object:
        await finish.wait()
        return envelope.message

    spec = worker("a", serving(handler, places=1), mailbox=MailboxSpec(capacity=0))
    async with running(spec) as tree, trio.open_nursery() as nursery:
        answers = Answers(nursery)
        for number in range(3):
            answers.ask(tree.ref("a"), number)
            await settle()
        assert (tree.status()[0].queued, tree.status()[0].blocked) == (0, 2)
        finish.set()
        await settle()

        assert answers.order == [0, 1, 2]


async def test_a_teller_waits_for_room_and_a_caster_does_not(autojump_clock: object) -> None:
    door = trio.Event()
    told: list[object] = []

    async def handler(envelope: Envelope) -> object:
        await door.wait()
        return None

    async def tell(message: object) -> None:
        await ref.tell(message)
        told.append(message)

    diary = Diary()
    spec = worker("a", serving(handler, places=1), mailbox=MailboxSpec(capacity=1))
    async with running(spec, diary=diary) as tree, trio.open_nursery() as nursery:
        ref = tree.ref("a")
        for message in ("in hand", "queued", "blocked"):
            nursery.start_soon(tell, message)
            await settle()
        assert told == ["in hand", "queued"]

        assert not ref.cast("refused")
        assert diary.one(DeadLetter).why == "full"

        door.set()
        await settle()
        assert told == ["in hand", "queued", "blocked"]


async def test_a_teller_that_is_cancelled_while_it_waits_has_sent_nothing(autojump_clock: object) -> None:
    spec = worker("a", serving(for_ever, places=1), mailbox=MailboxSpec(capacity=1))
    async with running(spec) as tree:
        ref = tree.ref("a")
        ref.cast("in hand")
        ref.cast("queued")
        with trio.move_on_after(1) as impatience:
            await ref.tell("never sent")
        assert impatience.cancelled_caught
        assert (tree.status()[0].queued, tree.status()[0].blocked) == (1, 0)


async def test_what_expires_in_the_queue_makes_room_for_who_waits(autojump_clock: object) -> None:
    spec = worker("a", serving(for_ever, places=1), mailbox=MailboxSpec(capacity=1))
    async with running(spec) as tree, trio.open_nursery() as nursery:
        answers = Answers(nursery)
        for message, within_s in (("in hand", 60), ("expires", 1), ("follows", 60)):
            answers.ask(tree.ref("a"), message, within_s=within_s)
            await settle()
        await trio.sleep(2)

        assert answers.got["expires"] == Expired(where="queued")
        assert (tree.status()[0].queued, tree.status()[0].blocked) == (1, 0)
        nursery.cancel_scope.cancel()


# --- places -------------------------------------------------------------------------------------


async def test_a_booked_place_has_room_when_the_mailbox_is_full(autojump_clock: object) -> None:
    seen: list[object] = []
    hold = trio.Event()

    async def start(ctx: Context) -> None:
        ctx.started()
        await hold.wait()
        await ctx.serve_turns(lambda envelope: seen.append(envelope.message))

    async with running(worker("a", start, mailbox=MailboxSpec(capacity=2))) as tree:
        ref = tree.ref("a")
        place = ref.place()
        assert place is not None
        assert ref.cast("fills up")
        assert not ref.cast("refused")
        assert ref.place() is None

        place.cast("booked")
        hold.set()
        await settle()

        assert seen == ["fills up", "booked"]


async def test_a_booked_place_has_room_while_the_actor_is_down_and_its_message_is_handled_in_order(
    autojump_clock: object,
) -> None:
    seen: list[object] = []

    def handler(envelope: Envelope) -> object:
        seen.append(envelope.message)
        return ("booked", envelope.message)

    async with running(worker("a", taking_turns(handler))) as tree, trio.open_nursery() as nursery:
        place = tree.ref("a").place()
        assert place is not None
        tree.crash("a", Boom())
        await settle()
        tree.ref("a").cast("before")
        answers = Answers(nursery)
        answers.ask(place, "settle")
        await settle()
        tree.ref("a").cast("after")
        await trio.sleep(BACKOFF_S + 1)

        assert seen == ["before", "settle", "after"]
        assert answers.got["settle"] == ("booked", "settle")


async def test_a_booked_message_is_handled_even_if_its_asker_leaves_or_runs_out_of_time(
    autojump_clock: object,
) -> None:
    seen: list[object] = []

    def handler(envelope: Envelope) -> object:
        seen.append(envelope.message)
        return None

    async with running(worker("a", taking_turns(handler))) as tree:
        first, second = tree.ref("a").place(), tree.ref("a").place()
        assert first is not None
        assert second is not None
        tree.crash("a", Boom())
        with trio.move_on_after(BACKOFF_S / 4):
            await first.ask("left alone", deadline=in_s(60))
        assert await second.ask("late", deadline=in_s(BACKOFF_S / 4)) == Expired(where="queued")
        await trio.sleep(BACKOFF_S)

        assert seen == ["left alone", "late"]


async def test_the_work_on_a_booked_message_is_not_cut_short_by_its_deadline(autojump_clock: object) -> None:
    done: list[object] = []

    async def handler(envelope: Envelope) -> object:
        await trio.sleep(5)
        done.append(envelope.message)
        return "booked"

    async with running(worker("a", serving(handler))) as tree:
        place = tree.ref("a").place()
        assert place is not None
        assert await place.ask("settle", deadline=in_s(1)) == Expired(where="running")
        await trio.sleep(10)
        assert done == ["settle"]


async def test_a_freed_place_goes_to_who_waits_for_room(autojump_clock: object) -> None:
    spec = worker("a", serving(for_ever, places=1), mailbox=MailboxSpec(capacity=1))
    async with running(spec) as tree, trio.open_nursery() as nursery:
        Answers(nursery).ask(tree.ref("a"), "in hand")
        await settle()
        place = tree.ref("a").place()
        assert place is not None
        Answers(nursery).ask(tree.ref("a"), "blocked")
        await settle()
        assert tree.status()[0].blocked == 1

        place.free()

        assert (tree.status()[0].queued, tree.status()[0].blocked) == (1, 0)
        nursery.cancel_scope.cancel()


async def test_a_place_left_unused_is_freed_by_its_block(autojump_clock: object) -> None:
    async with running(worker("a", serving(echo), mailbox=MailboxSpec(capacity=1))) as tree:
        place = tree.ref("a").place()
        assert place is not None
        with place:
            assert tree.ref("a").place() is None
        assert place.used
        assert tree.ref("a").place() is not None


async def test_a_place_is_good_for_one_use(autojump_clock: object) -> None:
    async with running(worker("a", serving(echo))) as tree:
        place = tree.ref("a").place()
        assert place is not None
        place.cast("once")
        with pytest.raises(AssertionError, match="used twice"):
            place.cast("twice")


async def test_a_draining_actor_waits_for_its_booked_places(autojump_clock: object) -> None:
    seen: list[object] = []

    def handler(envelope: Envelope) -> object:
        seen.append(envelope.message)
        return "booked"

    async with running(worker("a", taking_turns(handler))) as tree, trio.open_nursery() as nursery:
        place = tree.ref("a").place()
        assert place is not None

        async def stop() -> None:
            await tree.stop(drain_s=10.0, hard_s=1.0)
            seen.append("stopped")

        nursery.start_soon(stop)
        await settle()
        assert await tree.ref("a").ask("too late", deadline=in_s(1)) == Undelivered(reason="stopping")
        await trio.sleep(3)
        assert seen == []
        assert await place.ask("settle", deadline=in_s(1)) == "booked"
        await settle()

        assert seen == ["settle", "stopped"]
        assert trio.current_time() == 3.0


async def test_a_place_used_after_the_stop_is_a_dead_letter_or_undelivered(autojump_clock: object) -> None:
    diary = Diary()
    async with running(worker("a", serving(echo)), diary=diary) as tree:
        first, second = tree.ref("a").place(), tree.ref("a").place()
        assert first is not None
        assert second is not None
        await tree.stop(drain_s=0.0, hard_s=1.0)

        first.cast("note")
        assert diary.one(DeadLetter).why == "stopping"
        assert await second.ask("question", deadline=in_s(1)) == Undelivered(reason="stopping")


async def test_the_statistics_tell_the_peaks(autojump_clock: object) -> None:
    async with running(worker("a", serving(for_ever, places=2))) as tree, trio.open_nursery() as nursery:
        answers = Answers(nursery)
        for number in range(5):
            answers.ask(tree.ref("a"), number, within_s=2)
        await trio.sleep(1)
        assert tree._ground.slots["a"].statistics().oldest_in_hand_s == 1.0
        await trio.sleep(3)

        statistics = tree._ground.slots["a"].statistics()
        assert (statistics.queued_peak, statistics.in_hand_peak) == (3, 2)
        assert (statistics.queued, statistics.in_hand, statistics.handled) == (0, 0, 2)
