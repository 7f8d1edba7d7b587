"""Turns of a conversation: what is sent, what becomes history, who waits for whom, and what a turn leaves behind."""

from __future__ import annotations

import math

import msgspec
import pytest
import trio
import trio.lowlevel

from manus.messages.content import (
    Image,
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
    ConversationDeleted,
    ConversationPolicy,
    ConversationsReconfigured,
    ConversationTold,
    ConversationUnknown,
    CreateConversation,
)
from manus.messages.failures import Failed
from manus.messages.outcomes import Answer, Finish, Finished, Unfinished
from manus.messages.requests import ChatRequest
from manus.supervisor.dialog import Dialog
from manus.supervisor.terminals import Withdrawn
from tests.actors.conversations.talk import (
    Gate,
    ScriptedRouter,
    Talk,
    answered,
    failed,
    open_talk,
    system,
    turn_asked,
    unix_s,
)


def roles_sent(request: ChatRequest) -> list[tuple[str, str]]:
    return [(turn.role, text_of(turn.parts)) for turn in request.turns]


def finished(outcome: object) -> Finished:
    assert isinstance(outcome, Finished), outcome
    return outcome


def of_kind(outcome: object, kind: str) -> Unfinished:
    assert isinstance(outcome, Unfinished), outcome
    assert outcome.failure.kind == kind
    return outcome


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
async def test_a_failed_turn_leaves_no_trace(kind: str, autojump_clock: object) -> None:
    async def answer(request: ChatRequest) -> object:
        is_second = text_of(request.turns[-1].parts) == "two"
        return failed(request, kind) if is_second else answered(request)  # type: ignore[arg-type]

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


# --- trimming -------------------------------------------------------------------------------------------------


async def test_oldest_exchanges_are_left_out_of_what_is_too_long_and_stay_in_the_history(
    autojump_clock: object,
) -> None:
    router = ScriptedRouter(window=400)
    async with open_talk(router, ConversationPolicy(answer_tokens=100)) as talk:
        for number in range(6):
            turns = (system("S" * 10), text_turn("user", f"{number}" * 30))
            outcome = finished(await talk.say(turns=turns))
        sent = router.asked[-1]
        assert sent.turns[0] == system("S" * 10)
        assert sum(len(text_of(turn.parts)) for turn in sent.turns) <= 300
        assert sent.turns[1].role == "user"
        assert len(talk.said()) == 6
        (warning,) = outcome.answer.warnings
        assert "left out" in warning


async def test_turns_after_a_cut_begin_alike_so_that_the_vendors_cache_stays_warm(autojump_clock: object) -> None:
    router = ScriptedRouter(window=2000)
    async with open_talk(router, ConversationPolicy(answer_tokens=100)) as talk:
        for number in range(60):
            await talk.say(f"{number:03}" * 10)
    begins = [text_of(request.turns[0].parts)[:3] for request in router.asked]
    distinct = list(dict.fromkeys(begins))
    assert 2 < len(distinct) < 10, "it was cut, and not at every turn"
    assert begins == sorted(begins), "what was left out stays out"
    assert len(router.questions) <= 2 * len(router.asked)


async def test_what_a_provider_finds_too_long_is_sent_once_more_with_less(autojump_clock: object) -> None:
    refusals = [0]

    async def answer(request: ChatRequest) -> object:
        if len(request.turns) > 5:
            refusals[0] += 1
            return failed(request, "context_length", cost_nano_usd=5)
        return answered(request)

    router = ScriptedRouter(answer)
    async with open_talk(router) as talk:
        for number in range(4):
            outcome = finished(await talk.say(str(number)))
        assert refusals == [1]
        assert outcome.cost_nano_usd == 7
        assert len(router.asked[-1].turns) <= 5
        assert router.asked[-1].request_id == f"{router.asked[-2].request_id}-shorter", "a row of its own in the books"
        assert len(outcome.answer.warnings) == 2
        assert len(talk.said()) == 4


async def test_it_is_sent_again_only_once(autojump_clock: object) -> None:
    async def answer(request: ChatRequest) -> object:
        return failed(request, "context_length") if "more" in text_of(request.turns[-1].parts) else answered(request)

    router = ScriptedRouter(answer)
    async with open_talk(router) as talk:
        for number in range(4):
            await talk.say(str(number))
        of_kind(await talk.say("more"), "context_length")
        assert [len(request.turns) for request in router.asked] == [1, 3, 5, 7, 9, 5]


async def test_a_stream_of_which_something_was_shown_is_not_begun_again(autojump_clock: object) -> None:
    async def answer(request: ChatRequest) -> object:
        if len(request.turns) > 1:
            return failed(request, "context_length", partial=Answer(parts=(Text(text="half"),)))
        return answered(request)

    router = ScriptedRouter(answer)
    async with open_talk(router) as talk:
        await talk.say("one")
        of_kind(await talk.say("two"), "context_length")
        assert len(router.asked) == 2


async def test_a_call_and_its_result_are_sent_together_or_not_at_all(autojump_clock: object) -> None:
    async def answer(request: ChatRequest) -> object:
        if text_of(request.turns[-1].parts).startswith("run"):
            turn = Turn(role="assistant", parts=(ToolCall(id="1", name="f"), Text(text="c" * 100)))
            return msgspec.structs.replace(answered(request), answer=Answer(parts=turn.parts, turn=turn))
        return answered(request)

    router = ScriptedRouter(answer, window=300)
    async with open_talk(router, ConversationPolicy(answer_tokens=10)) as talk:
        for round_ in range(6):
            await talk.say(f"run {round_}")
            await talk.say(turns=(Turn(role="tool", parts=(ToolResult(id="1", content=(Text(text="r" * 50),)),)),))
            await talk.say("and " + "t" * 40)
    for request in router.asked:
        calls = sum(isinstance(part, ToolCall) for turn in request.turns for part in turn.parts)
        results = sum(isinstance(part, ToolResult) for turn in request.turns for part in turn.parts)
        assert calls == results, "every call is answered, and every result has its call"


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
        gone = [event for event in talk.events if type(event).__name__ == "ConversationForgotten"]
        assert [(each.conversation_id, each.why) for each in gone] == [("b", "count")]  # type: ignore[attr-defined]


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
