"""Own what travels with a message inside the process: deadline, cancel scope, way back, phase.

The law of this file: a dialog has exactly one end. Whoever comes first sets it (the handler's reply, the runner that
answers for a dead handler, the deadline, the asker who leaves) and whoever comes later is dropped and counted. A
handler that replies twice is a bug, and an assertion says so.

An envelope is never encoded, and knows nothing of queues: where it waits is the slot's business.
"""

from __future__ import annotations

import math
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, final

import trio
from trio.lowlevel import Abort, RaiseCancelT, Task

from manus.supervisor.phase import Phase
from manus.supervisor.terminals import Expired, SupervisorTerminal, Withdrawn

if TYPE_CHECKING:
    from manus.supervisor.dialog import Sink
    from manus.supervisor.mailbox import Slot

__all__ = ["LATER", "PENDING", "Envelope", "Phase", "cut_short"]


class _Later(Enum):
    LATER = "LATER"


class _Pending(Enum):
    PENDING = "PENDING"


LATER: Final = _Later.LATER
"""What a handler returns when it will call `Envelope.reply` itself, after it has returned."""

PENDING: Final = _Pending.PENDING
"""The answer of a dialog that has none yet."""


@final
class Envelope:
    """One message on its way to one actor, and the way back.

    Handlers read `message`, `deadline`, `scope`, `sink` and `trace_id`, and write `phase`. A handler under `ctx.serve`
    need not enter `scope` unless it serves with `own_scope=True`.

    `wants_reply` tells an ask from a tell. `booked` messages came through a place: they are never withdrawn, expired or
    refused for lack of room, because somebody was promised that they arrive. `generation` is the incarnation that has
    or had it in hand since `taken_at`, 0 before. `abandoned` is set once its work is not wanted any more. `stream` is
    the sink that `ask_stream` made, to be told of the end.
    """

    __slots__ = (
        "_answer",
        "_scope",
        "_slot",
        "_waiter",
        "abandoned",
        "booked",
        "deadline",
        "generation",
        "id",
        "message",
        "phase",
        "replied",
        "sink",
        "stream",
        "taken_at",
        "trace_id",
        "wants_reply",
    )

    def __init__(
        self,
        slot: Slot,
        message: object,
        *,
        wants_reply: bool,
        booked: bool = False,
        deadline: float = math.inf,
        sink: Any = None,
        trace_id: str = "",
    ) -> None:
        self.id: int = next(slot.commons.envelope_ids)
        self.message = message
        self.wants_reply = wants_reply
        self.booked = booked
        self.deadline = deadline
        # Any: a Sink when `ask_stream` made it, otherwise whatever the asker and the handler agreed upon.
        self.sink: Any = sink
        self.trace_id = trace_id
        self.phase = Phase.QUEUED
        self.generation = 0
        self.taken_at = 0.0
        self.replied = False
        self.stream: Sink | None = None
        self._slot = slot
        self._scope: trio.CancelScope | None = None
        self._answer: object = PENDING
        self._waiter: Task | None = None
        self.abandoned = False

    def __repr__(self) -> str:
        state = "answered" if self._answer is not PENDING else self.phase.name.lower()
        return f"<Envelope {self.id}: {type(self.message).__name__} to {self._slot.id}, {state}>"

    # --- for handlers ---------------------------------------------------------------------------

    @property
    def scope(self) -> trio.CancelScope:
        """The scope of the work on this envelope; cancelled when the asker leaves or the deadline passes.

        Made on first use, for an actor with synchronous turns needs none.
        """
        scope = self._scope
        if scope is None:
            scope = self._scope = trio.CancelScope(deadline=math.inf if self.booked else self.deadline)
            if self.abandoned:
                scope.cancel(reason="the asker had left")
        return scope

    def reply(self, value: object) -> None:
        """Answer, and leave the ledger of what is in hand, in one synchronous step.

        Only for handlers that returned `LATER` and for actors that receive from their inbox themselves; from all
        others the return value is the reply. After a `tell` the value goes nowhere. An asker who has left, and the
        fence around a former incarnation, make the reply a counted `LateReply`, never an error.
        """
        assert not self.replied, f"{self!r} was replied to twice"
        self.replied = True
        self._slot.finish(self, value)

    # --- for the slot, the runner, the deadlines and the dialog ---------------------------------

    @property
    def answered(self) -> bool:
        """Whether the dialog has its end."""
        return self._answer is not PENDING

    @property
    def answer(self) -> object:
        """The end of the dialog, or `PENDING`."""
        return self._answer

    def deliver(self, answer: object) -> None:
        """Set the end of the dialog and rouse who waits for it. The first end wins; later ones are ignored."""
        if self._answer is not PENDING:
            return
        self._answer = answer
        self.rouse()
        if self.stream is not None:
            self.stream.ended()
        if self.deadline != math.inf:
            self._slot.commons.deadlines.forget(self)

    def rouse(self) -> None:
        """Wake the task in `wait`, if there is one."""
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            trio.lowlevel.reschedule(waiter)

    async def wait(self) -> None:
        """Sleep until `rouse`, which the end of the dialog implies. Cancelled, it changes nothing."""
        assert self._waiter is None, f"two tasks wait for {self!r}"
        self._waiter = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(self._stop_waiting)

    def leave(self) -> None:
        """End the dialog because its asker goes away; cancels the work on it. Synchronous; after the end a no-op."""
        if self._answer is PENDING:
            self.deliver(cut_short(self))
            self.cancel_work("the asker left")

    def cancel_work(self, reason: str) -> None:
        """Stop the work on this envelope, or take it from the queue. A booked message is worked on regardless.

        The end of the dialog is still to come where a handler is at work, and comes at once where none is.
        """
        if self.booked:
            return
        self.abandoned = True
        if self._slot.withdraw(self):
            self.deliver(cut_short(self))
        elif self._scope is not None:
            self._scope.cancel(reason=reason)

    def deadline_passed(self, *, last_call: bool) -> bool:
        """Act on the deadline; tell whether a last call is wanted, for a handler that has yet to notice.

        What still waits expires at once. A handler is cancelled first, and has until the last call to answer.
        """
        if self.generation == 0 or last_call:
            self.leave()
            return False
        self.cancel_work("the deadline passed")
        return True

    def _stop_waiting(self, _raise_cancel: RaiseCancelT) -> Abort:
        self._waiter = None
        return Abort.SUCCEEDED


def cut_short(envelope: Envelope) -> SupervisorTerminal:
    """Say why the work on `envelope` ended early: its deadline if that has passed, else its asker."""
    scope = envelope._scope
    deadline = envelope.deadline if scope is None else min(envelope.deadline, scope.deadline)
    if trio.current_time() >= deadline:
        return Expired(where="running" if envelope.generation else "queued")
    return Withdrawn()
