"""A cancelled request closes its socket at once, in every phase and at every step, and the transport goes on."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager

import httpx
import pytest
import trio
import trio.testing

from manus.actors.http1.response import ResponseStream
from manus.actors.transport import OriginTransport
from manus.messages.policy import Bounds, Timeouts
from tests.actors.http_server import Hold, HostileServer, Read, ReadHead, Say, Script, hostile_server
from tests.actors.memory_pipe import MemoryStream, memory_pipe

WHOLE = Say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
CHUNKS = Say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n")
CHUNK = b"2\r\nhi\r\n"
LAST_CHUNK = b"0\r\n\r\n"


def _open_sockets() -> int:
    count = 0
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            count += os.readlink(f"/proc/self/fd/{descriptor}").startswith("socket:")
        except FileNotFoundError:
            continue  # the descriptor of the listing itself
    return count


def _transport(url: str, *, connections_max: int = 8) -> OriginTransport:
    return OriginTransport(url, timeouts=Timeouts(), bounds=Bounds(), connections_max=connections_max)


async def _read_all(transport: OriginTransport, request: httpx.Request) -> bytes:
    response = await transport.handle_async_request(request)
    stream = response.stream
    assert isinstance(stream, httpx.AsyncByteStream)
    try:
        return b"".join([piece async for piece in stream])
    finally:
        await response.aclose()


PHASES: dict[str, tuple[Script, bytes]] = {
    "sending": ([ReadHead(), Hold()], b"x" * 8_000_000),
    "waiting for headers": ([Read(), Hold()], b"{}"),
    "in the middle of the headers": ([Read(), Say(b"HTTP/1.1 200 OK\r\nContent-"), Hold()], b"{}"),
    "in the middle of the body": ([Read(), CHUNKS, Hold()], b"{}"),
    "answered": ([Read(), WHOLE], b"{}"),
}


async def _cancel_once(phase: str, server: HostileServer, transport: OriginTransport, after_steps: int | None) -> None:
    """Make one request and cancel it after so many scheduler passes; None: when nothing moves any more."""
    script, body = PHASES[phase]
    server.scripts.append(script)
    request = httpx.Request("POST", server.url, content=body)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_read_all, transport, request)
        if after_steps is None:
            await trio.testing.wait_all_tasks_blocked()
        else:
            for _ in range(after_steps):
                await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("rounds", [200, pytest.param(2000, marks=pytest.mark.long)])
async def test_cancelled_requests_leave_no_socket_behind(phase: str, rounds: int) -> None:
    rng = random.Random(phase)
    async with hostile_server() as server:
        before = _open_sockets()
        transport = _transport(server.url)
        for _ in range(rounds):
            await _cancel_once(phase, server, transport, rng.choice([None, *range(1, 12)]))
            pool = transport.pool
            assert (pool.slots_taken, pool.waiting) == (pool.idle, 0)
            await trio.testing.wait_all_tasks_blocked()  # the server has counted what it accepted
            assert _open_sockets() == before + server.sockets + pool.idle
            server.scripts.clear()
            server.let_go()
        server.scripts.append([Read(), WHOLE])
        assert await _read_all(transport, httpx.Request("POST", server.url, content=b"{}")) == b"hi"
        await transport.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert _open_sockets() == before


@contextmanager
def _full_backlog() -> Iterator[int]:
    """Listen without accepting, with a full queue: the kernel drops what knocks, so connecting never ends."""
    with ExitStack() as closing:
        listener = closing.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            filler = closing.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


@pytest.mark.parametrize("rounds", [200, pytest.param(2000, marks=pytest.mark.long)])
async def test_requests_cancelled_while_connecting_leave_no_socket_behind(rounds: int) -> None:
    with _full_backlog() as port:
        before = _open_sockets()
        transport = _transport(f"http://127.0.0.1:{port}")
        phases: list[str] = []
        for _ in range(rounds):
            request = httpx.Request("GET", f"http://127.0.0.1:{port}/", extensions={"manus_phase": phases.append})
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_read_all, transport, request)
                await trio.testing.wait_all_tasks_blocked()
                assert (transport.pool.slots_taken, _open_sockets()) == (1, before + 1)
                nursery.cancel_scope.cancel()
            assert (transport.pool.slots_taken, _open_sockets()) == (0, before)
        assert phases == ["connecting"] * rounds


async def test_a_socket_is_closed_by_the_time_the_cancelled_request_has_unwound() -> None:
    async with hostile_server() as server:
        transport = _transport(server.url)
        server.scripts.append([Read(), CHUNKS, Hold()])
        sockets = _open_sockets()
        with trio.CancelScope() as scope:
            response = await transport.handle_async_request(httpx.Request("POST", server.url, content=b"{}"))
            stream = response.stream
            assert isinstance(stream, ResponseStream)
            assert await stream.receive() == b"hi"
            scope.cancel()
            await stream.receive()
        assert isinstance(stream, ResponseStream)
        assert scope.cancelled_caught
        assert _open_sockets() == sockets + 1, "only the server's end is still open"
        assert (transport.pool.slots_taken, stream.complete) == (0, False)


async def test_cancelling_at_any_step_leaves_the_transport_whole() -> None:
    """Sweep: cancel the request at its first step, its second, and so on, until one gets through."""
    steps = 0
    while True:
        steps += 1
        streams: list[MemoryStream] = []
        async with _memory_server(streams) as transport:
            finished = await _ask_for_steps(transport, steps)
            pool = transport.pool
            assert (pool.slots_taken, pool.waiting) == (pool.idle, 0)
            assert [stream.closed for stream in streams].count(False) == pool.idle
            assert await _read_all(transport, httpx.Request("POST", "http://a.test/", content=BODY)) == b"hihi"
        if finished:
            break
    assert steps > 10, "the sweep must have found steps to cancel at"


BODY = b"x" * 200_000


async def _ask_for_steps(transport: OriginTransport, steps: int) -> bool:
    """Let a request run for so many steps of its task, then cancel it; True where it was done before."""

    class Counter(trio.abc.Instrument):
        left = steps

        def before_task_step(self, task: trio.lowlevel.Task) -> None:
            if task.name == "swept":
                self.left -= 1
                if not self.left:
                    scope.cancel()

    finished = False

    async def ask() -> None:
        nonlocal finished
        with scope:
            await _read_all(transport, httpx.Request("POST", "http://a.test/", content=BODY))
            finished = True

    scope = trio.CancelScope()
    counter = Counter()
    trio.lowlevel.add_instrument(counter)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask, name="swept")
    trio.lowlevel.remove_instrument(counter)
    return finished


@asynccontextmanager
async def _memory_server(streams: list[MemoryStream]) -> AsyncIterator[OriginTransport]:
    """Serve, over pipes too small for a request, an answer in several pieces after an interim one."""

    async def serve(far: MemoryStream) -> None:
        try:
            while True:
                received = 0
                while received < len(BODY):
                    data = await far.receive()
                    if not data:
                        return
                    received += len(data)
                for piece in (b"HTTP/1.1 100 Continue\r\n\r\n", CHUNKS.data[:20], CHUNKS.data[20:], CHUNK, LAST_CHUNK):
                    await far.send_all(piece)
                    await trio.lowlevel.checkpoint()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return

    async def connect(host: str, port: int) -> MemoryStream:
        await trio.lowlevel.checkpoint()
        near, far = memory_pipe(capacity_bytes=50_000)
        streams.append(near)
        nursery.start_soon(serve, far)
        await trio.lowlevel.cancel_shielded_checkpoint()
        return near

    async with trio.open_nursery() as nursery:
        transport = OriginTransport(
            "http://a.test", timeouts=Timeouts(), bounds=Bounds(), connections_max=1, connect=connect
        )
        yield transport
        await transport.aclose()
        nursery.cancel_scope.cancel()
