"""Own chance that depends on nobody else: a stream of draws per name, so that one's bad luck never moves another's.

With one generator for all, every draw for one provider would change what is drawn for the others: their waits, and so
the latency of their requests, would depend on faults that are none of theirs.
"""

from __future__ import annotations

import random


class Jitter:
    """Draws for one name.

    The generator is made by the first draw: making one takes some microseconds and 2.5 KB, and most are never needed.

    Args:
        seed: of the whole process, or of a simulation.
        name: whom the draws are for; equal seeds and names give equal draws.
    """

    __slots__ = ("_name", "_rng", "_seed")

    def __init__(self, seed: int, name: str) -> None:
        self._seed = seed
        self._name = name
        self._rng: random.Random | None = None

    def anew(self) -> Jitter:
        """Give the same draws again, from the first one on."""
        return Jitter(self._seed, self._name)

    def draw(self) -> float:
        """Draw the next number, from 0 up to but not 1."""
        rng = self._rng
        if rng is None:
            rng = self._rng = random.Random(f"{self._seed}/{self._name}")
        return rng.random()
