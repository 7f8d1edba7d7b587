"""Converse answers, streamed and whole: every kind of block, every way to end, and what must not pass for an end."""

from __future__ import annotations

import json

import msgspec
import pytest

from manus.actors.assembly import Assembly
from manus.actors.codecs import codec_for
from manus.actors.codecs.base import CodecOptions
from manus.messages.content import Citation, Opaque, Reasoning, Text, ToolCall
from manus.messages.events import (
    Ended,
    FinishReported,
    PartEnded,
    ReasoningDelta,
    StreamEvent,
    StreamFailed,
    TextDelta,
    ToolArgumentsDelta,
    ToolCallStarted,
)
from manus.messages.failures import FailureKind
from manus.messages.policy import Bounds
from manus.messages.usage import Usage
from tests.codecs.converse_frames import (
    MESSAGE_START,
    converse,
    delta,
    exception,
    frame,
    message_stop,
    metadata,
    start,
    stop,
    stream,
    unmodelled,
)


def decoded(body: bytes, *, answer_tool: str | None = None, bounds: Bounds | None = None, piece: int = 0) -> Assembly:
    """Fold a body into an assembly, whole or in pieces of some bytes."""
    events = events_of(body, answer_tool=answer_tool, bounds=bounds, piece=piece)
    assembly = Assembly("bedrock", "m", Bounds())
    assembly.add(events)
    return assembly


def events_of(
    body: bytes, *, answer_tool: str | None = None, bounds: Bounds | None = None, piece: int = 0
) -> list[StreamEvent]:
    """Give the events of a body; there is one terminal, and it is the last."""
    options = CodecOptions(bounds=bounds or Bounds(), answer_tool=answer_tool)
    decoder = codec_for("bedrock").decoder(stream=True, model="m", options=options)
    size = piece or max(1, len(body))
    events: list[StreamEvent] = []
    for place in range(0, len(body), size):
        events.extend(decoder.feed(body[place : place + size]))
    events.extend(decoder.finish())
    assert decoder.done
    assert [event for event in events if isinstance(event, Ended | StreamFailed)] == events[-1:]
    return events


def failure_kind(assembly: Assembly) -> FailureKind | None:
    return None if assembly.failure is None else assembly.failure.kind


# --- content ---------------------------------------------------------------------------------------------


def test_a_stream_with_thinking_text_and_calls_becomes_parts_in_order() -> None:
    body = stream(
        delta(0, reasoningContent={"text": "Need "}),
        delta(0, reasoningContent={"text": "weather"}),
        delta(0, reasoningContent={"signature": "EqM="}),
        stop(0),
        delta(1, text="Check"),
        delta(1, text="ing."),
        stop(1),
        start(2, toolUse={"toolUseId": "t1", "name": "get_weather"}),
        delta(2, toolUse={"input": '{"city":'}),
        delta(2, toolUse={"input": '"Oslo"}'}),
        stop(2),
        start(3, toolUse={"toolUseId": "t2", "name": "now", "type": "tool_use"}),
        stop(3),
        reason="tool_use",
    )
    for piece in (0, 1, 7):
        answer = decoded(body, piece=piece).answer()
        assert answer.parts == (
            Reasoning(text="Need weather", signature="EqM=", provider="bedrock", model="m"),
            Text(text="Checking."),
            ToolCall(id="t1", name="get_weather", arguments='{"city":"Oslo"}'),
            ToolCall(id="t2", name="now", arguments="{}"),
        )
        assert (answer.finish.reason, answer.finish.raw) == ("tool_calls", "tool_use")
        assert answer.usage == Usage(input_uncached=13, output=5, source="reported")


def test_the_same_answer_not_streamed_has_the_same_parts() -> None:
    body = converse(
        [
            {"reasoningContent": {"reasoningText": {"text": "Need weather", "signature": "EqM="}}},
            {"text": "Checking."},
            {"toolUse": {"toolUseId": "t1", "name": "get_weather", "input": {"city": "Oslo"}}},
            {"toolUse": {"toolUseId": "t2", "name": "now", "input": {}}},
        ],
        "tool_use",
    )
    answer = decoded(body).answer()
    assert answer.parts == (
        Reasoning(text="Need weather", signature="EqM=", provider="bedrock", model="m"),
        Text(text="Checking."),
        ToolCall(id="t1", name="get_weather", arguments='{"city": "Oslo"}'),
        ToolCall(id="t2", name="now", arguments="{}"),
    )
    assert answer.finish.reason == "tool_calls"


