"""Every legal sequence of inputs for two children, to a depth of seven, each step watched by the oracle.

Equal situations are visited once: what a situation's future depends on is compared, with times
relative to now and timers by what they mean. Time moves only when a timer comes due, or in one big
leap while nothing is due, so the number of situations is finite and small.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import pytest

from manus.supervisor import protocol
from manus.supervisor.child import Child
from manus.supervisor.core import SupervisorCore
from manus.supervisor.reasons import Crashed, Hung, Normal
from manus.supervisor.spec import Backoff, ChildSpec, Intensity, OnExhausted, Restart, Strategy, SupervisorSpec
from tests.supervisor.core_oracle import Oracle

LEAP_S = 1000.0
T = TypeVar("T")


class NoJitter(random.Random):
    """Draws the same number always, so that no hidden state tells two situations apart."""

    def random(self) -> float:
        return 0.5


RNG = NoJitter()


@dataclass
class Situation:
    """A core, its observer, and the world around it: who lives, which timers are set."""

    core: SupervisorCore
    oracle: Oracle
    now: float
    live: tuple[tuple[str, int], ...]
    timers: tuple[tuple[float, str, int], ...]
    path: tuple[str, ...]

    def fork(self) -> Situation:
        return Situation(_copy_of(self.core), _copy_of_oracle(self.oracle), self.now, self.live, self.timers, self.path)

    def hand(self, event: protocol.Input) -> None:
        if isinstance(event, protocol.ChildExited):
            self.live = tuple(each for each in self.live if each != (event.id, event.generation))
        actions = self.core.handle(event, self.now)
        try:
            self.oracle.watch(event, self.now, actions)
            states = {status.id: status.state for status in self.core.status()}
            assert states == {name: seen.state for name, seen in self.oracle.seen.items()}
        except AssertionError as error:
            error.add_note("\n".join((*self.path, f"{self.now} {event}", f"  {actions}")))
            raise
        for action in actions:
            match action:
                case protocol.Start(id=name, generation=generation):
                    self.live += ((name, generation),)
                case protocol.ScheduleAt(at=at, id=name, timer=timer):
                    # Of a child's timers keep the newest and, to try a stale one, its predecessor.
                    others = [each for each in self.timers if each[1] != name]
                    mine = [each for each in self.timers if each[1] == name][-1:]
                    self.timers = (*others, *mine, (at, name, timer))
                case _:
                    pass
        self.path += (f"{self.now} {event}",)

    def key(self) -> object:
        return (
            _key_of(self.core, self.now),
            _key_of_oracle(self.oracle, self.now),
            self._live_key(),
            self._timer_key(),
        )

    def _live_key(self) -> object:
        return tuple(
            sorted(
                (name, self.oracle.seen[name].generation - generation if name in self.oracle.seen else generation)
                for name, generation in self.live
            )
        )

    def _timer_key(self) -> object:
        # When a stale timer was due makes no difference, nor whether a child has one or two of them.
        current = {(name, round(at - self.now, 6)) for at, name, timer in self.timers if self._is_current(name, timer)}
        stale = {name for _, name, timer in self.timers if not self._is_current(name, timer)}
        return (frozenset(current), frozenset(stale))

    def _is_current(self, name: str, timer: int) -> bool:
        seen = self.oracle.seen.get(name)
        return seen is not None and seen.timer is not None and seen.timer[0] == timer

    def successors(self) -> Iterator[Situation]:
        """Try everything that may happen next."""
        for event, at in self._possible():
            next_one = self.fork()
            next_one.now = at
            next_one.hand(event)
            yield next_one
        if self.live and not any(self._is_current(name, timer) for _, name, timer in self.timers):
            later = self.fork()
            later.now += LEAP_S
            yield later

    def _possible(self) -> Iterator[tuple[protocol.Input, float]]:
        for name, generation in self.live:
            seen = self.oracle.seen.get(name)
            is_zombie = seen is None or seen.generation != generation or not seen.live
            yield protocol.ChildExited(id=name, generation=generation, reason=Normal()), self.now
            if is_zombie:
                continue
            yield protocol.ChildExited(id=name, generation=generation, reason=Crashed(error="boom")), self.now
            if seen is not None and seen.state == "starting":
                yield protocol.ChildStarted(id=name, generation=generation), self.now
            if seen is not None and seen.state == "running":
                hung = Hung(kind="ping", busy_s=1.0)
                yield protocol.ChildHung(id=name, generation=generation, reason=hung), self.now
        for at, name, timer in self.timers:
            yield protocol.Tick(id=name, timer=timer), max(at, self.now)
        yield protocol.StopRequested(by="test", drain_until=self.now + 1.0), self.now
        yield protocol.StopRequested(by="test", hard_until=self.now, retire=False), self.now
        for name in self.oracle.seen:
            yield protocol.RemoveRequested(id=name, drain_until=self.now + 1.0), self.now
            yield protocol.DrainRequested(id=name, drain_until=self.now), self.now


def _shallow(original: T) -> T:
    """Copy an object without going through the copy module, which takes most of the time here."""
    new = object.__new__(type(original))
    if hasattr(original, "__dict__"):
        new.__dict__.update(original.__dict__)
    else:
        for name in type(original).__slots__:  # type: ignore[attr-defined]
            setattr(new, name, getattr(original, name))
    return new


def _copy_of_oracle(oracle: Oracle) -> Oracle:
    new = _shallow(oracle)
    new.must_go, new.must_start = list(oracle.must_go), list(oracle.must_start)
    new.lingering = {name: (generation, set(zombies)) for name, (generation, zombies) in oracle.lingering.items()}
    new.seen = {}
    for name, seen in oracle.seen.items():
        mine = new.seen[name] = _shallow(seen)
        mine.failures, mine.zombies, mine.answered = list(seen.failures), set(seen.zombies), set(seen.answered)
    return new


def _copy_of(core: SupervisorCore) -> SupervisorCore:
    new = _shallow(core)
    new._roster = _shallow(core._roster)
    new._roster.sequence = list(core._roster.sequence)
    new._roster._lingering = dict(core._roster._lingering)
    new._roster.children = {name: _copy_of_child(child) for name, child in core._roster.children.items()}
    return new


def _copy_of_child(child: Child) -> Child:
    new = _shallow(child)
    new.zombies = set(child.zombies)
    new.backoff = _shallow(child.backoff)
    new.window = _shallow(child.window)
    new.window._restarted_at = child.window._restarted_at.copy()
    return new


def _key_of_oracle(oracle: Oracle, now: float) -> object:
    """Describe all that the future depends on, with times relative to now and generations to the present one."""
    return (
        oracle.stop != "",
        oracle.retire,
        oracle.gone,
        oracle.ready,
        tuple(oracle.must_go),
        tuple(oracle.must_start),
        tuple(
            (
                name,
                s.state,
                s.generation == 0,
                None if s.started_at is None else round(now - s.started_at, 6),
                s.verdict,
                None if s.timer is None else round(s.timer[1] - now, 6),
                tuple(round(now - at, 6) for at in s.failures if now - at <= 1000.0),
                tuple(sorted(s.generation - z for z in s.zombies)),
                s.in_a_row,
                s.leaving,
                s.probation,
                s.shut,
                s.retired,
            )
            for name, s in oracle.seen.items()
        ),
    )


def _key_of(core: SupervisorCore, now: float) -> object:
    stop = core._stop
    return (
        core._phase,
        core._ready,
        None
        if stop is None
        else (stop.retire, round(min(stop.drain_until, 1e9) - now, 6), round(min(stop.hard_until, 1e9), 6) > now),
        tuple(core._roster.sequence),
        tuple((name, len(each.zombies)) for name, each in core._roster._lingering.items()),
        tuple(_key_of_child(child, now) for child in core._roster.children.values()),
    )


def _key_of_child(child: Child, now: float) -> object:
    return (
        child.id,
        child.state,
        child.doomed,
        child.after,
        child.probation,
        child.shut,
        child.retired,
        type(child.verdict).__name__,
        None if child.started_at is None else round(now - child.started_at, 6),
        None if child.timer is None else round(child.due - now, 6),
        None if child.until == math.inf else round(child.until - now, 6),
        child.backoff._attempt,
        tuple(round(now - at, 6) for at in child.window._restarted_at if now - at <= LEAP_S),
        tuple(sorted(child.generation - zombie for zombie in child.zombies)),
    )


async def never_started(_ctx: object) -> None:
    raise AssertionError("the core starts nothing itself")


def explore(strategy: Strategy, ordered: bool, children: tuple[tuple[Restart, OnExhausted], ...], depth: int) -> int:
    """Visit every situation within `depth` inputs of the start; return how many there are."""
    spec = SupervisorSpec(
        id="root",
        strategy=strategy,
        ordered=ordered,
        children=tuple(
            ChildSpec(
                id=name,
                start=never_started,
                restart=restart,
                significant=restart == "transient",
                shutdown_s=1.0,
                drain_s=1.0,
                start_timeout_s=1.0,
                intensity=Intensity(max_restarts=1, period_s=2.0),
                backoff=Backoff(min_s=1.0, max_s=1.0, jitter=0.0),
                on_exhausted=on_exhausted,
                quarantine_s=1.0,
            )
            for name, (restart, on_exhausted) in zip("ab", children, strict=True)
        ),
    )
    first = Situation(SupervisorCore(spec, rng=RNG), Oracle(spec, RNG), 0.0, (), (), ())
    first.hand(protocol.StartRequested())
    seen = {first.key()}
    frontier = [first]
    for _ in range(depth):
        reached: list[Situation] = []
        for situation in frontier:
            for successor in situation.successors():
                key = successor.key()
                if key not in seen:
                    seen.add(key)
                    reached.append(successor)
        frontier = reached
    return len(seen)


@pytest.mark.parametrize(
    ("strategy", "ordered", "children", "depth"),
    [
        ("one_for_one", False, (("permanent", "quarantine"), ("transient", "escalate")), 5),
        ("one_for_all", True, (("permanent", "quarantine"), ("transient", "escalate")), 6),
        ("rest_for_one", True, (("permanent", "escalate"), ("permanent", "quarantine")), 6),
    ],
)
def test_every_short_history_obeys_the_rules(
    strategy: Strategy, ordered: bool, children: tuple[tuple[Restart, OnExhausted], ...], depth: int
) -> None:
    visited = explore(strategy, ordered, children, depth)
    assert visited > 10_000, "the exploration did not get anywhere"


@pytest.mark.long
@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
@pytest.mark.parametrize("first", ["permanent", "transient", "temporary"])
@pytest.mark.parametrize("second", ["permanent", "transient", "temporary"])
@pytest.mark.parametrize("on_exhausted", [("escalate", "quarantine"), ("quarantine", "escalate")])
def test_every_history_obeys_the_rules(
    strategy: Strategy, first: Restart, second: Restart, on_exhausted: tuple[OnExhausted, OnExhausted]
) -> None:
    assert explore(strategy, True, ((first, on_exhausted[0]), (second, on_exhausted[1])), depth=7) > 1_000
