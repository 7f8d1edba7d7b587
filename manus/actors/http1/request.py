"""Own the bytes of a request: its head checked against the grammar, its body framed."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterable

import httpx
import msgspec

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_VALUE = rb"(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?"
_HEAD = re.compile(_TOKEN + rb" [\x21-\x7e\x80-\xff]++ HTTP/1\.1\r\n(?:" + _TOKEN + rb": " + _VALUE + rb"\r\n)++\r\n")

JOINED_BYTES_MAX = 64 * 1024
"""Up to here head and body leave in one piece, one system call; above, copying the body costs more than that."""

_MEANINGFUL = frozenset((b"host", b"content-length", b"transfer-encoding", b"connection", b"accept-encoding"))
_IDEMPOTENT = frozenset(("GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"))
"""RFC 9110, section 9.2.2."""


class WireRequest(msgspec.Struct, frozen=True, gc=False):
    """A request as it leaves.

    Args:
        method: decides whether the response has a body.
        pieces: what is sent, in order; one or two pieces.
        keep_alive: False where the request itself asks to close the connection.
        idempotent: doing it twice is doing it once.
    """

    method: str
    pieces: tuple[bytes, ...]
    keep_alive: bool
    idempotent: bool


async def encode(request: httpx.Request, *, body_bytes_max: int) -> WireRequest:
    """Write `request` as HTTP/1.1, asking for identity encoding where it does not say.

    No checkpoint for a request built from bytes; a streamed body is read into memory first, up to the bound.

    Raises:
        httpx.LocalProtocolError: the request cannot be written: an illegal name or value, no host, a length that
            is not the body's, a body above the bound. The message quotes no value: it may be a key.
    """
    content = request.stream
    body = b"".join(content) if isinstance(content, httpx.ByteStream) else await _read(content, body_bytes_max)
    if len(body) > body_bytes_max:
        raise _oversized(body_bytes_max)
    headers = request.headers.raw
    lines = [b"%b %b HTTP/1.1" % (request.method.encode("ascii", "replace"), request.url.raw_path)]
    keep_alive = True
    chunked = hosted = sized = encoding_named = False
    for name, value in headers:
        lines.append(b"%b: %b" % (name, value))
        kind = name.lower()
        if kind not in _MEANINGFUL:
            continue
        match kind:
            case b"host":
                hosted = True
            case b"content-length":
                sized = True
                if value != b"%d" % len(body):
                    raise httpx.LocalProtocolError("the request's content-length is not the length of its body")
            case b"transfer-encoding":
                chunked = True
                if value.lower() != b"chunked":
                    raise httpx.LocalProtocolError("the only transfer-encoding a request can have is chunked")
            case b"connection":
                keep_alive = b"close" not in value.lower()
            case _:
                encoding_named = True
    if not hosted:
        raise httpx.LocalProtocolError("the request has no host header")
    if sized and chunked:
        raise httpx.LocalProtocolError("the request has both a content-length and a transfer-encoding")
    if body and not sized and not chunked:
        raise httpx.LocalProtocolError("the request has a body and no header that says how long it is")
    if not encoding_named:
        lines.append(b"accept-encoding: identity")
    head = b"\r\n".join((*lines, b"", b""))
    # A value with a line break in it makes a well-formed head, of more lines than were meant.
    if head.count(b"\n") != len(lines) + 1 or not _HEAD.fullmatch(head):
        raise httpx.LocalProtocolError("the request has an illegal method, target, header name or header value")
    if chunked:
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
    joined = not body or len(body) <= JOINED_BYTES_MAX
    return WireRequest(
        method=request.method,
        pieces=(head + body,) if joined else (head, body),
        keep_alive=keep_alive,
        idempotent=request.method in _IDEMPOTENT,
    )


async def _read(content: object, body_bytes_max: int) -> bytes:
    if not isinstance(content, AsyncIterable):
        raise httpx.LocalProtocolError("the request's body can only be read synchronously")
    body = bytearray()
    parts = aiter(content)
    try:
        async for part in parts:
            body += part
            if len(body) > body_bytes_max:
                raise _oversized(body_bytes_max)
    finally:
        # A generator that is not run to its end has to be closed by whoever leaves it.
        if isinstance(parts, AsyncGenerator):
            await parts.aclose()
    return bytes(body)


def _oversized(body_bytes_max: int) -> httpx.LocalProtocolError:
    return httpx.LocalProtocolError(f"the request's body has more than {body_bytes_max} bytes (request_bytes)")
