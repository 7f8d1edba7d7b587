"""What besides text may have been shown when a stream is cut, and what besides text the next answer may bring."""

from __future__ import annotations

import msgspec
import pytest
import trio

from manus.messages.content import Reasoning, Text, ToolCall, text_turn
from manus.messages.events import FinishReported, ReasoningDelta
from manus.messages.outcomes import Finished
from manus.messages.requests import ReasoningOptions, Tool
from manus.messages.routing import RoutingMetrics, RoutingMetricsAsked
from manus.sim.behaviour import Script, ScriptedCall
from manus.sim.faults import Cut, Refusal
from tests.actors.interrupted import (
    OTHER,
    TEXT,
    answer_of,
    cards,
    check_books,
    check_stream,
    chunk,
    ending,
    reset,
    roles,
    saying,
    scripted,
    typed,
)
from tests.actors.rig import Upstreams, asked, finished, open_rig, unfinished

TOOL = Tool(name="look", description="Looks.")
CALL = ScriptedCall(name="look", arguments='{"at":"it"}')


def called(index: int = 0, arguments: str = "") -> bytes:
    """Write the beginning of a tool call, or more of its arguments."""
    function = {"name": "look", "arguments": arguments}
    return chunk(tool_calls=[{"index": index, "id": f"call_{index}", "type": "function", "function": function}])


async def test_tool_call_that_has_begun_is_followed_by_nobody_elses_answer(autojump_clock: object) -> None:
    broken = scripted(chunk(content="I look. "), called(arguments='{"at"'), reset())
    async with open_rig(("a", broken), ("b", saying("I look. ", tool_calls=(CALL,)))) as rig:
        events, outcome = await rig.stream(tools=(TOOL,))

        check_stream(events, outcome)
        ended = unfinished(outcome)
        assert ended.failure.kind == "network"
        assert roles(outcome) == [("a", "first")]
        assert ended.route.gave_up == "a tool call was shown, which another answer need not make"
        call = answer_of(outcome).parts[1]
        assert isinstance(call, ToolCall)
        assert not call.valid


async def test_tool_call_that_has_begun_is_forgotten_by_a_caller_who_can(autojump_clock: object) -> None:
    broken = scripted(chunk(content="I look. "), called(arguments='{"at"'), reset())
    async with open_rig(("a", broken), ("b", saying("So.", tool_calls=(CALL,)))) as rig:
        events, outcome = await rig.stream(tools=(TOOL,), on_interrupt="restart")

        assert check_stream(events, outcome) == "So."
        assert [type(part) for part in answer_of(outcome).parts] == [Text, ToolCall]


@pytest.mark.parametrize("accepts", [True, False])
async def test_tool_calls_behind_the_text_come_from_whoever_takes_it_up(accepts: bool, autojump_clock: object) -> None:
    calls = (CALL, ScriptedCall(name="look", arguments='{"at":"that"}'))
    second = saying(TEXT, "anthropic", tool_calls=calls)
    async with open_rig(("a", typed(TEXT, 9)), ("b", second), cards=cards("b") if accepts else {}) as rig:
        events, outcome = await rig.stream(tools=(TOOL,))

        assert check_stream(events, outcome) == TEXT
        assert finished(outcome).answer.finish.reason == "tool_calls"
        assert [type(part) for part in answer_of(outcome).parts] == [Text, ToolCall, ToolCall]
        assert roles(outcome)[-1] == ("b", "continue" if accepts else "splice")


async def test_call_that_comes_before_the_shown_text_is_told_again_is_a_difference(autojump_clock: object) -> None:
    other = scripted(chunk(content=TEXT[:4]), called(arguments="{}"), ending("tool_calls"))
    async with open_rig(("a", typed(TEXT, 9)), ("b", other)) as rig:
        events, outcome = await rig.stream(tools=(TOOL,))

        assert check_stream(events, outcome) == TEXT[:9]
        assert "over after 4 of the 9 characters" in unfinished(outcome).failure.message


async def test_refusal_that_was_shown_is_nobody_elses_to_end(autojump_clock: object) -> None:
    broken = scripted(chunk(refusal="I cannot"), reset())
    async with open_rig(("a", broken), ("b", saying())) as rig:
        events, outcome = await rig.stream()

        check_stream(events, outcome)
        assert unfinished(outcome).failure.kind == "network"
        assert roles(outcome) == [("a", "first")]


@pytest.mark.parametrize("after", [0, 3])
async def test_refusal_to_go_on_is_no_answer_but_one_behind_new_words_is(after: int, autojump_clock: object) -> None:
    second = saying(TEXT, "anthropic", fault=Refusal(after_chunks=after))
    async with open_rig(("a", typed(TEXT, 9)), ("b", second), cards=cards("b")) as rig:
        events, outcome = await rig.stream()

        text = check_stream(events, outcome)
        if after == 0:
            assert unfinished(outcome).failure.kind == "network"
            assert "b/sim-large: the model refused" in unfinished(outcome).failure.message
            assert text == TEXT[:9]
        else:
            assert finished(outcome).answer.finish.reason == "refusal"
            assert TEXT.startswith(text)
            assert len(text) > 9


