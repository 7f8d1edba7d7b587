"""The scan for lines: every path of a valid TOML text has the line where it first stands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import tomli
from hypothesis import given
from hypothesis import strategies as st

from manus.config.lines import line_of, lines_of
from manus.config.problems import child_path

TEXT = '''\
# a comment with [brackets] = "and" a quote: "
title = "t" # trailing ]
[general]
long = """
[not.a.table]
x = 1
"""
literal = \'\'\'
y = 2\'\'\'
a.b.c = 1
"quoted key" = { x = 1, 'y' = [1, 2] }

[providers."open.ai"]
models = [
    { name = "a # no comment", cost = 5 },  # a comment, with a }
    # another
    { name = 'b',
      cost = 4 },
]
[[queues]]
a = 1
[[queues]]
a = [1, [2,
 3]]
[queues.sub]
b = 1979-05-27T07:32:00Z
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("title", 2),
        ("general", 3),
        ("general.long", 4),
        ("general.literal", 8),
        ("general.a.b.c", 10),
        ('general."quoted key"', 11),
        ('general."quoted key".y[1]', 11),
        ('providers."open.ai"', 13),
        ('providers."open.ai".models[0].cost', 15),
        ('providers."open.ai".models[1]', 17),
        ('providers."open.ai".models[1].cost', 18),
        ("queues[0].a", 21),
        ("queues[1]", 22),
        ("queues[1].a[1][1]", 24),
        ("queues[1].sub.b", 26),
    ],
)
def test_each_path_has_the_line_where_it_begins(path: str, line: int) -> None:
    assert lines_of(TEXT)[path] == line
    assert lines_of(TEXT.replace("\n", "\r\n"))[path] == line


def test_a_path_without_a_line_has_that_of_what_is_around_it() -> None:
    lines = lines_of(TEXT)
    assert line_of("general.nowhere.deeper[3]", lines) == 3
    assert line_of("nowhere", lines) is None


def test_nesting_without_end_stops_the_scan_and_keeps_what_came_before() -> None:
    lines = lines_of("a = 1\nb = " + "[" * 100 + "]" * 100 + "\nc = 1\n")
    assert lines["a"] == 1
    assert "c" not in lines


keys = st.text(alphabet=st.sampled_from("ab-_9 .\"'é#=["), min_size=1, max_size=4)
scalars = st.one_of(st.integers(), st.booleans(), st.text(max_size=8), st.floats(allow_nan=False))
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3), max_leaves=8
)


@given(st.dictionaries(keys, values, max_size=5))
def test_every_path_of_any_document_is_found_on_its_line(document: dict[str, Any]) -> None:
    """Written one top-level key a line, every path below it stands on that line."""
    text = "".join(f"{_key(key)} = {_value(value)}\n" for key, value in document.items())
    assert tomli.loads(text) == document

    lines = lines_of(text)

    for number, (key, value) in enumerate(document.items(), start=1):
        for path in _paths(child_path("", key), value):
            assert lines[path] == number


def _paths(path: str, value: object) -> Iterator[str]:
    yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _paths(child_path(path, key), item)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _paths(f"{path}[{index}]", item)


def _key(text: str) -> str:
    return '"' + "".join(f"\\u{ord(char):04x}" for char in text) + '"'


def _value(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return repr(value)
        case str():
            return '"' + "".join(f"\\U{ord(char):08x}" for char in value) + '"'
        case list():
            return f"[{', '.join(map(_value, value))}]"
        case dict():
            return "{" + ", ".join(f"{_key(key)} = {_value(item)}" for key, item in value.items()) + "}"
        case _:
            raise AssertionError(value)
