"""Bedrock's exceptions, as they come by header, in bodies and without a name, each told as what it is."""

from __future__ import annotations

import json

import pytest

from manus.actors.codecs import codec_for
from manus.messages.failures import Failed, FailureKind
from tests.shared_data import exchanges

SUFFIX = ":http://internal.amazon.com/coral/com.amazon.bedrock/"


def failed(status: int, name: str | None, message: str, **more: object) -> Failed:
    """Classify an error as it comes from the service itself."""
    headers = {"content-type": "application/json", "x-amzn-requestid": "r-1"}
    if name is not None:
        headers["x-amzn-errortype"] = name + SUFFIX
    body = json.dumps({"message": message, **more}).encode()
    return codec_for("bedrock").failure(status, headers, body, now_unix_s=0.0)


ON_DEMAND = (
    "Invocation of model ID anthropic.claude-x with on-demand throughput isn\u2019t supported. Retry your request with "
    "the ID or ARN of an inference profile that contains this model."
)
USE_CASE = (
    "Model use case details have not been submitted for this account. Fill out the Anthropic use case details form."
)


@pytest.mark.parametrize(
    ("status", "name", "message", "kind", "retry"),
    [
        (403, "AccessDeniedException", "You don't have access to the model.", "permission", "no"),
        (403, "AccessDeniedException", "Authentication failed: Please make sure your API Key is valid.", "auth", "no"),
        (403, "UnrecognizedClientException", "The security token included in the request is invalid.", "auth", "no"),
        (403, "InvalidSignatureException", "The request signature we calculated does not match", "auth", "no"),
        (403, "ExpiredTokenException", "The security token included in the request is expired", "auth", "no"),
        (400, "ExpiredToken", "The provided token has expired.", "auth", "no"),
        (403, "IncompleteSignature", "Credential must have exactly 5 elements", "auth", "no"),
        (400, "RequestExpired", "Request has expired.", "auth", "no"),
        (403, "MissingAuthenticationTokenException", "Missing Authentication Token", "auth", "no"),
        (400, "ValidationException", "Malformed input request", "invalid_request", "no"),
        (404, "ResourceNotFoundException", USE_CASE, "not_found", "no"),
        (404, "ResourceNotFoundException", "This model version has reached the end of its life.", "not_found", "no"),
        (400, "ServiceQuotaExceededException", "You have exceeded your quota.", "quota_exhausted", "no"),
        (400, "ConflictException", "Conflict", "invalid_request", "no"),
        (408, "ModelTimeoutException", "Timed out", "timeout", "once"),
        (424, "ModelStreamErrorException", "x", "server", "once"),
        (429, "ThrottlingException", "Too many requests, please wait before trying again.", "rate_limited",
         "after_wait"),
        (429, "ThrottlingException", "Too many tokens, please wait before trying again.", "rate_limited", "after_wait"),
        (429, "ThrottlingException", "Too many tokens per day, please wait before trying again.", "quota_exhausted",
         "no"),
        (429, "ModelNotReadyException", "Model is not ready for inference.", "overloaded", "once"),
        (500, "InternalServerException", "Oops", "server", "once"),
        (503, "ServiceUnavailableException", "Too many connections", "overloaded", "once"),
        (404, "FTUFormNotFilled", "Fill it in", "not_found", "no"),
        (403, "MPAgreementBeingCreated", "Try again in 15 minutes", "permission", "no"),
        (404, "UnknownOperationException", "", "not_found", "no"),
        (400, "ValidationException", "The model returned the following errors: prompt is too long: 210000 tokens > "
         "200000 maximum", "context_length", "no"),
        (400, "ValidationException", "Input is too long for requested model.", "context_length", "no"),
        (400, "ValidationException", "input length and `max_tokens` exceed context limit: 1 + 2 > 2",
         "context_length", "no"),
        (400, "ValidationException", "too many total text bytes: 9 > 8", "context_length", "no"),
        (400, "ValidationException", "This model's maximum context length is 128000 tokens", "context_length", "no"),
        (400, "ValidationException", "The provided model identifier is invalid.", "not_found", "no"),
        (400, "ValidationException", ON_DEMAND, "not_found", "no"),
        (400, "ValidationException", "This model doesn't support tool use.", "unsupported", "no"),
        (400, "ValidationException", "This model doesn't support the stopSequences field. Remove it.", "unsupported",
         "no"),
        (400, "ValidationException", "Output blocked by content filtering policy", "content_policy", "no"),
        (400, "ValidationException", "This request has been blocked by our content filters.", "content_policy", "no"),
        (400, "ValidationException", "image exceeds 5 MB maximum: 6291456 bytes > 5242880 bytes", "too_large", "no"),
        (400, "ValidationException", "A conversation must start with a user message.", "invalid_request", "no"),
        (413, "RequestEntityTooLargeException", "Too large", "too_large", "no"),
        (418, "BrandNewException", "x", "invalid_request", "no"),
        (520, "BrandNewException", "x", "server", "once"),
    ],
)  # fmt: skip
def test_exceptions_are_told_as_what_they_are(
    status: int, name: str, message: str, kind: FailureKind, retry: str
) -> None:
    failure = failed(status, name, message)
    assert (failure.kind, failure.what_to_do.retry_here, failure.code) == (kind, retry, name)
    assert (failure.status, failure.vendor_request_id) == (status, "r-1")


