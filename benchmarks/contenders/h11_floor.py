"""The floor with h11."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

import h11

from benchmarks.contenders.floor import Exchange, Floor, open_floor

LOOP = "trio"


class H11Exchange(Exchange):
    """One exchange through h11."""

    def __init__(self) -> None:
        self.complete = False
        self._connection = h11.Connection(h11.CLIENT)

    def request(self, host: str, body: bytes) -> bytes:
        """Let h11 write it."""
        head = h11.Request(
            method="POST",
            target="/v1/chat/completions",
            headers=[
                ("host", host),
                ("authorization", "Bearer sk-none"),
                ("content-type", "application/json"),
                ("accept-encoding", "identity"),
                ("content-length", str(len(body))),
            ],
        )
        parts = (head, h11.Data(data=body), h11.EndOfMessage())
        return b"".join(self._connection.send(part) or b"" for part in parts)

    def feed(self, data: bytes) -> bytes:
        """Feed h11."""
        self._connection.receive_data(data)
        pieces: list[bytes] = []
        while True:
            event = self._connection.next_event()
            if isinstance(event, h11.Data):
                pieces.append(bytes(event.data))
            elif isinstance(event, h11.EndOfMessage):
                self.complete = True
                break
            elif event is h11.NEED_DATA:
                break
        return b"".join(pieces)


def open_contender(base_url: str) -> AbstractAsyncContextManager[Floor]:
    """Open the floor."""
    return open_floor(base_url, H11Exchange)
