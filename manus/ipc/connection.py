"""Own one incarnation of a connection: the task that reads, the one that writes, those that work, and the end of all.

The reader never waits for an answer. It waits for one thing alone, room in the outbox, so that a host which asks and
never reads is read no further; to everybody else cancel, credit and ping always get through.

What must not be lost with this incarnation is in its `Session`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import final

import msgspec
import trio

from manus.ipc.calls import Calls
from manus.ipc.desk import Desk
from manus.ipc.dialects.json_rpc import refusal_line
from manus.ipc.events import SessionBuried
from manus.ipc.framing import Oversized, Unfinished
from manus.ipc.methods import Methods
from manus.ipc.pipes import Sink, Source
from manus.ipc.refusals import CutOff, FrameTooLarge, UnfinishedLine
from manus.ipc.session import Ending, Session, Why
from manus.supervisor.wake import WakeSlot

LOOK_S = 0.25
"""How often, while a host that closed its end is waited for, it is looked whether it reads at all."""


@final
class Connection:
    """Serve one host over `source` and `sink`, which stay whole and open: whoever made them closes them.

    Args:
        session: its state, new or left by an incarnation that crashed.
        source, sink: its pipes.
        methods: what it may ask of the agent.
        name: its own, for events.
        engine: whether the Atomic Engine's envelope is spoken on it.
        emit: publishes an event.
        redact: strikes secrets out of the texts of defects.
    """

    def __init__(
        self,
        session: Session,
        source: Source,
        sink: Sink,
        *,
        methods: Methods,
        name: str,
        engine: bool,
        emit: Callable[[msgspec.Struct], None],
        redact: Callable[[str], str] = str,
    ) -> None:
        self._session = session
        self._source = source
        self._sink = sink
        self._methods = methods
        self._name = name
        self._engine = engine
        self._emit = emit
        self._redact = redact
        self._desk: Desk
        self._ends = trio.Event()
        self._patience = trio.CancelScope()
        self._written = WakeSlot()
        self._flush_s = session.policy.flush_s

    async def run(self) -> Ending:
        """Serve until the connection has come to its end; every request is answered by then. Gives the end.

        Cancelled, or by a defect, it leaves the session to its next incarnation.
        """
        session = self._session
        buried = session.bury()
        if buried:
            self._emit(SessionBuried(requests=buried))
        async with trio.open_nursery(strict_exception_groups=True) as nursery:
            emit, name = self._emit, self._name
            calls = Calls(session, self._methods, nursery, name=name, emit=emit, redact=self._redact)
            self._desk = Desk(
                session,
                calls,
                name=name,
                engine=self._engine,
                durability=self._methods.durability,
                end=self.end,
                emit=emit,
            )
            nursery.start_soon(self._read, name="reader")
            nursery.start_soon(self._write, name="writer")
            if session.ending is not None:
                self._ends.set()
            await self._ends.wait()
            nursery.start_soon(self._look_whether_it_reads, name="look")
            await self._wind_up()
            nursery.cancel_scope.cancel(reason="the connection is at its end")
        assert session.ending is not None
        return session.ending

    def end(self, why: Why, within_s: float) -> None:
        """Take nothing new, and end within that time. Synchronous; said again, it can only end earlier."""
        self._session.end(why, trio.current_time() + within_s)
        if why == "exit":
            self._flush_s = self._session.policy.exit_flush_s
        assert self._session.ending is not None
        self._patience.deadline = min(self._patience.deadline, self._session.ending.deadline)
        self._ends.set()

    # --- its tasks --------------------------------------------------------------------------------

    async def _read(self) -> None:
        session = self._session
        framer, outbox = session.framer, session.outbox
        handled = 0
        while True:
            await outbox.wait_room()
            await session.wait_places()
            line = framer.next_line()
            if line is not None:
                self._take(line)
                handled += 1
                if handled % session.policy.lines_per_pass == 0:
                    await trio.lowlevel.checkpoint()
                continue
            if session.input_ended:
                self.end("eof", session.policy.drain_s)
                return
            try:
                chunk = await self._source.receive()
            except OSError:
                self._nobody_there()
                return
            # No checkpoint since the bytes were taken from the pipe: a crash finds them in the session.
            if chunk:
                framer.feed(chunk)
            else:
                framer.end()
                session.input_ended = True
                self._lift_windows()

    def _take(self, line: bytes | Oversized | Unfinished) -> None:
        match line:
            case Oversized(bytes_max=bytes_max):
                self._session.outbox.reply(refusal_line(FrameTooLarge(bytes_max)))
            case Unfinished():
                self._session.outbox.reply(refusal_line(UnfinishedLine()))
            case bytes():
                self._desk.take(line)

    def _lift_windows(self) -> None:
        for call in self._session.calls.values():
            if call.flow is not None:
                call.flow.lift(trio.current_time())
                self._session.outbox.flow_moves(call.flow)

    async def _write(self) -> None:
        outbox, sink = self._session.outbox, self._sink
        while True:
            data = outbox.next_bytes(trio.current_time())
            if data is None:
                self._written.wake()
                await outbox.wait_work()
                continue
            try:
                count = await sink.send_some(data)
            except OSError:
                self._nobody_there()
                await trio.sleep_forever()
            # No checkpoint since: what went is never written twice.
            outbox.wrote(count, trio.current_time())

    async def _look_whether_it_reads(self) -> None:
        """End at once what is done for nobody: a host that died has closed both of its ends."""
        while True:
            if self._sink.is_broken():
                self._nobody_there()
                return
            await trio.sleep(LOOK_S)

    # --- its end ----------------------------------------------------------------------------------

    async def _wind_up(self) -> None:
        """Let what is in flight end by its deadline, answer for the rest, and have the last words written."""
        session = self._session
        await self._until_idle()
        if session.calls:
            for call in session.calls.values():
                call.scope.cancel(reason="the connection ends")
            with trio.move_on_after(session.policy.settle_s):
                await self._until_idle(by_deadline=False)
            session.bury(CutOff)
        for voice in session.shutdowns.values():
            session.outbox.reply(voice.result({}))
        session.shutdowns.clear()
        with trio.move_on_after(self._flush_s):
            while not session.outbox.empty:
                await self._written.wait()
            await self._sink.flush()

    async def _until_idle(self, *, by_deadline: bool = True) -> None:
        session = self._session
        assert session.ending is not None
        with trio.CancelScope(deadline=session.ending.deadline if by_deadline else math.inf) as self._patience:
            while session.calls:
                await session.idle.wait()

    def _nobody_there(self) -> None:
        """Nobody reads any more: end what is in flight, and settle it."""
        self._session.outbox.abandon()
        self._written.wake()
        self.end("gone", 0.0)
