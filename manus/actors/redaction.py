"""Own the cleaning of texts that come from outside: whatever secret they quote is struck out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

STRUCK_OUT: Final = "[secret]"

SECRET_CHARS_MIN: Final = 6
"""Shorter than this, a secret is a common word, and striking it out would make texts unreadable and protect nobody."""

SECRETS_MAX: Final = 4096
"""So many secrets of former configurations are remembered: a key that is changed every hour, for half a year."""

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


class Redaction:
    """A redactor that learns: it strikes out the secrets of every configuration that has been in force.

    A former key is still a key, and calls that were made with it may still be on their way.
    """

    __slots__ = ("_known", "_redact")

    def __init__(self, secrets: Iterable[str]) -> None:
        self._known: dict[str, None] = {}
        self._redact: Callable[[str], str] = str
        self.learn(secrets)

    def __call__(self, text: str) -> str:
        """Strike every secret out of a text."""
        return self._redact(text)

    def __repr__(self) -> str:
        return f"<Redaction of {len(self._known)} secrets>"

    def learn(self, secrets: Iterable[str]) -> None:
        """Strike out these as well; of more than `SECRETS_MAX` the oldest are forgotten."""
        for secret in secrets:
            self._known.pop(secret, None)
            self._known[secret] = None
        for forgotten in list(self._known)[:-SECRETS_MAX]:
            del self._known[forgotten]
        self._redact = redactor(self._known)


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
