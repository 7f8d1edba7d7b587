"""Hung and wedged incarnations: found, told with where they are stuck, replaced, and fenced."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec
import pytest
import trio

from manus.supervisor.bus import EventBus
from manus.supervisor.context import Context
from manus.supervisor.envelope import Envelope
from manus.supervisor.events import ActorExited, ActorStarted, Escalated, Hung, LateReply, ShutdownOverran, Wedged
from manus.supervisor.liveness import ProgressJudge
from manus.supervisor.mailbox import Commons, Slot, SlotStatistics
from manus.supervisor.reasons import Hung as HungReason
from manus.supervisor.reasons import Wedged as WedgedReason
from manus.supervisor.shield import bounded_shield
from manus.supervisor.spec import Intensity, Liveness, MailboxSpec
from manus.supervisor.terminals import ActorFailed
from manus.supervisor.tree import RuntimeFailed
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
    worker,
)

PROGRESS = Liveness(progress_timeout_s=4.0)


async def stuck_in_the_basement(seconds: float) -> None:
    """A frame whose name the tests look for."""
    with bounded_shield(seconds):
        await trio.sleep(seconds)


async def test_an_actor_with_queued_work_and_no_progress_is_found_hanging(autojump_clock: object) -> None:
    async def waits_in_the_attic(envelope: Envelope) -> object:
        await trio.sleep_forever()

    diary = Diary()
    spec = worker("a", serving(waits_in_the_attic, places=1), liveness=PROGRESS)
    async with running(spec, diary=diary) as tree, trio.open_nursery() as nursery:
        answers = Answers(nursery)
        answers.ask(tree.ref("a"), "in hand")
        await settle()
        answers.ask(tree.ref("a"), "queued")
        await trio.sleep(5.5)

        hung = diary.one(Hung)
        assert hung.kind == "progress"
        assert 4.0 <= hung.busy_s <= 5.0
        assert "waits_in_the_attic" in hung.stack
        failed = answers.got["in hand"]
        assert isinstance(failed, ActorFailed)
        assert failed.kind == "actor_hung"
        assert isinstance(diary.one(ActorExited).reason, HungReason)

        await trio.sleep(BACKOFF_S)
        assert (tree.status()[0].generation, tree.status()[0].in_hand) == (2, 1)
        nursery.cancel_scope.cancel()


async def test_an_actor_that_works_on_is_not_found_hanging_however_long_one_request_takes(
    autojump_clock: object,
) -> None:
    async def handler(envelope: Envelope) -> object:
        await trio.sleep(3.0)
        return envelope.message

    diary = Diary()
    spec = worker("a", serving(handler, places=1), liveness=PROGRESS)
    async with running(spec, diary=diary) as tree, trio.open_nursery() as nursery:
        answers = Answers(nursery)
        for number in range(6):
            answers.ask(tree.ref("a"), number)
        await trio.sleep(20)

        assert sorted(answers.order) == list(range(6))  # type: ignore[type-var]
        assert diary.of(Hung) == []


async def test_an_idle_actor_is_not_found_hanging(autojump_clock: object) -> None:
    diary = Diary()
    async with running(worker("a", serving(echo), liveness=PROGRESS), diary=diary) as tree:
        await trio.sleep(1_000)
        assert diary.of(Hung) == []
        assert tree.status()[0].generation == 1


@pytest.mark.parametrize("from_within", [False, True])
async def test_an_actor_that_cannot_come_to_its_end_answers_no_pings(autojump_clock: object, from_within: bool) -> None:
    """Its crash was answered for at once; the ping finds that the rest of it does not go."""
    fall = trio.Event()

    async def faller() -> None:
        await fall.wait()
        raise Boom

    async def start(ctx: Context) -> None:
        if ctx.generation == 1:
            ctx.nursery.start_soon(stuck_in_the_basement, 1_000)
            ctx.nursery.start_soon(faller)
        ctx.started()
        await ctx.serve(for_ever)

    diary = Diary()
    spec = worker("a", start, shutdown_s=20.0, liveness=Liveness(ping_interval_s=2.0, ping_timeout_s=1.0))
    async with running(spec, diary=diary) as tree, trio.open_nursery() as nursery:
        answers = Answers(nursery)
        answers.ask(tree.ref("a"), "in hand")
        await trio.sleep(1)
        if from_within:
            fall.set()
        else:
            tree.crash("a", Boom())
        await settle()
        failed = answers.got["in hand"]
        assert isinstance(failed, ActorFailed)
        assert (failed.kind, answers.at["in hand"]) == ("actor_crashed", 1.0)

        await trio.sleep(2.5)
        hung = diary.one(Hung)
        assert (hung.kind, hung.at) == ("ping", 3.0)
        assert "stuck_in_the_basement" in hung.stack
        await trio.sleep(30)
        assert tree.status()[0].generation == 2
        await tree.stop(drain_s=0, hard_s=1)


@pytest.mark.parametrize("liveness", [None, Liveness()])
async def test_a_crash_that_never_ends_is_noticed_without_pings_too(
    autojump_clock: object, liveness: Liveness | None
) -> None:
    async def start(ctx: Context) -> None:
        if ctx.generation == 1:
            ctx.nursery.start_soon(stuck_in_the_basement, 100)
        ctx.started()
        await ctx.serve(echo)

    diary = Diary()
    spec = worker("a", start, shutdown_s=2.0, liveness=liveness)
    async with running(spec, diary=diary) as tree:
        tree.crash("a", Boom())
        await trio.sleep(2 * 2.0 + BACKOFF_S + 0.5)

        assert "stuck_in_the_basement" in diary.one(Wedged).stack
        assert await tree.ref("a").ask("next", deadline=in_s(1)) == "next"
        assert tree.status()[0].zombies == 1


async def test_a_wedged_incarnation_is_fenced_and_the_next_one_works_alongside(autojump_clock: object) -> None:
    async def handler_that_lasts(envelope: Envelope) -> object:
        await stuck_in_the_basement(50)
        return "from the grave"

    async def start(ctx: Context) -> None:
        ctx.started()
        await ctx.serve(handler_that_lasts if ctx.generation == 1 else echo, places=1)

    diary = Diary()
    spec = worker("a", start, shutdown_s=3.0, liveness=PROGRESS)
    async with running(spec, diary=diary) as tree, trio.open_nursery() as nursery:
        answers = Answers(nursery)
        answers.ask(tree.ref("a"), "in hand", trace_id="t1")
        await settle()
        answers.ask(tree.ref("a"), "queued")

        await trio.sleep(5.5 + 3.0 + BACKOFF_S)

        wedged = diary.one(Wedged)
        assert (wedged.generation, wedged.zombies) == (1, 1)
        assert "stuck_in_the_basement" in wedged.stack
        assert diary.one(ShutdownOverran).phase == "cancel"
        assert isinstance(diary.one(ActorExited).reason, WedgedReason)
        failed = answers.got["in hand"]
        assert isinstance(failed, ActorFailed)
        assert failed.kind == "actor_hung"
        assert answers.got["queued"] == "queued"
        assert tree.status()[0].zombies == 1

        await trio.sleep(60)
        late = diary.one(LateReply)
        assert (late.fenced, late.generation, late.trace_id) == (True, 1, "t1")
        assert tree.status()[0].zombies == 0
        assert tree.status()[0].generation == 2


async def test_a_fenced_actor_can_receive_nothing_from_its_inbox(autojump_clock: object) -> None:
    closed: list[str] = []

    async def start(ctx: Context) -> None:
        inbox = ctx.inbox
        ctx.started()
        if ctx.generation == 1:
            with trio.CancelScope(shield=True):
                while True:
                    try:
                        envelope = await inbox.receive()
                    except trio.ClosedResourceError:
                        closed.append("closed")
                        await trio.sleep(20)
                        return
                    envelope.reply("one")
        while True:
            (await inbox.receive()).reply("two")

    diary = Diary()
    async with running(worker("a", start, shutdown_s=2.0), diary=diary) as tree:
        assert await tree.ref("a").ask("x", deadline=in_s(1)) == "one"
        tree.cancel_incarnation("a")
        await settle()
        assert closed == ["closed"]
        assert await tree.ref("a").ask("y", deadline=in_s(60)) == "two"


async def serve_requests(ctx: Context, log: list[object]) -> None:
    async def handler(envelope: Envelope) -> object:
        log.append((ctx.generation, envelope.message))
        with bounded_shield(20) if ctx.generation == 1 else trio.CancelScope():
            await trio.sleep(10)
        return ctx.generation

    await ctx.serve(handler, places=1)


async def serve_turns(ctx: Context, log: list[object]) -> None:
    await ctx.serve_turns(lambda envelope: log.append((ctx.generation, envelope.message)))


async def serve_by_loop(ctx: Context, log: list[object]) -> None:
    inbox = ctx.inbox
    while True:
        envelope = await inbox.receive()
        log.append((ctx.generation, envelope.message))
        await trio.sleep(10)
        envelope.reply(ctx.generation)


@pytest.mark.parametrize("serve", [serve_requests, serve_turns, serve_by_loop])
async def test_a_zombie_takes_nothing_and_answers_for_nothing_that_is_its_successors(
    autojump_clock: object, serve: Callable[[Context, list[object]], Awaitable[None]]
) -> None:
    log: list[object] = []

    async def start(ctx: Context) -> None:
        ctx.started()
        with bounded_shield(20) if ctx.generation == 1 else trio.CancelScope():
            try:
                await serve(ctx, log)
            except trio.ClosedResourceError:
                await trio.sleep(15)

    spec = worker("a", start, shutdown_s=1.0, mailbox=MailboxSpec(capacity=1_000))
    async with running(spec) as tree, trio.open_nursery() as nursery:
        answers = Answers(nursery)
        answers.ask(tree.ref("a"), 0)
        await settle()
        tree.cancel_incarnation("a")
        for number in range(1, 100):
            answers.ask(tree.ref("a"), number, within_s=10_000)
        await trio.sleep(30)

        assert log[0] == (1, 0)
        assert log.count((1, 0)) == len([entry for entry in log if isinstance(entry, tuple) and entry[0] == 1])
        assert tree.status()[0].generation == 2
        assert [message for message, answer in answers.got.items() if isinstance(answer, ActorFailed)] in ([0], [])
        assert len(log) > 2
        nursery.cancel_scope.cancel()


async def test_a_zombie_in_the_midst_of_its_queue_leaves_the_rest_to_its_successor(autojump_clock: object) -> None:
    log: list[tuple[int, object]] = []
    hold = trio.Event()

    async def start(ctx: Context) -> None:
        ctx.started()
        await hold.wait()
        with bounded_shield(20) if ctx.generation == 1 else trio.CancelScope():
            await ctx.serve_turns(lambda envelope: log.append((ctx.generation, envelope.message)))

    async def strike() -> None:
        await hold.wait()
        while not log:
            await trio.lowlevel.checkpoint()
        tree.cancel_incarnation("a")

    spec = worker("a", start, shutdown_s=1.0, mailbox=MailboxSpec(capacity=1_000))
    async with running(spec) as tree, trio.open_nursery() as nursery:
        for number in range(1_000):
            tree.ref("a").cast(number)
        nursery.start_soon(strike)
        await settle()
        hold.set()
        await trio.sleep(2 * 1.0 + BACKOFF_S + 0.5)

        assert [message for _, message in log] == list(range(1_000))
        by_zombie = len([generation for generation, _ in log if generation == 1])
        assert 0 < by_zombie < 500


async def test_a_second_zombie_of_one_child_escalates(autojump_clock: object) -> None:
    async def start(ctx: Context) -> None:
        ctx.started()
        await stuck_in_the_basement(30)

    diary = Diary()
    spec = worker("a", start, shutdown_s=1.0, intensity=Intensity(max_restarts=50, period_s=600.0))

    async def crash_until_it_fails() -> None:
        async with running(spec, diary=diary) as tree:
            for _ in range(2):
                tree.crash("a", Boom())
                await trio.sleep(2 * 1.0 + BACKOFF_S + 0.5)
            raise AssertionError("the tree should have failed")

    with pytest.raises(RuntimeFailed, match="a could not be kept running"):
        await crash_until_it_fails()
    assert diary.one(Escalated).child == "a"
    assert [event.generation for event in diary.of(ActorStarted)] == [1, 2]


def test_the_judge_of_progress_wants_waiting_work_and_no_change() -> None:
    idle = Slot("a", MailboxSpec(), Commons(EventBus(), str)).statistics()
    judge = ProgressJudge(3.0)

    def seen(queued: int, handled: int) -> SlotStatistics:
        return msgspec.structs.replace(idle, queued=queued, handled=handled)

    # Loop time, what waits, what was done so far.
    looks = [(0, 0, 0), (1, 1, 0), (3, 1, 0), (3.5, 0, 0), (5, 1, 0), (7.5, 1, 1), (10, 2, 1)]
    for now, queued, handled in looks:
        assert judge.stuck_s(seen(queued, handled), now) is None, now
    assert judge.stuck_s(seen(2, 1), 10.5) == 3.0
