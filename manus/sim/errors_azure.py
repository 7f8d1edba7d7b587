"""Own what Azure and the gateway before it answer instead of a completion: bodies and headers, by status.

Source: provider notes (Azure), section 6, and recorded errors (400, 401, 404, 429).
"""

from __future__ import annotations

import math

from manus.sim.wire import Headers, Reply, encode_json, http_date, identifier

_JSON: Headers = (("content-type", "application/json"),)

_WORDS: dict[int, tuple[str, str]] = {
    400: ("BadRequest", "The request is malformed."),
    401: (
        "401",
        "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an "
        "active subscription and use a correct regional API endpoint for your resource.",
    ),
    403: ("AccessDenied", "Access denied due to Virtual Network/Firewall rules."),
    404: (
        "DeploymentNotFound",
        "The API deployment for this resource does not exist. If you created the deployment within the last 5 minutes, "
        "please wait a moment and try again.",
    ),
    408: ("Timeout", "The operation was timeout."),
    500: ("InternalServerError", "The server had an error processing your request. Sorry about that!"),
    503: ("ServiceUnavailable", "The service is temporarily unable to process your request. Please try again later."),
    529: ("NoCapacity", "The system is currently experiencing high demand and cannot process your request."),
}

_BY_CODE: dict[str, str] = {
    "context_length_exceeded": "This model's maximum context length is 128000 tokens. However, your messages "
    "resulted in 140000 tokens. Please reduce the length of the messages.",
    "insufficient_quota": "You exceeded your current quota, please check your plan and billing details.",
    "unsupported_parameter": "Unsupported parameter: 'temperature' is not supported with this model.",
}

_FILTERED = {
    "message": "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. "
    "Please modify your prompt and retry.",
    "type": None,
    "param": "prompt",
    "code": "content_filter",
    "status": 400,
    "innererror": {
        "code": "ResponsibleAIPolicyViolation",
        "content_filter_result": {
            "hate": {"filtered": False, "severity": "safe"},
            "jailbreak": {"filtered": False, "detected": False},
            "violence": {"filtered": True, "severity": "medium"},
        },
    },
}

_GATEWAY = {413: "Request body is too large.", 502: "Bad Gateway", 504: "Gateway Timeout"}
"""What the gateway answers itself: without `error`."""


def served_by(number: int, request_id: str) -> Headers:
    """Give the headers of a call that reached the resource; resets are whole seconds."""
    return (
        ("date", http_date(number)),
        ("apim-request-id", request_id),
        ("x-request-id", identifier("backend", request_id, length=32)),
        ("x-ms-region", "Sweden Central"),
        ("x-ratelimit-limit-requests", "10000"),
        ("x-ratelimit-limit-tokens", "1000000"),
        ("x-ratelimit-remaining-requests", str(max(1, 10_000 - number % 10_000))),
        ("x-ratelimit-remaining-tokens", "999990"),
        ("x-ratelimit-reset-requests", "1"),
        ("x-ratelimit-reset-tokens", "0"),
    )


def error_reply(status: int, code: str, message: str, *, headers: Headers = ()) -> Reply:
    """Write an error of the resource."""
    return Reply(
        status=status, body=encode_json({"error": {"code": code, "message": message}}), headers=_JSON + headers
    )


def rejection(status: int, *, number: int, code: str | None, retry_after_s: float | None) -> Reply:
    """Write the error that goes with `status`; `code` chooses among those that share one."""
    headers = served_by(number, identifier("error", number, length=32))
    if retry_after_s is not None:
        waits = (("retry-after-ms", f"{retry_after_s * 1000:g}"), ("retry-after", str(math.ceil(retry_after_s))))
        headers = (*headers, *waits)
    if status in _GATEWAY:
        body = encode_json({"statusCode": status, "message": _GATEWAY[status]})
        return Reply(status=status, body=body, headers=_JSON)
    if status == 400 and code in ("content_policy_violation", "content_filter"):
        return Reply(status=status, body=encode_json({"error": _FILTERED}), headers=(*_JSON, *headers))
    if code in _BY_CODE:
        return error_reply(status, code, _BY_CODE[code], headers=headers)
    if status == 429:
        wait = "" if retry_after_s is None else f" Please retry after {math.ceil(retry_after_s)} seconds."
        message = f"Requests to the ChatCompletions_Create Operation have exceeded call rate limit.{wait}"
        return error_reply(status, "429", message, headers=headers)
    known, message = _WORDS.get(status, (code or str(status), f"The request failed ({status})."))
    return error_reply(status, known, message, headers=headers)
