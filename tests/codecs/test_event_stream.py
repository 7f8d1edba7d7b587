"""Frames are cut, checked and read as AWS's own parser does it, however the bytes arrive."""

from __future__ import annotations

import struct
from itertools import pairwise
from zlib import crc32

import pytest
from botocore.eventstream import EventStreamBuffer, ParserError
from hypothesis import given, settings
from hypothesis import strategies as st

from manus.actors.codecs.event_stream import Frame, FrameSplitter, encode_frame

BOUND = 1_000_000

EVENT = bytes.fromhex(
    "0000009d00000057b9bbf89f0b3a6576656e742d74797065070011636f6e74656e74426c6f636b44656c74610d3a636f6e74656e742d"
    "747970650700106170706c69636174696f6e2f6a736f6e0d3a6d6573736167652d747970650700056576656e747b22636f6e74656e74"
    "426c6f636b496e646578223a302c2264656c7461223a7b2274657874223a224869227d2c2270223a226162227d8b38b268"
)
EXCEPTION = bytes.fromhex(
    "00000090000000618e91a9b70f3a657863657074696f6e2d747970650700137468726f74746c696e67457863657074696f6e0d3a636f"
    "6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e0d3a6d6573736167652d74797065070009657863657074696f"
    "6e7b226d657373616765223a22546f6f206d616e79207265717565737473227de67f8005"
)
EVENT_READ: Frame = (
    {
        ":event-type": "contentBlockDelta",
        ":content-type": "application/json",
        ":message-type": "event",
    },
    b'{"contentBlockIndex":0,"delta":{"text":"Hi"},"p":"ab"}',
)
EXCEPTION_READ: Frame = (
    {
        ":exception-type": "throttlingException",
        ":content-type": "application/json",
        ":message-type": "exception",
    },
    b'{"message":"Too many requests"}',
)


def cut(pieces: list[bytes], bytes_max: int = BOUND) -> tuple[list[Frame], str | None, int]:
    """Feed pieces as a decoder does: nothing after a fault."""
    splitter = FrameSplitter(bytes_max)
    frames: list[Frame] = []
    for piece in pieces:
        frames.extend(splitter.feed(piece))
        if splitter.fault is not None:
            break
    return frames, splitter.fault, splitter.held_bytes


def framed(block: bytes, payload: bytes) -> bytes:
    """Frame a ready block of headers, whatever it holds; written apart from our own encoder."""
    prelude = struct.pack(">II", 16 + len(block) + len(payload), len(block))
    frame = prelude + struct.pack(">I", crc32(prelude)) + block + payload
    return frame + struct.pack(">I", crc32(frame))


def test_the_published_vectors_are_read_at_every_split() -> None:
    body = EVENT + EXCEPTION
    for place in range(len(body) + 1):
        assert cut([body[:place], body[place:]]) == ([EVENT_READ, EXCEPTION_READ], None, 0)
    assert cut([body[place : place + 1] for place in range(len(body))]) == ([EVENT_READ, EXCEPTION_READ], None, 0)


def test_the_published_vectors_are_written() -> None:
    for (headers, payload), wanted in ((EVENT_READ, EVENT), (EXCEPTION_READ, EXCEPTION)):
        assert encode_frame({name: str(value) for name, value in headers.items()}, payload) == wanted


@pytest.mark.parametrize("place", range(len(EVENT)))
def test_a_flipped_bit_anywhere_is_a_fault_or_waits_for_more(place: int) -> None:
    damaged = bytearray(EVENT)
    damaged[place] ^= 0x10
    frames, fault, held = cut([bytes(damaged), EXCEPTION])
    assert frames == []
    assert fault is not None
    assert "damaged" in fault
    assert held <= len(EVENT) + len(EXCEPTION)


def test_good_frames_before_a_damaged_one_are_given() -> None:
    damaged = EVENT[:-1] + b"\0"
    frames, fault, _ = cut([EVENT + damaged + EVENT])
    assert frames == [EVENT_READ]
    assert fault is not None


def test_a_frame_over_the_bound_is_refused_by_its_prelude_alone() -> None:
    long = framed(b"", b"x" * 5000)
    assert cut([long], bytes_max=5016)[1] is None
    frames, fault, held = cut([long[:12]], bytes_max=5015)
    assert (frames, held) == ([], 0)
    assert fault is not None
    assert "5015 bytes (event_bytes)" in fault


