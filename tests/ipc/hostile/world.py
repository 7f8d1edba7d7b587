"""Own the simulated world: a whole agent, its adapters over pipes in memory, hosts at play, and what must hold.

One host is on stdio, whose session outlives being struck; the others are on connections that end when they are. One
more behaves, and gets what it asks for whatever the others do.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, final

import msgspec
import trio

from manus.ipc.drain import Drain
from manus.ipc.methods import Methods
from manus.ipc.policy import IpcPolicy
from manus.ipc.served import Host, serve_host
from manus.ipc.session import Session
from manus.ipc.stdio_adapter import STDIO, stdio_child
from manus.sim.behaviour import Script
from manus.sim.determinism import simulate
from manus.supervisor.context import Context
from manus.supervisor.spec import ChildSpec
from manus.trio_agent import TrioAgent
from tests.face.rig import Rig, open_rig
from tests.ipc.hostile.drawn import GRID_S, Bounds, HostPlan, WorldPlan
from tests.ipc.hostile.memory_pipe import SinkEnd, SourceEnd
from tests.ipc.hostile.played import PlayedHost

ANSWER: Final = "One two three four five six seven eight nine ten eleven twelve."
HORIZON_S: Final = 10_000.0
DRAIN_S: Final = 2.0
STALL_S: Final = 1.0
PROGRAMS_S: Final = 40.0
"""By then every program is over or waits for what never comes."""

REPLY_BYTES_MAX: Final = 4096
"""More than any one reply or event of these worlds has."""

GOOD: Final = HostPlan(
    name="good",
    program=("generate", "stream", "wait", "ping", "stream", "generate", "wait", "stream", "ping") * 3,
    ending="finish",
    reads=True,
    portion_bytes=4096,
    pipe_bytes=65_536,
    grants=True,
    bounds=Bounds(
        window=8,
        in_flight_max=1024,
        outbox_bytes_max=8 * 2**20,
        stream_bytes_max=64 * 2**10,
        event_bytes_max=8 * 2**10,
        batch_bytes=64 * 2**10,
        lines_per_pass=64,
    ),
)


class WorldReport(msgspec.Struct, kw_only=True):
    """What is left when all is over, for whoever judges it."""

    broken: list[str] = msgspec.field(default_factory=list)
    marks: dict[str, int] = msgspec.field(default_factory=dict)

    def expect(self, holds: bool, sentence: str) -> None:
        """Note that something should have held."""
        if not holds:
            self.broken.append(sentence)

    def mark(self, name: str, count: int = 1) -> None:
        """Note that something was seen."""
        if count:
            self.marks[name] = self.marks.get(name, 0) + count


def run_world(plan: WorldPlan) -> WorldReport:
    """Play a world from its seed, and judge it."""
    world = World(plan)
    simulate(world.play, schedule_seed=plan.seed, horizon_s=HORIZON_S, fenced=False)
    return world.report


@final
class World:
    """One world."""

    def __init__(self, plan: WorldPlan) -> None:
        self.plan = plan
        self.report = WorldReport()
        self.rig = Rig(Script(text=ANSWER, gap_s=plan.gap_s))
        self._hosts = [PlayedHost(each, plan.seed, on_stdio=not place) for place, each in enumerate(plan.hosts)]
        self._good = PlayedHost(GOOD, plan.seed)
        self._sessions: dict[str, Session] = {}
        self._drain = Drain()
        self._struck: set[int] = set()

    async def play(self) -> None:
        """Live through it all."""
        async with self._agent() as agent:
            async with trio.open_nursery(strict_exception_groups=True) as nursery:
                for host in (self._good, *self._hosts):
                    self._connect(agent, host)
                nursery.start_soon(self._strike, agent)
                nursery.start_soon(self._watch_bounds)
                with trio.move_on_after(PROGRAMS_S):
                    async with trio.open_nursery(strict_exception_groups=True) as playing:
                        for host in (self._good, *self._hosts):
                            playing.start_soon(host.run)
                self._drain.ask(DRAIN_S)
                for host in self._hosts:
                    host.output.close_reader()
                    host.input.close_writer()
                await self._until_adapters_are_gone(agent)
                await self._settled()
                nursery.cancel_scope.cancel()
            await self._check_books(agent)
        self._check_hosts()

    @asynccontextmanager
    async def _agent(self) -> AsyncIterator[TrioAgent]:
        async with open_rig(self.rig, {"general": {"enable_logging": False}}) as agent:
            assert isinstance(agent, TrioAgent)
            yield agent

    # --- what happens

    def _connect(self, agent: TrioAgent, played: PlayedHost) -> None:
        bounds = msgspec.structs.asdict(played.plan.bounds)
        session = Session(IpcPolicy(**bounds, consumer_stall_s=STALL_S, drain_s=DRAIN_S))
        source, sink = SourceEnd(played.input), SinkEnd(played.output)
        host = Host(session, source, sink, Methods(agent.view()), engine=not played.on_stdio)
        self._sessions[played.plan.name] = session
        if played.on_stdio:

            def ended(_: object) -> None:
                host.close()

            agent.add_adapter(stdio_child(host, self._drain, ended))
            return

        async def start(ctx: Context) -> None:
            try:
                await serve_host(ctx, host, self._drain)
            finally:
                host.close()

        agent.add_adapter(ChildSpec(id=_socket(played), start=start, restart="temporary", liveness=None))

    async def _strike(self, agent: TrioAgent) -> None:
        for at_s, place in self.plan.strikes:
            await trio.sleep_until(at_s)
            try:
                agent._tree.crash(STDIO if place == 0 else _socket(self._hosts[place]), RuntimeError("on purpose"))
                self.report.mark("struck on stdio" if place == 0 else "struck on a socket")
                self._struck.add(place)
            except LookupError:
                self.report.mark("missed")

    async def _watch_bounds(self) -> None:
        while True:
            for name, session in self._sessions.items():
                bounds = session.policy
                waits = session.outbox.waiting_bytes
                # A reply each that was made before there was no room, and a batch that is being written.
                most = bounds.outbox_bytes_max + bounds.batch_bytes + 2 * REPLY_BYTES_MAX
                self.report.expect(waits <= most, f"{name}: {waits} bytes wait to be written, of {most}")
                streams = [call.flow for call in session.calls.values() if call.flow is not None]
                for flow in streams:
                    most = bounds.stream_bytes_max + REPLY_BYTES_MAX
                    self.report.expect(flow.waiting_bytes <= most, f"{name}: {flow.waiting_bytes} wait in a stream")
            await trio.sleep(GRID_S)

    async def _until_adapters_are_gone(self, agent: TrioAgent) -> None:
        while any(  # noqa: ASYNC110  # nobody tells
            each.id.startswith("adapters/") and each.state != "stopped" for each in agent._tree.status()
        ):
            await trio.sleep(GRID_S)

    async def _settled(self) -> None:
        while self.rig.open_exchanges:  # noqa: ASYNC110  # nobody tells
            await trio.sleep(GRID_S)

    # --- what must hold

    async def _check_books(self, agent: TrioAgent) -> None:
        expect = self.report.expect
        stats = await agent.get_usage_stats(by="provider")
        expect(stats.total.open == 0, f"{stats.total.open} calls are left open in the books")
        for name, sim in (("first", self.rig.first), ("second", self.rig.second)):
            line = next((each for each in stats.lines if each.provider == name), None)
            billed = [row for row in sim.bill if row.billed]
            booked = 0 if line is None else line.settled + line.in_doubt
            expect(booked >= len(billed), f"{name} bills {len(billed)} calls, {booked} are booked")
            self.report.mark("billed", len(billed))
            if line is not None and line.estimated == 0 and line.in_doubt == 0:
                owed = (sum(row.input_tokens for row in billed), sum(row.output_tokens for row in billed))
                expect((line.input_tokens, line.output_tokens) == owed, f"{name} bills {owed}, booked is {line}")

    def _check_hosts(self) -> None:
        self.report.expect(self._good.finished, "good: it did not come to its end")
        for number, host in enumerate((self._good, *self._hosts)):
            name, heard = host.plan.name, host.heard
            # Who does not read is waited for, but not for ever: its last line may be cut.
            broken = [each for each in heard.broken if host.plan.reads or "within a line" not in each]
            self.report.broken += [f"{name}: {sentence}" for sentence in broken]
            for asked, replies in heard.replies.items():
                self.report.expect(len(replies) == 1, f"{name}: {len(replies)} replies to {asked}")
                self.report.expect(asked in host.asked, f"{name}: a reply to {asked}, which nobody asked")
                for reply in replies:
                    self._check_reply(host, asked, reply)
            cut_off = not host.on_stdio and number - 1 in self._struck
            if heard.ended and host.finished and not host.left_early and not cut_off:
                self._check_all_was_answered(host)

    def _check_all_was_answered(self, host: PlayedHost) -> None:
        """Everything that was written whole is answered once, whoever was struck meanwhile."""
        if host.plan.ending not in ("finish", "half_close"):
            return
        name, heard, expect = host.plan.name, host.heard, self.report.expect
        missing = sorted(host.asked.keys() - heard.replies.keys())
        expect(not missing, f"{name}: no reply to {missing}")
        expect(heard.complaints == host.junk, f"{name}: {heard.complaints} complaints about {host.junk} bad lines")
        expect(len(heard.short) == host.shorts, f"{name}: {len(heard.short)} answers to {host.shorts} short requests")
        ended = {name for name, state in heard.engine.items() if state == "ended"}
        expect(ended == host.engine, f"{name}: {sorted(host.engine - ended)} of the engine's have no end")
        self.report.mark("engine ended", len(ended))
        self.report.mark("heard to the end")

    def _check_reply(self, host: PlayedHost, asked: Any, reply: dict[str, Any]) -> None:
        method = host.asked.get(asked)
        good = host is self._good
        if "error" in reply:
            kind = reply["error"]["data"]["kind"]
            self.report.mark(f"error {kind}")
            self.report.expect(not good, f"good: {method} failed: {reply['error']}")
            return
        result = reply["result"]
        if method not in ("generate", "stream", "chat_stream"):
            return
        self.report.mark(f"{method} {result['finish_reason']}")
        whole = result["finish_reason"] == "stop"
        self.report.expect(ANSWER.startswith(result["content"]), f"{host.plan.name}: {result['content']!r}")
        self.report.expect(not whole or result["content"] == ANSWER, f"{host.plan.name}: cut, and said to be whole")
        self.report.expect(not good or whole, f"good: {method} ended with {result['finish_reason']}")
        # A request that was cut when its answer was there already ends well; its events then stop where they were.
        if method == "stream" and whole and asked not in host.cancelled and host.plan.ending in ("finish", "stay"):
            events = host.heard.events[asked]
            self.report.expect(events == ANSWER, f"{host.plan.name}: the events of {asked} make {events!r}")


def _socket(played: PlayedHost) -> str:
    return f"adapters/{played.plan.name}"
