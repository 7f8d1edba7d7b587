"""Own the cleaning of texts that come from outside: whatever secret they quote is struck out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

STRUCK_OUT: Final = "[secret]"

SECRET_CHARS_MIN: Final = 6
"""Shorter than this, a secret is a common word, and striking it out would make texts unreadable and protect nobody."""

HEAD_CHARS: Final = 12
"""So many characters of a secret's beginning give it away anywhere in a text: vendors and we cut messages short."""


def redactor(secrets: Iterable[str]) -> Callable[[str], str]:
    """Make a function that strikes every one of `secrets` out of a text, also where something cuts one short."""
    known = sorted({secret for secret in secrets if len(secret) >= SECRET_CHARS_MIN}, key=len, reverse=True)
    if not known:
        return str

    heads = {secret[:HEAD_CHARS] for secret in known}

    def redact(text: str) -> str:
        for head in heads:
            if head in text:
                text = _without(text, head, known)
        kept = text.rstrip(".\u2026 '\"")
        for secret in known:
            for length in range(min(len(secret), HEAD_CHARS) - 1, SECRET_CHARS_MIN - 1, -1):
                if kept.endswith(secret[:length]):
                    return kept[:-length] + STRUCK_OUT + text[len(kept) :]
        return text

    return redact


def _without(text: str, head: str, known: list[str]) -> str:
    """Strike out what begins with `head`, as far as any secret goes on as the text does: many keys begin alike."""
    pieces = []
    at = 0
    while (begin := text.find(head, at)) >= 0:
        pieces += [text[at:begin], STRUCK_OUT]
        at = begin + max(_alike(text, begin, secret) for secret in known)
    return "".join((*pieces, text[at:]))


def _alike(text: str, begin: int, secret: str) -> int:
    """Count how many characters of `text` from `begin` on are those of `secret`."""
    count = 0
    for ours, theirs in zip(secret, text[begin : begin + len(secret)], strict=False):
        if ours != theirs:
            break
        count += 1
    return count
