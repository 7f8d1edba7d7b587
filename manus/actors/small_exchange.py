"""Own one small question to a server that is no call: sent, and answered with as much of a body as is wanted."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import httpx
import msgspec

from manus.actors.transport_errors import failure_of
from manus.actors.upstream import CLOSE_S
from manus.messages.failures import Failed
from manus.supervisor.shield import bounded_shield


class SmallAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a server said: header names are in lower case; `whole` is False where the body was longer than wanted."""

    status: int
    headers: dict[str, str]
    body: bytes
    whole: bool = True


async def ask_small(
    transport: httpx.AsyncBaseTransport, request: httpx.Request, *, bytes_max: int
) -> SmallAnswer | Failed:
    """Send `request` and read its answer, at most about `bytes_max` of it. The caller bounds the time.

    The response is closed in every case, also when it is cancelled.
    """
    body = bytearray()
    try:
        response = await transport.handle_async_request(request)
        assert isinstance(response.stream, httpx.AsyncByteStream)
        pieces = aiter(response.stream)
        try:
            async for data in pieces:
                body += data
                if len(body) > bytes_max:
                    break
        finally:
            with bounded_shield(CLOSE_S):
                if isinstance(pieces, AsyncGenerator):  # left in the middle, it would wait for the collector
                    await pieces.aclose()
                await response.aclose()
    except httpx.HTTPError as error:
        return failure_of(error, phase="sent")
    headers = {name.lower(): value for name, value in response.headers.items()}
    return SmallAnswer(status=response.status_code, headers=headers, body=bytes(body), whole=len(body) <= bytes_max)
