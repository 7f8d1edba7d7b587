"""Own a minute that slides: how much of something a vendor may have counted in any sixty seconds.

What is open counts for as long as it is open, because the vendor may count it at any moment of that time. What is over
counts for sixty seconds more, in buckets of one second, each kept until its last moment is sixty seconds old. So
whatever clock the vendor's minute goes by, no sixty seconds hold more than was let in here.
"""

from __future__ import annotations

from collections import deque
from typing import Final

MINUTE_S: Final = 60
"""What a vendor calls a minute, in any sixty seconds."""

KEPT_S: Final = MINUTE_S + 1
"""How long a bucket is kept after it began."""


class SlidingMinute:
    """Amounts of the last sixty seconds, and of what is open. Times are of the loop's clock, and never go back."""

    __slots__ = ("_buckets", "_counted", "open")

    def __init__(self) -> None:
        self.open = 0
        self._counted = 0
        self._buckets: deque[list[int]] = deque()  # [the second it begins with, amount], the oldest first

    def used(self, now: float) -> int:
        """Give all that a vendor may count now."""
        buckets = self._buckets
        while buckets and buckets[0][0] + KEPT_S <= now:
            self._counted -= buckets.popleft()[1]
        return self.open + self._counted

    def count(self, amount: int, now: float) -> int:
        """Count `amount` from now on for a minute; gives the name of its bucket."""
        second = int(now)
        buckets = self._buckets
        if buckets and buckets[-1][0] >= second:
            second = buckets[-1][0]
            buckets[-1][1] += amount
        else:
            buckets.append([second, amount])
        self._counted += amount
        return second

    def amend(self, second: int, difference: int) -> None:
        """Correct what was counted in a bucket; nothing where that is over."""
        for bucket in reversed(self._buckets):
            if bucket[0] == second:
                bucket[1] += difference
                self._counted += difference
                return

    def counted_since(self, at: float) -> int:
        """Give what was counted in the second of `at` and later, open ones aside."""
        second = int(at)
        return sum(bucket[1] for bucket in self._buckets if bucket[0] >= second)

    def free_at(self, excess: int, now: float) -> float | None:
        """Tell when `excess` of what is used will be over; None where that depends on what is open."""
        self.used(now)
        for second, amount in self._buckets:
            excess -= amount
            if excess <= 0:
                return float(second + KEPT_S)
        return None
