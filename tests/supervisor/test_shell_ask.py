"""An ask has exactly one end, by its deadline and a tick, whatever the actor does."""

from __future__ import annotations

import gc
import weakref

import pytest
import trio

from manus.supervisor.bus import EventBus
from manus.supervisor.context import Context
from manus.supervisor.deadlines import ANSWER_GRACE_S
from manus.supervisor.envelope import LATER, Envelope
from manus.supervisor.events import ActorExited, LateReply, RequestCrashed
from manus.supervisor.mailbox import Commons, Slot
from manus.supervisor.reasons import Crashed
from manus.supervisor.shield import bounded_shield
from manus.supervisor.spec import MailboxSpec
from manus.supervisor.terminals import ActorFailed, Expired, Withdrawn
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


async def test_a_turn_runs_in_the_askers_own_task_without_a_scheduler_pass(autojump_clock: object) -> None:
    tasks: list[object] = []

    def handler(envelope: Envelope) -> object:
        tasks.append(trio.lowlevel.current_task())
        return "answer"

    async with running(worker("a", taking_turns(handler))) as tree:
        with trio.testing.assert_no_checkpoints():
            assert await tree.ref("a").ask("question", deadline=in_s(5)) == "answer"
        assert tasks == [trio.lowlevel.current_task()]


async def test_a_turn_answers_even_a_cancelled_asker(autojump_clock: object) -> None:
    """What must be said on the way out, a settlement say, is said."""
    async with running(worker("a", taking_turns(lambda envelope: "answer"))) as tree:
        with trio.CancelScope() as scope:
            scope.cancel()
            answer = await tree.ref("a").ask("question", deadline=in_s(5))
        assert answer == "answer"


async def test_a_turn_that_raises_crashes_its_actor_and_fails_its_asker(autojump_clock: object) -> None:
    def handler(envelope: Envelope) -> object:
        raise Boom

    diary = Diary()
    async with running(worker("a", taking_turns(handler)), diary=diary) as tree:
        failed = await tree.ref("a").ask("question", deadline=in_s(5))
        await settle()

        assert isinstance(failed, ActorFailed)
        assert (failed.kind, failed.detail) == ("actor_crashed", "Boom")
        assert isinstance(diary.one(ActorExited).reason, Crashed)


async def test_a_turn_may_answer_later(autojump_clock: object) -> None:
    held: list[Envelope] = []

    def handler(envelope: Envelope) -> object:
        held.append(envelope)
        return LATER

    async with running(worker("a", taking_turns(handler))) as tree, trio.open_nursery() as nursery:
        answers = Answers(nursery)
        answers.ask(tree.ref("a"), "question")
        await settle()
        assert tree.status()[0].in_hand == 1
        held[0].reply("at last")
        assert tree.status()[0].in_hand == 0
        await settle()

        assert answers.got["question"] == "at last"


@pytest.mark.parametrize("capacity", [0, 1_000])
async def test_many_waiting_turns_let_other_tasks_run_between_them_but_not_before_them(
    autojump_clock: object, capacity: int
) -> None:
    hold = trio.Event()
    handled: list[object] = []
    seen_by_other: list[int] = []

    async def start(ctx: Context) -> None:
        ctx.started()
        await hold.wait()
        await ctx.serve_turns(lambda envelope: handled.append(envelope.message))

    async def other() -> None:
        await hold.wait()
        for _ in range(3):
            await trio.lowlevel.checkpoint()
            seen_by_other.append(len(handled))
        await tree.ref("a").tell("other")

    spec = worker("a", start, mailbox=MailboxSpec(capacity=capacity))
    async with running(spec) as tree, trio.open_nursery() as nursery:
        nursery.start_soon(other)
        for number in range(1_000):
            nursery.start_soon(tree.ref("a").tell, number)
        await settle()
        hold.set()
        await settle()

        assert sorted(handled[:-1]) == list(range(1_000))  # type: ignore[type-var]
        assert handled[-1] == "other"
        assert max(seen_by_other) < 1_000


