"""The server on sockets survives whatever its clients do, and leaves nothing behind."""

from __future__ import annotations

import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
import trio

from manus.sim.behaviour import Script
from manus.sim.connection import READ_AHEAD_BYTES_MAX
from manus.sim.faults import FAULTS
from manus.sim.provider import SimProvider
from manus.sim.server import SimServer, serve_sim
from tests.sim.asking import Asker, as_bytes

ORIGIN = "http://127.0.0.1"


@asynccontextmanager
async def connected(server: SimServer) -> AsyncIterator[trio.SocketStream]:
    """Connect by hand."""
    async with await trio.open_tcp_stream("127.0.0.1", server.port) as stream:
        yield stream


def asked(server: SimServer, **fields: object) -> bytes:
    """Write a chat request as bytes."""
    return as_bytes(Asker(server.provider, httpx.AsyncBaseTransport(), server.origin).request(**fields))  # type: ignore[arg-type]


async def read_until(stream: trio.SocketStream, mark: bytes) -> bytes:
    """Read until `mark` has come, or the connection is at its end."""
    body = b""
    with trio.fail_after(10):
        while mark not in body:
            data = await stream.receive_some()
            if not data:
                break
            body += data
    return body


async def serves(server: SimServer) -> None:
    """Check that the next client is served as if nothing had happened."""
    async with connected(server) as stream:
        await stream.send_all(asked(server))
        assert (await read_until(stream, b"finish_reason")).startswith(b"HTTP/1.1 200 ")


def reset(stream: trio.SocketStream) -> None:
    """Close by RST."""
    stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    stream.socket.close()


async def test_clients_that_reset_at_every_moment_hurt_nobody() -> None:
    async with serve_sim(SimProvider("openai", Script(words=40, gap_s=0.001))) as server:
        request = asked(server, stream=True)
        for sent in (0, 1, 20, len(request) // 2, len(request) - 1, len(request)):
            for read in (0, 1, 200, 2_000):
                async with connected(server) as stream:
                    await stream.send_all(request[:sent])
                    if sent == len(request) and read:
                        await stream.receive_some(read)
                    reset(stream)
        await serves(server)
        with trio.fail_after(5):
            while server.connections > 1:  # noqa: ASYNC110 - a server tells nobody that a client has gone
                await trio.sleep(0.005)
    assert server.provider.in_flight == 0
    assert server.connections == 0


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"\x00" * 1_000 + b"\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: many\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"a" * 200_000 + b"\r\n\r\n",
    ],
    ids=["tls", "no request", "zeros", "no length", "no chunk", "endless head"],
)
async def test_garbage_is_answered_with_an_error_and_hurts_nobody(garbage: bytes) -> None:
    async with serve_sim(SimProvider("openai")) as server:
        async with connected(server) as stream:
            await stream.send_all(garbage)
            assert (await read_until(stream, b"\r\n\r\n")).startswith(b"HTTP/1.1 4")
            await stream.send_eof()
            assert await read_until(stream, b"an orderly end, not a reset") is not None
        await serves(server)
    assert server.provider.bill.totals().requests == 1


async def test_a_client_that_stops_in_the_middle_of_its_request_is_not_billed() -> None:
    async with serve_sim(SimProvider("openai")) as server:
        async with connected(server) as stream:
            await stream.send_all(asked(server)[:-5])
            await stream.send_eof()
            await read_until(stream, b"nothing will come")
        await serves(server)
    assert server.provider.bill.totals().requests == 1


async def test_pipelined_requests_are_answered_in_order() -> None:
    async with serve_sim(SimProvider("openai", lambda asked: Script(text=f"answer to {asked.prompt}"))) as server:
        async with connected(server) as stream:
            await stream.send_all(b"".join(asked(server, prompt=prompt) for prompt in ("one", "two", "three")))
            body = await read_until(stream, b"answer to three")
        assert [body.index(b"answer to " + prompt) for prompt in (b"one", b"two", b"three")] == sorted(
            body.index(b"answer to " + prompt) for prompt in (b"one", b"two", b"three")
        )


