"""A deliberately naive second opinion on `SupervisorCore`: it watches inputs and actions and objects.

It keeps whole histories and recomputes from them by brute force; it knows the rules as literal
tables and never looks into the core. Any breach is an AssertionError that names the rule.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field

from manus.supervisor import events, protocol
from manus.supervisor.reasons import ExitReason
from manus.supervisor.spec import AnySpec, SupervisorSpec
from tests.supervisor.core_brief import Brief, brief

# (restart type, exit reason) of those that are started again: OTP's table, with our reasons in its abnormal row.
COMES_BACK = {
    ("permanent", "Normal"),
    ("permanent", "Shutdown"),
    *(("permanent", ending) for ending in ("Crashed", "Hung", "InitFailed", "Wedged")),
    *(("transient", ending) for ending in ("Crashed", "Hung", "InitFailed", "Wedged")),
}


LIVE = ("starting", "running", "draining", "stopping")


@dataclass
class Seen:
    """What has been seen of one child, whole histories included."""

    spec: AnySpec
    state: str = "waiting"
    generation: int = 0
    started_at: float | None = None
    verdict: str | None = None
    cancelled_for: str = ""
    timer: tuple[int, float] | None = None
    failures: list[float] = field(default_factory=list)
    in_a_row: int = 0
    zombies: set[int] = field(default_factory=set)
    answered: set[int] = field(default_factory=set)
    leaving: str = ""
    probation: bool = False
    shut: bool = False
    retired: bool = False
    restart_due: bool = False
    added: bool = False

    @property
    def live(self) -> bool:
        return self.state in LIVE

    @property
    def throwaway(self) -> bool:
        return self.added and self.spec.restart == "temporary"


class Oracle:
    """Watches one core from its first input on."""

    def __init__(self, spec: SupervisorSpec, rng: random.Random) -> None:
        self.spec = spec
        self.rng = rng
        self.seen = {child.id: Seen(child) for child in spec.children}
        self.stop: str = ""
        self.retire = False
        self.hard_until = math.inf
        self.gone = False
        self.ready = False
        self.must_go: list[str] = []
        self.must_start: list[str] = []
        self.booting = False
        self.lingering: dict[str, tuple[int, set[int]]] = {}

    # --- what an input must lead to -------------------------------------------------------------

    def watch(self, event: protocol.Input, now: float, actions: list[protocol.Action]) -> None:
        """Check the actions that the core took on `event`, in order."""
        expected = self._expect(event, now)
        for action in actions:
            self._take(action, now)
        kinds = [brief(action) for action in actions]
        for wanted in expected:
            assert wanted in kinds, f"{event} must lead to {wanted}, led to {kinds}"
        self._no_more_than(expected, kinds, event)
        self._nobody_is_stuck()

    def _expect(self, event: protocol.Input, now: float) -> list[Brief]:
        match event:
            case protocol.StartRequested():
                self.booting = not self.stop
                self.must_start = [] if self.stop else list(self.seen)
            case protocol.ChildStarted(id=name, generation=generation):
                seen = self.seen.get(name)
                if seen and seen.generation == generation and seen.state == "starting":
                    seen.state, seen.started_at, seen.timer = "running", now, None
                    self._drop_from_start(name)
                    return [("started", name), *([("readmit", name)] if seen.shut else [])]
            case protocol.ChildExited(id=name, generation=generation, reason=reason):
                return self._expect_exit(name, generation, reason, now)
            case protocol.ChildHung(id=name, generation=generation):
                seen = self.seen.get(name)
                if seen and seen.generation == generation and seen.state == "running":
                    seen.verdict = "Hung"
                    return [("cancel", name)]
            case protocol.Tick(id=name, timer=timer):
                return self._expect_tick(name, timer, now)
            case protocol.StopRequested():
                if not self.gone:
                    self.hard_until = min(self.hard_until, event.hard_until)
                return self._expect_stop(event.by, event.retire)
            case protocol.AddRequested(spec=spec):
                if self.stop or spec.id in self.seen or len(self.lingering.get(spec.id, (0, set()))[1]) > 1:
                    return [("refuse", spec.id)]
                generation, zombies = self.lingering.pop(spec.id, (0, set()))
                self.seen[spec.id] = Seen(spec, generation=generation, zombies=zombies, added=True)
                if self.must_start:
                    self.must_start.append(spec.id)
            case protocol.DrainRequested(id=name):
                return self._expect_end(name, "retire")
            case protocol.RemoveRequested(id=name):
                return self._expect_end(name, "remove")
        return []

    def _expect_exit(self, name: str, generation: int, reason: ExitReason, now: float) -> list[Brief]:
        seen = self.seen.get(name)
        if seen is None or seen.generation != generation or not seen.live:
            if seen is not None:
                seen.zombies.discard(generation)
            elif name in self.lingering:
                self.lingering[name][1].discard(generation)
                if not self.lingering[name][1]:
                    del self.lingering[name]
            return []
        kind = type(reason).__name__
        asked = seen.state in ("draining", "stopping")
        if seen.verdict is not None:
            kind = seen.verdict
        elif not asked and seen.started_at is None and kind in ("Normal", "Shutdown", "Crashed"):
            kind = "InitFailed"
        return self._expect_end_of(seen, kind, now, by_itself=seen.verdict is not None or not asked)

    def _expect_end_of(self, seen: Seen, kind: str, now: float, *, by_itself: bool) -> list[Brief]:
        name = seen.spec.id
        wanted: list[Brief] = [("answer", name, seen.generation)]
        reset_s = seen.spec.backoff.reset_after_s
        reset_s = seen.spec.intensity.period_s if reset_s is None else reset_s
        if seen.started_at is not None and now - seen.started_at >= reset_s:
            seen.in_a_row, seen.probation = 0, False
        seen.state, seen.timer = "down", None
        if name in self.must_go:
            self.must_go.remove(name)
        if self.stop or seen.leaving:
            retire = self.retire or bool(seen.leaving) or seen.throwaway
            return wanted + self._rest(seen, retire)
        if not by_itself:
            if seen.spec.restart == "temporary":
                return wanted + self._rest(seen, True)
            seen.state = "waiting"
            return wanted
        if (seen.spec.restart, kind) not in COMES_BACK:
            wanted += self._rest(seen, True)
            return wanted + (self._expect_stop("significant", False) if seen.spec.significant else [])
        return wanted + self._expect_restart(seen, now)

    def _expect_restart(self, seen: Seen, now: float) -> list[Brief]:
        spec, name = seen.spec, seen.spec.id
        seen.failures.append(now)
        seen.in_a_row += 1
        in_period = sum(1 for at in seen.failures if now <= at + spec.intensity.period_s)
        if seen.probation or in_period > spec.intensity.max_restarts or len(seen.zombies) > 1:
            self._drop_from_start(name)
            if spec.on_exhausted == "quarantine":
                seen.state, seen.shut, seen.probation = "quarantined", True, True
                return [("quarantine", name, now + spec.quarantine_s)]
            seen.state = "stopped"
            return [("escalate", name), *self._expect_stop("escalation", False)]
        delay_s = spec.backoff.min_s
        for _ in range(seen.in_a_row - 1):
            delay_s *= spec.backoff.factor
        delay_s = min(spec.backoff.max_s, delay_s * (1.0 + spec.backoff.jitter * self.rng.random()))
        seen.state, seen.restart_due = "backoff", True
        self._expect_group(seen)
        return [("restart", name, round(delay_s, 9), in_period)]

    def _expect_group(self, seen: Seen) -> None:
        order = list(self.seen)
        match self.spec.strategy:
            case "one_for_one":
                return
            case "one_for_all":
                others = [name for name in order if name != seen.spec.id]
            case "rest_for_one":
                others = [name for name in order if order.index(name) > order.index(seen.spec.id)]
        live = [name for name in others if self.seen[name].live]
        self.must_go = [name for name in order if name in live or name in self.must_go]
        comes = {
            name
            for name in others
            if not self.seen[name].leaving and self.seen[name].state not in ("quarantined", "stopped")
        }
        self.must_start = [n for n in order if n in comes or n in self.must_start or n == seen.spec.id]

    def _expect_tick(self, name: str, timer: int, now: float) -> list[Brief]:
        seen = self.seen.get(name)
        if seen is None or seen.timer is None or seen.timer[0] != timer:
            return []
        if now < seen.timer[1]:
            return [("timer", name)]
        seen.timer = None
        match seen.state:
            case "starting":
                seen.verdict = "InitFailed"
                return [("cancel", name)]
            case "draining":
                return [("cancel", name)]
            case "stopping":
                by_itself = seen.verdict is not None or (seen.spec.restart, "Wedged") in COMES_BACK
                seen.zombies.add(seen.generation)
                return [
                    ("fence", name, seen.generation),
                    *self._expect_end_of(seen, "Wedged", now, by_itself=by_itself),
                ]
            case "backoff":
                seen.state = "waiting"
            case "quarantined" if len(seen.zombies) > 1:
                return [("quarantine", name, now + seen.spec.quarantine_s)]
            case "quarantined":
                seen.state = "waiting"
                if self.must_start:
                    self.must_start = [n for n in self.seen if n in self.must_start or n == name]
            case _:
                raise AssertionError(f"{name} is {seen.state} and has a timer")
        return []

    def _expect_stop(self, by: str, retire: bool) -> list[Brief]:
        if self.gone:
            return []
        self.stop = self.stop or by
        self.retire = self.retire or retire
        self.must_go, self.must_start = [], []
        wanted: list[Brief] = []
        for seen in reversed(list(self.seen.values())):
            if not seen.live:
                wanted += self._rest(seen, self.retire or bool(seen.leaving) or seen.throwaway)
        return wanted

    def _expect_end(self, name: str, leaving: str) -> list[Brief]:
        seen = self.seen.get(name)
        if seen is None or self.stop:
            return [("refuse", name)]
        seen.leaving = "remove" if "remove" in (seen.leaving, leaving) else leaving
        self._drop_from_start(name)
        if not seen.live:
            return self._rest(seen, True)
        return []

    def _rest(self, seen: Seen, retire: bool) -> list[Brief]:
        name = seen.spec.id
        seen.state, seen.timer, seen.restart_due = "stopped", None, False
        self._drop_from_start(name)
        wanted: list[Brief] = []
        if seen.throwaway:
            seen.leaving = "remove"
        if retire and not seen.retired:
            wanted.append(("retire", name))
        elif not retire and seen.shut:
            wanted.append(("readmit", name))
        if seen.leaving == "remove":
            wanted.append(("forget", name))
        return wanted

    def _drop_from_start(self, name: str) -> None:
        if name in self.must_start:
            self.must_start.remove(name)

    def _held_up(self) -> bool:
        shares_fate = self.spec.strategy in ("one_for_all", "rest_for_one")
        return shares_fate and any(self.seen[name].state == "backoff" for name in self.must_start)

    # --- what an action may be ------------------------------------------------------------------

    def _take(self, action: protocol.Action, now: float) -> None:
        assert not self.gone or isinstance(action, protocol.Refuse), f"{action} after Exit"
        match action:
            case protocol.Start():
                self._take_start(action)
            case protocol.Cancel(id=name, generation=generation):
                self._take_cancel(name, generation, now)
            case protocol.Drain(id=name, generation=generation, until=until):
                seen = self.seen[name]
                assert seen.generation == generation, "Drain of an old generation"
                assert seen.state in ("running", "draining"), f"Drain of a child that is {seen.state}"
                assert until > now, "a drain that leaves no time"
                self._in_stop_order(name, now)
                seen.state = "draining"
            case protocol.AnswerInHand(id=name, generation=generation):
                seen = self.seen[name]
                assert generation not in seen.answered, f"in-hand of {name}#{generation} answered twice"
                seen.answered.add(generation)
            case protocol.ScheduleAt(at=at, id=name, timer=timer):
                seen = self.seen[name]
                assert seen.state not in ("running", "stopped", "waiting"), f"timer for a child that is {seen.state}"
                if seen.state in ("backoff", "quarantined"):
                    assert seen.generation in seen.answered, "back-off began before the in-hand was answered"
                seen.timer = (timer, at)
            case protocol.Quarantine(id=name):
                assert self.seen[name].generation in self.seen[name].answered, "quarantine before the answer"
            case protocol.Readmit(id=name):
                assert self.seen[name].shut, "Readmit of an open mailbox"
                self.seen[name].shut = False
            case protocol.Retire(id=name):
                seen = self.seen[name]
                assert not seen.live, "Retire of a live child"
                assert not seen.retired, "Retire twice"
                seen.retired, seen.shut = True, False
            case protocol.Forget(id=name):
                seen = self.seen.pop(name)
                assert seen.retired, "Forget before Retire"
                if seen.zombies:
                    self.lingering[name] = (seen.generation, seen.zombies)
            case protocol.Exit():
                assert self.stop, "Exit without a stop"
                assert not any(seen.live for seen in self.seen.values()), "Exit while children live"
                self.gone = True
            case protocol.Ready():
                assert not self.ready, "Ready twice"
                assert not self.must_start, f"Ready while {self.must_start} are to start"
                self.ready = True
            case protocol.Emit(event=events.RestartScheduled(actor=name)):
                assert self.seen[name].generation in self.seen[name].answered, "restart decided before the answer"
            case protocol.Fence() | protocol.Refuse() | protocol.Escalate() | protocol.Emit():
                pass

    def _take_start(self, action: protocol.Start) -> None:
        seen = self.seen[action.id]
        assert not self.stop, f"Start of {action.id} while stopping"
        assert not seen.live, f"Start of {action.id}, whose generation {seen.generation} is live and not fenced"
        assert seen.state == "waiting", f"Start of {action.id}, which is {seen.state}"
        assert len(seen.zombies) <= 1, "Start alongside two zombies"
        assert action.generation == seen.generation + 1, "the generation was not counted up"
        assert not self.must_go, f"Start of {action.id} while {self.must_go} must first go"
        if self.spec.ordered and action.id in self.must_start:
            assert self.must_start[0] == action.id, f"{action.id} starts before its elders {self.must_start}"
            assert not self._held_up(), f"{action.id} starts while one that shares its fate is in back-off"
        seen.state, seen.generation = "starting", action.generation
        seen.started_at, seen.verdict, seen.restart_due = None, None, False

    def _take_cancel(self, name: str, generation: int, now: float) -> None:
        seen = self.seen[name]
        assert seen.generation == generation, f"Cancel of {name}#{generation}, which is at {seen.generation}"
        assert seen.live, f"Cancel of a child that is {seen.state}"
        if seen.verdict is not None or seen.leaving or seen.state == "stopping":
            pass  # on its own account, whatever its juniors do
        elif name in self.must_go:
            assert self.must_go[-1] == name, f"{name} is taken down before its juniors {self.must_go}"
        elif self.stop:
            self._in_stop_order(name, now)
        else:
            raise AssertionError(f"Cancel of {name} for no reason")
        seen.state = "stopping"

    def _in_stop_order(self, name: str, now: float) -> None:
        order = list(self.seen)
        if (
            self.stop
            and self.spec.ordered
            and now < self.hard_until
            and self.seen[name].state in ("starting", "running")
        ):
            juniors = [n for n in order[order.index(name) + 1 :] if self.seen[n].live]
            assert not juniors, f"{name} stops before its juniors {juniors}"

    # --- afterwards -----------------------------------------------------------------------------

    def _no_more_than(self, expected: list[Brief], kinds: list[Brief], event: protocol.Input) -> None:
        """What an input does not ask for does not happen; moving on (start, cancel, drain, timer) is checked above."""
        free = {"start", "cancel", "drain", "timer", "other", "ready", "exit"}
        extra = [kind for kind in kinds if kind[0] not in free and kind not in expected]
        assert not extra, f"{event} led to {extra}, which it must not"

    def _nobody_is_stuck(self) -> None:
        if self.gone:
            return
        if self.stop:
            assert any(s.state in ("draining", "stopping") for s in self.seen.values()), "a stop that stands still"
            return
        if self.must_go:
            assert self.seen[self.must_go[-1]].state == "stopping", "a group that is not taken down"
            return
        for name, seen in self.seen.items():
            if seen.state == "waiting" and (self.booting or self.ready):
                elders = self.must_start[: self.must_start.index(name)] if name in self.must_start else []
                assert elders or self._held_up(), f"{name} waits for nobody"
                assert self.spec.ordered, f"{name} waits although order does not matter"
            if seen.state in ("backoff", "quarantined"):
                assert seen.timer is not None, f"{name} is {seen.state} and nothing will end it"
            if seen.state in ("starting", "draining", "stopping"):
                limit_s = {"starting": seen.spec.start_timeout_s, "draining": seen.spec.drain_s}
                finite = limit_s.get(seen.state, seen.spec.shutdown_s) < math.inf
                assert seen.timer is not None or not finite, f"{name} may be {seen.state} for ever"
        if self.booting and not self.must_start:
            assert self.ready, "all have started and nobody says so"