@pytest.mark.parametrize(
    ("total", "headers"), [(0, 0), (15, 0), (16, 1), (100, 85), (2**32 - 1, 0), (200_000, 190_000), (40_000_000, 0)]
)
def test_lengths_that_cannot_be_are_refused(total: int, headers: int) -> None:
    prelude = struct.pack(">II", total, headers)
    frames, fault, held = cut([prelude + struct.pack(">I", crc32(prelude))], bytes_max=50_000_000)
    assert (frames, held) == ([], 0)
    assert fault is not None


@pytest.mark.parametrize(
    "block",
    [
        b"\x01",
        b"\x01a",
        b"\x01a\x0a",
        b"\x01a\x07\x00",
        b"\x01a\x07\x00\x05abcd",
        b"\x01a\x09" + b"u" * 15,
        b"\x01a\x05\x00",
        b"\x01a\x07\x00\x01\xff",
        b"\x01\xff\x00",
        b"\x01a\x00\x01a\x01",
    ],
)
def test_headers_that_cannot_be_read_are_a_fault(block: bytes) -> None:
    frames, fault, _ = cut([framed(block, b"{}")])
    assert frames == []
    assert fault is not None
    assert "headers" in fault


def test_an_unfinished_frame_is_told_from_a_clean_end() -> None:
    assert cut([EVENT])[2] == 0
    assert cut([EVENT, EVENT[:5]])[2] == 5
    assert cut([EVENT[:-1]])[2] == len(EVENT) - 1


def _value_blocks() -> st.SearchStrategy[bytes]:
    def sized(kind: int, form: str, bits: int) -> st.SearchStrategy[bytes]:
        span = st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        return span.map(lambda number: bytes([kind]) + struct.pack(form, number))

    def lengthy(kind: int, data: bytes) -> bytes:
        return bytes([kind]) + struct.pack(">H", len(data)) + data

    return st.one_of(
        st.just(b"\x00"),
        st.just(b"\x01"),
        sized(2, ">b", 8),
        sized(3, ">h", 16),
        sized(4, ">i", 32),
        sized(5, ">q", 64),
        st.binary(max_size=40).map(lambda data: lengthy(6, data)),
        st.text(max_size=20).map(lambda text: lengthy(7, text.encode())),
        sized(8, ">q", 64),
        st.binary(min_size=16, max_size=16).map(lambda data: b"\x09" + data),
    )


NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12).map(str.encode)
BLOCKS = st.dictionaries(NAMES, _value_blocks(), max_size=5).map(
    lambda headers: b"".join(bytes([len(name)]) + name + value for name, value in headers.items())
)
STREAMS = st.lists(st.builds(framed, BLOCKS, st.binary(max_size=120)), max_size=5).map(b"".join)


def oracle(data: bytes) -> tuple[list[Frame], bool]:
    """Read with AWS's parser: the frames, and whether something was wrong behind them."""
    buffer = EventStreamBuffer()
    buffer.add_data(data)
    frames: list[Frame] = []
    try:
        for message in buffer:
            frames.append((message.headers, message.payload))
    except (ParserError, KeyError, UnicodeDecodeError, struct.error):
        return frames, True
    return frames, False


@settings(max_examples=150, deadline=None)
@given(stream=STREAMS, cuts=st.lists(st.integers(0, 1000), max_size=8))
def test_frames_are_those_of_botocore_at_any_split(stream: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(place % (len(stream) + 1) for place in cuts), len(stream)]
    pieces = [stream[begin:end] for begin, end in pairwise(places)]
    wanted = (oracle(stream)[0], None, 0)
    assert cut(pieces) == wanted
    assert cut([stream[place : place + 1] for place in range(len(stream))]) == wanted


@settings(max_examples=150, deadline=None)
@given(stream=STREAMS.filter(bool), place=st.integers(0, 10_000), bit=st.integers(0, 7), shorter=st.integers(0, 40))
def test_what_botocore_refuses_is_a_fault_and_what_it_takes_is_none(
    stream: bytes, place: int, bit: int, shorter: int
) -> None:
    damaged = bytearray(stream)
    damaged[place % len(stream)] ^= 1 << bit
    data = bytes(damaged[: max(1, len(stream) - shorter)])
    frames, refused = oracle(data)
    ours, fault, _ = cut([data])
    assert ours == frames
    assert (fault is not None) == refused


@settings(max_examples=100, deadline=None)
@given(data=st.binary(max_size=300), cuts=st.lists(st.integers(0, 300), max_size=5))
def test_any_bytes_are_frames_or_a_fault_alike_at_all_splits(data: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(place % (len(data) + 1) for place in cuts), len(data)]
    pieces = [data[begin:end] for begin, end in pairwise(places)]
    assert cut(pieces)[:2] == cut([data])[:2]
