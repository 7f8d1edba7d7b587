"""A line is read as one JSON text and in one way only, within bounds that hold before memory does."""

from __future__ import annotations

import json
import math
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manus.ipc.protocol.json_text import NESTING_MAX, VALUES_MAX, BadJson, decode


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (b'{"a": "\xff"}', "invalid_utf8"),
        (b'{"a": "\xed\xa0\x80"}', "invalid_utf8"),  # a surrogate written as if it were a character
        (b'{"a": "\xf0\x9f"}', "invalid_utf8"),
        (b"\xef\xbb\xbf{}", "invalid_json"),
        (b'{"a"', "invalid_json"),
        (b"{} {}", "invalid_json"),
        (b'{"a": 1,}', "invalid_json"),
        (b'{"a": 01}', "invalid_json"),
        (b'{"a": "\x00"}', "invalid_json"),
        (b'{"a": "\t"}', "invalid_json"),
        (b'{"a": 1, "a": 1}', "invalid_json"),
        (b'{"a": {"b": 1, "c": 2, "b": 3}}', "invalid_json"),
        (b'{"\\u0061": 1, "a": 1}', "invalid_json"),
        (b"NaN", "invalid_json"),
        (b"-Infinity", "invalid_json"),
        (b"1e999", "invalid_json"),
        (b"-1e400", "invalid_json"),
        (b"1" * 401, "invalid_json"),
        (b"1." + b"1" * 400, "invalid_json"),
        (b"[" * (NESTING_MAX + 1) + b"]" * (NESTING_MAX + 1), "nested_too_deep"),
        (b'{"a":' * (NESTING_MAX + 1) + b"1" + b"}" * (NESTING_MAX + 1), "nested_too_deep"),
        (b"[" * 100_000, "nested_too_deep"),
        (b"[" + b"1," * VALUES_MAX + b"1]", "too_many_values"),
        (b"[" + b"[]," * VALUES_MAX + b"1]", "too_many_values"),
        (b"[" + b'"",' * VALUES_MAX + b'""]', "too_many_values"),
        (b'"' * (5 * VALUES_MAX) + b"[" * 300, "too_many_values"),
    ],
    ids=repr,
)
def test_what_is_refused(line: bytes, kind: str) -> None:
    with pytest.raises(BadJson) as refused:
        decode(line)
    assert refused.value.kind == kind
    assert len(str(refused.value)) < 150, "an error does not quote what it is about"


@pytest.mark.parametrize(
    ("line", "value"),
    [
        (b"[" * NESTING_MAX + b"]" * NESTING_MAX, None),
        (b'{"text": "' + b"[" * 300_000 + b'"}', {"text": "[" * 300_000}),
        (b'{"text": "' + b'\\"[{,:\\\\' * 100_000 + b'"}', {"text": '"[{,:\\' * 100_000}),
        (b'"\\ud800"', "\ud800"),
        (b'"\\ud83d\\ude00"', "\U0001f600"),
        (b'"\\u0000"', "\0"),
        (b"9" * 400, int("9" * 400)),
        (b" {} \r", {}),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_is_read(line: bytes, value: object) -> None:
    got = decode(line)
    if value is not None:
        assert got == value


def test_a_line_that_is_refused_for_its_size_costs_little_more_than_itself() -> None:
    line = b"[" + b"[]," * 2_000_000 + b"1]"
    tracemalloc.start()
    try:
        with pytest.raises(BadJson):
            decode(line)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 6 * len(line), "read into lists it would take some thirty times as much"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
@settings(max_examples=150)
def test_whatever_json_says_is_read_as_python_reads_it(value: object) -> None:
    assert decode(json.dumps(value).encode()) == value
    assert decode(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")) is not NotImplemented


@given(st.binary(max_size=200) | st.text(alphabet='[]{}",:\\0123eE-+.ntfu ').map(str.encode))
@settings(max_examples=200)
def test_any_bytes_are_json_or_refused(line: bytes) -> None:
    try:
        value = decode(line)
    except BadJson:
        return
    assert not (isinstance(value, float) and not math.isfinite(value))
    json.dumps(value, allow_nan=False)
