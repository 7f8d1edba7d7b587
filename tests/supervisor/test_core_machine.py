"""The core against the naive oracle: any order of inputs, any specs, no loop."""

from __future__ import annotations

import math
import random
from typing import Any

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from manus.supervisor import protocol
from manus.supervisor.core import SupervisorCore
from manus.supervisor.reasons import Crashed, ExitReason, Hung, InitFailed, Normal, Shutdown
from manus.supervisor.spec import Backoff, ChildSpec, Intensity, Restart, Strategy, SupervisorSpec
from tests.supervisor.core_oracle import Oracle

TIMES_S = st.sampled_from([0.0, 0.05, 0.5, 1.0, 2.0, 5.0, 30.0, 61.0])


async def never_started(_ctx: object) -> None:
    raise AssertionError("the core starts nothing itself")


@st.composite
def child_specs(draw: st.DrawFn, name: str) -> ChildSpec:
    restarts: list[Restart] = ["permanent", "permanent", "transient", "temporary"]
    restart = draw(st.sampled_from(restarts))
    return ChildSpec(
        id=name,
        start=never_started,
        restart=restart,
        significant=restart != "permanent" and draw(st.booleans()),
        shutdown_s=draw(st.sampled_from([0.0, 1.0, 5.0])),
        drain_s=draw(st.sampled_from([0.0, 2.0])),
        start_timeout_s=draw(st.sampled_from([1.0, 10.0])),
        intensity=Intensity(
            max_restarts=draw(st.sampled_from([0, 1, 2, 5])), period_s=draw(st.sampled_from([2.0, 10.0, 60.0]))
        ),
        backoff=Backoff(
            min_s=draw(st.sampled_from([0.0, 0.05, 1.0])),
            max_s=draw(st.sampled_from([1.0, 3.0])),
            jitter=draw(st.sampled_from([0.0, 0.2, 1.0])),
            reset_after_s=draw(st.sampled_from([None, 0.5, 5.0])),
        ),
        on_exhausted=draw(st.sampled_from(["escalate", "quarantine", "quarantine"])),
        quarantine_s=draw(st.sampled_from([1.0, 30.0])),
    )


@st.composite
def supervisor_specs(draw: st.DrawFn) -> SupervisorSpec:
    strategies: list[Strategy] = ["one_for_one", "one_for_all", "rest_for_one"]
    strategy = draw(st.sampled_from(strategies))
    names = ["a", "b", "c", "d"][: draw(st.integers(min_value=0, max_value=4))]
    return SupervisorSpec(
        id="root",
        strategy=strategy,
        ordered=strategy != "one_for_one" or draw(st.booleans()),
        children=tuple(draw(child_specs(name)) for name in names),
    )


