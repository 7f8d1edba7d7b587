"""Pictures and documents by their first bytes: types, sides, and bytes that lie."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manus.actors.pictures import Picture, is_pdf, picture_of


def png(width: int, height: int) -> bytes:
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))


def gif(width: int, height: int) -> bytes:
    return b"GIF89a" + struct.pack("<HH", width, height) + b"\xf7\x00\x00"


def jpeg(width: int, height: int, *, frame: int = 0xC0, before: bytes = b"") -> bytes:
    app = b"\xff\xe0" + struct.pack(">H", 16) + b"JFIF\x00" + bytes(9)
    sof = bytes([0xFF, frame]) + struct.pack(">HBHH", 17, 8, height, width) + bytes(10)
    return b"\xff\xd8" + app + before + sof


def webp(kind: bytes, body: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", 4 + 8 + len(body)) + b"WEBP" + kind + struct.pack("<I", len(body)) + body


def vp8(width: int, height: int) -> bytes:
    return webp(b"VP8 ", bytes(3) + b"\x9d\x01\x2a" + struct.pack("<HH", width, height))


def vp8l(width: int, height: int) -> bytes:
    return webp(b"VP8L", b"\x2f" + ((width - 1) | (height - 1) << 14).to_bytes(4, "little"))


def vp8x(width: int, height: int) -> bytes:
    return webp(b"VP8X", bytes(4) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little"))


THUMBNAIL = b"\xff\xe1" + struct.pack(">H", 2 + 30) + b"Exif" + jpeg(160, 120)[:26]
"""A camera's segment with a smaller picture inside, which is not this picture's size."""


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (png(640, 480), "image/png"),
        (gif(640, 480), "image/gif"),
        (jpeg(640, 480), "image/jpeg"),
        (jpeg(640, 480, frame=0xC2), "image/jpeg"),
        (jpeg(640, 480, before=THUMBNAIL), "image/jpeg"),
        (jpeg(640, 480, before=b"\xff\xff\xff\xd0"), "image/jpeg"),
        (jpeg(640, 480, before=b"\xff\xc4" + struct.pack(">H", 4) + b"\x00\x01"), "image/jpeg"),
        (vp8(640, 480), "image/webp"),
        (vp8l(640, 480), "image/webp"),
        (vp8x(640, 480), "image/webp"),
    ],
    ids=["png", "gif", "jpeg", "progressive", "exif", "fill and restart", "huffman first", "lossy", "lossless", "x"],
)
def test_type_and_sides_are_read_from_the_first_bytes(data: bytes, media_type: str) -> None:
    assert picture_of(data) == Picture(media_type, 640, 480)
    assert picture_of(data + bytes(1000)) == Picture(media_type, 640, 480)


@given(st.integers(1, 16_383), st.integers(1, 16_383))
def test_sides_are_those_that_were_written(width: int, height: int) -> None:
    for make in (png, gif, jpeg, vp8, vp8l, vp8x):
        picture = picture_of(make(width, height))
        assert picture is not None
        assert (picture.width, picture.height) == (width, height)
        assert picture.longest_side == max(width, height)


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (b"BM" + bytes(30), "image/bmp"),
        (b"II*\x00" + bytes(30), "image/tiff"),
        (b"%PDF-1.7", "application/pdf"),
        (b"\x00\x00\x00\x1cftypavif", "image/avif"),
        (b"\x00\x00\x00\x1cftypheic", "image/heic"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"),
    ],
)
def test_what_no_vendor_takes_is_named(data: bytes, media_type: str) -> None:
    assert picture_of(data) == Picture(media_type)


@pytest.mark.parametrize("data", [b"", b"\x89PNG", b"hello", b"RIFF\x00\x00\x00\x00WAVE", b"\xff\xd8", b"GIF90a"])
def test_what_is_no_picture_is_none(data: bytes) -> None:
    assert picture_of(data) is None


WHOLE = [png(640, 480), gif(640, 480), jpeg(640, 480, before=THUMBNAIL), vp8(640, 480), vp8l(640, 480), vp8x(640, 480)]


@pytest.mark.parametrize("data", WHOLE)
def test_a_picture_that_is_cut_off_has_no_size_or_the_right_one(data: bytes) -> None:
    for end in range(len(data)):
        picture = picture_of(data[:end])
        assert picture is None or picture.longest_side in (None, 640)


@given(st.sampled_from(WHOLE), st.binary(max_size=300), st.integers(0, 60))
def test_hostile_bytes_are_read_in_bounded_steps_and_never_raise(head: bytes, tail: bytes, keep: int) -> None:
    picture = picture_of(head[:keep] + tail)
    assert picture is None or picture.width is None or picture.width >= 0


def test_a_picture_of_nothing_but_segments_is_given_up() -> None:
    endless = b"\xff\xd8" + b"\xff\xe0\x00\x02" * 100_000
    assert picture_of(endless) == Picture("image/jpeg")


def test_a_segment_shorter_than_its_own_length_is_given_up() -> None:
    assert picture_of(b"\xff\xd8\xff\xe0\x00\x00" + bytes(20)) == Picture("image/jpeg")


@pytest.mark.parametrize(("data", "verdict"), [(b"%PDF-1.4", True), (b"\n\n%PDF-1.4", True), (b"PDF", False)])
def test_a_pdf_is_known_by_its_magic(data: bytes, verdict: bool) -> None:
    assert is_pdf(data) is verdict
    assert not is_pdf(bytes(2000) + data)
