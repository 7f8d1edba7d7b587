"""A request that meets a dead connection: never on one that is known to be dead, again only where that is safe."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from manus.actors.transport import OriginTransport
from manus.messages.policy import Bounds, Timeouts
from tests.actors.http_server import (
    AwaitReader,
    HalfClose,
    HangUp,
    HostileServer,
    Read,
    ReadHead,
    Reset,
    Say,
    Script,
    hostile_server,
)

WHOLE = Say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")


def _transport(url: str) -> OriginTransport:
    return OriginTransport(url, timeouts=Timeouts(), bounds=Bounds(), connections_max=4)


async def _ask(transport: OriginTransport, url: str, *, method: str = "POST") -> bytes:
    response = await transport.handle_async_request(httpx.Request(method, url, content=b"{}"))
    return b"".join([piece async for piece in response.stream])  # type: ignore[union-attr]


ENDS: dict[str, Script] = {
    "hang up": [HangUp()],
    "half close": [HalfClose()],
    "reset": [AwaitReader(), Reset()],
    "bytes nobody asked for": [AwaitReader(), Say(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")],
}


@pytest.mark.parametrize("name", ENDS)
async def test_an_idle_connection_that_has_ended_is_not_used(name: str) -> None:
    async with hostile_server() as server, _transport(server.url) as transport:
        server.scripts += [[Read(), WHOLE, *ENDS[name]], [Read(), WHOLE]]
        assert await _ask(transport, server.url) == b"hi"
        server.reader_has_begun.set()
        await server.settled(1)
        assert transport.pool.idle == 1

        assert await _ask(transport, server.url) == b"hi"

        assert (server.connections, len(server.requests)) == (2, 2)


class Reuse:
    """Two requests on one real connection, of which the second meets what the test arranges."""

    def __init__(self, server: HostileServer, transport: OriginTransport) -> None:
        self.server = server
        self.transport = transport
        self.phases: list[str] = []
        self.before_sending: Callable[[], object] = self.phases.copy

    async def first(self) -> None:
        self.server.scripts.append([Read(), WHOLE])
        assert await _ask(self.transport, self.server.url) == b"hi"
        await self.server.settled(1)
        assert self.transport.pool.idle == 1

    async def second(self, method: str, body: bytes = b"{}") -> bytes:
        def on_phase(phase: str) -> None:
            self.phases.append(phase)
            if self.phases == ["sending"]:
                self.before_sending()

        request = httpx.Request(method, self.server.url, content=body, extensions={"manus_phase": on_phase})
        response = await self.transport.handle_async_request(request)
        return b"".join([piece async for piece in response.stream])  # type: ignore[union-attr]


async def test_a_post_is_resent_once_where_the_server_cannot_have_read_it() -> None:
    """The server closes after we looked and before our bytes arrive, as when the two cross on a long way."""
    async with hostile_server() as server, _transport(server.url) as transport:
        reuse = Reuse(server, transport)
        await reuse.first()
        reuse.before_sending = server.close_connections
        server.scripts.append([Read(), WHOLE])

        assert await reuse.second("POST") == b"hi"

        assert reuse.phases == ["sending", "sent", "connecting", "sending", "sent"]
        assert (server.connections, len(server.requests)) == (2, 2)


UNSAFE: dict[str, tuple[Script, type[Exception]]] = {
    "hangs up after reading": ([Read(), HangUp()], httpx.RemoteProtocolError),
    "resets after reading": ([Read(), Reset()], httpx.ReadError),
    "begins to answer": ([Read(), Say(b"HTTP/1.1 2"), HangUp()], httpx.RemoteProtocolError),
    "sends an interim answer": ([Read(), Say(b"HTTP/1.1 100 Continue\r\n\r\n"), HangUp()], httpx.RemoteProtocolError),
}


@pytest.mark.parametrize("name", UNSAFE)
async def test_a_post_that_may_have_been_read_is_not_resent(name: str) -> None:
    script, error = UNSAFE[name]
    async with hostile_server() as server, _transport(server.url) as transport:
        reuse = Reuse(server, transport)
        await reuse.first()
        server.scripts += [script, [Read(), WHOLE]]

        with pytest.raises(error):
            await reuse.second("POST")

        assert reuse.phases == ["sending", "sent"]
        assert (server.connections, len(server.requests), reuse.transport.pool.slots_taken) == (1, 2, 0)


async def test_an_idempotent_request_is_resent_unless_an_answer_began() -> None:
    async with hostile_server() as server, _transport(server.url) as transport:
        reuse = Reuse(server, transport)
        await reuse.first()
        server.scripts += [[Read(), HangUp()], [Read(), WHOLE]]
        assert await reuse.second("GET") == b"hi"
        assert len(server.requests) == 3

        server.scripts += [[Read(), Say(b"HTTP/1.1 2"), HangUp()], [Read(), WHOLE]]
        with pytest.raises(httpx.RemoteProtocolError):
            await reuse.second("GET")


async def test_half_a_request_is_resent_since_nobody_acts_on_it() -> None:
    async with hostile_server() as server, _transport(server.url) as transport:
        reuse = Reuse(server, transport)
        await reuse.first()
        server.scripts += [[ReadHead(), Reset()], [Read(), WHOLE]]
        assert await reuse.second("POST", b"x" * 20_000_000) == b"hi"
        assert server.connections == 2


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_nothing_is_resent_twice_and_nothing_on_a_fresh_connection(method: str) -> None:
    async with hostile_server() as server, _transport(server.url) as transport:
        server.scripts += [[Read(), HangUp()], [Read(), WHOLE]]
        with pytest.raises(httpx.RemoteProtocolError):
            await _ask(transport, server.url, method=method)
        assert len(server.requests) == 1

    async with hostile_server() as server, _transport(server.url) as transport:
        reuse = Reuse(server, transport)
        await reuse.first()
        reuse.before_sending = server.close_connections
        server.scripts += [[Read(), HangUp()], [Read(), WHOLE]]
        with pytest.raises(httpx.RemoteProtocolError):
            await reuse.second(method)
        assert len(server.requests) == 2
        assert reuse.transport.pool.slots_taken == 0
