"""Own the words for JSON in messages to a host's author: what kind of value came, and a name that may be shown.

A message must never become a way for what a host sent to come back broken, or whole: names are cut and cleaned.
"""

from __future__ import annotations

from typing import Final

from msgspec import UnsetType

SHOWN_CHARS_MAX: Final = 64

_KINDS: Final[dict[type, str]] = {
    type(None): "null",
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "an object",
    UnsetType: "nothing",
}


def kind_of(value: object) -> str:
    """Name the kind of a JSON value."""
    return _KINDS.get(type(value), type(value).__name__)


def shown(name: str) -> str:
    """Quote a name that a host made up, as far as it can be shown."""
    cut = name[:SHOWN_CHARS_MAX]
    clean = "".join(character if character.isprintable() else "?" for character in cut)
    return f"'{clean}{'...' if len(name) > SHOWN_CHARS_MAX else ''}'"


def whole(text: str) -> str:
    """Replace lone surrogates, which no UTF-8 has, by U+FFFD; two halves that met become their character."""
    return text if text.isascii() else text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
