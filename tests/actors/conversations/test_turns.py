"""Turns of a conversation: what is sent, what becomes history, and what a turn leaves behind."""

from __future__ import annotations

import msgspec
import pytest
import trio
import trio.lowlevel

from manus.messages.content import (
    Opaque,
    Reasoning,
    Text,
    ToolCall,
    ToolResult,
    Turn,
    VendorTurn,
    text_of,
    text_turn,
)
from manus.messages.conversations import (
    ConversationAsked,
    ConversationTold,
    ConversationUnknown,
    CreateConversation,
)
from manus.messages.failures import Failed, FailureKind
from manus.messages.outcomes import Answer, Finish, Finished
from manus.messages.requests import ChatRequest
from tests.actors.conversations.talk import (
    Gate,
    ScriptedRouter,
    answered,
    failed,
    finished,
    of_kind,
    open_talk,
    roles_sent,
    system,
    unix_s,
)

# --- history --------------------------------------------------------------------------------------------------


async def test_each_turn_is_sent_with_all_before_it_and_booked_under_its_conversation(autojump_clock: object) -> None:
    router = ScriptedRouter()
    async with open_talk(router) as talk:
        assert isinstance(await talk.say("one"), Finished)
        assert isinstance(await talk.say("elsewhere", "other"), Finished)
        assert isinstance(await talk.say("two"), Finished)
    assert roles_sent(router.asked[2]) == [("user", "one"), ("assistant", "answer to one"), ("user", "two")]
    assert [request.conversation_id for request in router.asked] == ["c", "other", "c"]


async def test_the_whole_answer_comes_back_with_the_next_turn(autojump_clock: object) -> None:
    call = ToolCall(id="1", name="f", arguments='{"x": 1}')
    thought = Reasoning(text="hm", signature="sig", provider="anthropic", model="m")
    raw = VendorTurn(provider="w", model="m", raw=msgspec.Raw(b'{"any": [1,  2]}'))
    turn = Turn(role="assistant", parts=(thought, call), vendor=raw)

    async def answer(request: ChatRequest) -> object:
        said = Answer(parts=turn.parts, finish=Finish(reason="tool_calls"), turn=turn)
        return msgspec.structs.replace(answered(request), answer=said)

    router = ScriptedRouter(answer)
    async with open_talk(router) as talk:
        await talk.say("one")
        result = Turn(role="tool", parts=(ToolResult(id="1", content=(Text(text="42"),)),))
        await talk.say(turns=(result,))
    assert router.asked[1].turns == (text_turn("user", "one"), turn, result)


async def test_an_answer_without_a_turn_of_its_own_is_kept_by_its_parts(autojump_clock: object) -> None:
    async def answer(request: ChatRequest) -> object:
        return msgspec.structs.replace(answered(request), answer=Answer(parts=(Text(text="bare"),)))

    async with open_talk(ScriptedRouter(answer)) as talk:
        await talk.say("one")
        assert talk.said() == [("one", "bare")]


async def test_what_is_told_of_a_conversation_is_what_it_holds(autojump_clock: object) -> None:
    async with open_talk() as talk:
        await trio.sleep(5)
        await talk.say("one", turns=(system("Be brief."), text_turn("user", "one")))
        told = await talk.told()
        (exchange,) = told.exchanges
        assert told.system == (system("Be brief."),)
        assert (exchange.provider, exchange.model, exchange.at_unix_s) == ("p", "m", unix_s())
        assert exchange.request_id.startswith("t")
        assert told.size_bytes == len(msgspec.json.encode(exchange)) + len(msgspec.json.encode(told.system))
        assert not told.on_disk
        assert told.in_hand == 0
        assert await talk.ask(ConversationAsked(conversation_id="other")) == ConversationUnknown(
            conversation_id="other"
        )


@pytest.mark.parametrize("kind", ["server", "invalid_request", "shed", "cancelled", "context_length"])
async def test_a_failed_turn_leaves_no_trace(kind: FailureKind, autojump_clock: object) -> None:
    async def answer(request: ChatRequest) -> object:
        is_second = text_of(request.turns[-1].parts) == "two"
        return failed(request, kind) if is_second else answered(request)

    router = ScriptedRouter(answer)
    async with open_talk(router) as talk:
        await talk.say("one")
        before = talk.shelf.get("c")
        of_kind(await talk.say("two", turns=(system("New."), text_turn("user", "two"))), kind)
        assert talk.shelf.get("c") is before
        await talk.say("three")
    assert roles_sent(router.asked[-1]) == [("user", "one"), ("assistant", "answer to one"), ("user", "three")]


async def test_a_first_turn_that_fails_begins_no_conversation(autojump_clock: object) -> None:
    async def answer(request: ChatRequest) -> object:
        return failed(request)

    async with open_talk(ScriptedRouter(answer)) as talk:
        await talk.say("one")
        assert len(talk.shelf) == 0


# --- system turns ---------------------------------------------------------------------------------------------


