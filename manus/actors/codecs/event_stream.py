"""Own the framing of `application/vnd.amazon.eventstream`: bytes into checked frames, and frames into bytes.

A frame is a prelude (its length, the length of its headers, a CRC of both), headers, a payload and a CRC of
everything before it, all big-endian. Frames do not align with the pieces in which a body arrives. A frame whose
checksums or lengths are wrong ends the stream: behind it nothing says where the next one begins.
Source: bedrock.md section 5, read 2026-11; the tests compare with AWS's own parser.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from zlib import crc32

HeaderValue = bool | int | bytes | str
"""By wire type: true, false, integers of four sizes, bytes, text, milliseconds since 1970, the bytes of a UUID."""

FrameHeaders = Mapping[str, HeaderValue]
Frame = tuple[FrameHeaders, bytes]
"""Headers and payload."""

FRAME_BYTES_MIN = 16
HEADERS_BYTES_MAX = 128 * 1024
PAYLOAD_BYTES_MAX = 24 * 1024 * 1024

_PRELUDE_BYTES = 12
_CRC_BYTES = 4

_CACHED_MAX = 32
"""Header blocks remembered: a stream has about six, and repeats one of them for every delta."""

_CACHED_BYTES_MAX = 512

_unpack_prelude = struct.Struct(">III").unpack_from
_unpack_crc = struct.Struct(">I").unpack_from
_unpack_length = struct.Struct(">H").unpack_from
_INTEGERS = {2: struct.Struct(">b"), 3: struct.Struct(">h"), 4: struct.Struct(">i"), 5: struct.Struct(">q")}
_INTEGERS[8] = _INTEGERS[5]

_TRUE, _FALSE, _BYTES, _TEXT, _UUID = 0, 1, 6, 7, 9
_UUID_BYTES = 16


class FrameSplitter:
    """Cuts a body into frames, in pieces of any size and with a bound.

    Feeding is linear in the bytes fed, also when a long frame comes one byte at a time.
    """

    __slots__ = ("_bytes_max", "_headers", "_held", "_needed", "fault")

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._held = bytearray()
        self._needed = _PRELUDE_BYTES
        self._headers: dict[bytes, FrameHeaders] = {}
        self.fault: str | None = None
        """What is wrong with the bytes. Nothing more comes after that, and nothing more must be fed."""

    @property
    def held_bytes(self) -> int:
        """How much of an unfinished frame has come."""
        return len(self._held)

    def feed(self, data: bytes) -> list[Frame]:
        """Give the frames that `data` completes, up to a faulty one."""
        if self._held:
            self._held += data
            if len(self._held) < self._needed:
                return []
            data = bytes(self._held)
            self._held.clear()
        frames: list[Frame] = []
        place, end = 0, len(data)
        while True:
            needed = _PRELUDE_BYTES
            if end - place >= needed:
                total, headers_bytes, prelude_crc = _unpack_prelude(data, place)
                if crc32(data[place : place + 8]) != prelude_crc:
                    self.fault = "A frame of the stream is damaged: the checksum of its prelude is wrong."
                    return frames
                if fault := self._fault_of(total, headers_bytes):
                    self.fault = fault
                    return frames
                needed = total
            if end - place < needed:
                self._needed = needed
                self._held += data[place:]
                return frames
            frame = self._frame(data[place : place + total], headers_bytes, prelude_crc)
            if frame is None:
                return frames
            frames.append(frame)
            place += total

    def _fault_of(self, total: int, headers_bytes: int) -> str | None:
        payload_bytes = total - headers_bytes - FRAME_BYTES_MIN
        if payload_bytes < 0:
            return "A frame of the stream is damaged: its lengths contradict each other."
        if total > self._bytes_max:
            return f"A frame of the stream is longer than {self._bytes_max} bytes (event_bytes)."
        if headers_bytes > HEADERS_BYTES_MAX or payload_bytes > PAYLOAD_BYTES_MAX:
            return "A frame of the stream is longer than its format allows."
        return None

    def _frame(self, frame: bytes, headers_bytes: int, prelude_crc: int) -> Frame | None:
        payload_end = len(frame) - _CRC_BYTES
        # The CRC of the first eight bytes is known, so that the rest is only added to it.
        if crc32(frame[8:payload_end], prelude_crc) != _unpack_crc(frame, payload_end)[0]:
            self.fault = "A frame of the stream is damaged: its checksum is wrong."
            return None
        block = frame[_PRELUDE_BYTES : _PRELUDE_BYTES + headers_bytes]
        headers = self._headers.get(block)
        if headers is None:
            headers = _headers_in(block)
            if headers is None:
                self.fault = "A frame of the stream is damaged: its headers cannot be read."
                return None
            if len(block) <= _CACHED_BYTES_MAX and len(self._headers) < _CACHED_MAX:
                self._headers[block] = headers
        return headers, frame[_PRELUDE_BYTES + headers_bytes : payload_end]


def encode_frame(headers: Mapping[str, str], payload: bytes) -> bytes:
    """Write one frame with text headers, the only kind that Bedrock sends."""
    block = b"".join(_text_header(name.encode(), value.encode()) for name, value in headers.items())
    prelude = struct.pack(">II", len(block) + len(payload) + FRAME_BYTES_MIN, len(block))
    frame = b"".join((prelude, struct.pack(">I", crc32(prelude)), block, payload))
    return frame + struct.pack(">I", crc32(frame))


def _text_header(name: bytes, value: bytes) -> bytes:
    return struct.pack(">B", len(name)) + name + struct.pack(">BH", _TEXT, len(value)) + value


def _headers_in(block: bytes) -> dict[str, HeaderValue] | None:
    """Read a block of headers; None where it is no such thing, or names a header twice."""
    headers: dict[str, HeaderValue] = {}
    place = 0
    try:
        while place < len(block):
            name_end = place + 1 + block[place]
            name = block[place + 1 : name_end].decode()
            kind = block[name_end]
            value, place = _value_at(block, name_end + 1, kind)
            if place > len(block) or name in headers:
                return None
            headers[name] = value
    except (IndexError, KeyError, UnicodeDecodeError, struct.error):
        return None
    return headers


def _value_at(block: bytes, place: int, kind: int) -> tuple[HeaderValue, int]:
    """Read the value that begins at `place`; gives it with the place behind it.

    Raises:
        KeyError, struct.error, UnicodeDecodeError: there is no such value.
    """
    if kind in (_TEXT, _BYTES):
        begin = place + 2
        end = begin + _unpack_length(block, place)[0]
        data = block[begin:end]
        return (data.decode() if kind == _TEXT else data), end
    if kind in (_TRUE, _FALSE):
        return kind == _TRUE, place
    if kind == _UUID:
        return block[place : place + _UUID_BYTES], place + _UUID_BYTES
    form = _INTEGERS[kind]
    value: int = form.unpack_from(block, place)[0]
    return value, place + form.size
