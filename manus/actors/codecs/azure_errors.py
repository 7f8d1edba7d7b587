"""Own what Azure's error codes and headers mean where they are not OpenAI's.

Source: azure.md section 6, read 2026-11, and recorded bodies. Codes may be numbers in quotes, the filter's findings
are spelt in two ways, a gateway's bodies have no `error`, and resets are plain seconds that may be zero or less.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from manus.actors.codecs.classify import http_failure
from manus.actors.codecs.error_facts import ErrorFacts, facts_of_body
from manus.actors.codecs.json_text import MALFORMED_ERRORS, load_tolerant, well_formed
from manus.actors.codecs.openai_errors import openai_failure_kind
from manus.actors.codecs.wait_hints import openai_rate_limits
from manus.messages.failures import Failed, FailureKind
from manus.messages.outcomes import RateLimitReading

_BY_CODE: dict[str, FailureKind] = {
    "unauthorized": "auth",
    "invalidauthenticationtoken": "auth",
    "permissiondenied": "permission",
    "accessdenied": "permission",
    "authenticationtypedisabled": "permission",
    "resourcenotfound": "not_found",
    "deploymentnotfound": "not_found",
    "operationnotsupported": "invalid_request",
    "badrequest": "invalid_request",
    "nocapacity": "overloaded",
    "serviceunavailable": "overloaded",
    "internalservererror": "server",
    "responsibleaipolicyviolation": "content_policy",
}

_HIGH_DEMAND = re.compile(r"experiencing high demand|no capacity|currently overloaded", re.IGNORECASE)

_FAILED_DEPENDENCY = 424
"""Something behind the resource failed, which another try may find mended."""

QUOTA_WAIT_S = 86_400.0
"""A wait of a day or more is no rate limit: what the day allows is used up."""

_MENDS = {
    "deploymentnotfound": "On Azure the model is the deployment's name; a new one needs some minutes.",
    "operationnotsupported": "The deployed model does not do this, or not under this api_version.",
    "404": "Check the path in base_url and the api_version.",
    "authenticationtypedisabled": "The resource takes no keys: use Entra ID.",
}


def azure_failure_kind(status: int | None, facts: ErrorFacts) -> FailureKind:
    """Classify an error; `status` is None for one inside a 200, which may name a status of its own."""
    kind = _BY_CODE.get(facts.code.lower())
    if kind is not None:
        return kind
    if status == _FAILED_DEPENDENCY:
        return "server"
    kind = openai_failure_kind(status, facts)
    if kind == "rate_limited" and _HIGH_DEMAND.search(facts.message):
        return "overloaded"
    return kind


def azure_failure(status: int, headers: Mapping[str, str], body: bytes, *, now_unix_s: float) -> Failed:
    """Classify an HTTP error."""
    value = _parsed(body)
    facts = facts_of_body(body)
    if not facts.code and _inner_code(value):
        facts = msgspec.structs.replace(facts, code=_inner_code(value))
    kind = azure_failure_kind(status, facts)
    failure = http_failure(kind, status, headers, facts, now_unix_s=now_unix_s)
    if kind == "rate_limited" and failure.retry_after_s is not None and failure.retry_after_s >= QUOTA_WAIT_S:
        return http_failure("quota_exhausted", status, headers, facts, now_unix_s=now_unix_s)
    said = [_MENDS.get(facts.code.lower(), ""), _filtered(value) if kind == "content_policy" else ""]
    more = " ".join(filter(None, said))
    return msgspec.structs.replace(failure, message=f"{failure.message} {more}") if more else failure


def azure_rate_limits(headers: Mapping[str, str]) -> tuple[RateLimitReading, ...]:
    """Read the `x-ratelimit-*` headers. A reset of zero or less says nothing, and one name is also misspelt."""
    misspelt = headers.get("x-rate-limit-reset-tokens")
    if misspelt is not None and "x-ratelimit-reset-tokens" not in headers:
        headers = {**headers, "x-ratelimit-reset-tokens": misspelt}
    return tuple(
        msgspec.structs.replace(reading, reset_s=None) if reading.reset_s == 0 else reading
        for reading in openai_rate_limits(headers)
    )


def _parsed(body: bytes) -> Any:  # Any: JSON of a foreign hand, each field checked where it is read
    try:
        return load_tolerant(body)
    except MALFORMED_ERRORS:
        return None


def _inner(value: Any) -> dict[str, Any]:
    error = value.get("error") if isinstance(value, dict) else None
    if not isinstance(error, dict):
        return {}
    inner = error.get("innererror") or error.get("inner_error")
    return inner if isinstance(inner, dict) else {}


def _inner_code(value: Any) -> str:
    code = _inner(value).get("code")
    return well_formed(code)[:100] if isinstance(code, str) else ""


def _filtered(value: Any) -> str:
    """Name what the filter found; its verdict is told in the message, for an error has no place for it."""
    inner = _inner(value)
    results = inner.get("content_filter_result") or inner.get("content_filter_results")
    if not isinstance(results, dict):
        return ""
    found = [
        f"{name} ({result['severity']})" if isinstance(result.get("severity"), str) else name
        for name, result in results.items()
        if isinstance(result, dict) and result.get("filtered") is True
    ]
    return well_formed(f"Filtered for: {', '.join(found)}.")[:300] if found else ""
