"""Own what is seen of a run, by senders, by handlers and on the bus: all there is to judge it by."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import msgspec

from manus.supervisor.events import SupervisionEvent
from manus.supervisor.mailbox import SlotStatistics
from manus.supervisor.statistics import ActorStatus
from tests.sim.tree_plan import ActorPlan, MessagePlan, Plan


class Work:
    """A message: what its handler is to do. Each has a class of its own, for that is what dead letters tell."""

    def __init__(self, plan: MessagePlan) -> None:
        self.number = plan.number
        self.deeds = plan.deeds


def work_of(plan: MessagePlan) -> Work:
    """Make the message of a plan."""
    kind: type[Work] = type(f"Work{plan.number}", (Work,), {})
    return kind(plan)


class Done(msgspec.Struct, frozen=True):
    """The answer of a handler that came to its end."""

    number: int
    generation: int


class CutShort(msgspec.Struct, frozen=True):
    """The answer of an actor with a loop of its own to a request whose scope was cancelled."""

    number: int


@dataclass
class Sent:
    """One message as its sender saw it."""

    plan: MessagePlan
    order: int = -1
    sent_at: float = math.nan
    deadline: float = math.inf
    answers: list[object] = field(default_factory=list)
    ended_at: float = math.nan
    leaves_at: float = math.inf
    left_at: float | None = None
    items: list[object] = field(default_factory=list)
    accepted: bool | None = None
    end_moment: float = math.inf


@dataclass
class Handled:
    """One message as an incarnation saw it.

    `began_after_events` and `replied_after_events` are how many events there had been by then; `moment` tells apart
    what happens at the same time.
    """

    number: int
    actor: str
    generation: int
    began_at: float
    ended_at: float = math.nan
    began_after_events: int = 0
    replied_after_events: int | None = None
    shielded: bool = False
    pushed: int = 0
    moment: int = 0


@dataclass
class Report:
    """All there is to judge a run by."""

    plan: Plan
    sent: dict[int, Sent]
    handled: list[Handled]
    events: list[SupervisionEvent]
    late_answers: list[str] = field(default_factory=list)
    overfull: list[str] = field(default_factory=list)
    before_stop: dict[str, ActorStatus] = field(default_factory=dict)
    mailboxes: dict[str, SlotStatistics] = field(default_factory=dict)
    added: dict[str, ActorPlan] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)
    stop_began_at: float = math.inf
    failure: str = ""
    tasks_left: int = 0
    deadlines_left: int = 0
