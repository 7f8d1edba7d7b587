"""Error classes: every row of canonical.md section 7 for OpenAI and Ollama, and the shapes of bodies."""

from __future__ import annotations

import json
from typing import Any

import pytest

from manus.actors.codecs import codec_for
from manus.actors.codecs.base import CodecOptions
from manus.actors.codecs.error_facts import facts_of_body, vendor_words
from manus.messages.events import StreamFailed
from manus.messages.failures import Failed, FailureKind

_OPTIONS = CodecOptions()

HTML = "<html><body><h1>502 Bad Gateway</h1></body></html>"


def _error(message: str = "m", **fields: Any) -> str:
    return json.dumps({"error": {"message": message, **fields}})


def _failure(wire: str, status: int, body: str, **headers: str) -> Failed:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return codec_for(wire).failure(status, named, body.encode(), now_unix_s=0.0)


OPENAI: list[tuple[int, str, FailureKind, bool]] = [
    (401, _error(code="invalid_api_key"), "auth", False),
    (401, "", "auth", False),
    (403, _error(code="unsupported_country_region_territory"), "permission", False),
    (403, _error("You have insufficient permissions; missing scopes"), "permission", False),
    (404, _error(code="model_not_found"), "not_found", False),
    (404, HTML, "not_found", False),
    (400, _error("Unknown model: x", code="unknown_model"), "not_found", False),
    (400, _error(code="unsupported_parameter", param="stop"), "invalid_request", False),
    (422, '{"detail":[{"loc":["body","messages"],"msg":"field required"}]}', "invalid_request", False),
    (400, _error(code="context_length_exceeded"), "context_length", False),
    (400, _error("This model's maximum context length is 128000 tokens."), "context_length", False),
    (400, _error("Your input exceeds the context window of this model."), "context_length", False),
    (400, _error(type="exceed_context_size_error", code=400), "context_length", False),
    (400, _error(code="string_above_max_length", param="messages[0].content"), "context_length", False),
    (400, _error(code="string_above_max_length", param="messages[2].tool_calls[0].id"), "invalid_request", False),
    (400, _error(code="content_policy_violation"), "content_policy", False),
    (400, _error(code="invalid_prompt"), "content_policy", False),
    (400, _error(code="content_filter"), "content_policy", False),
    (413, HTML, "too_large", False),
    (429, _error(code="rate_limit_exceeded", type="tokens"), "rate_limited", True),
    (429, _error(code="slow_down", type="rate_limit_error"), "rate_limited", True),
    (429, "", "rate_limited", True),
    (429, _error("Request too large for x on tokens per min", code="rate_limit_exceeded"), "too_large", False),
    (429, _error(type="insufficient_quota", code="insufficient_quota"), "quota_exhausted", False),
    (429, _error(code="credit_balance_exhausted"), "quota_exhausted", False),
    (429, _error(code="project_spend_limit_exceeded"), "quota_exhausted", False),
    (429, _error("You exceeded your current quota, please check your plan"), "quota_exhausted", False),
    (402, _error("Insufficient Balance"), "quota_exhausted", False),
    (503, _error(type="service_unavailable_error", code="server_is_overloaded"), "overloaded", True),
    (503, "", "overloaded", True),
    (529, "", "overloaded", True),
    (408, "", "timeout", True),
    (504, HTML, "timeout", True),
    (524, HTML, "timeout", True),
    (500, _error(type="server_error"), "server", True),
    (500, _error("tools param requires --jinja flag", type="server_error", code=500), "server", True),
    (502, HTML, "server", True),
    (520, HTML, "server", True),
    (409, "", "server", True),
    (302, HTML, "not_found", False),
    (418, "", "invalid_request", False),
]

OLLAMA: list[tuple[int, str, FailureKind, bool]] = [
    (400, '{"error":"\\"gemma:2b\\" does not support tools"}', "unsupported", False),
    (401, '{"error":"unauthorized","signin_url":"https://x"}', "auth", False),
    (403, '{"error":"cloud disabled"}', "permission", False),
    (404, '{"error":"model \'qwen9:1b\' not found"}', "not_found", False),
    (
        429,
        '{"error":"you (x) have reached your weekly usage limit, upgrade for higher limits"}',
        "quota_exhausted",
        False,
    ),
    (429, '{"error":"too many concurrent requests"}', "rate_limited", True),
    (499, "", "cancelled", False),
    (500, '{"error":"model requires more system memory (9 GiB) than is available"}', "server", True),
    (502, HTML, "server", True),
    (503, '{"error":"server busy, please try again.  maximum pending requests exceeded"}', "overloaded", True),
    (
        400,
        '{"error":"the prompt is longer than the context length currently available to the model"}',
        "context_length",
        False,
    ),
    (500, "", "server", True),
]


@pytest.mark.parametrize(("status", "body", "kind", "retry"), OPENAI)
def test_openai_errors(status: int, body: str, kind: FailureKind, retry: bool) -> None:
    failure = _failure("openai-chat", status, body)
    assert (failure.kind, failure.what_to_do.retry_here != "no") == (kind, retry)


