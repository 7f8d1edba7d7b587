"""Own what Ollama's error texts mean: it has no codes (ollama.md, section 4, read 2026-11)."""

from __future__ import annotations

import re

from manus.actors.codecs.classify import kind_of_status
from manus.actors.codecs.error_facts import ErrorFacts
from manus.messages.failures import FailureKind

_CONTEXT = re.compile(
    r"prompt is (?:longer than|too long)|exceeds? the (?:available )?context|input length exceeds", re.IGNORECASE
)
_QUOTA = re.compile(r"usage limit|upgrade for higher limits", re.IGNORECASE)
_BUSY = re.compile(r"server busy|maximum pending requests", re.IGNORECASE)
_NOT_FOUND = re.compile(r"model\b.{0,200}\bnot found", re.IGNORECASE)
_CANNOT = re.compile(r"\bdoes not support\b|\bis not supported for this model\b", re.IGNORECASE)
"""Tools, thinking, pictures: the request is good, and another model may well take it."""

_WRONG = re.compile(r"invalid (?:think|options?|format)|unauthorized", re.IGNORECASE)


def ollama_failure_kind(status: int | None, facts: ErrorFacts) -> FailureKind:
    """Classify an error; `status` is None for a line inside a 200, where text is all there is."""
    message = facts.message
    if status in (None, 400, 500) and _CONTEXT.search(message):
        return "context_length"
    if status in (None, 402, 429) and _QUOTA.search(message):
        return "quota_exhausted"
    if _BUSY.search(message):
        return "overloaded"
    if status in (None, 400) and _CANNOT.search(message):
        return "unsupported"
    if status is not None:
        return "cancelled" if status == 499 else kind_of_status(status)
    if _NOT_FOUND.search(message):
        return "not_found"
    return "invalid_request" if _WRONG.search(message) else "server"