async def test_an_asker_whose_deadline_has_passed_is_told_so_and_nothing_is_started(autojump_clock: object) -> None:
    handled: list[object] = []
    async with running(worker("a", taking_turns(lambda envelope: handled.append(envelope)))) as tree:
        assert await tree.ref("a").ask("late", deadline=trio.current_time()) == Expired(where="queued")
        assert handled == []


async def test_a_handler_that_outlasts_the_deadline_is_cancelled_and_the_asker_told(autojump_clock: object) -> None:
    async with running(worker("a", serving(for_ever))) as tree:
        assert await tree.ref("a").ask("work", deadline=3.0) == Expired(where="running")
        assert trio.current_time() == 3.0
        await settle()
        assert tree.status()[0].in_hand == 0


async def test_an_asker_is_free_a_tick_after_the_deadline_though_the_handler_ignores_its_cancellation(
    autojump_clock: object,
) -> None:
    async def handler(envelope: Envelope) -> object:
        with bounded_shield(100):
            await trio.sleep(50)
        return "far too late"

    diary = Diary()
    async with running(worker("a", serving(handler)), diary=diary) as tree:
        assert await tree.ref("a").ask("work", deadline=3.0, trace_id="t1") == Expired(where="running")
        assert trio.current_time() == 3.0 + ANSWER_GRACE_S
        await trio.sleep(60)

        late = diary.one(LateReply)
        assert (late.actor, late.fenced, late.trace_id) == ("a", False, "t1")


async def test_a_handler_with_its_own_scope_may_still_answer_after_the_deadline_cancelled_it(
    autojump_clock: object,
) -> None:
    async def handler(envelope: Envelope) -> object:
        with envelope.scope:
            await trio.sleep_forever()
        return "what there was"

    async with running(worker("a", serving(handler, own_scope=True))) as tree:
        assert await tree.ref("a").ask("work", deadline=3.0) == "what there was"
        assert trio.current_time() == 3.0


async def test_a_handler_may_move_its_deadline_closer_and_the_ask_expires_then(autojump_clock: object) -> None:
    async def handler(envelope: Envelope) -> object:
        envelope.scope.deadline = in_s(1)
        await trio.sleep_forever()

    async with running(worker("a", serving(handler))) as tree:
        assert await tree.ref("a").ask("work", deadline=60.0) == Expired(where="running")
        assert trio.current_time() == 1.0


async def test_a_handler_cannot_put_off_the_deadline_of_its_asker(autojump_clock: object) -> None:
    async def handler(envelope: Envelope) -> object:
        envelope.scope.deadline = in_s(100)
        await trio.sleep_forever()

    async with running(worker("a", serving(handler))) as tree:
        assert await tree.ref("a").ask("work", deadline=3.0) == Expired(where="running")
        assert trio.current_time() == 3.0
        await settle()
        assert tree.status()[0].in_hand == 0


async def test_an_asker_that_leaves_is_not_missed(autojump_clock: object) -> None:
    """The handler returns in the very tick its asker is cancelled in: nothing is raised into the actor."""
    door = trio.Event()

    async def handler(envelope: Envelope) -> object:
        with trio.CancelScope(shield=True):
            await door.wait()
        return "answer"

    diary = Diary()
    async with running(worker("a", serving(handler, own_scope=True)), diary=diary) as tree:
        async with trio.open_nursery() as nursery:
            Answers(nursery).ask(tree.ref("a"), "work")
            await settle()
            nursery.cancel_scope.cancel()
        door.set()
        await settle()

        assert diary.one(LateReply).actor == "a"
        assert diary.of(ActorExited) == []
        assert tree.status()[0].in_hand == 0


async def test_leaving_cancels_the_handler_within_a_tick(autojump_clock: object) -> None:
    cancelled_at: list[float] = []

    async def handler(envelope: Envelope) -> object:
        try:
            await trio.sleep_forever()
        finally:
            cancelled_at.append(trio.current_time())

    async with running(worker("a", serving(handler))) as tree:
        with trio.move_on_after(2):
            await tree.ref("a").ask("work", deadline=in_s(60))
        await settle()
        assert cancelled_at == [2.0]