async def test_a_client_that_floods_while_it_is_answered_is_left() -> None:
    async with serve_sim(SimProvider("openai", Script(fault=FAULTS["stall"]))) as server:
        async with connected(server) as stream:
            await stream.send_all(asked(server, stream=True))
            await read_until(stream, b"data: ")
            with trio.fail_after(10), pytest.raises(trio.BrokenResourceError):
                await stream.send_all(b"x" * 1_000 * READ_AHEAD_BYTES_MAX)
        (row,) = server.provider.bill.rows()
        assert row.state == "disconnected"


async def test_a_body_that_is_too_long_is_refused_and_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("manus.sim.connection.REQUEST_BYTES_MAX", 1_000)
    monkeypatch.setattr("manus.sim.provider.REQUEST_BYTES_MAX", 1_000)
    async with serve_sim(SimProvider("openai")) as server:
        async with connected(server) as stream:
            await stream.send_all(asked(server, prompt="x" * 100_000))
            assert (await read_until(stream, b"</html>")).startswith(b"HTTP/1.1 413 ")
            await stream.send_all(asked(server))
            assert (await read_until(stream, b"finish_reason")).startswith(b"HTTP/1.1 200 ")
    assert [row.received_bytes for row in server.provider.bill] == [1_001, len(asked(server).split(b"\r\n\r\n")[1])]
    assert server.provider.bill.totals().billed == 1


async def test_a_connection_is_kept_for_request_after_request() -> None:
    async with serve_sim(SimProvider("openai")) as server, connected(server) as stream:
        for _ in range(5):
            await stream.send_all(asked(server))
            assert (await read_until(stream, b"finish_reason")).startswith(b"HTTP/1.1 200 ")
        assert server.connections == 1


async def test_expect_100_continue_is_answered_before_the_body() -> None:
    async with serve_sim(SimProvider("openai")) as server, connected(server) as stream:
        head, body = asked(server).split(b"\r\n\r\n", 1)
        await stream.send_all(head + b"\r\nexpect: 100-continue\r\n\r\n")
        assert (await read_until(stream, b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
        await stream.send_all(body)
        assert (await read_until(stream, b"finish_reason")).startswith(b"HTTP/1.1 200 ")


async def test_head_is_answered_without_a_body() -> None:
    async with serve_sim(SimProvider("ollama")) as server, connected(server) as stream:
        for path in (b"/", b"/api/version"):
            await stream.send_all(b"HEAD " + path + b" HTTP/1.1\r\nhost: x\r\n\r\n")
            answer = await read_until(stream, b"\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 200 ")
            assert answer.endswith(b"\r\n\r\n")


async def test_a_shut_door_refuses_and_drops_and_opens_again_on_the_same_port() -> None:
    async with serve_sim(SimProvider("openai", Script(fault=FAULTS["stall"]))) as server:
        port = server.port
        async with connected(server) as stream:
            await stream.send_all(asked(server, stream=True))
            await read_until(stream, b"data: ")
            server.refuse()
            await read_until(stream, b"nothing more will come")
        with pytest.raises(OSError, match="all attempts to connect"):
            await trio.open_tcp_stream("127.0.0.1", port)
        await server.accept()
        server.provider.behave(Script())
        await serves(server)
        assert server.port == port


async def test_a_door_shut_for_a_time_opens_by_itself() -> None:
    async with serve_sim(SimProvider("openai")) as server:
        server.refuse(for_s=0.05)
        with pytest.raises(OSError, match="all attempts to connect"):
            await trio.open_tcp_stream("127.0.0.1", server.port)
        with trio.fail_after(10):
            while True:
                try:
                    await serves(server)
                    break
                except OSError:
                    await trio.sleep(0.01)


async def test_the_end_of_the_server_ends_every_answer() -> None:
    async with serve_sim(SimProvider("openai", Script(fault=FAULTS["stall"]))) as server:
        stream = await trio.open_tcp_stream("127.0.0.1", server.port)
        await stream.send_all(asked(server, stream=True))
        await read_until(stream, b"data: ")
    assert await read_until(stream, b"nothing more will come") is not None
    await stream.aclose()
    assert server.connections == 0
    (row,) = server.provider.bill.rows()
    assert row.state == "disconnected"
    with pytest.raises(OSError, match="all attempts to connect"):
        await trio.open_tcp_stream("127.0.0.1", server.port)
