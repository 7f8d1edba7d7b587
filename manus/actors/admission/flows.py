"""Own the gauges of flow: what passes through a scope per minute, and how many attempts are there at once."""

from __future__ import annotations

from typing import Literal

from manus.actors.admission.gauge import COME_BACK_S, Gauge, Shortage, name_of, never, refused
from manus.actors.admission.needs import Clock, Ended, input_counted, output_asked
from manus.actors.admission.windows import SlidingMinute
from manus.messages.accounting import Reserve
from manus.messages.failures import Failed
from manus.messages.limits import LimitRule
from manus.messages.usage import Usage

RateDimension = Literal["requests", "tokens", "input_tokens", "output_tokens"]


class RateGauge(Gauge):
    """Requests or tokens per minute, counted as the vendor does.

    An open attempt holds the most that the vendor may come to count for it. From its end on (of requests, and of
    tokens that are counted when the call comes: from the vendor's answer on) what it did count stays for a minute.
    """

    __slots__ = ("_counting", "_is_requests", "_minute", "dimension", "limit")

    def __init__(self, rule: LimitRule, dimension: RateDimension, limit: int) -> None:
        super().__init__(rule.scope, rule.source, watches=dimension == "requests" or rule.counting.asked)
        self.dimension = dimension
        self.limit = limit
        self._is_requests = dimension == "requests"
        self._counting = rule.counting
        self._minute = SlidingMinute()

    @property
    def identity(self) -> tuple[object, ...]:
        """A dimension of a scope."""
        return (self.dimension, self.scope)

    def adopt(self, other: RateGauge) -> None:
        """Allow, and count by, what `other` does from now on; what is counted and held stays."""
        self.limit, self.source, self.watches, self._counting = (
            other.limit,
            other.source,
            other.watches,
            other._counting,
        )

    def need(self, reserve: Reserve) -> int:
        """Give the most that the vendor can count; at most the limit, so that one alone is let through."""
        return 1 if self._is_requests else min(self._tokens(reserve, reserve.bound, ended=False), self.limit)

    def refusal(self, reserve: Reserve, need: int, clock: Clock) -> Failed | None:
        """Refuse what is expected to be more than the limit by itself; a bound may well be too high a guess."""
        expected = 1 if self._is_requests else self._tokens(reserve, reserve.estimate, ended=False)
        if expected <= self.limit:
            return None
        message = (
            f"{self._what()} allows {self.limit} {self._unit()}, and this request needs about {expected} by itself. "
            "Shorten it, set a lower max_tokens, or raise the limit."
        )
        return never(reserve, message)

    def has_room(self, reserve: Reserve, need: int, clock: Clock) -> bool:
        """Tell whether it fits into any sixty seconds that it may be counted in."""
        if self._minute.used(clock.at) + need > self.limit:
            return False
        return need < self.limit or self.refusal(reserve, need, clock) is None

    def shortage(self, reserve: Reserve, need: int, clock: Clock) -> Shortage:
        """Say how much is used, and when enough of it is over."""
        used = self._minute.used(clock.at)
        free_at = self._minute.free_at(used + need - self.limit, clock.at)
        after_s = COME_BACK_S if free_at is None else max(0.0, free_at - clock.at)
        message = (
            f"{self._what()} allows {self.limit} {self._unit()}; {used} are used or held by open calls, and this one "
            f"may take {need}. It can come back in {after_s:.1f} s, wait in line, or the limit be raised."
        )
        return Shortage(gauge=self, failure=refused(reserve, message, retry_after_s=after_s), free_at=free_at)

    def take(self, need: int, clock: Clock) -> object:
        """Hold it; the mark is the bucket that it is counted in, None while it is only held."""
        self._minute.open += need
        return None

    def answered(self, reserve: Reserve, mark: object, need: int, now: float) -> object:
        """Count from now on what the vendor counts when a call comes."""
        if not self.watches or mark is not None:
            return mark
        self._minute.open -= need
        return self._minute.count(need, now)

    def end(self, reserve: Reserve, mark: object, need: int, ended: Ended) -> None:
        """Count what the vendor did, in place of the most that it could."""
        counted = self._came_to(reserve, need, ended)
        if isinstance(mark, int):
            self._minute.amend(mark, counted - need)
            return
        self._minute.open -= need
        if counted:
            self._minute.count(counted, ended.at)

    def put_back(self, mark: object, need: int) -> None:
        """Hold it no more: nothing of it was sent."""
        self._minute.open -= need

    def used(self, now: float) -> int:
        """Give all that counts."""
        return self._minute.used(now)

    def free_in_s(self, now: float) -> float | None:
        """Tell when something is free again; None where that is not known, or there is room."""
        excess = self._minute.used(now) + 1 - self.limit
        free_at = self._minute.free_at(excess, now) if excess > 0 else None
        return None if free_at is None else free_at - now

    def _came_to(self, reserve: Reserve, need: int, ended: Ended) -> int:
        if not ended.sent:
            return 0
        if self._is_requests:
            return need
        booked = ended.booked
        match booked.state:
            case "settled":
                return self._tokens(reserve, booked.usage, ended=True)
            case "in_doubt":
                return need
            case "released":  # refused or failed: what counts when a call comes may have counted even so
                if self._counting.asked:
                    return need
                return min(
                    need, 0 if self.dimension == "output_tokens" else input_counted(reserve.bound, self._counting)
                )

    def _tokens(self, reserve: Reserve, usage: Usage, *, ended: bool) -> int:
        """Give what the vendor counts for `usage`, of a call that is under way or has ended."""
        counting, dimension = self._counting, self.dimension
        counted = 0 if dimension == "output_tokens" else input_counted(usage, counting)
        if dimension == "input_tokens":
            return counted
        output = usage.output if not counting.asked else output_asked(reserve, usage.output if ended else 0)
        return counted + output * counting.output_weight

    def _what(self) -> str:
        return f"{self.source} ({name_of(self.scope)})"

    def _unit(self) -> str:
        return f"{self.dimension.replace('_', ' ')} per minute"


