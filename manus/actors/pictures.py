"""Own the reading of pictures' and documents' first bytes: what they are, and how large a picture is.

A few dozen bytes are looked at, whatever they hold: no decoding, no allocation by what a header claims, no loop that
the bytes could make long. Shapes of the formats: PNG (RFC 2083), JPEG (ITU T.81), GIF89a, WebP (RFC 9649).
"""

from __future__ import annotations

import struct

import msgspec

SEGMENTS_MAX = 512
"""Segments of a JPEG that are skipped on the way to its size; cameras write some twenty."""

_PNG = b"\x89PNG\r\n\x1a\n"

_OTHERS: tuple[tuple[bytes, str], ...] = (
    (b"BM", "image/bmp"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"%PDF-", "application/pdf"),
    (b"<svg", "image/svg+xml"),
    (b"<?xml", "image/svg+xml"),
    (b"\x00\x00\x01\x00", "image/x-icon"),
)
_HEIF_BRANDS = {b"avif": "image/avif", b"avis": "image/avif", b"heic": "image/heic", b"heix": "image/heic"}

PDF_WITHIN = 1024
"""Readers accept a PDF whose magic stands within its first so many bytes (ISO 32000-1, annex H)."""


class Picture(msgspec.Struct, frozen=True):
    """What the first bytes show. Sides in pixels, None where they could not be read; nothing here is decoded."""

    media_type: str
    width: int | None = None
    height: int | None = None

    @property
    def longest_side(self) -> int | None:
        """The longer of both sides."""
        return None if self.width is None or self.height is None else max(self.width, self.height)


def picture_of(data: bytes) -> Picture | None:
    """Tell what `data` is; None for what is no picture that is known here."""
    if data.startswith(_PNG):
        return Picture("image/png", *_png_sides(data))
    if data.startswith(b"\xff\xd8\xff"):
        return Picture("image/jpeg", *_jpeg_sides(data))
    if data.startswith((b"GIF87a", b"GIF89a")):
        return Picture("image/gif", *_sides(data, 6, "<HH"))
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return Picture("image/webp", *_webp_sides(data))
    if data[4:8] == b"ftyp" and data[8:12] in _HEIF_BRANDS:
        return Picture(_HEIF_BRANDS[data[8:12]])
    for magic, media_type in _OTHERS:
        if data.startswith(magic):
            return Picture(media_type)
    return None


def is_pdf(data: bytes) -> bool:
    """Whether `data` begins as a PDF does."""
    return b"%PDF-" in data[:PDF_WITHIN]


_Sides = tuple[int | None, int | None]
_UNREAD: _Sides = (None, None)


def _sides(data: bytes, at: int, layout: str) -> _Sides:
    """Read width and height as they stand at an offset; zero is no size."""
    if len(data) < at + struct.calcsize(layout):
        return _UNREAD
    width, height = struct.unpack_from(layout, data, at)
    return (width, height) if width and height else _UNREAD


def _png_sides(data: bytes) -> _Sides:
    return _sides(data, 16, ">II") if data[12:16] == b"IHDR" else _UNREAD


def _jpeg_sides(data: bytes) -> _Sides:
    """Walk from segment to segment to the frame header, which has the sides."""
    at = 2
    for _ in range(SEGMENTS_MAX):
        if len(data) < at + 4 or data[at] != 0xFF:
            return _UNREAD
        marker = data[at + 1]
        if marker == 0xFF:  # fill bytes may stand before a marker
            at += 1
            continue
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:  # these stand alone
            at += 2
            continue
        if marker in (0xD9, 0xDA):  # the picture itself begins, or ends, without a frame
            return _UNREAD
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = _sides(data, at + 5, ">HH")
            return width, height
        (length,) = struct.unpack_from(">H", data, at + 2)
        if length < 2:
            return _UNREAD
        at += 2 + length
    return _UNREAD


def _webp_sides(data: bytes) -> _Sides:
    kind = data[12:16]
    if kind == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":
        width, height = _sides(data, 26, "<HH")
        return (None, None) if width is None or height is None else (width & 0x3FFF, height & 0x3FFF)
    if kind == b"VP8L" and len(data) >= 25 and data[20] == 0x2F:
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8X" and len(data) >= 30:
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    return _UNREAD
