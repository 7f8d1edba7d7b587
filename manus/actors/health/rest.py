"""Own a span of time during which somebody is left alone, in a way that no clock can make endless."""

from __future__ import annotations

import math
from typing import Final

from manus.actors.jitter import Jitter
from manus.messages.routing_policy import HealthPolicy

STEP_BACK_S: Final = 60.0
"""A clock may be read a little late, so a `now` from before the rest began is normal. One from long before means that
the clock was set back; then the rest is over, rather than as long as the step."""

HINT_MAX_S: Final = 31 * 86_400.0
"""A vendor's hint is believed up to a month, which is when quotas renew; what is beyond is a mistake."""


class Rest:
    """From when until when, in seconds of the loop's clock. A new one is over."""

    __slots__ = ("since", "until")

    def __init__(self) -> None:
        self.since = 0.0
        self.until = -math.inf

    def begin(self, now: float, seconds: float) -> None:
        """Rest for so long from `now`, whatever was before."""
        self.since = now
        self.until = now + seconds

    def extend(self, now: float, seconds: float) -> bool:
        """Rest for so long from `now`; the later deadline wins. False where it already rests for longer."""
        if self.holds(now) and self.until >= now + seconds:
            return False
        self.begin(now, seconds)
        return True

    def end(self) -> None:
        """Be over."""
        self.until = -math.inf

    def holds(self, now: float, *, longer_s: float = 0.0) -> bool:
        """Whether it goes on at `now`, or has been over for less than `longer_s`."""
        return self.since - STEP_BACK_S <= now < self.until + longer_s


def spread_s(seconds: float, policy: HealthPolicy, jitter: Jitter) -> float:
    """Lengthen a rest by chance, so that those who fell together do not return together."""
    return seconds * (1.0 + policy.jitter * jitter.draw())


def believed(hint_s: float | None) -> float | None:
    """Make a hint usable: None where it is none, and never longer than anybody can mean."""
    if hint_s is None or not hint_s > 0:  # also not a number
        return None
    return min(hint_s, HINT_MAX_S)
