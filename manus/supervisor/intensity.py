"""Own how often a child may restart and how long it waits before it does: the window and the series."""

from __future__ import annotations

import random
from collections import deque

from manus.supervisor.spec import Backoff, Intensity


class RestartWindow:
    """The restarts of one child within the last `period_s`: an exact sliding window.

    A restart counts for as long as it is not older than the period, bounds included, as in OTP.
    The memory is bounded by `max_restarts + 1` times.
    """

    __slots__ = ("_intensity", "_restarted_at")

    def __init__(self, intensity: Intensity) -> None:
        self._intensity = intensity
        self._restarted_at: deque[float] = deque(maxlen=intensity.max_restarts + 1)

    def spend(self, now: float) -> bool:
        """Count one more restart; False says that it was one too many."""
        self._restarted_at.append(now)
        return self.count(now) <= self._intensity.max_restarts

    def count(self, now: float) -> int:
        """Count the restarts that still lie within the period; never more than `max_restarts + 1`."""
        while self._restarted_at and now > self._restarted_at[0] + self._intensity.period_s:
            self._restarted_at.popleft()
        return len(self._restarted_at)


def backoff_delay_s(backoff: Backoff, attempt: int, u: float) -> float:
    """Give the wait before restart number `attempt` (from 0) in a row; `u` in 0..1 is the jitter drawn.

    Jitter is applied before the cap, so no delay exceeds `max_s`.
    """
    try:
        raw_s = backoff.min_s * backoff.factor**attempt * (1.0 + backoff.jitter * u)
    except OverflowError:
        raw_s = backoff.max_s if backoff.min_s > 0.0 else 0.0
    return min(backoff.max_s, raw_s)


class BackoffSeries:
    """Where one child stands in its series of delays."""

    __slots__ = ("_attempt", "_backoff", "_reset_after_s")

    def __init__(self, backoff: Backoff, *, period_s: float) -> None:
        self._backoff = backoff
        self._reset_after_s = period_s if backoff.reset_after_s is None else backoff.reset_after_s
        self._attempt = 0

    def is_healthy(self, ran_s: float) -> bool:
        """Tell whether an incarnation ran long enough for its past to be forgiven."""
        return ran_s >= self._reset_after_s

    def reset(self) -> None:
        """Begin anew: the next delay is the shortest."""
        self._attempt = 0

    def next_delay_s(self, rng: random.Random) -> float:
        """Draw the next delay; exactly one number is taken from `rng`."""
        delay_s = backoff_delay_s(self._backoff, self._attempt, rng.random())
        self._attempt += 1
        return delay_s


def shortest_spending_time_s(intensity: Intensity, backoff: Backoff) -> float:
    """Give the least time in which a child that fails at once can spend its intensity."""
    return sum(backoff_delay_s(backoff, attempt, 0.0) for attempt in range(intensity.max_restarts))