@pytest.mark.parametrize("accepts", [True, False])
async def test_thinking_that_was_shown_stays_and_no_second_one_comes(accepts: bool, autojump_clock: object) -> None:
    broken = scripted(
        chunk(reasoning_content="Let me "), chunk(reasoning_content="think."), chunk(content=TEXT[:9]), reset()
    )
    second = saying(TEXT, "ollama", reasoning="Hm, other thoughts.")
    async with open_rig(("a", broken), ("b", second), cards=cards("b") if accepts else {}) as rig:
        events, outcome = await rig.stream()

        assert check_stream(events, outcome) == TEXT
        thought = [part for part in answer_of(outcome).parts if isinstance(part, Reasoning)]
        assert [part.text for part in thought] == ["Let me think."]
        assert "".join(event.text for event in events if isinstance(event, ReasoningDelta)) == "Let me think."
        assert (thought[0].provider, thought[0].signature) == ("openai-chat", None)


async def test_stream_cut_while_only_thinking_was_shown_takes_any_answer(autojump_clock: object) -> None:
    broken = scripted(chunk(reasoning_content="Let me "), reset())
    second = saying(OTHER, "ollama", reasoning="Hm.")
    async with open_rig(("a", broken), ("b", second), cards=cards("b")) as rig:
        events, outcome = await rig.stream()

        assert check_stream(events, outcome) == OTHER
        assert [type(part) for part in finished(outcome).answer.parts] == [Reasoning, Text]
        assert roles(outcome)[-1] == ("b", "splice")


async def test_nobody_is_asked_to_go_on_while_thinking_is_asked_for(autojump_clock: object) -> None:
    async with open_rig(("a", typed(TEXT, 9)), ("b", saying(TEXT, "ollama")), cards=cards("b")) as rig:
        _, outcome = await rig.stream(reasoning=ReasoningOptions(effort="low"))

        finished(outcome)
        assert roles(outcome)[-1] == ("b", "splice")


async def test_model_that_thinks_and_does_not_go_on_has_not_taken_the_answer_up(autojump_clock: object) -> None:
    silent = scripted(chunk(reasoning_content="All is said, is it not?"), ending())
    async with open_rig(("a", typed(TEXT, 9)), ("b", silent), cards=cards("b")) as rig:
        events, outcome = await rig.stream()

        assert check_stream(events, outcome) == TEXT[:9]
        assert "thought, and did not go on" in unfinished(outcome).failure.message


async def test_model_that_has_nothing_to_add_ends_the_answer(autojump_clock: object) -> None:
    async with open_rig(("a", typed(TEXT, len(TEXT))), ("b", scripted(ending())), cards=cards("b")) as rig:
        events, outcome = await rig.stream()

        assert check_stream(events, outcome) == TEXT
        assert finished(outcome).answer.finish.reason == "stop"
        assert [type(event) for event in events].count(FinishReported) == 1
        metrics = await rig.router.ask(RoutingMetricsAsked(), deadline=trio.current_time() + 1)
        assert isinstance(metrics, RoutingMetrics)
        assert (metrics.continued, metrics.spliced, metrics.restarts) == (1, 0, 0)


async def test_target_that_takes_the_beginning_for_history_and_tells_it_again_is_spliced(
    autojump_clock: object,
) -> None:
    words = "Once upon a time there was a small actor who crashed and came back."
    second = saying(words, "ollama", prefill="ignore")
    async with open_rig(("a", typed(words, 40)), ("b", second), cards=cards("b")) as rig:
        events, outcome = await rig.stream()

        finished(outcome)
        assert check_stream(events, outcome) == words
        assert roles(outcome)[-1] == ("b", "continue")


async def test_target_that_begins_otherwise_than_before_does_not_pass_for_a_continuation(
    autojump_clock: object,
) -> None:
    words = "Once upon a time there was a small actor who crashed and came back."
    second = saying(words.replace("crashed", "sang"), "ollama", prefill="ignore")
    async with open_rig(("a", typed(words, 60)), ("b", second), ("c", saying(words)), cards=cards("b")) as rig:
        events, outcome = await rig.stream()

        finished(outcome)
        assert check_stream(events, outcome) == words
        assert roles(outcome) == [("a", "first"), ("b", "continue"), ("c", "splice")]
        assert outcome.route.attempts[1].result == "cancelled"
        await rig.check()


async def test_nobody_is_asked_for_what_the_wire_does_not_have(autojump_clock: object) -> None:
    # The card says yes; with a tool in the conversation Bedrock takes no beginnings.
    async with open_rig(("a", typed(TEXT, 9)), ("b", saying(TEXT, "bedrock")), cards=cards("b")) as rig:
        _, outcome = await rig.stream(tools=(TOOL,))

        finished(outcome)
        assert roles(outcome)[-1] == ("b", "splice")


