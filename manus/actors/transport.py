"""Own how requests reach one origin: our own HTTP/1.1 transport, and when httpx's stock one serves instead.

httpx is the vocabulary: `httpx.Request` in, `httpx.Response` out, its exceptions. Its connection pool is not used:
at 64 requests in flight it costs 6,600 us CPU per request and loses slots when a request is cancelled while
connecting. Nothing above this file knows which of the two serves.
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable

import httpx

from manus.actors.http1.connection import BROKEN, Connection, ResponseHead
from manus.actors.http1.parser import ParserFactory, default_parser
from manus.actors.http1.pool import ConnectionPool
from manus.actors.http1.request import WireRequest, encode
from manus.actors.http1.resolve import TcpConnector
from manus.actors.http1.response import ResponseStream
from manus.actors.http1.stock import StockTransport, proxy_of_environment
from manus.actors.http1.streams import ByteStream
from manus.actors.http1.tls import TlsStream, shared_ssl_context
from manus.actors.http1.waits import NamedWaits, TlsTimeout, wait_at_most, waits_by_default, waits_of
from manus.messages.policy import Bounds, Timeouts, TransportPolicy

Connect = Callable[[str, int], Awaitable[ByteStream]]
"""Opens a byte stream to host and port, below TLS; OSError or trio.BrokenResourceError where it cannot."""

ReportPhase = Callable[[str], None]
"""Called synchronously with "connecting", "sending" just before the first byte leaves, and "sent" when the last
byte has left, or the server had enough. A resend reports again."""

KEEP = TransportPolicy()
"""How long connections and addresses are kept where nobody says otherwise."""


class OriginTransport(httpx.AsyncBaseTransport):
    """HTTP/1.1 to one origin over connections of its own.

    `request.extensions` may hold `timeout` (see `waits_of`), `manus_phase` (a `ReportPhase`) and
    `manus_body_bytes_max` (None: the reader bounds the body, as decoders of streams do; absent:
    `bounds.response_bytes`).

    A request that is cancelled, times out or fails closes its socket at once, whatever it was doing. A request
    sent on a connection that was idle and turns out dead is sent once more on a fresh one where that is safe;
    `Connection.may_resend` says when.

    Args:
        origin: scheme, host and port, such as `https://api.example.com`; a path after it is ignored.
        timeouts: the waits of requests that do not name their own.
        bounds: caps on heads and bodies.
        ssl_context: None: the process's shared one, with verification.
        connections_max: connections at once; requests beyond wait in line, first come first served.
        connect: opens byte streams; None: TCP.
        parser: makes response parsers; None: the fastest installed.
        policy: how long connections and addresses are kept.
    """

    reports_phases = True

    def __init__(
        self,
        origin: str,
        *,
        timeouts: Timeouts,
        bounds: Bounds,
        ssl_context: ssl.SSLContext | None = None,
        connections_max: int,
        connect: Connect | None = None,
        parser: ParserFactory | None = None,
        policy: TransportPolicy = KEEP,
    ) -> None:
        url = httpx.URL(origin)
        if url.scheme not in ("http", "https") or not url.host:
            raise ValueError("an origin needs http:// or https:// and a host")
        self._netloc = url.netloc
        self._scheme = url.raw_scheme
        self._host = url.raw_host.decode("ascii")
        self._port = url.port or (443 if url.scheme == "https" else 80)
        self._tls = url.scheme == "https"
        self._ssl_context = ssl_context
        self._waits = waits_by_default(timeouts)
        self._bounds = bounds
        self._connect: Connect = connect or TcpConnector(policy.addresses_kept_s)
        self._parser = parser or default_parser()
        self._pool = ConnectionPool(connections_max, policy.keepalive_s)

    @property
    def pool(self) -> ConnectionPool:
        """What connections there are."""
        return self._pool

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send `request` and receive the head of its response; the body is `response.stream`.

        Raises:
            httpx.TransportError: as the stock transport does in the same situations.
        """
        url = request.url
        if url.netloc != self._netloc or url.raw_scheme != self._scheme:
            raise httpx.UnsupportedProtocol("this transport serves another origin")
        extensions = request.extensions
        waits = waits_of(request, self._waits)
        report: ReportPhase = extensions.get("manus_phase", _nobody_asks)
        body_bytes_max: int | None = extensions.get("manus_body_bytes_max", self._bounds.response_bytes)
        wire = await encode(request, body_bytes_max=self._bounds.request_bytes)
        connection = self._pool.take_idle()
        if connection is None and not self._pool.take_slot():
            with wait_at_most(waits.pool_s, httpx.PoolTimeout, "no connection was free"):
                connection = await self._pool.wait_for_slot()
        connection, head = await self._exchange(connection, wire, waits, report, body_bytes_max)
        stream = ResponseStream(self._pool, connection, waits.read_s)
        return httpx.Response(
            head.status,
            headers=head.headers,
            stream=stream,
            extensions={"http_version": head.http_version, "reason_phrase": head.reason},
        )

    async def _exchange(
        self,
        connection: Connection | None,
        wire: WireRequest,
        waits: NamedWaits,
        report: ReportPhase,
        body_bytes_max: int | None,
    ) -> tuple[Connection, ResponseHead]:
        """Make the exchange in a slot that is ours: on `connection`, or on a new one. A failure frees the slot."""
        done = False
        try:
            if connection is not None:
                try:
                    head = await self._ask(connection, wire, waits, report, body_bytes_max)
                except (httpx.ReadError, httpx.RemoteProtocolError):
                    if not connection.may_resend(wire):
                        raise
                    self._pool.forget(connection)
                    connection = None
            if connection is None:
                connection = await self._open(waits, report)
                head = await self._ask(connection, wire, waits, report, body_bytes_max)
            done = True
            return connection, head
        finally:
            if not done:
                if connection is not None:
                    self._pool.forget(connection)
                self._pool.free_slot()

    async def _ask(
        self,
        connection: Connection,
        wire: WireRequest,
        waits: NamedWaits,
        report: ReportPhase,
        body_bytes_max: int | None,
    ) -> ResponseHead:
        report("sending")
        await connection.send(wire, waits)
        report("sent")
        return await connection.receive_head(wire, waits, body_bytes_max)

    async def _open(self, waits: NamedWaits, report: ReportPhase) -> Connection:
        report("connecting")
        try:
            with wait_at_most(waits.connect_s, httpx.ConnectTimeout, "no connection was made"):
                stream = await self._connect(self._host, self._port)
            if self._tls:
                stream = await self._shake_hands(stream, waits)
        except BROKEN as error:
            raise httpx.ConnectError(str(error) or type(error).__name__) from error
        connection = Connection(stream, self._parser, self._bounds.header_bytes)
        self._pool.opened(connection)
        return connection

    async def _shake_hands(self, raw: ByteStream, waits: NamedWaits) -> ByteStream:
        shaken = False
        try:
            tls = TlsStream(raw, self._ssl_context or shared_ssl_context(), self._host)
            with wait_at_most(waits.tls_s, TlsTimeout, "the TLS handshake was not finished"):
                await tls.handshake()
            shaken = True
            return tls
        finally:
            if not shaken:
                raw.close()

    async def aclose(self) -> None:
        """Close every connection at once; no checkpoint. Requests that still run end with an error."""
        self._pool.close()


