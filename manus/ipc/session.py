"""Own what of a connection outlives the task that serves it: bytes half read, requests open, lines yet to be written.

For stdin and stdout it is in the durable cell of an actor. A session that crashed is followed by another incarnation on
the same pipes, which answers every open id definitely (`bury`) and reads on. Every method is synchronous and total, so
a crash falls between whole changes.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Literal, TypeAlias, final

import msgspec
import trio

from manus.ipc.flow import Flow
from manus.ipc.framing import Framer
from manus.ipc.outbox import Outbox
from manus.ipc.policy import IpcPolicy
from manus.ipc.refusals import ConnectionCrashed, Refusal
from manus.ipc.voice import Asked, Voice
from manus.supervisor.wake import WakeSlot

Why: TypeAlias = Literal["eof", "shutdown", "exit", "stopping", "gone"]
"""Why a connection ends: the host closed its end; asked for an end; wants it at once; we stop; nobody reads."""


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """A connection that is on its way out: what is in flight has until `deadline`, on the loop's clock."""

    why: Why
    deadline: float


@final
class Call:
    """One request in flight.

    Attributes:
        scope: cancelled when the host, or the end of the connection, cancels the request.
        turn: for ordered ones: set when those before it are answered.
        done: set when it is answered.
        request_id: the ledger's id, once it has one.
        flow: its events' way, where it streams.
    """

    __slots__ = ("done", "flow", "key", "method", "request_id", "scope", "turn", "voice")

    def __init__(self, asked: Asked, key: Hashable, *, turn: trio.Event | None) -> None:
        self.key = key
        self.method = asked.method
        self.voice = asked.voice
        self.scope = trio.CancelScope()
        self.turn = turn
        self.done = trio.Event()
        self.request_id: str | None = None
        self.flow: Flow | None = None


@final
class Session:
    """The state of one connection. Belongs to the loop's thread."""

    __slots__ = (
        "_last_ordered",
        "calls",
        "ending",
        "framer",
        "greeted",
        "idle",
        "input_ended",
        "outbox",
        "policy",
        "served",
        "shutdowns",
        "thinner",
        "window",
    )

    def __init__(self, policy: IpcPolicy) -> None:
        self.policy = policy
        self.framer = Framer(policy.frame_bytes_max)
        self.outbox = Outbox(bytes_max=policy.outbox_bytes_max, batch_bytes=policy.batch_bytes)
        self.calls: dict[Hashable, Call] = {}
        self.shutdowns: dict[Hashable, Voice] = {}
        """Requests for an orderly end, which are answered last of all."""
        self.greeted = False
        self.window = policy.window
        self.input_ended = False
        self.ending: Ending | None = None
        self.served = 0
        """Requests answered so far."""
        self.idle = WakeSlot()
        """Where the end of the connection sleeps until no request is open."""
        self.thinner = WakeSlot()
        """Where the reader sleeps while it is crowded."""
        self._last_ordered: Call | None = None

    def in_flight(self, key: Hashable) -> bool:
        """Tell whether a request of this key is yet to be answered."""
        return key in self.calls or key in self.shutdowns

    @property
    def line_is_open(self) -> bool:
        """Whether a request is yet to be answered before what comes next in order."""
        return self._last_ordered is not None

    @property
    def is_crowded(self) -> bool:
        """Whether even refusals have to wait, as they may where replies go in order: then nothing more is read."""
        return len(self.calls) >= 2 * self.policy.in_flight_max

    async def wait_places(self) -> None:
        """Sleep until that is over. No checkpoint where it is not so."""
        while self.is_crowded:
            await self.thinner.wait()

    def open(self, asked: Asked) -> Call:
        """Take a request in: from now on it is owed an answer."""
        key = object() if asked.key is None else asked.key
        before = self._last_ordered if asked.ordered else None
        call = Call(asked, key, turn=None if before is None else before.done)
        if asked.ordered:
            self._last_ordered = call
        self.calls[key] = call
        return call

    def settle(self, call: Call, reply: bytes) -> None:
        """Answer a request: its reply waits to be written, and it is open no more."""
        if self.calls.get(call.key) is not call:
            return  # another incarnation, or the end of the connection, has answered in its place
        del self.calls[call.key]
        if call.flow is not None:
            self.outbox.forget(call.flow)
        self.outbox.reply(reply)
        self.served += 1
        call.done.set()
        if self._last_ordered is call:
            self._last_ordered = None
        self.thinner.wake()
        if not self.calls:
            self.idle.wake()

    def bury(self, why: Callable[[str | None], Refusal] = ConnectionCrashed) -> int:
        """Answer for whoever cannot: every open request, at once, with `why` of its id. Gives how many there were."""
        buried = list(self.calls.values())
        for call in buried:
            self.settle(call, call.voice.failure(why(call.request_id)))
        return len(buried)

    def end(self, why: Why, deadline: float) -> None:
        """Take nothing new, and let what is open last until `deadline`.

        Said again, it can only end earlier; the first reason stays.
        """
        former = self.ending
        if former is not None:
            why, deadline = former.why, min(deadline, former.deadline)
        self.ending = Ending(why=why, deadline=deadline)
