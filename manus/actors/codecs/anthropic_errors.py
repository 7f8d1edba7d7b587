"""Own what Anthropic's error types and texts mean, and what its headers tell (anthropic.md, section 7, read 2026-11).

The type decides, then the text, then the status: an account without credit is told so in a 400, and a
monthly spending limit in a 429 that no waiting helps. Gateways that speak this wire send the types too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from manus.actors.codecs.classify import http_failure, kind_of_status, stream_failure
from manus.actors.codecs.error_facts import ErrorFacts, facts_of
from manus.actors.codecs.json_text import MALFORMED_ERRORS, load_tolerant, well_formed
from manus.actors.codecs.wait_hints import http_date_s, reset_s
from manus.messages.failures import Failed, FailureKind
from manus.messages.outcomes import RateLimitReading

_BY_TYPE: dict[str, FailureKind] = {
    "authentication_error": "auth",
    "billing_error": "quota_exhausted",
    "permission_error": "permission",
    "not_found_error": "not_found",
    "request_too_large": "too_large",
    "rate_limit_error": "rate_limited",
    "api_error": "server",
    "conflict_error": "server",
    "timeout_error": "timeout",
    "overloaded_error": "overloaded",
}

_CONTEXT = re.compile(
    r"prompt is too long|exceeds? (?:the )?(?:available )?context (?:limit|window|size)|too many total text bytes",
    re.IGNORECASE,
)
_QUOTA = re.compile(
    r"credit balance is too low|reached your specified (?:workspace )?API usage limits|workspace API usage limits"
    r"|spend(?:ing)? limit",
    re.IGNORECASE,
)
_POLICY = re.compile(r"blocked by content filtering policy", re.IGNORECASE)
_PLACE = re.compile(r"((?:[a-z_]+)(?:\.(?:\d+|[A-Za-z_]+))*): ")

_Dimension = Literal["requests", "tokens", "input_tokens", "output_tokens"]
_DIMENSIONS: tuple[tuple[str, _Dimension], ...] = (
    ("requests", "requests"),
    ("tokens", "tokens"),
    ("input-tokens", "input_tokens"),
    ("output-tokens", "output_tokens"),
)


def anthropic_failure_kind(status: int | None, facts: ErrorFacts, *, error_code: str = "") -> FailureKind:
    """Classify an error.

    Args:
        status: None for an error inside a 200.
        error_code: `details.error_code`, which some errors have beside their type.
    """
    if error_code == "enforced_spend_limit_reached":
        return "quota_exhausted"
    kind = _BY_TYPE.get(facts.type)
    if kind is None or kind == "rate_limited":
        # An `invalid_request_error` may be anything; only its words tell.
        if status not in (401, 403, 404) and _QUOTA.search(facts.message):
            return "quota_exhausted"
        if kind is None and status in (None, 400, 413):
            if _CONTEXT.search(facts.message):
                return "context_length"
            if _POLICY.search(facts.message):
                return "content_policy"
    if kind is not None:
        return kind
    if status is None:
        return "invalid_request" if facts.type == "invalid_request_error" else "server"
    return kind_of_status(status)


def anthropic_failure(status: int, headers: Mapping[str, str], body: bytes, *, now_unix_s: float) -> Failed:
    """Make the `Failed` of an HTTP error."""
    try:
        value = load_tolerant(body)
    except MALFORMED_ERRORS:
        value = None
    facts = _with_place(facts_of(value))
    code = _error_code(value)
    kind = anthropic_failure_kind(status, facts, error_code=code)
    if code:
        facts = msgspec.structs.replace(facts, code=code)
    failure = http_failure(kind, status, headers, facts, now_unix_s=now_unix_s)
    return _with_request_id(failure, value)


def anthropic_stream_failure(payload: bytes) -> Failed:
    """Make the `Failed` of an error event, or of an error document that came with a 200."""
    try:
        value = load_tolerant(payload)
    except MALFORMED_ERRORS:
        value = None
    facts = _with_place(facts_of(value))
    failure = stream_failure(anthropic_failure_kind(None, facts, error_code=_error_code(value)), facts)
    return _with_request_id(failure, value)


def anthropic_rate_limits(headers: Mapping[str, str]) -> tuple[RateLimitReading, ...]:
    """Read `anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-{limit,remaining,reset}`.

    Resets are points in time, read against the response's own date: our clock may be wrong, and a codec knows none.
    """
    readings = []
    now: float | None = None
    for spelt, dimension in _DIMENSIONS:
        limit = _count(headers.get(f"anthropic-ratelimit-{spelt}-limit", ""))
        remaining = _count(headers.get(f"anthropic-ratelimit-{spelt}-remaining", ""))
        if limit is None and remaining is None:
            continue
        reset = headers.get(f"anthropic-ratelimit-{spelt}-reset", "")
        if reset and now is None:
            now = http_date_s(headers.get("date", ""))
        left = reset_s(reset, now) if reset and now is not None else None
        readings.append(
            RateLimitReading(
                dimension=dimension,
                limit=limit,
                remaining=remaining,
                reset_s=left if left is not None and left >= 0 else None,
            )
        )
    return tuple(readings)


def _with_place(facts: ErrorFacts) -> ErrorFacts:
    """Take the blamed field from the message, which begins with its path: `tools.0.custom.name: ...`."""
    place = _PLACE.match(facts.message) if facts.param is None and facts.type == "invalid_request_error" else None
    return facts if place is None else msgspec.structs.replace(facts, param=place[1])


def _error_code(value: Any) -> str:  # Any: JSON of a foreign hand
    error = value.get("error") if isinstance(value, dict) else None
    details = error.get("details") if isinstance(error, dict) else None
    code = details.get("error_code") if isinstance(details, dict) else None
    return well_formed(code)[:100] if isinstance(code, str) else ""


def _with_request_id(failure: Failed, value: Any) -> Failed:
    request_id = value.get("request_id") if isinstance(value, dict) else None
    if failure.vendor_request_id is not None or not isinstance(request_id, str) or not request_id:
        return failure
    return msgspec.structs.replace(failure, vendor_request_id=well_formed(request_id)[:200])


def _count(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
