"""Own where a response's body ends: after so many bytes, after the last chunk, or with the connection."""

from __future__ import annotations

from typing import Protocol

import httpx

from manus.actors.http1.parser import ResponseParser


class Body(Protocol):
    """A body being received."""

    complete: bool
    """All of it has been received."""
    surplus: bool
    """Bytes came after its end."""

    def feed(self, received: bytes) -> bytes:
        """Give the body bytes in what was received after the head; RemoteProtocolError where it is malformed."""
        ...

    def end(self) -> None:
        """Take note that the peer closed.

        Raises:
            httpx.RemoteProtocolError: the body is cut short.
        """
        ...


class SizedBody:
    """A body of a stated length."""

    __slots__ = ("_length_bytes", "_missing_bytes", "complete", "surplus")

    def __init__(self, length_bytes: int) -> None:
        self._length_bytes = length_bytes
        self._missing_bytes = length_bytes
        self.complete = not length_bytes
        self.surplus = False

    def feed(self, received: bytes) -> bytes:
        """Give the bytes up to the stated length."""
        self._missing_bytes -= len(received)
        if self._missing_bytes > 0:
            return received
        self.complete = True
        if self._missing_bytes == 0:
            return received
        self.surplus = True
        return received[: self._missing_bytes]

    def end(self) -> None:
        """Fail, unless nothing is missing."""
        if not self.complete:
            received = self._length_bytes - self._missing_bytes
            raise httpx.RemoteProtocolError(
                "peer closed connection without sending complete message body "
                f"(received {received} bytes, expected {self._length_bytes})"
            )


class ChunkedBody:
    """A body in chunks, taken apart by the parser that read the head."""

    __slots__ = ("_parser", "complete", "surplus")

    def __init__(self, parser: ResponseParser) -> None:
        self._parser = parser
        self.complete = False
        self.surplus = False

    def feed(self, received: bytes) -> bytes:
        """Give the bytes of the chunks."""
        body = self._parser.feed(received)
        if self._parser.complete:
            self.complete = True
            self.surplus = self._parser.surplus
        return body

    def end(self) -> None:
        """Fail, unless the last chunk was seen."""
        if not self.complete:
            raise httpx.RemoteProtocolError(
                "peer closed connection without sending complete message body (incomplete chunked read)"
            )


class UntilCloseBody:
    """A body that ends when the peer closes, hence the one that cannot tell a cut from an end."""

    __slots__ = ("complete", "surplus")

    def __init__(self) -> None:
        self.complete = False
        self.surplus = False

    def feed(self, received: bytes) -> bytes:
        """Give everything."""
        return received

    def end(self) -> None:
        """Be complete."""
        self.complete = True
