"""Own the proof that the protocol is what it says: line clients of JSON-RPC that other people wrote drive the server.

`agent-client-protocol` talks over the pipes of a subprocess; `aiorpcX` (the wallet servers' library) over one socket
that is the server's stdin and stdout both. Neither knows anything of Manus.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from acp import RequestError
from acp.connection import Connection
from aiorpcx import Notification, RPCError, RPCSession
from aiorpcx.rawsocket import RSTransport
from aiorpcx.session import SessionKind

from tests.conformance.driver import WAIT_S
from tests.conformance.links import ROOT, SERVE, write_config
from tests.conformance.vendors import LONG, STALLED, TEXT, Vendors, served

pytestmark = pytest.mark.filterwarnings("default::ResourceWarning")

HELLO = {"protocolVersion": 1, "client": {"name": "a peer"}}
ONLY_FIRST = {"provider": "first", "fallback_providers": []}


class AcpPeer:
    """The connection of `agent-client-protocol` over pipes, and the events that came."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.process = process
        self.events: list[Any] = []  # Any: JSON
        self.came = asyncio.Event()
        self.connection = Connection(self._told, process.stdin, process.stdout)

    async def ask(self, method: str, params: Any = None) -> Any:  # Any: JSON
        async with asyncio.timeout(WAIT_S):
            return await self.connection.send_request(method, params)

    async def _told(self, method: str, params: Any, is_notification: bool) -> None:
        assert (method, is_notification) == ("stream.event", True)
        self.events.append(params)
        self.came.set()


@contextlib.asynccontextmanager
async def acp_peer(config: Path) -> AsyncIterator[AcpPeer]:
    """Start a server and connect to it by its pipes."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *SERVE, "--stdio", "--config", str(config), cwd=ROOT, stdin=pipe, stdout=pipe, limit=1 << 20
    )
    try:
        peer = AcpPeer(process)
        yield peer
        await peer.connection.close()
        async with asyncio.timeout(WAIT_S):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.fixture
def vendors() -> Any:  # Any: a generator, as fixtures are
    with served() as made:
        yield made


@pytest.fixture
def config(vendors: Vendors, tmp_path: Path) -> Path:
    return write_config(vendors.configuration(), tmp_path / "llm.toml")


def test_a_client_of_agents_asks_streams_and_cancels(config: Path, vendors: Vendors) -> None:
    async def program() -> None:
        async with acp_peer(config) as peer:
            assert await peer.ask("ping") == {}
            assert (await peer.ask("initialize", HELLO))["server"]["name"] == "manus"
            assert (await peer.ask("generate", {"prompt": "plain please"}))["content"] == TEXT

            streamed = await peer.ask("stream", {"prompt": "long please", **ONLY_FIRST})
            assert [event["seq"] for event in peer.events] == list(range(len(peer.events)))
            assert "".join(event["event"]["delta"] for event in peer.events) == streamed["content"] == LONG

            peer.events.clear()
            peer.came.clear()
            stuck = asyncio.create_task(peer.ask("stream", {"prompt": "stall please", **ONLY_FIRST}))
            async with asyncio.timeout(WAIT_S):
                while "".join(event["event"]["delta"] for event in peer.events) != STALLED:
                    await peer.came.wait()
                    peer.came.clear()
            await peer.connection.send_notification("$/cancelRequest", {"id": peer.events[0]["id"]})
            cancelled = await stuck
            assert (cancelled["finish_reason"], cancelled["content"]) == ("cancelled", STALLED)

            with pytest.raises(RequestError) as refused:
                await peer.ask("generate", {"prompt": "plain please", "temperature": 9})
            assert refused.value.code == -32602
            assert isinstance(refused.value.data, dict)
            assert refused.value.data["path"] == "params.temperature"
            assert await peer.ask("shutdown") == {}

    asyncio.run(program())
    assert all(not row.open for rows in vendors.rows().values() for row in rows)


def test_a_client_of_agents_asks_many_things_at_once(config: Path) -> None:
    async def program() -> None:
        async with acp_peer(config) as peer:
            await peer.ask("initialize", HELLO)
            asked = (peer.ask("generate", {"prompt": f"question {number}", **ONLY_FIRST}) for number in range(50))
            answers = await asyncio.gather(*asked)
            assert [answer["content"].rsplit(" ", 1)[1] for answer in answers] == [str(n) for n in range(50)]
            await peer.ask("shutdown")

    asyncio.run(program())


class WalletSession(RPCSession):  # type: ignore[misc]  # the library has no types
    """The session of `aiorpcX`, and the events that came."""

    def __init__(self, transport: RSTransport) -> None:
        super().__init__(transport)
        self.events: list[Any] = []  # Any: JSON

    async def handle_request(self, request: object) -> None:
        assert isinstance(request, Notification)
        assert request.method == "stream.event"
        self.events.append(request.args)


def test_a_client_of_wallets_asks_and_streams_over_a_socket(config: Path) -> None:
    async def program() -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *SERVE, "--stdio", "--config", str(config), cwd=ROOT, stdin=theirs.fileno(), stdout=theirs.fileno()
            )
        loop = asyncio.get_running_loop()
        try:
            _, protocol = await loop.create_connection(_wallet_transport, sock=ours)
            session = protocol.session
            async with asyncio.timeout(WAIT_S):
                await session.send_request("initialize", HELLO)
                answer = await session.send_request("generate", {"prompt": "plain please"})
                assert answer["content"] == TEXT
                streamed = await session.send_request("stream", {"prompt": "long please", **ONLY_FIRST})
                assert [event["seq"] for event in session.events] == list(range(len(session.events)))
                assert "".join(event["event"]["delta"] for event in session.events) == streamed["content"] == LONG
                with pytest.raises(RPCError) as refused:
                    await session.send_request("generate", {"prompt": "unknown please", **ONLY_FIRST})
                assert refused.value.code == -32004
                with pytest.raises(RPCError) as unknown:
                    await session.send_request("blockchain.headers.subscribe")
                assert unknown.value.code == -32601
                assert await session.send_request("ping") == {}
                await session.close()
                assert await process.wait() == 0
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    asyncio.run(program())


def _wallet_transport() -> RSTransport:
    return RSTransport(WalletSession, None, SessionKind.CLIENT)
