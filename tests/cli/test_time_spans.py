"""Moments as people write them: so long ago, a day, a time; in UTC unless they say otherwise."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from manus.cli.time_spans import BadMoment, moment

NOW = datetime(2026, 11, 23, 8, 30, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("90m", "2026-11-23T07:00:00"),
        ("24h", "2026-11-22T08:30:00"),
        ("0.5h", "2026-11-23T08:00:00"),
        ("7d", "2026-11-16T08:30:00"),
        ("2w", "2026-11-09T08:30:00"),
        (" 1d ", "2026-11-22T08:30:00"),
        ("2026-11-01", "2026-11-01T00:00:00"),
        ("2026-11-01T12:00", "2026-11-01T12:00:00"),
        ("2026-11-01T12:00:00Z", "2026-11-01T12:00:00"),
        ("2026-11-01T12:00:00+02:00", "2026-11-01T10:00:00"),
    ],
)
def test_a_moment_is_read(text: str, at: str) -> None:
    assert moment(text, NOW) == datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    "text",
    ["", "7", "d", "-7d", "7y", "7 days", "yesterday", "2026-13-01", "11/01/2026", "nan", "1e3d", "\u0667d", "1-1-1x"],
)
def test_what_names_no_moment_says_what_would(text: str) -> None:
    with pytest.raises(BadMoment, match="such as 90m, 24h, 7d"):
        moment(text, NOW)


def test_what_is_absurdly_long_ago_is_a_slip() -> None:
    with pytest.raises(BadMoment, match="a hundred years"):
        moment("999999999w", NOW)