class CoreMachine(RuleBasedStateMachine):
    """Plays the shell and the children, within what both may do."""

    @initialize(spec=supervisor_specs(), seed=st.integers(min_value=0, max_value=2**32))
    def build(self, spec: SupervisorSpec, seed: int) -> None:
        self.core = SupervisorCore(spec, rng=random.Random(seed))
        self.oracle = Oracle(spec, random.Random(seed))
        self.now = 0.0
        self.live: list[tuple[str, int]] = []
        self.timers: list[tuple[float, str, int]] = []
        self.hand(protocol.StartRequested())

    def hand(self, event: protocol.Input) -> None:
        self.sound = False
        actions = self.core.handle(event, self.now)
        self.oracle.watch(event, self.now, actions)
        for action in actions:
            match action:
                case protocol.Start(id=name, generation=generation):
                    self.live.append((name, generation))
                case protocol.ScheduleAt(at=at, id=name, timer=timer):
                    self.timers.append((at, name, timer))
                case _:
                    pass
        states = {status.id: status.state for status in self.core.status()}
        seen = {name: seen.state for name, seen in self.oracle.seen.items()}
        assert states == seen
        self.sound = True

    @rule(by_s=TIMES_S)
    def time_passes(self, by_s: float) -> None:
        self.now += by_s

    @precondition(lambda self: self.timers)
    @rule(data=st.data(), on_time=st.booleans())
    def tick(self, data: Any, on_time: bool) -> None:
        """A timer comes due, maybe long stale, maybe a little early."""
        at, name, timer = data.draw(st.sampled_from(sorted(self.timers)))
        if on_time:
            self.now = max(self.now, at)
        self.hand(protocol.Tick(id=name, timer=timer))

    @precondition(lambda self: self.timers)
    @rule()
    def next_tick(self) -> None:
        """The earliest timer comes due: what drives restarts most of the time."""
        at, name, timer = min(self.timers)
        self.timers.remove((at, name, timer))
        self.now = max(self.now, at)
        self.hand(protocol.Tick(id=name, timer=timer))

    @precondition(lambda self: self.live)
    @rule(data=st.data())
    def child_starts(self, data: Any) -> None:
        name, generation = data.draw(st.sampled_from(self.live))
        self.hand(protocol.ChildStarted(id=name, generation=generation))

    @precondition(lambda self: self.live)
    @rule()
    def all_children_start(self) -> None:
        for name, generation in self.live:
            self.hand(protocol.ChildStarted(id=name, generation=generation))

    @precondition(lambda self: self.live)
    @rule(
        data=st.data(),
        reason=st.sampled_from(
            [Normal(), Shutdown(by="a test"), Crashed(error="boom"), Crashed(error="boom"), InitFailed(error="no")]
        ),
    )
    def child_exits(self, data: Any, reason: ExitReason) -> None:
        name, generation = incarnation = data.draw(st.sampled_from(self.live))
        self.live.remove(incarnation)
        self.hand(protocol.ChildExited(id=name, generation=generation, reason=reason))

    @precondition(lambda self: self.live)
    @rule(data=st.data())
    def child_hangs(self, data: Any) -> None:
        name, generation = data.draw(st.sampled_from(self.live))
        hung = Hung(kind="ping", busy_s=5.0)
        self.hand(protocol.ChildHung(id=name, generation=generation, reason=hung))

    @rule(name=st.sampled_from("abcdxy"), spec=child_specs("x"))
    def add(self, name: str, spec: ChildSpec) -> None:
        self.hand(protocol.AddRequested(spec=msgspec.structs.replace(spec, id=name)))

    @rule(name=st.sampled_from("abcdx"), drain_s=TIMES_S)
    def remove(self, name: str, drain_s: float) -> None:
        self.hand(protocol.RemoveRequested(id=name, drain_until=self.now + drain_s))

    @rule(name=st.sampled_from("abcdx"), drain_s=TIMES_S)
    def drain(self, name: str, drain_s: float) -> None:
        self.hand(protocol.DrainRequested(id=name, drain_until=self.now + drain_s))

    @rule(drain_s=TIMES_S, hard_s=st.sampled_from([0.5, 5.0, math.inf]), retire=st.booleans())
    def stop(self, drain_s: float, hard_s: float, retire: bool) -> None:
        self.hand(
            protocol.StopRequested(
                by="a test", drain_until=self.now + drain_s, hard_until=self.now + hard_s, retire=retire
            )
        )

    def teardown(self) -> None:
        """Whatever state it was left in, a hard stop ends it in bounded time, with every restart accounted for."""
        if not getattr(self, "sound", False):
            return  # it failed before; do not hide why
        self.hand(protocol.StopRequested(by="the end", hard_until=self.now))
        for _ in range(200):
            if self.oracle.gone:
                break
            self.next_tick()
        assert self.oracle.gone, "a hard stop did not end"
        assert not any(seen.restart_due for seen in self.oracle.seen.values())


CoreMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=40, report_multiple_bugs=False)
TestCoreMachine = CoreMachine.TestCase
