"""Own the in-memory serving: an httpx transport that plays a simulated provider without socket or thread.

All waiting is `trio.sleep`, so it runs under a virtual clock, and on a grid when asked: events then
coincide often, which is where races are found. There is no buffer between provider and client: a chunk is
generated when the reader asks for it, so what has been generated at a cancel is exactly what was read.

It honours the timeouts in `request.extensions`, the phases in `manus_phase` and raises httpx's exceptions
as transports on sockets do, with two freedoms: a refused connection fails the one request that meets the
fault, and nothing is ever resent.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import NoReturn, TypeVar, assert_never

import httpx
import trio

from manus.sim.provider import Exchange, SimProvider
from manus.sim.steps import End, Hangup, Head, Refuse, Send, Silence, Wait
from manus.sim.wire import SimRequest

GRID_S = 0.05
"""The grid that simulations use."""

T = TypeVar("T")


class SimTransport(httpx.AsyncBaseTransport):
    """Play `provider` to whoever sends through this transport.

    Args:
        provider: who answers.
        grid_s: waits end at multiples of this virtual time; 0 takes them as they are.
        connect_s: how long connecting takes.
        held_until: told the time, tells when what the provider sends then comes through: a clogged network.
    """

    reports_phases = True
    """It calls `manus_phase`, so callers know when bytes leave."""

    def __init__(
        self,
        provider: SimProvider,
        *,
        grid_s: float = 0.0,
        connect_s: float = 0.0,
        held_until: Callable[[float], float] | None = None,
    ) -> None:
        self.provider = provider
        self._grid_s = grid_s
        self._connect_s = connect_s
        self._held_until = held_until
        self._open: set[Exchange] = set()
        self._closed = False

    def __repr__(self) -> str:
        return f"<SimTransport {len(self._open)} open, {self.provider!r}>"

    @property
    def open_exchanges(self) -> int:
        """How many responses are neither at their end nor closed; zero when all is quiet."""
        return len(self._open)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send `request` and give the response as soon as its head is there.

        A checkpoint. Cancelled at any point, the exchange is over and on the bill as far as it got.

        Raises:
            httpx.TransportError: as a transport on sockets would.
        """
        if self._closed:
            raise RuntimeError("this SimTransport has been closed")
        body = await request.aread()
        exchange = self.provider.answer(_sim_request(request, body))
        self._open.add(exchange)
        answered = False
        try:
            head = await self._until_head(request, exchange)
            answered = True
        finally:
            if not answered:
                self.over(exchange)
        return httpx.Response(
            status_code=head.status,
            headers=list(head.headers),
            stream=SimBody(self, exchange, request, _length_of(head)),
            extensions={"http_version": b"HTTP/1.1"},
        )

    async def aclose(self) -> None:
        """Leave every open exchange. Nothing can be sent any more."""
        self._closed = True
        for exchange in tuple(self._open):
            self.over(exchange)
        await trio.lowlevel.checkpoint()

    def over(self, exchange: Exchange) -> None:
        """Forget an exchange; synchronous, and harmless when repeated."""
        exchange.leave()
        self._open.discard(exchange)

    async def sleep(self, seconds: float) -> None:
        """Wait, to the next line of the grid if there is one."""
        if self._grid_s == 0.0:
            await trio.sleep(seconds)
            return
        until = trio.current_time() + seconds
        await trio.sleep_until(math.ceil(until / self._grid_s - 1e-9) * self._grid_s)

    async def come_through(self) -> None:
        """Wait while the network is clogged. A checkpoint only where it is."""
        if self._held_until is None:
            return
        until = self._held_until(trio.current_time())
        if until > trio.current_time():
            await trio.sleep_until(until)

    async def _until_head(self, request: httpx.Request, exchange: Exchange) -> Head:
        tell = _phase_listener(request)
        tell("connecting")
        await within(_limit(request, "connect"), httpx.ConnectTimeout, request, lambda: self.sleep(self._connect_s))
        step = exchange.refusal()
        if step is not None:
            raise httpx.ConnectError("All connection attempts failed", request=request)
        tell("sending")
        await trio.lowlevel.checkpoint()
        tell("sent")
        limit = _limit(request, "headers", "read")
        return await within(limit, httpx.ReadTimeout, request, lambda: self._head(request, exchange))

    async def _head(self, request: httpx.Request, exchange: Exchange) -> Head:
        while True:
            match exchange.next_step():
                case Head() as head:
                    await self.come_through()
                    return head
                case Wait() as wait:
                    await self.sleep(wait.seconds)
                case Silence():
                    await trio.sleep_forever()
                case Hangup() as hangup:
                    await self.come_through()
                    _hung_up(request, hangup, "Server disconnected without sending a response.")
                case Send() | End() | Refuse() | None as step:
                    raise AssertionError(f"{step!r} before the head")
                case unreachable:
                    assert_never(unreachable)


