"""Our transport alone, with the plainest decoding: what the agent adds is what lies above this row."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx

from benchmarks.chat import EventText, request_body, text_of
from manus.actors.http1.parser import ParserFactory
from manus.actors.http1.parser_httptools import HttptoolsParser
from manus.actors.transport import OriginTransport
from manus.messages.policy import Bounds, Timeouts

LOOP = "trio"
_HEADERS = (("authorization", "Bearer sk-none"), ("content-type", "application/json"))


class TransportClient:
    """Requests straight through the transport, as a provider's actor makes them."""

    def __init__(self, transport: httpx.AsyncBaseTransport, base_url: str) -> None:
        self._transport = transport
        self._url = httpx.URL(f"{base_url}/chat/completions")
        self._extensions = {"timeout": {"headers": None, "read": None}}

    async def ask(self) -> str:
        """Ask for a whole answer."""
        response = await self._send(request_body("whole", streamed=False))
        body = b"".join([piece async for piece in response.stream])  # type: ignore[union-attr]  # it is async
        await response.aclose()
        return text_of(body)

    async def stream(self, model: str, on_text: Callable[[str], None]) -> None:
        """Stream."""
        response = await self._send(request_body(model, streamed=True))
        events = EventText(on_text)
        async for piece in response.stream:  # type: ignore[union-attr]  # it is async
            events.feed(piece)
        await response.aclose()

    async def _send(self, body: bytes) -> httpx.Response:
        request = httpx.Request("POST", self._url, headers=_HEADERS, content=body, extensions=self._extensions)
        return await self._transport.handle_async_request(request)


@asynccontextmanager
async def open_transport(base_url: str, parser: ParserFactory) -> AsyncIterator[TransportClient]:
    """Open the transport over one parser."""
    transport = OriginTransport(base_url, timeouts=Timeouts(), bounds=Bounds(), connections_max=1024, parser=parser)
    yield TransportClient(transport, base_url)
    await transport.aclose()


@asynccontextmanager
async def open_contender(base_url: str) -> AsyncIterator[TransportClient]:
    """Open the transport over httptools."""
    async with open_transport(base_url, HttptoolsParser) as client:
        yield client
