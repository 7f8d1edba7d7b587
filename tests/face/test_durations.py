"""Spans of time in words."""

from __future__ import annotations

import pytest

from manus.durations import span


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "0 s"),
        (0.3541, "0.354 s"),
        (90.0, "90 s"),
        (120.0, "2 min"),
        (121.0, "3 min"),
        (3_500.0, "59 min"),
        (3_599.0, "1 h"),
        (3_600.0, "1 h"),
        (3_601.0, "1 h 1 min"),
        (19_200.0, "5 h 20 min"),
        (86_399.0, "1 d"),
        (90_000.0, "1 d 1 h"),
        (31 * 86_400.0, "31 d"),
    ],
)
def test_a_span_is_told_in_its_two_largest_units_and_never_shorter_than_it_is(seconds: float, words: str) -> None:
    assert span(seconds) == words