class SimBody(httpx.AsyncByteStream):
    """The body of one response: each item is what one `Send` step sends.

    Iterating is a checkpoint for every item. Cancelled while waiting for one, or closed, the exchange is
    over; the provider bills what it had generated.
    """

    __slots__ = ("_exchange", "_length", "_request", "_transport")

    def __init__(self, transport: SimTransport, exchange: Exchange, request: httpx.Request, length: int | None) -> None:
        self._transport = transport
        self._exchange = exchange
        self._request = request
        self._length = length

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        """Give the next bytes.

        Raises:
            httpx.TransportError: the connection ended, or `read` ran out.
        """
        received = False
        try:
            limit = _limit(self._request, "read")
            data = await within(limit, httpx.ReadTimeout, self._request, self._next_bytes)
            received = data is not None
        finally:
            if not received:
                self._transport.over(self._exchange)
        if data is None:
            raise StopAsyncIteration
        return data

    async def aclose(self) -> None:
        """Leave. Does nothing twice, and is no checkpoint: the socket of a cancelled request closes at once."""
        self._transport.over(self._exchange)

    async def _next_bytes(self) -> bytes | None:
        await trio.lowlevel.checkpoint()
        while True:
            match self._exchange.next_step():
                case Send() as send:
                    await self._transport.come_through()
                    return send.data
                case Wait() as wait:
                    await self._transport.sleep(wait.seconds)
                case Silence():
                    await trio.sleep_forever()
                case Hangup() as hangup:
                    await self._transport.come_through()
                    received = self._exchange.row.sent_bytes
                    missing = (
                        "incomplete chunked read"
                        if self._length is None
                        else f"received {received} bytes, expected {self._length}"
                    )
                    text = f"peer closed connection without sending complete message body ({missing})"
                    _hung_up(self._request, hangup, text)
                case End():
                    await self._transport.come_through()
                    return None
                case None:
                    if self._exchange.row.state == "disconnected":
                        raise httpx.ReadError("the transport was closed", request=self._request)
                    return None
                case Head() | Refuse() as step:
                    raise AssertionError(f"{step!r} inside a body")
                case unreachable:
                    assert_never(unreachable)


async def within(
    limit_s: float | None, error: type[httpx.TimeoutException], request: httpx.Request, work: Callable[[], Awaitable[T]]
) -> T:
    """Wait for `work` no longer than `limit_s` seconds (None: without limit), else raise `error`."""
    with trio.move_on_after(math.inf if limit_s is None else limit_s):
        return await work()
    raise error("the simulated provider did not answer in time", request=request)


def _hung_up(request: httpx.Request, hangup: Hangup, text: str) -> NoReturn:
    if hangup.reset:
        raise httpx.ReadError("Connection reset by peer", request=request)
    raise httpx.RemoteProtocolError(text, request=request)


def _limit(request: httpx.Request, *names: str) -> float | None:
    """Find the first of the named timeouts that the request sets."""
    timeouts = request.extensions.get("timeout", {})
    for name in names:
        limit = timeouts.get(name)
        if limit is not None:
            return float(limit)
    return None


def _length_of(head: Head) -> int | None:
    """Give the announced length of the body; None where it comes in chunks."""
    return next((int(value) for name, value in head.headers if name == "content-length"), None)


def _phase_listener(request: httpx.Request) -> Callable[[str], None]:
    listener: Callable[[str], None] | None = request.extensions.get("manus_phase")
    return listener if listener is not None else _nobody_listens


def _nobody_listens(phase: str) -> None:
    """Take the place of a phase listener where the caller gave none."""


def _sim_request(request: httpx.Request, body: bytes) -> SimRequest:
    path, _, query = request.url.raw_path.decode("ascii").partition("?")
    return SimRequest(
        method=request.method,
        path=path,
        query=query,
        headers={name.lower(): value for name, value in request.headers.items()},
        body=body,
    )
