"""Own how an incarnation works on what its slot hands it: as concurrent requests, as turns, or through an inbox.

All three are fronts (`mailbox.Front`): at most one stands in front of a slot. An envelope given to `begin` is in the
ledger already; each leaves it in the same synchronous step that answers it.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias, final

import trio

from manus.supervisor.envelope import LATER, Envelope, cut_short
from manus.supervisor.events import RequestCrashed
from manus.supervisor.exits import describe_error, first_leaf
from manus.supervisor.fault_budget import FaultBudget, FaultCount
from manus.supervisor.mailbox import Slot
from manus.supervisor.terminals import ActorFailed
from manus.supervisor.wake import WakeSlot

RequestHandler: TypeAlias = Callable[[Envelope], Awaitable[object]]
TurnHandler: TypeAlias = Callable[[Envelope], object]

_TURNS_PER_PASS = 32
"""How many queued turns run before other tasks get a chance: a turn costs some 10 us."""


class Host(Protocol):
    """What a front needs of the incarnation that runs it."""

    slot: Slot
    nursery: trio.Nursery
    draining: bool

    def crash(self, error: Exception) -> None:
        """Take the incarnation down because of `error`. Synchronous."""


@final
class RequestServer:
    """Runs one task per envelope, at most `places` at once; what is beyond stays in the slot.

    What `at_once` answers, where there is such a handler, needs no task and no place.
    """

    __slots__ = ("_at_once", "_budget", "_handler", "_host", "_idle", "_own_scope", "_slot", "_task_name", "free")

    def __init__(
        self,
        host: Host,
        handler: RequestHandler,
        *,
        places: int | None,
        budget: FaultBudget,
        own_scope: bool,
        at_once: TurnHandler | None = None,
    ) -> None:
        self.free = sys.maxsize if places is None else places
        self._host = host
        self._slot = host.slot
        self._handler = handler
        self._own_scope = own_scope
        self._at_once = at_once
        self._budget = FaultCount(budget)
        self._idle = WakeSlot()
        self._task_name = f"request of {host.slot.id}#{host.slot.generation}"

    def begin(self, envelope: Envelope) -> None:
        if self._at_once is not None and self._answered(self._at_once, envelope):
            return
        self.free -= 1
        self._host.nursery.start_soon(self._run, envelope, name=self._task_name)

    def work_waits(self) -> None:
        slot = self._slot
        # Once something else, or nothing, stands in front, this incarnation is over: what waits is not for it.
        while self.free > 0 and slot.front is self:
            envelope = slot.take()
            if envelope is None:
                break
            self.begin(envelope)

    def drained(self) -> None:
        self._idle.wake()

    async def until_drained(self) -> None:
        """Work on what waits; return when a drain was asked for and nothing is left."""
        self.work_waits()
        while not (self._host.draining and self._slot.idle):
            await self._idle.wait()

    def _answered(self, handler: TurnHandler, envelope: Envelope) -> bool:
        """Try to answer in the asker's own step; False where it takes a task."""
        done = False
        try:
            value = handler(envelope)
            done = True
        except Exception as error:
            done = True
            self._crashed(envelope, error)
            return True
        finally:
            if not done:
                self._host.crash(RuntimeError("an answer at once was interrupted"))
        if value is LATER:
            return False
        envelope.reply(value)
        return True

    async def _run(self, envelope: Envelope) -> None:
        try:
            value: object = LATER
            if envelope.id not in self._slot.in_hand:
                pass  # a crash in this very tick has answered for it, maybe as safe to retry
            elif envelope.abandoned and (envelope.answered or not self._own_scope):
                # Between being taken and being begun: no work starts for nobody. With a scope of its own a handler
                # has its say even so, as long as somebody still waits for it.
                self._slot.finish(envelope, cut_short(envelope), by_handler=False)
            elif self._own_scope:
                value = await self._handler(envelope)
            else:
                with envelope.scope as scope:
                    value = await self._handler(envelope)
                if scope.cancelled_caught:
                    self._slot.finish(envelope, cut_short(envelope), by_handler=False)
        except Exception as error:
            self._crashed(envelope, error)
        else:
            if value is not LATER:
                envelope.reply(value)
        self.free += 1
        self.work_waits()

    def _crashed(self, envelope: Envelope, error: Exception) -> None:
        slot = self._slot
        now = trio.current_time()
        text, trace = describe_error(error, slot.commons.redact)
        slot.commons.bus.emit(
            RequestCrashed(
                at=now,
                actor=slot.id,
                generation=envelope.generation,
                cause=f"{slot.id}#{envelope.generation}",
                error=text,
                traceback=trace,
                trace_id=envelope.trace_id,
            )
        )
        slot.finish(envelope, request_crashed(envelope, error), by_handler=False)
        if not self._budget.spend(now):
            error.add_note("the fault budget of this incarnation is spent")
            self._host.crash(error)


