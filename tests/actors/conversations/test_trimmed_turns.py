"""What is sent of a conversation that is longer than the window of its model."""

from __future__ import annotations

import msgspec

from manus.messages.content import (
    Text,
    ToolCall,
    ToolResult,
    Turn,
    text_of,
    text_turn,
)
from manus.messages.conversations import (
    ConversationPolicy,
)
from manus.messages.outcomes import Answer
from manus.messages.requests import ChatRequest
from tests.actors.conversations.talk import (
    ScriptedRouter,
    answered,
    failed,
    finished,
    of_kind,
    open_talk,
    system,
)

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
