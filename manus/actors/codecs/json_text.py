"""Own the reading of JSON that the fast parser refuses although a vendor meant it.

msgspec is strict: a lone surrogate in an escape or a `NaN` ends the parse. Real servers send both: an
emoji cut between two deltas arrives as two halves, and log probabilities come as `-Infinity`. Such text
is read again with the standard library's parser, which accepts them. Everything else stays malformed.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

NULL = msgspec.Raw(b"null")
"""What a `Raw` field holds where the vendor sent nothing, or null."""

MALFORMED_ERRORS = (ValueError, RecursionError)
"""What parsing hostile bytes can raise: `msgspec.DecodeError` and `UnicodeDecodeError` are ValueErrors."""


def load_tolerant(data: bytes | str) -> Any:  # Any: it is JSON of a foreign hand, checked by the reader
    """Parse JSON, letting lone surrogates stand and reading `NaN` and the infinities as null.

    Raises:
        ValueError, RecursionError: it is no JSON at all (`MALFORMED_ERRORS`).
    """
    text = data if isinstance(data, str) else data.decode("utf-8-sig")
    return json.loads(text, parse_constant=_null)


def well_formed(text: str) -> str:
    """Join surrogate pairs that were escaped apart, and replace lone halves by U+FFFD."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def split_high_surrogate(text: str) -> tuple[str, str]:
    """Cut off a high surrogate at the end, whose other half may come with the next piece."""
    if text and "\ud800" <= text[-1] <= "\udbff":
        return text[:-1], text[-1]
    return text, ""


def dump(value: object) -> str:
    """Write JSON text compactly, keys in the order they came. Lone surrogates become U+FFFD.

    Raises:
        ValueError, RecursionError: `value` holds something that JSON has no word for.
    """
    return well_formed(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def keep_raw(raw: msgspec.Raw) -> msgspec.Raw:
    """Make a vendor's JSON fit to keep: it is checked, and no longer holds the buffer it came in.

    What does not parse becomes null: skipped fields are not validated by the parser, and a `Raw` that
    is no JSON would spoil every message it is written into.
    """
    data = bytes(raw)
    try:
        _VALIDATE.decode(data)
    except MALFORMED_ERRORS:
        try:
            return msgspec.Raw(dump(load_tolerant(data)).encode())
        except MALFORMED_ERRORS:
            return NULL
    return msgspec.Raw(data)


def is_object(text: str) -> bool:
    """Tell whether `text` is a JSON object, as the arguments of a tool call must be."""
    try:
        return isinstance(_VALIDATE.decode(text), dict)
    except MALFORMED_ERRORS:
        pass
    try:
        return isinstance(load_tolerant(text), dict)
    except MALFORMED_ERRORS:
        return False


_VALIDATE = msgspec.json.Decoder()


def _null(_constant: str) -> None:
    return None
