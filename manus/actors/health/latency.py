"""Own how fast a deployment is: an average that believes bad news at once, and quantiles of what came lately."""

from __future__ import annotations

import math
from array import array
from typing import Final

DECAY_S: Final = 60.0
"""Old samples lose two thirds of their weight in a minute: long enough to remember a spike, short enough to forgive."""

IDLE_DECAY_S: Final = 600.0
"""Without any samples the average fades in tens of minutes, so that who was slow once is tried again some day."""

RECENT: Final = 128
"""Samples that quantiles are taken of: the 95th percentile then stands on six of them."""


class PeakAverage:
    """A moving average in time that jumps to a slower sample at once and comes down slowly (peak-EWMA)."""

    __slots__ = ("_at", "value")

    def __init__(self) -> None:
        self.value: float | None = None
        self._at = 0.0

    def observe(self, seconds: float, now: float) -> None:
        """Take in one sample."""
        value = self.value
        if value is None or seconds >= value:
            self.value = seconds
        else:
            weight = math.exp(-max(0.0, now - self._at) / DECAY_S)
            self.value = value * weight + seconds * (1.0 - weight)
        self._at = now

    def raise_to(self, seconds: float, now: float) -> None:
        """Take in that something took at least so long and was not seen to its end: it can only be bad news."""
        if self.value is None or seconds > self.value:
            self.value = seconds
            self._at = now

    def faded(self, now: float) -> float | None:
        """Give the average, less what time has taken off it since the last sample."""
        if self.value is None:
            return None
        return self.value * math.exp(-max(0.0, now - self._at) / IDLE_DECAY_S)


class RecentSamples:
    """The latest samples, at most `RECENT`, and their quantiles."""

    __slots__ = ("_next", "_samples")

    def __init__(self) -> None:
        self._samples = array("d")  # a quarter of what a list of floats takes, and there may be a thousand of these
        self._next = 0

    def __len__(self) -> int:
        return len(self._samples)

    def add(self, seconds: float) -> None:
        """Take in one sample, in place of the oldest."""
        if len(self._samples) < RECENT:
            self._samples.append(seconds)
        else:
            self._samples[self._next] = seconds
            self._next = (self._next + 1) % RECENT

    def quantile(self, q: float) -> float | None:
        """Give the least sample that at least the share `q` of all does not exceed; None where there are none."""
        if not self._samples:
            return None
        rank = math.ceil(min(max(q, 0.0), 1.0) * len(self._samples))
        return sorted(self._samples)[max(rank, 1) - 1]
