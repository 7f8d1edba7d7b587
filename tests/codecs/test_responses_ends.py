"""Responses answers: how they end, fail, break off and surprise; bodies that nobody recorded included."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from manus.actors.assembly import Assembly
from manus.actors.codecs import codec_for
from manus.actors.codecs.base import CodecOptions
from manus.messages.content import ToolCall
from manus.messages.events import (
    Pinged,
    SafetyReported,
    StreamFailed,
)
from manus.messages.policy import Bounds
from tests.codecs.decoding import assemble, assert_grammar, decode
from tests.codecs.responses_answers import (
    CREATED,
    WIRE,
    begun,
    completed,
    document_of,
    ended,
    framed,
    message_item,
    response_of,
    text_event,
)
from tests.shared_data import exchanges


@pytest.mark.parametrize(
    ("fields", "reason", "raw"),
    [
        ({}, "stop", "completed"),
        (
            {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
            "length",
            "max_output_tokens",
        ),
        (
            {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}},
            "content_filter",
            "content_filter",
        ),
        ({"status": "incomplete", "incomplete_details": {"reason": "moon"}}, "unknown", "moon"),
        ({"status": "cancelled"}, "cancelled", "cancelled"),
    ],
)
def test_why_an_answer_ended(fields: dict[str, Any], reason: str, raw: str) -> None:
    kind = "response.incomplete" if fields.get("status") == "incomplete" else "response.completed"
    streamed = framed(CREATED, text_event("Hi"), (kind, {"response": response_of(message_item("Hi"), **fields)}))

    for body in (document_of(message_item("Hi"), **fields), streamed):
        assembly = assemble(WIRE, body)
        assert assembly.finish is not None
        assert (assembly.finish.reason, assembly.finish.raw) == (reason, raw)
        assert assembly.failure is None


def test_an_answer_that_is_still_being_made_is_none() -> None:
    assembly = assemble(WIRE, document_of(status="in_progress", usage=None))

    assert assembly.failure is not None
    assert assembly.failure.kind == "incomplete"


ERROR = {"code": "rate_limit_exceeded", "message": "Try again in 2s."}


@pytest.mark.parametrize(
    "body",
    [
        framed(CREATED, ("response.failed", {"response": response_of(status="failed", error=ERROR, usage=None)})),
        framed(CREATED, ("error", {"error": {"type": "x", "param": None, **ERROR}})),
        framed(CREATED, ("error", {"param": None, **ERROR})),
        b'event: error\ndata: {"error":{"code":"rate_limit_exceeded","message":"Try again in 2s."}}\n\n',
        b'data: {"error":{"code":"rate_limit_exceeded","message":"Try again in 2s."}}\n\n',
        document_of(status="failed", error=ERROR, usage=None),
        b'{"error":{"code":"rate_limit_exceeded","message":"Try again in 2s."}}',
    ],
    ids=["failed", "nested", "flat", "named", "nameless", "document", "error document"],
)
def test_errors_inside_a_success_are_failures_of_their_kind(body: bytes) -> None:
    events = decode(WIRE, [body])
    assert_grammar(events)

    failed = events[-1]
    assert isinstance(failed, StreamFailed)
    assert (failed.failure.kind, failed.failure.code) == ("rate_limited", "rate_limit_exceeded")
    assert failed.failure.retry_after_s == 2.0


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("server_error", "server"),
        ("context_length_exceeded", "context_length"),
        ("invalid_prompt", "content_policy"),
        ("bio_policy", "content_policy"),
        ("image_content_policy_violation", "content_policy"),
        ("invalid_image", "invalid_request"),
        ("invalid_base64_image", "invalid_request"),
        ("image_too_large", "invalid_request"),
        ("image_file_not_found", "invalid_request"),
        ("failed_to_download_image", "invalid_request"),
        ("vector_store_timeout", "timeout"),
        ("insufficient_quota", "quota_exhausted"),
    ],
)
def test_a_failed_answers_code_tells_its_kind(code: str, kind: str) -> None:
    failed = response_of(status="failed", error={"code": code, "message": "m"}, usage=None)
    assembly = assemble(WIRE, framed(CREATED, ("response.failed", {"response": failed})))

    assert assembly.failure is not None
    assert assembly.failure.kind == kind


@pytest.mark.parametrize(
    "body",
    [
        b"",
        framed(CREATED),
        framed(CREATED, text_event("Hi")),
        framed(CREATED, text_event("Hi"))[:-20],
        framed(CREATED, text_event("Hi")) + b"data: [DONE]\n\n",
        framed(CREATED, text_event("Hi"), ended(0, message_item("Hi"))),
    ],
    ids=["nothing", "begun", "amid", "inside an event", "a marker of another wire", "before its end"],
)
def test_an_answer_without_its_terminal_event_is_incomplete(body: bytes) -> None:
    assembly = assemble(WIRE, body)

    assert assembly.failure is not None
    assert assembly.failure.kind == "incomplete"


@pytest.mark.parametrize(
    "body",
    [
        b"<html>Sign in</html>",
        b"{}",
        b"[]",
        b'{"object":"list"}',
        b"{broken",
        b"data: {broken\n\n",
        b"nonsense\n\n",
        framed(CREATED, ("response.completed", {})),
    ],
)
def test_what_is_no_answer_is_a_protocol_failure(body: bytes) -> None:
    assembly = assemble(WIRE, body)

    assert assembly.failure is not None
    assert assembly.failure.kind == "protocol"


def test_events_and_items_that_nobody_knows_do_no_harm() -> None:
    body = framed(
        CREATED,
        ("response.moon.rising", {"moon": {"phase": [1, 2]}}),
        ("response.output_item.added", {"output_index": 0, "item": {"type": "moon"}}),
        text_event("Hi", 1),
        ("response.output_item.done", {"output_index": 7, "item": "no object"}),
        ("response.output_item.done", {"output_index": 8}),
        completed(message_item("Hi")),
    )

    assert assemble(WIRE, body).text_so_far.startswith("Hi")
    assert assemble(WIRE, body).failure is None


def test_fields_of_the_wrong_type_count_as_absent() -> None:
    odd = {"type": "function_call", "id": 7, "call_id": "c", "name": "n", "arguments": {"a": 1}, "phase": []}
    body = framed(
        CREATED,
        ("response.output_text.delta", {"output_index": "x", "content_index": None, "delta": "Hi", "logprobs": "no"}),
        completed(odd, usage={"input_tokens": "many", "output_tokens": 3}, service_tier=4, status="completed"),
    )
    assembly = assemble(WIRE, body)

    assert assembly.text_so_far == "Hi"
    assert assembly.failure is None
    assert assembly.usage.source == "missing"


def test_halves_of_a_character_are_joined_across_deltas_and_lone_ones_replaced() -> None:
    body = b"".join(
        b'data: {"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"%b"}\n\n' % half
        for half in (b"\\ud83c", b"\\udf0d", b"!", b"\\ud83c")
    )

    assert assemble(WIRE, body + framed(completed())).text_so_far == "🌍!�"


def test_keep_alives_are_pings() -> None:
    body = b": hello\n\n" + framed(CREATED, ("keepalive", {}), completed(message_item("Hi")))

    assert sum(isinstance(event, Pinged) for event in decode(WIRE, [body])) == 2


def test_verdicts_of_filters_are_reported() -> None:
    verdict = [{"blocked": False, "source_type": "completion", "content_filter_results": {}}]
    events = decode("azure-responses", [document_of(message_item("Hi"), content_filters=verdict)])

    assert [msgspec.json.decode(event.raw) for event in events if isinstance(event, SafetyReported)] == [verdict]


def test_an_answer_without_end_is_stopped_at_its_bounds() -> None:
    items = [begun(place, {"type": "message"}) for place in range(50)]
    failed = decode(WIRE, [framed(CREATED, *items)], bounds=Bounds(parts=10))[-1]

    assert isinstance(failed, StreamFailed)
    assert failed.failure.kind == "protocol"


def test_a_recording_of_several_answers_in_one_body_is_each_of_them() -> None:
    joined = next(
        exchange for exchange in exchanges(("azure", "responses")) if exchange["id"] == "azure-responses-76f8074ebe28"
    )
    bodies = joined["response"]["body_text"].split("event: response.created\n")[1:]
    said, calls = [], []
    for body in bodies:
        assembly = Assembly(WIRE, "m", Bounds())
        assembly.add(decode(WIRE, [b"event: response.created\n" + body.encode()]))
        assert assembly.failure is None
        said.append(assembly.text_so_far)
        calls += [
            {"id": part.id, "name": part.name, "arguments": json.loads(part.arguments)}
            for part in assembly.answer().parts
            if isinstance(part, ToolCall)
        ]

    assert len(bodies) == 4
    assert "".join(said) == joined["expect"]["text"]
    assert sorted(calls, key=str) == sorted(joined["expect"]["tool_calls"], key=str)


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (401, {"message": "Incorrect API key", "code": "invalid_api_key"}, "auth"),
        (400, {"message": "m", "code": "decimal_below_min_value", "param": "temperature"}, "invalid_request"),
        (400, {"message": "m", "code": "invalid_function_parameters", "param": "tools[0]"}, "invalid_request"),
        (400, {"message": "m", "code": "invalid_encrypted_content", "param": "input"}, "invalid_request"),
        (404, {"message": "Item with id 'rs_1' not found.", "param": "input", "code": None}, "invalid_request"),
        (404, {"message": "m", "code": "model_not_found", "param": None}, "not_found"),
        (429, {"message": "m", "type": "insufficient_quota", "code": "insufficient_quota"}, "quota_exhausted"),
    ],
)
def test_http_errors_are_told_as_what_they_are(status: int, error: dict[str, Any], kind: str) -> None:
    body = json.dumps({"error": {"type": "invalid_request_error", **error}}).encode()
    failure = codec_for(WIRE).failure(status, {"x-request-id": "req_1"}, body, now_unix_s=0.0)

    assert (failure.kind, failure.param, failure.vendor_request_id) == (kind, error.get("param"), "req_1")


def test_limits_and_models_are_read_as_over_chat() -> None:
    codec = codec_for(WIRE)
    limits = {"x-ratelimit-limit-requests": "10", "x-ratelimit-reset-requests": "6m0s"}

    assert [(reading.limit, reading.reset_s) for reading in codec.rate_limits(limits)] == [(10, 360.0)]
    assert codec.list_models_request(CodecOptions()).path == "/models"
    assert codec.decode_models(b'{"data":[{"id":"a"}]}') == ("a",)


def test_a_summary_that_an_organisation_may_not_have_is_told_with_its_mend() -> None:
    said = "Your organization must be verified to generate reasoning summaries."
    error = {
        "message": said,
        "type": "invalid_request_error",
        "param": "reasoning.summary",
        "code": "unsupported_value",
    }
    failure = codec_for(WIRE).failure(400, {}, json.dumps({"error": error}).encode(), now_unix_s=0.0)

    assert failure.kind == "invalid_request"
    assert said in failure.message
    assert "show=False" in failure.message
