"""Responses answers: what their items and fragments become, in whatever order and completeness they come."""

from __future__ import annotations

import msgspec

from manus.messages.content import Citation, Opaque, Reasoning, Refusal, Text, ToolCall
from manus.messages.events import (
    Ended,
    FinishReported,
    LogprobsReported,
    PartEnded,
    Started,
    TextDelta,
)
from tests.codecs.decoding import assemble, assert_grammar, decode
from tests.codecs.responses_answers import (
    CREATED,
    WIRE,
    begun,
    call_item,
    completed,
    document_of,
    ended,
    framed,
    message_item,
    parts_of,
    text_event,
)


def test_a_document_gives_all_that_it_says() -> None:
    thought = {
        "id": "rs_1",
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": "One."}, {"type": "summary_text", "text": "Two."}],
        "encrypted_content": "gAAA",
    }
    assembly = assemble(
        WIRE, document_of(thought, message_item("Hi"), call_item(), service_tier="default"), stream=False
    )
    answer = assembly.answer()

    assert answer.parts == (
        Reasoning(text="One.\n\nTwo.", encrypted="gAAA", id="rs_1", provider=WIRE, model="m"),
        Text(text="Hi"),
        ToolCall(id="call_9", name="get_weather", arguments='{"city":"Oslo"}'),
    )
    assert (answer.id, answer.model, answer.service_tier) == ("resp_1", "gpt-5.6", "default")
    assert (answer.finish.reason, answer.finish.raw) == ("tool_calls", "completed")
    usage = answer.usage
    assert (usage.input_uncached, usage.cache_read, usage.cache_write_short) == (10, 60, 5)
    assert (usage.output, usage.reasoning, usage.source) == (40, 32, "reported")
    assert assembly.failure is None


def test_a_stream_gives_its_events_in_order() -> None:
    body = framed(
        CREATED,
        begun(0, message_item()),
        text_event("Hé"),
        text_event("llo", logprobs=[{"token": "llo", "logprob": -0.1}]),
        ended(0, message_item("Héllo")),
        completed(message_item("Héllo")),
    )
    events = decode(WIRE, [body])

    assert_grammar(events)
    kinds = [type(event) for event in events]
    assert kinds[:5] == [Started, TextDelta, TextDelta, LogprobsReported, PartEnded]
    assert kinds[-2:] == [FinishReported, Ended]
    assert events[-1] == Ended(evidence="marker")


def test_items_written_by_turns_are_kept_apart() -> None:
    body = framed(
        CREATED,
        begun(0, message_item()),
        begun(1, call_item("call_1", "")),
        begun(2, call_item("call_2", "")),
        text_event("a", 0),
        ("response.function_call_arguments.delta", {"output_index": 2, "delta": '{"x"'}),
        ("response.function_call_arguments.delta", {"output_index": 1, "delta": '{"y"'}),
        text_event("b", 0),
        ("response.function_call_arguments.delta", {"output_index": 2, "delta": ":2}"}),
        ("response.function_call_arguments.delta", {"output_index": 1, "delta": ":1}"}),
        completed(),
    )
    text, *calls = sorted(parts_of(body), key=lambda part: isinstance(part, ToolCall))

    assert text == Text(text="ab")
    assert [(call.id, call.arguments) for call in calls] == [("call_1", '{"y":1}'), ("call_2", '{"x":2}')]


def test_the_pieces_of_one_message_are_parts_of_their_own() -> None:
    body = framed(
        CREATED,
        begun(0, message_item()),
        text_event("a", 0, 0),
        text_event("b", 0, 1),
        text_event("c", 0, 0),
        completed(),
    )

    assert parts_of(body) == (Text(text="ac"), Text(text="b"))


def test_a_stream_without_deltas_still_says_everything() -> None:
    thought = {"id": "rs_1", "type": "reasoning", "content": [{"type": "reasoning_text", "text": "Hm."}]}
    body = framed(CREATED, ended(0, thought), ended(1, message_item("Hi")), ended(2, call_item()), completed())

    assert parts_of(body) == (
        Reasoning(text="Hm.", id="rs_1", provider=WIRE, model="m"),
        Text(text="Hi"),
        ToolCall(id="call_9", name="get_weather", arguments='{"city":"Oslo"}'),
    )


def test_items_that_only_the_closing_event_has_are_not_lost() -> None:
    body = framed(CREATED, begun(0, message_item()), text_event("Hi"), completed(message_item("Hi"), call_item()))

    assert parts_of(body) == (Text(text="Hi"), ToolCall(id="call_9", name="get_weather", arguments='{"city":"Oslo"}'))


