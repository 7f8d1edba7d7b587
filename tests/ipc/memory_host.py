"""Own a host in memory: the real adapter over two pipes that a test holds, under a virtual clock."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import trio

from manus.ipc.drain import Drain
from manus.ipc.methods import Methods
from manus.ipc.policy import IpcPolicy
from manus.ipc.served import Host
from manus.ipc.session import Ending, Session
from manus.ipc.stdio_adapter import STDIO, stdio_child
from manus.sim.behaviour import Script
from manus.supervisor.wake import WakeSlot
from manus.trio_agent import TrioAgent
from tests.face.rig import Rig, open_rig

POLICY = IpcPolicy()

HORIZON_S = 86_400.0


class MemorySource:
    """What the host writes; `piece` bounds how much of it one `receive` gives."""

    def __init__(self) -> None:
        self.piece = 65_536
        self.reads = 0
        self.error: OSError | None = None
        self._bytes = bytearray()
        self._ended = False
        self._reader = WakeSlot()

    @property
    def unread(self) -> int:
        """How much the server has yet to read."""
        return len(self._bytes)

    def write(self, data: bytes) -> None:
        """Be the host that writes."""
        self._bytes += data
        self._reader.wake()

    def end(self) -> None:
        """Be the host that closes its end."""
        self._ended = True
        self._reader.wake()

    async def receive(self) -> bytes:
        await trio.lowlevel.checkpoint()
        while not (self._bytes or self._ended or self.error):
            await self._reader.wait()
        if self.error is not None:
            raise self.error
        self.reads += 1
        taken = bytes(self._bytes[: self.piece])
        del self._bytes[: self.piece]
        return taken

    def close(self) -> None:
        self.closed = True


class MemorySink:
    """What the host reads: `room` bytes fit in before it has to read on. `written` is what it has not read."""

    def __init__(self, room: int = 65_536) -> None:
        self.room = room
        self.piece = 65_536
        self.error: OSError | None = None
        self.broken = False
        self.written = bytearray()
        self._read = bytearray()
        self._writer = WakeSlot()
        self._heard = WakeSlot()

    async def send_some(self, data: memoryview) -> int:
        await trio.lowlevel.checkpoint()
        while len(self.written) >= self.room and self.error is None:
            await self._writer.wait()
        if self.error is not None:
            raise self.error
        count = min(len(data), self.piece, self.room - len(self.written))
        self.written += data[:count]
        self._heard.wake()
        return count

    async def flush(self) -> None:
        await trio.lowlevel.checkpoint()

    def is_broken(self) -> bool:
        return self.broken

    def close(self) -> None:
        self.closed = True

    def fail(self, error: OSError) -> None:
        """Be the host that is gone."""
        self.error = error
        self.broken = True
        self._writer.wake()

    async def line(self) -> bytes:
        """Read the next line, as far as there is room for it, piece by piece."""
        while (end := self._read.find(b"\n")) < 0:
            while not self.written:
                await self._heard.wait()
            self._read += self.written
            self.written.clear()
            self._writer.wake()
        line = bytes(self._read[:end])
        del self._read[: end + 1]
        return line


class MemoryHost:
    """A host, and the session that serves it."""

    def __init__(self, agent: TrioAgent, policy: IpcPolicy, *, room: int = 65_536, engine: bool = False) -> None:
        self.agent = agent
        self.source = MemorySource()
        self.sink = MemorySink(room)
        self.session = Session(policy)
        self.drain = Drain()
        self.ended: Ending | None = None
        self._over = trio.Event()
        methods = Methods(agent.view())
        self.host = Host(self.session, self.source, self.sink, methods, engine=engine)

    def start(self) -> None:
        """Have it served, as stdin and stdout are."""
        self.agent.add_adapter(stdio_child(self.host, self.drain, self._on_end))

    def _on_end(self, ending: Ending) -> None:
        assert self.ended is None, "a connection ends once"
        self.ended = ending
        self._over.set()

    def say(self, *messages: object) -> None:
        """Write lines: bytes as they are, the rest as JSON."""
        for message in messages:
            self.source.write(message if isinstance(message, bytes) else json.dumps(message).encode() + b"\n")

    def ask(self, request_id: int | str, method: str, **params: object) -> None:
        """Make a request of JSON-RPC."""
        self.say({"jsonrpc": "2.0", "id": request_id, "method": method, "params": params})

    def tell(self, method: str, **params: object) -> None:
        """Send a notification."""
        self.say({"jsonrpc": "2.0", "method": method, "params": params})

    async def hear(self) -> dict[str, Any]:
        """Read the next line."""
        heard = json.loads(await self.sink.line())
        assert isinstance(heard, dict)
        return heard

    async def greet(self, **params: object) -> dict[str, Any]:
        """Initialize."""
        self.ask("hello", "initialize", protocolVersion=1, **params)
        return await self.hear()

    async def answer(self, request_id: int | str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Read until the reply to a request: its events, whose numbers have no gap, and the reply.

        What is said of others meanwhile is dropped.
        """
        events: list[dict[str, Any]] = []
        while True:
            heard = await self.hear()
            if heard.get("method") == "stream.event":
                if heard["params"]["id"] == request_id:
                    assert heard["params"]["seq"] == len(events), "the numbers of events have no gap"
                    events.append(heard["params"]["event"])
            elif heard.get("id") == request_id:
                return events, heard

    async def over(self) -> Ending:
        """Wait for the end of the connection."""
        await self._over.wait()
        assert self.ended is not None
        return self.ended

    def crash(self, error: Exception | None = None) -> None:
        """Crash the session, as a defect in its own code would."""
        self.agent._tree.crash(STDIO, error or RuntimeError("crashed on purpose"))


@asynccontextmanager
async def open_host(
    rig: Rig,
    tables: Mapping[str, object] | None = None,
    *,
    room: int = 65_536,
    greeted: bool = True,
    engine: bool = False,
    **policy: Any,
) -> AsyncIterator[MemoryHost]:
    """Serve a host in memory; the names of `policy` are those of `IpcPolicy`. What takes longer than a day is hung."""
    with trio.fail_after(HORIZON_S):
        async with open_rig(rig, tables) as agent:
            host = MemoryHost(agent, msgspec.structs.replace(POLICY, **policy), room=room, engine=engine)
            host.start()
            if greeted:
                await host.greet()
            yield host
            host.drain.ask(0.0)


LONG = " ".join(f"word{number}" for number in range(400)) + "."


def slow(text: str = LONG, gap_s: float = 0.05) -> Rig:
    return Rig(Script(text=text, gap_s=gap_s))


def said(events: list[dict[str, Any]]) -> str:
    return "".join(event["delta"] for event in events)
