"""Own what Bedrock's exceptions mean: by header, in a body, or in a frame inside an answer.

Source: bedrock.md section 6 and canonical.md section 7, read 2026-11, and recorded errors. The exception's name
decides where it is exact; `ValidationException` says everything in its text; without a name, as behind some
proxies, text and status decide.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from manus.actors.codecs.classify import kind_of_status
from manus.actors.codecs.error_facts import ErrorFacts, facts_of
from manus.actors.codecs.json_text import MALFORMED_ERRORS, load_tolerant, well_formed
from manus.messages.failures import FailureKind

ERROR_TYPE_HEADER = "x-amzn-errortype"
REQUEST_ID_HEADER = "x-amzn-requestid"

_NAME_CHARS_MAX = 100

_BY_NAME: dict[str, FailureKind] = {
    "expiredtoken": "auth",
    "incompletesignature": "auth",
    "invalidclienttokenid": "auth",
    "invalidsignature": "auth",
    "missingauthenticationtoken": "auth",
    "requestexpired": "auth",
    "signaturedoesnotmatch": "auth",
    "unrecognizedclient": "auth",
    "mpagreementbeingcreated": "permission",
    "notauthorized": "permission",
    "optinrequired": "permission",
    "conflict": "invalid_request",
    "ftuformnotfilled": "not_found",
    "resourcenotfound": "not_found",
    "unknownoperation": "not_found",
    "servicequotaexceeded": "quota_exhausted",
    "limitexceeded": "quota_exhausted",
    "throttling": "rate_limited",
    "throttled": "rate_limited",
    "toomanyrequests": "rate_limited",
    "modelnotready": "overloaded",
    "serviceunavailable": "overloaded",
    "modeltimeout": "timeout",
    "internalfailure": "server",
    "internalserver": "server",
    "internalservererror": "server",
    "modelstreamerror": "server",
}
"""Names in lower case and without `Exception` at their end: streams write them in camel case."""

_CONTEXT = re.compile(
    r"prompt is too long|input is too long|exceed context limit|too many total text bytes|maximum context length"
    r"|too many input tokens|exceeds? the (?:model'?s? )?(?:maximum )?context|context window",
    re.IGNORECASE,
)
_POLICY = re.compile(r"content filter|content filtering policy|blocked by (?:our|the) .{0,40}(?:filter|polic)", re.I)
_UNKNOWN_MODEL = re.compile(
    r"model identifier is invalid|on-demand throughput isn.t supported|could not resolve the foundation model"
    r"|model version has reached the end of its life",
    re.IGNORECASE,
)
_CANNOT = re.compile(r"(?:model|it) (?:doesn.t|does not) support", re.IGNORECASE)
_TOO_LARGE = re.compile(
    r"(?:image|document|file|request|payload|body).{0,80}(?:exceeds?|larger than|too large|over the)", re.I
)
_TOO_LARGE_UNIT = re.compile(r"\b(?:bytes?|[kmg]i?b|size|pixels?)\b", re.IGNORECASE)
_CREDENTIALS = re.compile(
    r"security token included in the request is (?:invalid|expired)|api key|bearer token|signature"
    r"|authentication (?:failed|token)|credential",
    re.IGNORECASE,
)
_DAILY = re.compile(r"\bper day\b|daily", re.IGNORECASE)
_SERVER_OVERLOADED = re.compile(r"unable to process your request|too many connections", re.IGNORECASE)

_CLOCK = re.compile(r"signature (?:expired|not yet current)", re.IGNORECASE)

_MENDS: tuple[tuple[re.Pattern[str], str], ...] = (
    (_CLOCK, "The clock of this machine and that of AWS differ by more than five minutes: set it."),
    (
        re.compile(r"on-demand throughput isn.t supported", re.IGNORECASE),
        "Name an inference profile as the model: the id with a region before it, such as `us.` or `global.`.",
    ),
    (
        re.compile(r"expired", re.IGNORECASE),
        "The credentials have run out: get new ones.",
    ),
    (
        re.compile(r"use case details", re.IGNORECASE),
        "The account has to file the vendor's use-case form in the Bedrock console first.",
    ),
)


def facts_of_error(headers: Mapping[str, str], body: bytes) -> ErrorFacts:
    """Read an error response: the exception's name from the header or the body, and its message."""
    try:
        value = load_tolerant(body)
    except MALFORMED_ERRORS:
        value = None
    return facts_of_exception(headers.get(ERROR_TYPE_HEADER, ""), value)


