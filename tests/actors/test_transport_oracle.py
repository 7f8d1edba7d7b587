"""The stock httpx transport is the oracle: same server, same requests, same answers, same exceptions.

Where ours differs it does so on purpose; `DIFFERENCES` lists every such case with its reason, and holds both
transports to it, so that the list stays true.
"""

from __future__ import annotations

import gzip
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import httpx
import msgspec
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from manus.actors.http1.parser import ParserFactory
from manus.actors.http1.parser_h11 import H11Parser
from manus.actors.http1.parser_httptools import HttptoolsParser
from manus.actors.transport import OriginTransport
from manus.messages.policy import Bounds, Timeouts
from tests.actors.http_exchanges import Exchange, exchanges
from tests.actors.http_server import HangUp, HostileServer, Read, Say, Script, hostile_server

_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
MakeTransport = Callable[[HostileServer], httpx.AsyncBaseTransport]


def _ours(parser: ParserFactory) -> MakeTransport:
    def make(server: HostileServer) -> httpx.AsyncBaseTransport:
        return OriginTransport(server.url, timeouts=Timeouts(), bounds=Bounds(), connections_max=4, parser=parser)

    return make


def _stock(server: HostileServer) -> httpx.AsyncBaseTransport:
    return httpx.AsyncHTTPTransport(verify=_NO_TLS)


CONTENDERS: dict[str, MakeTransport] = {
    "ours, httptools": _ours(HttptoolsParser),
    "ours, h11": _ours(H11Parser),
    "stock": _stock,
}


class Seen(msgspec.Struct, frozen=True):
    """What a client made of one exchange."""

    status: int | None = None
    reason: bytes | None = None
    version: bytes | None = None
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b""
    error: str | None = None


async def _see(transport: httpx.AsyncBaseTransport, server: HostileServer, request: httpx.Request) -> Seen:
    """Send, read everything, decode what is encoded, and tell what came."""
    seen = Seen()
    try:
        response = await transport.handle_async_request(request)
        server.reader_has_begun.set()
        seen = Seen(
            status=response.status_code,
            reason=response.extensions["reason_phrase"],
            version=response.extensions["http_version"],
            headers=_comparable(response.headers.raw),
        )
        received = bytearray()
        try:
            async for piece in response.stream:  # type: ignore[union-attr]  # an async transport's stream is async
                received += piece
        finally:
            await response.aclose()
            whole = httpx.Response(200, headers=response.headers, stream=httpx.ByteStream(bytes(received)))
            try:
                seen = msgspec.structs.replace(seen, body=whole.read())
            except httpx.DecodingError:
                # The stock client's decoder, on what was cut in the middle.
                seen = msgspec.structs.replace(seen, body=bytes(received))
    except (httpx.TransportError, httpx.DecodingError) as error:
        seen = msgspec.structs.replace(seen, error=_httpx_name(error))
    server.reader_has_begun.set()
    return seen


def _comparable(headers: Sequence[tuple[bytes, bytes]]) -> tuple[tuple[bytes, bytes], ...]:
    """Leave out what must differ: ours decodes bodies and drops the headers that say otherwise; h11 lower-cases one."""
    encoded = any(name.lower() == b"content-encoding" for name, _ in headers)
    gone = (b"content-encoding", b"content-length") if encoded else ()
    return tuple(
        (name, value.lower() if name.lower() == b"transfer-encoding" else value)
        for name, value in headers
        if name.lower() not in gone
    )


def _httpx_name(error: Exception) -> str:
    return next(cls.__name__ for cls in type(error).__mro__ if cls.__module__.startswith("httpx"))


@asynccontextmanager
async def _contender(make: MakeTransport) -> AsyncIterator[tuple[HostileServer, httpx.AsyncBaseTransport]]:
    async with hostile_server() as server:
        transport = make(server)
        yield server, transport
        await transport.aclose()


async def _run(make: MakeTransport, plan: Sequence[Exchange]) -> tuple[list[Seen], int]:
    async with _contender(make) as (server, transport):
        seen: list[Seen] = []
        for at, exchange in enumerate(plan, start=1):
            server.reader_has_begun = trio.Event()
            server.scripts.append(exchange.script())
            request = httpx.Request(exchange.method, server.url, content=exchange.body, headers={"x-key": "k"})
            seen.append(await _see(transport, server, request))
            await server.settled(at)
        return seen, server.connections


