"""Own the parsing of responses by httptools (llhttp)."""

from __future__ import annotations

import httptools
import httpx

from manus.actors.http1.head import Headers


class HttptoolsParser:
    """One response; see `ResponseParser`. The `on_` methods are llhttp's callbacks."""

    __slots__ = ("_in_head", "_parser", "_pieces", "complete", "headers", "surplus")

    def __init__(self, method: str, head: bytes) -> None:
        self.headers: Headers = []
        self._in_head = True
        self.complete = False
        self.surplus = False
        self._pieces: list[bytes] = []
        self._parser = httptools.HttpResponseParser(self)
        # Old servers pad chunk sizes to a fixed width; h11 accepts that too, and nothing else can be meant by it.
        self._parser.set_dangerous_leniencies(lenient_spaces_after_chunk_size=True)
        self._feed(head)

    def feed(self, received: bytes) -> bytes:
        """Give the body bytes in `received`."""
        self._feed(received)
        pieces = self._pieces
        match len(pieces):
            case 0:
                return b""
            case 1:
                return pieces.pop()
            case _:
                body = b"".join(pieces)
                pieces.clear()
                return body

    def _feed(self, received: bytes) -> None:
        try:
            self._parser.feed_data(received)
        except httptools.HttpParserError as error:
            if not self.complete:
                raise httpx.RemoteProtocolError(f"the response is malformed: {error}") from error
            # llhttp stumbled over what follows the message, which is not part of it.
            self.surplus = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note a header; what comes after the head is a trailer, and dropped."""
        if self._in_head:
            self.headers.append((name, value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        """Notice the end of the head."""
        self._in_head = False

    def on_body(self, piece: bytes) -> None:
        """Note a piece of the body."""
        self._pieces.append(piece)

    def on_message_begin(self) -> None:
        """Notice a second message."""
        self.surplus = self.complete

    def on_message_complete(self) -> None:
        """Notice the end."""
        self.complete = True
