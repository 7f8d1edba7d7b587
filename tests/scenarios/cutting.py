"""Own the knife: a transport whose streams end after so many bytes, wherever that is."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx

from manus.sim.memory import SimTransport
from manus.sim.provider import SimProvider


class Knife:
    """Where the bodies of a provider's answers are cut; None lets them be whole."""

    def __init__(self) -> None:
        self.after_bytes: int | None = None
        self.body_bytes = 0
        """How long the last whole body was."""


class CutTransport(SimTransport):
    """Play a provider whose connection ends in the middle of its answers."""

    def __init__(self, provider: SimProvider, knife: Knife) -> None:
        super().__init__(provider)
        self._knife = knife

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send, and give a response that will be cut."""
        response = await super().handle_async_request(request)
        assert isinstance(response.stream, httpx.AsyncByteStream)
        response.stream = _CutBody(response.stream, request, self._knife)
        return response


class _CutBody(httpx.AsyncByteStream):
    def __init__(self, body: httpx.AsyncByteStream, request: httpx.Request, knife: Knife) -> None:
        self._body = body
        self._request = request
        self._knife = knife

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = self._knife.after_bytes
        sent = 0
        async for data in self._body:
            if left is not None and sent + len(data) > left:
                if left > sent:
                    yield data[: left - sent]
                text = "peer closed connection without sending complete message body (incomplete chunked read)"
                raise httpx.RemoteProtocolError(text, request=self._request)
            sent += len(data)
            yield data
        self._knife.body_bytes = sent

    async def aclose(self) -> None:
        """Leave the answer."""
        await self._body.aclose()
