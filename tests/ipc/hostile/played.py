"""Own the host of a simulated world: it plays its program, and writes down all that it asked and all that it heard."""

from __future__ import annotations

import contextlib
import json
import random
from collections import defaultdict
from typing import Any, final

import trio

from tests.ipc.hostile.drawn import GRID_S, Action, HostPlan
from tests.ipc.hostile.memory_pipe import MemoryPipe

JUNK = (b"{", b"[]", b"\xff\xfe", b"null", b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}', b"\x00")


@final
class Heard:
    """What came to a host, held against the rules line by line.

    Attributes:
        replies: by id, each reply that came.
        events: by id, the text of all events.
        complaints: replies without an id.
        short: replies in the short form.
        engine: by the engine's name of a request, how far its answer came.
        broken: rules that were broken.
        ended: whether the other side closed the connection.
    """

    def __init__(self) -> None:
        self.replies: defaultdict[object, list[dict[str, Any]]] = defaultdict(list)
        self.events: defaultdict[object, str] = defaultdict(str)
        self.complaints = 0
        self.short: list[dict[str, Any]] = []
        self.engine: defaultdict[str, str] = defaultdict(str)
        self.broken: list[str] = []
        self.ended = False
        self._seq: defaultdict[object, int] = defaultdict(int)
        self._rest = b""

    def take(self, data: bytes) -> list[object]:
        """Take what was read; give the id of each event that was in it."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        found: list[object] = []
        for line in lines:
            try:
                self._line(json.loads(line.decode("utf-8")), found)
            except (AssertionError, KeyError, TypeError, ValueError) as error:
                self.broken.append(f"{type(error).__name__}: {error}: {line[:200]!r}")
        return found

    def end(self) -> None:
        """The other side has closed."""
        self.ended = True
        if self._rest:
            self.broken.append(f"the connection ended within a line: {self._rest[:200]!r}")

    def _line(self, message: dict[str, Any], found: list[object]) -> None:
        if "payload" in message:
            self._envelope(message["type"], message["payload"])
            return
        if "status" in message:
            self.short.append(message)
            return
        assert message["jsonrpc"] == "2.0"
        if "method" in message:
            number, seq = message["params"]["id"], message["params"]["seq"]
            assert message["method"] == "stream.event"
            assert number not in self.replies, "an event after the reply"
            assert seq == self._seq[number], f"event {self._seq[number]} was due"
            self._seq[number] += 1
            self.events[number] += message["params"]["event"]["delta"]
            found.append(number)
        elif message["id"] is None:
            self.complaints += 1
            assert message["error"]["code"] in (-32700, -32600)
        else:
            assert ("result" in message) != ("error" in message)
            self.replies[message["id"]].append(message)

    def _envelope(self, kind: int, payload: dict[str, Any]) -> None:
        """Take one of the engine's messages: a response, a chunk or an error."""
        name = payload["request_id"]
        assert self.engine[name] != "ended", "more after the end"
        assert kind in (1, 2, 3)
        ends = kind != 2 or payload["is_final"]
        self.engine[name] = "ended" if ends else "begun"
        if kind == 2:
            assert payload["accumulated_content"].endswith(payload["delta"])


