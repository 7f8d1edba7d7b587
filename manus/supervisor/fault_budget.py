"""Own how many requests may crash before their actor is suspected instead of them."""

from __future__ import annotations

from collections import deque

import msgspec


class FaultBudget(msgspec.Struct, frozen=True):
    """How many crashed requests within `period_s` an incarnation may have. One more, and it crashes itself.

    One poisonous answer must not kill the healthy requests beside it, and a broken client must not limp on for ever.
    """

    max_faults: int = 3
    period_s: float = 10.0


class FaultCount:
    """The faults of one incarnation within the sliding window of its budget."""

    __slots__ = ("_at", "_budget")

    def __init__(self, budget: FaultBudget) -> None:
        self._budget = budget
        self._at: deque[float] = deque()

    def spend(self, now: float) -> bool:
        """Count a fault; tell whether the budget could pay for it."""
        oldest = now - self._budget.period_s
        while self._at and self._at[0] <= oldest:
            self._at.popleft()
        if len(self._at) >= self._budget.max_faults:
            return False
        self._at.append(now)
        return True
