"""Own every decision of a supervisor, without doing any of it.

`SupervisorCore.handle(input, now)` takes what happened and returns what to do. It never awaits,
sleeps, reads a clock or draws entropy of its own, so the whole table of strategies, restart types,
exit reasons and races can be walked in a test.

After each input the core moves on as far as the order allows (`_advance`): while it stops, the
youngest live child goes next; while a failed child's group is taken down, the youngest doomed one;
otherwise whoever waits at the head of the start sequence starts.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from typing import Literal, assert_never

from manus.supervisor import events, protocol
from manus.supervisor.child import ZOMBIES_MAX, Carried, Child, ChildStatus
from manus.supervisor.protocol import Action, Input
from manus.supervisor.reasons import (
    Crashed,
    ExitReason,
    Hung,
    InitFailed,
    Shutdown,
    Wedged,
    as_init_failure,
    describe,
    is_abnormal,
)
from manus.supervisor.roster import Roster
from manus.supervisor.spec import AnySpec, SupervisorSpec
from manus.supervisor.strategy import comes_back, in_start_order, taken_along


class SupervisorCore:
    """The state machine of one supervisor and its direct children."""

    def __init__(
        self, spec: SupervisorSpec, *, rng: random.Random, carried: Mapping[str, Carried] | None = None
    ) -> None:
        """`carried` comes from the predecessor's `carry()`; its specs replace those of `spec.children`."""
        self._spec = spec
        self._rng = rng
        if carried is None:
            carried = {child.id: Carried(spec=child) for child in spec.children}
        self._roster = Roster(carried, cause=f"start:{spec.id}")
        self._stop: protocol.StopRequested | None = None
        self._exit_reason: ExitReason | None = None
        self._phase: Literal["new", "up", "gone"] = "new"
        self._ready = False

    # --- the outside ----------------------------------------------------------------------------

    @property
    def is_stopping(self) -> bool:
        """Tell whether this supervisor is on its way out, or gone; it starts nothing any more."""
        return self._stop is not None

    def holds_shut(self, child_id: str) -> bool:
        """Tell whether the child's mailbox is to stay shut, whatever opens above: it rests, or is not up again yet."""
        return not self.is_stopping and any(each.shut for each in self._roster.children.values() if each.id == child_id)

    def status(self) -> tuple[ChildStatus, ...]:
        """Describe the children in start order."""
        return tuple(child.status() for child in self._roster.children.values())

    def carry(self) -> dict[str, Carried]:
        """Give what the next core of this supervisor must know, in start order."""
        return self._roster.carry()

    def handle(self, event: Input, now: float) -> list[Action]:
        """Take one input at loop time `now`; return the actions to execute, in order."""
        actions: list[Action] = []
        self._roster.now, self._roster.actions = now, actions
        match event:
            case protocol.StartRequested():
                assert self._phase == "new" or self.is_stopping, "a supervisor's core starts once"
                if not self.is_stopping:
                    self._phase, self._roster.sequence = "up", list(self._roster.children)
            case protocol.ChildStarted(id=child_id, generation=generation):
                self._started(child_id, generation)
            case protocol.ChildExited(id=child_id, generation=generation, reason=reason):
                self._exited(child_id, generation, reason)
            case protocol.ChildHung(id=child_id, generation=generation, reason=hung):
                self._hung(child_id, generation, hung)
            case protocol.Tick(id=child_id, timer=timer):
                self._ticked(child_id, timer)
            case protocol.StopRequested():
                self._stop_all(event, Shutdown(by=event.by), cause=f"stop:{event.by}")
            case protocol.AddRequested(spec=spec):
                self._add(spec)
            case protocol.DrainRequested(id=child_id, drain_until=until):
                self._end(child_id, until, "retire")
            case protocol.RemoveRequested(id=child_id, drain_until=until):
                self._end(child_id, until, "remove")
            case _:
                assert_never(event)
        self._advance()
        return actions

    # --- what happens to a child ----------------------------------------------------------------

    def _started(self, child_id: str, generation: int) -> None:
        child = self._roster.incarnation(child_id, generation)
        if child is None or child.state != "starting":
            return
        child.state, child.started_at, child.timer = "running", self._roster.now, None
        self._roster.emit(
            events.ActorStarted(
                at=self._roster.now, actor=child_id, generation=generation, cause=child.cause, probation=child.probation
            )
        )
        if child.shut:
            self._roster.readmit(child)
        self._roster.leave_sequence(child)

    def _hung(self, child_id: str, generation: int, hung: Hung) -> None:
        child = self._roster.incarnation(child_id, generation)
        if child is None or child.state != "running":
            return
        child.verdict, child.cause = hung, child.incarnation
        self._roster.emit(
            events.Hung(
                at=self._roster.now,
                actor=child_id,
                generation=generation,
                cause=child.cause,
                kind=hung.kind,
                busy_s=hung.busy_s,
                stack=hung.stack,
            )
        )
        self._roster.cancel(child, "liveness")

    def _exited(self, child_id: str, generation: int, reason: ExitReason) -> None:
        child = self._roster.incarnation(child_id, generation)
        if child is None or not child.is_live:
            self._roster.zombie_ended(child_id, generation)
            return
        # One that crashes while it drains goes by itself, whatever was asked of it.
        asked = child.state == "stopping" or (child.state == "draining" and not is_abnormal(reason))
        if child.verdict is not None:
            reason = child.verdict
        elif not asked and child.started_at is None:
            reason = as_init_failure(reason)
        self._ended(child, reason, by_itself=child.verdict is not None or not asked)

    def _wedged(self, child: Child) -> None:
        """Leave behind an incarnation that ignores its cancellation; the next one starts alongside."""
        waited_s = self._roster.now - child.asked_at
        reason = Wedged(waited_s=waited_s)
        child.zombies.add(child.generation)
        self._roster.do(protocol.Fence(id=child.id, generation=child.generation))
        self._roster.emit(child.overran(self._roster.now, "cancel"))
        self._roster.emit(
            events.Wedged(
                at=self._roster.now,
                actor=child.id,
                generation=child.generation,
                cause=child.cause,
                zombies=len(child.zombies),
            )
        )
        # Others may have wanted it gone, but that it stayed is its own failure and is charged as such.
        self._ended(child, reason, by_itself=child.verdict is not None or comes_back(child.spec.restart, reason))

    def _ended(self, child: Child, reason: ExitReason, *, by_itself: bool) -> None:
        """Bury an incarnation: answer for it first, then decide what comes next."""
        if by_itself:
            child.cause = child.incarnation
        self._roster.do(protocol.AnswerInHand(id=child.id, generation=child.generation, reason=reason))
        event_type = events.StartFailed if child.started_at is None else events.ActorExited
        self._roster.emit(
            event_type(
                at=self._roster.now, actor=child.id, generation=child.generation, cause=child.cause, reason=reason
            )
        )
        child.timer, child.doomed = None, False
        if child.ran_well(self._roster.now):
            child.backoff.reset()
            child.probation = False
        if self._stop is not None:
            self._roster.rest(child, retire=self._stop.retire)
        elif child.after != "restart":
            self._roster.rest(child)
        elif by_itself:
            self._decide(child, reason)
        elif child.spec.restart == "temporary":
            self._roster.rest(child)
        else:
            child.state = "waiting"

    def _decide(self, child: Child, reason: ExitReason) -> None:
        """Restart, rest, quarantine or escalate a child that ended by itself."""
        if not comes_back(child.spec.restart, reason):
            self._roster.rest(child, why="unavailable" if is_abnormal(reason) else "stopping")
            if child.spec.significant:
                stop = protocol.StopRequested(by=f"end of {child.id}", drain_until=math.inf, retire=False)
                self._stop_all(stop, Shutdown(by=stop.by), cause=child.cause)
            return
        affordable = child.window.spend(self._roster.now)
        if child.probation or not affordable or len(child.zombies) > ZOMBIES_MAX:
            self._exhausted(child, reason)
            return
        delay_s = child.backoff.next_delay_s(self._rng)
        self._roster.emit(
            events.RestartScheduled(
                at=self._roster.now,
                actor=child.id,
                generation=child.generation,
                cause=child.cause,
                delay_s=delay_s,
                n_in_period=child.window.count(self._roster.now),
            )
        )
        child.state = "backoff"
        self._roster.schedule(child, self._roster.now + delay_s)
        if self._spec.strategy != "one_for_one":
            self._take_along(child)

    def _exhausted(self, child: Child, reason: ExitReason) -> None:
        match child.spec.on_exhausted:
            case "quarantine":
                self._quarantine(child, reason)
            case "escalate":
                child.state = "stopped"
                self._roster.emit(
                    events.Escalated(
                        at=self._roster.now, actor=self._spec.id, cause=child.cause, child=child.id, reason=reason
                    )
                )
                self._roster.do(protocol.Escalate(child=child.id, reason=reason))
                error = f"{child.id} could not be kept running: {describe(reason)}"
                stop = protocol.StopRequested(by=f"escalation of {child.id}", retire=False)
                self._stop_all(stop, Crashed(error=error), cause=child.cause)
            case _:
                assert_never(child.spec.on_exhausted)

    def _quarantine(self, child: Child, reason: ExitReason) -> None:
        rest_s = child.spec.quarantine_s
        child.state, child.shut, child.probation = "quarantined", True, True
        self._roster.leave_sequence(child)
        self._roster.do(protocol.Quarantine(id=child.id, until=self._roster.now + rest_s))
        self._roster.emit(
            events.Quarantined(
                at=self._roster.now,
                actor=child.id,
                generation=child.generation,
                cause=child.cause,
                rest_s=rest_s,
                reason=reason,
            )
        )
        self._roster.schedule(child, self._roster.now + rest_s)

    def _take_along(self, failed: Child) -> None:
        """Doom the live siblings that share the child's fate, and line all of them up to start again."""
        order = list(self._roster.children)
        again = {failed.id, *self._roster.sequence}
        for child_id in taken_along(self._spec.strategy, order, failed.id):
            sibling = self._roster.children[child_id]
            if sibling.is_live:
                sibling.doomed = True
                if sibling.state != "stopping":
                    sibling.cause = failed.cause
            if sibling.after == "restart" and sibling.state not in ("quarantined", "stopped"):
                again.add(child_id)
        self._roster.sequence = in_start_order(order, again)

    def _ticked(self, child_id: str, timer: int) -> None:
        child = self._roster.children.get(child_id)
        if child is None or child.timer != timer:
            return
        if self._roster.now < child.due:
            self._roster.do(protocol.ScheduleAt(at=child.due, id=child_id, timer=timer))
            return
        child.timer = None
        match child.state:
            case "starting":
                child.verdict = InitFailed(error=f"not started within {child.spec.start_timeout_s:g} s")
                self._roster.cancel(child, "start timeout")
            case "draining":
                self._roster.emit(child.overran(self._roster.now, "drain"))
                self._roster.cancel(child, child.asked_by)
            case "stopping":
                self._wedged(child)
            case "backoff":
                child.state = "waiting"
            case "quarantined" if len(child.zombies) > ZOMBIES_MAX:
                self._quarantine(child, Wedged(waited_s=self._roster.now - child.asked_at))
            case "quarantined":
                self._roster.queue_up(child)
            case "waiting" | "running" | "stopped":
                raise AssertionError(f"a child that is {child.state} has no timer")
            case _:
                assert_never(child.state)

    # --- requests from outside ------------------------------------------------------------------

    def _add(self, spec: AnySpec) -> None:
        if self._stop is not None:
            self._roster.do(protocol.Refuse(id=spec.id, why="stopping"))
        elif spec.id in self._roster.children:
            self._roster.do(protocol.Refuse(id=spec.id, why="duplicate"))
        elif self._roster.lingering_zombies(spec.id) > ZOMBIES_MAX:
            self._roster.do(protocol.Refuse(id=spec.id, why="wedged"))
        else:
            child = self._roster.add(spec)
            if self._phase == "up":
                self._roster.queue_up(child)

    def _end(self, child_id: str, drain_until: float, after: Literal["retire", "remove"]) -> None:
        """End one child for good."""
        child = self._roster.children.get(child_id)
        if child is None or self._stop is not None:
            self._roster.do(protocol.Refuse(id=child_id, why="stopping" if self._stop is not None else "unknown"))
            return
        if child.after != "remove":
            child.after = after
        self._roster.leave_sequence(child)
        if not child.is_live:
            self._roster.rest(child)
        elif child.state in ("starting", "running"):
            child.cause = f"{after}:{child_id}"
            self._roster.begin_end(child, after, drain_until)
        elif child.state == "draining":
            self._roster.tighten(child, drain_until)

    def _stop_all(self, stop: protocol.StopRequested, reason: ExitReason, *, cause: str) -> None:
        """Begin to stop, or hurry up a stop that is under way."""
        if self._phase == "gone":
            return
        former = self._stop
        if former is None:
            self._exit_reason = reason
        else:
            stop = protocol.StopRequested(
                by=former.by,
                drain_until=min(stop.drain_until, former.drain_until),
                hard_until=min(stop.hard_until, former.hard_until),
                retire=stop.retire or former.retire,
            )
        self._stop = stop
        self._roster.sequence, self._roster.hard_until, self._roster.retiring = [], stop.hard_until, stop.retire
        for child in reversed(list(self._roster.children.values())):
            child.doomed = False
            if not child.is_live:
                self._roster.rest(child, retire=stop.retire)
                continue
            if child.state in ("starting", "running"):
                child.cause = cause
            self._roster.tighten(child, stop.drain_until)

    # --- moving on ------------------------------------------------------------------------------

    def _advance(self) -> None:
        if self._stop is not None:
            self._advance_stop(self._stop)
        elif self._phase == "up" and not self._advance_doomed():
            self._advance_starts()

    def _advance_doomed(self) -> bool:
        """Take a failed child's group down, the youngest first; True while that goes on."""
        doomed = [child for child in self._roster.children.values() if child.doomed]
        if doomed and doomed[-1].state != "stopping":
            self._roster.cancel(doomed[-1], f"restart after {doomed[-1].cause}")
        return bool(doomed)

    def _advance_starts(self) -> None:
        for child in list(self._roster.children.values()):
            if child.state == "waiting" and self._is_in_turn(child):
                self._roster.start(child)
        if not self._roster.sequence and not self._ready:
            self._ready = True
            self._roster.do(protocol.Ready())

    def _is_in_turn(self, child: Child) -> bool:
        """Tell whether a waiting child may start: on its own, or as the first of a sequence that nothing holds up."""
        sequence = self._roster.sequence
        if child.id not in sequence or not self._spec.ordered:
            return True
        # Those who share a fate come back together, so one that is in back-off holds up its elders too.
        shares_fate = self._spec.strategy != "one_for_one"
        held_up = shares_fate and any(self._roster.children[each].state == "backoff" for each in sequence)
        return child.id == sequence[0] and not held_up

    def _advance_stop(self, stop: protocol.StopRequested) -> None:
        live = [child for child in reversed(self._roster.children.values()) if child.is_live]
        one_at_a_time = self._spec.ordered and self._roster.now < stop.hard_until
        for child in live[:1] if one_at_a_time else live:
            if child.state in ("starting", "running"):
                self._roster.begin_end(child, stop.by, stop.drain_until)
        if not live and self._phase != "gone":
            assert self._exit_reason is not None, "a supervisor stops for a reason"
            self._phase = "gone"
            self._roster.do(protocol.Exit(reason=self._exit_reason))
