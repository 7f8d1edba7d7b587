"""A question is an ask whose asker may stop waiting, and somebody else wait on."""

from __future__ import annotations

import pytest
import trio

from manus.supervisor.deadlines import ANSWER_GRACE_S
from manus.supervisor.envelope import Envelope
from manus.supervisor.spec import MailboxSpec
from manus.supervisor.terminals import ActorFailed, Expired, Undelivered, Withdrawn
from tests.supervisor.rig import Boom, for_ever, in_s, running, serving, settle, taking_turns, worker


async def slowly(envelope: Envelope) -> object:
    await trio.sleep(5.0)
    return "answer"


async def test_a_question_goes_on_without_the_task_that_asked_it(autojump_clock: object) -> None:
    async with running(worker("a", serving(slowly))) as tree:
        question = tree.ref("a").put("question", deadline=in_s(60))
        with trio.move_on_after(1.0) as scope:
            await question.answer()
        assert scope.cancelled_caught
        assert not question.answered

        heard: list[object] = []

        async def hear() -> None:
            heard.append(await question.answer())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(hear)

        assert trio.current_time() == 5.0
        assert heard == ["answer"]
        with trio.testing.assert_no_checkpoints():
            assert await question.answer() == "answer"


async def test_a_question_may_be_answered_in_the_askers_own_step(autojump_clock: object) -> None:
    async with running(worker("a", taking_turns(lambda envelope: "at once"))) as tree:
        question = tree.ref("a").put("question", deadline=in_s(5))
        assert question.answered
        assert await question.answer() == "at once"


async def test_who_leaves_a_question_cancels_the_work_on_it(autojump_clock: object) -> None:
    cancelled: list[float] = []

    async def handler(envelope: Envelope) -> object:
        try:
            return await slowly(envelope)
        finally:
            cancelled.append(trio.current_time())

    async with running(worker("a", serving(handler))) as tree:
        question = tree.ref("a").put("question", deadline=in_s(60))
        await trio.sleep(1.0)
        question.leave()
        assert await question.answer() == Withdrawn()
        question.leave()
        await settle()
        assert cancelled == [1.0]


async def test_who_cancels_a_question_hears_the_handlers_last_word(autojump_clock: object) -> None:
    async def handler(envelope: Envelope) -> object:
        with envelope.scope:
            await trio.sleep(5.0)
            return "answer"
        await trio.sleep(1.0)
        return "last word"

    async with running(worker("a", serving(handler, own_scope=True))) as tree:
        question = tree.ref("a").put("question", deadline=in_s(60))
        await trio.sleep(2.0)
        question.cancel()
        assert not question.answered
        question.cancel()
        assert await question.answer() == "last word"
        assert trio.current_time() == 3.0
        question.cancel()


async def test_cancelling_a_question_that_waits_in_the_mailbox_withdraws_it(autojump_clock: object) -> None:
    async with running(worker("a", serving(slowly, places=1))) as tree:
        first, second = (tree.ref("a").put("question", deadline=in_s(60)) for _ in range(2))
        await trio.sleep(1.0)
        second.cancel()
        assert await second.answer() == Withdrawn()
        assert await first.answer() == "answer"


async def test_leaving_a_question_that_is_answered_changes_nothing(autojump_clock: object) -> None:
    async with running(worker("a", serving(slowly))) as tree:
        question = tree.ref("a").put("question", deadline=in_s(60))
        await question.answer()
        question.leave()
        assert await question.answer() == "answer"


@pytest.mark.parametrize("waited_for", [True, False])
async def test_a_question_ends_by_its_deadline_whoever_waits(waited_for: bool, autojump_clock: object) -> None:
    async with running(worker("a", serving(for_ever))) as tree:
        question = tree.ref("a").put("question", deadline=in_s(5))
        if waited_for:
            await question.answer()
        else:
            await trio.sleep(5.0 + 2 * ANSWER_GRACE_S)
        assert question.answered
        assert await question.answer() == Expired(where="running")


async def test_a_question_is_answered_for_when_its_actor_dies_or_has_no_room(autojump_clock: object) -> None:
    async with running(worker("a", serving(for_ever, places=1), mailbox=MailboxSpec(capacity=1))) as tree:
        asked = [tree.ref("a").put("question", deadline=in_s(60), shed=True) for _ in range(3)]
        assert await asked[2].answer() == Undelivered(reason="full")
        await settle()
        tree.crash("a", Boom())
        assert isinstance(await asked[0].answer(), ActorFailed)
        assert not asked[1].answered
