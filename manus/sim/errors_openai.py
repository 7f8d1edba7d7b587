"""Own what OpenAI and the edge before it answer instead of a completion: bodies and headers, by status.

Sources: provider notes, section 8, and recorded errors (401, 404, 429, 503, 400).
"""

from __future__ import annotations

import msgspec

from manus.sim.wire import Headers, Reply, encode_json, http_date, identifier


class ServedBy(msgspec.Struct, frozen=True, kw_only=True):
    """What OpenAI's own servers put into every head; the edge's errors come without."""

    number: int
    date: str
    request_id: str

    def headers(self) -> Headers:
        """Give the headers of a call that reached the service, rate limits included."""
        return (
            ("date", self.date),
            ("openai-processing-ms", "20"),
            ("openai-version", "2020-10-01"),
            ("x-ratelimit-limit-requests", "10000"),
            ("x-ratelimit-limit-tokens", "30000000"),
            ("x-ratelimit-remaining-requests", str(max(0, 10_000 - self.number % 10_000))),
            ("x-ratelimit-remaining-tokens", "29999990"),
            ("x-ratelimit-reset-requests", "6ms"),
            ("x-ratelimit-reset-tokens", "0s"),
            ("x-request-id", self.request_id),
        )


class _Words(msgspec.Struct, frozen=True):
    type: str
    code: str | None
    message: str
    param: str | None = None


_BY_CODE: dict[tuple[int, str], _Words] = {
    (400, "prefill"): _Words(  # what strict servers of this wire say; OpenAI's own takes such a turn for history
        "invalid_request_error", "invalid_value", "The last message must have the role 'user' or 'tool'.", "messages"
    ),
    (400, "context_length_exceeded"): _Words(
        "invalid_request_error",
        "context_length_exceeded",
        "This model's maximum context length is 128000 tokens. However, your messages resulted in 140000 tokens. "
        "Please reduce the length of the messages.",
        "messages",
    ),
    (400, "content_policy_violation"): _Words(
        "invalid_request_error",
        "content_policy_violation",
        "Your request was rejected as a result of our safety system.",
    ),
    (400, "unsupported_parameter"): _Words(
        "invalid_request_error",
        "unsupported_parameter",
        "Unsupported parameter: 'temperature' is not supported with this model.",
        "temperature",
    ),
    (429, "insufficient_quota"): _Words(
        "insufficient_quota",
        "insufficient_quota",
        "You exceeded your current quota, please check your plan and billing details.",
    ),
    (429, "slow_down"): _Words("rate_limit_error", "slow_down", "Slow down. Please reduce your request rate."),
}

_BY_STATUS: dict[int, _Words] = {
    400: _Words("invalid_request_error", "invalid_value", "Invalid value: 'x'. The request is malformed.", "messages"),
    403: _Words(
        "request_forbidden",
        "unsupported_country_region_territory",
        "Country, region, or territory not supported",
    ),
    408: _Words("invalid_request_error", None, "Request timed out while reading the body."),
    409: _Words("invalid_request_error", "conflict", "The resource was updated by another request."),
    422: _Words("invalid_request_error", None, "Unable to process the request."),
    500: _Words("server_error", None, "The server had an error while processing your request. Sorry about that!"),
    503: _Words(
        "service_unavailable_error", "server_is_overloaded", "The server is overloaded. Please try again later."
    ),
    529: _Words("overloaded_error", "overloaded", "The engine is currently overloaded, please try again later."),
}

_JSON: Headers = (("content-type", "application/json; charset=utf-8"),)


def invalid_request(status: int, message: str, *, param: str | None = None, code: str | None = None) -> Reply:
    """Write an `invalid_request_error`."""
    return Reply(status=status, body=_body(_Words("invalid_request_error", code, message, param)), headers=_JSON)


def rejection(
    status: int, *, number: int, model: str, code: str | None = None, retry_after_s: float | None = None, key: str = ""
) -> Reply:
    """Write the error that goes with `status`; `code` chooses among those that share one."""
    served_by = ServedBy(
        number=number, date=http_date(number), request_id="req_" + identifier("error", number, length=32)
    )
    match status:
        case 413 | 502 | 504 | 520 | 521 | 522 | 523 | 524:
            return _edge_page(status, retry_after_s)
        case 401:
            shown = f" provided: {key}" if key else ""
            words = _Words(
                "invalid_request_error",
                "invalid_api_key",
                f"Incorrect API key{shown}. You can find your API key at https://platform.openai.com/account/api-keys.",
            )
        case 404:
            words = _Words(
                "invalid_request_error",
                "model_not_found",
                f"The model `{model}` does not exist or you do not have access to it.",
            )
        case 429 if code in (None, "rate_limit_exceeded"):
            words = _Words("requests", "rate_limit_exceeded", _rate_limit_text(model, retry_after_s))
        case _:
            named = _BY_CODE.get((status, code)) if code is not None else None
            words = named or _BY_STATUS.get(status) or _Words("server_error", code, f"The request failed ({status}).")
    return Reply(status=status, body=_body(words), headers=(*_JSON, *served_by.headers(), *_retry(retry_after_s)))


def mask_key(key: str) -> str:
    """Show a key the way the vendor's error does: the ends of it, and stars between."""
    if not key:
        return ""
    return f"{key[:8]}{'*' * 12}{key[-4:]}" if len(key) > 12 else "*" * len(key)


def _rate_limit_text(model: str, retry_after_s: float | None) -> str:
    wait = "" if retry_after_s is None else f" Please try again in {retry_after_s:g}s."
    return (
        f"Rate limit reached for {model} in organization org-sim on requests per min (RPM): "
        f"Limit 10000, Used 10000, Requested 1.{wait} "
        "Visit https://platform.openai.com/account/rate-limits to learn more."
    )


def _retry(retry_after_s: float | None) -> Headers:
    if retry_after_s is None:
        return ()
    return (("retry-after", f"{retry_after_s:g}"), ("retry-after-ms", f"{retry_after_s * 1000:g}"))


_REASONS = {
    413: "Request Entity Too Large",
    502: "Bad Gateway",
    504: "Gateway Time-out",
    520: "Web server is returning an unknown error",
    521: "Web server is down",
    522: "Connection timed out",
    523: "Origin is unreachable",
    524: "A timeout occurred",
}


def _edge_page(status: int, retry_after_s: float | None) -> Reply:
    title = f"{status} {_REASONS[status]}"
    body = (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n"
        "<hr><center>cloudflare</center>\r\n</body>\r\n</html>\r\n"
    )
    headers = (("content-type", "text/html"), ("server", "cloudflare"), *_retry(retry_after_s))
    return Reply(status=status, body=body.encode(), headers=headers)


def _body(words: _Words) -> bytes:
    return encode_json(
        {"error": {"message": words.message, "type": words.type, "param": words.param, "code": words.code}}
    )