def facts_of_exception(name: str, value: Any) -> ErrorFacts:  # Any: JSON of a foreign hand, each field checked here
    """Read an exception from parsed JSON. `name` is what stands beside it, in a header; the body's own counts less."""
    if not isinstance(value, dict):
        return ErrorFacts(code=_plain_name(name), message=value if isinstance(value, str) else "")
    facts = facts_of(value)
    words = (value.get(key) for key in ("message", "Message", "originalMessage"))
    message = next((well_formed(word) for word in words if isinstance(word, str) and word), facts.message)
    names = (name, value.get("__type"), value.get("code"), facts.code, facts.type)
    code = next((_plain_name(word) for word in names if isinstance(word, str) and word), "")
    original = value.get("originalStatusCode")
    status = original if isinstance(original, int) and 400 <= original <= 599 else facts.status
    return ErrorFacts(message=message, code=code, status=status)


def bedrock_failure_kind(status: int | None, facts: ErrorFacts) -> FailureKind:
    """Classify an error; `status` is None for one inside a 200."""
    name = _short_name(facts.code)
    message = facts.message
    kind = _BY_NAME.get(name)
    if kind == "rate_limited":
        return "quota_exhausted" if _DAILY.search(message) else "rate_limited"
    if kind is not None:
        return kind
    if name == "modelerror":
        return _kind_of_model_error(facts)
    if name == "accessdenied":
        return "auth" if _CREDENTIALS.search(message) else "permission"
    if name == "validation":
        return _kind_of_text(message) or ("too_large" if status == 413 else "invalid_request")
    return _kind_without_name(status, message)


def mend_of(facts: ErrorFacts) -> str | None:
    """Give the sentence that says more exactly than the kind's own what to do, where one is known."""
    text = f"{facts.code} {facts.message}"
    return next((mend for pattern, mend in _MENDS if pattern.search(text)), None)


def _kind_without_name(status: int | None, message: str) -> FailureKind:
    if status == 403:
        return "auth" if _CREDENTIALS.search(message) else "permission"
    if status == 429:
        return "quota_exhausted" if _DAILY.search(message) else "rate_limited"
    if status == 424 or (status is None and not message):
        return "server"
    if status in (None, 400, 413, 422):
        kind = _kind_of_text(message)
        if kind is not None:
            return kind
    if _SERVER_OVERLOADED.search(message):
        return "overloaded"
    return "server" if status is None else kind_of_status(status)


def _kind_of_text(message: str) -> FailureKind | None:
    if _CONTEXT.search(message):
        return "context_length"
    if _UNKNOWN_MODEL.search(message):
        return "not_found"
    if _POLICY.search(message):
        return "content_policy"
    if _CANNOT.search(message):
        return "unsupported"
    found = _TOO_LARGE.search(message)
    return "too_large" if found and _TOO_LARGE_UNIT.search(message) else None


def _kind_of_model_error(facts: ErrorFacts) -> FailureKind:
    # The model's own answer, passed on: what it said was wrong with the request is.
    if facts.status is None or facts.status >= 500 or facts.status == 429:
        return "server"
    return _kind_of_text(facts.message) or "invalid_request"


def _plain_name(name: str) -> str:
    # `aws.protocoltests#FooException:http://...`: the name stands before the first colon and behind a hash.
    return well_formed(name).partition(":")[0].rpartition("#")[2].strip()[:_NAME_CHARS_MAX]


def _short_name(code: str) -> str:
    return code.lower().removesuffix("exception")
