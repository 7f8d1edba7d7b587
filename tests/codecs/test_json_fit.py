"""JSON that does not fit its shape is read as far as it does: what fits holds, the rest is absent."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from manus.actors.codecs.json_fit import TolerantDecoder, fit
from manus.actors.codecs.json_text import NULL

# Any, throughout this file: JSON.


class Inner(msgspec.Struct, rename="camel"):
    some_text: str | None = None
    count: int | None = None


class Shape(msgspec.Struct):
    text: str | None = None
    count: int | None = None
    share: float | None = None
    flag: bool | None = None
    inner: Inner | None = None
    members: list[Inner] | None = None
    words: list[str] | None = None
    raws: list[msgspec.Raw] | None = None
    raw: msgspec.Raw = NULL
    plain: str = "default"


FULL: dict[str, Any] = {
    "text": "a",
    "count": 3,
    "share": 0.5,
    "flag": True,
    "inner": {"someText": "b", "count": 4},
    "members": [{"count": 1}, {"count": 2}],
    "words": ["x", "y"],
    "raws": [{"a": [1, None]}, 2],
    "raw": {"z": 1},
    "plain": "p",
}


def test_what_fits_is_read_as_the_strict_parser_reads_it() -> None:
    data = msgspec.json.encode(FULL)
    assert fit(FULL, Shape) == TolerantDecoder(Shape)(data) == msgspec.json.decode(data, type=Shape)


@pytest.mark.parametrize("name", FULL)
@pytest.mark.parametrize("odd", [None, True, 7, 1.5, "s", [], {}, [None, "s", 1, {}], {"someText": 3, "count": "x"}])
def test_a_member_that_does_not_fit_is_absent_and_the_others_hold(name: str, odd: Any) -> None:
    read = TolerantDecoder(Shape)(msgspec.json.encode({**FULL, name: odd}))
    whole = fit(FULL, Shape)
    assert read is not None
    assert whole is not None
    for other in set(FULL) - {name}:
        assert getattr(read, other) == getattr(whole, other)


def test_members_of_lists_and_structs_are_read_one_by_one() -> None:
    read = fit({"members": [{"count": "x", "someText": "t"}, 3, {"count": 2**70}], "words": ["a", 1, "b"]}, Shape)
    assert read is not None
    assert read.members == [Inner(some_text="t"), Inner()]
    assert read.words == ["a", "b"]


@pytest.mark.parametrize(("value", "count"), [(True, None), (2**63, None), (-(2**63), None), (2**63 - 1, 2**63 - 1)])
def test_numbers_are_whole_and_of_a_size_that_can_be_kept(value: object, count: int | None) -> None:
    assert fit({"count": value}, Inner) == Inner(count=count)


def test_half_characters_stand_until_they_are_joined() -> None:
    read = TolerantDecoder(Shape)(b'{"text":"\\ud83d","raw":["\\ud83d"]}')
    assert read is not None
    assert read.text == "\ud83d"
    assert msgspec.json.decode(read.raw) == ["\ufffd"]


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"7", b"null", b"\xff", b"[" * 100_000, b'{"text":"a"} x'])
def test_what_is_no_object_is_none(data: bytes) -> None:
    assert TolerantDecoder(Shape)(data) is None


def test_a_raw_that_json_has_no_word_for_is_null() -> None:
    read = fit({"raw": float("inf"), "raws": [None, 1]}, Shape)
    assert read is not None
    assert read.raws == [NULL, msgspec.Raw(b"1")]
