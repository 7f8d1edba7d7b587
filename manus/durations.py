"""Own how spans of time are written for people."""

from __future__ import annotations

from typing import Final

MINUTE_S: Final = 60
HOUR_S: Final = 3_600
DAY_S: Final = 86_400

PRECISE_S: Final = 120
"""Shorter spans are written in seconds, with what of their fraction matters."""


def span(seconds: float) -> str:
    """Write a span of time in its two largest units: `0.35 s`, `90 s`, `5 h 20 min`, `3 d`. Rounded up, if at all."""
    if seconds < PRECISE_S:
        return f"{seconds:.3g} s"
    for unit_s, unit, part_s, part in ((DAY_S, "d", HOUR_S, "h"), (HOUR_S, "h", MINUTE_S, "min")):
        if seconds > unit_s - part_s:
            parts = -int(-seconds // part_s)
            whole, rest = divmod(parts, unit_s // part_s)
            return f"{whole} {unit} {rest} {part}" if rest else f"{whole} {unit}"
    return f"{-int(-seconds // MINUTE_S)} min"
