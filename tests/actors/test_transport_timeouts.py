"""Every wait on the outside has a name and an end; on a virtual clock, over pipes in memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import httpx
import msgspec
import pytest
import trio
import trio.testing

from manus.actors.http1.waits import HeadersTimeout, TlsTimeout, waits_by_default, waits_of
from manus.actors.transport import OriginTransport
from manus.messages.policy import Bounds, Timeouts
from tests.actors.memory_pipe import MemoryStream, memory_pipe

TIMEOUTS = Timeouts(connect_s=2.0, tls_s=3.0, write_s=5.0, headers_s=7.0, idle_s=11.0)
HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class Case(msgspec.Struct, frozen=True):
    """A server that stops at some point, and what comes of it after how long."""

    says: tuple[bytes, ...] = ()
    connects: bool = True
    origin: str = "http://a.test"
    body_bytes: int = 0
    extensions: Mapping[str, object] = {}
    error: type[Exception] = httpx.ReadTimeout
    after_s: float = 0.0


CASES = {
    "connect": Case(connects=False, error=httpx.ConnectTimeout, after_s=2.0),
    "connect, as asked": Case(
        connects=False, extensions={"timeout": {"connect": 1.5}}, error=httpx.ConnectTimeout, after_s=1.5
    ),
    "connect, asked without a limit": Case(
        connects=False, extensions={"timeout": {"connect": None}}, error=httpx.ConnectTimeout, after_s=2.0
    ),
    "tls": Case(origin="https://a.test", error=TlsTimeout, after_s=3.0),
    "tls, as connecting": Case(
        origin="https://a.test", extensions={"timeout": {"connect": 0.5}}, error=TlsTimeout, after_s=0.5
    ),
    "write": Case(body_bytes=1_000_000, error=httpx.WriteTimeout, after_s=5.0),
    "headers, silent": Case(error=HeadersTimeout, after_s=7.0),
    "headers, a drip": Case(says=(HEAD[:9], HEAD[9:12], HEAD[12:20]), error=HeadersTimeout, after_s=7.0),
    "headers, interim answers only": Case(
        says=(b"HTTP/1.1 102 Processing\r\n\r\n",) * 3, error=HeadersTimeout, after_s=7.0
    ),
    "headers, as reading": Case(extensions={"timeout": {"read": 1.0}}, error=HeadersTimeout, after_s=1.0),
    "headers, as asked": Case(
        extensions={"timeout": {"read": None, "headers": 4.0}}, error=HeadersTimeout, after_s=4.0
    ),
    "reading": Case(says=(HEAD,), error=httpx.ReadTimeout, after_s=11.0),
    "reading, after some": Case(says=(HEAD + b"2\r\nhi\r\n", b"2\r\nhi\r\n"), error=httpx.ReadTimeout, after_s=12.0),
    "reading, as asked": Case(
        says=(HEAD,), extensions={"timeout": {"read": 0.25}}, error=httpx.ReadTimeout, after_s=0.25
    ),
}


def _connector(case: Case, nursery: trio.Nursery, streams: list[MemoryStream]) -> Callable[..., object]:
    async def speak(far: MemoryStream) -> None:
        for at, piece in enumerate(case.says):
            if at:
                await trio.sleep(1)
            await far.send_all(piece)

    async def connect(host: str, port: int) -> MemoryStream:
        if not case.connects:
            await trio.sleep_forever()
        near, far = memory_pipe()
        streams.append(near)
        nursery.start_soon(speak, far)
        return near

    return connect


@pytest.mark.parametrize("name", CASES)
async def test_a_wait_ends_by_its_name(name: str, autojump_clock: trio.testing.MockClock) -> None:
    case = CASES[name]
    streams: list[MemoryStream] = []
    async with trio.open_nursery() as nursery:
        transport = OriginTransport(
            case.origin,
            timeouts=TIMEOUTS,
            bounds=Bounds(),
            connections_max=1,
            connect=_connector(case, nursery, streams),  # type: ignore[arg-type]
        )
        request = httpx.Request("POST", case.origin, content=b"x" * case.body_bytes, extensions=dict(case.extensions))
        started = trio.current_time()
        with pytest.raises(case.error) as raised:
            await _exchange(transport, request)
        assert type(raised.value) is case.error
        assert trio.current_time() - started == pytest.approx(case.after_s)
        assert transport.pool.slots_taken == 0
        assert all(stream.closed for stream in streams)
        nursery.cancel_scope.cancel()


async def _exchange(transport: OriginTransport, request: httpx.Request) -> None:
    response = await transport.handle_async_request(request)
    async for _ in response.stream:  # type: ignore[union-attr]  # an async transport's stream is async
        pass


async def test_writing_goes_on_as_long_as_bytes_move(autojump_clock: trio.testing.MockClock) -> None:
    received = 0

    async def slow_reader(far: MemoryStream) -> None:
        nonlocal received
        while received < 1_000_000:
            await trio.sleep(4.9)
            received += len(await far.receive())
        await far.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async def connect(host: str, port: int) -> MemoryStream:
        near, far = memory_pipe()
        nursery.start_soon(slow_reader, far)
        return near

    async with trio.open_nursery() as nursery:
        transport = OriginTransport(
            "http://a.test", timeouts=TIMEOUTS, bounds=Bounds(), connections_max=1, connect=connect
        )
        await _exchange(transport, httpx.Request("POST", "http://a.test/", content=b"x" * 1_000_000))
    assert trio.current_time() > TIMEOUTS.write_s * 10


async def test_without_limits_of_its_own_the_transport_waits_for_the_callers(
    autojump_clock: trio.testing.MockClock,
) -> None:
    streams: list[MemoryStream] = []
    async with trio.open_nursery() as nursery:
        transport = OriginTransport(
            "http://a.test",
            timeouts=TIMEOUTS,
            bounds=Bounds(),
            connections_max=1,
            connect=_connector(Case(), nursery, streams),  # type: ignore[arg-type]
        )
        with trio.move_on_after(100_000) as scope:
            await _exchange(
                transport,
                httpx.Request("GET", "http://a.test/", extensions={"timeout": {"read": None, "headers": None}}),
            )
        assert scope.cancelled_caught
        assert all(stream.closed for stream in streams)


async def test_waiting_in_line_for_a_connection_has_an_end(autojump_clock: trio.testing.MockClock) -> None:
    streams: list[MemoryStream] = []
    async with trio.open_nursery() as nursery:
        transport = OriginTransport(
            "http://a.test",
            timeouts=TIMEOUTS,
            bounds=Bounds(),
            connections_max=1,
            connect=_connector(Case(says=(HEAD,)), nursery, streams),  # type: ignore[arg-type]
        )
        holding = await transport.handle_async_request(httpx.Request("GET", "http://a.test/"))
        started = trio.current_time()
        with pytest.raises(httpx.PoolTimeout):
            await transport.handle_async_request(
                httpx.Request("GET", "http://a.test/", extensions={"timeout": {"pool": 1.25}})
            )
        assert trio.current_time() - started == pytest.approx(1.25)
        assert (transport.pool.slots_taken, transport.pool.waiting) == (1, 0)
        await holding.aclose()
        nursery.cancel_scope.cancel()
    assert transport.pool.slots_taken == 0


def test_no_wait_but_headers_and_reading_can_be_without_limit() -> None:
    unlimited = httpx.Timeout(None).as_dict()
    waits = waits_of(
        httpx.Request("GET", "http://a.test", extensions={"timeout": unlimited}), waits_by_default(TIMEOUTS)
    )
    assert (waits.headers_s, waits.read_s) == (None, None)
    assert all(math.isfinite(wait) for wait in (waits.pool_s, waits.connect_s, waits.tls_s, waits.write_s))
