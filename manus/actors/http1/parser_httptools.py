"""Own the parsing of responses by httptools (llhttp)."""

from __future__ import annotations

import httptools
import httpx

from manus.actors.http1.head import Headers


class HttptoolsParser:
    """One response; see `ResponseParser`. The `on_` methods are llhttp's callbacks."""

    __slots__ = ("_lenient", "_parser", "_pieces", "_seen", "complete", "headers", "surplus")

    def __init__(self, method: str, head: bytes) -> None:
        self.headers: Headers = []
        self.complete = False
        self.surplus = False
        self._lenient = False
        self._pieces: list[bytes] = []
        self._seen: Headers = []
        self._parser = httptools.HttpResponseParser(self)
        self._feed(head)
        if b" \r\n" in head or b"\t\r\n" in head:
            # llhttp leaves what stands between a value and the end of its line.
            self.headers = [(name, value.rstrip(b" \t")) for name, value in self.headers]

    def feed(self, received: bytes) -> bytes:
        """Give the body bytes in `received`."""
        if not self._lenient:
            # Old servers pad chunk sizes to a fixed width; h11 accepts that too, and nothing else can be meant by it.
            self._parser.set_dangerous_leniencies(lenient_spaces_after_chunk_size=True)
            self._lenient = True
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
        """Note a header of the head, or a trailer, which nobody will ask for."""
        self._seen.append((name, value))

    def on_headers_complete(self) -> None:
        """Take the head's headers."""
        self.headers, self._seen = self._seen, []

    def on_body(self, piece: bytes) -> None:
        """Note a piece of the body."""
        self._pieces.append(piece)

    def on_message_begin(self) -> None:
        """Notice a second message."""
        self.surplus = self.complete

    def on_message_complete(self) -> None:
        """Notice the end."""
        self.complete = True
