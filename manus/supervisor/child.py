"""Own what a supervisor's core remembers of one child."""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

import msgspec

from manus.supervisor import events
from manus.supervisor.intensity import BackoffSeries, RestartWindow
from manus.supervisor.reasons import ExitReason
from manus.supervisor.spec import AnySpec, SupervisorSpec

ChildState: TypeAlias = Literal[
    "waiting", "starting", "running", "draining", "stopping", "backoff", "quarantined", "stopped"
]
"""`waiting` for its turn in a start sequence; `stopping` is cancelled and not gone yet; `stopped` is for good."""

LIVE: frozenset[ChildState] = frozenset({"starting", "running", "draining", "stopping"})
"""The states in which an incarnation that is not fenced exists."""

UNWIND_S = 0.05
"""What a cancelled task needs even when it is granted no grace: some passes of the scheduler."""

ZOMBIES_MAX = 1
"""How many fenced incarnations of one child are put up with; the next one means that restarting does not help."""


class ChildStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What the core knows of one child. `zombies` are fenced generations whose tasks have not ended."""

    id: str
    state: ChildState
    generation: int
    restarts: int
    zombies: int


class Carried(msgspec.Struct, frozen=True, kw_only=True):
    """What a supervisor's successor inherits per child, so that generations never repeat on a slot.

    `removed` children are not started again; they are remembered while `zombies` of theirs linger.
    """

    spec: AnySpec
    generation: int = 0
    zombies: frozenset[int] = frozenset()
    dynamic: bool = False
    removed: bool = False


class Child:
    """One child: its spec, where it stands, and its record of failures. Plain state; the core decides."""

    __slots__ = (
        "after",
        "asked_at",
        "asked_by",
        "backoff",
        "cause",
        "doomed",
        "due",
        "dynamic",
        "generation",
        "probation",
        "retired",
        "shut",
        "spec",
        "started_at",
        "starts",
        "state",
        "timer",
        "until",
        "verdict",
        "window",
        "zombies",
    )

    def __init__(self, carried: Carried, *, cause: str) -> None:
        spec = carried.spec
        self.spec = spec
        self.state: ChildState = "waiting"
        self.generation = carried.generation
        self.zombies = set(carried.zombies)
        self.dynamic = carried.dynamic
        self.window = RestartWindow(spec.intensity)
        self.backoff = BackoffSeries(spec.backoff, period_s=spec.intensity.period_s)
        self.starts = 0
        self.started_at: float | None = None
        # The one timer that means something now; any other Tick is stale.
        self.timer: int | None = None
        self.due = math.inf
        # Who asked it to end, when, and until when it may drain.
        self.asked_by = ""
        self.asked_at = 0.0
        self.until = math.inf
        # Why a child that is being cancelled counts as failed by itself; None when others want it stopped.
        self.verdict: ExitReason | None = None
        # A sibling's failure takes it along: it must be down before the group starts again.
        self.doomed = False
        self.after: Literal["restart", "retire", "remove"] = "restart"
        self.probation = False
        # The mailbox is shut by a quarantine; the mailbox is closed for good.
        self.shut = False
        self.retired = False
        self.cause = cause

    @property
    def id(self) -> str:
        return self.spec.id

    @property
    def incarnation(self) -> str:
        """Name the incarnation as a cause in events."""
        return f"{self.spec.id}#{self.generation}"

    @property
    def is_live(self) -> bool:
        return self.state in LIVE

    @property
    def is_throwaway(self) -> bool:
        """Tell whether nothing could ever bring the child back, so that its record need not be kept."""
        return self.dynamic and self.spec.restart == "temporary"

    def ran_well(self, now: float) -> bool:
        """Tell whether the incarnation that ends now ran long enough for past failures to be forgiven."""
        return self.started_at is not None and self.backoff.is_healthy(now - self.started_at)

    def overran(self, now: float, phase: Literal["drain", "cancel"]) -> events.ShutdownOverran:
        """Say that the child took longer to end than it was given."""
        return events.ShutdownOverran(
            at=now,
            actor=self.id,
            generation=self.generation,
            cause=self.cause,
            phase=phase,
            allowed_s=now - self.asked_at,
        )

    def status(self) -> ChildStatus:
        return ChildStatus(
            id=self.id,
            state=self.state,
            generation=self.generation,
            restarts=max(0, self.starts - 1),
            zombies=len(self.zombies),
        )

    def carry(self) -> Carried:
        return Carried(
            spec=self.spec,
            generation=self.generation,
            zombies=frozenset(self.zombies),
            dynamic=self.dynamic,
            removed=self.after == "remove",
        )


def unwind_s(spec: AnySpec) -> float:
    """Give the time that a cancelled child needs at least; a supervisor's children unwind before itself."""
    if isinstance(spec, SupervisorSpec):
        return 2 * UNWIND_S + max((unwind_s(child) for child in spec.children), default=0.0)
    return UNWIND_S
