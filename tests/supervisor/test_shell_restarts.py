"""What happens to whom when an incarnation ends: the table of exits, row by row."""

from __future__ import annotations

import pytest
import trio

from manus.supervisor.context import Context
from manus.supervisor.control import DrainNow
from manus.supervisor.envelope import LATER, Envelope, Phase
from manus.supervisor.events import ActorExited, ActorStarted, DeadLetter, RestartScheduled, StartFailed
from manus.supervisor.reasons import Crashed, InitFailed, Normal, Shutdown
from manus.supervisor.shield import bounded_shield
from manus.supervisor.spec import Intensity, MailboxSpec
from manus.supervisor.terminals import ActorFailed, Expired, Undelivered
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


async def test_a_request_in_hand_is_answered_before_the_back_off_begins(autojump_clock: object) -> None:
    async with running(worker("a", serving(for_ever))) as tree, trio.open_nursery() as nursery:
        answers = Answers(nursery)
        answers.ask(tree.ref("a"), "in hand")
        await settle()
        began = trio.current_time()

        tree.crash("a", Boom("secret words"))
        await settle()

        assert answers.got["in hand"] == ActorFailed(
            kind="actor_crashed", safe_to_retry=True, phase=Phase.QUEUED, detail="Boom"
        )
        assert answers.at["in hand"] == began
        assert tree.status()[0].state == "backoff"


@pytest.mark.parametrize(
    ("phase", "safe"),
    [(Phase.QUEUED, True), (Phase.SENDING, True), (Phase.SENT, False), (Phase.STREAMING, False)],
)
async def test_a_crash_is_safe_to_retry_only_before_anything_was_sent(
    autojump_clock: object, phase: Phase, safe: bool
) -> None:
    async def handler(envelope: Envelope) -> object:
        envelope.phase = phase
        await trio.sleep_forever()

    async with running(worker("a", serving(handler))) as tree, trio.open_nursery() as nursery:
        answers = Answers(nursery)
        answers.ask(tree.ref("a"), "work")
        await settle()
        tree.crash("a", Boom())
        await settle()

        failed = answers.got["work"]
        assert isinstance(failed, ActorFailed)
        assert (failed.phase, failed.safe_to_retry) == (phase, safe)


async def test_a_queued_request_survives_the_crash_and_is_served_by_the_next_incarnation(
    autojump_clock: object,
) -> None:
    async def start(ctx: Context) -> None:
        async def handler(envelope: Envelope) -> object:
            if envelope.message == "first" and ctx.generation == 1:
                await trio.sleep_forever()
            return ctx.generation

        ctx.started()
        await ctx.serve(handler, places=1)

    async with running(worker("a", start)) as tree, trio.open_nursery() as nursery:
        answers = Answers(nursery)
        answers.ask(tree.ref("a"), "first")
        await settle()
        answers.ask(tree.ref("a"), "queued")
        await settle()

        tree.crash("a", Boom())
        await trio.sleep(BACKOFF_S + 1)

        assert isinstance(answers.got["first"], ActorFailed)
        assert answers.got["queued"] == 2


async def test_what_expires_while_the_actor_is_down_is_told_so_and_never_started(autojump_clock: object) -> None:
    handled: list[object] = []

    async def handler(envelope: Envelope) -> object:
        handled.append(envelope.message)
        return "done"

    async with running(worker("a", serving(handler))) as tree, trio.open_nursery() as nursery:
        tree.crash("a", Boom())
        answers = Answers(nursery)
        answers.ask(tree.ref("a"), "impatient", within_s=BACKOFF_S / 2)
        answers.ask(tree.ref("a"), "patient")
        began = trio.current_time()
        await trio.sleep(BACKOFF_S + 1)

        assert answers.got == {"impatient": Expired(where="queued"), "patient": "done"}
        assert answers.at["impatient"] == began + BACKOFF_S / 2
        assert handled == ["patient"]


async def test_blocked_senders_keep_waiting_through_a_crash(autojump_clock: object) -> None:
    spec = worker("a", serving(echo, places=1), mailbox=MailboxSpec(capacity=1))
    async with running(spec) as tree, trio.open_nursery() as nursery:
        tree.crash("a", Boom())
        answers = Answers(nursery)
        for number in range(4):
            answers.ask(tree.ref("a"), number)
            await settle()
        assert (tree.status()[0].queued, tree.status()[0].blocked) == (1, 3)

        await trio.sleep(BACKOFF_S + 1)

        assert answers.got == {0: 0, 1: 1, 2: 2, 3: 3}
        assert answers.order == [0, 1, 2, 3]


