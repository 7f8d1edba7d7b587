"""Own what vendors' headers say remains of their limits, and that no more than this is sent until they are reset.

A reading holds for one deployment: the vendors count per model and account, and what several models share shows in the
headers of each. It is only kept while little remains, so that a healthy deployment costs nothing; it counts our own
calls since; and it is forgotten when the vendor said that its limit is reset, at the latest after `HELD_BACK_MAX_S`.
Tokens are held back by what a call is expected to use: a header is a hint, and an upper bound of every call would turn
most of what is offered away. Bounds are for limits that are configured.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final, Literal

from manus.actors.admission.gauge import Gauge, Shortage, refused
from manus.actors.admission.needs import Clock, Ended, output_asked
from manus.actors.admission.windows import SlidingMinute
from manus.messages.accounting import Reserve
from manus.messages.failures import Failed
from manus.messages.ids import DeploymentId
from manus.messages.limits import LimitState, Scope
from manus.messages.outcomes import RateLimitReading
from manus.messages.usage import Usage

HELD_BACK_MAX_S: Final = 60.0
"""No reading holds anything back for longer, whatever it says: a vendor's minute."""

RESET_UNKNOWN_S: Final = 5.0
"""How long a reading holds that does not say when it ends."""

ENOUGH_REQUESTS: Final = 256
ENOUGH_TOKENS: Final = 1_000_000
"""Where this much remains nothing is held back: the next answer will say anew."""

DEPLOYMENTS_MAX: Final = 1024
"""Of so many deployments readings are kept; names of models may come from callers."""

SOURCE: Final = "the vendor's headers"


class LearntGauge(Gauge):
    """What remains of one limit of one deployment, by the vendor's latest word.

    Calls that the vendor may not have counted in it when it said so count against it: those that are open and have no
    answer yet, and those that were answered since.
    """

    __slots__ = ("_base", "_ended", "_minute", "_read_at", "dimension", "limit", "remaining", "until")

    def __init__(self, scope: Scope, dimension: Literal["requests", "tokens", "input_tokens", "output_tokens"]) -> None:
        super().__init__(scope, SOURCE, watches=True)
        self.dimension = dimension
        self.limit: int | None = None
        self.remaining = 0
        self._minute = SlidingMinute()
        self._read_at = -math.inf
        self.until = -math.inf
        self._base = 0  # counted in the second of the reading, and known to be in it
        self._ended = (-1, 0)  # where and with how much the latest end was counted: it is mostly the one that tells

    @property
    def identity(self) -> tuple[object, ...]:
        """A vendor's limit of a deployment."""
        return ("learnt", self.scope, self.dimension)

    def holds(self, now: float) -> bool:
        """Whether its reading still holds."""
        return now < self.until

    def forget(self) -> None:
        """Hold nothing back any more."""
        self.until = -math.inf

    def learn(self, reading: RateLimitReading, *, answered_at: float, now: float) -> None:
        """Take down the latest word; an older one than is known changes nothing."""
        remaining, reset_s = reading.remaining, reading.reset_s
        if remaining is None or answered_at < self._read_at:
            return
        if reset_s is None or not math.isfinite(reset_s):
            reset_s = RESET_UNKNOWN_S
        self.until = answered_at + min(reset_s, HELD_BACK_MAX_S)
        self.limit = reading.limit
        self.remaining = max(0, remaining)
        self._read_at = answered_at
        second, amount = self._ended
        self._minute.used(now)
        self._base = amount if second >= int(answered_at) else 0

    def need(self, reserve: Reserve) -> int:
        """Give what a call is expected to count."""
        match self.dimension:
            case "requests":
                return 1
            case "tokens":
                return reserve.estimate.input_total + output_asked(reserve)
            case "input_tokens":
                return reserve.estimate.input_total
            case "output_tokens":
                return output_asked(reserve)

    def refusal(self, reserve: Reserve, need: int, clock: Clock) -> Failed | None:
        """Refuse nothing for good: headers are forgotten."""
        return None

    def has_room(self, reserve: Reserve, need: int, clock: Clock) -> bool:
        """Tell whether the vendor said that so much remains."""
        return not self.holds(clock.at) or need <= self.left(clock.at)

    def left(self, now: float) -> int:
        """Give what remains of what remained."""
        since = self._minute.counted_since(self._read_at) - self._base
        return self.remaining - self._minute.open - max(0, since)

    def shortage(self, reserve: Reserve, need: int, clock: Clock) -> Shortage:
        """Say what the vendor said."""
        after_s = max(0.0, self.until - clock.at)
        message = (
            f"{reserve.provider} said that {self.remaining} {self.dimension.replace('_', ' ')} remain for "
            f"{self.scope.name}, and of those {max(0, self.left(clock.at))} are left; this call may count {need}. It "
            f"can come back in {after_s:.1f} s, wait in line, or its limit at the vendor be raised."
        )
        failure = refused(reserve, message, retry_after_s=after_s)
        return Shortage(gauge=self, failure=failure, free_at=self.until if self.holds(clock.at) else None)

    def take(self, need: int, clock: Clock) -> object:
        """Hold it."""
        self._minute.open += need
        return None

    def answered(self, reserve: Reserve, mark: object, need: int, now: float) -> object:
        """Count it from now on."""
        if mark is not None:
            return mark
        self._minute.open -= need
        return self._minute.count(need, now)

    def end(self, reserve: Reserve, mark: object, need: int, ended: Ended) -> None:
        """Count what was used; the vendor will soon say anew."""
        counted = self._came_to(need, ended)
        if isinstance(mark, int):
            self._minute.amend(mark, counted - need)
            self._ended = (mark, counted)
            return
        self._minute.open -= need
        self._ended = (self._minute.count(counted, ended.at), counted)

    def put_back(self, mark: object, need: int) -> None:
        """Hold it no more."""
        self._minute.open -= need

    def state(self, now: float, waiting: int) -> LimitState:
        """Tell how it stands."""
        left = max(0, self.left(now))
        limit = self.remaining if self.limit is None else max(self.limit, self.remaining)
        return LimitState(
            source=self.source,
            scope=self.scope,
            dimension=self.dimension,
            limit=limit,
            used=limit - left,
            waiting=waiting,
            free_in_s=None if left else max(0.0, self.until - now),
            learnt=True,
        )

    def _came_to(self, need: int, ended: Ended) -> int:
        if not ended.sent:
            return 0
        if self.dimension == "requests" or ended.booked.state != "settled":
            return need
        usage: Usage = ended.booked.usage
        match self.dimension:
            case "tokens":
                return usage.total
            case "input_tokens":
                return usage.input_total
            case "output_tokens":
                return usage.output


