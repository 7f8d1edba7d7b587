"""httpx on Trio with the shortest failover there is: a loop over two models, by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from benchmarks.chat import request_body, text_of
from benchmarks.contenders.httpx_client import HEADERS, HttpxClient

LOOP = "trio"
OK = 200


class FailingOver(HttpxClient):
    """Requests that are made again elsewhere where they are refused."""

    async def ask(self) -> str:
        """Ask for a whole answer, which the second model gives."""
        for model in ("gone", "whole"):
            body = request_body(model, streamed=False)
            response = await self._client.post(self._url, headers=HEADERS, content=body)
            if response.status_code == OK:
                return text_of(response.content)
        raise RuntimeError("both refused")


@asynccontextmanager
async def open_contender(base_url: str) -> AsyncIterator[FailingOver]:
    """Open a client."""
    async with httpx.AsyncClient(timeout=60.0) as client:
        yield FailingOver(client, base_url)
