"""Own what an actor is given to live with: its name, its durable cell, its refs, and the ways to receive work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

import trio

from manus.supervisor.fault_budget import FaultBudget
from manus.supervisor.ref import Ref
from manus.supervisor.serving import Inbox, RequestHandler, RequestServer, TurnHandler, TurnServer
from manus.supervisor.spec_check import covers

if TYPE_CHECKING:
    from manus.supervisor.runner import Incarnation

DEFAULT_FAULT_BUDGET = FaultBudget(3, 10.0)


@final
class Context:
    """Handed to `start`, once per incarnation.

    `cell` is the slot's durable cell (Any: only the actor knows its type); it survives a crash, so change it only by
    synchronous, total methods. `nursery` is for the actor's own tasks: they end with the incarnation, and an exception
    in one ends it. `generation` counts incarnations from 1.
    """

    def __init__(self, incarnation: Incarnation) -> None:
        self._incarnation = incarnation
        self.id = incarnation.slot.id
        self.generation = incarnation.generation
        self.cell: Any = incarnation.slot.cell

    @property
    def nursery(self) -> trio.Nursery:
        """Where the actor's own tasks belong."""
        return self._incarnation.nursery

    @property
    def draining(self) -> bool:
        """Whether the actor was asked to finish what it has and end."""
        return self._incarnation.draining

    async def wait_draining(self) -> None:
        """Sleep until the actor is asked to drain. It then ends by itself, or is cancelled when its time is up.

        An actor that neither waits for this nor receives work is cancelled at once instead.
        """
        self._incarnation.drain_aware = True
        await self._incarnation.drain_asked.wait()

    def started(self) -> None:
        """Say that the actor is ready. Synchronous; saying it twice is harmless."""
        self._incarnation.say_started()

    def emit(self, event: object) -> None:
        """Publish an event. Synchronous; never blocks or raises."""
        self._incarnation.slot.commons.bus.emit(event)

    def ref(self, ref_id: str) -> Ref:
        """Give the ref of another actor.

        Raises:
            LookupError: the actor's spec does not list it in `uses`, or the tree has no such actor.
        """
        if not covers(self._incarnation.spec.uses, ref_id):
            raise LookupError(f"{self.id} may not hold a ref to {ref_id!r}: add it to uses in its spec")
        return self._incarnation.find_ref(ref_id)

    @property
    def inbox(self) -> Inbox:
        """The receiving end, for an actor that runs its own loop. It must reply to each envelope, tells included."""
        front = self._incarnation.front
        if front is None:
            front = Inbox(self._incarnation)
            self._incarnation.stand_in_front(front)
        assert isinstance(front, Inbox), f"{self.id} serves already"
        return front

    async def serve(
        self,
        handler: RequestHandler,
        *,
        places: int | None = None,
        fault_budget: FaultBudget = DEFAULT_FAULT_BUDGET,
        own_scope: bool = False,
        at_once: TurnHandler | None = None,
    ) -> None:
        """Work on every envelope in a task of its own, at most `places` at once; return when drained.

        What is beyond `places` waits in the mailbox, where a crash does not reach it. Envelopes are taken in order;
        those at work at the same time run in no particular order. The handler's return value is the reply (`LATER`: it
        will call `reply` itself). It runs within `envelope.scope`; cancelled by it, the reply is `Withdrawn` or
        `Expired`. With `own_scope` the handler enters the scope itself, and may return a value after its cancellation.

        `at_once` is asked before a task is begun, in the asker's own step: a synchronous, total handler that gives the
        answer, or `LATER` for what is work. For refusals and questions: it costs a quarter of a task.

        An exception fails that one dialog (`ActorFailed`, `request_crashed`) and costs a unit of `fault_budget`; when
        that is spent the incarnation crashes with it.
        """
        server = RequestServer(
            self._incarnation, handler, places=places, budget=fault_budget, own_scope=own_scope, at_once=at_once
        )
        self._incarnation.stand_in_front(server)
        try:
            await server.until_drained()
        finally:
            self._incarnation.step_aside(server)

    async def serve_turns(self, handler: TurnHandler) -> None:
        """Work on envelopes one after another with a synchronous, total handler; return when drained.

        An ask of an idle actor runs the handler in the asker's own task and has its answer at once. An exception in
        the handler crashes the incarnation. The handler must not block, and cannot be cancelled.
        """
        server = TurnServer(self._incarnation, handler)
        self._incarnation.stand_in_front(server)
        try:
            await server.until_drained()
        finally:
            self._incarnation.step_aside(server)
