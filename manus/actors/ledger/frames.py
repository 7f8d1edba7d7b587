"""Own how records lie in a journal file: length, checksum, payload, one after another, then zeros.

A segment is made full size and zeroed before it is used. So the end of what was written shows by itself, and a
write into it cannot fail for want of space. A process killed in the middle of a write leaves a *torn* last frame,
which is dropped: whoever wrote it was never told that it was kept. Anything else that makes no sense is *damage*.
"""

from __future__ import annotations

import struct
import zlib
from typing import Literal, NamedTuple

_HEAD = struct.Struct("<II")

HEAD_BYTES = _HEAD.size
"""What a frame takes besides its payload."""

FRAME_BYTES_MAX = 32 * 1024
"""No frame is longer: the longest record and its head, with room to spare."""


class Scan(NamedTuple):
    """The payloads of a segment in order, and how it ends."""

    payloads: list[bytes]
    tail: Literal["clean", "torn", "damaged"]


def frame(payload: bytes) -> bytes:
    """Put `payload` into a frame."""
    assert 0 < len(payload) <= FRAME_BYTES_MAX - HEAD_BYTES
    return _HEAD.pack(len(payload), zlib.crc32(payload)) + payload


def scan(segment: bytes) -> Scan:
    """Read every whole frame from the start of `segment` and judge what follows the last one."""
    payloads: list[bytes] = []
    at = 0
    while (payload := _payload_at(segment, at)) is not None:
        payloads.append(payload)
        at += HEAD_BYTES + len(payload)
    rest = segment[at:].rstrip(b"\0")
    if not rest:
        return Scan(payloads, "clean")
    # One frame at most can be under way when a process dies, or be the remains of a write that failed. So there is
    # none after it: records that were kept and cannot be read in their order are damage, however little of it.
    torn = len(rest) <= FRAME_BYTES_MAX and all(_payload_at(rest, place) is None for place in range(1, len(rest)))
    return Scan(payloads, "torn" if torn else "damaged")


def _payload_at(segment: bytes, at: int) -> bytes | None:
    if at + HEAD_BYTES > len(segment):
        return None
    length, checksum = _HEAD.unpack_from(segment, at)
    payload = segment[at + HEAD_BYTES : at + HEAD_BYTES + length]
    if not 0 < length <= FRAME_BYTES_MAX - HEAD_BYTES or len(payload) < length or zlib.crc32(payload) != checksum:
        return None
    return payload
