"""Own what may be done to a share of recent traffic only: retries and hedges, lest an outage be answered by a storm."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

WINDOW_S: Final = 60.0
"""The traffic that a share is taken of is that of the last minute..."""

SLOTS: Final = 12
"""...counted in slots of five seconds, so that old traffic is forgotten in steps too small to matter."""

_SLOT_S: Final = WINDOW_S / SLOTS


class TrafficShare:
    """A share of recent requests.

    Each method is one synchronous, total mutation.

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

    def adopt(self, ratio: float, minimum: int) -> None:
        """Allow another share from now on; what was spent stays spent."""
        self._ratio, self._minimum = ratio, minimum

    def count_request(self, now: float) -> None:
        """Note one request: it earns its share."""
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
        if current <= self._current:
            return self._current % SLOTS
        for passed in range(max(self._current + 1, current - SLOTS + 1), current + 1):
            self._requests[passed % SLOTS] = 0
            self._spent[passed % SLOTS] = 0
        self._current = current
        return self._current % SLOTS


class TrafficShares:
    """A share of each provider's own traffic, or one that is down would use up what the others need.

    Lives in the router's durable cell. Arguments are those of `TrafficShare`; there are as many as there are entries.
    """

    __slots__ = ("_by_provider", "_minimum", "_ratio")

    def __init__(self, ratio: float, minimum: int = 0) -> None:
        self._ratio = ratio
        self._minimum = minimum
        self._by_provider: dict[str, TrafficShare] = {}

    def adopt(self, ratio: float, minimum: int = 0) -> None:
        """Allow another share of every provider's traffic from now on."""
        self._ratio, self._minimum = ratio, minimum
        for share in self._by_provider.values():
            share.adopt(ratio, minimum)

    def keep_only(self, providers: Collection[str]) -> None:
        """Forget the providers that are gone."""
        for gone in self._by_provider.keys() - set(providers):
            del self._by_provider[gone]

    def count_request(self, provider: str, now: float) -> None:
        """Note that a request is sent to a provider that it was not sent to before."""
        self._of(provider).count_request(now)

    def spend(self, provider: str, now: float) -> bool:
        """Take one at a provider, if the share of its traffic allows it."""
        return self._of(provider).spend(now)

    def _of(self, provider: str) -> TrafficShare:
        share = self._by_provider.get(provider)
        if share is None:
            share = self._by_provider[provider] = TrafficShare(self._ratio, self._minimum)
        return share
