"""Own what Anthropic and the edge before it answer instead of a message: bodies and headers, by status.

Sources: provider notes, section 7, and recorded errors (400, 401, 404, 429, 500, 503, 529).
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import msgspec

from manus.sim.wire import EPOCH_UNIX_S, Headers, Reply, encode_json, http_date, identifier

_JSON: Headers = (("content-type", "application/json"),)
_REQUESTS_PER_MINUTE = 4000
_TOKENS_PER_MINUTE = 400_000


class _Words(msgspec.Struct, frozen=True):
    type: str
    message: str
    error_code: str | None = None


_BY_CODE: dict[tuple[int, str], _Words] = {
    (400, "prefill"): _Words(
        "invalid_request_error",
        "This model does not support assistant message prefill. The conversation must end with a user message.",
    ),
    (400, "context_length_exceeded"): _Words(
        "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"
    ),
    (400, "content_policy_violation"): _Words("invalid_request_error", "Output blocked by content filtering policy"),
    (400, "insufficient_quota"): _Words(
        "invalid_request_error",
        "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or "
        "purchase credits.",
    ),
    (400, "unsupported_parameter"): _Words(
        "invalid_request_error", "temperature: Extra inputs are not permitted for this model"
    ),
    (429, "insufficient_quota"): _Words(
        "rate_limit_error",
        "This organization has reached its enforced spend limit for this month.",
        "enforced_spend_limit_reached",
    ),
}

_BY_STATUS: dict[int, _Words] = {
    400: _Words("invalid_request_error", "messages: Input should be a valid list"),
    401: _Words("authentication_error", "invalid x-api-key"),
    402: _Words("billing_error", "There is an issue with your organization's billing."),
    403: _Words("permission_error", "Your API key does not have permission to use the specified resource."),
    408: _Words("invalid_request_error", "Request timed out while reading the body."),
    409: _Words("conflict_error", "The request conflicts with the current state of the resource."),
    422: _Words("invalid_request_error", "The request could not be processed."),
    429: _Words(
        "rate_limit_error",
        "This request would exceed your organization's rate limit of 50,000 input tokens per minute. For details, "
        "refer to: https://docs.claude.com/en/api/rate-limits.",
    ),
    500: _Words("api_error", "Internal server error"),
    504: _Words("timeout_error", "Request timed out."),
    529: _Words("overloaded_error", "Overloaded"),
}

_EDGE: dict[int, str] = {
    413: "Request Entity Too Large",
    502: "Bad Gateway",
    520: "Web server is returning an unknown error",
    521: "Web server is down",
    522: "Connection timed out",
    523: "Origin is unreachable",
    524: "A timeout occurred",
}


def served_by(number: int, request_id: str) -> Headers:
    """Give the headers of a call that reached the service, rate limits included."""
    reset = datetime.fromtimestamp(EPOCH_UNIX_S + number + 1, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    limits: list[tuple[str, str]] = []
    for dimension, limit, used in (
        ("requests", _REQUESTS_PER_MINUTE, number % _REQUESTS_PER_MINUTE),
        ("input-tokens", _TOKENS_PER_MINUTE, 0),
        ("output-tokens", _TOKENS_PER_MINUTE // 5, 0),
        ("tokens", _TOKENS_PER_MINUTE + _TOKENS_PER_MINUTE // 5, 0),
    ):
        name = f"anthropic-ratelimit-{dimension}"
        limits += [(f"{name}-limit", str(limit)), (f"{name}-remaining", str(limit - used)), (f"{name}-reset", reset)]
    return (("date", http_date(number)), *limits, ("request-id", request_id))


def invalid_request(status: int, message: str, *, type_: str = "invalid_request_error") -> Reply:
    """Write an error that concerns the request itself."""
    return Reply(status=status, body=error_json(type_, message, request_id=_request_id(message)), headers=_JSON)


def rejection(
    status: int, *, number: int, model: str, code: str | None = None, retry_after_s: float | None = None
) -> Reply:
    """Write the error that goes with `status`; `code` chooses among those that share one."""
    if status in _EDGE:
        return _edge_page(status, retry_after_s)
    if status == 503:  # the proxy before the service speaks here, and no JSON
        text = b"upstream connect error or disconnect/reset before headers. reset reason: connection termination"
        return Reply(status=503, body=text, headers=(("content-type", "text/plain"), *_retry(retry_after_s)))
    if status == 404:
        words = _Words("not_found_error", f"model: {model}")
    else:
        named = _BY_CODE.get((status, code)) if code is not None else None
        words = named or _BY_STATUS.get(status) or _Words("api_error", f"The request failed ({status}).")
    request_id = _request_id(number)
    body = error_json(words.type, words.message, request_id=request_id, error_code=words.error_code)
    again = "true" if status in (409, 429, 500, 504, 529) and words.error_code is None else "false"
    head = (*_JSON, *served_by(number, request_id), *_retry(retry_after_s), ("x-should-retry", again))
    return Reply(status=status, body=body, headers=head)


def error_json(type_: str, message: str, *, request_id: str | None = None, error_code: str | None = None) -> bytes:
    """Write the error object, as a body or as the data of an event."""
    error: dict[str, Any] = {"type": type_, "message": message}
    if error_code is not None:
        error["details"] = {"error_code": error_code}
    body: dict[str, Any] = {"type": "error", "error": error}
    if request_id is not None:
        body["request_id"] = request_id
    return encode_json(body)


def _request_id(seed: object) -> str:
    return "req_" + identifier("anthropic error", seed, length=24)


def _retry(retry_after_s: float | None) -> Headers:
    return () if retry_after_s is None else (("retry-after", str(math.ceil(retry_after_s))),)


def _edge_page(status: int, retry_after_s: float | None) -> Reply:
    title = f"{status} {_EDGE[status]}"
    body = (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n"
        "<hr><center>cloudflare</center>\r\n</body>\r\n</html>\r\n"
    )
    headers = (("content-type", "text/html"), ("server", "cloudflare"), *_retry(retry_after_s))
    return Reply(status=status, body=body.encode(), headers=headers)
