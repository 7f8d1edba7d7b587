"""Own the supervised tree as its host sees it: opened, asked for refs and status, stopped in order, closed.

The host's body and the actors are not cancelled together. When a scope around the host is cancelled, its body is at
once; the actors are shielded just as long as an orderly stop takes, so that what they owe each other is still said.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import final

import trio

from manus.supervisor import protocol
from manus.supervisor.bus import EventBus
from manus.supervisor.exits import open_bare_nursery
from manus.supervisor.ground import Ground
from manus.supervisor.mailbox import Commons
from manus.supervisor.reasons import Crashed, ExitReason, describe
from manus.supervisor.ref import Ref
from manus.supervisor.runner import Incarnation
from manus.supervisor.shell import Shell
from manus.supervisor.shield import bounded_shield, shield_until_released
from manus.supervisor.spec import ChildSpec, SupervisorSpec
from manus.supervisor.spec_check import check_tree
from manus.supervisor.stall import StallPolicy, StallWatch
from manus.supervisor.statistics import ActorStatus, ChildStopped, StopReport

DRAIN_S = 30.0
"""How long a tree may drain when its host's body is done: the default of a worker's `drain_s`."""

HARD_S = 5.0
"""How long cancelled actors have before they are fenced: the default of a worker's `shutdown_s`."""

_STOP_SPARE_S = 1.0
"""What an orderly stop may take beyond its hard limit, for the scheduler's passes, before it is given up."""


class RuntimeFailed(Exception):
    """The tree could not be kept running: a child spent its restarts and its supervisor escalated.

    `reason` is why the root ended.
    """

    def __init__(self, reason: ExitReason) -> None:
        super().__init__(describe(reason))
        self.reason = reason


@final
class Tree:
    """A running tree. Everything but `stop` and `remove` is synchronous."""

    def __init__(self, spec: SupervisorSpec, *, ground: Ground) -> None:
        self.bus = ground.commons.bus
        self._ground = ground
        self._root_id = spec.id
        self._ready = trio.Event()
        self._down = trio.Event()
        self._body = trio.CancelScope()
        self._exit: ExitReason | None = None
        self._fell = False
        self._stop_began_at: float | None = None
        for child in spec.children:
            ground.admit(child, spec.id)
        self._root = Shell(ground, spec, on_ready=self._ready.set, on_exit=self._on_exit)

    def __repr__(self) -> str:
        return f"<Tree {self._root_id}: {', '.join(f'{each.id} {each.state}' for each in self.status())}>"

    # --- for the host ---------------------------------------------------------------------------

    def ref(self, ref_id: str) -> Ref:
        """Give the ref of an actor, good for the life of the tree.

        Raises:
            LookupError: the tree has no such actor.
        """
        return self._ground.find_ref(ref_id)

    @property
    def failure(self) -> ExitReason | None:
        """Why the tree fell, if it did so without being asked to stop."""
        return self._exit if self._fell else None

    def status(self) -> tuple[ActorStatus, ...]:
        """Describe every child of every supervisor, in start order."""
        return tuple(
            self._status_of(child_id, supervisor_id) for child_id, supervisor_id in self._ground.parents.items()
        )

    def add(self, parent_id: str, spec: ChildSpec) -> Ref:
        """Add an actor beneath a supervisor, after its present children, and start it.

        Raises:
            LookupError: there is no such supervisor.
            SpecError: the spec does not fit into the tree.
        """
        shell = self._ground.shells.get(parent_id)
        if shell is None:
            raise LookupError(f"there is no supervisor {parent_id!r}; there are {', '.join(self._ground.shells)}")
        workers = tuple(each for each in self._ground.specs.values() if isinstance(each, ChildSpec))
        check_tree(SupervisorSpec(id=self._root_id, children=(*workers, spec)))
        self._ground.admit(spec, parent_id)
        ref = self.ref(spec.id)
        shell.add(spec)
        return ref

    async def remove(self, child_id: str, *, drain_s: float = math.inf) -> None:
        """End a child by draining it, for at most `drain_s` or its own limit, and forget it; return when it is gone.

        Its refs stay valid objects, and answer `Undelivered`. In a tree that stops it returns at once, for the stop
        ends the child. Cancelled, the removal goes on without the caller.

        Raises:
            LookupError: there is no such child.
        """
        parent_id = self._ground.parents.get(child_id)
        if parent_id is None:
            raise LookupError(f"there is no child {child_id!r} in this tree")
        await self._ground.shells[parent_id].remove(child_id, trio.current_time() + drain_s)

    async def stop(self, *, drain_s: float, hard_s: float) -> StopReport:
        """Stop every actor, in reverse start order: drain for at most `drain_s`, cancel, fence after `hard_s` more.

        A second call can only shorten the time of the first; with `drain_s=0` it skips straight to cancellation.
        Cancelled, the stop goes on without the caller.
        """
        now = trio.current_time()
        if self._stop_began_at is None:
            self._stop_began_at = now
        if not self._down.is_set():
            drain_until = now + drain_s
            stop = protocol.StopRequested(by="stop", drain_until=drain_until, hard_until=drain_until + hard_s)
            self._root.post(stop)
            await self._down.wait()
        return self._report(self._stop_began_at)

    # --- for tests and chaos ----------------------------------------------------------------------

    def crash(self, actor_id: str, error: Exception) -> None:
        """Raise `error` inside the actor's present incarnation, as if its own code had.

        Raises:
            LookupError: the actor has no incarnation at present.
        """
        self._incarnation(actor_id).crash(error)

    def cancel_incarnation(self, actor_id: str) -> None:
        """Cancel the actor's present incarnation, without telling its supervisor why.

        Raises:
            LookupError: the actor has no incarnation at present.
        """
        self._incarnation(actor_id).cancel("cancel_incarnation")

    # --- inside -----------------------------------------------------------------------------------

    def _incarnation(self, actor_id: str) -> Incarnation:
        shell = self._ground.shells.get(self._ground.parents.get(actor_id, ""))
        incarnation = None if shell is None else shell.incarnations.get(actor_id)
        if incarnation is None or incarnation.gone:
            raise LookupError(f"{actor_id!r} has no incarnation at present")
        return incarnation

    def _status_of(self, child_id: str, supervisor_id: str) -> ActorStatus:
        shell = self._ground.shells.get(supervisor_id)
        children = () if shell is None else shell.core.status()
        child = next((each for each in children if each.id == child_id), None)
        slot = self._ground.slots.get(child_id)
        mailbox = None if slot is None else slot.statistics()
        last_exit = self._ground.exits.get(child_id)
        return ActorStatus(
            id=child_id,
            supervisor=supervisor_id,
            state="waiting" if child is None else child.state,
            generation=0 if child is None else child.generation,
            restarts=0 if child is None else child.restarts,
            zombies=0 if child is None else child.zombies,
            in_hand=0 if mailbox is None else mailbox.in_hand,
            queued=0 if mailbox is None else mailbox.queued,
            blocked=0 if mailbox is None else mailbox.blocked,
            last_exit=None if last_exit is None else last_exit[0],
            mailbox=mailbox,
        )

    def _on_exit(self, reason: ExitReason) -> None:
        self._exit = reason
        # A tree that ends, however orderly, before it was up and before anybody wanted it to, has no body to give to.
        never_up = not self._ready.is_set() and self._stop_began_at is None
        self._fell = never_up or isinstance(reason, Crashed)
        # At once: zombies may keep the tree from closing, and nobody is to wait for those.
        self._retire_all()
        self._down.set()
        if self._fell:
            self._body.cancel(reason="the tree has failed")

    def _report(self, began_at: float) -> StopReport:
        ground = self._ground
        children = []
        for child_id, slot in ground.slots.items():
            reason, stopped_at = ground.exits.get(child_id, (None, None))
            children.append(
                ChildStopped(id=child_id, reason=reason, stopped_at=stopped_at, undelivered=slot.undelivered)
            )
        return StopReport(
            began_at=began_at,
            ended_at=trio.current_time(),
            children=tuple(children),
            undelivered=sum(each.undelivered for each in children),
            wedged=tuple(each.slot.id for each in ground.fenced if not each.gone),
        )

    async def _host(self, shield: trio.CancelScope, stall: StallPolicy | None) -> None:
        """Run everything but the host's body, until cancelled when that is over and the actors are down."""
        try:
            with shield:
                async with open_bare_nursery() as nursery:
                    self._ground.nursery = nursery
                    nursery.start_soon(self._ground.commons.deadlines.run, name="deadlines")
                    if stall is not None:
                        nursery.start_soon(StallWatch(stall, self.bus).run, name="beat of the stall watch")
                    await self._root.run()
                    await trio.sleep_forever()
        finally:
            self._down.set()
            self._retire_all()

    def _retire_all(self) -> None:
        for slot in self._ground.slots.values():
            slot.retire("stopping")


