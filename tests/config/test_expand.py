"""Expansion of environment variables, as in the shell, once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manus.config.expand import expand

ENVIRON = {"A": "1", "EMPTY": "", "NESTED": "${A}"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("plain $A {A} $", "plain $A {A} $"),
        ("${A}", "1"),
        ("x${A}y${A}", "x1y1"),
        ("${NOPE:-d}", "d"),
        ("${NOPE:-}", ""),
        ("${NOPE:-http://h:1/p}", "http://h:1/p"),
        ("${EMPTY:-d}", "d"),
        ("${A:-d}", "1"),
        ("${EMPTY}", ""),
        ("$${A}", "${A}"),
        ("${NESTED}", "${A}"),
    ],
)
def test_variables_are_filled_in(text: str, expected: str) -> None:
    result = expand(text, ENVIRON)
    assert result.text == expected
    assert result.missing == ()
    assert not result.malformed


def test_missing_variables_are_named() -> None:
    result = expand("${B}${A}${C}", ENVIRON)
    assert result.missing == ("B", "C")
    assert result.variables == ("B", "A", "C")


@pytest.mark.parametrize("text", ["${", "${}", "${A", "${1A}", "${A-B}", "${A:+x}", "${A:-${B}}", "${ A }"])
def test_what_begins_no_variable_is_malformed(text: str) -> None:
    assert expand(text, ENVIRON).malformed


@given(st.text(alphabet=st.sampled_from("${}:-Aé\n1"), max_size=20))
def test_any_text_expands_to_something(text: str) -> None:
    result = expand(text, ENVIRON)
    if "${" not in text:
        assert result.text == text
    else:
        assert result.malformed or result.variables or "$${" in text