async def test_what_a_stop_finds_in_hand_fails_as_stopped_and_what_it_finds_queued_is_undelivered(
    autojump_clock: object,
) -> None:
    spec = worker("a", serving(for_ever, places=1), mailbox=MailboxSpec(capacity=1))
    async with running(spec) as tree, trio.open_nursery() as nursery:
        answers = Answers(nursery)
        for message in ("in hand", "queued", "blocked"):
            answers.ask(tree.ref("a"), message)
            await settle()

        await tree.stop(drain_s=2.0, hard_s=1.0)
        await settle()

        assert answers.got["in hand"] == ActorFailed(kind="stopped", safe_to_retry=True, phase=Phase.QUEUED)
        assert answers.got["queued"] == Undelivered(reason="stopping")
        assert answers.got["blocked"] == Undelivered(reason="stopping")
        assert answers.at["blocked"] == 0.0
        assert answers.at["in hand"] == 2.0


async def test_a_caller_that_leaves_ends_its_own_request_and_no_other(autojump_clock: object) -> None:
    ended: list[object] = []

    async def handler(envelope: Envelope) -> object:
        try:
            await trio.sleep_forever()
        finally:
            ended.append(envelope.message)

    diary = Diary()
    async with running(worker("a", serving(handler)), diary=diary) as tree, trio.open_nursery() as nursery:
        ref = tree.ref("a")
        Answers(nursery).ask(ref, "stays")
        with trio.CancelScope() as leaving:
            leaving.deadline = in_s(1)
            await ref.ask("leaves", deadline=in_s(60))
        await settle()

        assert ended == ["leaves"]
        assert tree.status()[0].in_hand == 1
        assert diary.of(ActorExited) == []
        nursery.cancel_scope.cancel()


async def test_a_queued_request_whose_caller_left_is_never_started(autojump_clock: object) -> None:
    handled: list[object] = []
    finish = trio.Event()

    async def handler(envelope: Envelope) -> object:
        handled.append(envelope.message)
        await finish.wait()
        return "done"

    async with running(worker("a", serving(handler, places=1))) as tree, trio.open_nursery() as nursery:
        answers = Answers(nursery)
        answers.ask(tree.ref("a"), "first")
        await settle()
        with trio.move_on_after(1):
            await tree.ref("a").ask("leaves", deadline=in_s(60))
        answers.ask(tree.ref("a"), "last")
        await settle()
        finish.set()
        await settle()

        assert handled == ["first", "last"]


async def test_an_actor_that_fails_to_start_keeps_its_queue_until_it_is_given_up(autojump_clock: object) -> None:
    async def start(ctx: Context) -> None:
        if ctx.generation < 3:
            raise Boom("no luck")
        ctx.started()
        await ctx.serve(echo)

    diary = Diary()
    spec = worker("late", start, restart="permanent")
    async with running(worker("a", serving(echo)), diary=diary) as tree, trio.open_nursery() as nursery:
        ref = tree.add("root", spec)
        answers = Answers(nursery)
        answers.ask(ref, "early")
        await trio.sleep(2 * BACKOFF_S + 1)

        assert answers.got["early"] == "early"
        reasons = [event.reason for event in diary.of(StartFailed)]
        assert [reason.error for reason in reasons if isinstance(reason, InitFailed)] == ["Boom: no luck"] * 2


async def test_an_actor_that_never_says_started_is_cancelled_and_tried_again(autojump_clock: object) -> None:
    async def start(ctx: Context) -> None:
        if ctx.generation == 1:
            await trio.sleep_forever()
        ctx.started()
        await ctx.serve(echo)

    diary = Diary()
    async with running(worker("a", start, start_timeout_s=3.0), diary=diary) as tree:
        assert trio.current_time() == 3.0 + BACKOFF_S
        assert diary.one(StartFailed).reason == InitFailed(error="not started within 3 s")
        assert tree.status()[0].generation == 2


async def test_a_queue_that_waited_for_an_actor_in_vain_is_undelivered(autojump_clock: object) -> None:
    async def start(ctx: Context) -> None:
        await trio.sleep(1)
        raise Boom

    async with running(worker("a", serving(echo))) as tree, trio.open_nursery() as nursery:
        ref = tree.add("root", worker("once", start, restart="temporary"))
        answers = Answers(nursery)
        answers.ask(ref, "vain")
        await trio.sleep(2)

        assert answers.got["vain"] == Undelivered(reason="unavailable")


