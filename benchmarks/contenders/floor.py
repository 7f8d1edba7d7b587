"""Own the sockets of the floors: raw, non-blocking, kept alive, with nothing around them."""

from __future__ import annotations

import abc
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import trio

from benchmarks.chat import EventText, request_body, text_of


class Exchange(abc.ABC):
    """One request and its response, by one parsing library."""

    complete: bool

    @abc.abstractmethod
    def request(self, host: str, body: bytes) -> bytes:
        """Give the bytes to send."""

    @abc.abstractmethod
    def feed(self, data: bytes) -> bytes:
        """Give the body bytes in what arrived, and note the end."""


class Floor:
    """The least that a client on Trio sockets does."""

    def __init__(self, base_url: str, exchange: Callable[[], Exchange]) -> None:
        address = urlsplit(base_url)
        self._address = (address.hostname, address.port)
        self._host = address.netloc
        self._exchange = exchange
        self._idle: list[socket.socket] = []
        self._whole = request_body("whole", streamed=False)
        self._streamed = {model: request_body(model, streamed=True) for model in ("paced", "burst", "hold")}

    async def ask(self) -> str:
        """Ask for a whole answer."""
        body = bytearray()
        await self._run(self._whole, body.extend)
        return text_of(bytes(body))

    async def stream(self, model: str, on_text: Callable[[str], None]) -> None:
        """Stream."""
        await self._run(self._streamed[model], EventText(on_text).feed)

    async def _run(self, body: bytes, on_data: Callable[[bytes], object]) -> None:
        connection = self._idle.pop() if self._idle else self._connect()
        exchange = self._exchange()
        connection.send(exchange.request(self._host, body))
        while not exchange.complete:
            await trio.lowlevel.wait_readable(connection)
            data = exchange.feed(connection.recv(65536))
            if data:
                on_data(data)
        self._idle.append(connection)

    def _connect(self) -> socket.socket:
        connection = socket.create_connection(self._address)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setblocking(False)
        return connection

    def close(self) -> None:
        """Close what is idle."""
        for connection in self._idle:
            connection.close()


@asynccontextmanager
async def open_floor(base_url: str, exchange: Callable[[], Exchange]) -> AsyncIterator[Floor]:
    """Open a floor over one parsing library."""
    floor = Floor(base_url, exchange)
    yield floor
    floor.close()