async def test_a_conversation_opens_with_its_opening_unless_a_turn_says_otherwise(autojump_clock: object) -> None:
    router = ScriptedRouter()
    async with open_talk(router) as talk:
        await talk.say("one", opening=(system("Default."),))
        await talk.say("two", opening=(system("Another default."),))
        await talk.say("one", "own", turns=(system("Own."), text_turn("user", "one")), opening=(system("Default."),))
        await talk.say("two", "own", opening=(system("Default."),))
    assert [request.turns[0] for request in router.asked] == [
        system("Default."),
        system("Default."),
        system("Own."),
        system("Own."),
    ]


async def test_a_conversation_that_was_created_keeps_its_own_system_turns(autojump_clock: object) -> None:
    router = ScriptedRouter()
    async with open_talk(router) as talk:
        created = await talk.ask(CreateConversation(conversation_id="c", system=(system("Created."),)))
        assert isinstance(created, ConversationTold)
        await talk.say("one", opening=(system("Default."),))
        await talk.say("two", turns=(system("Replaced."), text_turn("user", "two")))
        await talk.say("three")
    assert [request.turns[0] for request in router.asked] == [
        system("Created."),
        system("Replaced."),
        system("Replaced."),
    ]
    assert all(sum(turn.role == "system" for turn in request.turns) == 1 for request in router.asked)


async def test_a_conversation_cannot_be_created_twice(autojump_clock: object) -> None:
    gate = Gate()
    async with open_talk(ScriptedRouter(gate.answer)) as talk, trio.open_nursery() as nursery:
        assert isinstance(await talk.ask(CreateConversation(conversation_id="a")), ConversationTold)
        again = await talk.ask(CreateConversation(conversation_id="a"))
        assert isinstance(again, Failed)
        assert again.kind == "invalid_request"
        nursery.start_soon(talk.say, "begun by its first turn")
        await trio.sleep(0.1)
        assert isinstance(await talk.ask(CreateConversation(conversation_id="c")), Failed)
        gate.open_next()


async def test_a_turn_that_asks_nothing_is_refused_though_the_history_asks_much(autojump_clock: object) -> None:
    router = ScriptedRouter()
    async with open_talk(router) as talk:
        await talk.say("one")
        of_kind(await talk.say(turns=()), "invalid_request")
        of_kind(await talk.say(turns=(system("Only this."),)), "invalid_request")
        of_kind(await talk.say("half \ud800"), "invalid_request")
        assert len(router.asked) == 1
        assert talk.said() == [("one", "answer to one")]


@pytest.mark.parametrize("raw", [b"no JSON", b"", b"[" * 100_000 + b"]" * 100_000, b'{"a": 1} x', b'1,"model":"x"'])
async def test_a_payload_that_is_no_json_is_refused_before_it_can_spoil_a_file(
    raw: bytes, autojump_clock: object
) -> None:
    router = ScriptedRouter()
    spoilt = VendorTurn(provider="w", model="m", raw=msgspec.Raw(raw))
    parts = (Opaque(provider="w", kind="k", raw=msgspec.Raw(raw)),)
    async with open_talk(router) as talk:
        for turn in (Turn(role="assistant", vendor=spoilt), Turn(role="assistant", parts=parts)):
            refused = of_kind(await talk.say(turns=(turn, text_turn("user", "one"))), "invalid_request")
            assert "no JSON" in refused.failure.message
        assert router.asked == []
        created = await talk.ask(CreateConversation(conversation_id="d", system=(system("half \ud800"),)))
        assert isinstance(created, Failed)
        assert len(talk.shelf) == 0


NOT_A_NUMBER = msgspec.Raw(b'{"score": NaN}')


@pytest.mark.parametrize(
    ("turn", "kept"),
    [
        (
            Turn(
                role="assistant",
                parts=(Text(text="a"), Opaque(provider="w", kind="k", raw=NOT_A_NUMBER)),
                vendor=VendorTurn(provider="w", model="m", raw=NOT_A_NUMBER),
            ),
            text_turn("assistant", "a"),
        ),
        (
            Turn(role="assistant", parts=(Text(text="half \ud800"), ToolCall(id="\ud800", name="f"))),
            text_turn("assistant", "half ?"),
        ),
    ],
)
async def test_what_a_vendor_sends_amiss_is_left_out_of_the_history_and_the_rest_kept(
    turn: Turn, kept: Turn, autojump_clock: object
) -> None:
    async def answer(request: ChatRequest) -> object:
        return msgspec.structs.replace(answered(request), answer=Answer(parts=turn.parts, turn=turn))

    async with open_talk(ScriptedRouter(answer)) as talk:
        outcome = finished(await talk.say("one"))
        assert outcome.answer.turn is turn, "the caller gets all of it"
        assert "kept without" in outcome.answer.warnings[0]
        (exchange,) = (await talk.told()).exchanges
        assert exchange.answer == kept