def test_nothing_is_said_twice_when_fragments_and_wholes_come() -> None:
    summary = [{"type": "summary_text", "text": "Hm."}]
    thought = {"id": "rs_1", "type": "reasoning", "summary": summary, "encrypted_content": "gAAA"}
    body = framed(
        CREATED,
        begun(0, {**thought, "summary": []}),
        ("response.reasoning_summary_text.delta", {"output_index": 0, "summary_index": 0, "delta": "Hm."}),
        ended(0, thought),
        begun(1, call_item(arguments="")),
        ("response.function_call_arguments.delta", {"output_index": 1, "delta": '{"city":"Oslo"}'}),
        ("response.function_call_arguments.done", {"output_index": 1, "arguments": '{"city":"Oslo"}'}),
        ended(1, call_item()),
        completed(thought, call_item()),
    )

    assert parts_of(body) == (
        Reasoning(text="Hm.", encrypted="gAAA", id="rs_1", provider=WIRE, model="m"),
        ToolCall(id="call_9", name="get_weather", arguments='{"city":"Oslo"}'),
    )


def test_thinking_that_only_has_its_seal_is_kept_and_such_without_any_is_not() -> None:
    sealed = {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "gAAA"}
    bare = {"id": "rs_2", "type": "reasoning", "summary": []}

    assert parts_of(document_of(sealed, bare)) == (Reasoning(encrypted="gAAA", id="rs_1", provider=WIRE, model="m"),)


def test_a_call_is_answered_by_its_call_id_and_one_without_gets_the_items() -> None:
    assert [part.id for part in parts_of(document_of(call_item()))] == ["call_9"]
    assert [part.id for part in parts_of(document_of(call_item(call_id="")))] == ["fc_1"]


def test_a_call_without_arguments_has_none() -> None:
    assert parts_of(document_of(call_item(arguments="")))[0].arguments == "{}"


def test_a_refusal_is_the_finish() -> None:
    refused = {**message_item(), "content": [{"type": "refusal", "refusal": "No."}]}
    whole = assemble(WIRE, document_of(refused)).answer()
    deltas = [
        ("response.refusal.delta", {"output_index": 0, "content_index": 0, "delta": word}) for word in ("N", "o.")
    ]
    streamed = assemble(WIRE, framed(CREATED, *deltas, ended(0, refused), completed(refused))).answer()

    assert whole.parts == streamed.parts == (Refusal(text="No."),)
    assert whole.finish.reason == streamed.finish.reason == "refusal"


def test_sources_belong_to_the_words_they_stand_by() -> None:
    source = {"type": "url_citation", "url": "https://e.org", "title": "E", "start_index": 0, "end_index": 2}
    cited = message_item("It is.")
    cited["content"][0]["annotations"] = [source]
    added = (
        "response.output_text.annotation.added",
        {"output_index": 0, "content_index": 0, "annotation_index": 0, "annotation": source},
    )
    streamed = framed(CREATED, begun(0, message_item()), text_event("It is."), added, ended(0, cited), completed(cited))

    for parts in (parts_of(document_of(cited)), parts_of(streamed)):
        assert [type(part) for part in parts] == [Text, Citation]
        assert (parts[1].title, parts[1].url, msgspec.json.decode(parts[1].raw)) == ("E", "https://e.org", source)


def test_what_the_vendor_ran_is_carried_and_counted() -> None:
    search = {"id": "ws_1", "type": "web_search_call", "status": "completed", "action": {"type": "search"}}
    answer = assemble(WIRE, document_of(search, message_item("Found."))).answer()

    opaque = answer.parts[0]
    assert isinstance(opaque, Opaque)
    assert (opaque.kind, msgspec.json.decode(opaque.raw), opaque.model) == ("web_search_call", search, "m")
    assert answer.usage.server_tool_calls == 1
    assert answer.finish.reason == "stop"


def test_a_custom_tools_call_waits_for_the_caller() -> None:
    custom = {"type": "custom_tool_call", "call_id": "c", "name": "n", "input": "x"}

    assert assemble(WIRE, document_of(custom)).answer().finish.reason == "tool_calls"


def test_a_turn_that_its_parts_cannot_say_is_kept_whole() -> None:
    aloud = message_item("Looking.", phase="commentary")
    turn = assemble(WIRE, framed(CREATED, ended(0, aloud), completed(aloud, call_item()))).answer().turn

    assert turn is not None
    assert turn.vendor is not None
    assert (turn.vendor.provider, turn.vendor.model) == (WIRE, "m")
    assert msgspec.json.decode(turn.vendor.raw) == [aloud, call_item()]
    plain = assemble(WIRE, document_of(message_item("Hi"))).answer().turn
    assert plain is not None
    assert plain.vendor is None