def test_calls_that_come_interleaved_keep_their_own_arguments() -> None:
    body = stream(
        start(0, toolUse={"toolUseId": "a", "name": "f"}),
        start(1, toolUse={"toolUseId": "b", "name": "g"}),
        delta(1, toolUse={"input": '{"y":'}),
        delta(0, toolUse={"input": '{"x":'}),
        delta(1, toolUse={"input": "2}"}),
        delta(0, toolUse={"input": "1}"}),
        stop(1),
        stop(0),
        reason="tool_use",
    )
    assert decoded(body).answer().parts == (
        ToolCall(id="a", name="f", arguments='{"x":1}'),
        ToolCall(id="b", name="g", arguments='{"y":2}'),
    )


def test_parts_are_ended_once_and_before_the_finish() -> None:
    events = events_of(stream(delta(0, text="Hi"), stop(0), stop(0), stop(7)))
    kinds = [type(event) for event in events if isinstance(event, TextDelta | PartEnded | FinishReported)]
    assert kinds == [TextDelta, PartEnded, FinishReported]


def test_an_empty_text_block_before_the_thinking_is_no_part() -> None:
    body = stream(delta(0, text=""), delta(1, reasoningContent={"text": "Hm"}), delta(2, text="Yes"))
    assert [type(part) for part in decoded(body).answer().parts] == [Reasoning, Text]


def test_hidden_thinking_goes_back_as_it_came() -> None:
    body = stream(delta(0, reasoningContent={"redactedContent": "AQI="}), stop(0), delta(1, text="Yes"))
    hidden = Reasoning(redacted="AQI=", provider="bedrock", model="m")
    assert decoded(body).answer().parts[0] == hidden
    whole = converse([{"reasoningContent": {"redactedContent": "AQI="}}, {"text": "Yes"}])
    assert decoded(whole).answer().parts[0] == hidden


def test_hidden_thinking_in_pieces_is_joined_as_bytes() -> None:
    pieces = (delta(0, reasoningContent={"redactedContent": piece}) for piece in ("AQI=", "Aw=="))
    (part,) = decoded(stream(*pieces)).answer().parts
    assert isinstance(part, Reasoning)
    assert part.redacted == "AQID"


def test_a_signature_without_text_is_kept() -> None:
    (part, _) = decoded(stream(delta(0, reasoningContent={"signature": "S"}), delta(1, text="x"))).answer().parts
    assert part == Reasoning(text="", signature="S", provider="bedrock", model="m")


def test_a_character_cut_between_two_deltas_is_joined_and_half_of_one_is_replaced() -> None:
    halves = [
        b'{"contentBlockIndex":0,"delta":{"text":"\\ud83d"}}',
        b'{"contentBlockIndex":0,"delta":{"text":"\\ude00"}}',
    ]
    whole = stream(*(frame("contentBlockDelta", half) for half in halves))
    assert decoded(whole).text_so_far == "\U0001f600"
    assert decoded(stream(frame("contentBlockDelta", halves[0]))).text_so_far == "\ufffd"


def test_sources_stand_behind_the_text_they_belong_to() -> None:
    citation = {"title": "T", "location": {"web": {"url": "https://u"}}, "sourceContent": [{"text": "quote"}]}
    streamed = decoded(stream(delta(0, text="Ruby."), delta(0, citation=citation), stop(0))).answer().parts
    whole = converse([{"citationsContent": {"content": [{"text": "Ruby."}], "citations": [citation]}}])
    for text, source in (streamed, decoded(whole).answer().parts):
        assert text == Text(text="Ruby.")
        assert isinstance(source, Citation)
        assert (source.title, source.url, source.quote) == ("T", "https://u", "quote")
        assert json.loads(bytes(source.raw)) == citation


