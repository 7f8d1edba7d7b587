"""Own a supervisor's children and the steps that move one of them, with the actions each step entails.

Steps do what they are told: which child takes which step, and when, is for the core to decide.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import msgspec

from manus.supervisor import events, protocol
from manus.supervisor.child import Carried, Child, unwind_s
from manus.supervisor.protocol import Action
from manus.supervisor.spec import AnySpec, SupervisorSpec
from manus.supervisor.strategy import in_start_order


class Roster:
    """The children in start order, whose turn to start it is, and what the shell is to do next."""

    def __init__(self, carried: Mapping[str, Carried], *, cause: str) -> None:
        self.now = 0.0
        self.actions: list[Action] = []
        self.children = {name: Child(each, cause=cause) for name, each in carried.items() if not each.removed}
        # Whose turn to start it is, and whose next.
        self.sequence: list[str] = []
        # How a stop of all bounds and colours each child's end.
        self.hard_until = math.inf
        self.retiring = False
        # Generations and zombies of removed children whose tasks still linger: the id may be used again.
        self._lingering = {name: each for name, each in carried.items() if each.removed}
        self._timers = 0

    def incarnation(self, child_id: str, generation: int) -> Child | None:
        """Find a child by its present generation; older ones have no say."""
        child = self.children.get(child_id)
        return child if child is not None and child.generation == generation else None

    def carry(self) -> dict[str, Carried]:
        """Give what a successor must know, in start order."""
        return {child.id: child.carry() for child in self.children.values()} | self._lingering

    def add(self, spec: AnySpec) -> Child:
        """Put a new child after the others. It does not start by that."""
        former = self._lingering.pop(spec.id, Carried(spec=spec))
        carried = Carried(spec=spec, generation=former.generation, zombies=former.zombies, dynamic=True)
        child = self.children[spec.id] = Child(carried, cause=f"add:{spec.id}")
        return child

    def lingering_zombies(self, child_id: str) -> int:
        """Count the zombies that a removed child of this name left behind."""
        return len(self._lingering[child_id].zombies) if child_id in self._lingering else 0

    # --- into life ------------------------------------------------------------------------------

    def start(self, child: Child) -> None:
        child.generation += 1
        child.starts += 1
        child.state, child.started_at, child.verdict = "starting", None, None
        self.do(protocol.Start(id=child.id, generation=child.generation, cause=child.cause))
        self.schedule(child, self.now + child.spec.start_timeout_s)

    def queue_up(self, child: Child) -> None:
        """Let a child start: at once, or in its turn when a start sequence is under way."""
        child.state = "waiting"
        if self.sequence:
            self.sequence = in_start_order(self.children, [*self.sequence, child.id])

    def leave_sequence(self, child: Child) -> None:
        if child.id in self.sequence:
            self.sequence.remove(child.id)

    # --- out of life ----------------------------------------------------------------------------

    def begin_end(self, child: Child, by: str, drain_until: float) -> None:
        """Drain a child that runs and is given time to; cancel any other."""
        until = min(drain_until, self.hard_until, self.now + child.spec.drain_s)
        if child.state == "starting" or until <= self.now:
            self.cancel(child, by)
        else:
            child.state, child.asked_at, child.asked_by = "draining", self.now, by
            self._drain(child, until)

    def _drain(self, child: Child, until: float) -> None:
        child.until = until
        self.do(
            protocol.Drain(
                id=child.id,
                generation=child.generation,
                by=child.asked_by,
                until=until,
                hard_until=self.hard_until,
            )
        )
        # A supervisor ends its own drain in time; only if it fails to is it cancelled.
        is_supervisor = isinstance(child.spec, SupervisorSpec)
        self.schedule(child, self.hard_until + unwind_s(child.spec) if is_supervisor else until)

    def cancel(self, child: Child, by: str) -> None:
        child.state, child.asked_at, child.asked_by, child.due = "stopping", self.now, by, math.inf
        self._grant(child)

    def _grant(self, child: Child) -> None:
        """Say, for the first time or with less time, until when a cancelled child has to be gone."""
        retire = self.retiring or child.after != "restart"
        self.do(
            protocol.Cancel(
                id=child.id, generation=child.generation, by=child.asked_by, hard_until=self.hard_until, retire=retire
            )
        )
        least_s = unwind_s(child.spec)
        until = max(min(child.asked_at + child.spec.shutdown_s, self.hard_until + least_s), self.now + least_s)
        self.schedule(child, min(until, child.due))

    def tighten(self, child: Child, drain_until: float) -> None:
        """Shorten the time of a child that is on its way out; never lengthen it."""
        if child.state == "draining":
            until = min(drain_until, self.hard_until, child.until)
            if until <= self.now:
                self.cancel(child, child.asked_by)
            else:
                self._drain(child, until)
        elif child.state == "stopping":
            self._grant(child)

    def rest(self, child: Child, *, retire: bool = True, why: Literal["stopping", "unavailable"] = "stopping") -> None:
        """Let a child be down for good, as far as this supervisor is concerned."""
        child.state, child.timer = "stopped", None
        self.leave_sequence(child)
        if child.is_throwaway:
            child.after = "remove"
        if (retire or child.after != "restart") and not child.retired:
            child.retired, child.shut = True, False
            self.do(protocol.Retire(id=child.id, why=why))
        elif child.shut:
            self.readmit(child)
        if child.after == "remove":
            del self.children[child.id]
            if child.zombies:
                self._lingering[child.id] = child.carry()
            self.do(protocol.Forget(id=child.id))

    def readmit(self, child: Child) -> None:
        child.shut = False
        self.do(protocol.Readmit(id=child.id))

    def zombie_ended(self, child_id: str, generation: int) -> None:
        child = self.children.get(child_id)
        if child is not None:
            child.zombies.discard(generation)
        elif child_id in self._lingering:
            left = self._lingering[child_id].zombies - {generation}
            self._lingering[child_id] = msgspec.structs.replace(self._lingering[child_id], zombies=left)
            if not left:
                del self._lingering[child_id]

    # --- what the shell is to do ----------------------------------------------------------------

    def schedule(self, child: Child, at: float) -> None:
        """Set the child's one timer; an infinite time means none."""
        child.due, child.timer = at, None
        if at < math.inf:
            self._timers += 1
            child.timer = self._timers
            self.do(protocol.ScheduleAt(at=at, id=child.id, timer=child.timer))

    def do(self, action: Action) -> None:
        self.actions.append(action)

    def emit(self, event: events.SupervisionEvent) -> None:
        self.actions.append(protocol.Emit(event=event))
