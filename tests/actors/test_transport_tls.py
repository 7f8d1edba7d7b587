"""TLS against a real server with a certificate of a local authority, and what its failures look like."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import trio
import trio.testing
import trustme

from manus.actors.http1.tls import TlsStream, shared_ssl_context
from manus.actors.transport import OriginTransport, make_transport
from manus.actors.transport_errors import failure_of
from manus.messages.policy import Bounds, Timeouts
from tests.actors.memory_pipe import MemoryStream, memory_pipe

AUTHORITY = trustme.CA()
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


def _server_context(*names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert(*names).configure_cert(context)
    return context


@pytest.fixture
def authority_file(tmp_path: Path) -> str:
    path = tmp_path / "authority.pem"
    AUTHORITY.cert_pem.write_to_path(path)
    return str(path)


class TlsServer:
    """Answers every request on every connection; keeps what it read."""

    def __init__(self, context: ssl.SSLContext, answer: bytes) -> None:
        self._context = context
        self._answer = answer
        self.received = bytearray()
        self.connections = 0
        self.port = 0

    async def serve(self, raw: trio.SocketStream) -> None:
        self.connections += 1
        stream = trio.SSLStream(raw, self._context, server_side=True, https_compatible=True)
        unread = bytearray()
        with raw.socket:
            try:
                while data := await stream.receive_some():
                    unread += data
                    self.received += data
                    while (request := _whole(unread)) is not None:
                        del unread[:request]
                        await stream.send_all(self._answer)
            except trio.BrokenResourceError:
                return


def _whole(unread: bytearray) -> int | None:
    end = unread.find(b"\r\n\r\n")
    if end < 0:
        return None
    length = 0
    for line in bytes(unread[:end]).lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    whole = end + 4 + length
    return whole if len(unread) >= whole else None


@asynccontextmanager
async def _tls_server(*names: str, answer: bytes = ANSWER) -> AsyncIterator[TlsServer]:
    server = TlsServer(_server_context(*names), answer)
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        server.port = listeners[0].socket.getsockname()[1]
        nursery.start_soon(trio.serve_listeners, server.serve, listeners)
        yield server
        nursery.cancel_scope.cancel()


def _transport(origin: str, verify: bool | str) -> httpx.AsyncBaseTransport:
    return make_transport(origin, timeouts=Timeouts(), bounds=Bounds(), connections_max=4, verify=verify)


async def _ask(transport: httpx.AsyncBaseTransport, url: str, body: bytes = b"{}") -> bytes:
    response = await transport.handle_async_request(httpx.Request("POST", url, content=body))
    stream = response.stream
    assert isinstance(stream, httpx.AsyncByteStream)
    try:
        return b"".join([piece async for piece in stream])
    finally:
        await response.aclose()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_a_trusted_server_is_spoken_to_over_one_connection(host: str, authority_file: str) -> None:
    async with _tls_server("localhost", "127.0.0.1") as server:
        url = f"https://{host}:{server.port}/"
        transport = _transport(url, authority_file)
        for _ in range(3):
            assert await _ask(transport, url) == b"hi"
        assert server.connections == 1
        await transport.aclose()


async def test_large_bodies_pass_both_ways(authority_file: str) -> None:
    body = bytes(range(256)) * 12_000
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    async with _tls_server("localhost", answer=answer) as server:
        url = f"https://localhost:{server.port}/"
        transport = _transport(url, authority_file)
        assert await _ask(transport, url, body) == body
        assert server.received.endswith(body)
        await transport.aclose()


@pytest.mark.parametrize(
    ("names", "verify", "blamed"),
    [
        (("localhost",), True, "certificate"),
        (("elsewhere.test",), "the authority", "certificate"),
    ],
    ids=["unknown authority", "another host's certificate"],
)
async def test_a_server_that_is_not_trusted_is_not_spoken_to(
    names: tuple[str, ...], verify: bool | str, blamed: str, authority_file: str
) -> None:
    async with _tls_server(*names) as server:
        url = f"https://localhost:{server.port}/"
        transport = _transport(url, authority_file if verify == "the authority" else verify)
        with pytest.raises(httpx.ConnectError) as refused:
            await _ask(transport, url)
        assert server.received == b""
        failure = failure_of(refused.value, phase="connecting")
        assert failure.safe_to_retry
        assert failure.what_to_do.retry_here == "no"
        assert blamed in failure.message
        assert isinstance(transport, OriginTransport)
        assert transport.pool.slots_taken == 0


async def test_verification_can_be_switched_off() -> None:
    async with _tls_server("elsewhere.test") as server:
        url = f"https://localhost:{server.port}/"
        transport = _transport(url, verify=False)
        assert await _ask(transport, url) == b"hi"
        await transport.aclose()


async def test_a_server_that_speaks_no_tls_is_a_connect_error() -> None:
    async def speak_plainly(stream: trio.SocketStream) -> None:
        await stream.send_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await stream.receive_some()

    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, speak_plainly, listeners)
        url = f"https://localhost:{listeners[0].socket.getsockname()[1]}/"
        with pytest.raises(httpx.ConnectError) as refused:
            await _ask(_transport(url, verify=False), url)
        assert "https" in failure_of(refused.value, phase="connecting").message
        nursery.cancel_scope.cancel()


def test_contexts_are_built_once_and_speak_http_1_only(authority_file: str) -> None:
    assert shared_ssl_context(True) is shared_ssl_context(True)
    assert shared_ssl_context(authority_file) is shared_ssl_context(authority_file)
    assert shared_ssl_context(True).verify_mode is ssl.CERT_REQUIRED
    assert shared_ssl_context(False).verify_mode is ssl.CERT_NONE
    with pytest.raises(OSError, match="No such file"):
        shared_ssl_context(f"{authority_file}.missing")


# --- the stream itself, in memory -----------------------------------------------------------------------


class MemoryTls:
    """A client's TlsStream whose server side is driven by hand through memory buffers."""

    def __init__(self, capacity_bytes: int = 64 * 1024) -> None:
        self.near, self.far = memory_pipe(capacity_bytes)
        context = ssl.create_default_context()
        AUTHORITY.configure_trust(context)
        self.client = TlsStream(self.near, context, "a.test")
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._server = _server_context("a.test").wrap_bio(self._incoming, self._outgoing, server_side=True)

    async def shake_hands(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.client.handshake)
            while True:
                try:
                    self._server.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    await self.far.send_all(self._outgoing.read())
                    self._incoming.write(await self.far.receive())
            await self.far.send_all(self._outgoing.read())

    def encrypt(self, data: bytes) -> bytes:
        self._server.write(data)
        return self._outgoing.read()

    async def decrypt(self, count: int) -> bytes:
        plain = bytearray()
        while len(plain) < count:
            try:
                plain += self._server.read(65536)
            except ssl.SSLWantReadError:
                self._incoming.write(await self.far.receive())
        return bytes(plain)

    def goodbye(self) -> bytes:
        with pytest.raises(ssl.SSLWantReadError):
            self._server.unwrap()
        return self._outgoing.read()


