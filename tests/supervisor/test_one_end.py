"""The first end of a dialog is its only one, order is order, and what came too late is counted: the close calls."""

from __future__ import annotations

import pytest
import trio

from manus.sim.determinism import simulate
from manus.supervisor.context import Context
from manus.supervisor.envelope import Envelope
from manus.supervisor.events import DeadLetter
from manus.supervisor.shield import bounded_shield
from manus.supervisor.terminals import Expired
from tests.supervisor.rig import Answers, Boom, Diary, in_s, running, serving, settle, worker


async def test_a_crash_after_the_deadline_does_not_change_the_outcome(autojump_clock: object) -> None:
    """The handler, still in hand after its asker was told `Expired`, is answered for once more when its actor dies."""

    async def handler(envelope: Envelope) -> object:
        with bounded_shield(100):
            await trio.sleep(50)
        return "far too late"

    async with running(worker("a", serving(handler))) as tree:
        with tree.ref("a").ask_stream("work", deadline=3.0) as dialog:
            assert await dialog.outcome() == Expired(where="running")
            tree.crash("a", Boom())
            await settle()
            assert await dialog.outcome() == Expired(where="running")


async def test_an_ask_right_after_a_turn_does_not_overtake_what_the_turn_sent(autojump_clock: object) -> None:
    """The actor is idle again, but what its last turn sent to itself still waits for a scheduler pass."""
    seen: list[object] = []

    async def start(ctx: Context) -> None:
        def handler(envelope: Envelope) -> object:
            seen.append(envelope.message)
            if envelope.message == 1:
                tree.ref("a").cast(2)
            return None

        ctx.started()
        await ctx.serve_turns(handler)

    async with running(worker("a", start)) as tree:
        await tree.ref("a").ask(1, deadline=in_s(5))
        await tree.ref("a").ask(3, deadline=in_s(5))
        assert seen == [1, 2, 3]


async def test_late_replies_are_in_the_statistics(autojump_clock: object) -> None:
    async def handler(envelope: Envelope) -> object:
        with bounded_shield(10):
            await trio.sleep(5)
        return "late"

    async with running(worker("a", serving(handler))) as tree:
        await tree.ref("a").ask("work", deadline=1.0)
        await trio.sleep(10)
        mailbox = tree.status()[0].mailbox
        assert mailbox is not None
        assert mailbox.late_replies == 1


@pytest.mark.parametrize("schedule_seed", range(8))
def test_no_work_begins_in_the_very_tick_of_its_deadline(schedule_seed: int) -> None:
    """Whoever comes first in that tick, the watch over deadlines or the actor that has a place again."""
    begun: list[tuple[object, float]] = []

    async def handler(envelope: Envelope) -> object:
        begun.append((envelope.message, trio.current_time()))
        await trio.sleep(1.0)
        return "done"

    async def main() -> None:
        async with running(worker("a", serving(handler, places=1))) as tree, trio.open_nursery() as nursery:
            answers = Answers(nursery)
            answers.ask(tree.ref("a"), "first")
            await settle()
            answers.ask(tree.ref("a"), "second", within_s=1.0)
            await trio.sleep(5.0)
            assert answers.got == {"first": "done", "second": Expired(where="queued")}
            assert begun == [("first", 0.0)]

    simulate(main, schedule_seed=schedule_seed, horizon_s=100.0, fenced=False)


async def test_an_actor_that_ignores_its_cancellation_takes_no_more_messages(autojump_clock: object) -> None:
    """Not before its grace is over, nor between that and the start of its successor."""

    async def start(ctx: Context) -> None:
        inbox = ctx.inbox
        ctx.started()
        with bounded_shield(30.0):
            try:
                while True:
                    (await inbox.receive()).reply(ctx.generation)
            except (trio.ClosedResourceError, trio.EndOfChannel):
                await trio.sleep(20.0 if ctx.generation == 1 else 0.0)

    async with running(worker("a", start, shutdown_s=2.0)) as tree:
        assert await tree.ref("a").ask("x", deadline=in_s(1)) == 1
        tree.cancel_incarnation("a")
        await settle()
        async with trio.open_nursery() as nursery:
            answers = Answers(nursery)
            answers.ask(tree.ref("a"), "before it is fenced")
            await trio.sleep(2.5)
            answers.ask(tree.ref("a"), "after it is fenced")
        assert answers.got == {"before it is fenced": 2, "after it is fenced": 2}


async def test_no_handler_is_begun_for_a_request_that_a_crash_in_the_same_tick_answered(autojump_clock: object) -> None:
    """Its asker was told that nothing had been done yet, and may have done it elsewhere."""
    begun: list[object] = []

    async def handler(envelope: Envelope) -> object:
        begun.append(envelope.message)
        return "done"

    diary = Diary()
    async with running(worker("a", serving(handler)), diary=diary) as tree:
        tree.ref("a").cast("work")
        tree.crash("a", Boom())
        await settle()
        assert diary.one(DeadLetter).why == "crashed"
        assert begun == []
