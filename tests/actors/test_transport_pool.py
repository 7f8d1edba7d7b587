"""Connections: how many, who gets which, what is kept and for how long."""

from __future__ import annotations

from contextlib import suppress

import httpx
import pytest
import trio
import trio.testing

from manus.actors.transport import Connect, OriginTransport
from manus.messages.policy import Bounds, Timeouts, TransportPolicy
from tests.actors.http_server import (
    HangUp,
    Read,
    Say,
    hostile_server,
)
from tests.actors.memory_pipe import MemoryStream, memory_pipe

WHOLE = Say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
URL = "http://a.test/"


def _transport(
    url: str,
    *,
    connections_max: int = 4,
    connect: Connect | None = None,
    bounds: Bounds | None = None,
    policy: TransportPolicy | None = None,
) -> OriginTransport:
    return OriginTransport(
        url,
        timeouts=Timeouts(),
        bounds=bounds or Bounds(),
        connections_max=connections_max,
        connect=connect,
        policy=policy or TransportPolicy(),
    )


async def _ask(transport: OriginTransport, url: str, *, method: str = "POST", body: bytes = b"{}") -> bytes:
    response = await transport.handle_async_request(httpx.Request(method, url, content=body))
    stream = response.stream
    assert isinstance(stream, httpx.AsyncByteStream)
    try:
        return b"".join([piece async for piece in stream])
    finally:
        await response.aclose()


# --- how many, and who ----------------------------------------------------------------------------------


