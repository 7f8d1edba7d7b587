"""JSON that the fast parser refuses is read all the same, and what is kept of it is always JSON again."""

from __future__ import annotations

import json

import msgspec
import pytest

from manus.actors.codecs.json_text import NESTING_MAX, NULL, dump, keep_raw, load_tolerant


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
def test_numbers_without_a_value_are_null_and_what_is_kept_is_json(number: str) -> None:
    text = f'{{"a":[{number},1.5]}}'

    assert load_tolerant(text) == {"a": [None, 1.5]}
    assert json.loads(bytes(keep_raw(msgspec.Raw(text.encode())))) == {"a": [None, 1.5]}


def test_half_a_character_is_replaced_in_what_is_kept() -> None:
    assert json.loads(bytes(keep_raw(msgspec.Raw(b'["\\ud83d"]')))) == ["\ufffd"]


@pytest.mark.parametrize("text", [b"[", b"", b"x", b"[" * 5000, b"9" * 5000])
def test_what_is_no_json_is_kept_as_null(text: bytes) -> None:
    assert keep_raw(msgspec.Raw(text)) == NULL


def test_a_number_without_a_value_is_never_written() -> None:
    with pytest.raises(ValueError, match="JSON"):
        dump({"a": float("nan")})


def test_json_is_kept_up_to_a_depth_that_every_parser_reads() -> None:
    for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
        deep = opening * NESTING_MAX + b"1" + closing * NESTING_MAX
        wide = b"[" + b",".join([b"[]"] * 2 * NESTING_MAX) + b"]"

        assert bytes(keep_raw(msgspec.Raw(deep))) == deep
        assert bytes(keep_raw(msgspec.Raw(wide))) == wide
        assert keep_raw(msgspec.Raw(opening + deep + closing)) == NULL
