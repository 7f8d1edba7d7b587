"""Azure's codecs where they are not OpenAI's: places, fields of versions, the filter's findings, errors, limits."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from manus.actors.codecs import codec_for
from manus.actors.codecs.azure_paths import deployment_path, reads_version, resource_path
from manus.actors.codecs.base import CodecOptions, HttpRequest
from manus.actors.codecs.classify import request_id_of
from manus.messages.content import Document, Text, Turn, text_turn
from manus.messages.events import SafetyReported
from manus.messages.failures import Failed
from manus.messages.ids import RequestId
from manus.messages.policy import ModelCard
from manus.messages.requests import ChatRequest
from tests.codecs.decoding import assemble, assert_grammar, decode, sse

CLASSIC = CodecOptions(api_version="2024-10-21")
V1 = CodecOptions()
ASK = (text_turn("user", "Hi"),)


def _request(turns: tuple[Turn, ...] = ASK, **fields: Any) -> ChatRequest:
    return ChatRequest(request_id=RequestId("r"), turns=turns, **fields)


def _body(
    request: ChatRequest, options: CodecOptions, *, model: str = "ours", base: str | None = None
) -> dict[str, Any]:
    options = msgspec.structs.replace(options, card=ModelCard(name=model, base=base))
    written = codec_for("azure-chat").encode(request, model, options)
    assert isinstance(written, HttpRequest)
    body: dict[str, Any] = json.loads(written.body)
    return body


def _failure(status: int, error: object, **headers: str) -> Failed:
    body = error if isinstance(error, bytes) else json.dumps({"error": error}).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return codec_for("azure-chat").failure(status, named, body, now_unix_s=0.0)


@pytest.mark.parametrize(
    ("version", "chat", "responses"),
    [
        (None, "/openai/v1/chat/completions", "/openai/v1/responses"),
        ("preview", "/openai/v1/chat/completions?api-version=preview", "/openai/v1/responses?api-version=preview"),
        (
            "2025-03-01-preview",
            "/openai/deployments/a%20b%2Fc/chat/completions?api-version=2025-03-01-preview",
            "/openai/responses?api-version=2025-03-01-preview",
        ),
    ],
)
def test_where_things_are(version: str | None, chat: str, responses: str) -> None:
    options = CodecOptions(api_version=version)

    assert deployment_path("chat/completions", "a b/c", options) == chat
    assert resource_path("responses", options) == responses


def test_a_version_reads_what_came_before_it() -> None:
    assert reads_version(CLASSIC, "2024-09-01")
    assert reads_version(CodecOptions(api_version="2024-09-01-preview"), "2024-09-01")
    assert not reads_version(CodecOptions(api_version="2024-02-01"), "2024-09-01")
    assert reads_version(V1, "2030-01-01")


def test_usage_in_streams_is_asked_of_versions_that_know_it() -> None:
    asked = _request(stream=True)

    assert _body(asked, CLASSIC)["stream_options"] == {"include_usage": True}
    assert "stream_options" not in _body(asked, CodecOptions(api_version="2024-02-01"))


def test_who_asks_is_said_in_the_words_of_the_version() -> None:
    asked = _request(end_user_id="u", conversation_id="c")
    old = _body(asked, CLASSIC, base="gpt-4.1")
    new = _body(asked, V1, base="gpt-4.1")

    assert (old["user"], "prompt_cache_key" in old) == ("u", False)
    assert (new["safety_identifier"], "prompt_cache_key" in new) == ("u", True)


@pytest.mark.parametrize(
    ("base", "field"),
    [
        (None, "max_completion_tokens"),
        ("gpt-5-mini", "max_completion_tokens"),
        ("gpt-4.1", "max_tokens"),
        ("Mistral-Large-3", "max_tokens"),
        ("DeepSeek-V3.2", "max_tokens"),
    ],
)
def test_how_the_bound_is_spelt_for_what_stands_behind_a_deployment(base: str | None, field: str) -> None:
    body = _body(_request(max_output_tokens=9), V1, base=base)

    assert body[field] == 9
    assert len({"max_tokens", "max_completion_tokens"} & body.keys()) == 1


def test_an_old_version_knows_the_old_spelling_alone() -> None:
    assert _body(_request(max_output_tokens=9), CodecOptions(api_version="2024-02-01"))["max_tokens"] == 9


def test_the_rules_of_the_model_behind_a_deployment_hold() -> None:
    body = _body(_request((text_turn("system", "S"), *ASK)), V1, base="gpt-5-mini")

    assert body["model"] == "ours"
    assert body["messages"][0]["role"] == "developer"


def test_files_go_over_responses_alone() -> None:
    paper = Turn(role="user", parts=(Document(data=b"%PDF", name="a.pdf"),))
    refused = codec_for("azure-chat").encode(_request((paper,)), "ours", V1)

    assert isinstance(refused, Failed)
    assert (refused.kind, refused.param) == ("unsupported", "turns.document")
    assert isinstance(codec_for("azure-responses").encode(_request((paper,)), "ours", V1), HttpRequest)
    words = Turn(role="user", parts=(Document(text="plain", name="a.txt"),))
    assert _body(_request((words,)), V1)["messages"][0]["content"] == [{"type": "text", "text": "a.txt:\nplain"}]


def test_the_callers_own_options_go_by_azures_names() -> None:
    own = {"azure-chat": msgspec.Raw(b'{"data_sources":[]}'), "openai-chat": msgspec.Raw(b'{"x":1}')}

    assert _body(_request(extra=own), V1).keys() >= {"data_sources"}
    assert "x" not in _body(_request(extra=own), V1)


SAFE = '{"hate":{"filtered":false,"severity":"safe"}}'
BAD = '{"violence":{"filtered":true,"severity":"high"}}'
STREAM = sse(
    f'{{"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[{{"prompt_index":0,"content_filter_results":{SAFE}}}]}}',
    f'{{"id":"c1","model":"gpt-4.1","choices":[{{"index":0,"delta":{{"content":"Hel"}},"content_filter_results":{SAFE},"finish_reason":null}}]}}',
    '{"id":"c1","choices":[{"index":0,"delta":{"content":"lo"},"finish_reason":"stop"}]}',
    f'{{"id":"","model":"","choices":[{{"index":0,"finish_reason":null,"delta":null,"content_filter_results":{SAFE},"content_filter_offsets":{{"check_offset":0}}}}]}}',
    '{"id":"c1","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}',
    "[DONE]",
)


def test_verdicts_come_before_between_and_behind_the_words() -> None:
    events = decode("azure-chat", [STREAM])
    assembly = assemble("azure-chat", STREAM)

    assert_grammar(events)
    assert sum(isinstance(event, SafetyReported) for event in events) == 3
    answer = assembly.answer()
    assert answer.parts == (Text(text="Hello"),)
    assert (answer.id, answer.model, answer.finish.raw) == ("c1", "gpt-4.1", "stop")
    assert answer.usage.output == 2


def test_a_verdict_behind_the_end_is_the_end() -> None:
    body = STREAM.replace(
        f'"finish_reason":null,"delta":null,"content_filter_results":{SAFE}'.encode(),
        f'"finish_reason":"content_filter","delta":{{}},"content_filter_results":{BAD}'.encode(),
    )

    assert assemble("azure-chat", body).answer().finish.reason == "content_filter"


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (401, {"code": "401", "message": "Access denied due to invalid subscription key"}, "auth"),
        (401, {"code": "Unauthorized", "message": "m"}, "auth"),
        (401, {"code": "PermissionDenied", "message": "The principal lacks the required data action"}, "permission"),
        (403, {"code": "AuthenticationTypeDisabled", "message": "Key based authentication is disabled"}, "permission"),
        (403, {"code": "AccessDenied", "message": "Firewall"}, "permission"),
        (403, {"code": "403", "message": "m"}, "permission"),
        (404, {"code": "DeploymentNotFound", "message": "The API deployment does not exist."}, "not_found"),
        (404, {"code": "404", "message": "Resource not found"}, "not_found"),
        (400, {"code": "unknown_model", "message": "Unknown model: x"}, "not_found"),
        (
            400,
            {"code": "OperationNotSupported", "message": "does not work with the specified model"},
            "invalid_request",
        ),
        (400, {"code": "BadRequest", "message": "m"}, "invalid_request"),
        (400, {"code": "context_length_exceeded", "message": "m"}, "context_length"),
        (400, {"code": "content_filter", "message": "m"}, "content_policy"),
        (408, {"code": "Timeout", "message": "m"}, "timeout"),
        (424, {"code": "424", "message": "A dependency failed"}, "server"),
        (429, {"code": "429", "message": "exceeded token rate limit. Please retry after 45 seconds."}, "rate_limited"),
        (429, {"code": "RateLimitReached", "message": "m"}, "rate_limited"),
        (429, {"code": "too_many_requests", "message": "m"}, "rate_limited"),
        (429, {"code": "NoCapacity", "message": "m"}, "overloaded"),
        (429, {"code": "429", "message": "The system is currently experiencing high demand"}, "overloaded"),
        (429, {"code": "insufficient_quota", "message": "m"}, "quota_exhausted"),
        (429, {"code": "429", "message": "Please retry after 86400 seconds."}, "quota_exhausted"),
        (500, {"code": "InternalServerError", "message": "m"}, "server"),
        (503, {"code": "ServiceUnavailable", "message": "m"}, "overloaded"),
    ],
)
def test_errors_are_told_as_what_they_are(status: int, error: dict[str, Any], kind: str) -> None:
    assert _failure(status, error).kind == kind


@pytest.mark.parametrize(
    ("status", "kind"), [(429, "rate_limited"), (401, "auth"), (404, "not_found"), (502, "server"), (413, "too_large")]
)
def test_a_gateways_bodies_have_no_error_and_are_told_all_the_same(status: int, kind: str) -> None:
    body = json.dumps({"statusCode": status, "message": "Rate limit is exceeded. Try again in 7 seconds."}).encode()
    failure = _failure(status, body)

    assert failure.kind == kind
    assert "Rate limit is exceeded" in failure.message or kind == "auth"
    assert _failure(status, b"").kind == kind


@pytest.mark.parametrize(
    ("inner", "results"), [("innererror", "content_filter_result"), ("inner_error", "content_filter_results")]
)
def test_what_the_filter_found_is_named(inner: str, results: str) -> None:
    found = {
        "hate": {"filtered": False, "severity": "safe"},
        "self_harm": {"filtered": True, "severity": "medium"},
        "jailbreak": {"filtered": True, "detected": True},
        "custom_blocklists": [{"id": "x", "filtered": True}],
    }
    error = {"code": "content_filter", "message": "Filtered.", "param": "prompt", "status": 400}
    failure = _failure(400, {**error, inner: {"code": "ResponsibleAIPolicyViolation", results: found}})

    assert failure.kind == "content_policy"
    assert "self_harm (medium), jailbreak" in failure.message
    assert "hate" not in failure.message


def test_a_filters_verdict_is_told_by_its_inner_code_alone() -> None:
    failure = _failure(400, {"message": "m", "innererror": {"code": "ResponsibleAIPolicyViolation"}})

    assert (failure.kind, failure.code) == ("content_policy", "ResponsibleAIPolicyViolation")


def test_a_deployment_that_does_not_exist_says_what_to_mend() -> None:
    message = _failure(404, {"code": "DeploymentNotFound", "message": "The API deployment does not exist."}).message

    assert "deployment's name" in message
    assert "api_version" in _failure(404, {"code": "404", "message": "Resource not found"}).message


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"retry_after": "45"}, 45.0),
        ({"retry_after_ms": "1500", "retry_after": "2"}, 1.5),
        ({"retry_after_ms": "0", "retry_after": "1"}, 1.0),
        ({"x_ratelimit_remaining_tokens": "0", "x_ratelimit_reset_tokens": "9"}, 9.0),
        ({"x_ratelimit_remaining_tokens": "0", "x_ratelimit_reset_tokens": "-1"}, None),
        ({}, None),
    ],
)
def test_how_long_to_wait(headers: dict[str, str], wait_s: float | None) -> None:
    assert _failure(429, {"code": "429", "message": "m"}, **headers).retry_after_s == wait_s


def test_a_day_in_a_header_is_a_quota() -> None:
    failure = _failure(429, {"code": "429", "message": "m"}, retry_after="86400")

    assert failure.kind == "quota_exhausted"
    assert failure.what_to_do.retry_here == "no"


@pytest.mark.parametrize(
    ("headers", "reset_s"),
    [
        ({"x-ratelimit-reset-tokens": "7"}, 7.0),
        ({"x-ratelimit-reset-tokens": "0"}, None),
        ({"x-ratelimit-reset-tokens": "-1"}, None),
        ({"x-rate-limit-reset-tokens": "5"}, 5.0),
        ({}, None),
    ],
)
def test_resets_are_whole_seconds_that_may_say_nothing(headers: dict[str, str], reset_s: float | None) -> None:
    limits = {"x-ratelimit-limit-tokens": "1000", "x-ratelimit-remaining-tokens": "10", **headers}
    (reading,) = codec_for("azure-chat").rate_limits(limits)

    assert (reading.dimension, reading.limit, reading.remaining, reading.reset_s) == ("tokens", 1000, 10, reset_s)


def test_the_id_for_the_support_desk_is_the_gateways() -> None:
    headers = {"x-request-id": "inner", "apim-request-id": "outer"}

    assert request_id_of(headers) == "outer"
    assert _failure(500, {"code": "500"}, apim_request_id="outer", x_request_id="inner").vendor_request_id == "outer"


def test_models_are_listed_where_the_version_has_them() -> None:
    codec = codec_for("azure-responses")

    assert codec.list_models_request(V1).path == "/openai/v1/models"
    assert codec.list_models_request(CLASSIC).path == "/openai/models?api-version=2024-10-21"
    assert codec.decode_models(b'{"data":[{"id":"gpt-4.1","lifecycle_status":"x"},{"id":null}]}') == ("gpt-4.1",)
    assert codec.decode_models(b"<html>") == ()


def test_an_error_inside_a_success_has_azures_meaning() -> None:
    assembly = assemble("azure-chat", sse('{"error":{"code":"NoCapacity","message":"m"}}'))

    assert assembly.failure is not None
    assert assembly.failure.kind == "overloaded"
