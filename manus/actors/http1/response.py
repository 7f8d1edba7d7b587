"""Own a response's body as its reader sees it, and what becomes of the connection when the reading ends."""

from __future__ import annotations

from typing import Self

import httpx

from manus.actors.http1.connection import Connection
from manus.actors.http1.pool import ConnectionPool


class ResponseStream(httpx.AsyncByteStream):
    """The body of one response, in pieces of one socket read each; iterate it once.

    At the end of the body the connection goes back to the pool by itself; closing earlier, a failure, or a
    cancelled read closes the socket at once. Iterating may be broken off and taken up again.

    Args:
        connection: in the middle of this response; owned from now on.
    """

    def __init__(self, pool: ConnectionPool, connection: Connection, read_s: float | None) -> None:
        self._pool = pool
        self._connection: Connection | None = connection
        self._read_s = read_s
        self._closed = False
        if connection.complete:
            self._let_go(connection)

    @property
    def complete(self) -> bool:
        """Whether the whole body has been read, and the connection let go."""
        return self._connection is None and not self._closed

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        data = await self.receive()
        if not data:
            raise StopAsyncIteration
        return data

    async def receive(self) -> bytes:
        """Give the next piece; `b""` is the end of the body. Raises as `Connection.receive_body` does."""
        connection = self._connection
        if connection is None:
            if self._closed:
                raise httpx.StreamClosed()
            return b""
        received = False
        try:
            data = await connection.receive_body(self._read_s)
            received = True
        finally:
            if not received:
                self.close()
        if connection.complete:
            self._let_go(connection)
        return data

    def close(self) -> None:
        """Let the connection go: it is closed unless the body was complete. Synchronous and idempotent."""
        if self._connection is not None:
            self._closed = True
            self._let_go(self._connection)

    async def aclose(self) -> None:
        """Do as `close`; no checkpoint."""
        self.close()

    def _let_go(self, connection: Connection) -> None:
        self._connection = None
        if connection.reusable:
            self._pool.release(connection)
        else:
            self._pool.drop(connection)
