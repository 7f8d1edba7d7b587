"""Who waits for whom in a conversation, how turns end, and what deleting does to them."""

from __future__ import annotations

import pytest
import trio
import trio.lowlevel

from manus.messages.content import (
    text_of,
)
from manus.messages.conversations import (
    ConversationAsked,
    ConversationDeleted,
    ConversationPolicy,
    ConversationUnknown,
)
from manus.messages.outcomes import Finished, Unfinished
from manus.messages.requests import ChatRequest
from manus.supervisor.dialog import Dialog
from manus.supervisor.terminals import Withdrawn
from tests.actors.conversations.talk import (
    Gate,
    ScriptedRouter,
    Talk,
    finished,
    of_kind,
    open_talk,
    roles_sent,
    turn_asked,
)

# --- the line -------------------------------------------------------------------------------------------------


async def test_turns_asked_in_one_moment_run_in_the_order_of_asking(autojump_clock: object) -> None:
    for seed in range(20):
        router = ScriptedRouter()
        async with open_talk(router) as talk:
            deadline = trio.current_time() + 60
            chats = [turn_asked(f"{seed}.{number}") for number in range(5)]
            questions = [talk.conversations.put(chat, deadline=deadline) for chat in chats]
            for question in questions:
                assert isinstance(await question.answer(), Finished)
        lasts = [text_of(request.turns[-1].parts) for request in router.asked]
        assert lasts == [f"{seed}.{number}" for number in range(5)]
        assert [len(request.turns) for request in router.asked] == [1, 3, 5, 7, 9]


async def test_conversations_do_not_wait_for_each_other(autojump_clock: object) -> None:
    gate = Gate()
    router = ScriptedRouter(gate.answer)
    async with open_talk(router) as talk, trio.open_nursery() as nursery:
        for conversation in "abc":
            nursery.start_soon(talk.say, "one", conversation)
            nursery.start_soon(talk.say, "two", conversation)
        await trio.sleep(0.1)
        assert router.running == 3
        assert (await talk.told_or_none("a")) is None
        for _ in range(6):
            gate.open_next()


async def test_a_full_line_refuses_at_once_and_disturbs_nobody(autojump_clock: object) -> None:
    gate = Gate()
    async with open_talk(ScriptedRouter(gate.answer), ConversationPolicy(waiting_max=2)) as talk:
        deadline = trio.current_time() + 60
        questions = [talk.conversations.put(turn_asked(str(number)), deadline=deadline) for number in range(3)]
        await trio.sleep(0.1)
        refused = of_kind(await talk.say("4"), "shed")
        assert refused.failure.safe_to_retry
        assert "conversations.waiting_max" in refused.failure.message
        assert trio.current_time() < 1
        for question in questions:
            gate.open_next()
            assert isinstance(await question.answer(), Finished)
        assert [asked for asked, _ in talk.said()] == ["0", "1", "2"]


async def test_more_turns_than_may_be_in_hand_are_refused_at_once(autojump_clock: object) -> None:
    gate = Gate()
    async with open_talk(ScriptedRouter(gate.answer), ConversationPolicy(in_hand_max=2)) as talk:
        deadline = trio.current_time() + 60
        burst = [talk.conversations.put(turn_asked("x", str(number)), deadline=deadline) for number in range(4)]
        await trio.sleep(0.1)
        assert [each.answered for each in burst].count(True) == 2, "the burst came in one moment"
        of_kind(await talk.say("late", "late"), "shed")
        assert isinstance(await talk.ask(ConversationAsked(conversation_id="0")), ConversationUnknown)
        for _ in range(2):
            gate.open_next()
        outcomes = [await each.answer() for each in burst]
        assert sum(isinstance(each, Finished) for each in outcomes) == 2
        again = talk.conversations.put(turn_asked("again", "again"), deadline=deadline)
        gate.open_next()
        assert isinstance(await again.answer(), Finished), "there is room again"


async def test_a_turn_whose_deadline_passes_in_line_ends_there_and_is_never_sent(autojump_clock: object) -> None:
    gate = Gate()
    router = ScriptedRouter(gate.answer)
    async with open_talk(router) as talk, trio.open_nursery() as nursery:
        nursery.start_soon(talk.say, "first")
        await trio.sleep(0.1)
        late = of_kind(await talk.say("late", within_s=5.0), "deadline")
        assert late.cost_nano_usd == 0
        assert late.failure.safe_to_retry
        assert trio.current_time() == pytest.approx(5.1, abs=0.06)
        gate.open_next()
        nursery.start_soon(talk.say, "next")
        gate.open_next()
        await trio.sleep(0.1)
        assert [text_of(request.turns[-1].parts) for request in router.asked] == ["first", "next"]


async def test_a_turn_whose_caller_leaves_the_line_is_never_sent(autojump_clock: object) -> None:
    gate = Gate()
    router = ScriptedRouter(gate.answer)
    async with open_talk(router) as talk:
        deadline = trio.current_time() + 60
        first, second, third = (talk.conversations.put(turn_asked(text), deadline=deadline) for text in "123")
        await trio.sleep(0.1)
        second.leave()
        gate.open_next()
        assert isinstance(await first.answer(), Finished)
        gate.open_next()
        assert isinstance(await third.answer(), Finished)
        assert [text_of(request.turns[-1].parts) for request in router.asked] == ["1", "3"]
        assert [asked for asked, _ in talk.said()] == ["1", "3"]


# --- ends -----------------------------------------------------------------------------------------------------


def stream_of(talk: Talk, text: str) -> Dialog:
    return talk.conversations.ask_stream(turn_asked(text, stream=True), deadline=trio.current_time() + 60)