class ConcurrencyGauge(Gauge):
    """Attempts from their reservation to their end."""

    __slots__ = ("limit", "open")

    dimension: Literal["concurrency"] = "concurrency"

    def __init__(self, rule: LimitRule, limit: int) -> None:
        super().__init__(rule.scope, rule.source)
        self.limit = limit
        self.open = 0

    @property
    def identity(self) -> tuple[object, ...]:
        """The calls at once of a scope."""
        return (self.dimension, self.scope)

    def adopt(self, other: ConcurrencyGauge) -> None:
        """Allow what `other` does from now on; what is open stays open."""
        self.limit, self.source = other.limit, other.source

    def need(self, reserve: Reserve) -> int:
        """One."""
        return 1

    def refusal(self, reserve: Reserve, need: int, clock: Clock) -> Failed | None:
        """Refuse all where none is allowed."""
        if need <= self.limit:
            return None
        return never(reserve, f"{self.source} ({name_of(self.scope)}) allows no calls at all: raise its concurrency.")

    def has_room(self, reserve: Reserve, need: int, clock: Clock) -> bool:
        """Tell whether fewer are open than may be."""
        return self.open < self.limit

    def shortage(self, reserve: Reserve, need: int, clock: Clock) -> Shortage:
        """Say how many are open; nobody knows when one ends."""
        message = (
            f"{self.source} ({name_of(self.scope)}) allows {self.limit} calls at once, and {self.open} are open. "
            "Come back later, wait in line, or raise its concurrency."
        )
        return Shortage(gauge=self, failure=refused(reserve, message, retry_after_s=COME_BACK_S))

    def take(self, need: int, clock: Clock) -> object:
        """Count one more."""
        self.open += 1
        return None

    def end(self, reserve: Reserve, mark: object, need: int, ended: Ended) -> None:
        """Count one less."""
        self.open -= 1

    def put_back(self, mark: object, need: int) -> None:
        """Count one less."""
        self.open -= 1

    def used(self, now: float) -> int:
        """Give how many are open."""
        return self.open

    def free_in_s(self, now: float) -> float | None:
        """Nobody knows."""
        return None


def gauges_of(rule: LimitRule) -> list[RateGauge | ConcurrencyGauge]:
    """Make the gauges of one rule; those of what is there at once come first, being the cheapest to ask."""
    gauges: list[RateGauge | ConcurrencyGauge] = []
    if rule.concurrency is not None:
        gauges.append(ConcurrencyGauge(rule, rule.concurrency))
    rates: tuple[tuple[RateDimension, int | None], ...] = (
        ("requests", rule.requests_per_minute),
        ("tokens", rule.tokens_per_minute),
        ("input_tokens", rule.input_tokens_per_minute),
        ("output_tokens", rule.output_tokens_per_minute),
    )
    gauges += [RateGauge(rule, dimension, limit) for dimension, limit in rates if limit is not None]
    return gauges
