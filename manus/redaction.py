"""Own the cleaning of texts that come from outside: whatever secret they quote is struck out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final

STRUCK_OUT: Final = "[secret]"

SECRET_CHARS_MIN: Final = 6
"""Shorter than this, a secret is a common word, and striking it out would make texts unreadable and protect nobody."""


def redactor(secrets: Iterable[str]) -> Callable[[str], str]:
    """Make a function that strikes every one of `secrets` out of a text, also where the text's end cuts one short."""
    known = sorted({secret for secret in secrets if len(secret) >= SECRET_CHARS_MIN}, key=len, reverse=True)
    if not known:
        return str
    whole = re.compile("|".join(map(re.escape, known)))

    def redact(text: str) -> str:
        struck = whole.sub(STRUCK_OUT, text)
        kept = struck.rstrip(".\u2026 '\"")
        for secret in known:
            for length in range(len(secret) - 1, SECRET_CHARS_MIN - 1, -1):
                if kept.endswith(secret[:length]):
                    return kept[:-length] + STRUCK_OUT + struck[len(kept) :]
        return struck

    return redact
