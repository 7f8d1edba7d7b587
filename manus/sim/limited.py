"""Own how a call is played under a provider's limits: let in or refused when it comes, counted while it is answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from manus.sim.bill import BillRow
from manus.sim.errors_limits import excess_reply
from manus.sim.limits import telling_truly
from manus.sim.plan import reply_steps
from manus.sim.quota import Excess, Quota, Seat
from manus.sim.steps import Generate, Planned
from manus.sim.wire import ChatAsked, Wire


class Limited:
    """One call at a provider that has limits.

    Args:
        now_s: the clock by which they are counted.
    """

    __slots__ = ("_now_s", "_quota", "_seat", "_wire")

    def __init__(self, quota: Quota, wire: Wire, now_s: Callable[[], float]) -> None:
        self._quota = quota
        self._wire = wire
        self._now_s = now_s
        self._seat: Seat | None = None

    def steps(
        self, answer: Iterator[Planned], asked: ChatAsked, row: BillRow, *, cached_tokens: int, told: bool
    ) -> Iterator[Planned]:
        """Play `answer` if there is room when its first step is taken, else the vendor's 429.

        Args:
            told: the head says how the limits stand, as the vendor's do.
        """
        steps = self._within(answer, asked, row, cached_tokens)
        return telling_truly(steps, self._wire.name, self._quota, self._now_s) if told else steps

    def leave(self) -> None:
        """Give back the place and what was reserved for nothing; harmless where the call was never let in."""
        if self._seat is not None:
            self._seat.leave(self._now_s())

    def _within(
        self, answer: Iterator[Planned], asked: ChatAsked, row: BillRow, cached_tokens: int
    ) -> Iterator[Planned]:
        taken = self._quota.take(asked, cached_tokens=cached_tokens, now_s=self._now_s())
        if isinstance(taken, Excess):
            row.fault = f"limit:{taken.dimension}"
            yield from reply_steps(excess_reply(self._wire, taken, number=row.number, model=asked.model))
            return
        self._seat = taken
        for step in answer:
            if isinstance(step, Generate):
                taken.generated(step.tokens, self._now_s())
            yield step
