"""Own the stock httpx transport dressed as ours: the same extensions, phases, bounds and decoding, over a proxy."""

from __future__ import annotations

import ipaddress
import ssl
import urllib.request
from collections.abc import Callable
from typing import Any, Self

import httpx

from manus.actors.http1.encoding import ContentDecoder, decoder_for
from manus.actors.http1.waits import waits_by_default, waits_of
from manus.messages.policy import Bounds, Timeouts, TransportPolicy

_ENCODED = frozenset((b"content-encoding", b"content-length"))
_SENDING = "http11.send_request_headers.started"
_SENT = frozenset(("http11.send_request_body.complete", "http11.send_request_body.failed"))
_CONNECTING = "connection.connect_tcp.started"


class StockTransport(httpx.AsyncBaseTransport):
    """httpx's own HTTP/1.1 transport behind a proxy.

    Its pool is not given a limit: cancelled requests can lose slots of it for ever, and the number of requests is
    bounded by whoever sends through here. Nothing is resent.

    Raises (at construction):
        ValueError: the proxy's URL is none that can be served.
    """

    reports_phases = True

    def __init__(
        self,
        *,
        proxy: str | None,
        timeouts: Timeouts,
        bounds: Bounds,
        ssl_context: ssl.SSLContext | None,
        connections_max: int,
        policy: TransportPolicy,
    ) -> None:
        self._waits = waits_by_default(timeouts)
        self._bounds = bounds
        limits = httpx.Limits(
            max_connections=None, max_keepalive_connections=connections_max, keepalive_expiry=policy.keepalive_s
        )
        try:
            self._inner = httpx.AsyncHTTPTransport(
                # A context costs up to 120 ms; plain http needs none, and False makes an empty one.
                verify=False if ssl_context is None else ssl_context,
                http2=False,
                limits=limits,
                proxy=proxy,
                trust_env=False,
            )
        except ImportError:
            raise ValueError("a SOCKS proxy needs the package socksio: pip install 'httpx[socks]'") from None
        except (ValueError, httpx.InvalidURL):
            raise ValueError("the proxy's URL is not one of http://, https://, socks5://, socks5h://") from None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send `request`; see `OriginTransport.handle_async_request`."""
        waits = waits_of(request, self._waits)
        extensions: dict[str, Any] = dict(request.extensions)  # httpx's own type for them
        extensions["timeout"] = {
            "pool": waits.pool_s,
            "connect": waits.connect_s,
            "write": waits.write_s,
            "read": waits.read_s,
        }
        report = extensions.get("manus_phase")
        if report is not None:
            extensions["trace"] = _PhaseTracer(report)
        body_bytes_max: int | None = extensions.get("manus_body_bytes_max", self._bounds.response_bytes)
        headers = request.headers
        if "accept-encoding" not in headers:
            headers = httpx.Headers([*headers.raw, (b"accept-encoding", b"identity")])
        response = await self._inner.handle_async_request(
            httpx.Request(request.method, request.url, headers=headers, stream=request.stream, extensions=extensions)
        )
        decoder: ContentDecoder | None = None
        body_error: httpx.DecodingError | None = None
        try:
            decoder = decoder_for(response.headers.get("content-encoding", "").lower().encode(), body_bytes_max)
        except httpx.DecodingError as error:
            body_error = error
        received = response.headers.raw
        if decoder is not None:
            received = [header for header in received if header[0].lower() not in _ENCODED]
        inner = response.stream
        assert isinstance(inner, httpx.AsyncByteStream)
        return httpx.Response(
            response.status_code,
            headers=received,
            stream=_BoundedStream(inner, decoder, body_error, body_bytes_max),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        """Close every connection."""
        await self._inner.aclose()


class _BoundedStream(httpx.AsyncByteStream):
    """A body of the stock transport, decoded where it has to be, and bounded."""

    def __init__(
        self,
        inner: httpx.AsyncByteStream,
        decoder: ContentDecoder | None,
        body_error: httpx.DecodingError | None,
        body_bytes_max: int | None,
    ) -> None:
        self._inner = inner
        self._pieces = aiter(inner)
        self._ended = False
        self._decoder = decoder
        self._body_error = body_error
        self._bytes_left = body_bytes_max

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._body_error is not None:
            raise self._body_error
        while True:
            try:
                data = await anext(self._pieces)
            except StopAsyncIteration:
                self._ended = True
                if self._decoder is not None:
                    self._decoder.end()
                raise
            if self._decoder is not None:
                data = self._decoder.decode(data)
            if self._bytes_left is not None:
                self._bytes_left -= len(data)
                if self._bytes_left < 0:
                    raise httpx.RemoteProtocolError("the response's body is longer than the bound (response_bytes)")
            if data:
                return data

    async def aclose(self) -> None:
        """Close the connection, or give it back after the end of the body.

        httpcore's body is three generators deep, and closing the outermost leaves the others to the garbage
        collector, which trio warns of. With the connection closed they end by themselves when asked for more.
        """
        await self._inner.aclose()
        while not self._ended:
            try:
                await anext(self._pieces)
            except (StopAsyncIteration, httpx.TransportError):
                self._ended = True


class _PhaseTracer:
    """Turns httpcore's trace events into phases. Asking a proxy for a tunnel sends nothing of the request yet."""

    __slots__ = ("_report", "_tunnelling")

    def __init__(self, report: Callable[[str], None]) -> None:
        self._report = report
        self._tunnelling = False

    async def __call__(self, event: str, facts: dict[str, Any]) -> None:
        """Hear of one event; only those that begin something say of which request."""
        if event == _CONNECTING:
            self._report("connecting")
        elif event == _SENDING:
            self._tunnelling = facts["request"].method == b"CONNECT"
            if not self._tunnelling:
                self._report("sending")
        elif event in _SENT and not self._tunnelling:
            self._report("sent")


def proxy_of_environment(url: httpx.URL) -> str | None:
    """Give the proxy that the environment names for `url`; never one for this machine itself.

    The variables and their exceptions are read as Python's urllib does, but loopback is always exempt, as
    in Go: a local model server cannot be reached through somebody else's proxy.
    """
    if url.host == "localhost" or _is_loopback(url.host):
        return None
    proxies = urllib.request.getproxies_environment()
    if urllib.request.proxy_bypass_environment(url.host, proxies):  # type: ignore[attr-defined]  # not in typeshed
        return None
    found = proxies.get(url.scheme) or proxies.get("all")
    if not found:
        return None
    return found if "://" in found else f"http://{found}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