@final
class PlayedHost:
    """One host over its two pipes.

    Attributes:
        asked: each request that was written whole, by id.
        cancelled: what it took back, or tried to.
        engine: the engine's names of the requests that were written whole in its envelope.
        junk, shorts: how many bad lines, and how many requests in the short form, were written whole.
        finished: whether it came to the end of its program; who asks and does not read may wait for ever.
        left_early: whether it was gone before it had heard everything.
    """

    def __init__(self, plan: HostPlan, seed: int, *, on_stdio: bool = False) -> None:
        self.plan = plan
        self.on_stdio = on_stdio
        self.input = MemoryPipe(plan.pipe_bytes)
        self.output = MemoryPipe(plan.pipe_bytes)
        self.asked: dict[int, str] = {}
        self.engine: set[str] = set()
        self.junk = 0
        self.shorts = 0
        self.cancelled: set[object] = set()
        self.heard = Heard()
        self.finished = False
        self.left_early = False
        self._rng = random.Random(f"host/{seed}/{plan.name}")
        self._number = 0
        self._writing = trio.Lock()
        self._taken_send, self._taken = trio.open_memory_channel[object](10_000)

    async def run(self) -> None:
        """Live from the handshake to the end that the plan has for it."""
        plan = self.plan
        async with trio.open_nursery(strict_exception_groups=True) as nursery:
            if plan.grants:
                nursery.start_soon(self._grant)
            if plan.reads:
                nursery.start_soon(self._read_all)
            with contextlib.suppress(BrokenPipeError):  # the connection ended before the program did
                await self._play()
                await self._end()
                self.finished = True
            if self.left_early:
                nursery.cancel_scope.cancel()
            elif not plan.reads:
                await self._read_all()

    async def _play(self) -> None:
        hello = {"protocolVersion": 1}
        await self._ask("initialize", hello, ask_id=0)
        for action in self.plan.program:
            await self._act(action)

    async def _end(self) -> None:
        match self.plan.ending:
            case "finish":
                while len(self.heard.replies) < len(self.asked):  # noqa: ASYNC110  # another task hears them
                    await trio.sleep(GRID_S)
                await self._close_input()
            case "half_close":
                await self._close_input()
            case "shutdown":
                await self._ask("shutdown", {"deadline_ms": self._rng.choice((0, 200, 2000))})
            case "vanish":
                self._leave()
            case "die_within_a_line":
                await self.input.put(b'{"jsonrpc":"2.0","id":999,"method":"generate","params":{"prompt":"cut"}}')
                self._leave()
            case "stay":
                pass

    async def _close_input(self) -> None:
        async with self._writing:
            self.input.close_writer()

    def _leave(self) -> None:
        self.left_early = True
        self.input.close_writer()
        self.output.close_reader()

    async def _act(self, action: Action) -> None:
        rng = self._rng
        match action:
            case "generate" | "stream":
                params: dict[str, Any] = {"prompt": f"{self.plan.name}-{self._number}", "provider": "first"}
                if action == "stream" and rng.random() < 0.3:
                    params["window"] = rng.choice((1, 3))
                await self._ask(action, params | {"fallback_providers": []})
            case "chat_stream":
                params = {"message": f"{self.plan.name}-{self._number}", "conversation_id": self.plan.name}
                await self._ask(action, params)
            case "ping":
                await self._ask("ping", {"echo": "x" * rng.choice((1, 300))})
            case "cancel":
                number = self._some_id()
                self.cancelled.add(number)
                await self._tell("$/cancelRequest", id=number)
            case "credit":
                await self._tell("$/credit", id=self._some_id(), n=rng.choice((1, 5, 10**6)))
            case "pause" | "resume":
                await self._tell(f"$/{action}", id=self._some_id())
            case "garbage":
                await self._write(rng.choice(JUNK) + b"\n")
                self.junk += 1
            case "short":
                await self._write(
                    _line({"command": rng.choice(("generate", "nonsense")), "params": {"prompt": "short"}})
                )
                self.shorts += 1
            case "engine" if not self.on_stdio:
                await self._ask_as_engine()
            case "engine":
                await self._ask("ping", {})
            case "wait":
                await trio.sleep(rng.randrange(1, 10) * GRID_S)
            case "read":
                if not self.plan.reads:
                    with trio.move_on_after(GRID_S):
                        self._hear(await self.output.take(self.plan.portion_bytes))
            case "cut":
                data = _line({"jsonrpc": "2.0", "id": self._next("ping"), "method": "ping", "params": {}})
                async with self._writing:
                    await self.input.put(data[:7])
                    await trio.sleep(GRID_S)
                    await self.input.put(data[7:])

    async def _ask_as_engine(self) -> None:
        name = f"e{len(self.engine)}"
        self.engine.add(name)
        payload = {
            "request_id": name,
            "request_type": 8,
            "prompt": f"{self.plan.name}-{name}",
            "metadata": {},
            "stream": self._rng.random() < 0.7,
            "max_tokens": 100,
            "temperature": 0.5,
        }
        await self._write(_line({"id": name, "type": 0, "timestamp": 0, "payload": payload}))

    def _some_id(self) -> object:
        return self._rng.randrange(-1, self._number + 2)

    def _next(self, method: str) -> int:
        self._number += 1
        self.asked[self._number] = method
        return self._number

    async def _ask(self, method: str, params: dict[str, Any], *, ask_id: int | None = None) -> None:
        number = self._next(method) if ask_id is None else ask_id
        self.asked[number] = method
        await self._write(_line({"jsonrpc": "2.0", "id": number, "method": method, "params": params}))

    async def _tell(self, method: str, **params: object) -> None:
        await self._write(_line({"jsonrpc": "2.0", "method": method, "params": params}))

    async def _write(self, data: bytes) -> None:
        size = self.plan.portion_bytes
        async with self._writing:
            for start in range(0, len(data), size):
                await self.input.put(data[start : start + size])

    async def _read_all(self) -> None:
        while True:
            data = await self.output.take(self.plan.portion_bytes)
            if not data:
                self.heard.end()
                self._taken_send.close()
                return
            for number in self._hear(data):
                if self.plan.grants:
                    self._taken_send.send_nowait(number)

    async def _grant(self) -> None:
        """Give back an event for each that was taken. Did the reader do it, each side could wait for the other."""
        with contextlib.suppress(BrokenPipeError):  # it is ending; what is under way is still read
            async for number in self._taken:
                await self._tell("$/credit", id=number, n=1)

    def _hear(self, data: bytes) -> list[object]:
        return self.heard.take(data)


def _line(message: object) -> bytes:
    return json.dumps(message).encode() + b"\n"