@given(st.lists(exchanges(), min_size=1, max_size=3))
@settings(max_examples=200)
def test_same_exchanges_give_the_same_answers_and_errors(plan: list[Exchange]) -> None:
    _assert_same_for_all(plan)


@pytest.mark.long
@given(st.lists(exchanges(), min_size=1, max_size=6))
@settings(max_examples=5000)
def test_same_exchanges_give_the_same_answers_and_errors_for_long(plan: list[Exchange]) -> None:
    _assert_same_for_all(plan)


def _assert_same_for_all(plan: list[Exchange]) -> None:
    results = {name: trio.run(_run, make, plan) for name, make in CONTENDERS.items()}
    expected, connections = results["stock"]
    for name, (seen, opened) in results.items():
        for ours, stock, exchange in zip(seen, expected, plan, strict=True):
            _assert_same(name, ours, stock, exchange)
        assert opened == connections, f"{name} opened {opened} connections, the stock transport {connections}"


def _assert_same(name: str, ours: Seen, stock: Seen, exchange: Exchange) -> None:
    if exchange.ending == "reset":
        # How much of the body a reset leaves in the kernel is a race.
        ours, stock = msgspec.structs.replace(ours, body=b""), msgspec.structs.replace(stock, body=b"")
    if ours.error == "DecodingError" and stock.error is None:
        # The stock client takes a compressed body that ends in the middle for whole; ours does not (DIFFERENCES).
        assert exchange.ending == "hang_up", name
        return
    if ours.error is not None and ours.status is not None and ours.body != stock.body:
        # A cut compressed body: the stock client's decoder has given nothing, ours what it had.
        assert b"encoding" in b"".join(exchange.pieces).lower(), name
        ours = msgspec.structs.replace(ours, body=stock.body)
    assert ours == stock, name


_CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
MALFORMED = {
    "another protocol": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "a web page without a head": b"<html><body>It works!</body></html>\r\n\r\n",
    "a status that is no number": b"HTTP/1.1 OK\r\n\r\n",
    "a status of two digits": b"HTTP/1.1 20 OK\r\n\r\n",
    "an empty line first": b"\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "a space before a colon": b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nhi",
    "a header without a colon": b"HTTP/1.1 200 OK\r\nContent-Length\r\n\r\nhi",
    "a header without a name": b"HTTP/1.1 200 OK\r\n: 2\r\n\r\nhi",
    "a NUL in a value": b"HTTP/1.1 200 OK\r\na: b\x00c\r\n\r\nhi",
    "a NUL in a name": b"HTTP/1.1 200 OK\r\na\x00b: c\r\n\r\nhi",
    "a negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nhi",
    "a signed length": b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nhi",
    "a hexadecimal length": b"HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\nhi",
    "an empty length": b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nhi",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi",
    "two lengths in one": b"HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\nhi",
    "another transfer-encoding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked twice": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "headers without an end": b"HTTP/1.1 200 OK\r\n" + b"x: " + b"y" * 400_000,
    "too many headers": b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 60_000 + b"\r\n",
    "a chunk size that is no number": _CHUNKED + b"two\r\nhi\r\n0\r\n\r\n",
    "a negative chunk size": _CHUNKED + b"-2\r\nhi\r\n0\r\n\r\n",
    "a prefixed chunk size": _CHUNKED + b"0x2\r\nhi\r\n0\r\n\r\n",
    "a huge chunk size": _CHUNKED + b"f" * 30 + b"\r\nhi\r\n0\r\n\r\n",
    "no chunk size": _CHUNKED + b"\r\nhi\r\n0\r\n\r\n",
    "a chunk longer than its size": _CHUNKED + b"2\r\nhi there\r\n0\r\n\r\n",
    "a chunk size line without an end": _CHUNKED + b"2;" + b"x" * 400_000,
}


@pytest.mark.parametrize("name", MALFORMED)
@pytest.mark.parametrize("contender", CONTENDERS)
async def test_refuses_a_malformed_response_as_the_stock_transport_does(name: str, contender: str) -> None:
    async with _contender(CONTENDERS[contender]) as (server, transport):
        server.scripts.append([Read(), Say(MALFORMED[name]), HangUp()])
        seen = await _see(transport, server, httpx.Request("POST", server.url, content=b"{}"))
    assert seen.error == "RemoteProtocolError"
    assert (seen.status == 200) == MALFORMED[name].startswith(_CHUNKED), "a bad body does not lose the status"


