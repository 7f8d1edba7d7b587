"""Own the reading of JSON that the fast parser refuses although a vendor meant it.

msgspec is strict: a lone surrogate in an escape or a `NaN` ends the parse. Real servers send both: an
emoji cut between two deltas arrives as two halves, and log probabilities come as `-Infinity`. Such text
is read again with the standard library's parser, which accepts them. Everything else stays malformed.
"""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec

NULL = msgspec.Raw(b"null")
"""What a `Raw` field holds where the vendor sent nothing, or null."""

MALFORMED_ERRORS = (ValueError, RecursionError)
"""What parsing hostile bytes can raise: `msgspec.DecodeError` and `UnicodeDecodeError` are ValueErrors."""


NESTING_MAX = 200
"""How deep JSON may be nested that is kept. Python's parsers give up at a thousand levels less those of their caller,
and what is kept is read again, inside other JSON, by parsers that nobody here has chosen."""


def load_tolerant(data: bytes | str) -> Any:  # Any: it is JSON of a foreign hand, checked by the reader
    """Parse JSON, letting lone surrogates stand and reading `NaN`, the infinities and `1e999` as null.

    Raises:
        ValueError, RecursionError: it is no JSON at all (`MALFORMED_ERRORS`).
    """
    text = data if isinstance(data, str) else data.decode("utf-8-sig")
    return json.loads(text, parse_constant=_null, parse_float=_finite)


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
    return well_formed(json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False))


def keep_raw(raw: msgspec.Raw) -> msgspec.Raw:
    """Make a vendor's JSON fit to keep: it is checked, and no longer holds the buffer it came in.

    What does not parse, or is nested too deep, becomes null: skipped fields are not validated by the parser, and a
    `Raw` that is no JSON would spoil every message it is written into.
    """
    data = bytes(raw)
    try:
        value = _VALIDATE.decode(data)
    except MALFORMED_ERRORS:
        try:
            value = load_tolerant(data)
            data = dump(value).encode()
        except MALFORMED_ERRORS:
            return NULL
    if data.count(b"[") + data.count(b"{") > NESTING_MAX and _is_deeper(value, NESTING_MAX):
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


def _is_deeper(value: object, levels: int) -> bool:
    """Tell whether lists and objects stand in each other deeper than that."""
    layer: list[object] = [value]
    for _ in range(levels):
        inner: list[object] = []
        for each in layer:
            if isinstance(each, dict):
                inner.extend(each.values())
            elif isinstance(each, list):
                inner.extend(each)
        layer = inner
    return any(isinstance(each, dict | list) for each in layer)


def _null(_constant: str) -> None:
    return None


def _finite(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None