def test_tools_that_the_vendor_ran_are_carried_unread_and_never_called() -> None:
    use = {"toolUseId": "s", "name": "nova_grounding", "type": "server_tool_use"}
    result = {"toolUseId": "s", "status": "success", "type": "nova_grounding_result"}
    body = stream(
        start(0, toolUse=use),
        delta(0, toolUse={"input": '{"query":'}),
        delta(0, toolUse={"input": '"ruby"}'}),
        stop(0),
        start(1, toolResult=result),
        delta(1, toolResult=[{"text": "[HIDDEN]"}]),
        delta(1, toolResult=[{"json": {"a": 1}}]),
        stop(1),
        delta(2, text="Ruby."),
    )
    whole = converse(
        [
            {"toolUse": {**use, "input": {"query": "ruby"}}},
            {"toolResult": {**result, "content": [{"text": "[HIDDEN]"}, {"json": {"a": 1}}]}},
            {"text": "Ruby."},
        ]
    )
    for given in (decoded(body), decoded(whole)):
        first, second, third = given.answer().parts
        assert isinstance(first, Opaque)
        assert isinstance(second, Opaque)
        assert (first.kind, second.kind, third) == ("toolUse", "toolResult", Text(text="Ruby."))
        assert json.loads(bytes(first.raw)) == {"toolUse": {**use, "input": {"query": "ruby"}}}
        assert json.loads(bytes(second.raw)) == {
            "toolResult": {**result, "content": [{"text": "[HIDDEN]"}, {"json": {"a": 1}}]}
        }
        assert given.answer().finish.reason == "stop"


def test_a_call_of_the_vendors_own_that_a_token_limit_cut_is_left_out() -> None:
    use = {"toolUseId": "s", "name": "nova_grounding", "type": "server_tool_use"}
    body = stream(delta(0, text="Hi"), start(1, toolUse=use), delta(1, toolUse={"input": '{"q'}), reason="max_tokens")
    answer = decoded(body).answer()
    assert (answer.parts, answer.finish.reason) == ((Text(text="Hi"),), "length")


def test_an_image_that_the_model_made_is_carried_unread() -> None:
    source = {"source": {"bytes": "AQI="}}
    body = stream(start(0, image={"format": "png"}), delta(0, image=source), stop(0), delta(1, text="There."))
    part, _ = decoded(body).answer().parts
    assert isinstance(part, Opaque)
    assert json.loads(bytes(part.raw)) == {"image": {"format": "png", **source}}


def test_a_source_without_text_of_its_own_is_kept() -> None:
    citation = {"location": {"web": {"url": "https://u"}}}
    parts = decoded(stream(delta(0, text="Ruby."), stop(0), delta(1, citation=citation), stop(1))).answer().parts
    assert [type(part) for part in parts] == [Text, Citation]


def test_hidden_thinking_that_is_no_base64_is_joined_as_it_came() -> None:
    pieces = (delta(0, reasoningContent={"redactedContent": piece}) for piece in ("?!", "Aw=="))
    (part,) = decoded(stream(*pieces)).answer().parts
    assert isinstance(part, Reasoning)
    assert part.redacted == "?!Aw=="


def test_a_block_of_a_new_kind_is_carried_unread() -> None:
    (part, text) = decoded(converse([{"hologram": {"depth": 3}}, {"text": "x"}])).answer().parts
    assert part == Opaque(
        provider="bedrock", kind="hologram", raw=msgspec.Raw(b'{"hologram": {"depth": 3}}'), model="m"
    )
    assert text == Text(text="x")


def test_events_and_members_of_a_new_kind_are_skipped() -> None:
    body = stream(
        frame("contentBlockPause", {"x": 1}),
        delta(0, text="Hi"),
        delta(0, hologram={}),
        frame("contentBlockDelta", {"contentBlockIndex": 0}),
        start(5, hologram={}),
        frame("contentBlockStart", {"contentBlockIndex": 6}),
    )
    assert decoded(body).answer().parts == (Text(text="Hi"),)


@pytest.mark.parametrize(
    "odd",
    [
        {"contentBlockIndex": "0", "delta": {"text": "Hi"}},
        {"contentBlockIndex": 0, "delta": {"text": "Hi", "citation": None, "toolUse": 3}},
        {"contentBlockIndex": None, "delta": {"text": "Hi", "reasoningContent": "x"}},
        {"contentBlockIndex": 0, "delta": {"text": "Hi", "toolResult": [1, None]}},
    ],
)
def test_members_of_the_wrong_type_count_as_absent(odd: dict[str, object]) -> None:
    assert decoded(stream(frame("contentBlockDelta", odd))).answer().parts == (Text(text="Hi"),)