class Upstream:
    """A server in memory that answers when told."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self.arrived: list[bytes] = []
        self.near: list[MemoryStream] = []
        self.answer = trio.Semaphore(0)

    async def connect(self, host: str, port: int) -> MemoryStream:
        near, far = memory_pipe()
        self.near.append(near)
        self._nursery.start_soon(self._serve, far)
        return near

    async def _serve(self, far: MemoryStream) -> None:
        while data := await far.receive():
            self.arrived.append(data.partition(b" HTTP")[0].rpartition(b"/")[2])
            await self.answer.acquire()
            try:
                await far.send_all(WHOLE.data)
            except trio.BrokenResourceError:
                return


async def test_no_more_connections_than_allowed_and_first_come_first_served() -> None:
    async with trio.open_nursery() as nursery:
        upstream = Upstream(nursery)
        transport = _transport(URL, connections_max=2, connect=upstream.connect)
        for number in range(8):
            nursery.start_soon(_ask, transport, f"{URL}{number}")
            await trio.testing.wait_all_tasks_blocked()
        assert (len(upstream.near), transport.pool.waiting, transport.pool.slots_taken) == (2, 6, 2)
        for _ in range(8):
            upstream.answer.release()
            await trio.testing.wait_all_tasks_blocked()
        assert upstream.arrived == [b"%d" % number for number in range(8)]
        assert (len(upstream.near), transport.pool.waiting, transport.pool.idle) == (2, 0, 2)
        nursery.cancel_scope.cancel()


async def test_a_request_that_leaves_the_line_lets_the_next_one_up() -> None:
    async with trio.open_nursery() as nursery:
        upstream = Upstream(nursery)
        transport = _transport(URL, connections_max=1, connect=upstream.connect)
        nursery.start_soon(_ask, transport, f"{URL}first")
        await trio.testing.wait_all_tasks_blocked()
        async with trio.open_nursery() as leaving:
            leaving.start_soon(_ask, transport, f"{URL}leaves")
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(_ask, transport, f"{URL}second")
            await trio.testing.wait_all_tasks_blocked()
            leaving.cancel_scope.cancel()
        upstream.answer.release()
        upstream.answer.release()
        await trio.testing.wait_all_tasks_blocked()
        assert upstream.arrived == [b"first", b"second"]
        nursery.cancel_scope.cancel()


async def test_a_connection_handed_to_a_request_cancelled_in_the_same_tick_is_not_lost() -> None:
    async with trio.open_nursery() as nursery:
        upstream = Upstream(nursery)
        transport = _transport(URL, connections_max=1, connect=upstream.connect)

        async def hold_and_release() -> None:
            await _ask(transport, f"{URL}first")
            leaving.cancel_scope.cancel()

        nursery.start_soon(hold_and_release)
        await trio.testing.wait_all_tasks_blocked()
        async with trio.open_nursery() as leaving:
            leaving.start_soon(_ask, transport, f"{URL}leaves")
            await trio.testing.wait_all_tasks_blocked()
            upstream.answer.release()
        assert (transport.pool.waiting, transport.pool.slots_taken) == (0, transport.pool.idle)
        for _ in range(2):  # one may be used up by the request that left
            upstream.answer.release()
        assert await _ask(transport, f"{URL}again") == b"hi"
        nursery.cancel_scope.cancel()


async def test_a_failed_slot_given_to_a_request_that_left_goes_on_to_the_next() -> None:
    """The holder fails and cancels the first in line in the same tick: the second one must get the slot."""
    refuse = trio.Event()
    attempts = 0

    async def connect(host: str, port: int) -> MemoryStream:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            await refuse.wait()
            leaving.cancel_scope.cancel()
        raise ConnectionRefusedError(111, "Connection refused")

    async def ask() -> None:
        with pytest.raises(httpx.ConnectError):
            await _ask(transport, URL)

    transport = _transport(URL, connections_max=1, connect=connect)
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery, trio.open_nursery() as leaving:
            nursery.start_soon(ask)
            await trio.testing.wait_all_tasks_blocked()
            leaving.start_soon(ask)
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(ask)
            await trio.testing.wait_all_tasks_blocked()
            refuse.set()
    assert (transport.pool.slots_taken, transport.pool.waiting) == (0, 0)


async def test_a_failed_connection_gives_its_slot_to_the_next_in_line() -> None:
    refuse = trio.Event()

    async def connect(host: str, port: int) -> MemoryStream:
        await refuse.wait()
        raise ConnectionRefusedError(111, "Connection refused")

    outcomes: list[str] = []

    async def ask() -> None:
        try:
            await _ask(transport, URL)
        except httpx.ConnectError as error:
            outcomes.append(str(error))

    transport = _transport(URL, connections_max=1, connect=connect)
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        assert transport.pool.waiting == 2
        refuse.set()
    assert len(outcomes) == 3
    assert (transport.pool.slots_taken, transport.pool.waiting) == (0, 0)


async def test_closing_the_transport_ends_requests_in_every_state() -> None:
    outcomes: list[str] = []

    async def ask(path: str) -> None:
        try:
            await _ask(transport, f"{URL}{path}")
        except httpx.TransportError as error:
            outcomes.append(f"{path}: {type(error).__name__}")

    async with trio.open_nursery() as servers:
        upstream = Upstream(servers)
        transport = _transport(URL, connections_max=1, connect=upstream.connect)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, "asking")
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(ask, "in line")
            await trio.testing.wait_all_tasks_blocked()
            await transport.aclose()
        assert sorted(outcomes) == ["asking: ReadError", "in line: ConnectError"]
        with pytest.raises(httpx.ConnectError, match="closed"):
            await _ask(transport, URL)
        assert all(stream.closed for stream in upstream.near)
        assert (transport.pool.slots_taken, transport.pool.idle, transport.pool.waiting) == (0, 0, 0)
        servers.cancel_scope.cancel()


async def test_the_connection_used_last_is_used_first_and_old_ones_are_closed(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with trio.open_nursery() as nursery:
        upstream = Upstream(nursery)
        transport = _transport(URL, connect=upstream.connect, policy=TransportPolicy(keepalive_s=10.0))
        for _ in range(3):
            nursery.start_soon(_ask, transport, URL)
        await trio.testing.wait_all_tasks_blocked()
        for _ in range(3):
            upstream.answer.release()
            await trio.sleep(1)
        assert transport.pool.idle == 3
        await trio.sleep(8)
        for _ in range(2):
            upstream.answer.release()
            assert await _ask(transport, URL) == b"hi"
        assert [stream.closed for stream in upstream.near].count(True) == 1, "only the one idle for 11 s"
        assert (len(upstream.near), transport.pool.idle) == (3, 2)
        await trio.sleep(10.5)
        upstream.answer.release()
        assert await _ask(transport, URL) == b"hi"
        assert (len(upstream.near), transport.pool.idle) == (4, 1)
        nursery.cancel_scope.cancel()


# --- what is kept, what is not ---------------------------------------------------------------------------

KEPT: dict[str, tuple[str, dict[str, str], bytes, int]] = {
    "sized": ("POST", {}, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", 1),
    "chunked": ("POST", {}, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", 1),
    "no content": ("POST", {}, b"HTTP/1.1 204 No Content\r\n\r\n", 1),
    "head": ("HEAD", {}, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", 1),
    "close": ("POST", {}, b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi", 0),
    "close asked": ("POST", {"connection": "close"}, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", 0),
    "old version": ("POST", {}, b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi", 0),
    "surplus of a sized body": ("POST", {}, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi there", 0),
    "surplus of a chunked body": (
        "POST",
        {},
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n",
        0,
    ),
    "surplus of no body": ("POST", {}, b"HTTP/1.1 204 No Content\r\n\r\nhi", 0),
    "a body where there is none": ("HEAD", {}, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", 0),
    "surplus of an empty body": ("POST", {}, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nhi", 0),
}


@pytest.mark.parametrize("name", KEPT)
async def test_a_connection_is_kept_only_where_it_is_in_step(name: str) -> None:
    method, headers, answer, kept = KEPT[name]
    async with hostile_server() as server:
        transport = _transport(server.url)
        server.scripts.append([Read(), Say(answer)])
        response = await transport.handle_async_request(httpx.Request(method, server.url, headers=headers))
        body = b"".join([piece async for piece in response.stream])  # type: ignore[union-attr]
        assert body in (b"", b"hi")
        await response.aclose()
        assert (transport.pool.idle, transport.pool.slots_taken) == (kept, kept)
        await transport.aclose()


async def test_a_response_closed_before_its_end_closes_the_connection() -> None:
    async with hostile_server() as server:
        transport = _transport(server.url)
        server.scripts.append([Read(), Say(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi")])
        response = await transport.handle_async_request(httpx.Request("GET", server.url))
        await response.aclose()
        assert transport.pool.slots_taken == 0
        with pytest.raises(httpx.StreamClosed):
            await anext(aiter(response.stream))  # type: ignore[arg-type]
        await response.aclose()


@pytest.mark.parametrize("body_bytes_max", [10, None])
@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n" + b"x" * 11,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n" + b"x" * 11 + b"\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 11,
    ],
    ids=["sized", "chunked", "until close"],
)
async def test_a_body_is_bounded_unless_the_reader_bounds_it(answer: bytes, body_bytes_max: int | None) -> None:
    async with hostile_server() as server, _transport(server.url, bounds=Bounds(response_bytes=10)) as transport:
        server.scripts.append([Read(), Say(answer), HangUp()])
        extensions = {} if body_bytes_max is not None else {"manus_body_bytes_max": None}
        response = await transport.handle_async_request(httpx.Request("GET", server.url, extensions=extensions))
        stream = response.stream
        assert isinstance(stream, httpx.AsyncByteStream)
        if body_bytes_max is None:
            assert b"".join([piece async for piece in stream]) == b"x" * 11
        else:
            with pytest.raises(httpx.RemoteProtocolError, match="response_bytes"):
                await anext(aiter(stream))
        await response.aclose()
        assert transport.pool.slots_taken == transport.pool.idle


ENDLESS = {"trailers": (b"0\r\n", b"x-trailer: 1\r\n" * 1000), "extension": (b"2;", b"x" * 10_000)}


@pytest.mark.parametrize("name", ENDLESS)
async def test_what_comes_without_a_byte_of_body_is_bounded(name: str) -> None:
    beginning, more = ENDLESS[name]

    async def drone_on(far: MemoryStream) -> None:
        await far.receive()
        await far.send_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n" + beginning)
        with suppress(trio.BrokenResourceError):
            for _ in range(200):
                await far.send_all(more)
        far.close()

    near, far = memory_pipe()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(drone_on, far)
        transport = _transport(URL, connect=_once(near), bounds=Bounds(header_bytes=100_000))
        response = await transport.handle_async_request(
            httpx.Request("GET", URL, extensions={"manus_body_bytes_max": None})
        )
        stream = response.stream
        assert isinstance(stream, httpx.AsyncByteStream)
        with pytest.raises(httpx.RemoteProtocolError):
            assert [piece async for piece in stream]
        assert near.closed
        assert near.received_bytes() < 300_000


# --- early answers --------------------------------------------------------------------------------------


async def test_a_refusal_ends_the_sending_and_is_read() -> None:
    refusal = Say(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
    async with trio.open_nursery() as nursery:
        read = 0

        async def refuse(far: MemoryStream) -> None:
            nonlocal read
            read = len(await far.receive())
            await far.send_all(refusal.data)

        near, far = memory_pipe()
        nursery.start_soon(refuse, far)
        transport = _transport(URL, connect=_once(near))
        response = await transport.handle_async_request(httpx.Request("POST", URL, content=b"x" * 1_000_000))
        assert response.status_code == 413
        assert b"".join([piece async for piece in response.stream]) == b"big"  # type: ignore[union-attr]
        assert read < 1_000_000
        assert near.closed, "half a request is still owed on it"
    assert transport.pool.slots_taken == 0


async def test_an_early_success_does_not_end_the_sending() -> None:
    received = bytearray()

    async def accept_early(far: MemoryStream) -> None:
        received.extend(await far.receive())
        await far.send_all(WHOLE.data)
        while not received.endswith(b"x" * 1_000_000):
            received.extend(await far.receive())

    async with trio.open_nursery() as nursery:
        near, far = memory_pipe()
        nursery.start_soon(accept_early, far)
        transport = _transport(URL, connect=_once(near))
        assert await _ask(transport, URL, body=b"x" * 1_000_000) == b"hi"
        assert transport.pool.idle == 1


async def test_a_server_that_hangs_up_while_it_is_sent_to_is_noticed() -> None:
    async def hang_up(far: MemoryStream) -> None:
        await far.receive()
        far.send_eof()

    async with trio.open_nursery() as nursery:
        near, far = memory_pipe()
        nursery.start_soon(hang_up, far)
        transport = _transport(URL, connect=_once(near))
        with pytest.raises(httpx.RemoteProtocolError, match="Server disconnected"):
            await _ask(transport, URL, body=b"x" * 1_000_000)
        assert near.closed


def _once(stream: MemoryStream) -> Connect:
    streams = [stream]

    async def connect(host: str, port: int) -> MemoryStream:
        return streams.pop()

    return connect
