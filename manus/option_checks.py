"""Own the checks that the value of one option passes: each gives the value as a request holds it, or names the place.

A check is made once for its place (`whole_number("seed", ...)`) and is then called with what a caller handed over,
which may be anything at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from manus.config.did_you_mean import listing, suggestion
from manus.errors import InvalidRequestError
from manus.prompts import clean

NAME_CHARS_MAX: Final = 256

Check = Callable[[object], Any]
"""Any: what passes has the type of the field it is for."""


def number(name: str, most: float, *, positive: bool) -> Callable[[object], float]:
    """Check for a finite number from 0, or above it, to `most`."""
    least = "more than 0" if positive else "0 or more"

    def check(value: object) -> float:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        # Written so that NaN, which compares with nothing, is out of range too.
        if is_number and 0 <= value <= most and not (positive and value == 0):  # type: ignore[operator]
            return float(value)  # type: ignore[arg-type]
        raise InvalidRequestError(f"{name}: expected a number, {least} and at most {most:g}")

    return check


def whole_number(name: str, least: int, most: int) -> Callable[[object], int]:
    """Check for a whole number from `least` to `most`."""

    def check(value: object) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return value
        raise InvalidRequestError(f"{name}: expected a whole number from {least} to {most}")

    return check


def truth(place: str) -> Callable[[object], bool]:
    """Check for True or False."""

    def check(value: object) -> bool:
        if isinstance(value, bool):
            return value
        raise InvalidRequestError(f"{place}: expected True or False; got {type(value).__name__}")

    return check


def printable_name(place: str) -> Callable[[object], str]:
    """Check for a name: some text, not too long, that can be printed."""

    def check(value: object) -> str:
        if isinstance(value, str) and value.strip() and value.isprintable() and len(value) <= NAME_CHARS_MAX:
            return value
        raise InvalidRequestError(f"{place}: expected 1 to {NAME_CHARS_MAX} characters of text")

    return check


def one_of(choices: tuple[str, ...], place: str) -> Callable[[object], Any]:
    """Check for one of `choices`; Any, because what passes has the Literal type they come from."""

    def check(value: object) -> Any:
        if value in choices:
            return str(value)  # an enumeration's member is as good as its name
        hint = suggestion(value, choices) if isinstance(value, str) else ""
        raise InvalidRequestError(f"{place}: expected {listing(choices)}{hint}")

    return check


def names_of(value: object, place: str, most: int) -> tuple[str, ...]:
    """Give a list of texts, of at most `most`, as a tuple."""
    if isinstance(value, str) or not isinstance(value, Sequence) or not all(isinstance(each, str) for each in value):
        raise InvalidRequestError(f"{place}: expected a list of texts")
    if len(value) > most:
        raise InvalidRequestError(f"{place}: {len(value)} of them; at most {most}")
    return tuple(clean(each, f"{place}[{index}]") for index, each in enumerate(value))