def test_arguments_without_a_start_are_a_call_that_nobody_runs() -> None:
    (part,) = decoded(stream(delta(0, toolUse={"input": "{}"}))).answer().parts
    assert isinstance(part, ToolCall)
    assert (part.name, part.valid) == ("", False)


# --- the answer that comes as a call ---------------------------------------------------------------------


def test_arguments_of_the_answer_tool_are_text_piece_by_piece() -> None:
    body = stream(
        delta(0, text="Let me see."),
        stop(0),
        start(1, toolUse={"toolUseId": "t", "name": "answer"}),
        delta(1, toolUse={"input": '{"n":'}),
        delta(1, toolUse={"input": "1}"}),
        stop(1),
        reason="tool_use",
    )
    events = events_of(body, answer_tool="answer")
    assert [event.text for event in events if isinstance(event, TextDelta)] == ['{"n":', "1}"]
    assert not [event for event in events if isinstance(event, ToolCallStarted | ToolArgumentsDelta)]
    finish = decoded(body, answer_tool="answer").answer().finish
    assert (finish.reason, finish.raw) == ("stop", "tool_use")


def test_the_answer_tool_works_without_a_stream_and_only_its_first_call_counts() -> None:
    body = converse(
        [
            {"text": "Here:"},
            {"toolUse": {"toolUseId": "t", "name": "answer", "input": {"n": 1}}},
            {"toolUse": {"toolUseId": "u", "name": "answer", "input": {"n": 2}}},
        ],
        "tool_use",
    )
    answer = decoded(body, answer_tool="answer").answer()
    assert (answer.parts, answer.finish.reason) == ((Text(text='{"n": 1}'),), "stop")


def test_a_model_that_answers_in_text_instead_of_the_tool_is_heard() -> None:
    for body in (stream(delta(0, text='{"n"'), delta(0, text=":1}")), converse([{"text": '{"n":1}'}])):
        answer = decoded(body, answer_tool="answer").answer()
        assert (answer.parts, answer.finish.reason) == ((Text(text='{"n":1}'),), "stop")


def test_another_tool_beside_the_answer_tool_is_still_called() -> None:
    body = converse([{"toolUse": {"toolUseId": "t", "name": "look_up", "input": {}}}], "tool_use")
    answer = decoded(body, answer_tool="answer").answer()
    assert answer.parts == (ToolCall(id="t", name="look_up", arguments="{}"),)
    assert answer.finish.reason == "tool_calls"


# --- the end ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("guardrail_intervened", "content_filter"),
        ("content_filtered", "content_filter"),
        ("refusal", "refusal"),
        ("pause_turn", "pause"),
        ("tired", "unknown"),
    ],
)
def test_stop_reasons_have_their_canonical_word(raw: str, reason: str) -> None:
    for body in (stream(delta(0, text="Hi"), reason=raw), converse([{"text": "Hi"}], raw)):
        answer = decoded(body).answer()
        assert (answer.finish.reason, answer.finish.raw) == (reason, raw)
        assert answer.finish.detail == ("context_window" if "context" in raw else None)


def test_the_stop_sequence_that_was_met_and_the_tier_that_served_are_told() -> None:
    fields = {"stop_sequence": "END"}
    streamed = b"".join(
        (
            MESSAGE_START,
            delta(0, text="Hi"),
            message_stop("stop_sequence", additionalModelResponseFields=fields),
            metadata(serviceTier={"type": "priority"}),
        )
    )
    whole = converse(
        [{"text": "Hi"}],
        "stop_sequence",
        additionalModelResponseFields=fields,
        serviceTier={"type": "priority"},
    )
    for body in (streamed, whole):
        answer = decoded(body).answer()
        assert (answer.finish.stop_sequence, answer.service_tier) == ("END", "priority")


