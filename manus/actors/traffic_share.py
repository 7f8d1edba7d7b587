"""Own what may be done to a share of recent traffic only: retries and hedges, lest an outage be answered by a storm."""

from __future__ import annotations

from typing import Final

WINDOW_S: Final = 60.0
"""The traffic that a share is taken of is that of the last minute..."""

SLOTS: Final = 12
"""...counted in slots of five seconds, so that old traffic is forgotten in steps too small to matter."""

_SLOT_S: Final = WINDOW_S / SLOTS


class TrafficShare:
    """A share of recent requests.

    Lives in the router's durable cell; each method is one synchronous, total mutation.

    Args:
        ratio: so many of the requests of the last minute, and
        minimum: so many in any case.
    """

    __slots__ = ("_current", "_minimum", "_ratio", "_requests", "_spent")

    def __init__(self, ratio: float, minimum: int = 0) -> None:
        self._ratio = ratio
        self._minimum = minimum
        self._requests = [0] * SLOTS
        self._spent = [0] * SLOTS
        self._current = -SLOTS

    def count_request(self, now: float) -> None:
        """Note one admitted request: it earns its share."""
        self._requests[self._slot(now)] += 1

    def spend(self, now: float) -> bool:
        """Take one, if the share allows it."""
        slot = self._slot(now)
        if sum(self._spent) + 1 > self._minimum + self._ratio * sum(self._requests):
            return False
        self._spent[slot] += 1
        return True

    def _slot(self, now: float) -> int:
        """Find the slot of `now` and forget the slots that time has left behind."""
        current = int(now // _SLOT_S)
        for passed in range(max(self._current + 1, current - SLOTS + 1), current + 1):
            self._requests[passed % SLOTS] = 0
            self._spent[passed % SLOTS] = 0
        self._current = max(current, self._current)
        return self._current % SLOTS
