"""Own the parsing of responses by h11, the fallback that is pure Python."""

from __future__ import annotations

import h11
import httpx

from manus.actors.http1.head import Headers

_LINE_BYTES_MAX = 64 * 1024
"""A chunk's size line or the trailers; the head's own bound has been applied before."""


class H11Parser:
    """One response; see `ResponseParser`."""

    __slots__ = ("_connection", "complete", "headers", "surplus")

    def __init__(self, method: str, head: bytes) -> None:
        self.headers: Headers = []
        self.complete = False
        self.surplus = False
        self._connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=len(head) + _LINE_BYTES_MAX)
        # h11 wants to have seen the request that is being answered; only its method matters.
        self._connection.send(h11.Request(method=method, target="/", headers=[("host", "any")]))
        self._connection.send(h11.EndOfMessage())
        self._connection.receive_data(head)
        event = self._next_event()
        if not isinstance(event, h11.Response):
            raise httpx.RemoteProtocolError("the response is malformed")
        self.headers = event.headers.raw_items()
        if len(self.headers) != head.count(b"\r\n") - 2:
            # h11 makes one of several equal content-lengths; we refuse them, as llhttp does.
            raise httpx.RemoteProtocolError("the response repeats its content-length")

    def feed(self, received: bytes) -> bytes:
        """Give the body bytes in `received`."""
        self._connection.receive_data(received)
        pieces: list[bytes] = []
        while True:
            event = self._next_event()
            if isinstance(event, h11.Data):
                pieces.append(bytes(event.data))
                continue
            if isinstance(event, h11.EndOfMessage):
                self.complete = True
                self.surplus = bool(self._connection.trailing_data[0])
            return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _next_event(self) -> object:
        try:
            return self._connection.next_event()
        except h11.RemoteProtocolError as error:
            raise httpx.RemoteProtocolError(f"the response is malformed: {error}") from error
