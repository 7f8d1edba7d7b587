"""Own how the command line reads moments: `7d` ago, a day, or a time as ISO 8601 writes it. Days are UTC's."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from manus.durations import DAY_S, HOUR_S, MINUTE_S

UNITS_S: Final = {"m": MINUTE_S, "h": HOUR_S, "d": DAY_S, "w": 7 * DAY_S}

AGO_S_MAX: Final = 36_500 * DAY_S
"""A century: what is longer ago is a slip of the keyboard."""

EXPECTED: Final = "expected a time ago such as 90m, 24h, 7d or 4w, a day such as 2026-11-01, or a time as in ISO 8601"

_AGO = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)([mhdw])", re.ASCII)


class BadMoment(ValueError):
    """A text that names no moment; its own text says what was expected."""


def moment(text: str, now_unix_s: float) -> float:
    """Read a moment as seconds since 1970. What names no time zone is UTC.

    Raises:
        BadMoment: it is none.
    """
    ago = _AGO.fullmatch(text.strip())
    if ago is not None:
        ago_s = float(ago[1]) * UNITS_S[ago[2]]
        if ago_s > AGO_S_MAX:
            raise BadMoment("is longer ago than a hundred years")
        return now_unix_s - ago_s
    try:
        read = datetime.fromisoformat(text.strip())
        return (read if read.tzinfo is not None else read.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise BadMoment(EXPECTED) from None