class Learnt:
    """The readings of all deployments."""

    __slots__ = ("_gauges", "_until")

    def __init__(self) -> None:
        self._gauges: dict[DeploymentId, dict[str, LearntGauge]] = {}
        self._until = -math.inf

    def is_empty(self, now: float) -> bool:
        """Whether no reading holds; what is over is forgotten."""
        if now >= self._until and self._gauges:
            self._gauges.clear()  # open calls end on the gauges that they hold
        return not self._gauges

    def gauges(self, deployment: DeploymentId, now: float) -> list[Gauge]:
        """Give those of a deployment that hold now."""
        known = self._gauges.get(deployment)
        return [] if known is None else [gauge for gauge in known.values() if gauge.holds(now)]

    def forget(self) -> None:
        """Go by no reading any more; open calls end on the gauges that they hold."""
        self._gauges.clear()

    def all(self) -> list[LearntGauge]:
        """Give every gauge that there is."""
        return [gauge for known in self._gauges.values() for gauge in known.values()]

    def learn(
        self, deployment: DeploymentId, readings: Iterable[RateLimitReading], *, answered_at: float, now: float
    ) -> list[Gauge]:
        """Take down what the vendor said; gives the gauges that may have more room now, or less."""
        changed: list[Gauge] = []
        for reading in readings:
            remaining, reset_s = reading.remaining, reading.reset_s
            if remaining is None or not (reset_s is None or reset_s > 0):
                continue
            known = self._gauges.get(deployment)
            gauge = None if known is None else known.get(reading.dimension)
            if remaining >= (ENOUGH_REQUESTS if reading.dimension == "requests" else ENOUGH_TOKENS):
                if known is not None and gauge is not None:
                    gauge.forget()
                    del known[reading.dimension]
                    if not known:
                        del self._gauges[deployment]
                    changed.append(gauge)
                continue
            if gauge is None:
                if known is None:
                    if len(self._gauges) >= DEPLOYMENTS_MAX:
                        continue
                    known = self._gauges[deployment] = {}
                gauge = known[reading.dimension] = LearntGauge(Scope("deployment", deployment), reading.dimension)
            gauge.learn(reading, answered_at=answered_at, now=now)
            self._until = max(self._until, gauge.until)
            changed.append(gauge)
        return changed
