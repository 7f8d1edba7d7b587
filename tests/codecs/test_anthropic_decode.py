"""How a Messages answer ends, and everything odd that may stand in it."""

from __future__ import annotations

import itertools
import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manus.actors.codecs import codec_for
from manus.actors.codecs.base import CodecOptions
from manus.messages.content import Text
from manus.messages.events import Ended, FinishReported, Pinged, Started, StreamEvent
from manus.messages.policy import Bounds
from tests.codecs.anthropic_answers import Event, begun, block, framed, over, read, said, whole


@pytest.mark.parametrize(
    ("raw", "reason", "detail"),
    [
        ("end_turn", "stop", None),
        ("stop_sequence", "stop", None),
        ("max_tokens", "length", None),
        ("model_context_window_exceeded", "length", "context_window"),
        ("tool_use", "tool_calls", None),
        ("pause_turn", "pause", None),
        ("compaction", "pause", None),
        ("refusal", "refusal", None),
        ("brand_new", "unknown", None),
    ],
)
def test_each_stop_reason_has_its_word(raw: str, reason: str, detail: str | None) -> None:
    for body in (framed(begun(), *said(0, "A"), *over(raw)), whole({"type": "text", "text": "A"}, stop_reason=raw)):
        finish = read(body)[1].answer().finish
        assert (finish.reason, finish.raw, finish.detail) == (reason, raw, detail)


def test_the_stop_sequence_and_the_tier_are_told() -> None:
    body = whole(
        stop_reason="stop_sequence",
        stop_sequence="END",
        usage={"input_tokens": 1, "output_tokens": 0, "service_tier": "priority"},
    )
    answer = read(body)[1].answer()
    assert (answer.finish.stop_sequence, answer.service_tier, answer.parts) == ("END", "priority", ())


def test_a_refusal_tells_its_category_and_its_details() -> None:
    details = {"type": "refusal", "category": "cyber", "explanation": "No."}
    answer = read(framed(begun(), *said(0, "Sure"), *over("refusal", stop_details=details)))[1].answer()
    assert (answer.finish.reason, answer.finish.detail) == ("refusal", "cyber")
    assert [json.loads(bytes(raw)) for raw in answer.safety] == [details]


def test_a_stop_reason_and_a_clean_end_are_evidence_and_nothing_less() -> None:
    stop = over()[0]
    events, assembly = read(framed(begun(), *said(0, "A"), stop))
    assert (events[-1], assembly.failure) == (Ended(evidence="finish_reason"), None)
    events, assembly = read(framed(begun(), *said(0, "A")))
    assert events[-1] == Ended(evidence="none")
    assert assembly.failure is not None
    assert assembly.failure.kind == "incomplete"


@pytest.mark.parametrize("body", [framed(begun(), *said(0, "A"), *over(None)), whole(stop_reason=None)])
def test_an_end_without_a_reason_is_no_success(body: bytes) -> None:
    _, assembly = read(body)
    assert assembly.answer().finish.reason == "incomplete"
    assert assembly.failure is not None


@pytest.mark.parametrize(
    ("type_", "kind"),
    [
        ("overloaded_error", "overloaded"),
        ("api_error", "server"),
        ("timeout_error", "timeout"),
        ("rate_limit_error", "rate_limited"),
        ("invalid_request_error", "invalid_request"),
        ("new_error", "server"),
    ],
)
def test_an_error_inside_ends_the_answer(type_: str, kind: str) -> None:
    error = {"type": "error", "error": {"type": type_, "message": "Oh"}, "request_id": "req_1"}
    for body in (framed(begun(), *said(0, "A"), error, *said(1, "B")), json.dumps(error).encode()):
        failure = read(body)[1].failure
        assert failure is not None
        assert (failure.kind, failure.vendor_request_id) == (kind, "req_1")


# --- odd things ------------------------------------------------------------------------------------------


def test_pings_unknown_events_and_comments_are_no_content() -> None:
    odd: Event = {"type": "brand_new", "x": 1}
    ping: Event = {"type": "ping"}
    body = b": hello\n\n" + framed(ping, odd, begun(), ping, *said(0, "A"), *over())
    events, assembly = read(body)
    assert sum(isinstance(event, Pinged) for event in events) == 3
    assert assembly.answer().parts == (Text(text="A"),)


def test_the_name_of_an_event_is_enough() -> None:
    stream = framed(begun(), *said(0, "A"), over()[0]) + b"event: message_stop\ndata: {}\n\n"
    assert read(stream)[0][-1] == Ended(evidence="marker")


def test_blanks_before_the_brace_do_no_harm() -> None:
    stream = framed(begun(), *said(0, "A"), *over()).replace(b"}\n\n", b"     }\n\n")
    assert read(stream)[1].text_so_far == "A"


