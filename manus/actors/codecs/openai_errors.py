"""Own what OpenAI's error codes, types and texts mean, and those of servers that speak its wire.

Source: openai.md section 8 and canonical.md section 7, read 2026-11. Codes decide, then types, then
texts, then the status: 429 with `insufficient_quota` looks like a rate limit and is none.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from manus.actors.codecs.classify import kind_of_status
from manus.actors.codecs.error_facts import ErrorFacts
from manus.messages.failures import FailureKind

Classify = Callable[[int | None, ErrorFacts], FailureKind]
"""Tells the kind of an error from its status, None for one inside a 200, and what it says of itself."""

_BY_CODE: dict[str, FailureKind] = {
    "invalid_api_key": "auth",
    "incorrect_api_key": "auth",
    "authentication_error": "auth",
    "account_deactivated": "auth",
    "unsupported_country_region_territory": "permission",
    "permission_error": "permission",
    "permission_denied": "permission",
    "model_not_found": "not_found",
    "unknown_model": "not_found",
    "not_found_error": "not_found",
    "deploymentnotfound": "not_found",
    "context_length_exceeded": "context_length",
    "exceed_context_size_error": "context_length",
    "too_many_prompt_tokens": "context_length",
    "content_policy_violation": "content_policy",
    "content_filter": "content_policy",
    "invalid_prompt": "content_policy",
    "moderation_blocked": "content_policy",
    "bio_policy": "content_policy",
    "image_content_policy_violation": "content_policy",
    "data_residency_mismatch": "invalid_request",
    "empty_image_file": "invalid_request",
    "failed_to_download_image": "invalid_request",
    "unsupported_image_media_type": "invalid_request",
    "invalid_encrypted_content": "invalid_request",
    "vector_store_timeout": "timeout",
    "insufficient_quota": "quota_exhausted",
    "credit_balance_exhausted": "quota_exhausted",
    "organization_usage_limit_exceeded": "quota_exhausted",
    "organization_spend_limit_exceeded": "quota_exhausted",
    "project_spend_limit_exceeded": "quota_exhausted",
    "billing_hard_limit_reached": "quota_exhausted",
    "billing_not_active": "quota_exhausted",
    "rate_limit_exceeded": "rate_limited",
    "rate_limit_error": "rate_limited",
    "ratelimitreached": "rate_limited",
    "too_many_requests": "rate_limited",
    "slow_down": "rate_limited",
    "server_is_overloaded": "overloaded",
    "service_unavailable_error": "overloaded",
    "overloaded_error": "overloaded",
    "engine_overloaded": "overloaded",
    "resource_unavailable": "overloaded",
    "timeout": "timeout",
    "server_error": "server",
    "internal_error": "server",
    "internal_server_error": "server",
}

_CONTEXT = re.compile(
    r"maximum context length|exceeds? the (?:model'?s? )?(?:maximum )?context|context (?:length|window|size) exceeded"
    r"|exceeds? the available context size|prompt is too long|total length of all messages is too long",
    re.IGNORECASE,
)
_QUOTA = re.compile(
    r"exceeded your current quota|insufficient (?:balance|credit|quota|funds)|credit balance is too low"
    r"|out of credits|billing hard limit",
    re.IGNORECASE,
)
_TOO_LARGE = re.compile(r"request too large", re.IGNORECASE)
_UNKNOWN_MODEL = re.compile(r"model .{0,120}(?:does not exist|not found)|unknown model", re.IGNORECASE)

_BAD_IMAGE = re.compile(r"invalid_(?:base64_)?image.*|image_.*")
"""`invalid_image_url`, `invalid_base64_image`, `image_too_large`, `image_file_not_found` and their like."""

_VAGUE = {"server", "rate_limited", "timeout"}
"""Kinds that a more exact text may still correct."""


def openai_failure_kind(status: int | None, facts: ErrorFacts) -> FailureKind:
    """Classify an error; `status` is None for one inside a 200, which may name a status of its own."""
    status = facts.status if status is None else status
    kind = _BY_CODE.get(facts.code.lower()) or _BY_CODE.get(facts.type.lower())
    if facts.code == "string_above_max_length":
        # The cap may be that of an id or a name, which no larger context window would help.
        return "context_length" if (facts.param or "").endswith("content") else "invalid_request"
    if kind is not None and kind not in _VAGUE:
        return kind
    if kind is None and _BAD_IMAGE.fullmatch(facts.code):
        return "invalid_request"
    if _CONTEXT.search(facts.message) and status not in (401, 403):
        return "context_length"
    if status in (400, 402, 403, 429, None) and _QUOTA.search(facts.message):
        return "quota_exhausted"
    if kind == "rate_limited" or status == 429:
        # More tokens in one request than the limit allows in a minute: waiting does not make it fit.
        return "too_large" if _TOO_LARGE.search(facts.message) else "rate_limited"
    if status == 404 and (facts.param or "").startswith("input"):
        return "invalid_request"  # an item that the server does not keep, as of an answer that was not stored
    if status == 400 and _UNKNOWN_MODEL.search(facts.message):
        return "not_found"
    # A status below 500 contradicts "server_error": it is the more specific of the two.
    if status is not None and (kind is None or status < 500 or status in (503, 504)):
        return kind_of_status(status)
    if kind is not None:
        return kind
    return "invalid_request" if facts.type == "invalid_request_error" else "server"
