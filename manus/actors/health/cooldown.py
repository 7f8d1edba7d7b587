"""Own the patience that a vendor asks for: after a 429, and when its headers say that a limit is used up."""

from __future__ import annotations

import math
from typing import Final

from manus.actors.health.rest import Rest, believed, spread_s
from manus.actors.jitter import Jitter
from manus.messages.failures import Failed
from manus.messages.outcomes import RateLimitReading
from manus.messages.routing_policy import HealthPolicy

DOUBLINGS_MAX: Final = 16
"""Far beyond any `open_max_s`; so that the power stays a number."""


class Cooldown:
    """When one deployment may be asked again. No failure: its breaker knows nothing of it."""

    __slots__ = ("_asked_at", "_doublings", "_jitter", "_policy", "rest", "why")

    def __init__(self, policy: HealthPolicy, jitter: Jitter) -> None:
        self._policy = policy
        self._jitter = jitter
        self._doublings = 0
        self._asked_at = -math.inf
        self.rest = Rest()
        self.why = ""

    def adopt(self, policy: HealthPolicy) -> None:
        """Go by another policy from now on."""
        self._policy = policy

    def refused(self, failure: Failed, *, began_at: float, now: float) -> None:
        """Hear a 429 of an attempt that began at `began_at`.

        One that names no time doubles the last pause, but only if the attempt began after that: those that were under
        way together are told the same thing once.
        """
        hint_s = believed(failure.retry_after_s)
        if hint_s is None:
            if began_at >= self._asked_at:
                self._doublings = min(self._doublings + 1, DOUBLINGS_MAX)
                self._asked_at = now
            pause_s = self._policy.cooldown_s * 2.0 ** (max(self._doublings, 1) - 1)
            pause_s = spread_s(min(pause_s, self._policy.open_max_s), self._policy, self._jitter)
            self._rest(now, pause_s, "it wants fewer requests, and names no time")
        else:
            self._rest(now, hint_s, "it wants fewer requests, and named the time")

    def told(self, hint_s: float | None, now: float) -> None:
        """Hear a Retry-After that came with another failure."""
        seconds = believed(hint_s)
        if seconds is not None:
            self._rest(now, seconds, "it named the time when to come back")

    def exhausted(self, readings: tuple[RateLimitReading, ...], *, refused: bool, now: float) -> None:
        """Hear what the headers tell of its limits.

        Where nothing was refused this is a forecast, and vendors name the time when a limit is *full* again, which is
        long after it lets the next request through: it is believed for as long as a breaker would stay open.
        """
        for reading in readings:
            if reading.remaining != 0:
                continue
            seconds = believed(reading.reset_s)
            if seconds is not None:
                seconds = seconds if refused else min(seconds, self._policy.open_max_s)
                self._rest(now, seconds, f"its limit of {reading.dimension} is used up".replace("_", " "))

    def proven(self, *, began_at: float) -> None:
        """Hear of a success. One that began before the last 429 does not answer it."""
        if began_at >= self._asked_at:
            self._doublings = 0

    def _rest(self, now: float, seconds: float, why: str) -> None:
        if self.rest.extend(now, seconds):
            self.why = why