async def test_the_callers_own_channel_goes_to_the_router_so_that_a_stream_costs_nothing_more(
    autojump_clock: object,
) -> None:
    router = ScriptedRouter()
    async with open_talk(router) as talk:
        with stream_of(talk, "one") as dialog:
            finished(await dialog.outcome())
            assert router.sinks[0] is dialog._sink
        await talk.say("two")
        assert router.sinks[1] is None


async def test_a_cancelled_turn_gives_the_routers_last_word_and_leaves_no_trace(autojump_clock: object) -> None:
    router = ScriptedRouter(Gate().answer)
    async with open_talk(router) as talk:
        dialog = stream_of(talk, "one")
        await trio.sleep(0.1)
        dialog.cancel()
        outcome = of_kind(await dialog.outcome(), "cancelled")
        assert outcome.cost_nano_usd == 3, "what it cost is told"
        assert (router.running, router.last_words) == (0, 1)
        assert len(talk.shelf) == 0


async def test_a_turn_cancelled_in_line_was_never_sent(autojump_clock: object) -> None:
    gate = Gate()
    router = ScriptedRouter(gate.answer)
    async with open_talk(router) as talk, trio.open_nursery() as nursery:
        nursery.start_soon(talk.say, "first")
        await trio.sleep(0.1)
        dialog = stream_of(talk, "second")
        await trio.sleep(0.1)
        dialog.cancel()
        assert of_kind(await dialog.outcome(), "cancelled").cost_nano_usd == 0
        gate.open_next()
    assert len(router.asked) == 1


async def test_a_caller_that_leaves_takes_the_request_along(autojump_clock: object) -> None:
    router = ScriptedRouter(Gate().answer)
    async with open_talk(router) as talk:
        with trio.move_on_after(1.0):
            await talk.say("one")
        for _ in range(5):
            await trio.lowlevel.checkpoint()
        assert router.running == 0
        assert trio.current_time() == 1.0
        await trio.sleep(0.1)
        assert talk.in_hand() == 0
        assert len(talk.shelf) == 0


async def test_a_turn_that_comes_too_late_ends_with_the_routers_own_word(autojump_clock: object) -> None:
    router = ScriptedRouter(Gate().answer)
    async with open_talk(router) as talk:
        outcome = of_kind(await talk.say("one", within_s=3.0), "deadline")
        assert outcome.cost_nano_usd == 3
        assert trio.current_time() == pytest.approx(3.0, abs=0.06)
        assert len(talk.shelf) == 0


async def test_the_routers_terminal_is_the_turns(autojump_clock: object) -> None:
    async def answer(request: ChatRequest) -> object:
        raise RuntimeError("broken")

    async with open_talk(ScriptedRouter(answer)) as talk:
        outcome = await talk.say("one")
        assert type(outcome).__name__ == "ActorFailed"
        assert len(talk.shelf) == 0


# --- deleting -------------------------------------------------------------------------------------------------


async def test_what_is_deleted_is_gone_and_may_be_begun_anew(autojump_clock: object) -> None:
    router = ScriptedRouter()
    async with open_talk(router) as talk:
        await talk.say("one")
        assert await talk.delete() == ConversationDeleted(existed=True)
        assert await talk.delete() == ConversationDeleted(existed=False)
        await talk.say("anew")
    assert roles_sent(router.asked[1]) == [("user", "anew")]


async def test_deleting_cancels_the_turn_that_runs_and_those_in_line(autojump_clock: object) -> None:
    router = ScriptedRouter(Gate().answer)
    async with open_talk(router) as talk:
        deadline = trio.current_time() + 60
        running, waiting = (talk.conversations.put(turn_asked(text), deadline=deadline) for text in "12")
        await trio.sleep(0.1)
        assert await talk.delete() == ConversationDeleted(existed=True)
        ran = of_kind(await running.answer(), "cancelled")
        assert trio.current_time() < 1.0
        assert "deleted" in ran.failure.message
        assert ran.cost_nano_usd == 3, "what it cost is told even so"
        waited = of_kind(await waiting.answer(), "cancelled")
        assert (waited.cost_nano_usd, "deleted" in waited.failure.message) == (0, True)
        assert router.running == 0
        assert len(talk.shelf) == 0


async def test_a_turn_of_the_new_conversation_does_not_wait_for_those_of_the_deleted_one(
    autojump_clock: object,
) -> None:
    gate = Gate()
    router = ScriptedRouter(gate.answer)
    async with open_talk(router) as talk, trio.open_nursery() as nursery:
        nursery.start_soon(talk.say, "old")
        await trio.sleep(0.1)
        deleting = talk.conversations.put(turn_asked("new"), deadline=trio.current_time() + 60)
        await talk.delete()
        assert isinstance(await deleting.answer(), Unfinished), "it was asked for before"
        nursery.start_soon(talk.say, "new")
        await trio.sleep(0.1)
        gate.open_next()
        await trio.sleep(0.1)
        assert talk.said() == [("new", "answer to new")]


async def test_an_answer_that_was_whole_when_its_conversation_was_deleted_is_given_and_not_kept(
    autojump_clock: object,
) -> None:
    async with open_talk() as talk:
        for passes in range(60):
            question = talk.conversations.put(turn_asked("one"), deadline=trio.current_time() + 60)
            for _ in range(passes):
                await trio.lowlevel.checkpoint()
            was_over = question.answered
            await talk.delete()
            outcome = await question.answer()
            assert isinstance(outcome, Finished | Unfinished | Withdrawn)
            assert was_over or talk.said() == []
            await talk.delete()
            if was_over:
                return
        pytest.fail("it never came to its end")