@pytest.mark.parametrize(
    ("restart", "end", "comes_back"),
    [
        ("permanent", "normal", True),
        ("permanent", "crash", True),
        ("permanent", "cancelled", True),
        ("transient", "normal", False),
        ("transient", "crash", True),
        ("transient", "cancelled", False),
        ("temporary", "normal", False),
        ("temporary", "crash", False),
        ("temporary", "cancelled", False),
    ],
)
async def test_who_comes_back_after_which_end(autojump_clock: object, restart: str, end: str, comes_back: bool) -> None:
    finish = trio.Event()

    async def start(ctx: Context) -> None:
        ctx.started()
        if ctx.generation == 1:
            await finish.wait()
        else:
            await trio.sleep_forever()

    diary = Diary()
    async with running(worker("a", start, restart=restart), diary=diary) as tree:
        match end:
            case "normal":
                finish.set()
            case "crash":
                tree.crash("a", Boom())
            case _:
                tree.cancel_incarnation("a")
        await trio.sleep(BACKOFF_S + 1)

        reasons: dict[str, type[object]] = {"normal": Normal, "crash": Crashed, "cancelled": Shutdown}
        assert type(diary.of(ActorExited)[0].reason) is reasons[end]
        assert tree.status()[0].generation == (2 if comes_back else 1)
        assert tree.status()[0].state == ("running" if comes_back else "stopped")
        assert len(diary.of(RestartScheduled)) == comes_back


async def test_a_crashed_request_spares_its_siblings_until_the_fault_budget_is_spent(autojump_clock: object) -> None:
    async def handler(envelope: Envelope) -> object:
        if envelope.message == "healthy":
            await trio.sleep_forever()
        raise Boom

    diary = Diary()
    async with running(worker("a", serving(handler)), diary=diary) as tree, trio.open_nursery() as nursery:
        ref, answers = tree.ref("a"), Answers(nursery)
        answers.ask(ref, "healthy")
        await settle()
        for _ in range(3):
            failed = await ref.ask("poison", deadline=in_s(5))
            assert isinstance(failed, ActorFailed)
            assert failed.kind == "request_crashed"
        assert "healthy" not in answers.got

        await ref.ask("poison", deadline=in_s(5))
        await settle()

        healthy = answers.got["healthy"]
        assert isinstance(healthy, ActorFailed)
        assert healthy.kind == "actor_crashed"
        reason = diary.one(ActorExited).reason
        assert isinstance(reason, Crashed)
        assert "fault budget" in reason.traceback


async def test_faults_that_lie_far_apart_do_not_spend_the_budget(autojump_clock: object) -> None:
    async def handler(envelope: Envelope) -> object:
        raise Boom

    async with running(worker("a", serving(handler))) as tree:
        for _ in range(12):
            await tree.ref("a").ask("poison", deadline=in_s(5))
            await trio.sleep(3.5)
        assert tree.status()[0].generation == 1


async def test_an_exception_in_the_actors_own_task_takes_it_down(autojump_clock: object) -> None:
    fall = trio.Event()

    async def faller() -> None:
        await fall.wait()
        raise Boom

    async def start(ctx: Context) -> None:
        ctx.nursery.start_soon(faller)
        ctx.started()
        await ctx.serve(for_ever)

    async with running(worker("a", start)) as tree, trio.open_nursery() as nursery:
        answers = Answers(nursery)
        answers.ask(tree.ref("a"), "work")
        await settle()
        fall.set()
        await settle()

        failed = answers.got["work"]
        assert isinstance(failed, ActorFailed)
        assert failed.kind == "actor_crashed"


async def test_nobody_waits_for_the_siblings_of_what_crashed_to_clean_up(autojump_clock: object) -> None:
    fall = trio.Event()

    async def faller() -> None:
        await fall.wait()
        raise Boom

    async def handler(envelope: Envelope) -> object:
        try:
            await trio.sleep_forever()
        finally:
            with bounded_shield(2):
                await trio.sleep(2)

    async def start(ctx: Context) -> None:
        ctx.nursery.start_soon(faller)
        ctx.started()
        await ctx.serve(handler)

    async with running(worker("a", start)) as tree, trio.open_nursery() as nursery:
        answers = Answers(nursery)
        answers.ask(tree.ref("a"), "work")
        await settle()
        fall.set()
        await trio.sleep(1)

        assert isinstance(answers.got["work"], ActorFailed)
        assert answers.at["work"] == 0.0
        assert tree.status()[0].state == "running"


