"""Our transport over its fallback parser."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from benchmarks.contenders.transport import TransportClient, open_transport
from manus.actors.http1.parser_h11 import H11Parser

LOOP = "trio"


@asynccontextmanager
async def open_contender(base_url: str) -> AsyncIterator[TransportClient]:
    """Open the transport over h11."""
    async with open_transport(base_url, H11Parser) as client:
        yield client
