"""What becomes of turns while the disk is slow, refuses, or stands still: answers come, and nothing half is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from manus.messages.conversations import ConversationPolicy, CreateConversation
from manus.messages.outcomes import Finished, Unfinished
from tests.actors.conversations.disk import SlowDisk
from tests.actors.conversations.talk import ScriptedRouter, Talk, open_talk, turn_asked


@asynccontextmanager
async def talk_on(
    disk: SlowDisk, policy: ConversationPolicy | None = None, router: ScriptedRouter | None = None
) -> AsyncIterator[Talk]:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(disk.work)
        async with open_talk(router, policy, disk) as talk:
            yield talk
        nursery.cancel_scope.cancel()


def finished(outcome: object) -> Finished:
    assert isinstance(outcome, Finished), outcome
    return outcome


async def test_an_answer_comes_when_it_is_kept(autojump_clock: object) -> None:
    disk = SlowDisk(state="stalls")
    async with talk_on(disk) as talk:
        question = talk.conversations.put(turn_asked("one"), deadline=trio.current_time() + 60)
        await trio.sleep(3)
        assert not question.answered
        assert not (await talk.told()).on_disk
        disk.state = "well"
        disk.stir()
        assert finished(await question.answer()).answer.warnings == ()
        assert trio.current_time() == 3
        assert (await talk.told()).on_disk


async def test_a_disk_that_stands_still_holds_an_answer_only_so_long(autojump_clock: object) -> None:
    async with talk_on(SlowDisk(state="stalls"), ConversationPolicy(confirm_s=5.0)) as talk:
        outcome = finished(await talk.say("one"))
        assert trio.current_time() == 5
        assert outcome.answer.warnings == ("This turn is not on the disk yet: the disk is slow.",)
        assert talk.said() == [("one", "answer to one")], "it is kept in memory, and for the disk"


async def test_a_disk_that_stands_still_does_not_hold_an_answer_past_its_deadline(autojump_clock: object) -> None:
    async with talk_on(SlowDisk(state="stalls"), ConversationPolicy(confirm_s=50.0)) as talk:
        outcome = finished(await talk.say("one", within_s=2.0))
        assert trio.current_time() == pytest.approx(2.0, abs=0.05)
        assert len(outcome.answer.warnings) == 1
        assert talk.said() == [("one", "answer to one")]


async def test_a_disk_that_refuses_is_told_of_and_takes_it_later(autojump_clock: object) -> None:
    disk = SlowDisk(state="refuses")
    async with talk_on(disk) as talk:
        outcome = finished(await talk.say("one"))
        assert outcome.answer.warnings == ("This turn is not on the disk yet: the disk refuses.",)
        assert disk.image == {}
        disk.state = "well"
        await talk.say("two")
        assert len(disk.image["c"][1]) == 2


async def test_a_disk_that_takes_nothing_for_long_stops_new_turns_and_not_the_running_ones(
    autojump_clock: object,
) -> None:
    disk = SlowDisk(state="refuses")
    router = ScriptedRouter()
    async with talk_on(disk, ConversationPolicy(backlog_max=2), router) as talk:
        for number in range(3):
            finished(await talk.say(str(number)))
        refused = await talk.say("more")
        assert isinstance(refused, Unfinished)
        assert refused.failure.kind == "unavailable"
        assert "the disk refuses" in refused.failure.message
        assert refused.failure.safe_to_retry
        assert len(router.asked) == 3
        disk.state = "well"
        disk.stir()
        await trio.sleep(0.1)
        finished(await talk.say("more"))


async def test_what_its_caller_did_not_wait_for_is_taken_back_from_the_disk(autojump_clock: object) -> None:
    disk = SlowDisk(state="stalls")
    async with talk_on(disk) as talk:
        with trio.move_on_after(1.0):
            await talk.say("one")
        await trio.sleep(0.1)
        disk.state = "well"
        disk.stir()
        await trio.sleep(6)
        assert talk.said() == []
        assert disk.image == {}
        assert any("c" in image for image in disk.images), "it had been on its way"


async def test_a_conversation_deleted_while_its_answer_waits_for_the_disk_is_gone(autojump_clock: object) -> None:
    disk = SlowDisk(state="stalls")
    async with talk_on(disk) as talk:
        question = talk.conversations.put(turn_asked("one"), deadline=trio.current_time() + 60)
        await trio.sleep(1)
        await talk.delete()
        again = talk.conversations.put(turn_asked("anew"), deadline=trio.current_time() + 60)
        await trio.sleep(1)
        disk.state = "well"
        disk.stir()
        first, second = finished(await question.answer()), finished(await again.answer())
        assert any("not kept" in warning for warning in first.answer.warnings)
        assert second.answer.warnings == ()
        assert talk.said() == [("anew", "answer to anew")]
        assert list(disk.image["c"][1]) == [0]


async def test_a_created_conversation_is_soon_on_the_disk(autojump_clock: object) -> None:
    disk = SlowDisk()
    async with talk_on(disk) as talk:
        await talk.ask(CreateConversation(conversation_id="c"))
        await trio.sleep(0.1)
        assert (await talk.told()).on_disk
        assert disk.image == {"c": ((), {})}
