"""Own the taking apart of whole bodies into their events, and the putting together of others from them.

It reads tidy bodies only, those that vendors send and the tests write; the decoders have parsers of their own, and
these here are kept apart from them on purpose.
"""

from __future__ import annotations

import struct
from typing import Literal, NamedTuple
from zlib import crc32

Form = Literal["sse", "lines", "frames", "document"]


class Item(NamedTuple):
    """One event: the name that its framing gives it (empty where it gives none) and what it carries."""

    name: str
    payload: bytes


def form_of(body: bytes) -> Form:
    """Tell how a tidy body is framed."""
    if body[:1] in (b"\x00", b"\x01"):
        return "frames"
    if body.lstrip()[:1] not in (b"{", b"[", b"<"):
        return "sse"
    return "lines" if b"}\n{" in body else "document"


def items_of(body: bytes) -> list[Item]:
    """Take a body apart. Comments and blank lines are lost."""
    match form_of(body):
        case "sse":
            return _events(body)
        case "frames":
            return _frames(body)
        case "lines":
            return [Item("", line) for line in body.split(b"\n") if line]
        case "document":
            return [Item("", body)]


def body_of(form: Form, items: list[Item]) -> bytes:
    """Put a body together."""
    match form:
        case "sse":
            return b"".join(event(item) for item in items)
        case "frames":
            return b"".join(frame(item) for item in items)
        case "lines":
            return b"".join(item.payload + b"\n" for item in items)
        case "document":
            return b"".join(item.payload for item in items)


def event(item: Item) -> bytes:
    """Write one server-sent event."""
    name = b"event: %b\n" % item.name.encode() if item.name else b""
    return name + b"".join(b"data: %b\n" % line for line in item.payload.split(b"\n")) + b"\n"


def frame(item: Item, *, kind: str = "event") -> bytes:
    """Write one frame of Amazon's event stream; an item named `!X` is the exception X."""
    if item.name.startswith("!"):
        kind = "exception"
    name = item.name.lstrip("!")
    headers = {f":{kind}-type": name, ":content-type": "application/json", ":message-type": kind}
    block = b"".join(
        struct.pack(">B", len(key)) + key.encode() + struct.pack(">BH", 7, len(value)) + value.encode()
        for key, value in headers.items()
    )
    prelude = struct.pack(">II", 16 + len(block) + len(item.payload), len(block))
    whole = prelude + struct.pack(">I", crc32(prelude)) + block + item.payload
    return whole + struct.pack(">I", crc32(whole))


def _events(body: bytes) -> list[Item]:
    items = []
    text = body.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    for block in text.split(b"\n\n"):
        fields = [line.partition(b":") for line in block.split(b"\n")]
        data = [value.removeprefix(b" ") for name, _, value in fields if name == b"data"]
        names = [value.removeprefix(b" ") for name, _, value in fields if name == b"event"]
        if data:
            items.append(Item(names[-1].decode() if names else "", b"\n".join(data)))
    return items


def _frames(body: bytes) -> list[Item]:
    items = []
    place = 0
    while place < len(body):
        total, headers_bytes = struct.unpack_from(">II", body, place)
        block = body[place + 12 : place + 12 + headers_bytes]
        payload = body[place + 12 + headers_bytes : place + total - 4]
        headers = _text_headers(block)
        mark = "!" if headers.get(":message-type") == "exception" else ""
        name = headers.get(":event-type") or headers.get(":exception-type") or ""
        items.append(Item(mark + name, payload))
        place += total
    return items


def _text_headers(block: bytes) -> dict[str, str]:
    headers = {}
    place = 0
    while place < len(block):
        name_end = place + 1 + block[place]
        assert block[name_end] == 7, "only text headers are known here"
        (size,) = struct.unpack_from(">H", block, name_end + 1)
        end = name_end + 3 + size
        headers[block[place + 1 : name_end].decode()] = block[name_end + 3 : end].decode()
        place = end
    return headers