def make_transport(
    base_url: str,
    *,
    timeouts: Timeouts,
    bounds: Bounds,
    connections_max: int,
    proxy: str | None = None,
    verify: bool | str = True,
    ssl_context: ssl.SSLContext | None = None,
    connect: Connect | None = None,
    policy: TransportPolicy = KEEP,
) -> httpx.AsyncBaseTransport:
    """Make the transport for `base_url`: ours, or the stock one where a proxy stands between.

    Args:
        proxy: an HTTP or SOCKS proxy's URL; None: what the environment says (`HTTPS_PROXY`, `ALL_PROXY`,
            `NO_PROXY`...), from which loopback addresses are always exempt; empty: none whatever it says.
        verify: True, False, or the path of a CA file or directory; not used where `ssl_context` is given.

    Raises:
        ValueError: the base URL or the proxy is none that can be served; the message quotes no proxy, which
            may hold a password.
        OSError: `verify` names no readable certificates.
    """
    url = httpx.URL(base_url)
    if ssl_context is None and url.scheme == "https":
        ssl_context = shared_ssl_context(verify)
    if proxy is None:
        proxy = proxy_of_environment(url)
    if proxy:
        return StockTransport(
            proxy=proxy,
            timeouts=timeouts,
            bounds=bounds,
            ssl_context=ssl_context,
            connections_max=connections_max,
            policy=policy,
        )
    return OriginTransport(
        base_url,
        timeouts=timeouts,
        bounds=bounds,
        ssl_context=ssl_context,
        connections_max=connections_max,
        connect=connect,
        policy=policy,
    )


def _nobody_asks(phase: str) -> None:
    """Ignore a phase."""
