"""Own the reading of JSON into typed shapes when the strict parser refused it: what fits holds, the rest is absent.

The typed parser is fast and strict: one lone surrogate, one number where text belongs, and all of an event is lost.
Such an event is parsed again tolerantly and put into the same shape here, field by field. The shapes are the
codecs' own: structs whose fields are text, numbers, flags, other structs, lists of those, or JSON left unread.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Generic, TypeVar, Union, get_args, get_origin

import msgspec

from manus.actors.codecs.json_text import MALFORMED_ERRORS, NULL, dump, load_tolerant

# Any, throughout this file: values are JSON of a foreign hand, and each is checked before it is used.

_Shape = TypeVar("_Shape", bound=msgspec.Struct)

_Reader = Callable[[Any], Any]
"""Gives what a value is read as; None, or JSON's null, where it does not fit."""

_INTEGER_MAX = 2**63


def fit(value: Any, shape: type[_Shape]) -> _Shape | None:
    """Read parsed JSON as `shape`, whose every field must have a default; None where it is no object."""
    if not isinstance(value, dict):
        return None
    fields: dict[str, Any] = {}
    for name, encoded_name, read in _readers(shape):
        if encoded_name in value:
            fitted = read(value[encoded_name])
            if fitted is not None:
                fields[name] = fitted
    return shape(**fields)


class TolerantDecoder(Generic[_Shape]):
    """Reads JSON as one shape: strictly where it fits, and else as far as it does."""

    __slots__ = ("_shape", "_strict")

    def __init__(self, shape: type[_Shape]) -> None:
        self._shape = shape
        self._strict = msgspec.json.Decoder(shape).decode

    def __call__(self, data: bytes | msgspec.Raw) -> _Shape | None:
        """Give what `data` says; None where it is no JSON, or no object. Never raises."""
        try:
            return self._strict(data)
        except MALFORMED_ERRORS:
            pass
        try:
            return fit(load_tolerant(bytes(data)), self._shape)
        except MALFORMED_ERRORS:
            return None


@lru_cache(maxsize=128)
def _readers(shape: type[msgspec.Struct]) -> tuple[tuple[str, str, _Reader], ...]:
    return tuple((field.name, field.encode_name, _reader(field.type)) for field in msgspec.structs.fields(shape))


def _reader(kind: Any) -> _Reader:
    if get_origin(kind) in (Union, types.UnionType):
        (kind,) = (choice for choice in get_args(kind) if choice is not type(None))
    if get_origin(kind) is list:
        (item,) = get_args(kind)
        return _ListReader(_reader(item))
    if kind is msgspec.Raw:
        return _raw
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _StructReader(kind)
    return _SCALARS[kind]


class _ListReader:
    __slots__ = ("_item",)

    def __init__(self, item: _Reader) -> None:
        self._item = item

    def __call__(self, value: Any) -> list[Any] | None:
        if not isinstance(value, list):
            return None
        return [fitted for fitted in map(self._item, value) if fitted is not None]


class _StructReader:
    __slots__ = ("_shape",)

    def __init__(self, shape: type[msgspec.Struct]) -> None:
        self._shape = shape

    def __call__(self, value: Any) -> msgspec.Struct | None:
        return fit(value, self._shape)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _integer(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if abs(value) < _INTEGER_MAX else None


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:  # an integer of hundreds of digits
        return None


def _raw(value: Any) -> msgspec.Raw:
    if value is None:
        return NULL
    try:
        return msgspec.Raw(dump(value).encode())
    except MALFORMED_ERRORS:
        return NULL


_SCALARS: dict[Any, _Reader] = {str: _text, int: _integer, bool: _flag, float: _number}