def test_a_stop_without_a_start_and_a_delta_without_one() -> None:
    stream = framed(
        begun(),
        {"type": "content_block_stop", "index": 7},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "A"}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": "{}"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "new_delta", "x": 1}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "B"}},
        *over(),
    )
    assert read(stream)[1].answer().parts == (Text(text="AB"),)


def test_blocks_that_are_written_by_turns_are_told_apart_by_their_index() -> None:
    one, two = said(0, "A", "C"), block(1, "thinking", {"type": "thinking_delta", "thinking": "B"}, thinking="")
    stream = framed(begun(), one[0], two[0], one[1], two[1], one[2], one[3], two[2], *over())
    text, thought = read(stream)[1].answer().parts
    assert (text, thought.text) == (Text(text="AC"), "B")  # type: ignore[union-attr]


def test_a_character_cut_in_two_is_joined_again() -> None:
    stream = framed(begun(), *said(0, "x\ud83d", "\ude00y", "\ud83d"), *over())
    assert read(stream)[1].text_so_far == "x\U0001f600y\ufffd"


def test_fields_of_the_wrong_type_count_as_absent() -> None:
    stream = framed(
        begun(model=7, usage={"input_tokens": "12"}),
        *said(0, "A"),
        {"type": "content_block_start", "index": 1, "content_block": 5},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": 5}},
        {"type": "content_block_delta", "index": 0, "delta": None},
        *over(usage={"output_tokens": 2}),
    )
    events, assembly = read(stream)
    assert events[0] == Started(id="msg_1")
    assert assembly.text_so_far == "A"
    assert assembly.failure is None


@pytest.mark.parametrize("body", [b"{}", b"[]", b'{"object": "chat.completion", "choices": []}', b"{", b"hello\n\n"])
def test_what_is_no_message_is_a_protocol_failure(body: bytes) -> None:
    failure = read(body)[1].failure
    assert failure is not None
    assert failure.kind == "protocol"


def test_an_event_that_is_no_json_fails_the_answer_and_another_wires_marker_does_not() -> None:
    bad = framed(begun()) + b"event: content_block_delta\ndata: {oops\n\n"
    assert read(bad)[1].failure.kind == "protocol"  # type: ignore[union-attr]
    marked = framed(begun(), *said(0, "A"), over()[0]) + b"data: [DONE]\n\n"
    assert read(marked)[1].failure is None


def test_the_bounds_hold() -> None:
    calls = [event for index in range(4) for event in block(index, "tool_use", id=f"t{index}", name="f", input={})]
    for body, bounds, param in (
        (framed(begun(), *said(0, *["a" * 90] * 4)), Bounds(answer_bytes=200), "answer_bytes"),
        (framed(begun(), *calls), Bounds(tool_calls=3), "tool_calls"),
        (framed(begun(), *block(0, "new", x="a" * 300)), Bounds(answer_bytes=200), "answer_bytes"),
    ):
        failure = read(body, bounds=bounds)[1].failure
        assert failure is not None
        assert (failure.kind, failure.param) == ("protocol", param)


def test_thinking_that_the_vendor_dropped_is_told() -> None:
    _, assembly = read(whole({"type": "text", "text": "A"}, input_transformations=[{"type": "thinking_dropped"}]))
    assert len(assembly.answer().warnings) == 1


STREAM = framed(
    begun(),
    *block(
        0, "thinking", {"type": "thinking_delta", "thinking": "日本"}, {"type": "signature_delta", "signature": "s"}
    ),
    *said(1, "Größe ", "\U0001f30d", "!"),
    *block(2, "tool_use", {"type": "input_json_delta", "partial_json": '{"a": "é"}'}, id="t", name="f", input={}),
    *over("tool_use"),
)


@given(cuts=st.lists(st.integers(0, len(STREAM)), max_size=12), end=st.sampled_from([b"\n", b"\r\n", b"\r"]))
@settings(max_examples=100, deadline=None)
def test_no_split_and_no_line_end_changes_what_is_said(cuts: list[int], end: bytes) -> None:
    body = STREAM.replace(b"\n", end)
    edges = sorted({0, len(body), *cuts})
    decoder = codec_for("anthropic").decoder(stream=True, model="m", options=CodecOptions())
    events: list[StreamEvent] = []
    for start, stop in itertools.pairwise(edges):
        events += decoder.feed(body[start:stop])
    events += decoder.finish()
    assert msgspec.json.encode(events) == msgspec.json.encode(read(STREAM)[0])


@pytest.mark.parametrize("events", range(1, 15))
def test_a_stream_cut_after_any_event_is_incomplete_unless_its_reason_was_said(events: int) -> None:
    parts = STREAM.split(b"\n\n")[:-1]
    said_so_far = b"".join(part + b"\n\n" for part in parts[:events])
    _, assembly = read(said_so_far)
    finished = b"stop_reason" in said_so_far
    assert (assembly.failure is None) is finished
    finish = [event for event in read(said_so_far)[0] if isinstance(event, FinishReported)]
    assert [event.reason for event in finish] == ["tool_calls" if finished else "incomplete"]
