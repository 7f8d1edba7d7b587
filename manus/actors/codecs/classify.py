"""Own what an HTTP status means, and the sentence that a failed call is told with.

This is the part of error mapping that all vendors share (canonical.md, section 7). What a vendor's own
codes and texts mean stands in that vendor's file, and is asked first.
"""

from __future__ import annotations

from collections.abc import Mapping

from manus.actors.codecs.error_facts import ErrorFacts, vendor_words
from manus.actors.codecs.wait_hints import wait_hint_s
from manus.messages.failures import ADVICE, Advice, Failed, FailureKind

_BY_STATUS: dict[int, FailureKind] = {
    400: "invalid_request",
    401: "auth",
    402: "quota_exhausted",
    403: "permission",
    404: "not_found",
    408: "timeout",
    409: "server",
    413: "too_large",
    422: "invalid_request",
    429: "rate_limited",
    503: "overloaded",
    504: "timeout",
    524: "timeout",
    529: "overloaded",
}

_WHAT_TO_DO: dict[FailureKind, str] = {
    "auth": "Check the key of this provider.",
    "permission": "The key may not do this: check its rights, its project and the region.",
    "not_found": "Check the model's name and the provider's base_url.",
    "invalid_request": "The request must be changed.",
    "context_length": "Shorten the conversation or use a model with a larger context window.",
    "content_policy": "The provider's policy forbids it.",
    "too_large": "Send less at once.",
    "rate_limited": "Wait, or lower the limits of this provider in the configuration.",
    "quota_exhausted": "The account's quota or credit is used up: raise it, or use another provider.",
    "overloaded": "The provider is overloaded.",
    "timeout": "The provider took too long.",
    "server": "The provider failed.",
    "protocol": "The server does not speak this wire: check base_url.",
}

_VENDOR_TIMEOUT = Advice("once", "yes", True)
"""A 408 or 504 is the vendor's own timeout, soon over; ours have used the caller's time up already."""

_REQUEST_IDS = ("apim-request-id", "x-request-id", "request-id", "x-amzn-requestid", "x-ms-request-id")
"""Azure, which wants this one of several; OpenAI and most others; Anthropic; AWS; Azure again."""


def kind_of_status(status: int) -> FailureKind:
    """Classify by the status alone, as for bodies that say nothing."""
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status >= 500:
        return "server"
    if status >= 400:
        return "invalid_request"
    # A redirect or a 1xx/2xx that is no answer: somebody else's server stands at this address.
    return "not_found" if status >= 300 else "protocol"


def request_id_of(headers: Mapping[str, str]) -> str | None:
    """Find the vendor's id of the call, for its support desk, among headers with lower-case names."""
    return next((headers[name] for name in _REQUEST_IDS if headers.get(name)), None)


def http_failure(
    kind: FailureKind, status: int, headers: Mapping[str, str], facts: ErrorFacts, *, now_unix_s: float
) -> Failed:
    """Make the `Failed` of an HTTP error of the given kind, with its advice and its wait hint."""
    return Failed(
        kind=kind,
        message=_sentence(kind, f"HTTP {status}", facts),
        advice=_advice(kind, headers.get("x-should-retry", "").strip().lower()),
        retry_after_s=wait_hint_s(headers, facts.message, now_unix_s=now_unix_s) if _may_wait(status) else None,
        phase="sent",
        status=status,
        code=facts.code or facts.type or None,
        vendor_request_id=request_id_of(headers),
        param=facts.param,
    )


def stream_failure(kind: FailureKind, facts: ErrorFacts) -> Failed:
    """Make the `Failed` of an error that came inside an answer."""
    return Failed(
        kind=kind,
        message=_sentence(kind, "in the answer", facts),
        advice=_VENDOR_TIMEOUT if kind == "timeout" else None,
        retry_after_s=wait_hint_s({}, facts.message, now_unix_s=0.0) if kind == "rate_limited" else None,
        phase="streaming",
        status=facts.status,
        code=facts.code or facts.type or None,
        param=facts.param,
    )


def protocol_failure(message: str) -> Failed:
    """Make the `Failed` of an answer whose bytes make no sense."""
    return Failed(kind="protocol", message=message, phase="streaming")


def _sentence(kind: FailureKind, where: str, facts: ErrorFacts) -> str:
    label = ", ".join(word for word in (where, facts.code or facts.type) if word)
    # A message about a key repeats the key, masked by the vendor's taste.
    words = "" if kind == "auth" else vendor_words(facts.message)
    if words and words[-1] not in ".!?…":
        words += "."
    said = f"{kind} ({label}): {words}" if words else f"{kind} ({label})."
    hint = _WHAT_TO_DO.get(kind, "")
    return f"{said} {hint}" if hint else said


def _advice(kind: FailureKind, should_retry: str) -> Advice | None:
    base = _VENDOR_TIMEOUT if kind == "timeout" else ADVICE[kind]
    if should_retry == "false":
        return Advice("no", base.elsewhere, base.health)
    if should_retry == "true" and base.retry_here == "no":
        return Advice("once", base.elsewhere, base.health)
    return base if base is not ADVICE[kind] else None


def _may_wait(status: int) -> bool:
    # Some vendors send retry-after on every response; it only means something where waiting helps.
    return status in (408, 409, 429) or status >= 500
