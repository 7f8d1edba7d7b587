"""What is forgotten where conversations grow too large, too many or too old, and what a drain lets end."""

from __future__ import annotations

import math

import msgspec
import trio
import trio.lowlevel

from manus.messages.content import (
    Image,
    Text,
    Turn,
    text_of,
)
from manus.messages.conversations import (
    ConversationAsked,
    ConversationForgotten,
    ConversationPolicy,
    ConversationsReconfigured,
    ConversationTold,
    ConversationUnknown,
    CreateConversation,
)
from manus.messages.failures import Failed
from manus.messages.outcomes import Finished
from manus.messages.requests import ChatRequest
from tests.actors.conversations.talk import (
    Gate,
    ScriptedRouter,
    Talk,
    answered,
    finished,
    of_kind,
    open_talk,
    turn_asked,
)

# --- bounds ---------------------------------------------------------------------------------------------------


async def test_a_conversation_that_grew_too_large_forgets_its_oldest_exchanges(autojump_clock: object) -> None:
    async with open_talk(policy=ConversationPolicy(conversation_bytes_max=1500)) as talk:
        outcomes = [await talk.say(str(number) * 100) for number in range(8)]
        told = await talk.told()
        assert told.size_bytes <= 1500
        assert told.forgotten == 8 - len(told.exchanges) > 0
        last = outcomes[-1]
        assert isinstance(last, Finished)
        assert "conversations.conversation_bytes_max" in " ".join(last.answer.warnings)


async def test_one_exchange_that_is_too_large_by_itself_is_kept_alone(autojump_clock: object) -> None:
    async with open_talk(policy=ConversationPolicy(conversation_bytes_max=1100)) as talk:
        await talk.say("small")
        await talk.say("x" * 3000)
        assert [asked for asked, _ in talk.said()] == ["x" * 3000]


async def test_the_longest_unused_conversation_is_forgotten_for_one_more(autojump_clock: object) -> None:
    async with open_talk(policy=ConversationPolicy(conversations_max=2)) as talk:
        for name in ("a", "b", "a", "c"):
            await talk.say("x", name)
        assert [name for name in "abc" if name in talk.shelf] == ["a", "c"]
        gone = [event for event in talk.events if isinstance(event, ConversationForgotten)]
        assert [(each.conversation_id, each.why) for each in gone] == [("b", "count")]


async def test_a_conversation_in_which_a_turn_runs_is_not_forgotten(autojump_clock: object) -> None:
    gate = Gate()

    async def answer(request: ChatRequest) -> object:
        return await gate.answer(request) if text_of(request.turns[-1].parts) == "slow" else answered(request)

    async with open_talk(ScriptedRouter(answer), ConversationPolicy(conversations_max=2)) as talk:
        await talk.say("x", "a")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(talk.say, "slow", "a")
            await trio.sleep(0.1)
            await talk.say("x", "b")
            await talk.say("x", "c")
            assert [name for name in "abc" if name in talk.shelf] == ["a", "c"]
            gate.open_next()
        assert len(talk.said("a")) == 2


async def test_where_nothing_may_be_forgotten_new_conversations_are_refused(autojump_clock: object) -> None:
    gate = Gate()
    policy = ConversationPolicy(conversations_max=2, when_full="refuse")
    async with open_talk(ScriptedRouter(gate.answer), policy) as talk, trio.open_nursery() as nursery:
        assert isinstance(await talk.ask(CreateConversation(conversation_id="a")), ConversationTold)
        nursery.start_soon(talk.say, "x", "b")
        await trio.sleep(0.1)
        of_kind(await talk.say("x", "c"), "shed")
        assert isinstance(await talk.ask(CreateConversation(conversation_id="c")), Failed)
        nursery.start_soon(talk.say, "x", "a")
        for _ in range(2):
            gate.open_next()
        await trio.sleep(0.1)
        await talk.delete("a")
        assert isinstance(await talk.ask(CreateConversation(conversation_id="c")), ConversationTold)


async def test_where_nothing_may_be_forgotten_conversations_do_not_grow_beyond_all_bounds(
    autojump_clock: object,
) -> None:
    policy = ConversationPolicy(bytes_max=3000, conversation_bytes_max=3000, when_full="refuse")
    async with open_talk(policy=policy) as talk:
        await talk.say("x" * 500, "a")
        await talk.say("x" * 500, "b")
        refused = of_kind(await talk.say("more", "a"), "shed")
        assert "conversations.bytes_max" in refused.failure.message
        assert len(talk.shelf) == 2
        await talk.delete("b")
        finished(await talk.say("more", "a"))


async def test_an_idle_conversation_is_forgotten(autojump_clock: object) -> None:
    async with open_talk(policy=ConversationPolicy(idle_s=100.0)) as talk:
        await talk.say("x", "a")
        await trio.sleep(60)
        await talk.say("x", "b")
        await trio.sleep(60)
        assert isinstance(await talk.ask(ConversationAsked(conversation_id="a")), ConversationUnknown)
        await talk.say("anew", "a")
        assert talk.said("a") == [("anew", "answer to anew")]
        await trio.sleep(60)
        await talk.say("x", "c")
        assert len(talk.shelf) == 2


async def test_new_bounds_hold_at_once_and_after_a_crash(autojump_clock: object) -> None:
    async with open_talk() as talk:
        for name in "abc":
            await talk.say("x", name)
        policy = ConversationPolicy(conversations_max=2, path="/elsewhere")
        held = await talk.ask(ConversationsReconfigured(policy=policy))
        assert held == msgspec.structs.replace(policy, path=None), "where they are kept cannot change"
        assert len(talk.shelf) == 2
        talk.tree.crash("conversations", RuntimeError("injected"))
        await trio.sleep(1)
        await talk.say("x", "d")
        assert len(talk.shelf) == 2


async def test_pictures_are_kept_as_they_were(autojump_clock: object) -> None:
    router = ScriptedRouter()
    picture = Turn(role="user", parts=(Image(data=b"\x00\xff", media_type="image/png"), Text(text="What is it?")))
    async with open_talk(router) as talk:
        await talk.say(turns=(picture,))
        await talk.say("And now?")
    assert router.asked[1].turns[0] == picture


async def test_draining_lets_the_turns_in_line_end(autojump_clock: object) -> None:
    gate = Gate()
    async with open_talk(ScriptedRouter(gate.answer)) as talk:
        questions = [talk.conversations.put(turn_asked(text), deadline=math.inf) for text in "12"]
        await trio.sleep(0.1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_stop, talk)
            for _ in range(2):
                gate.open_next()
        for question in questions:
            assert isinstance(await question.answer(), Finished)


async def _stop(talk: Talk) -> None:
    await talk.tree.stop(drain_s=30, hard_s=5)
