"""Own when to come back: Retry-After and rate-limit headers in all the formats that vendors use.

The order of trust (canonical.md, section 7): `retry-after-ms`, `retry-after`, the reset header of the
exhausted dimension, the words of the message. A hint that is zero, negative or unreadable is no hint.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal

from manus.messages.outcomes import RateLimitReading

_UNIT_S = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ns": 1e-9}
_PIECE = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ms|us|µs|μs|ns|h|m|s)")
_SAID = re.compile(
    r"(?:try again in|retry after|retry in|available in)\s+"
    r"(?:(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>milliseconds?|seconds?|secs?|minutes?|mins?|hours?)\b"
    r"|(?P<duration>(?:[\d.]+(?:ms|us|µs|ns|h|m|s))+))",
    re.IGNORECASE,
)
_WORD_S = {"mil": 1e-3, "sec": 1.0, "min": 60.0, "hou": 3600.0}

_EPOCH_S_MIN = 1e9
_EPOCH_MS_MIN = 1e12
"""A bare number this large is a point in time, not a duration: 1e9 seconds are 31 years."""

_PLAIN_DIGITS_MAX = 18
"""Counts of so few digits, as nearly all are, need no closer look."""

_DIMENSIONS: tuple[Literal["requests", "tokens"], ...] = ("requests", "tokens")


def wait_hint_s(headers: Mapping[str, str], message: str = "", *, now_unix_s: float) -> float | None:
    """Give the seconds to wait from now, or None where nothing usable is said.

    Args:
        headers: with lower-case names.
        message: the error's own words, where vendors hide "try again in 1.2s".
        now_unix_s: the wall clock. Where the response is dated, its `Date` is used instead, so that
            a wrong clock on our side does no harm.
    """
    now = http_date_s(headers.get("date", ""))
    now_s = now_unix_s if now is None else now
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None and milliseconds > 0:
        return milliseconds / 1000
    return (
        _positive(_retry_after_s(headers.get("retry-after", ""), now_s))
        or _positive(_exhausted_reset_s(headers, now_s))
        or _positive(_said_s(message))
    )


def duration_s(text: str) -> float | None:
    """Read a duration as Go writes it (`6m0s`, `12ms`, `1h2m3.5s`) or a bare number of seconds."""
    text = text.strip()
    number = _number(text) if text else None
    if number is not None or not text:
        return number
    total = 0.0
    place = 0
    for piece in _PIECE.finditer(text):
        if piece.start() != place:
            return None
        place = piece.end()
        total += float(piece[1]) * _UNIT_S[piece[2]]
    return total if place and place == len(text) and math.isfinite(total) else None


def reset_s(text: str, now_unix_s: float) -> float | None:
    """Read a reset header: a duration, a point in time (RFC 3339, HTTP-date) or an epoch number."""
    relative = duration_s(text)
    if relative is not None:
        if relative >= _EPOCH_MS_MIN:
            return relative / 1000 - now_unix_s
        return relative - now_unix_s if relative >= _EPOCH_S_MIN else relative
    at = _rfc3339(text)
    if at is None:
        at = http_date_s(text)
    return None if at is None else at - now_unix_s


def openai_rate_limits(headers: Mapping[str, str]) -> tuple[RateLimitReading, ...]:
    """Read `x-ratelimit-{limit,remaining,reset}-{requests,tokens}`."""
    readings = []
    for dimension in _DIMENSIONS:
        limit = _count(headers.get(f"x-ratelimit-limit-{dimension}", ""))
        remaining = _count(headers.get(f"x-ratelimit-remaining-{dimension}", ""))
        if limit is None and remaining is None:
            continue
        text = headers.get(f"x-ratelimit-reset-{dimension}", "")
        reset = duration_s(text) if text else None
        if text and (reset is None or reset >= _EPOCH_S_MIN):
            # A point in time, then: read against the response's own date, since the codec knows no clock. Dates are
            # slow to read, and on the path of every answer, so this one is only where it is needed.
            now = http_date_s(headers.get("date", ""))
            reset = reset if now is None else reset_s(text, now)
        usable = reset is not None and 0 <= reset < _EPOCH_S_MIN
        readings.append(
            RateLimitReading(dimension=dimension, limit=limit, remaining=remaining, reset_s=reset if usable else None)
        )
    return tuple(readings)


def _exhausted_reset_s(headers: Mapping[str, str], now_unix_s: float) -> float | None:
    longest: float | None = None
    for name, value in headers.items():
        # `x-ratelimit-remaining-tokens` at most vendors, `anthropic-ratelimit-tokens-remaining` at Anthropic.
        if "ratelimit-" not in name or "-remaining" not in name or _number(value) != 0:
            continue
        reset = reset_s(headers.get(name.replace("-remaining", "-reset", 1), ""), now_unix_s)
        if reset is not None and (longest is None or reset > longest):
            longest = reset
    return longest


def _retry_after_s(text: str, now_unix_s: float) -> float | None:
    number = _number(text)
    if number is not None:
        return number
    at = http_date_s(text)
    return duration_s(text) if at is None else at - now_unix_s


def _said_s(message: str) -> float | None:
    said = _SAID.search(message[:4096])
    if said is None:
        return None
    if said["number"] is not None:
        return float(said["number"]) * _WORD_S[said["unit"][:3].lower()]
    return duration_s(said["duration"].lower())


def http_date_s(text: str) -> float | None:
    """Read a date as HTTP writes it (`Tue, 01 Sep 2026 12:40:59 GMT`), in Unix seconds; None for anything else."""
    if not text or text[0].isdigit():
        return None
    try:
        at = parsedate_to_datetime(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _rfc3339(text: str) -> float | None:
    try:
        at = datetime.fromisoformat(text.strip())
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _number(text: str) -> float | None:
    # Not float() alone: it also takes "nan", "infinity" and "1_000".
    if not re.fullmatch(r"\s*[-+]?(\d+(\.\d*)?|\.\d+)\s*", text, re.ASCII):
        return None
    number = float(text)
    return number if math.isfinite(number) else None


def _count(text: str) -> int | None:
    if not text:
        return None
    if len(text) <= _PLAIN_DIGITS_MAX and text.isascii() and text.isdigit():
        return int(text)
    number = _number(text)
    return int(number) if number is not None and number >= 0 else None


def _positive(seconds: float | None) -> float | None:
    return seconds if seconds is not None and seconds > 0 else None