@pytest.mark.parametrize(("status", "body", "kind", "retry"), OLLAMA)
def test_ollama_errors(status: int, body: str, kind: FailureKind, retry: bool) -> None:
    failure = _failure("ollama", status, body)
    assert (failure.kind, failure.what_to_do.retry_here != "no") == (kind, retry)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"message": "m", "code": 502}, "server"),
        ({"message": "m", "code": 429}, "rate_limited"),
        ({"message": "m", "type": "server_error", "code": None}, "server"),
        (
            {"message": "m", "type": "invalid_request_error", "code": "tool_use_failed", "status_code": 400},
            "invalid_request",
        ),
        ({"message": "m", "code": "context_length_exceeded"}, "context_length"),
        ({"message": "m", "type": "overloaded_error"}, "overloaded"),
        ({"message": "m"}, "server"),
        ("upstream died", "server"),
    ],
)
def test_errors_inside_a_stream_name_their_own_status(error: object, kind: FailureKind) -> None:
    decoder = codec_for("openai-chat").decoder(stream=True, model="m", options=_OPTIONS)
    events = decoder.feed(b"data: " + json.dumps({"error": error}).encode() + b"\n\n")
    assert [event.failure.kind for event in events if isinstance(event, StreamFailed)] == [kind]


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("an error was encountered while running the model: unexpected EOF", "server"),
        ("model 'x' not found", "not_found"),
        ('"x" does not support thinking', "unsupported"),
        ("the prompt is longer than the context length currently available to the model", "context_length"),
        ("you have reached your hourly usage limit", "quota_exhausted"),
    ],
)
def test_ollama_errors_inside_a_stream_are_told_by_their_text(message: str, kind: FailureKind) -> None:
    decoder = codec_for("ollama").decoder(stream=True, model="m", options=_OPTIONS)
    events = decoder.feed(json.dumps({"error": message}).encode() + b"\n")
    assert [event.failure.kind for event in events if isinstance(event, StreamFailed)] == [kind]


def test_the_server_s_advice_outweighs_the_status() -> None:
    assert _failure("openai-chat", 500, "", x_should_retry="false").what_to_do.retry_here == "no"
    assert _failure("openai-chat", 400, "", x_should_retry="true").what_to_do.retry_here == "once"
    assert _failure("openai-chat", 429, "", x_should_retry="true").what_to_do.retry_here == "after_wait"


def test_a_wait_hint_is_kept_only_where_waiting_helps() -> None:
    assert _failure("openai-chat", 429, "", retry_after="3").retry_after_s == 3.0
    assert _failure("openai-chat", 400, "", retry_after="3").retry_after_s is None


def test_a_failure_names_status_code_parameter_and_the_vendor_s_id() -> None:
    body = _error("Unsupported parameter", type="invalid_request_error", code="unsupported_parameter", param="stop")
    failure = _failure("openai-chat", 400, body, x_request_id="req_1")

    assert (failure.status, failure.code, failure.param, failure.vendor_request_id) == (
        400,
        "unsupported_parameter",
        "stop",
        "req_1",
    )
    assert "Unsupported parameter" in failure.message


@pytest.mark.parametrize(
    ("body", "message", "code"),
    [
        ('{"error":{"message":"a","code":"c"}}', "a", "c"),
        ('[{"error":{"message":"a","code":400}}]', "a", "400"),
        ('{"error":"a","code":"c"}', "a", "c"),
        ('{"object":"error","message":"a","code":404}', "a", "404"),
        ('{"detail":"a"}', "a", ""),
        ('{"detail":[{"loc":["body","x"],"msg":"a"}]}', "a", ""),
        ('{"errors":[{"message":"a","code":7}],"success":false}', "a", "7"),
        ('{"error":{"message":{"message":"a"}}}', "a", ""),
        ('{"error":{"message":null}}', "", ""),
        ('{"error":null}', "", ""),
        ("[]", "", ""),
        ("null", "", ""),
        ("", "", ""),
        (HTML, "", ""),
        ('{"error":', "", ""),
    ],
)
def test_error_bodies_of_all_shapes(body: str, message: str, code: str) -> None:
    facts = facts_of_body(body.encode())
    assert (facts.message, facts.code) == (message, code)


@pytest.mark.parametrize(
    "key", ["sk-proj-abcdef1234567890", "gsk_abcdefghij1234567890", "xai-abcdefgh12345678", "AIzaSyabcdefgh1234"]
)
@pytest.mark.parametrize("sentence", ["key {} is wrong", "Authorization: Bearer {}", "Incorrect API key provided: {}."])
def test_a_key_in_a_vendor_s_message_is_not_repeated(key: str, sentence: str) -> None:
    for status in (400, 401, 500):
        failure = _failure("openai-chat", status, _error(sentence.format(key)))
        assert key not in failure.message
        assert key[-8:] not in failure.message


def test_of_a_message_about_a_key_nothing_is_repeated() -> None:
    """Vendors mask the key in it each in their own way; some do not at all."""
    failure = _failure("openai-chat", 401, _error("The token hunter2hunter2 was rejected", code="invalid_api_key"))
    assert failure.message == "auth (HTTP 401, invalid_api_key). Check the key of this provider."


def test_a_vendor_s_message_is_one_line_of_bounded_length() -> None:
    assert vendor_words("a\n b\0\t c") == "a b c"
    assert len(vendor_words("x " * 10_000)) <= 500
