"""Own one incarnation of an actor: its scope and tasks, its control lane, and that everything in its hands is answered.

Two nurseries, one in the other. The inner one is the actor's: `start` runs in its body, requests in its tasks. A
sentinel in it notices the very moment the incarnation begins to unwind, for whatever reason, so that askers need not
wait until it has. The outer one holds the control lane, which lives until the last request is done.

This is the one file that may catch `BaseException` around an await.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, final

import trio

from manus.supervisor.context import Context
from manus.supervisor.control import Control, DrainNow, Ping, Pong
from manus.supervisor.exits import first_leaf, judge
from manus.supervisor.mailbox import Front, Slot
from manus.supervisor.reasons import ExitReason, Hung
from manus.supervisor.ref import Ref
from manus.supervisor.serving import Inbox
from manus.supervisor.spec import ChildSpec
from manus.supervisor.stacks import await_stack


@final
class Incarnation:
    """One life of one actor. The supervisor makes it and spawns `run`; all else here is synchronous.

    `on_started`, `on_unwinding` and `on_exit` tell the supervisor; `on_exit` comes exactly once, and last, unless the
    whole tree goes down with what the incarnation died of.
    """

    def __init__(
        self,
        slot: Slot,
        spec: ChildSpec,
        generation: int,
        *,
        find_ref: Callable[[str], Ref],
        on_started: Callable[[], None],
        on_unwinding: Callable[[], None],
        on_exit: Callable[[ExitReason], None],
    ) -> None:
        self.slot = slot
        self.spec = spec
        self.generation = generation
        self.find_ref = find_ref
        self.front: Front | None = None
        self.nursery: trio.Nursery
        self.draining = False
        self.drain_aware = False
        self.drain_asked = trio.Event()
        self.unwinding = False
        self.fenced = False
        self.gone = False
        # Why liveness had it cancelled, when it had.
        self.hung: Hung | None = None
        self.last_pong: Pong | None = None
        self._on_started = on_started
        self._on_unwinding = on_unwinding
        self._on_exit = on_exit
        self._task: trio.lowlevel.Task | None = None
        self._outer: trio.Nursery | None = None
        self._doom: Exception | None = None
        self._scope = trio.CancelScope()
        self._cancelled_by: str | None = None
        self._orders, self._control = trio.open_memory_channel[Control](spec.mailbox.control_capacity)
        slot.incarnation_begins(generation)

    def __repr__(self) -> str:
        return f"<Incarnation {self.slot.id}#{self.generation}>"

    # --- its task -------------------------------------------------------------------------------

    async def run(self) -> None:
        """Live. Returns when every task of the incarnation is gone; raises only what is not ours to keep."""
        self._task = trio.lowlevel.current_task()
        error: BaseException | None = None
        try:
            with self._scope:
                await self._live()
        except BaseException as caught:
            error = caught
        verdict = judge(error, cancelled_by=self._cancelled_by, redact=self.slot.commons.redact)
        self.gone = True
        self._unwind(error)
        # Nothing was taken since it began to unwind; what a request task replied late has left the ledger.
        self.slot.answer_in_hand(self.generation, self._kind_of_end(), _name_of(error))
        self._orders.close()
        try:
            if verdict.passes_on is not None:
                # It takes the whole tree along: there is nothing left for a supervisor to decide.
                raise verdict.passes_on
            self._on_exit(verdict.reason)
        finally:
            del error, verdict  # or the frame and the exception keep each other alive

    async def _live(self) -> None:
        async with trio.open_nursery(strict_exception_groups=True) as self._outer:
            if self._doom is not None:
                raise self._doom
            self._outer.start_soon(self._obey, name=f"control of {self.slot.id}#{self.generation}")
            async with trio.open_nursery(strict_exception_groups=True) as self.nursery:
                sentinel = trio.CancelScope()
                self.nursery.start_soon(self._watch, sentinel, name=f"sentinel of {self.slot.id}#{self.generation}")
                try:
                    await self.spec.start(Context(self))
                except Exception as error:
                    self._unwind(error)
                    raise
                sentinel.cancel(reason="start returned")
            self._outer.cancel_scope.cancel(reason="start returned")

    async def _watch(self, sentinel: trio.CancelScope) -> None:
        try:
            with sentinel:
                await trio.sleep_forever()
        finally:
            if not sentinel.cancelled_caught:
                self._unwind(None)

    async def _obey(self) -> None:
        with self._control as orders:
            async for order in orders:
                match order:
                    case Ping(nonce=nonce):
                        self._answer_ping(nonce)
                    case DrainNow():
                        self._begin_draining()

    # --- for the actor, through its context and front ---------------------------------------------

    def say_started(self) -> None:
        """Pass on, once, that the actor is ready."""
        if not self.unwinding:
            self._on_started()

    def stand_in_front(self, front: Front) -> None:
        """Let `front` have what the slot receives."""
        assert self.front is None, f"{self.slot.id} receives its work in one way only"
        self.front = front
        if not self.fenced and not self.unwinding:
            self.slot.front = front

    def step_aside(self, front: Front) -> None:
        """Let the slot keep what it receives: `front` is done."""
        if self.slot.front is front:
            self.slot.front = None

    def crash(self, error: Exception) -> None:
        """Raise `error` inside the incarnation. What it has in hand is answered in this very call."""
        if self.gone or self._doom is not None:
            return
        self._doom = error
        if self._outer is not None:
            self._unwind(error)
            self._outer.start_soon(_raise, error, name=f"crash of {self.slot.id}#{self.generation}")

    # --- for the supervisor -------------------------------------------------------------------------

    def order(self, order: Control) -> bool:
        """Put an order into the control lane; False when that is full, which only a hung actor lets happen.

        False also for an incarnation that is over already, while the supervisor has yet to read of its end.
        """
        try:
            self._orders.send_nowait(order)
        except (trio.WouldBlock, trio.BrokenResourceError, trio.ClosedResourceError):
            return False
        return True

    def cancel(self, by: str) -> None:
        """Cancel everything the incarnation does; it takes nothing from this call on. Only the first `by` counts."""
        if self._cancelled_by is None:
            self._cancelled_by = by
        self._unwind(None)
        self._scope.cancel(reason=by)

    def fence(self) -> None:
        """Give up on an incarnation that ignores its cancellation: what it still says is dropped."""
        self.fenced = True
        self.cancel("fence")

    def stack(self) -> str:
        """Tell what its tasks wait for, as text."""
        return "" if self._task is None or self.gone else await_stack(self._task)

    # --- inside -------------------------------------------------------------------------------------

    def _answer_ping(self, nonce: int) -> None:
        if self.unwinding:
            return  # an incarnation that cannot come to its end is not well, though its control lane is
        statistics = self.slot.statistics()
        self.last_pong = Pong(
            nonce=nonce,
            generation=self.generation,
            queued=statistics.queued + statistics.blocked,
            in_hand=statistics.in_hand,
            oldest_in_hand_s=statistics.oldest_in_hand_s,
            handled=statistics.handled,
        )

    def _begin_draining(self) -> None:
        self.draining = True
        self.drain_asked.set()
        if self.front is not None:
            self.front.drained()
        elif not self.drain_aware:
            self.slot.when_idle(self._cancel_drained)

    def _cancel_drained(self) -> None:
        if not self.fenced and self.slot.generation == self.generation:
            self.cancel("drain")

    def _unwind(self, error: BaseException | None) -> None:
        """Take no more work, and answer for what is in hand. Only the first call counts."""
        if self.unwinding:
            return
        self.unwinding = True
        self._detach()
        self.slot.answer_in_hand(self.generation, self._kind_of_end(), _name_of(error))
        if not self.gone:
            self._on_unwinding()

    def _detach(self) -> None:
        if self.front is not None:
            self.step_aside(self.front)
            if isinstance(self.front, Inbox):
                self.front.close()

    def _kind_of_end(self) -> Literal["actor_crashed", "actor_hung", "stopped"]:
        if self.hung is not None:
            return "actor_hung"
        if self._cancelled_by is not None:
            return "stopped"
        return "actor_crashed"


async def _raise(error: Exception) -> None:
    raise error


def _name_of(error: BaseException | None) -> str:
    return "" if error is None else type(first_leaf(error)).__name__
