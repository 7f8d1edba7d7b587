"""Own those who wait for the same: a group, and the order among its own.

A group are the waiting attempts that pass the same gauges with the same priority. In it those with the same tags make
a flow; flows take turns, and within a flow the first come is the first served. So a tag that floods a limit waits for
itself, and others that share the limit have their turn. A flow that begins to wait comes last in the round.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Final, Protocol

from manus.actors.admission.gauge import Gauge, Seniority, Spot
from manus.actors.admission.rules import PathName
from manus.messages.accounting import Reserve
from manus.messages.ids import RequestId
from manus.messages.requests import Priority

AttemptKey = tuple[RequestId, int]

GroupName = tuple[PathName, Priority]


KEEP_S: Final = 2.0
"""How long a place is kept at first that does not lead on."""


class Asker(Protocol):
    """Who waits for the answer, as the runtime gives it."""

    @property
    def answered(self) -> bool:
        """Nobody waits any more: it left, or its deadline passed."""
        ...


class Waiter:
    """One attempt in line.

    Args:
        asker: who waits for the answer.
        patient: it waits for room; else only until it is known what a budget has left.
        deadline: when waiting is of no use any more, on the loop's clock.
    """

    __slots__ = ("asker", "deadline", "group", "key", "patient", "reserve")

    def __init__(self, reserve: Reserve, asker: Asker, *, patient: bool, deadline: float) -> None:
        self.key: AttemptKey = (reserve.request_id, reserve.attempt)
        self.reserve = reserve
        self.asker = asker
        self.patient = patient
        self.deadline = deadline
        self.group: Group | None = None
        """Where it stands; None where it does not."""


class Group:
    """Those who wait for the same. In line for as long as it is not empty.

    Args:
        name: what makes them the same.
        seniority: of its first, from when it became the first.
        waiting: all that wait, in any group; kept up with whoever leaves this one.
        gone: takes those who are dropped because nobody waits for them any more.
    """

    __slots__ = ("_flows", "_gone", "_waiting", "keep_s", "keeps_until", "moves", "name", "seniority", "spots")

    def __init__(
        self, name: GroupName, seniority: Seniority, waiting: dict[AttemptKey, Waiter], gone: list[Waiter]
    ) -> None:
        self.name = name
        self.seniority = seniority
        self.moves = 0
        """How often its first had to move from one gauge to another."""
        self.keep_s = KEEP_S
        self.keeps_until = 0.0
        """Until when its first keeps the places that it comes from, once it has moved often enough."""
        self.spots: dict[Gauge, Spot] = {}
        """Where it is held up."""
        self._flows: OrderedDict[tuple[str, ...], deque[Waiter]] = OrderedDict()
        self._waiting = waiting
        self._gone = gone

    def __len__(self) -> int:
        return sum(len(flow) for flow in self._flows.values())

    def add(self, waiter: Waiter) -> None:
        """Put it at the end of its flow."""
        self._flows.setdefault(waiter.reserve.tags, deque()).append(waiter)
        self._waiting[waiter.key] = waiter
        waiter.group = self

    def first(self) -> Waiter | None:
        """Give whose turn it is; who would come first and is gone is dropped on the way."""
        while self._flows:
            flow = next(iter(self._flows.values()))
            if not flow[0].asker.answered:
                return flow[0]
            self.drop(flow[0])
        return None

    def everybody(self) -> list[Waiter]:
        """List all of its own, in the order of their turns as far as that is known now."""
        flows = [list(flow) for flow in self._flows.values()]
        return [flow[turn] for turn in range(max(map(len, flows), default=0)) for flow in flows if turn < len(flow)]

    def take_first(self) -> None:
        """Let the one whose turn it is go, and give the turn to the next flow."""
        tags, flow = next(iter(self._flows.items()))
        self.remove(flow[0])
        if flow:
            self._flows.move_to_end(tags)
        self.moves, self.keep_s = 0, KEEP_S

    def drop(self, waiter: Waiter) -> None:
        """Let one of its own go for whom nobody waits any more."""
        self.remove(waiter)
        self._gone.append(waiter)

    def remove(self, waiter: Waiter) -> None:
        """Let one of its own go."""
        assert waiter.group is self, "it stands here"
        tags = waiter.reserve.tags
        flow = self._flows[tags]
        flow.remove(waiter)
        if not flow:
            del self._flows[tags]
        del self._waiting[waiter.key]
        waiter.group = None
