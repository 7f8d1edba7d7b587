"""Own the parsing of responses by httptools (llhttp)."""

from __future__ import annotations

import httptools
import httpx

from manus.actors.http1.head import Headers


class HttptoolsParser:
    """One response; see `ResponseParser`."""

    __slots__ = ("_lenient", "_message", "_parser")

    def __init__(self, method: str, head: bytes) -> None:
        self._lenient = False
        # llhttp holds what it calls back. That must not be this object, which holds llhttp: such a ring is freed by
        # the collector alone, and there would be one for every response.
        self._message = message = _Message()
        self._parser = httptools.HttpResponseParser(message)
        self._feed(head)
        if b" \r\n" in head or b"\t\r\n" in head:
            # llhttp leaves what stands between a value and the end of its line.
            message.headers = [(name, value.rstrip(b" \t")) for name, value in message.headers]

    @property
    def headers(self) -> Headers:
        """The head's headers, in order."""
        return self._message.headers

    @property
    def complete(self) -> bool:
        """Whether the whole message has been received."""
        return self._message.complete

    @property
    def surplus(self) -> bool:
        """Whether bytes came after its end."""
        return self._message.surplus

    def feed(self, received: bytes) -> bytes:
        """Give the body bytes in `received`."""
        if not self._lenient:
            # Old servers pad chunk sizes to a fixed width; h11 accepts that too, and nothing else can be meant by it.
            self._parser.set_dangerous_leniencies(lenient_spaces_after_chunk_size=True)
            self._lenient = True
        self._feed(received)
        pieces = self._message.pieces
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
            if not self._message.complete:
                raise httpx.RemoteProtocolError(f"the response is malformed: {error}") from error
            # llhttp stumbled over what follows the message, which is not part of it.
            self._message.surplus = True


class _Message:
    """What llhttp has found so far. The `on_` methods are its callbacks."""

    __slots__ = ("complete", "headers", "pieces", "seen", "surplus")

    def __init__(self) -> None:
        self.headers: Headers = []
        self.seen: Headers = []
        self.pieces: list[bytes] = []
        self.complete = False
        self.surplus = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note a header of the head, or a trailer, which nobody will ask for."""
        self.seen.append((name, value))

    def on_headers_complete(self) -> None:
        """Take the head's headers."""
        self.headers, self.seen = self.seen, []

    def on_body(self, piece: bytes) -> None:
        """Note a piece of the body."""
        self.pieces.append(piece)

    def on_message_begin(self) -> None:
        """Notice a second message."""
        self.surplus = self.complete

    def on_message_complete(self) -> None:
        """Notice the end."""
        self.complete = True
