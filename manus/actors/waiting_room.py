"""Own the router's places: who may start now, which requests of priority `batch` wait for it, when others come back.

A place that becomes free passes to the request that has waited longest in the same synchronous step, so that it is
never free while somebody waits for it, and nobody is woken for nothing. What follows from that and is relied upon:
as long as one waits, at least the share of the places that batch requests may use is taken.
"""

from __future__ import annotations

import math
import random
from typing import Final, final

import trio

FIRST_GUESS_S: Final = 1.0
"""How long a place is thought to be held before any was given back."""

MEMORY: Final = 1 / 32
"""How much the latest request counts in the average of how long a place is held."""

COME_BACK_MIN_S: Final = 0.05
COME_BACK_MAX_S: Final = 30.0
"""What a request that was shed is told at least, and at most (before the spread): beyond it nobody can know."""

SPREAD: Final = 0.25
"""By how much of itself the told time is lengthened at most, so that those who came together do not come again so."""


@final
class WaitingRoom:
    """The places of one incarnation of the router.

    Args:
        places: requests in flight at once.
        batch_share: batch requests start only while less than this share of the places is taken.
        waiting_max: batch requests that may wait.
        rng: spreads what shed requests are told.
    """

    __slots__ = (
        "_batch_places",
        "_held_s",
        "_lot",
        "_moved_at",
        "_owed",
        "_places",
        "_rng",
        "_waiting_max",
        "taken",
    )

    def __init__(self, places: int, *, batch_share: float, waiting_max: int, rng: random.Random) -> None:
        self.taken = 0
        self._places = places
        self._batch_places = max(1, math.ceil(places * batch_share))
        self._waiting_max = waiting_max
        self._rng = rng
        self._lot = trio.lowlevel.ParkingLot()
        self._held_s = FIRST_GUESS_S
        self._moved_at = math.inf
        self._owed = 0

    def resize(self, places: int, *, batch_share: float, waiting_max: int) -> None:
        """Have another number of places. Whoever has one keeps it; whoever waits gets what is new."""
        self._places = places
        self._batch_places = max(1, math.ceil(places * batch_share))
        self._waiting_max = waiting_max
        while self._lot and self.taken < self._batch_places:
            self.taken += 1
            self._lot.unpark()

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._lot)

    def has_room(self, *, batch: bool) -> bool:
        """Whether a request of this priority may start, or wait for its turn."""
        if batch:
            return self.taken < self._batch_places or len(self._lot) < self._waiting_max
        return self.taken < self._places

    def enter(self, now: float, *, batch: bool) -> bool:
        """Take a place, if there is one for this priority. Whoever took one has to `leave`."""
        if self.taken >= (self._batch_places if batch else self._places):
            return False
        self.taken += 1
        self._moved_at = now
        return True

    async def wait(self) -> None:
        """Wait for a place for a batch request that could not `enter`, in order. On return it is taken.

        Cancelled, there is no place to leave.
        """
        await self._lot.park()

    def leave(self, held_s: float, now: float) -> None:
        """Give a place back that was held for so long, and pass it on to who waits."""
        self.taken -= 1
        self._held_s += MEMORY * (held_s - self._held_s)
        self._moved_at = now
        if self._owed:
            self._owed -= 1
        if self._lot and self.taken < self._batch_places:  # there is one place more than before, so one at most
            self.taken += 1
            self._lot.unpark()

    def come_back_s(self, now: float) -> float:
        """Tell a request that is shed when a place should be free for it, in seconds from now.

        Places become free one after the other, as fast as they did lately, and those who wait and those who were sent
        away before are first. A full router in which nothing has ended for a while may well stand still for as long
        again.
        """
        self._owed += 1
        told_s = self._held_s / self._places * (self._owed + len(self._lot))
        told_s = max(told_s, now - self._moved_at)
        if told_s > COME_BACK_MAX_S:
            told_s = COME_BACK_MAX_S
            self._owed -= 1  # the line is as long as can be told
        return max(COME_BACK_MIN_S, told_s) * (1.0 + SPREAD * self._rng.random())
