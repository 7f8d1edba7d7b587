"""The floor with httptools."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

import httptools

from benchmarks.contenders.floor import Exchange, Floor, open_floor

LOOP = "trio"


class HttptoolsExchange(Exchange):
    """One exchange through llhttp."""

    def __init__(self) -> None:
        self.complete = False
        self._pieces: list[bytes] = []
        self._parser = httptools.HttpResponseParser(self)

    def request(self, host: str, body: bytes) -> bytes:
        """Write it by hand."""
        return (
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: %b\r\nauthorization: Bearer sk-none\r\n"
            b"content-type: application/json\r\naccept-encoding: identity\r\ncontent-length: %d\r\n\r\n%b"
            % (host.encode(), len(body), body)
        )

    def feed(self, data: bytes) -> bytes:
        """Feed llhttp."""
        self._parser.feed_data(data)
        pieces, self._pieces = self._pieces, []
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def on_body(self, piece: bytes) -> None:
        """Note a piece."""
        self._pieces.append(piece)

    def on_message_complete(self) -> None:
        """Note the end."""
        self.complete = True


def open_contender(base_url: str) -> AbstractAsyncContextManager[Floor]:
    """Open the floor."""
    return open_floor(base_url, HttptoolsExchange)
