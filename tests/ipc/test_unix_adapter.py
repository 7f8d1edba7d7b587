"""Many hosts at one socket: each a supervised child of its own, which takes no other along."""

from __future__ import annotations

import errno
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Never

import pytest
import trio

from manus.ipc import unix_adapter
from manus.ipc.drain import Drain
from manus.ipc.events import AcceptingPaused
from manus.ipc.policy import ipc_policy
from manus.ipc.unix_adapter import UNIX, UnixServer, unix_child
from manus.ipc.unix_socket import Peer, bind
from manus.sim.behaviour import Script
from manus.trio_agent import TrioAgent
from tests.face.rig import TEXT, Rig, names_of, open_rig

LIMIT_S = 30.0


class Client:
    """A host at the socket."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self._read = bytearray()

    async def say(self, *messages: object) -> None:
        for message in messages:
            await self.stream.send_all(json.dumps(message).encode() + b"\n")

    async def ask(self, request_id: int, method: str, **params: object) -> None:
        await self.say({"jsonrpc": "2.0", "id": request_id, "method": method, "params": params})

    async def hear(self) -> dict[str, Any]:
        while (end := self._read.find(b"\n")) < 0:
            piece = await self.stream.receive_some()
            if not piece:
                raise EOFError
            self._read += piece
        line = bytes(self._read[:end])
        del self._read[: end + 1]
        heard = json.loads(line)
        assert isinstance(heard, dict)
        return heard

    async def reply(self, request_id: int) -> dict[str, Any]:
        while (heard := await self.hear()).get("id") != request_id:
            pass
        return heard


class Served:
    """An agent at a socket."""

    def __init__(self, agent: TrioAgent, path: Path, **tables: int) -> None:
        self.agent = agent
        self.path = path
        self.drain = Drain()
        self.server = UnixServer(
            bind(path), agent, self.drain, policy_of=lambda agent: ipc_policy(agent.config), redact=str
        )

    @asynccontextmanager
    async def client(self, *, greeted: bool = True) -> AsyncIterator[Client]:
        async with await trio.open_unix_socket(self.path) as stream:
            client = Client(stream)
            if greeted:
                await client.ask(0, "initialize", protocolVersion=1)
                await client.reply(0)
            yield client

    def connections(self) -> list[str]:
        """Name the children that serve a connection."""
        return [each.id for each in self.agent._tree.status() if each.id.startswith(UNIX + "/")]


@asynccontextmanager
async def served(path: Path, rig: Rig | None = None, **ipc: object) -> AsyncIterator[Served]:
    with trio.fail_after(LIMIT_S):
        async with open_rig(rig or Rig(), {"ipc": ipc}) as agent:
            one = Served(agent, path / "s")
            agent.add_adapter(unix_child(one.server, ipc_policy(agent.config)))
            try:
                yield one
            finally:
                one.drain.ask(0.0)
                await one.server.wait_none()
                one.server.close()


async def test_each_connection_is_one_of_its_own(tmp_path: Path) -> None:
    async with served(tmp_path) as at, at.client() as first, at.client() as second, at.client(greeted=False) as third:
        await first.ask(1, "providers.switch", provider="second")
        await first.reply(1)
        await third.ask(1, "generate", prompt="hello")
        for client in (first, second):
            await client.ask(2, "generate", prompt="hello")
        answers = [(await client.reply(2))["result"] for client in (first, second)]

        assert [each["provider"] for each in answers] == ["second", "first"]
        assert (await third.reply(1))["error"]["data"]["kind"] == "not_initialized"
        assert len(at.connections()) == 3


async def test_a_crash_in_one_connection_closes_its_socket_alone(tmp_path: Path) -> None:
    rig = Rig(Script(text=TEXT, gap_s=0.05))
    async with served(tmp_path, rig) as at, at.client() as unlucky, at.client() as other:
        await unlucky.ask(1, "stream", prompt="hello")
        await other.ask(1, "stream", prompt="hello")
        await unlucky.hear()
        at.agent._tree.crash(f"{UNIX}/1", RuntimeError("crashed on purpose"))
        with pytest.raises(EOFError):
            await unlucky.reply(1)

        assert (await other.reply(1))["result"]["content"] == TEXT
        assert at.connections() == [f"{UNIX}/2"]
        async with at.client() as later:
            await later.ask(1, "ping")
            assert (await later.reply(1))["result"] == {}


async def test_one_connection_too_many_is_told_so(tmp_path: Path) -> None:
    async with served(tmp_path, connections_max=2) as at:
        async with at.client(), at.client() as second:
            async with at.client(greeted=False) as third:
                told = await third.hear()
                with pytest.raises(EOFError):
                    await third.hear()
            await second.ask(1, "ping")
            await second.reply(1)
        while at.connections():  # noqa: ASYNC110  # only the tree tells of their end
            await trio.sleep(0.01)
        async with at.client() as again:
            await again.ask(1, "ping")
            await again.reply(1)

    assert told["error"]["data"]["kind"] == "overloaded"
    assert told["error"]["data"]["retry_after_ms"] == 1000


async def test_hosts_that_come_and_go_leave_nothing(tmp_path: Path) -> None:
    async with served(tmp_path) as at:
        for _ in range(40):
            async with at.client() as client:
                await client.ask(1, "stream", prompt="hello")
        while at.connections():  # noqa: ASYNC110  # only the tree tells of their end
            await trio.sleep(0.01)

        await at.server.wait_none()
        assert at.server._hosts == {}


async def test_who_knocks_while_the_listener_is_down_is_served_when_it_is_back(tmp_path: Path) -> None:
    async with served(tmp_path) as at:
        async with at.client() as before:
            at.agent._tree.crash(UNIX, RuntimeError("crashed on purpose"))
            async with at.client() as after:
                for client in (before, after):
                    await client.ask(1, "ping")
                    assert (await client.reply(1))["result"] == {}


async def test_another_users_process_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(tmp_path) as at:
        with at.agent.events() as events:
            monkeypatch.setattr(unix_adapter, "peer_of", lambda _: Peer(pid=1, uid=4_000_000))
            async with at.client(greeted=False) as stranger:
                with pytest.raises(EOFError):
                    await stranger.hear()

            assert "HostRefused" in names_of(events)
            assert at.connections() == []


async def test_a_system_without_descriptors_is_waited_for(tmp_path: Path) -> None:
    class Full:
        """A listener whose system has none to spare, twice."""

        calls = 0

        async def accept(self) -> Never:
            self.calls += 1
            if self.calls > 4:
                await trio.sleep_forever()
            raise OSError((errno.EMFILE, errno.ECONNABORTED, errno.ENFILE, errno.EBADF)[self.calls - 1], "none")

    class Context:
        """Where events go."""

        def __init__(self) -> None:
            self.events: list[object] = []

        def emit(self, event: object) -> None:
            self.events.append(event)

    async with served(tmp_path) as at:
        context, listener = Context(), Full()
        with pytest.raises(OSError, match="none"):
            await at.server._accept_all(context, listener)  # type: ignore[arg-type]  # as much as it needs of both

        assert listener.calls == 4, "a listener that is closed is no reason to try for ever"
        assert [type(each) for each in context.events] == [AcceptingPaused, AcceptingPaused]


async def test_an_end_lets_what_is_in_flight_finish_and_nobody_else_in(tmp_path: Path) -> None:
    async with served(tmp_path, Rig(Script(text=TEXT, gap_s=0.05))) as at, at.client() as host:
        await host.ask(1, "generate", prompt="hello")
        await host.ask(2, "ping")
        await host.reply(2)
        at.drain.ask(20.0)

        assert (await host.reply(1))["result"]["content"] == TEXT
        with pytest.raises(EOFError):
            await host.hear()
        await at.server.wait_none()
        assert not at.path.exists()
        with pytest.raises(OSError, match="No such file"):
            await trio.open_unix_socket(at.path)


async def test_shutdown_of_one_host_is_no_end_for_the_others(tmp_path: Path) -> None:
    async with served(tmp_path) as at, at.client() as leaving, at.client() as staying:
        await leaving.ask(1, "shutdown")
        assert (await leaving.reply(1))["result"] == {}
        with pytest.raises(EOFError):
            await leaving.hear()
        await staying.ask(1, "generate", prompt="hello")

        assert (await staying.reply(1))["result"]["content"] == TEXT
