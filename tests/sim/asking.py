"""Own how these tests ask a simulated provider: in memory or on sockets, and what came of it.

On sockets the client is the stock httpx transport, used without the client above it, so that what is seen
are the raw bytes and the raw exceptions.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

import httpx
import msgspec
import trio

from manus.sim.memory import SimTransport
from manus.sim.provider import SimProvider
from manus.sim.server import serve_sim

Serving = Literal["memory", "sockets"]

PATHS = {
    "openai": "/v1/chat/completions",
    "openai-responses": "/v1/responses",
    "azure": "/openai/v1/chat/completions",
    "anthropic": "/v1/messages",
    "ollama": "/api/chat",
}
READ_S = 0.25
"""Longer than any pause of a test's script, shorter than anyone wants to wait for a stall."""

TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # one for all: loading certificates takes longer than a test


class Got(msgspec.Struct, kw_only=True):
    """What a client saw: the head if there was one, the body as far as it came, and how it ended."""

    status: int | None = None
    headers: dict[str, str] = {}
    body: bytes = b""
    reads: list[bytes] = []
    error: type[Exception] | None = None
    error_text: str = ""


class Asker:
    """A client of one provider, over one of the two servings."""

    def __init__(self, provider: SimProvider, transport: httpx.AsyncBaseTransport, origin: str) -> None:
        self.provider = provider
        self.transport = transport
        self.origin = origin

    def request(
        self, *, prompt: str = "Tell me.", fault: str | None = None, read_s: float = READ_S, **fields: Any
    ) -> httpx.Request:
        """Make a chat request with any further body fields."""
        body = {"model": "m", "messages": [{"role": "user", "content": prompt}], "stream": False, **fields}
        if self.provider.wire.name in ("openai", "azure") and body["stream"]:
            body.setdefault("stream_options", {"include_usage": True})
        if self.provider.wire.name == "openai-responses":
            body["input"] = body.pop("messages")
        path = PATHS.get(self.provider.wire.name, "")
        if self.provider.wire.name == "bedrock":
            path, body = _as_converse(body)
        headers = {} if fault is None else {"x-sim-fault": fault}
        if self.provider.wire.name == "anthropic":
            body.setdefault("max_tokens", 1_000_000)
            headers["anthropic-version"] = "2023-06-01"
        timeout = {"connect": 5.0, "read": read_s, "write": 5.0, "pool": 5.0}
        return httpx.Request(
            "POST",
            self.origin + path,
            json=body,
            headers=headers,
            extensions={"timeout": timeout},
        )

    async def ask(
        self,
        *,
        prompt: str = "Tell me.",
        fault: str | None = None,
        body_bytes_max: int = 1 << 30,
        read_s: float = READ_S,
        **fields: Any,
    ) -> Got:
        """Ask, read the body to its end or until `body_bytes_max` have come, and tell what was seen."""
        got = Got(reads=[])
        try:
            request = self.request(prompt=prompt, fault=fault, read_s=read_s, **fields)
            response = await self.transport.handle_async_request(request)
            got.status, got.headers = response.status_code, dict(response.headers)
            try:
                async for data in response.stream:  # type: ignore[union-attr]
                    got.reads.append(data)
                    if sum(map(len, got.reads)) >= body_bytes_max:
                        break
            finally:
                await response.aclose()
        except httpx.TransportError as error:
            got.error, got.error_text = type(error), str(error)
        got.body = b"".join(got.reads)
        return got


def _as_converse(body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Bring a request to Bedrock's form: the model and the stream stand in the path."""
    model, operation = body.pop("model"), "converse-stream" if body.pop("stream") else "converse"
    limit = body.pop("max_tokens", None)
    body["messages"] = [{**message, "content": [{"text": message["content"]}]} for message in body["messages"]]
    if limit is not None:
        body["inferenceConfig"] = {"maxTokens": limit}
    return f"/model/{model}/{operation}", body


async def leave_after(asker: Asker, mark: bytes, times: int) -> None:
    """Send a streaming request, read until `mark` has come `times` times, and close the connection.

    On sockets by hand: leaving one of the stock transport's generators early would leave it to the collector.
    """
    request = asker.request(stream=True, read_s=30.0)
    if isinstance(asker.transport, SimTransport):
        response = await asker.transport.handle_async_request(request)
        assert isinstance(response.stream, httpx.AsyncByteStream)
        body = b""
        reads = aiter(response.stream)
        while body.count(mark) < times:
            body += await anext(reads)
        await response.aclose()
        return
    assert request.url.port is not None
    async with await trio.open_tcp_stream("127.0.0.1", request.url.port) as stream:
        await stream.send_all(as_bytes(request))
        body = b""
        while body.count(mark) < times or b"\r\n\r\n" not in body:
            body += await stream.receive_some()


def as_bytes(request: httpx.Request) -> bytes:
    """Write a request as it goes over a socket."""
    head = f"{request.method} {request.url.raw_path.decode()} HTTP/1.1\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    return head.encode() + b"\r\n" + request.content


@asynccontextmanager
async def asking(provider: SimProvider, serving: Serving) -> AsyncIterator[Asker]:
    """Serve `provider` and give a client of it."""
    if serving == "memory":
        async with SimTransport(provider) as transport:
            yield Asker(provider, transport, "http://sim.test")
            assert transport.open_exchanges == 0
        return
    async with serve_sim(provider) as server, httpx.AsyncHTTPTransport(verify=TLS) as stock:
        yield Asker(provider, stock, server.origin)
