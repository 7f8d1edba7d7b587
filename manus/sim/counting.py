"""Own how a simulated vendor counts towards a limit per minute: in windows of its clock, in any minute, or as a bucket.

Each counter answers for one limit and knows no vendor. What was counted can be corrected later, since some vendors give
back what was reserved and not used; it stays counted at the time at which it came.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Literal, Protocol, assert_never

Counting = Literal["fixed", "sliding", "bucket"]
"""`fixed`: minutes of the vendor's clock. `sliding`: any minute. `bucket`: it fills steadily, and holds a minute's."""

SLACK = 1e-9
"""Sums of floating-point seconds and tokens are off by less."""


class Entry:
    """One thing that was counted: when and how much. Corrected through its counter."""

    __slots__ = ("amount", "at_s", "counted")

    def __init__(self, at_s: float, amount: int) -> None:
        self.at_s = at_s
        self.amount = amount
        self.counted = True


class Counter(Protocol):
    """Counts towards one limit. Time never goes back from call to call."""

    limit: int

    def used(self, now_s: float) -> int:
        """Tell how much counts now; more than the limit where something was counted unasked."""
        ...

    def add(self, now_s: float, amount: int) -> Entry:
        """Count something, whether or not it fits."""
        ...

    def correct(self, now_s: float, entry: Entry, amount: int) -> None:
        """Let an entry count as `amount` from now on."""
        ...

    def free_in_s(self, now_s: float, amount: int) -> float:
        """Tell in how many seconds `amount` more fits if nothing else comes; infinite where it never does."""
        ...


def counter_of(counting: Counting, limit: int, window_s: float) -> Counter:
    """Make a counter of `limit` per `window_s` seconds."""
    match counting:
        case "fixed":
            return FixedWindow(limit, window_s)
        case "sliding":
            return SlidingWindow(limit, window_s)
        case "bucket":
            return TokenBucket(limit, window_s)
        case _:
            assert_never(counting)


class SlidingWindow:
    """Counts what came in the last `window_s` seconds, whenever one looks."""

    __slots__ = ("_entries", "_total", "_window_s", "limit")

    def __init__(self, limit: int, window_s: float) -> None:
        self.limit = limit
        self._window_s = window_s
        self._entries: deque[Entry] = deque()
        self._total = 0

    def used(self, now_s: float) -> int:
        """Tell how much came in the last window."""
        entries = self._entries
        while entries and entries[0].at_s + self._window_s <= now_s + SLACK:
            gone = entries.popleft()
            gone.counted = False
            self._total -= gone.amount
        return self._total

    def add(self, now_s: float, amount: int) -> Entry:
        """Count something, whether or not it fits."""
        entry = Entry(now_s, amount)
        self._entries.append(entry)
        self._total += amount
        return entry

    def correct(self, now_s: float, entry: Entry, amount: int) -> None:
        """Let an entry count as `amount`, while it counts at all."""
        self.used(now_s)
        if entry.counted:
            self._total += amount - entry.amount
        entry.amount = amount

    def free_in_s(self, now_s: float, amount: int) -> float:
        """Tell when enough has left the window."""
        if amount > self.limit:
            return math.inf
        excess = self.used(now_s) + amount - self.limit
        for entry in self._entries:
            if excess <= 0:
                break
            excess -= entry.amount
            if excess <= 0:
                return entry.at_s + self._window_s - now_s
        return 0.0


class FixedWindow:
    """Counts what came since the vendor's clock last began a window; then all is forgotten at once."""

    __slots__ = ("_began", "_total", "_window_s", "limit")

    def __init__(self, limit: int, window_s: float) -> None:
        self.limit = limit
        self._window_s = window_s
        self._began = -1
        self._total = 0

    def used(self, now_s: float) -> int:
        """Tell how much came in the present window."""
        began = self._number(now_s)
        if began != self._began:
            self._began, self._total = began, 0
        return self._total

    def add(self, now_s: float, amount: int) -> Entry:
        """Count something, whether or not it fits."""
        self.used(now_s)
        self._total += amount
        return Entry(now_s, amount)

    def correct(self, now_s: float, entry: Entry, amount: int) -> None:
        """Let an entry count as `amount`, while its window lasts."""
        self.used(now_s)
        if self._number(entry.at_s) == self._began:
            self._total += amount - entry.amount
        entry.amount = amount

    def free_in_s(self, now_s: float, amount: int) -> float:
        """Tell when the next window begins, unless there is room in this one."""
        if amount > self.limit:
            return math.inf
        if self.used(now_s) + amount <= self.limit:
            return 0.0
        return (self._began + 1) * self._window_s - now_s

    def _number(self, at_s: float) -> int:
        return math.floor((at_s + SLACK) / self._window_s)


class TokenBucket:
    """Counts what was taken from a bucket that holds `limit` and fills steadily by as much in `window_s` seconds."""

    __slots__ = ("_at_s", "_level", "_per_s", "limit")

    def __init__(self, limit: int, window_s: float) -> None:
        self.limit = limit
        self._per_s = limit / window_s
        self._level = float(limit)
        self._at_s = 0.0

    def used(self, now_s: float) -> int:
        """Tell how much is missing to a full bucket."""
        return math.ceil(self.limit - self._filled(now_s) - 1e-6)

    def add(self, now_s: float, amount: int) -> Entry:
        """Take something, whether or not it is there."""
        self._level = self._filled(now_s) - amount
        return Entry(now_s, amount)

    def correct(self, now_s: float, entry: Entry, amount: int) -> None:
        """Put back what was taken for nothing, or take the rest."""
        self._level = min(float(self.limit), self._filled(now_s) + entry.amount - amount)
        entry.amount = amount

    def free_in_s(self, now_s: float, amount: int) -> float:
        """Tell when the bucket holds enough."""
        if amount > self.limit:
            return math.inf
        missing = amount - self._filled(now_s)
        return 0.0 if missing <= 1e-6 else missing / self._per_s

    def _filled(self, now_s: float) -> float:
        self._level = min(float(self.limit), self._level + (now_s - self._at_s) * self._per_s)
        self._at_s = now_s
        return self._level