async def test_one_read_gives_all_records_that_have_arrived() -> None:
    tls = MemoryTls()
    await tls.shake_hands()
    await tls.far.send_all(tls.encrypt(b"one ") + tls.encrypt(b"two ") + tls.encrypt(b"three"))
    assert await tls.client.receive() == b"one two three"


async def test_a_record_in_pieces_is_waited_for() -> None:
    tls = MemoryTls()
    await tls.shake_hands()
    record = tls.encrypt(b"whole")
    async with trio.open_nursery() as nursery:

        async def drip() -> None:
            for at in range(len(record)):
                await tls.far.send_all(record[at : at + 1])
                await trio.testing.wait_all_tasks_blocked()

        nursery.start_soon(drip)
        assert await tls.client.receive() == b"whole"


@pytest.mark.parametrize("polite", [True, False])
async def test_the_end_comes_after_the_last_record_with_or_without_goodbye(polite: bool) -> None:
    tls = MemoryTls()
    await tls.shake_hands()
    await tls.far.send_all(tls.encrypt(b"last") + (tls.goodbye() if polite else b""))
    tls.far.send_eof()
    assert await tls.client.receive() == b"last"
    assert await tls.client.receive() == b""
    assert await tls.client.receive() == b""


async def test_a_goodbye_is_the_end_though_the_connection_stays_open() -> None:
    tls = MemoryTls()
    await tls.shake_hands()
    await tls.far.send_all(tls.encrypt(b"last") + tls.goodbye())
    with trio.fail_after(5):
        assert await tls.client.receive() == b"last"
        assert await tls.client.receive() == b""


async def test_a_record_that_was_tampered_with_is_an_error() -> None:
    tls = MemoryTls()
    await tls.shake_hands()
    record = bytearray(tls.encrypt(b"ciphertext"))
    record[-1] ^= 1
    await tls.far.send_all(bytes(record))
    with pytest.raises(ssl.SSLError):
        await tls.client.receive()


async def test_what_does_not_fit_is_sent_in_order_and_counted_once() -> None:
    tls = MemoryTls(capacity_bytes=1000)
    await tls.shake_hands()
    data = bytes(range(256)) * 1000
    async with trio.open_nursery() as nursery:

        async def send() -> None:
            rest = memoryview(data)
            assert tls.client.send_now(rest) == 0, "its records do not fit"
            while rest:
                rest = rest[await tls.client.send_some(rest) :]

        nursery.start_soon(send)
        assert await tls.decrypt(len(data)) == data


async def test_news_on_an_idle_connection_is_seen_through_tls() -> None:
    tls = MemoryTls()
    await tls.shake_hands()
    await tls.far.send_all(tls.encrypt(b"x"))
    await tls.client.receive()
    assert not tls.client.has_news()
    tls.far.send_eof()
    assert tls.client.has_news()


async def test_cancelled_in_the_middle_of_a_handshake_closes_what_is_beneath() -> None:
    streams: list[MemoryStream] = []

    async def connect(host: str, port: int) -> MemoryStream:
        near, far = memory_pipe()
        streams.extend((near, far))
        return near

    transport = OriginTransport(
        "https://a.test", timeouts=Timeouts(), bounds=Bounds(), connections_max=1, connect=connect
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_ask, transport, "https://a.test/")
        await trio.testing.wait_all_tasks_blocked()
        assert transport.pool.slots_taken == 1
        nursery.cancel_scope.cancel()
    assert streams[0].closed
    assert transport.pool.slots_taken == 0