@final
class TurnServer:
    """Runs a synchronous handler, one envelope after another, at best in the asker's own task."""

    __slots__ = ("_handler", "_host", "_slot", "_wake", "free")

    def __init__(self, host: Host, handler: TurnHandler) -> None:
        self.free = 1
        self._host = host
        self._slot = host.slot
        self._handler = handler
        self._wake = WakeSlot()

    def begin(self, envelope: Envelope) -> None:
        # No turn begins inside a turn: what the handler sends to itself waits in the queue.
        self.free = 0
        completed = False
        try:
            value = self._handler(envelope)
            completed = True
            if value is not LATER:
                envelope.reply(value)
            self.free = 1
        except Exception as error:
            completed = True
            self._host.crash(error)
        finally:
            if not completed:
                # An interrupt struck within the turn, in whichever task ran it: the state is half changed.
                self._host.crash(RuntimeError("a turn was interrupted"))

    def work_waits(self) -> None:
        self._wake.wake()

    def drained(self) -> None:
        self._wake.wake()

    async def until_drained(self) -> None:
        """Work on what waits; return when a drain was asked for and nothing is left."""
        turns = 0
        while True:
            while self.free > 0 and self._slot.front is self:
                envelope = self._slot.take()
                if envelope is None:
                    break
                self.begin(envelope)
                turns += 1
                if turns % _TURNS_PER_PASS == 0:
                    await trio.lowlevel.checkpoint()
            if self._host.draining and self._slot.idle:
                return
            await self._wake.wait()


@final
class Inbox:
    """Receives envelopes one by one, for an actor that runs its own loop. It must `reply` to each, tells included."""

    __slots__ = ("_host", "_slot", "_wake", "free")

    def __init__(self, host: Host) -> None:
        self.free = 0
        self._host = host
        self._slot = host.slot
        self._wake = WakeSlot()

    def begin(self, envelope: Envelope) -> None:
        raise AssertionError("an inbox has no free places: it is received from")

    def work_waits(self) -> None:
        self._wake.wake()

    def drained(self) -> None:
        self._wake.wake()

    async def receive(self) -> Envelope:
        """Wait for the next envelope; it is in hand on return. A checkpoint; cancelled, it takes nothing.

        Raises:
            trio.EndOfChannel: a drain was asked for and nothing waits.
            trio.ClosedResourceError: the incarnation is over or fenced; nothing will ever come.
        """
        await trio.lowlevel.checkpoint()
        while True:
            envelope = self.receive_nowait()
            if envelope is not None:
                return envelope
            await self._wake.wait()

    def receive_nowait(self) -> Envelope | None:
        """Take the next envelope, None when none waits. It is in hand on return; raises as `receive` does."""
        if self._slot.front is not self:
            raise trio.ClosedResourceError
        envelope = self._slot.take()
        if envelope is None and self._host.draining and not self._slot.booked:
            raise trio.EndOfChannel
        return envelope

    def close(self) -> None:
        """Tell who waits that the slot gives nothing any more. Synchronous."""
        self._wake.wake()


def request_crashed(envelope: Envelope, error: Exception) -> ActorFailed:
    """Make the answer to a request whose handler raised."""
    phase = envelope.phase
    return ActorFailed(
        kind="request_crashed",
        safe_to_retry=phase < phase.SENT,
        phase=phase,
        detail=type(first_leaf(error)).__name__,
    )
