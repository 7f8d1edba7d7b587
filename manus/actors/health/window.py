"""Own counts of good and bad ends over a span of time that slides: in slots, so that nothing is kept per call."""

from __future__ import annotations

from typing import Final

SLOTS: Final = 10
"""Old ends are forgotten in tenths of the window, too small a step to matter."""


class SlidingCounts:
    """Good and bad ends of the last `window_s`. Each method is total, whatever the clock does."""

    __slots__ = ("_bad", "_current", "_good", "_slot_s")

    def __init__(self, window_s: float) -> None:
        self._slot_s = window_s / SLOTS
        self._good = [0] * SLOTS
        self._bad = [0] * SLOTS
        self._current = -SLOTS

    def count(self, good: bool, now: float) -> None:
        """Note one end."""
        slot = int(now // self._slot_s)
        if slot != self._current:
            self._move_to(slot)
        counts = self._good if good else self._bad
        counts[self._current % SLOTS] += 1

    def totals(self, now: float) -> tuple[int, int]:
        """Give how many were good and how many bad."""
        slot = int(now // self._slot_s)
        if slot != self._current:
            self._move_to(slot)
        return sum(self._good), sum(self._bad)

    def clear(self) -> None:
        """Forget all."""
        self._good = [0] * SLOTS
        self._bad = [0] * SLOTS

    def _move_to(self, slot: int) -> None:
        """Forget the slots that time has left behind; all of them, where it was set back by more than the window."""
        current = self._current
        if slot >= current + SLOTS or slot <= current - SLOTS:
            self.clear()
        elif slot < current:
            return  # `now` was read a little late: it counts as the present
        else:
            for passed in range(current + 1, slot + 1):
                self._good[passed % SLOTS] = 0
                self._bad[passed % SLOTS] = 0
        self._current = slot
