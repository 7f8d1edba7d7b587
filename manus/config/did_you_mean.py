"""Own the guess at what was meant where a name is not known."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

CUTOFF = 0.6
"""How alike two names must be, from 0 to 1; below it a suggestion confuses more than it helps."""

NAME_CHARS_MAX = 64
"""Longer than any name of ours: comparing more is waste, and whatever is longer was no slip of the finger."""


def suggestion(name: str, known: Iterable[str]) -> str:
    """Write `; did you mean 'x'?` for the known name that is most like `name`, or nothing."""
    close = closest(name, known)
    return f"; did you mean '{close}'?" if close else ""


def closest(name: str, known: Iterable[str]) -> str | None:
    """Give the known name that is most like `name`; None where none is."""
    by_folded = {_folded(candidate): candidate for candidate in known}
    if len(name) > NAME_CHARS_MAX:
        return None
    close = difflib.get_close_matches(_folded(name), by_folded, n=1, cutoff=CUTOFF)
    return by_folded[close[0]] if close else None


def listing(names: Iterable[str]) -> str:
    """Write names as a list for people: `a, b or c`."""
    ordered = list(names)
    return " or ".join(filter(None, (", ".join(ordered[:-1]), ordered[-1]))) if ordered else "nothing"


def _folded(name: str) -> str:
    return name.casefold().replace("-", "_")