@pytest.mark.parametrize("raw", ["malformed_model_output", "malformed_tool_use"])
def test_nonsense_of_the_model_is_a_failure_that_may_be_asked_again(raw: str) -> None:
    cut = b"".join((MESSAGE_START, delta(0, text="Hi"), message_stop(raw)))
    for body in (stream(delta(0, text="Hi"), reason=raw), converse([{"text": "Hi"}], raw), cut):
        assembly = decoded(body)
        assert assembly.failure is not None
        assert (assembly.failure.kind, assembly.failure.code) == ("server", raw)
        assert assembly.failure.what_to_do.retry_here == "once"
        assert assembly.answer().finish.raw == raw


def test_what_a_guardrail_found_is_reported() -> None:
    trace = {"guardrail": {"inputAssessment": {"g": {"x": 1}}}}
    streamed = b"".join(
        (MESSAGE_START, delta(0, text="No."), message_stop("guardrail_intervened"), metadata(trace=trace))
    )
    for body in (streamed, converse([{"text": "No."}], "guardrail_intervened", trace=trace)):
        (safety,) = decoded(body).answer().safety
        assert json.loads(bytes(safety)) == trace["guardrail"]


def test_usage_stands_in_disjoint_parts() -> None:
    usage = {
        "inputTokens": 13,
        "outputTokens": 5,
        "totalTokens": 1522,
        "cacheReadInputTokens": 1504,
        "cacheReadInputTokenCount": 1504,
        "cacheWriteInputTokens": 300,
        "cacheDetails": [{"ttl": "1h", "inputTokens": 200}, {"ttl": "5m", "inputTokens": 100}],
    }
    expected = Usage(
        input_uncached=13, output=5, cache_read=1504, cache_write_short=100, cache_write_long=200, source="reported"
    )
    body = b"".join((MESSAGE_START, message_stop(), frame("metadata", {"usage": usage})))
    assert decoded(body).usage == expected
    assert decoded(converse([], usage=usage)).usage == expected
    assert expected.total == 1522 + 300


def test_a_stream_is_whole_only_with_its_stop() -> None:
    text = delta(0, text="Hi")
    ends = {
        "marker": stream(text),
        "finish_reason": b"".join((MESSAGE_START, text, message_stop())),
        "none": b"".join((MESSAGE_START, text)),
    }
    for evidence, body in ends.items():
        (ended,) = [event for event in events_of(body) if isinstance(event, Ended)]
        assert ended.evidence == evidence
    assert decoded(ends["finish_reason"]).usage.source == "missing"
    assert decoded(ends["none"]).answer().finish.reason == "incomplete"
    assert decoded(b"".join((MESSAGE_START, text, metadata()))).failure is not None


def test_a_stream_that_is_cut_anywhere_is_no_success_before_its_stop() -> None:
    head, tail = b"".join((MESSAGE_START, delta(0, text="Hi"))), b"".join((message_stop(), metadata()))
    whole = head + tail
    believed = len(head) + len(message_stop())
    for place in range(len(whole)):
        assembly = decoded(whole[:place])
        assert (failure_kind(assembly) is None) == (place >= believed), place


def test_nothing_at_all_is_incomplete() -> None:
    for body in (b"", b" \r\n"):
        assert failure_kind(decoded(body)) == "incomplete"


# --- failures --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frames", "kind", "retry", "code"),
    [
        (exception("throttlingException", {"message": "Too many requests"}), "rate_limited", "after_wait", None),
        (exception("throttlingException", {"message": "Too many tokens per day"}), "quota_exhausted", "no", None),
        (exception("internalServerException", {"message": "Oops"}), "server", "once", None),
        (exception("serviceUnavailableException", {"message": "Busy"}), "overloaded", "once", None),
        (exception("modelTimeoutException", {"message": "Slow"}), "timeout", "once", None),
        (
            exception("modelStreamErrorException", {"message": "x", "originalStatusCode": 400}),
            "server",
            "once",
            "modelStreamErrorException",
        ),
        (exception("validationException", {"message": "prompt is too long: 9 tokens > 8 maximum"}), "context_length",
         "no", None),
        (exception("validationException", {"message": "bad"}), "invalid_request", "no", "validationException"),
        (exception("brandNewException", {}), "server", "once", "brandNewException"),
        (unmodelled("InternalFailure", "it broke"), "server", "once", "InternalFailure"),
    ],
)  # fmt: skip
def test_errors_inside_an_answer_end_it_with_their_kind(
    frames: bytes, kind: FailureKind, retry: str, code: str | None
) -> None:
    for body in (frames, b"".join((MESSAGE_START, delta(0, text="Hi"), frames, delta(0, text=" there"), metadata()))):
        assembly = decoded(body, piece=9)
        assert assembly.failure is not None
        assert (assembly.failure.kind, assembly.failure.what_to_do.retry_here) == (kind, retry)
        assert code is None or assembly.failure.code == code
        assert assembly.text_so_far in ("", "Hi")
        assert assembly.answer().finish.reason == "error"