@pytest.mark.parametrize(
    ("original", "kind"), [(500, "server"), (429, "server"), (400, "invalid_request"), (None, "server")]
)
def test_an_error_of_the_model_behind_is_judged_by_its_own_status(original: int | None, kind: FailureKind) -> None:
    more = {} if original is None else {"originalStatusCode": original, "resourceName": "m"}
    assert failed(424, "ModelErrorException", "x", **more).kind == kind
    if original == 400:
        assert failed(424, "ModelErrorException", "prompt is too long: 2 > 1", **more).kind == "context_length"


@pytest.mark.parametrize(
    "name",
    [
        "ThrottlingException",
        "com.amazon.bedrock#ThrottlingException",
        "com.amazon.bedrock#ThrottlingException:http://x/",
    ],
)
def test_the_name_is_found_wherever_it_stands(name: str) -> None:
    codec = codec_for("bedrock")
    for headers, body in (
        ({"x-amzn-errortype": name}, {"message": "m"}),
        ({}, {"message": "m", "__type": name}),
        ({}, {"Message": "m", "code": name}),
    ):
        failure = codec.failure(400, headers, json.dumps(body).encode(), now_unix_s=0.0)
        assert (failure.kind, failure.code) == ("rate_limited", "ThrottlingException")
        assert ": m." in failure.message


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (400, "The provided model identifier is invalid.", "not_found"),
        (400, "prompt is too long: 2 tokens > 1 maximum", "context_length"),
        (400, "This model doesn't support the video content block.", "unsupported"),
        (400, "whatever", "invalid_request"),
        (403, "The security token included in the request is invalid.", "auth"),
        (403, "User is not authorized to perform: bedrock:InvokeModel", "permission"),
        (404, "gone", "not_found"),
        (424, "x", "server"),
        (429, "Too many requests", "rate_limited"),
        (429, "Too many tokens per day", "quota_exhausted"),
        (500, "Too many connections", "overloaded"),
        (500, "x", "server"),
    ],
)
def test_without_a_name_status_and_text_decide(status: int, message: str, kind: FailureKind) -> None:
    assert failed(status, None, message).kind == kind


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff", b"[]", b'"text"', b"{}", b'{"message":7}', b'{"message":'])
@pytest.mark.parametrize(("status", "kind"), [(503, "overloaded"), (403, "permission"), (429, "rate_limited")])
def test_bodies_that_say_nothing_are_judged_by_the_status(body: bytes, status: int, kind: FailureKind) -> None:
    assert codec_for("bedrock").failure(status, {}, body, now_unix_s=0.0).kind == kind


def test_failures_say_what_to_mend() -> None:
    assert "`us.`" in failed(400, "ValidationException", ON_DEMAND).message
    assert "use-case form" in failed(404, "ResourceNotFoundException", USE_CASE).message
    expired = failed(403, "ExpiredTokenException", "The security token included in the request is expired")
    assert "get new ones" in expired.message
    skewed = failed(403, "InvalidSignatureException", "Signature expired: 20260101T000000Z is now earlier than ...")
    assert "clock of this machine" in skewed.message


def test_a_message_about_a_key_is_not_repeated() -> None:
    failure = failed(403, "AccessDeniedException", "Authentication failed: API key ABSK-SECRET is not valid")
    assert "ABSK" not in failure.message


def test_names_and_messages_of_any_length_and_kind_are_tamed() -> None:
    failure = failed(400, "E" * 5000, "m" * 50_000)
    assert failure.code is not None
    assert len(failure.code) <= 100
    assert len(failure.message) < 1000
    lone = codec_for("bedrock").failure(400, {}, b'{"message":"\\ud800","__type":"\\ud800"}', now_unix_s=0.0)
    assert "\ud800" not in lone.message + (lone.code or "")


RECORDED: dict[str, FailureKind] = {
    "Too many requests": "rate_limited",
    "Malformed input request": "invalid_request",
    "document.source.type: Field required": "invalid_request",
    "doesn't support the s3Uri field": "unsupported",
    "doesn't support the video content block": "unsupported",
    "model identifier is invalid": "not_found",
    "end of its life": "not_found",
    "unexpected error during processing": "server",
    "security token included in the request is invalid": "auth",
}


def test_recorded_errors_are_told_as_what_they_are() -> None:
    met: set[str] = set()
    apis = ("converse", "converse-stream", "invoke", "invoke-with-response-stream")
    for exchange in exchanges(*(("bedrock", api) for api in apis)):
        response = exchange["response"]
        if response["status"] < 400:
            continue
        body = response["body_text"]
        (words,) = [words for words in RECORDED if words in body]
        met.add(words)
        failure = codec_for("bedrock").failure(response["status"], response["headers"], body.encode(), now_unix_s=0.0)
        assert failure.kind == RECORDED[words], exchange["id"]
    assert met == set(RECORDED)