class Difference(msgspec.Struct, frozen=True):
    """A case in which ours and the stock transport differ on purpose."""

    reason: str
    script: Script
    ours: Seen
    stock: Seen


def _answer(*lines: bytes, body: bytes = b"") -> Script:
    return [Read(), Say(b"\r\n".join((b"HTTP/1.1 200 OK", *lines, b"", b"")) + body), HangUp()]


_REFUSED = Seen(error="RemoteProtocolError")


def _taken(*headers: tuple[bytes, bytes], body: bytes = b"hi") -> Seen:
    return Seen(status=200, reason=b"OK", version=b"HTTP/1.1", headers=headers, body=body)


DIFFERENCES = {
    "folded header": Difference(
        "RFC 9112, 5.2: obsolete, and read differently by different parsers",
        _answer(b"a: b", b" c", b"Content-Length: 2", body=b"hi"),
        _REFUSED,
        _taken((b"a", b"b c"), (b"Content-Length", b"2")),
    ),
    "bare line feeds": Difference(
        "RFC 9112, 2.2 leaves it to the recipient; strictness closes a door for smuggling",
        [Read(), Say(b"HTTP/1.1 200 OK\nContent-Length: 2\n\nhi"), HangUp()],
        _REFUSED,
        _taken((b"Content-Length", b"2")),
    ),
    "control character in a value": Difference(
        "RFC 9110, 5.5: they have no place in a value",
        _answer(b"a: b\x01c", b"Content-Length: 2", body=b"hi"),
        _REFUSED,
        _taken((b"a", b"b\x01c"), (b"Content-Length", b"2")),
    ),
    "the same content-length twice": Difference(
        "RFC 9112, 6.3 allows refusing; llhttp refuses too",
        _answer(b"Content-Length: 2", b"Content-Length: 2", body=b"hi"),
        _REFUSED,
        _taken((b"Content-Length", b"2")),
    ),
    "content-length beside chunked": Difference(
        "RFC 9112, 6.3: ought to be handled as an error; llhttp does",
        _answer(b"Transfer-Encoding: chunked", b"Content-Length: 9", body=b"2\r\nhi\r\n0\r\n\r\n"),
        _REFUSED,
        _taken((b"Transfer-Encoding", b"chunked"), (b"Content-Length", b"9")),
    ),
    "chunked in HTTP/1.0": Difference(
        "RFC 9112, 6.1: its framing is to be treated as faulty",
        [Read(), Say(b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"), HangUp()],
        _REFUSED,
        msgspec.structs.replace(_taken((b"Transfer-Encoding", b"chunked")), version=b"HTTP/1.0"),
    ),
    "an HTTP version of the future": Difference(
        "what it means is unknown",
        [Read(), Say(b"HTTP/3.0 200 OK\r\n\r\n"), HangUp()],
        _REFUSED,
        Seen(status=200, reason=b"OK", version=b"HTTP/3.0"),
    ),
    "switching protocols": Difference(
        "nobody asked for it; h11 lets httpcore treat it as an answer",
        [Read(), Say(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n"), HangUp()],
        _REFUSED,
        Seen(error="RemoteProtocolError"),
    ),
    "compressed body that ends in the middle": Difference(
        "a cut answer must not pass for a whole one",
        _answer(b"Content-Encoding: gzip", b"Content-Length: 12", body=gzip.compress(b"hi")[:12]),
        Seen(status=200, reason=b"OK", version=b"HTTP/1.1", error="DecodingError"),
        _taken(body=b"h"),
    ),
}


@pytest.mark.parametrize("name", DIFFERENCES)
async def test_differs_from_the_stock_transport_only_on_purpose(name: str) -> None:
    difference = DIFFERENCES[name]
    for contender, make in CONTENDERS.items():
        async with _contender(make) as (server, transport):
            server.scripts.append(difference.script)
            seen = await _see(transport, server, httpx.Request("POST", server.url, content=b"{}"))
        expected = difference.stock if contender == "stock" else difference.ours
        assert seen == expected, f"{contender}: {difference.reason}"
