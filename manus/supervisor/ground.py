"""Own what the supervisors of one tree share: where tasks run, and which slots, specs and supervisors there are."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, final

import trio

from manus.supervisor.mailbox import Commons, Slot
from manus.supervisor.reasons import ExitReason
from manus.supervisor.ref import Ref
from manus.supervisor.runner import Incarnation
from manus.supervisor.spec import AnySpec, ChildSpec, SupervisorSpec

if TYPE_CHECKING:
    from manus.supervisor.shell import Shell


@final
class Ground:
    """The common ground of one tree. Incarnations run in `nursery`."""

    def __init__(self, commons: Commons, seed: int | str | None) -> None:
        self.commons = commons
        self.nursery: trio.Nursery
        self.slots: dict[str, Slot] = {}
        self.specs: dict[str, AnySpec] = {}
        self.parents: dict[str, str] = {}
        self.shells: dict[str, Shell] = {}
        # Why and when the latest incarnation of each child ended.
        self.exits: dict[str, tuple[ExitReason, float]] = {}
        self.fenced: list[Incarnation] = []
        self._seed = seed
        self._rngs: dict[str, random.Random] = {}

    def rng(self, supervisor_id: str) -> random.Random:
        """Give the supervisor's own stream of randomness; a successor goes on where its predecessor stopped."""
        if supervisor_id not in self._rngs:
            seed = None if self._seed is None else f"{self._seed}/{supervisor_id}"
            self._rngs[supervisor_id] = random.Random(seed)
        return self._rngs[supervisor_id]

    def find_ref(self, ref_id: str) -> Ref:
        """Give the ref of an actor in this tree."""
        slot = self.slots.get(ref_id)
        if slot is None:
            raise LookupError(f"there is no actor {ref_id!r} in this tree; there are {', '.join(self.slots)}")
        return Ref(slot)

    def admit(self, spec: AnySpec, parent_id: str) -> None:
        """Make room for a child, and for all beneath it: a slot for each worker, for the life of the tree."""
        self.specs[spec.id] = spec
        self.parents[spec.id] = parent_id
        match spec:
            case ChildSpec():
                cell = spec.cell() if spec.cell is not None else None
                self.slots[spec.id] = Slot(spec.id, spec.mailbox, self.commons, cell)
            case SupervisorSpec():
                for child in spec.children:
                    self.admit(child, spec.id)

    def slots_beneath(self, child_id: str) -> list[Slot]:
        """Give the slot of a worker, or those of all workers beneath a supervisor, in start order."""
        if child_id in self.slots:
            return [self.slots[child_id]]
        below = [name for name, parent in self.parents.items() if parent == child_id]
        return [slot for name in below for slot in self.slots_beneath(name)]

    def slots_to_readmit(self, child_id: str) -> list[Slot]:
        """Give the slots beneath a child that opens again, except of those whose own supervisor holds them shut."""
        if child_id in self.slots:
            return [self.slots[child_id]]
        shell = self.shells.get(child_id)
        below = [name for name, parent in self.parents.items() if parent == child_id]
        opened = [name for name in below if shell is None or not shell.core.holds_shut(name)]
        return [slot for name in opened for slot in self.slots_to_readmit(name)]

    def forget(self, child_id: str) -> None:
        """Drop a removed child and all beneath it."""
        for name in [name for name, parent in self.parents.items() if parent == child_id]:
            self.forget(name)
        for record in (self.slots, self.specs, self.parents, self.shells, self.exits):
            record.pop(child_id, None)