@asynccontextmanager
async def open_tree(
    spec: SupervisorSpec,
    *,
    seed: int | str | None = None,
    bus: EventBus | None = None,
    stall: StallPolicy | None = None,
    redact: Callable[[str], str] | None = None,
    drain_s: float = DRAIN_S,
    hard_s: float = HARD_S,
) -> AsyncIterator[Tree]:
    """Start the tree, give it once all first children are up or at rest, and stop it in order afterwards.

    A body that ends by itself leaves the tree `drain_s` to drain; one that raises or is cancelled leaves it none.
    Cancelled actors have `hard_s`. One that even then does not end keeps the block from ending: `Tree.stop` says which.

    Args:
        seed: makes back-off jitter repeatable; None draws it from the system.
        bus: where events go; None makes one.
        stall: watch the loop from a thread; None starts no thread.
        redact: applied to the text of every error that goes into an event or reason, so that no secret leaves.
        drain_s: how long the tree may drain when the body has ended.
        hard_s: how long cancelled actors have before they are fenced.

    Raises:
        SpecError: the tree of specs breaks rules.
        RuntimeFailed: a child could not be kept running and its supervisor escalated; the body was cancelled.
    """
    check_tree(spec)
    tree = Tree(spec, ground=Ground(Commons(bus or EventBus(), redact or _as_it_is), seed))
    shield = shield_until_released()
    try:
        async with open_bare_nursery() as nursery:
            nursery.start_soon(tree._host, shield, stall, name=f"host of {spec.id}")
            try:
                with tree._body:
                    await tree._ready.wait()
                    yield tree
                    await tree.stop(drain_s=drain_s, hard_s=hard_s)
            finally:
                with bounded_shield(hard_s + _STOP_SPARE_S):
                    await tree.stop(drain_s=0.0, hard_s=hard_s)
                shield.shield = False
                nursery.cancel_scope.cancel(reason="the tree is closed")
    except Exception as error:
        if tree.failure is not None:
            raise RuntimeFailed(tree.failure) from error
        raise
    if tree.failure is not None:
        raise RuntimeFailed(tree.failure)


def _as_it_is(text: str) -> str:
    return text
