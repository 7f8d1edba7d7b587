"""Anthropic's errors are told as what they are, with the wait that helps; its headers tell how much is left."""

from __future__ import annotations

import json
from typing import Any

import pytest

from manus.actors.codecs import codec_for
from manus.messages.failures import Failed, FailureKind
from manus.messages.outcomes import RateLimitReading

CODEC = codec_for("anthropic")


def failed(
    status: int, type_: str = "", message: str = "", headers: dict[str, str] | None = None, **more: Any
) -> Failed:
    """Classify an error of the vendor's usual shape."""
    body = {"type": "error", "error": {"type": type_, "message": message, **more}, "request_id": "req_body"}
    return CODEC.failure(status, headers or {}, json.dumps(body).encode(), now_unix_s=0.0)


@pytest.mark.parametrize(
    ("status", "type_", "message", "kind", "retry"),
    [
        (400, "invalid_request_error", "messages: at least one message is required", "invalid_request", "no"),
        (400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum", "context_length", "no"),
        (
            400,
            "invalid_request_error",
            "input length and `max_tokens` exceed context limit: 1 + 2 > 2, decrease input length",
            "context_length",
            "no",
        ),
        (400, "invalid_request_error", "max_tokens: 200000 > 64000, which is the maximum", "invalid_request", "no"),
        (400, "invalid_request_error", "Your credit balance is too low to access", "quota_exhausted", "no"),
        (400, "invalid_request_error", "You have reached your specified API usage limits", "quota_exhausted", "no"),
        (
            400,
            "invalid_request_error",
            "You have reached your specified workspace API usage limits",
            "quota_exhausted",
            "no",
        ),
        (400, "invalid_request_error", "Output blocked by content filtering policy", "content_policy", "no"),
        (401, "authentication_error", "invalid x-api-key", "auth", "no"),
        (402, "billing_error", "pay", "quota_exhausted", "no"),
        (403, "permission_error", "no", "permission", "no"),
        (404, "not_found_error", "model: claude-foo-9", "not_found", "no"),
        (409, "conflict_error", "conflict", "server", "once"),
        (413, "request_too_large", "Request exceeds the maximum size", "too_large", "no"),
        (429, "rate_limit_error", "This request would exceed your rate limit", "rate_limited", "after_wait"),
        (500, "api_error", "Internal server error", "server", "once"),
        (504, "timeout_error", "Request timed out", "timeout", "once"),
        (529, "overloaded_error", "Overloaded", "overloaded", "once"),
        (418, "new_error", "whatever", "invalid_request", "no"),
        (599, "new_error", "whatever", "server", "once"),
    ],
)
def test_every_row_of_the_vendors_table(status: int, type_: str, message: str, kind: FailureKind, retry: str) -> None:
    failure = failed(status, type_, message)
    assert failure.kind == kind
    assert failure.what_to_do.retry_here == retry
    assert failure.status == status
    assert failure.code == type_


def test_a_spending_limit_is_no_rate_limit() -> None:
    failure = failed(429, "rate_limit_error", "limit reached", details={"error_code": "enforced_spend_limit_reached"})
    assert (failure.kind, failure.code) == ("quota_exhausted", "enforced_spend_limit_reached")
    assert failure.what_to_do.retry_here == "no"


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (413, b"<html>413 Request Entity Too Large</html>", "too_large"),
        (502, b"<html>Bad Gateway</html>", "server"),
        (503, b"upstream connect error or disconnect/reset before headers", "overloaded"),
        (529, b"", "overloaded"),
        (500, b"[", "server"),
        (401, b"null", "auth"),
        (429, b'{"error": {"type": 7, "message": {"a": 1}}}', "rate_limited"),
    ],
)
def test_what_is_no_error_of_the_usual_shape_is_classified_by_its_status(
    status: int, body: bytes, kind: FailureKind
) -> None:
    assert CODEC.failure(status, {}, body, now_unix_s=0.0).kind == kind


def test_the_blamed_field_is_named() -> None:
    assert (
        failed(400, "invalid_request_error", "tools.0.custom.name: String should match").param == "tools.0.custom.name"
    )
    assert failed(400, "invalid_request_error", "Something: else").param is None
    assert failed(404, "not_found_error", "model: claude-foo-9").param is None


def test_the_request_id_comes_from_the_header_or_the_body() -> None:
    assert failed(500, "api_error").vendor_request_id == "req_body"
    assert failed(500, "api_error", headers={"request-id": "req_head"}).vendor_request_id == "req_head"


def test_a_key_in_the_message_of_a_refusal_is_not_repeated() -> None:
    assert "sk-ant" not in failed(401, "authentication_error", "invalid x-api-key sk-ant-api03-AAAA").message


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after-ms": "1500", "retry-after": "7"}, 1.5),
        (
            {
                "date": "Tue, 01 Sep 2026 12:40:00 GMT",
                "anthropic-ratelimit-input-tokens-remaining": "0",
                "anthropic-ratelimit-input-tokens-reset": "2026-09-01T12:40:59Z",
                "anthropic-ratelimit-requests-remaining": "5",
                "anthropic-ratelimit-requests-reset": "2026-09-01T13:40:59Z",
            },
            59.0,
        ),
        ({}, None),
    ],
)
def test_the_wait_is_what_the_headers_say(headers: dict[str, str], wait_s: float | None) -> None:
    assert failed(429, "rate_limit_error", headers=headers).retry_after_s == wait_s


def test_the_server_may_say_itself_whether_to_try_again() -> None:
    assert failed(529, "overloaded_error", headers={"x-should-retry": "false"}).what_to_do.retry_here == "no"
    assert failed(403, "permission_error", headers={"x-should-retry": "true"}).what_to_do.retry_here == "once"


HEADERS = {
    "date": "Tue, 01 Sep 2026 12:40:00 GMT",
    "retry-after": "58",
    "anthropic-ratelimit-requests-limit": "4000",
    "anthropic-ratelimit-requests-remaining": "3999",
    "anthropic-ratelimit-requests-reset": "2026-09-01T12:40:01Z",
    "anthropic-ratelimit-input-tokens-limit": "400000",
    "anthropic-ratelimit-input-tokens-remaining": "399000",
    "anthropic-ratelimit-input-tokens-reset": "2026-09-01T12:41:00Z",
    "anthropic-ratelimit-output-tokens-limit": "80000",
    "anthropic-ratelimit-output-tokens-remaining": "80000",
    "anthropic-ratelimit-output-tokens-reset": "2026-09-01T12:39:00Z",
    "anthropic-ratelimit-tokens-limit": "many",
}


def test_what_is_left_is_read_against_the_answers_own_date() -> None:
    assert CODEC.rate_limits(HEADERS) == (
        RateLimitReading(dimension="requests", limit=4000, remaining=3999, reset_s=1.0),
        RateLimitReading(dimension="input_tokens", limit=400_000, remaining=399_000, reset_s=60.0),
        RateLimitReading(dimension="output_tokens", limit=80_000, remaining=80_000),
    )


def test_without_a_date_nobody_knows_when_a_limit_resets() -> None:
    headers = {name: value for name, value in HEADERS.items() if name != "date"}
    assert {reading.reset_s for reading in CODEC.rate_limits(headers)} == {None}
    assert CODEC.rate_limits({}) == ()


def test_models_are_listed_by_id() -> None:
    listed = {"data": [{"type": "model", "id": "claude-a"}, {"id": None}, {}], "has_more": False}
    assert CODEC.decode_models(json.dumps(listed).encode()) == ("claude-a",)
    for body in (b"", b"[]", b'{"data": 1}', b"<html>"):
        assert CODEC.decode_models(body) == ()
