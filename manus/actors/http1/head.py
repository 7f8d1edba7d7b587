"""Own a response's head: its grammar, and what it says about the body that follows.

The grammar is one regular expression, the strict one of RFC 9112 without its obsolete forms. It stands
before the parsing libraries, so that both of them see the same language and neither's leniency counts: no
folded lines, no bare CR or LF, no control characters, no space before a colon.
"""

from __future__ import annotations

import re

import httpx
import msgspec

Headers = list[tuple[bytes, bytes]]

_HEAD = re.compile(
    rb"HTTP/1\.[01] [1-9][0-9]{2}(?: [\t\x20-\x7e\x80-\xff]*+)?+\r\n"
    rb"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]++:[\t\x20-\x7e\x80-\xff]*+\r\n)*+\r\n"
)
_BEGINNING = b"HTTP/1."
_DIGITS_MAX = 19
"""A content-length of more digits would not fit 64 bits."""


class HeadReader:
    """Finds the head of the final response in what arrives, and passes over interim ones (1xx)."""

    __slots__ = ("_bytes_max", "_interim_bytes", "_unread")

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._interim_bytes = 0
        self._unread = bytearray()

    @property
    def begun(self) -> bool:
        """Whether any byte of an answer has come."""
        return bool(self._unread) or self._interim_bytes > 0

    def feed(self, received: bytes) -> tuple[bytes, bytes] | None:
        """Give (the head with its empty line, the first bytes of the body) once the head is complete.

        Raises:
            httpx.RemoteProtocolError: what arrives is not HTTP/1.x, breaks the grammar, is longer than the
                bound, or switches protocols, which nobody asked for.
        """
        looked_at = max(0, len(self._unread) - 3)
        if self._unread:
            self._unread += received
            received = bytes(self._unread) if b"\r\n\r\n" in self._unread[looked_at:] else b""
        else:
            looked_at = 0
        while received:
            end = received.find(b"\r\n\r\n", looked_at) + 4
            if end < 4:
                break
            looked_at = 0
            block = received[:end]
            received = received[end:]
            self._unread.clear()
            self._check(block)
            if block[9:10] != b"1":
                return block, received
            if block[9:12] == b"101":
                raise httpx.RemoteProtocolError("the server switched protocols, which nobody asked for")
            self._interim_bytes += end
        if received:
            self._unread[:] = received
        if not _BEGINNING.startswith(self._unread[: len(_BEGINNING)]):
            raise httpx.RemoteProtocolError("the server does not speak HTTP/1.x")
        if self._interim_bytes + len(self._unread) > self._bytes_max:
            raise self._too_long()
        return None

    def _check(self, block: bytes) -> None:
        if self._interim_bytes + len(block) > self._bytes_max:
            raise self._too_long()
        if not _HEAD.fullmatch(block):
            raise httpx.RemoteProtocolError("the response's status line or headers are malformed")

    def _too_long(self) -> httpx.RemoteProtocolError:
        return httpx.RemoteProtocolError(
            f"the response's headers are longer than {self._bytes_max} bytes (header_bytes)"
        )


class Framing(msgspec.Struct, frozen=True, gc=False):
    """What a head says about its body and its connection.

    Args:
        length_bytes: the body's length; None for chunked and until-close bodies.
        chunked: the body comes in chunks.
        keep_alive: the connection may serve another exchange.
        content_encoding: what the body is encoded with, in lower case; empty for nothing.
    """

    length_bytes: int | None
    chunked: bool
    keep_alive: bool
    content_encoding: bytes


def framing_of(method: str, status: int, http_minor: int, headers: Headers) -> Framing:
    """Decide how the body ends, as RFC 9112 section 6.3 does, refusing what two readers could read differently.

    Raises:
        httpx.RemoteProtocolError: a content-length that is no number or comes twice, any transfer-encoding but
            `chunked`, one in HTTP/1.0, or both headers together.
    """
    length: bytes | None = None
    coding: bytes | None = None
    close = False
    content_encoding = b""
    for name, value in headers:
        match name.lower():
            case b"content-length":
                if length is not None or not value.isdigit() or len(value) > _DIGITS_MAX:
                    raise httpx.RemoteProtocolError("the response's content-length is no number, or comes twice")
                length = value
            case b"transfer-encoding":
                if coding is not None or value.lower() != b"chunked":
                    raise httpx.RemoteProtocolError("the response's transfer-encoding is not simply chunked")
                coding = value
            case b"connection":
                options = [option.strip() for option in value.lower().split(b",")]
                close = close or b"close" in options
            case b"content-encoding":
                content_encoding = value.lower()
            case _:
                pass
    if coding is not None and (length is not None or http_minor == 0):
        raise httpx.RemoteProtocolError("the response has a transfer-encoding where it cannot be trusted")
    # HTTP/1.0 servers that mean it say keep-alive, but old proxies pass that word on without meaning it.
    keep_alive = http_minor == 1 and not close
    if method == "HEAD" or status in (204, 304):
        return Framing(0, chunked=False, keep_alive=keep_alive, content_encoding=b"")
    if coding is not None:
        return Framing(None, chunked=True, keep_alive=keep_alive, content_encoding=content_encoding)
    if length is not None:
        return Framing(int(length), chunked=False, keep_alive=keep_alive, content_encoding=content_encoding)
    return Framing(None, chunked=False, keep_alive=False, content_encoding=content_encoding)
