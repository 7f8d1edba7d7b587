"""Responses answers: what their items, fragments and ends become; bodies that nobody recorded included."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from manus.actors.assembly import Assembly
from manus.actors.codecs import codec_for
from manus.actors.codecs.base import CodecOptions
from manus.messages.content import Citation, Opaque, Reasoning, Refusal, Text, ToolCall
from manus.messages.events import (
    Ended,
    FinishReported,
    LogprobsReported,
    PartEnded,
    Pinged,
    SafetyReported,
    Started,
    StreamFailed,
    TextDelta,
)
from manus.messages.policy import Bounds
from tests.codecs.decoding import assemble, assert_grammar, decode
from tests.shared_data import exchanges

WIRE = "openai-responses"
USAGE = {
    "input_tokens": 75,
    "input_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 5},
    "output_tokens": 40,
    "output_tokens_details": {"reasoning_tokens": 32},
    "total_tokens": 115,
}


def _message(*texts: str, **fields: Any) -> dict[str, Any]:
    content = [{"type": "output_text", "text": text, "annotations": []} for text in texts]
    return {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": content, **fields}


def _call(call_id: str = "call_9", arguments: str = '{"city":"Oslo"}', **fields: Any) -> dict[str, Any]:
    named = {"id": "fc_1", "type": "function_call", "call_id": call_id, "name": "get_weather"}
    return {**named, "arguments": arguments, **fields}


def _response(*output: Any, **fields: Any) -> dict[str, Any]:
    done = {"id": "resp_1", "object": "response", "status": "completed", "model": "gpt-5.6", "output": list(output)}
    return {**done, "error": None, "incomplete_details": None, "usage": USAGE, **fields}


def _events(*events: dict[str, Any] | tuple[str, dict[str, Any]]) -> bytes:
    framed = []
    for number, event in enumerate(events):
        kind, fields = event if isinstance(event, tuple) else (str(event["type"]), event)
        payload = {"type": kind, "sequence_number": number, **fields}
        framed.append(f"event: {kind}\ndata: {json.dumps(payload)}\n\n")
    return "".join(framed).encode()


CREATED = (
    "response.created",
    {"response": {"id": "resp_1", "model": "gpt-5.6", "status": "in_progress", "output": []}},
)


def _text(text: str, place: int = 0, number: int = 0, **fields: Any) -> tuple[str, dict[str, Any]]:
    return "response.output_text.delta", {"output_index": place, "content_index": number, "delta": text, **fields}


def _begun(place: int, item: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return "response.output_item.added", {"output_index": place, "item": item}


def _ended(place: int, item: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return "response.output_item.done", {"output_index": place, "item": item}


def _completed(*output: Any, **fields: Any) -> tuple[str, dict[str, Any]]:
    return "response.completed", {"response": _response(*output, **fields)}


def _parts(body: bytes) -> tuple[Any, ...]:
    return assemble(WIRE, body).answer().parts


def _document(*output: Any, **fields: Any) -> bytes:
    return json.dumps(_response(*output, **fields)).encode()


def test_a_document_gives_all_that_it_says() -> None:
    thought = {
        "id": "rs_1",
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": "One."}, {"type": "summary_text", "text": "Two."}],
        "encrypted_content": "gAAA",
    }
    assembly = assemble(WIRE, _document(thought, _message("Hi"), _call(), service_tier="default"), stream=False)
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
    body = _events(
        CREATED,
        _begun(0, _message()),
        _text("Hé"),
        _text("llo", logprobs=[{"token": "llo", "logprob": -0.1}]),
        _ended(0, _message("Héllo")),
        _completed(_message("Héllo")),
    )
    events = decode(WIRE, [body])

    assert_grammar(events)
    kinds = [type(event) for event in events]
    assert kinds[:5] == [Started, TextDelta, TextDelta, LogprobsReported, PartEnded]
    assert kinds[-2:] == [FinishReported, Ended]
    assert events[-1] == Ended(evidence="marker")


def test_items_written_by_turns_are_kept_apart() -> None:
    body = _events(
        CREATED,
        _begun(0, _message()),
        _begun(1, _call("call_1", "")),
        _begun(2, _call("call_2", "")),
        _text("a", 0),
        ("response.function_call_arguments.delta", {"output_index": 2, "delta": '{"x"'}),
        ("response.function_call_arguments.delta", {"output_index": 1, "delta": '{"y"'}),
        _text("b", 0),
        ("response.function_call_arguments.delta", {"output_index": 2, "delta": ":2}"}),
        ("response.function_call_arguments.delta", {"output_index": 1, "delta": ":1}"}),
        _completed(),
    )
    text, *calls = sorted(_parts(body), key=lambda part: isinstance(part, ToolCall))

    assert text == Text(text="ab")
    assert [(call.id, call.arguments) for call in calls] == [("call_1", '{"y":1}'), ("call_2", '{"x":2}')]


def test_the_pieces_of_one_message_are_parts_of_their_own() -> None:
    body = _events(CREATED, _begun(0, _message()), _text("a", 0, 0), _text("b", 0, 1), _text("c", 0, 0), _completed())

    assert _parts(body) == (Text(text="ac"), Text(text="b"))


def test_a_stream_without_deltas_still_says_everything() -> None:
    thought = {"id": "rs_1", "type": "reasoning", "content": [{"type": "reasoning_text", "text": "Hm."}]}
    body = _events(CREATED, _ended(0, thought), _ended(1, _message("Hi")), _ended(2, _call()), _completed())

    assert _parts(body) == (
        Reasoning(text="Hm.", id="rs_1", provider=WIRE, model="m"),
        Text(text="Hi"),
        ToolCall(id="call_9", name="get_weather", arguments='{"city":"Oslo"}'),
    )


def test_items_that_only_the_closing_event_has_are_not_lost() -> None:
    body = _events(CREATED, _begun(0, _message()), _text("Hi"), _completed(_message("Hi"), _call()))

    assert _parts(body) == (Text(text="Hi"), ToolCall(id="call_9", name="get_weather", arguments='{"city":"Oslo"}'))


def test_nothing_is_said_twice_when_fragments_and_wholes_come() -> None:
    summary = [{"type": "summary_text", "text": "Hm."}]
    thought = {"id": "rs_1", "type": "reasoning", "summary": summary, "encrypted_content": "gAAA"}
    body = _events(
        CREATED,
        _begun(0, {**thought, "summary": []}),
        ("response.reasoning_summary_text.delta", {"output_index": 0, "summary_index": 0, "delta": "Hm."}),
        _ended(0, thought),
        _begun(1, _call(arguments="")),
        ("response.function_call_arguments.delta", {"output_index": 1, "delta": '{"city":"Oslo"}'}),
        ("response.function_call_arguments.done", {"output_index": 1, "arguments": '{"city":"Oslo"}'}),
        _ended(1, _call()),
        _completed(thought, _call()),
    )

    assert _parts(body) == (
        Reasoning(text="Hm.", encrypted="gAAA", id="rs_1", provider=WIRE, model="m"),
        ToolCall(id="call_9", name="get_weather", arguments='{"city":"Oslo"}'),
    )


def test_thinking_that_only_has_its_seal_is_kept_and_such_without_any_is_not() -> None:
    sealed = {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "gAAA"}
    bare = {"id": "rs_2", "type": "reasoning", "summary": []}

    assert _parts(_document(sealed, bare)) == (Reasoning(encrypted="gAAA", id="rs_1", provider=WIRE, model="m"),)


def test_a_call_is_answered_by_its_call_id_and_one_without_gets_the_items() -> None:
    assert [part.id for part in _parts(_document(_call()))] == ["call_9"]
    assert [part.id for part in _parts(_document(_call(call_id="")))] == ["fc_1"]


def test_a_call_without_arguments_has_none() -> None:
    assert _parts(_document(_call(arguments="")))[0].arguments == "{}"


def test_a_refusal_is_the_finish() -> None:
    refused = {**_message(), "content": [{"type": "refusal", "refusal": "No."}]}
    whole = assemble(WIRE, _document(refused)).answer()
    deltas = [
        ("response.refusal.delta", {"output_index": 0, "content_index": 0, "delta": word}) for word in ("N", "o.")
    ]
    streamed = assemble(WIRE, _events(CREATED, *deltas, _ended(0, refused), _completed(refused))).answer()

    assert whole.parts == streamed.parts == (Refusal(text="No."),)
    assert whole.finish.reason == streamed.finish.reason == "refusal"


def test_sources_belong_to_the_words_they_stand_by() -> None:
    source = {"type": "url_citation", "url": "https://e.org", "title": "E", "start_index": 0, "end_index": 2}
    cited = _message("It is.")
    cited["content"][0]["annotations"] = [source]
    added = (
        "response.output_text.annotation.added",
        {"output_index": 0, "content_index": 0, "annotation_index": 0, "annotation": source},
    )
    streamed = _events(CREATED, _begun(0, _message()), _text("It is."), added, _ended(0, cited), _completed(cited))

    for parts in (_parts(_document(cited)), _parts(streamed)):
        assert [type(part) for part in parts] == [Text, Citation]
        assert (parts[1].title, parts[1].url, msgspec.json.decode(parts[1].raw)) == ("E", "https://e.org", source)


def test_what_the_vendor_ran_is_carried_and_counted() -> None:
    search = {"id": "ws_1", "type": "web_search_call", "status": "completed", "action": {"type": "search"}}
    answer = assemble(WIRE, _document(search, _message("Found."))).answer()

    opaque = answer.parts[0]
    assert isinstance(opaque, Opaque)
    assert (opaque.kind, msgspec.json.decode(opaque.raw), opaque.model) == ("web_search_call", search, "m")
    assert answer.usage.server_tool_calls == 1
    assert answer.finish.reason == "stop"


def test_a_custom_tools_call_waits_for_the_caller() -> None:
    custom = {"type": "custom_tool_call", "call_id": "c", "name": "n", "input": "x"}

    assert assemble(WIRE, _document(custom)).answer().finish.reason == "tool_calls"


def test_a_turn_that_its_parts_cannot_say_is_kept_whole() -> None:
    aloud = _message("Looking.", phase="commentary")
    turn = assemble(WIRE, _events(CREATED, _ended(0, aloud), _completed(aloud, _call()))).answer().turn

    assert turn is not None
    assert turn.vendor is not None
    assert (turn.vendor.provider, turn.vendor.model) == (WIRE, "m")
    assert msgspec.json.decode(turn.vendor.raw) == [aloud, _call()]
    plain = assemble(WIRE, _document(_message("Hi"))).answer().turn
    assert plain is not None
    assert plain.vendor is None


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
    streamed = _events(CREATED, _text("Hi"), (kind, {"response": _response(_message("Hi"), **fields)}))

    for body in (_document(_message("Hi"), **fields), streamed):
        assembly = assemble(WIRE, body)
        assert assembly.finish is not None
        assert (assembly.finish.reason, assembly.finish.raw) == (reason, raw)
        assert assembly.failure is None


def test_an_answer_that_is_still_being_made_is_none() -> None:
    assembly = assemble(WIRE, _document(status="in_progress", usage=None))

    assert assembly.failure is not None
    assert assembly.failure.kind == "incomplete"


ERROR = {"code": "rate_limit_exceeded", "message": "Try again in 2s."}


@pytest.mark.parametrize(
    "body",
    [
        _events(CREATED, ("response.failed", {"response": _response(status="failed", error=ERROR, usage=None)})),
        _events(CREATED, ("error", {"error": {"type": "x", "param": None, **ERROR}})),
        _events(CREATED, ("error", {"param": None, **ERROR})),
        b'event: error\ndata: {"error":{"code":"rate_limit_exceeded","message":"Try again in 2s."}}\n\n',
        b'data: {"error":{"code":"rate_limit_exceeded","message":"Try again in 2s."}}\n\n',
        _document(status="failed", error=ERROR, usage=None),
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
    failed = _response(status="failed", error={"code": code, "message": "m"}, usage=None)
    assembly = assemble(WIRE, _events(CREATED, ("response.failed", {"response": failed})))

    assert assembly.failure is not None
    assert assembly.failure.kind == kind


@pytest.mark.parametrize(
    "body",
    [
        b"",
        _events(CREATED),
        _events(CREATED, _text("Hi")),
        _events(CREATED, _text("Hi"))[:-20],
        _events(CREATED, _text("Hi")) + b"data: [DONE]\n\n",
        _events(CREATED, _text("Hi"), _ended(0, _message("Hi"))),
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
        _events(CREATED, ("response.completed", {})),
    ],
)
def test_what_is_no_answer_is_a_protocol_failure(body: bytes) -> None:
    assembly = assemble(WIRE, body)

    assert assembly.failure is not None
    assert assembly.failure.kind == "protocol"


def test_events_and_items_that_nobody_knows_do_no_harm() -> None:
    body = _events(
        CREATED,
        ("response.moon.rising", {"moon": {"phase": [1, 2]}}),
        ("response.output_item.added", {"output_index": 0, "item": {"type": "moon"}}),
        _text("Hi", 1),
        ("response.output_item.done", {"output_index": 7, "item": "no object"}),
        ("response.output_item.done", {"output_index": 8}),
        _completed(_message("Hi")),
    )

    assert assemble(WIRE, body).text_so_far.startswith("Hi")
    assert assemble(WIRE, body).failure is None


def test_fields_of_the_wrong_type_count_as_absent() -> None:
    odd = {"type": "function_call", "id": 7, "call_id": "c", "name": "n", "arguments": {"a": 1}, "phase": []}
    body = _events(
        CREATED,
        ("response.output_text.delta", {"output_index": "x", "content_index": None, "delta": "Hi", "logprobs": "no"}),
        _completed(odd, usage={"input_tokens": "many", "output_tokens": 3}, service_tier=4, status="completed"),
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

    assert assemble(WIRE, body + _events(_completed())).text_so_far == "🌍!�"


def test_keep_alives_are_pings() -> None:
    body = b": hello\n\n" + _events(CREATED, ("keepalive", {}), _completed(_message("Hi")))

    assert sum(isinstance(event, Pinged) for event in decode(WIRE, [body])) == 2


def test_verdicts_of_filters_are_reported() -> None:
    verdict = [{"blocked": False, "source_type": "completion", "content_filter_results": {}}]
    events = decode("azure-responses", [_document(_message("Hi"), content_filters=verdict)])

    assert [msgspec.json.decode(event.raw) for event in events if isinstance(event, SafetyReported)] == [verdict]


def test_an_answer_without_end_is_stopped_at_its_bounds() -> None:
    items = [_begun(place, {"type": "message"}) for place in range(50)]
    failed = decode(WIRE, [_events(CREATED, *items)], bounds=Bounds(parts=10))[-1]

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
