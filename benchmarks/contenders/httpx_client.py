"""httpx on Trio, as its documentation says to use it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx

from benchmarks.chat import EventText, request_body, text_of

LOOP = "trio"
HEADERS = {"authorization": "Bearer sk-none", "content-type": "application/json"}


class HttpxClient:
    """Requests through an `httpx.AsyncClient`."""

    def __init__(self, client: httpx.AsyncClient, base_url: str) -> None:
        self._client = client
        self._url = f"{base_url}/chat/completions"

    async def ask(self) -> str:
        """Ask for a whole answer."""
        response = await self._client.post(self._url, headers=HEADERS, content=request_body("whole", streamed=False))
        return text_of(response.content)

    async def stream(self, model: str, on_text: Callable[[str], None]) -> None:
        """Stream."""
        events = EventText(on_text)
        body = request_body(model, streamed=True)
        async with self._client.stream("POST", self._url, headers=HEADERS, content=body) as response:
            async for piece in response.aiter_raw():
                events.feed(piece)


@asynccontextmanager
async def open_contender(base_url: str) -> AsyncIterator[HttpxClient]:
    """Open a client whose pool is as large as need be."""
    limits = httpx.Limits(max_connections=1024, max_keepalive_connections=1024)
    async with httpx.AsyncClient(limits=limits, timeout=60.0) as client:
        yield HttpxClient(client, base_url)