async def test_a_crash_names_the_type_of_its_error_to_those_it_fails(autojump_clock: object) -> None:
    async def start(ctx: Context) -> None:
        inbox = ctx.inbox
        ctx.started()
        await inbox.receive()
        raise Boom("never these words")

    async with running(worker("a", start)) as tree:
        failed = await tree.ref("a").ask("work", deadline=in_s(5))
        assert failed == ActorFailed(kind="actor_crashed", safe_to_retry=True, phase=Phase.QUEUED, detail="Boom")


async def test_restarts_leave_no_task_behind(autojump_clock: object) -> None:
    async with running(worker("a", serving(echo), intensity=Intensity(max_restarts=9))) as tree:
        before = trio.lowlevel.current_statistics().tasks_living
        for _ in range(5):
            tree.crash("a", Boom())
            await trio.sleep(BACKOFF_S)
            await settle()
        assert trio.lowlevel.current_statistics().tasks_living == before


async def test_a_tell_that_dies_in_the_hands_of_its_actor_is_a_dead_letter(autojump_clock: object) -> None:
    diary = Diary()
    async with running(worker("a", serving(for_ever)), diary=diary) as tree:
        await tree.ref("a").tell("note")
        await settle()
        tree.crash("a", Boom())
        await settle()

        letter = diary.one(DeadLetter)
        assert (letter.why, letter.message) == ("crashed", "str")


async def test_a_reply_promised_for_later_is_answered_for_when_the_actor_ends_without_it(
    autojump_clock: object,
) -> None:
    finish = trio.Event()

    async def start(ctx: Context) -> None:
        async def handler(envelope: Envelope) -> object:
            return LATER

        async def serve() -> None:
            await ctx.serve(handler)

        ctx.nursery.start_soon(serve)
        ctx.started()
        await finish.wait()
        ctx.nursery.cancel_scope.cancel()

    async with running(worker("a", start)) as tree, trio.open_nursery() as nursery:
        answers = Answers(nursery)
        answers.ask(tree.ref("a"), "work")
        await settle()
        assert tree.status()[0].in_hand == 1
        finish.set()
        await settle()

        assert isinstance(answers.got["work"], ActorFailed)


async def test_order_is_kept_across_restarts(autojump_clock: object) -> None:
    seen: list[object] = []

    def handler(envelope: Envelope) -> object:
        seen.append(envelope.message)
        if envelope.message in (3, 7):
            raise Boom
        return None

    async with running(worker("a", taking_turns(handler), intensity=Intensity(max_restarts=9))) as tree:
        for number in range(10):
            await tree.ref("a").tell(number)
        await trio.sleep(3 * BACKOFF_S)

        assert seen == list(range(10))


async def test_an_actor_started_anew_has_its_durable_cell_and_nothing_else(autojump_clock: object) -> None:
    made = 0

    def cell() -> list[int]:
        nonlocal made
        made += 1
        return []

    async def start(ctx: Context) -> None:
        ctx.cell.append(ctx.generation)
        ctx.started()
        await trio.sleep_forever()

    diary = Diary()
    async with running(worker("a", start, cell=cell), diary=diary) as tree:
        tree.crash("a", Boom())
        await trio.sleep(BACKOFF_S + 1)

        assert made == 1
        assert tree._ground.slots["a"].cell == [1, 2]
        assert [event.generation for event in diary.of(ActorStarted)] == [1, 2]


async def test_a_full_control_lane_is_reported_and_never_waited_for(autojump_clock: object) -> None:
    async with running(worker("a", serving(echo), mailbox=MailboxSpec(control_capacity=1))) as tree:
        incarnation = tree._incarnation("a")
        assert incarnation.order(DrainNow())
        assert incarnation.order(DrainNow())
        assert not incarnation.order(DrainNow())


async def test_what_an_actor_emits_goes_over_the_bus(autojump_clock: object) -> None:
    async def start(ctx: Context) -> None:
        ctx.emit(("hello from", ctx.id))
        ctx.started()
        await trio.sleep_forever()

    diary = Diary()
    async with running(worker("a", start), diary=diary):
        assert ("hello from", "a") in diary.events


async def test_an_actor_that_is_crashed_twice_dies_once(autojump_clock: object) -> None:
    diary = Diary()
    async with running(worker("a", serving(echo)), diary=diary) as tree:
        incarnation = tree._incarnation("a")
        incarnation.crash(Boom("first"))
        incarnation.crash(Boom("second"))
        await trio.sleep(BACKOFF_S + 1)
        incarnation.crash(Boom("late"))
        await settle()

        reason = diary.one(ActorExited).reason
        assert isinstance(reason, Crashed)
        assert (reason.error, reason.related) == ("Boom: first", ())
