"""Own the reading of one line as JSON: strict, and bounded before it can hurt.

Strict, because two readers that take the same bytes for different things are a desync, or worse: a member that stands
twice in an object, a number that no double holds and `NaN` are refused. Lone surrogates (`"\\ud800"`) and NUL
(`"\\u0000"`) are read; whoever takes the text names the place where it cannot stand. Pure.
"""

from __future__ import annotations

import json
from itertools import accumulate
from typing import Any, Final, Literal, NoReturn

NESTING_MAX: Final = 256
"""Objects and lists inside each other. A tool's schema may be nested half as deep, the interpreter four times."""

VALUES_MAX: Final = 200_000
"""Texts, numbers, lists, objects and so on in one line. A list of nothing takes two bytes there and fifty here."""

NUMBER_CHARS_MAX: Final = 400
"""Longer than any double is ever written, and than any whole number that anybody means."""

Unreadable = Literal["invalid_utf8", "invalid_json", "nested_too_deep", "too_many_values"]


class BadJson(ValueError):
    """A line that is no JSON, or JSON that is not taken. Its text names the place and never quotes the line.

    Attributes:
        kind: which of these it is.
    """

    def __init__(self, kind: Unreadable, message: str) -> None:
        super().__init__(message)
        self.kind: Unreadable = kind


def decode(line: bytes) -> object:
    """Read a line.

    Raises:
        BadJson: it is not UTF-8, no JSON, or more than a line may hold.
    """
    if line.count(b"[") + line.count(b"{") > NESTING_MAX or line.count(b",") + line.count(b":") > VALUES_MAX // 2:
        _check_bounds(line)
    try:
        return _DECODER.decode(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise BadJson("invalid_utf8", f"the line is not UTF-8: byte {error.start} begins no character") from None
    except json.JSONDecodeError as error:
        raise BadJson("invalid_json", f"the line is no JSON: {_reason(error)} at character {error.pos}") from None
    except _Refused as refused:
        raise BadJson("invalid_json", f"the line is refused: {refused}") from None
    except RecursionError:
        raise _too_deep() from None


class _Refused(ValueError):
    """What the grammar of JSON permits, or Python's reader does, and we do not."""


def _check_bounds(line: bytes) -> None:
    """Count what stands outside of texts. All of it is done by C, but for the depth, which `VALUES_MAX` bounds."""
    texts = line.replace(b"\\\\", b"").replace(b'\\"', b"")
    if texts.count(b'"') > 4 * VALUES_MAX:
        raise _too_many()
    outside = b"".join(texts.split(b'"')[::2])
    brackets = outside.translate(None, _NO_BRACKETS)
    if outside.count(b",") + len(brackets) // 2 > VALUES_MAX:
        raise _too_many()
    if max(accumulate(brackets, lambda depth, byte: depth + _STEP[byte], initial=0)) > NESTING_MAX:
        raise _too_deep()


def _too_deep() -> BadJson:
    return BadJson("nested_too_deep", f"lists and objects stand more than {NESTING_MAX} deep in each other")


def _too_many() -> BadJson:
    return BadJson("too_many_values", f"the line holds more than {VALUES_MAX} values; send it in parts")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:  # Any: JSON, as its writer made it
    made = dict(pairs)
    if len(made) != len(pairs):
        raise _Refused("a member stands twice in one object")
    return made


def _finite(text: str) -> float:
    if len(text) > NUMBER_CHARS_MAX:
        raise _Refused(f"a number has more than {NUMBER_CHARS_MAX} characters")
    value = float(text)
    if value in _INFINITE:
        raise _Refused("a number is too large for a double")
    return value


def _whole(text: str) -> int:
    if len(text) > NUMBER_CHARS_MAX:
        raise _Refused(f"a number has more than {NUMBER_CHARS_MAX} characters")
    return int(text)


def _constant(text: str) -> NoReturn:
    raise _Refused(f"{text} is no JSON")


def _reason(error: json.JSONDecodeError) -> str:
    """Say what the reader missed, in its own words: they are about the grammar and quote nothing."""
    return error.msg[:1].lower() + error.msg[1:]


_INFINITE: Final = (float("inf"), float("-inf"))
_NO_BRACKETS: Final = bytes(byte for byte in range(256) if byte not in b"[]{}")
_STEP: Final = {0x5B: 1, 0x7B: 1, 0x5D: -1, 0x7D: -1}
_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_once, parse_constant=_constant, parse_float=_finite, parse_int=_whole
)
