"""Drain and stop: in order, in bounded time, with a report; and what a cancelled or failing host leaves behind."""

from __future__ import annotations

import pytest
import trio

from manus.supervisor.context import Context
from manus.supervisor.envelope import LATER, Envelope
from manus.supervisor.events import ActorExited, ShutdownOverran
from manus.supervisor.reasons import Normal, Shutdown
from manus.supervisor.shield import bounded_shield
from manus.supervisor.spec import MailboxSpec, SupervisorSpec
from manus.supervisor.terminals import ActorFailed, Undelivered
from manus.supervisor.tree import Tree, open_tree
from tests.supervisor.rig import (
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


async def two_seconds(envelope: Envelope) -> object:
    await trio.sleep(2.0)
    return envelope.message


async def stop(tree: Tree, drain_s: float) -> None:
    await tree.stop(drain_s=drain_s, hard_s=1)


def exits(diary: Diary) -> list[tuple[str, float]]:
    return [(event.actor, event.at) for event in diary.of(ActorExited)]


async def test_children_stop_in_reverse_order_of_their_start(autojump_clock: object) -> None:
    diary = Diary()
    async with running(*(worker(name, serving(echo)) for name in "abc"), diary=diary) as tree:
        await tree.stop(drain_s=5, hard_s=1)
        assert [name for name, _ in exits(diary)] == ["c", "b", "a"]


async def test_a_drain_finishes_what_is_in_hand_and_what_is_queued(autojump_clock: object) -> None:
    diary = Diary()
    spec = worker("a", serving(two_seconds, places=1))
    async with running(spec, diary=diary) as tree, trio.open_nursery() as nursery:
        answers = Answers(nursery)
        for number in range(3):
            answers.ask(tree.ref("a"), number)
            await settle()

        report = await tree.stop(drain_s=30, hard_s=1)

        assert answers.order == [0, 1, 2]
        assert (report.ended_at - report.began_at, report.undelivered) == (6.0, 0)
        assert report.children[0].reason == Normal()
        assert diary.of(ShutdownOverran) == []


async def test_a_drain_waits_for_what_was_promised_for_later(autojump_clock: object) -> None:
    held: list[Envelope] = []

    def handler(envelope: Envelope) -> object:
        held.append(envelope)
        return LATER

    async with running(worker("a", taking_turns(handler))) as tree, trio.open_nursery() as nursery:
        answers = Answers(nursery)
        answers.ask(tree.ref("a"), "x")
        await settle()
        nursery.start_soon(stop, tree, 30)
        await trio.sleep(2)
        held[0].reply("at last")
        await settle()

        assert answers.got["x"] == "at last"
        assert tree.status()[0].state == "stopped"
        assert trio.current_time() == 2.0


async def test_all_children_share_one_time_to_drain(autojump_clock: object) -> None:
    specs = worker("below", serving(for_ever)), worker("above", serving(for_ever))
    async with running(*specs) as tree, trio.open_nursery() as nursery:
        answers = Answers(nursery)
        answers.ask(tree.ref("above"), "x", within_s=500)
        answers.ask(tree.ref("below"), "y", within_s=500)
        await settle()

        report = await tree.stop(drain_s=3, hard_s=1)

        assert report.ended_at == 3.0
        assert [type(answer) for answer in answers.got.values()] == [ActorFailed, ActorFailed]


async def test_whoever_is_above_drains_while_those_below_still_serve(autojump_clock: object) -> None:
    async def start(ctx: Context) -> None:
        async def handler(envelope: Envelope) -> object:
            await trio.sleep(1.0)
            return await ctx.ref("below").ask("from above", deadline=in_s(5))

        ctx.started()
        await ctx.serve(handler)

    specs = worker("below", serving(echo)), worker("above", start, uses=("below",))
    async with running(*specs) as tree, trio.open_nursery() as nursery:
        answers = Answers(nursery)
        answers.ask(tree.ref("above"), "x")
        await settle()
        await tree.stop(drain_s=5, hard_s=1)

        assert answers.got["x"] == "from above"


async def test_children_without_order_drain_together(autojump_clock: object) -> None:
    flock = SupervisorSpec(
        id="flock", ordered=False, children=tuple(worker(f"flock/{n}", serving(two_seconds)) for n in range(3))
    )
    diary = Diary()
    async with running(flock, diary=diary) as tree, trio.open_nursery() as nursery:
        answers = Answers(nursery)
        for number in range(3):
            answers.ask(tree.ref(f"flock/{number}"), number)
        await settle()
        await tree.stop(drain_s=30, hard_s=1)

        assert sorted(name for name, _ in exits(diary) if name != "flock") == ["flock/0", "flock/1", "flock/2"]
        assert {at for _, at in exits(diary)} == {2.0}
        assert sorted(answers.got) == [0, 1, 2]  # type: ignore[type-var]


async def test_a_draining_actor_refuses_what_comes_and_frees_who_waits_for_room(autojump_clock: object) -> None:
    spec = worker("a", serving(two_seconds, places=1), mailbox=MailboxSpec(capacity=1))
    async with running(spec) as tree, trio.open_nursery() as nursery:
        answers = Answers(nursery)
        for message in ("in hand", "queued", "blocked"):
            answers.ask(tree.ref("a"), message)
            await settle()
        nursery.start_soon(stop, tree, 30)
        await settle()

        assert answers.got == {"blocked": Undelivered(reason="stopping")}
        assert await tree.ref("a").ask("new", deadline=in_s(60)) == Undelivered(reason="stopping")
        assert trio.current_time() == 0.0
        assert tree.ref("a").place() is None


async def test_an_actor_that_waits_for_the_drain_ends_in_its_own_way(autojump_clock: object) -> None:
    async def start(ctx: Context) -> None:
        seen.append(ctx.draining)
        ctx.started()
        await ctx.wait_draining()
        seen.append(ctx.draining)
        await trio.sleep(1.5)

    seen: list[bool] = []
    diary = Diary()
    async with running(worker("a", start), diary=diary) as tree:
        report = await tree.stop(drain_s=30, hard_s=1)
        assert report.ended_at == 1.5
        assert seen == [False, True]
        assert diary.one(ActorExited).reason == Normal()


async def test_an_actor_that_takes_no_notice_of_a_drain_is_cancelled_at_once(autojump_clock: object) -> None:
    async def start(ctx: Context) -> None:
        ctx.started()
        await trio.sleep_forever()

    diary = Diary()
    async with running(worker("a", start), diary=diary) as tree:
        report = await tree.stop(drain_s=30, hard_s=1)
        assert report.ended_at == 0.0
        assert isinstance(diary.one(ActorExited).reason, Shutdown)


async def test_the_inbox_ends_when_a_drain_finds_it_empty(autojump_clock: object) -> None:
    handled: list[object] = []

    async def start(ctx: Context) -> None:
        inbox = ctx.inbox
        ctx.started()
        while True:
            try:
                envelope = await inbox.receive()
            except trio.EndOfChannel:
                return
            await trio.sleep(1)
            handled.append(envelope.message)
            envelope.reply(None)

    diary = Diary()
    async with running(worker("a", start), diary=diary) as tree:
        for number in range(3):
            await tree.ref("a").tell(number)
        report = await tree.stop(drain_s=30, hard_s=1)

        assert handled == [0, 1, 2]
        assert report.ended_at == 3.0
        assert diary.one(ActorExited).reason == Normal()


async def test_a_second_stop_skips_straight_to_cancellation(autojump_clock: object) -> None:
    async with running(worker("a", serving(for_ever))) as tree, trio.open_nursery() as nursery:
        answers = Answers(nursery)
        answers.ask(tree.ref("a"), "in hand")
        await settle()
        nursery.start_soon(stop, tree, 1_000)
        await trio.sleep(2)
        assert "in hand" not in answers.got

        report = await tree.stop(drain_s=0, hard_s=1)

        assert (report.began_at, report.ended_at) == (0.0, 2.0)
        assert isinstance(answers.got["in hand"], ActorFailed)


async def test_a_stop_names_the_actors_that_ignore_it_and_returns_all_the_same(autojump_clock: object) -> None:
    async def handler(envelope: Envelope) -> object:
        with bounded_shield(100):
            await trio.sleep(50)
        return None

    async with running(worker("a", serving(handler)), worker("b", serving(echo))) as tree:
        tree.ref("a").cast("stick")
        await settle()
        report = await tree.stop(drain_s=1, hard_s=2)

        assert report.wedged == ("a",)
        assert report.ended_at <= 3.5
    # The block could not end before its last task did.
    assert trio.current_time() == 50.0


async def test_an_actor_whose_clean_up_fails_is_not_restarted_but_told_of(autojump_clock: object) -> None:
    async def start(ctx: Context) -> None:
        ctx.started()
        try:
            await trio.sleep_forever()
        finally:
            raise Boom("clean-up")

    diary = Diary()
    async with running(worker("a", start), diary=diary) as tree:
        await tree.stop(drain_s=0, hard_s=1)
        reason = diary.one(ActorExited).reason
        assert isinstance(reason, Shutdown)
        assert reason.error == "Boom: clean-up"


async def test_after_the_stop_every_ask_is_undelivered_at_once(autojump_clock: object) -> None:
    async with running(worker("a", serving(echo)), worker("b", taking_turns(lambda envelope: 1))) as tree:
        await tree.stop(drain_s=0, hard_s=1)
        for name in "ab":
            assert await tree.ref(name).ask("late", deadline=in_s(60)) == Undelivered(reason="stopping")
            assert not tree.ref(name).cast("late")
        report = await tree.stop(drain_s=0, hard_s=1)
        assert report.undelivered == 4
        assert trio.current_time() == 0.0


async def test_a_body_that_ends_leaves_the_tree_its_time_to_drain(autojump_clock: object) -> None:
    finished: list[object] = []

    async def handler(envelope: Envelope) -> object:
        await trio.sleep(2.0)
        finished.append(envelope.message)
        return None

    async with running(worker("a", serving(handler)), drain_s=10.0) as tree:
        await tree.ref("a").tell("work")
    assert finished == ["work"]
    assert trio.current_time() == 2.0


async def test_a_body_that_raises_gets_its_own_exception_back_and_a_quick_stop(autojump_clock: object) -> None:
    async def body() -> None:
        async with running(worker("a", serving(for_ever)), drain_s=10.0) as tree:
            await tree.ref("a").tell("work")
            await settle()
            raise Boom("mine")

    with pytest.raises(Boom, match="mine"):
        await body()
    assert trio.current_time() == 0.0


async def test_a_group_that_a_body_raises_is_not_unwrapped(autojump_clock: object) -> None:
    async def body() -> None:
        async with running(worker("a", serving(echo))):
            raise ExceptionGroup("mine", [Boom()])

    with pytest.raises(ExceptionGroup, match="mine") as raised:
        await body()
    assert raised.value.message == "mine"


async def test_a_cancelled_host_still_stops_its_actors_in_order(autojump_clock: object) -> None:
    """What the upper actor says to the lower one on its way out is heard: books are settled, say."""
    booked: list[object] = []

    async def start(ctx: Context) -> None:
        async def handler(envelope: Envelope) -> object:
            try:
                await trio.sleep_forever()
            finally:
                with bounded_shield(0.5):
                    booked.append(await ctx.ref("books").ask("settle", deadline=in_s(1)))

        ctx.started()
        await ctx.serve(handler)

    async def books(ctx: Context) -> None:
        ctx.started()
        await ctx.serve_turns(lambda envelope: ("booked", envelope.message))

    diary = Diary()
    specs = worker("books", books), worker("above", start, uses=("books",))
    with trio.move_on_after(1) as scope:
        async with running(*specs, diary=diary) as tree:
            await tree.ref("above").tell("work")
            await trio.sleep_forever()

    assert scope.cancelled_caught
    assert booked == [("booked", "settle")]
    assert [name for name, _ in exits(diary)] == ["above", "books"]
    assert trio.current_time() == 1.0


async def test_a_cancelled_host_waits_no_longer_than_the_hard_limit_for_those_who_obey_late(
    autojump_clock: object,
) -> None:
    async def handler(envelope: Envelope) -> object:
        try:
            await trio.sleep_forever()
        finally:
            with bounded_shield(3):
                await trio.sleep(3)

    with trio.move_on_after(1):
        async with running(worker("a", serving(handler)), hard_s=1.0) as tree:
            await tree.ref("a").tell("work")
            await trio.sleep_forever()
    assert trio.current_time() == 4.0


async def test_a_host_cancelled_in_the_midst_of_its_drain_stops_at_once(autojump_clock: object) -> None:
    with trio.move_on_after(5):
        async with running(worker("a", serving(for_ever)), drain_s=1_000.0) as tree:
            await tree.ref("a").tell("work")
    assert trio.current_time() == 5.0


async def test_two_trees_in_one_loop_know_nothing_of_each_other(autojump_clock: object) -> None:
    async with running(worker("a", serving(echo))) as one, running(worker("a", serving(two_seconds))) as other:
        assert await one.ref("a").ask("x", deadline=in_s(1)) == "x"
        assert one.ref("a") != other.ref("a")
        await one.stop(drain_s=0, hard_s=1)
        assert await other.ref("a").ask("y", deadline=in_s(5)) == "y"


async def test_an_empty_tree_opens_and_closes(autojump_clock: object) -> None:
    async with open_tree(SupervisorSpec(id="root")) as tree:
        assert tree.status() == ()
    assert trio.current_time() == 0.0
