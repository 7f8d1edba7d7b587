"""Drive a `SupervisorCore` in tests: short words for inputs, short names for what came of them."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import TypeAlias, TypeVar

from manus.supervisor import protocol
from manus.supervisor.core import SupervisorCore
from manus.supervisor.events import SupervisionEvent
from manus.supervisor.reasons import Crashed, ExitReason, Hung
from manus.supervisor.spec import AnySpec, ChildSpec, Strategy, SupervisorSpec
from tests.supervisor.core_oracle import Oracle

A = TypeVar("A")
AboutAChild: TypeAlias = (
    protocol.Start | protocol.Cancel | protocol.Drain | protocol.Fence | protocol.Retire | protocol.Forget
)


async def never_started(_ctx: object) -> None:
    raise AssertionError("the core starts nothing itself")


def worker(name: str, **settings: object) -> ChildSpec:
    return ChildSpec(id=name, start=never_started, **settings)  # type: ignore[arg-type]


class Rig:
    """A core under test, with its clock in hand and the oracle looking on."""

    def __init__(self, *children: AnySpec, strategy: Strategy = "one_for_one", ordered: bool = True) -> None:
        spec = SupervisorSpec(id="root", children=children, strategy=strategy, ordered=ordered)
        self.core = SupervisorCore(spec, rng=random.Random(1))
        self.oracle = Oracle(spec, random.Random(1))
        self.now = 0.0
        self.last: list[protocol.Action] = []
        self.timers: dict[str, tuple[float, int]] = {}
        self.generations: dict[str, int] = {}

    def hand(self, event: protocol.Input) -> list[protocol.Action]:
        self.last = self.core.handle(event, self.now)
        self.oracle.watch(event, self.now, self.last)
        for action in self.last:
            match action:
                case protocol.ScheduleAt(at=at, id=name, timer=timer):
                    self.timers[name] = (at, timer)
                case protocol.Start(id=name, generation=generation):
                    self.generations[name] = generation
                case _:
                    pass
        return self.last

    def boot(self) -> None:
        """Start all children, each up as soon as it is its turn."""
        self.hand(protocol.StartRequested())
        while starting := [status.id for status in self.core.status() if status.state == "starting"]:
            self.started(starting[0])

    def started(self, name: str) -> list[protocol.Action]:
        return self.hand(protocol.ChildStarted(id=name, generation=self.generations[name]))

    def exits(self, name: str, reason: ExitReason, generation: int | None = None) -> list[protocol.Action]:
        generation = self.generations[name] if generation is None else generation
        return self.hand(protocol.ChildExited(id=name, generation=generation, reason=reason))

    def hangs(self, name: str) -> list[protocol.Action]:
        hung = Hung(kind="progress", busy_s=9.0)
        return self.hand(protocol.ChildHung(id=name, generation=self.generations[name], reason=hung))

    def due(self, name: str) -> list[protocol.Action]:
        """Let time pass until the child's newest timer comes due."""
        at, timer = self.timers[name]
        self.now = max(self.now, at)
        return self.hand(protocol.Tick(id=name, timer=timer))

    def crash_and_restart(self, name: str) -> None:
        self.exits(name, Crashed(error="boom"))
        self.due(name)
        self.started(name)

    def stop(
        self, *, drain_s: float = -math.inf, hard_s: float = math.inf, retire: bool = True
    ) -> list[protocol.Action]:
        return self.hand(
            protocol.StopRequested(
                by="host", drain_until=self.now + drain_s, hard_until=self.now + hard_s, retire=retire
            )
        )

    def state(self, name: str) -> str:
        return {status.id: status.state for status in self.core.status()}.get(name, "forgotten")

    def states(self) -> dict[str, str]:
        return {status.id: status.state for status in self.core.status()}

    def did(self, kind: type[A]) -> list[A]:
        """Pick the actions of one kind out of the last answer."""
        return [action for action in self.last if isinstance(action, kind)]

    def said(self) -> list[SupervisionEvent]:
        """Pick the events out of the last answer."""
        return [action.event for action in self.last if isinstance(action, protocol.Emit)]


def ids(actions: Sequence[AboutAChild]) -> list[str]:
    return [action.id for action in actions]
