"""When to come back: every format of hint that a vendor has been seen to send."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manus.actors.codecs.wait_hints import duration_s, openai_rate_limits, reset_s, wait_hint_s
from manus.messages.outcomes import RateLimitReading

NOW = 1_763_800_000.0
"""2025-11-22 08:26:40 UTC."""


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("12ms", 0.012),
        ("1s", 1.0),
        ("6m0s", 360.0),
        ("1h2m3.5s", 3723.5),
        ("59.7s", 59.7),
        ("1h0m0.5s", 3600.5),
        ("5us", 5e-6),
        ("5µs", 5e-6),
        ("5ns", 5e-9),
        ("45", 45.0),
        ("2.5", 2.5),
        ("-1", -1.0),
        ("0s", 0.0),
        (" 3s ", 3.0),
        ("", None),
        ("s", None),
        ("3x", None),
        ("3s later", None),
        ("nan", None),
        ("inf", None),
        ("1_000", None),
        ("9" * 400 + "s", None),
    ],
)
def test_durations(text: str, seconds: float | None) -> None:
    assert duration_s(text) == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("headers", "message", "seconds"),
    [
        ({}, "", None),
        ({"retry-after": "3"}, "", 3.0),
        ({"retry-after": "2.5"}, "", 2.5),
        ({"retry-after": "0"}, "", None),
        ({"retry-after": "-1"}, "", None),
        ({"retry-after": "soon"}, "", None),
        ({"retry-after": "1m30s"}, "", 90.0),
        ({"retry-after": "Sat, 22 Nov 2025 08:27:00 GMT"}, "", 20.0),
        ({"retry-after": "Sat, 22 Nov 2025 08:26:00 GMT"}, "", None),
        ({"retry-after": "Xxx, 99 Nov 2025 08:26:00 GMT"}, "", None),
        ({"retry-after-ms": "250", "retry-after": "3"}, "", 0.25),
        ({"retry-after-ms": "0", "retry-after": "3"}, "", 3.0),
        ({"retry-after-ms": "x", "retry-after": "3"}, "", 3.0),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "6m0s"}, "", 360.0),
        ({"x-ratelimit-remaining-tokens": "5", "x-ratelimit-reset-tokens": "6m0s"}, "", None),
        (
            {
                "x-ratelimit-remaining-tokens": "0",
                "x-ratelimit-reset-tokens": "12ms",
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-requests": "45",
            },
            "",
            45.0,
        ),
        (
            {"anthropic-ratelimit-requests-remaining": "0", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "7"},
            "",
            7.0,
        ),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW + 9))}, "", 9.0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int((NOW + 9) * 1000))}, "", 9.0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "2025-11-22T08:26:55Z"}, "", 15.0),
        ({}, "Rate limit reached. Please try again in 1.2s. Visit", 1.2),
        ({}, "Please try again in 6m0s.", 360.0),
        ({}, "Please try again in 20ms.", 0.02),
        ({}, "Please retry after 30 seconds.", 30.0),
        ({}, "retry after 2 minutes", 120.0),
        ({}, "try again later", None),
        ({"retry-after": "3"}, "try again in 9s", 3.0),
    ],
)
def test_wait_hints(headers: dict[str, str], message: str, seconds: float | None) -> None:
    hint = wait_hint_s(headers, message, now_unix_s=NOW)
    assert hint == (None if seconds is None else pytest.approx(seconds))


def test_the_response_s_own_date_outweighs_our_clock() -> None:
    headers = {"date": "Sat, 22 Nov 2025 08:26:30 GMT", "retry-after": "Sat, 22 Nov 2025 08:27:00 GMT"}

    assert wait_hint_s(headers, now_unix_s=NOW + 10_000) == 30.0


@given(text=st.text(max_size=40))
def test_no_text_makes_a_reader_raise_or_gives_an_infinity(text: str) -> None:
    for seconds in (duration_s(text), reset_s(text, NOW), wait_hint_s({"retry-after": text}, text, now_unix_s=NOW)):
        assert seconds is None or math.isfinite(seconds)


def test_rate_limit_headers_are_read_per_dimension() -> None:
    headers = {
        "x-ratelimit-limit-requests": "200",
        "x-ratelimit-remaining-requests": "196",
        "x-ratelimit-reset-requests": "21m36.001s",
        "x-ratelimit-limit-tokens": "40000",
        "x-ratelimit-remaining-tokens": "39923",
        "x-ratelimit-reset-tokens": "-1",
    }

    assert openai_rate_limits(headers) == (
        RateLimitReading(dimension="requests", limit=200, remaining=196, reset_s=1296.001),
        RateLimitReading(dimension="tokens", limit=40000, remaining=39923, reset_s=None),
    )
    assert openai_rate_limits({}) == ()
    assert openai_rate_limits({"x-ratelimit-limit-tokens": "lots"}) == ()
