"""Own undoing a content encoding that nobody asked for: gzip and deflate, within a bound."""

from __future__ import annotations

import zlib

import httpx

_GZIP = 16 + zlib.MAX_WBITS
_ZLIB = zlib.MAX_WBITS
_RAW_DEFLATE = -zlib.MAX_WBITS
_ZLIB_HEADER_BYTES = 2


class ContentDecoder:
    """Decodes one body. A bomb is defused by the bound: what one piece may become is limited.

    Raises (from every method):
        httpx.DecodingError: the bytes are not what the header says, or were cut short.
    """

    __slots__ = ("_bytes_max", "_first_bytes", "_inflate", "_may_be_raw")

    def __init__(self, encoding: bytes, bytes_max: int | None) -> None:
        self._bytes_max = 0 if bytes_max is None else bytes_max + 1
        self._first_bytes = b""
        # RFC 9110 calls zlib's format "deflate"; some servers send the bare algorithm under that name.
        self._may_be_raw = encoding == b"deflate"
        self._inflate = zlib.decompressobj(_ZLIB if self._may_be_raw else _GZIP)

    def decode(self, encoded: bytes) -> bytes:
        """Give what these bytes decode to, at most one byte more than the bound."""
        if len(self._first_bytes) < _ZLIB_HEADER_BYTES:
            encoded = self._first_bytes + encoded
            self._first_bytes = encoded[:_ZLIB_HEADER_BYTES]
            if len(encoded) < _ZLIB_HEADER_BYTES:
                return b""
            if self._may_be_raw and not _is_zlib_header(encoded):
                self._inflate = zlib.decompressobj(_RAW_DEFLATE)
        try:
            return self._inflate.decompress(encoded, self._bytes_max)
        except zlib.error as error:
            raise httpx.DecodingError("the response's body is not encoded as its content-encoding says") from error

    def end(self) -> None:
        """Check that the body was whole; an empty one is."""
        if self._first_bytes and not self._inflate.eof:
            raise httpx.DecodingError("the response's encoded body ends in the middle")


def _is_zlib_header(first: bytes) -> bool:
    """Check the two bytes as RFC 1950 does: the method, and a remainder that is no accident."""
    return first[0] & 0x0F == 8 and (first[0] * 256 + first[1]) % 31 == 0


def decoder_for(encoding: bytes, bytes_max: int | None) -> ContentDecoder | None:
    """Give the decoder for a content-encoding; None where there is nothing to undo.

    Raises:
        httpx.DecodingError: an encoding that we did not ask for and cannot undo.
    """
    if encoding in (b"", b"identity"):
        return None
    if encoding in (b"gzip", b"x-gzip", b"deflate"):
        return ContentDecoder(encoding, bytes_max)
    raise httpx.DecodingError("the response has a content-encoding that was not asked for and is not gzip or deflate")