async def test_continuation_that_is_cut_is_continued_and_so_on(autojump_clock: object) -> None:
    words = TEXT * 3
    ways = [("a", typed(words, 11))]
    for name, at in (("b", 4), ("c", 5), ("d", 6)):
        ways.append((name, Upstreams(Script(text=words, fault=Cut(after_chunks=at, reset=True)), "anthropic")))
    ways.append(("e", saying(words, "bedrock")))
    async with open_rig(*ways, cards=cards("b", "c", "d", "e")) as rig:
        events, outcome = await rig.stream()

        assert check_stream(events, outcome) == words
        assert [role for _, role in roles(outcome)] == ["first", *["continue"] * (len(roles(outcome)) - 1)]
        assert len(roles(outcome)) <= 8
        await check_books(rig, outcome)


async def test_spliced_answer_that_is_cut_further_on_is_taken_up_from_there(autojump_clock: object) -> None:
    ways = (("a", typed(TEXT, 9)), ("b", typed(TEXT, 20)), ("c", saying()))
    async with open_rig(*ways) as rig:
        events, outcome = await rig.stream()

        assert check_stream(events, outcome) == TEXT
        assert finished(outcome).provider == "c"
        metrics = await rig.router.ask(RoutingMetricsAsked(), deadline=trio.current_time() + 1)
        assert isinstance(metrics, RoutingMetrics)
        assert metrics.spliced == 2
        await check_books(rig, outcome)


async def test_everything_failing_ends_with_the_first_cut_and_everything_that_was_shown(
    autojump_clock: object,
) -> None:
    ways = (("a", typed(TEXT, 9)), ("b", typed(TEXT, 20)), ("c", saying(OTHER)))
    async with open_rig(*ways) as rig:
        events, outcome = await rig.stream()

        assert check_stream(events, outcome) == TEXT[:20]
        ended = unfinished(outcome)
        assert (ended.failure.kind, ended.failure.provider) == ("network", "a")
        assert "b/sim-large: network" in ended.failure.message
        assert "c/sim-large: its answer differs from what was shown after 0 of 20 characters" in ended.failure.message
        await check_books(rig, outcome)


async def test_after_a_difference_only_who_goes_on_is_asked(autojump_clock: object) -> None:
    ways = (("a", typed(TEXT, 9)), ("b", saying(OTHER)), ("c", saying(TEXT)))
    async with open_rig(*ways) as rig:
        _, outcome = await rig.stream()

        unfinished(outcome)
        assert [provider for provider, _ in roles(outcome)] == ["a", "a", "b"]
        assert outcome.route.gave_up == "no candidate is left that could go on with it"


async def test_first_difference_ends_the_attempt_at_once(autojump_clock: object) -> None:
    chatty = saying("Once else " + "and so on " * 500, gap_s=0.1)
    async with open_rig(("a", typed(TEXT, 20)), ("b", chatty)) as rig:
        _, outcome = await rig.stream()

        unfinished(outcome)
        assert outcome.latency_s < 1.0
        await rig.settled()
        assert chatty.sim.bill.rows()[0].state == "disconnected"
        assert chatty.sim.bill.rows()[0].output_tokens <= 3
        await rig.check()


async def test_attempt_that_was_ended_for_its_words_says_nothing_of_health(autojump_clock: object) -> None:
    async with open_rig(("a", typed(TEXT, 9)), ("b", saying(OTHER))) as rig:
        _, outcome = await rig.stream()

        failure = outcome.route.attempts[-1].failure
        assert failure is not None
        assert (failure.kind, failure.what_to_do.health) == ("cancelled", False)


@pytest.mark.parametrize("accepts", [True, False])
async def test_bound_of_the_caller_holds_over_both_answers(accepts: bool, autojump_clock: object) -> None:
    words = "one two three four five six seven eight nine ten eleven twelve"
    second = saying(words, "anthropic")
    async with open_rig(("a", typed(words, 23)), ("b", second), cards=cards("b") if accepts else {}) as rig:
        events, outcome = await rig.stream(max_output_tokens=9)

        text = check_stream(events, outcome)
        assert words.startswith(text)
        assert finished(outcome).answer.finish.reason == "length"
        assert 9 <= len(text.split()) <= 10


async def test_answer_of_several_hands_can_be_sent_back_to_anybody(autojump_clock: object) -> None:
    second = saying(TEXT, "openai-responses")
    async with open_rig(("a", typed(TEXT, 9)), ("b", second), ("c", saying("Yes.", "anthropic"))) as rig:
        _, outcome = await rig.stream()
        turn = finished(outcome).answer.turn
        assert turn is not None
        assert turn.vendor is None

        question = text_turn("user", "And then?")
        for name in ("b", "c"):
            request = msgspec.structs.replace(asked(provider=name), turns=(question, turn, question))
            again = await rig.router.ask(request, deadline=trio.current_time() + 60)
            assert isinstance(again, Finished), again
