"""Framing of server-sent events: line ends, marks, comments and bounds, at every split."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manus.actors.codecs.lines import LineBuffer
from manus.actors.codecs.sse import COMMENT, SseSplitter

BOUND = 1000

CASES = {
    "LF": (b"data: a\n\ndata: b\n\n", [(b"", b"a"), (b"", b"b")]),
    "CRLF": (b"data: a\r\n\r\ndata: b\r\n\r\n", [(b"", b"a"), (b"", b"b")]),
    "CR": (b"data: a\r\rdata: b\r\r", [(b"", b"a"), (b"", b"b")]),
    "mixed line ends": (b"data: a\r\n\ndata: b\n\r\ndata: c\r\r\n", [(b"", b"a"), (b"", b"b"), (b"", b"c")]),
    "byte order mark": (b"\xef\xbb\xbfdata: a\n\n", [(b"", b"a")]),
    "half a byte order mark": (b"\xef\xbbdata: a\n\ndata: b\n\n", [(b"", b"b")]),
    "several data lines": (b"data: a\ndata: b\n\n", [(b"", b"a\nb")]),
    "no blank after the colon": (b"data:a\n\n", [(b"", b"a")]),
    "only one blank is cut": (b"data:  a\n\n", [(b"", b" a")]),
    "comments": (b": hello\ndata: a\n:\n\n", [(COMMENT, b""), (COMMENT, b""), (b"", b"a")]),
    "event name": (b"event: error\ndata: a\n\ndata: b\n\n", [(b"error", b"a"), (b"", b"b")]),
    "event without data": (b"event: ping\n\ndata: a\n\n", [(b"", b"a")]),
    "data without colon": (b"data\n\ndata: a\n\n", [(b"", b"a")]),
    "empty data": (b"data:\n\ndata: \n\ndata: a\n\n", [(b"", b"a")]),
    "other fields": (b"id: 7\nretry: 10\nfoo: x\ndata: a\n\n", [(b"", b"a")]),
    "blank lines between": (b"\n\n\ndata: a\n\n\n\n", [(b"", b"a")]),
    "line separators inside": (
        "data: a\u2028b\u0085c\x0bd\x0ce\x1cf\n\n".encode(),
        [(b"", "a\u2028b\u0085c\x0bd\x0ce\x1cf".encode())],
    ),
    "UTF-8": ("data: é😀\n\n".encode(), [(b"", "é😀".encode())]),
    "NUL": (b"data: a\0b\n\n", [(b"", b"a\0b")]),
    "no blank line at the end": (b"data: a\n", [(b"", b"a")]),
    "no line end at the end": (b"data: a", [(b"", b"a")]),
    "nothing": (b"", []),
}


@pytest.mark.parametrize(("body", "items"), CASES.values(), ids=CASES.keys())
@pytest.mark.parametrize("size", [1, 2, 3, 10**6])
def test_events_come_out_whatever_the_pieces(body: bytes, items: list[tuple[bytes, bytes]], size: int) -> None:
    splitter = SseSplitter(BOUND)
    given_items = []
    for place in range(0, len(body), size):
        given_items += splitter.feed(body[place : place + size])
    given_items += splitter.finish()

    assert given_items == items
    assert not splitter.overflowed


@given(
    body=st.text(alphabet="da:t \r\n\ufeffe", max_size=60).map(str.encode),
    cuts=st.lists(st.integers(0, 60), max_size=6),
)
def test_every_split_gives_the_same_events(body: bytes, cuts: list[int]) -> None:
    whole, parts = SseSplitter(20), SseSplitter(20)
    expected = whole.feed(body)
    got: list[tuple[bytes, bytes]] = []
    edges = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    for start, end in itertools.pairwise(edges):
        if not parts.overflowed:
            got += parts.feed(body[start:end])

    assert parts.overflowed == whole.overflowed
    assert got == expected
    if not whole.overflowed:
        assert parts.finish() == whole.finish()


@pytest.mark.parametrize("size", [1, 7, 10**6])
@pytest.mark.parametrize(
    "long", [b"data: " + b"x" * BOUND + b"x", b"data: " + b"\ndata: ".join([b"x" * 100] * 11), b"x" * (BOUND + 1)]
)
def test_an_event_over_the_bound_stops_the_stream_and_earlier_ones_hold(long: bytes, size: int) -> None:
    body = b"data: a\n\n" + long + b"\n\ndata: b\n\n"
    splitter = SseSplitter(BOUND)
    items = []
    for place in range(0, len(body), size):
        items += splitter.feed(body[place : place + size])
        if splitter.overflowed:
            break

    assert splitter.overflowed
    assert items == [(b"", b"a")]


def test_a_long_line_in_single_bytes_takes_linear_work() -> None:
    """A buffer that is joined again for every byte would copy 10**11 bytes here, and not end."""
    buffer = LineBuffer(2**20)
    copied = 0
    for _ in range(2**19):
        copied += len(buffer.feed(b"x"))

    assert copied == 0
    assert buffer.feed(b"\n") == [b"x" * 2**19]
    assert buffer.rest() == b""


def test_a_megabyte_line_passes() -> None:
    body = b"data: " + b"x" * 2**20 + b"\n\n"
    splitter = SseSplitter(2**21)

    items = [item for place in range(0, len(body), 4096) for item in splitter.feed(body[place : place + 4096])]

    assert items == [(b"", b"x" * 2**20)]
