"""Own the tool-call ids that we make ourselves, where a vendor sends none or none that travels.

They depend on nothing but what they are made from: the same answer always gives the same ids, however its
bytes were cut, and a conversation sent again is the same to the byte, which prompt caches need.
All of them fit every vendor: letters and digits, 34 characters (canonical.md, section 5).
"""

from __future__ import annotations

import hashlib
import re

_PREFIX = "call_manus"
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SHAPE = re.compile(rf"{_PREFIX}[0-9A-Za-z]{{24}}")


def made_call_id(*seeds: object) -> str:
    """Make the id that belongs to `seeds`."""
    digest = hashlib.sha256("\0".join(map(str, seeds)).encode("utf-8", "replace")).digest()
    number = int.from_bytes(digest, "big")
    digits = []
    for _ in range(24):
        number, place = divmod(number, 62)
        digits.append(_DIGITS[place])
    return _PREFIX + "".join(digits)


def is_made(call_id: str) -> bool:
    """Tell whether an id is one of ours, not a vendor's."""
    return _SHAPE.fullmatch(call_id) is not None