async def test_a_second_reply_is_a_bug(autojump_clock: object) -> None:
    async def start(ctx: Context) -> None:
        inbox = ctx.inbox
        ctx.started()
        envelope = await inbox.receive()
        envelope.reply("one")
        envelope.reply("two")

    diary = Diary()
    async with running(worker("a", start), diary=diary) as tree:
        assert await tree.ref("a").ask("work", deadline=in_s(5)) == "one"
        await settle()
        reason = diary.one(ActorExited).reason
        assert isinstance(reason, Crashed)
        assert "AssertionError" in reason.error
        assert "replied to twice" in reason.error


async def test_an_exception_group_from_a_handlers_own_nursery_fails_that_request_alone(
    autojump_clock: object,
) -> None:
    async def fall() -> None:
        raise Boom

    async def handler(envelope: Envelope) -> object:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fall)
            nursery.start_soon(trio.sleep_forever)
        return None

    diary = Diary()
    async with running(worker("a", serving(handler)), diary=diary) as tree:
        failed = await tree.ref("a").ask("work", deadline=in_s(5), trace_id="t1")

        assert isinstance(failed, ActorFailed)
        assert (failed.kind, failed.detail) == ("request_crashed", "Boom")
        crashed = diary.one(RequestCrashed)
        assert (crashed.error, crashed.trace_id) == ("Boom", "t1")
        assert diary.of(ActorExited) == []


async def test_the_text_of_errors_is_redacted_before_anybody_sees_it(autojump_clock: object) -> None:
    async def handler(envelope: Envelope) -> object:
        raise Boom("illegal header value 'sk-canary'")

    diary = Diary()
    redacting = running(
        worker("a", serving(handler)), diary=diary, redact=lambda text: text.replace("sk-canary", "[redacted]")
    )
    async with redacting as tree:
        failed = await tree.ref("a").ask("work", deadline=in_s(5))
        tree.crash("a", Boom("sk-canary again"))
        await settle()

        assert "sk-canary" not in repr((failed, diary.events, tree.status()))
        assert "[redacted]" in diary.one(RequestCrashed).error


async def test_an_actor_with_its_own_loop_has_in_hand_what_it_received_until_it_replies(
    autojump_clock: object,
) -> None:
    async def start(ctx: Context) -> None:
        inbox = ctx.inbox
        ctx.started()
        first = await inbox.receive()
        second = await inbox.receive()
        second.reply("second")
        await trio.sleep(1)
        first.reply("first")
        await trio.sleep_forever()

    async with running(worker("a", start)) as tree, trio.open_nursery() as nursery:
        answers = Answers(nursery)
        answers.ask(tree.ref("a"), 1)
        await settle()
        answers.ask(tree.ref("a"), 2)
        await settle()
        assert tree.status()[0].in_hand == 1
        await trio.sleep(2)

        assert answers.got == {1: "first", 2: "second"}
        assert tree.status()[0].in_hand == 0


async def test_receiving_is_a_checkpoint_and_a_cancelled_receive_takes_nothing(autojump_clock: object) -> None:
    taken: list[object] = []

    async def start(ctx: Context) -> None:
        inbox = ctx.inbox
        ctx.started()
        with trio.CancelScope() as scope:
            scope.cancel()
            taken.append(await inbox.receive())
        with trio.testing.assert_checkpoints():
            envelope = await inbox.receive()
        envelope.reply("taken")
        await trio.sleep_forever()

    async with running(worker("a", start)) as tree:
        assert await tree.ref("a").ask("work", deadline=in_s(5)) == "taken"
        assert taken == []


async def test_a_place_asker_and_a_plain_asker_get_the_same_answers(autojump_clock: object) -> None:
    async with running(worker("a", serving(echo))) as tree:
        place = tree.ref("a").place()
        assert place is not None
        assert await place.ask("same", deadline=in_s(5)) == await tree.ref("a").ask("same", deadline=in_s(5))


