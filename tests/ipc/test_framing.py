"""Bytes become lines whatever the pieces they come in, and a line that is too long costs itself alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manus.ipc.framing import Framer, Oversized, Unfinished

BYTES_MAX = 16


def lines_of(pieces: list[bytes], *, bytes_max: int = BYTES_MAX, end: bool = False) -> list[bytes | str]:
    """Feed pieces and give all that comes, `Oversized` and `Unfinished` by their names."""
    framer = Framer(bytes_max)
    came: list[bytes | str] = []

    def take() -> None:
        while (line := framer.next_line()) is not None:
            came.append(line if isinstance(line, bytes) else type(line).__name__)
            assert framer.held_bytes <= bytes_max + max(map(len, pieces))

    for piece in pieces:
        framer.feed(piece)
        take()
        assert framer.held_bytes <= bytes_max + 1, "between reads no more is held than a line may have"
    if end:
        framer.end()
        take()
    return came


@pytest.mark.parametrize(
    ("sent", "came"),
    [
        (b"a\nb\n", [b"a", b"b"]),
        (b"a\r\nb\r\n", [b"a", b"b"]),
        (b"\n\r\n  \t\na\n\n", [b"a"]),
        (b"a\rb\n", [b"a\rb"]),
        (b"\xff\xfe\n", [b"\xff\xfe"]),
        (b"1234567890123456\n", [b"1234567890123456"]),
        (b"1234567890123456\r\n", [b"1234567890123456"]),
        (b"12345678901234567\na\n", ["Oversized", b"a"]),
        (b"x" * 1000 + b"\na\n", ["Oversized", b"a"]),
        (b"x" * 1000 + b"\n" + b"y" * 1000 + b"\na\n", ["Oversized", "Oversized", b"a"]),
    ],
)
@pytest.mark.parametrize("piece", [1, 2, 7, 16, 17, 5000])
def test_lines_come_whole_in_whatever_pieces_they_were_sent(sent: bytes, came: list[bytes | str], piece: int) -> None:
    pieces = [sent[at : at + piece] for at in range(0, len(sent), piece)]

    assert lines_of(pieces) == came


@given(
    lines=st.lists(st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"").replace(b"\r", b"")), max_size=12),
    cuts=st.lists(st.integers(1, 9), min_size=1, max_size=30),
)
def test_cuts_change_nothing(lines: list[bytes], cuts: list[int]) -> None:
    sent = b"".join(line + b"\n" for line in lines)
    pieces: list[bytes] = []
    at = 0
    while at < len(sent):
        cut = cuts[len(pieces) % len(cuts)]
        pieces.append(sent[at : at + cut])
        at += cut

    expected: list[bytes | str] = []
    for line in lines:
        if len(line) > BYTES_MAX:
            expected.append("Oversized")
        elif line and not line.isspace():
            expected.append(line)
    assert lines_of(pieces or [b""]) == expected


def test_an_oversized_line_is_refused_before_its_end_has_come() -> None:
    framer = Framer(BYTES_MAX)
    framer.feed(b"x" * (BYTES_MAX + 2))

    assert isinstance(framer.next_line(), Oversized)
    assert framer.next_line() is None
    for _ in range(1000):
        framer.feed(b"x" * 65_536)
        assert framer.next_line() is None
        assert framer.held_bytes == 0
    framer.feed(b"x\nnext\n")
    assert framer.next_line() == b"next"


def test_a_line_without_its_end_is_never_given_as_one() -> None:
    assert lines_of([b'a\n{"id":1}'], end=True) == [b"a", "Unfinished"]
    assert lines_of([b"a\n  \r"], end=True) == [b"a"]
    assert lines_of([b"a\n"], end=True) == [b"a"]
    assert lines_of([b"x" * 100], end=True) == ["Oversized"]


def test_the_end_of_the_stream_is_said_once() -> None:
    framer = Framer(BYTES_MAX)
    framer.feed(b"half")
    framer.end()

    assert isinstance(framer.next_line(), Unfinished)
    assert framer.next_line() is None


def test_a_long_line_sent_byte_by_byte_is_searched_once() -> None:
    framer = Framer(1_000_000)
    for _ in range(20_000):
        framer.feed(b"x")
        assert framer.next_line() is None
        assert framer._searched == framer.held_bytes
