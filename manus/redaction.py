"""Own the cleaning of texts that come from outside: whatever secret they quote is struck out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final

STRUCK_OUT: Final = "[secret]"

SECRET_CHARS_MIN: Final = 6
"""Shorter than this, a secret is a common word, and striking it out would make texts unreadable and protect nobody."""


def redactor(secrets: Iterable[str]) -> Callable[[str], str]:
    """Make a function that strikes every one of `secrets` out of a text."""
    known = sorted({secret for secret in secrets if len(secret) >= SECRET_CHARS_MIN}, key=len, reverse=True)
    if not known:
        return _as_it_is
    pattern = re.compile("|".join(map(re.escape, known)))

    def redact(text: str) -> str:
        return pattern.sub(STRUCK_OUT, text)

    return redact


def _as_it_is(text: str) -> str:
    return text