async def test_answered_asks_leave_nothing_behind(autojump_clock: object) -> None:
    """A deadline far away must not keep a message, and all it holds, until then."""

    class Luggage:
        pass

    alive: weakref.WeakSet[Luggage] = weakref.WeakSet()
    async with running(worker("a", serving(echo))) as tree:
        ref = tree.ref("a")
        for _ in range(1_000):
            luggage = Luggage()
            alive.add(luggage)
            assert await ref.ask(luggage, deadline=in_s(3600)) is luggage
        del luggage
        deadlines = tree._ground.commons.deadlines
        assert len(deadlines) == 0
        assert len(deadlines._heap) <= 65
        gc.collect()
        assert len(alive) == 0


async def test_refs_of_one_slot_are_equal_and_name_it(autojump_clock: object) -> None:
    async with running(worker("a", serving(echo)), worker("b", serving(echo))) as tree:
        assert tree.ref("a") == tree.ref("a")
        assert tree.ref("a") != tree.ref("b")
        assert len({tree.ref("a"), tree.ref("a"), tree.ref("b")}) == 2
        assert repr(tree.ref("a")) == "<Ref a>"
        with pytest.raises(LookupError, match="no actor 'c'"):
            tree.ref("c")


async def test_an_actor_holds_only_the_refs_its_spec_names(autojump_clock: object) -> None:
    async def start(ctx: Context) -> None:
        assert ctx.ref("a").id == "a"
        with pytest.raises(LookupError, match="add it to uses"):
            ctx.ref("b")
        ctx.started()
        await trio.sleep_forever()

    diary = Diary()
    specs = worker("a", serving(echo)), worker("b", serving(echo)), worker("c", start, uses=("a",))
    async with running(*specs, diary=diary) as tree:
        assert [status.state for status in tree.status()] == ["running"] * 3


async def test_a_withdrawn_ask_ends_as_withdrawn_and_one_out_of_time_as_expired(autojump_clock: object) -> None:
    async with running(worker("a", serving(for_ever))) as tree:
        with tree.ref("a").ask_stream("work", deadline=in_s(60)) as dialog:
            await settle()
            dialog.cancel()
            assert await dialog.outcome() == Withdrawn()
        with tree.ref("a").ask_stream("work", deadline=in_s(1)) as dialog:
            assert await dialog.outcome() == Expired(where="running")


async def test_no_handler_is_begun_for_an_asker_that_left_in_the_same_tick(autojump_clock: object) -> None:
    begun: list[object] = []

    async def handler(envelope: Envelope) -> object:
        begun.append(envelope.message)
        return None

    async with running(worker("a", serving(handler))) as tree:
        dialog = tree.ref("a").ask_stream("work", deadline=in_s(60))
        assert tree.status()[0].in_hand == 1
        dialog.close()
        await settle()

        assert begun == []
        assert tree.status()[0].in_hand == 0


@pytest.mark.parametrize("own_scope", [False, True])
async def test_a_request_cancelled_before_it_was_begun_is_begun_only_if_its_handler_wants_a_say(
    autojump_clock: object, own_scope: bool
) -> None:
    begun: list[object] = []

    async def handler(envelope: Envelope) -> object:
        begun.append(envelope.message)
        with envelope.scope:
            await trio.sleep_forever()
        return "nothing was done"

    async with running(worker("a", serving(handler, own_scope=own_scope))) as tree:
        with tree.ref("a").ask_stream("work", deadline=in_s(60)) as dialog:
            dialog.cancel()
            assert await dialog.outcome() == ("nothing was done" if own_scope else Withdrawn())
        assert begun == (["work"] if own_scope else [])


async def test_the_first_end_of_a_dialog_is_the_only_one(autojump_clock: object) -> None:
    envelope = Envelope(Slot("a", MailboxSpec(), Commons(EventBus(), str)), "x", wants_reply=True)
    envelope.deliver("first")
    envelope.deliver("second")
    assert envelope.answer == "first"
    assert repr(envelope) == "<Envelope 1: str to a, answered>"
