"""Answers that need no task: given in the asker's own step, before anything is begun, with the ends of all others."""

from __future__ import annotations

import pytest
import trio

from manus.supervisor.envelope import LATER, Envelope
from manus.supervisor.events import ActorExited, RequestCrashed
from manus.supervisor.reasons import Crashed
from manus.supervisor.terminals import ActorFailed
from tests.supervisor.rig import BACKOFF_S, Answers, Boom, Diary, for_ever, in_s, running, serving, settle, worker


def no_to_no(envelope: Envelope) -> object:
    """Refuse what is called "no"; all else is work."""
    return "refused" if envelope.message == "no" else LATER


async def work(envelope: Envelope) -> object:
    await trio.sleep(1.0)
    return "worked"


async def test_answer_at_once_takes_no_task_and_no_time_and_work_is_done_as_ever(autojump_clock: object) -> None:
    begun: list[object] = []

    async def noted(envelope: Envelope) -> object:
        begun.append(envelope.message)
        return await work(envelope)

    async with running(worker("a", serving(noted, at_once=no_to_no))) as tree:
        assert await tree.ref("a").ask("no", deadline=in_s(5)) == "refused"
        assert (trio.current_time(), begun) == (0.0, [])
        assert await tree.ref("a").ask("yes", deadline=in_s(5)) == "worked"
        assert (trio.current_time(), begun) == (1.0, ["yes"])
        assert tree.status()[0].in_hand == 0


async def test_who_waits_for_a_place_is_not_overtaken_by_what_needs_none(autojump_clock: object) -> None:
    async with running(worker("a", serving(work, places=1, at_once=no_to_no))) as tree, trio.open_nursery() as nursery:
        answers = Answers(nursery)
        for message in ("one", "two", "no"):
            answers.ask(tree.ref("a"), message)
            await settle()
        await trio.sleep(3.0)
        assert answers.at == {"one": 1.0, "two": 2.0, "no": 2.0}


async def test_what_waited_for_a_restart_is_answered_at_once_by_the_next_incarnation(autojump_clock: object) -> None:
    async with running(worker("a", serving(for_ever, at_once=no_to_no))) as tree, trio.open_nursery() as nursery:
        answers = Answers(nursery)
        tree.crash("a", Boom())
        await settle()
        answers.ask(tree.ref("a"), "no")
        await settle()
        assert answers.got == {}
        await trio.sleep(BACKOFF_S)
        await settle()
        assert answers.got == {"no": "refused"}


async def test_tell_is_taken_at_once_too(autojump_clock: object) -> None:
    told: list[object] = []

    def note(envelope: Envelope) -> object:
        told.append(envelope.message)
        return None

    async with running(worker("a", serving(for_ever, at_once=note))) as tree:
        await tree.ref("a").tell("x")
        assert told == ["x"]
        assert tree.status()[0].in_hand == 0


async def test_exception_fails_that_one_dialog_and_spends_the_fault_budget(autojump_clock: object) -> None:
    def raising(envelope: Envelope) -> object:
        raise Boom

    diary = Diary()
    async with running(worker("a", serving(for_ever, at_once=raising)), diary=diary) as tree:
        for _ in range(4):
            failed = await tree.ref("a").ask("x", deadline=in_s(5))
            assert isinstance(failed, ActorFailed)
            assert (failed.kind, failed.safe_to_retry) == ("request_crashed", True)
        await settle()
        assert len(diary.of(RequestCrashed)) == 4
        reason = diary.one(ActorExited).reason
        assert isinstance(reason, Crashed)
        assert "fault budget" in reason.traceback


async def test_interrupt_reaches_the_asker_and_takes_the_actor_down(autojump_clock: object) -> None:
    """It struck in the asker's task, while the actor's state was half changed."""

    def interrupted(envelope: Envelope) -> object:
        raise KeyboardInterrupt

    diary = Diary()
    async with running(worker("a", serving(for_ever, at_once=interrupted)), diary=diary) as tree:
        with pytest.raises(KeyboardInterrupt):
            await tree.ref("a").ask("x", deadline=in_s(5))
        assert tree.status()[0].in_hand == 0
        await settle()
        reason = diary.one(ActorExited).reason
        assert isinstance(reason, Crashed)
        assert "interrupted" in reason.error