def test_the_vendors_words_are_in_the_failure() -> None:
    assembly = decoded(unmodelled("InternalFailure", "it broke"))
    assert assembly.failure is not None
    assert "it broke" in assembly.failure.message


def test_a_document_of_an_error_inside_a_200_fails_with_its_kind() -> None:
    body = json.dumps({"__type": "com.amazon#ThrottlingException", "Message": "Too many requests"}).encode()
    assembly = decoded(body, piece=3)
    assert assembly.failure is not None
    assert (assembly.failure.kind, assembly.failure.code) == ("rate_limited", "ThrottlingException")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<html><body>Sign in</body></html>", "web page"),
        (b"{}", "no message"),
        (converse([{"text": "Hi"}]).replace(b"Hi", b"H\xe9"), "cannot be read"),
        (converse([7, {"text": "Hi"}]), "cannot be read"),
        (b"[1]", "no JSON, or was cut short"),
        (b'{"output":{"message"', "no JSON, or was cut short"),
        (b"data: {}\n\n" * 4, "damaged"),
        (frame("messageStop", b'{"stopReason":"end'), "no JSON"),
        (frame("contentBlockDelta", b"[]"), "no JSON"),
        (frame("metadata", b""), "no JSON"),
        (stream(delta(0, text="Hi"))[:-1] + b"\0", "damaged"),
    ],
)
def test_what_is_no_answer_is_a_protocol_failure(body: bytes, said: str) -> None:
    assembly = decoded(body)
    assert assembly.failure is not None
    assert assembly.failure.kind == "protocol"
    assert said in assembly.failure.message


def test_an_answer_without_a_stop_reason_is_incomplete() -> None:
    assembly = decoded(converse([{"text": "Hi"}], None))
    assert (failure_kind(assembly), assembly.text_so_far) == ("incomplete", "Hi")


def test_bounds_hold_for_frames_answers_documents_and_calls() -> None:
    long = delta(0, text="a" * 500)
    assert "event_bytes" in _failed(stream(long), Bounds(event_bytes=400))
    assert "answer_bytes" in _failed(stream(*[delta(0, text="a" * 50)] * 9), Bounds(answer_bytes=300))
    assert "response_bytes" in _failed(converse([{"text": "a" * 500}]), Bounds(response_bytes=400))
    calls = [start(number, toolUse={"toolUseId": "t", "name": "f"}) for number in range(4)]
    assert "tool_calls" in _failed(stream(*calls), Bounds(tool_calls=3))
    unread = [start(0, toolUse={"type": "server_tool_use"}), *[delta(0, toolUse={"input": "a" * 50})] * 9]
    assert "answer_bytes" in _failed(stream(*unread), Bounds(answer_bytes=300))
    held = [delta(0, text="a" * 50)] * 9
    assert "answer_bytes" in _failed(stream(*held), Bounds(answer_bytes=300), answer_tool="answer")


def _failed(body: bytes, bounds: Bounds, answer_tool: str | None = None) -> str:
    assembly = decoded(body, bounds=bounds, answer_tool=answer_tool)
    assert assembly.failure is not None
    assert assembly.failure.kind == "protocol"
    return assembly.failure.message


def test_thinking_comes_piece_by_piece() -> None:
    events = events_of(stream(delta(0, reasoningContent={"text": "a"}), delta(0, reasoningContent={"text": "b"})))
    assert [event.text for event in events if isinstance(event, ReasoningDelta)] == ["a", "b"]
