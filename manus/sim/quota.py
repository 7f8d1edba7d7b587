"""Own the limits that a simulated provider counts and keeps itself: what counts when, and who is refused.

The ground truth of every test of our limits, so it shares no code with them. Vendors differ in what counts:

- OpenAI and Azure count the prompt and the whole cap on the answer when the call comes, and keep to that.
- Bedrock reserves the prompt and the cap, and gives back what was not used when the answer ends; its headers are mute.
- Anthropic counts input when the call comes, without what its cache held, and output as it is written.

A call that is refused here has reached no model: it costs nothing and counts nothing.
"""

from __future__ import annotations

import math
from typing import Final, Literal

import msgspec

from manus.sim.counting import Counter, Counting, Entry, counter_of
from manus.sim.wire import ChatAsked, WireName

Dimension = Literal["requests", "tokens", "input_tokens", "output_tokens", "concurrency"]

Charging = Literal["asked", "reserved", "used"]
"""What tokens count: prompt and cap for good; prompt and cap until the end is known; what is really used."""

CHARGING: Final[dict[WireName, Charging]] = {
    "openai": "asked",
    "openai-responses": "asked",
    "azure": "asked",
    "bedrock": "reserved",
    "anthropic": "used",
    "ollama": "used",
}

COUNTING: Final[dict[WireName, Counting]] = {
    "openai": "bucket",
    "openai-responses": "bucket",
    "azure": "sliding",
    "bedrock": "fixed",
    "anthropic": "bucket",
    "ollama": "sliding",
}
"""How each counts unless a test wants it otherwise; only Anthropic says so, the others' headers let one guess."""


class VendorLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a provider serves its customer per minute, and at once; None bounds nothing.

    Args:
        counting: None for the vendor's own way.
        window_s: what a minute is.
        burst_s: requests must also keep to the same rate within so many seconds, as Azure checks them (1 to 10).
        output_weight: how often one token of output counts (5 for Claude at Bedrock).
        uncapped_tokens: what an answer counts as that has no cap, where caps count.
    """

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    input_tokens_per_minute: int | None = None
    output_tokens_per_minute: int | None = None
    concurrency: int | None = None
    counting: Counting | None = None
    window_s: float = 60.0
    burst_s: float | None = None
    output_weight: int = 1
    uncapped_tokens: int = 1024

    def __post_init__(self) -> None:
        """Refuse limits that nobody could keep."""
        limits = (
            self.requests_per_minute,
            self.tokens_per_minute,
            self.input_tokens_per_minute,
            self.output_tokens_per_minute,
            self.concurrency,
        )
        if min((limit for limit in limits if limit is not None), default=1) < 1:
            raise ValueError("a limit must be at least 1")
        if self.window_s <= 0 or (self.burst_s is not None and not 0 < self.burst_s <= self.window_s):
            raise ValueError("a window must be longer than nothing, and a burst no longer than it")


class Excess(msgspec.Struct, frozen=True, kw_only=True):
    """Why a call is refused: `requested` more of `dimension` do not fit beside `used` of `limit`.

    `free_in_s` is infinite where it alone is more than the limit, and None where nobody can say.
    """

    dimension: Dimension
    limit: int
    used: int
    requested: int
    free_in_s: float | None = None


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """How one limit stands: what remains, and in how many seconds all of it is free again."""

    dimension: Dimension
    limit: int
    remaining: int
    reset_s: float


class Quota:
    """One provider's limits, and what counts towards them.

    Args:
        wire: whose way of counting it is.
    """

    __slots__ = ("_burst", "_charging", "_counters", "in_flight", "limits", "peaks", "refused")

    def __init__(self, limits: VendorLimits, wire: WireName) -> None:
        self.limits = limits
        self.in_flight = 0
        self.refused = 0
        self.peaks: dict[Dimension, int] = {}
        counting = limits.counting or COUNTING[wire]
        bounds: tuple[tuple[Dimension, int | None], ...] = (
            ("requests", limits.requests_per_minute),
            ("tokens", limits.tokens_per_minute),
            ("input_tokens", limits.input_tokens_per_minute),
            ("output_tokens", limits.output_tokens_per_minute),
        )
        self._charging = CHARGING[wire]
        self._counters: dict[Dimension, Counter] = {
            dimension: counter_of(counting, limit, limits.window_s) for dimension, limit in bounds if limit is not None
        }
        self._burst: Counter | None = None
        if limits.burst_s is not None and limits.requests_per_minute is not None:
            within = max(1, math.floor(limits.requests_per_minute * limits.burst_s / limits.window_s))
            self._burst = counter_of("sliding", within, limits.burst_s)

    def __repr__(self) -> str:
        return f"<Quota {self.limits!r}: {self.in_flight} in flight, {self.refused} refused>"

    def take(self, asked: ChatAsked, *, cached_tokens: int, now_s: float) -> Seat | Excess:
        """Let a call that comes now in, and count it; or say which limit refuses it, and count nothing."""
        needs = self._needs(asked, cached_tokens)
        excess = self._excess(needs, now_s)
        if excess is not None:
            self.refused += 1
            return excess
        self.in_flight += 1
        self._note_peak("concurrency", self.in_flight)
        if self._burst is not None:
            self._burst.add(now_s, 1)
        entries = {dimension: self.count(dimension, needs.get(dimension, 0), now_s) for dimension in self._counters}
        return Seat(self, entries, uncached=asked.input_tokens - cached_tokens, charging=self._charging)

    def readings(self, now_s: float) -> tuple[Reading, ...]:
        """Tell how every limit per minute stands."""
        return tuple(
            Reading(
                dimension=dimension,
                limit=counter.limit,
                remaining=max(0, counter.limit - counter.used(now_s)),
                reset_s=max(0.0, counter.free_in_s(now_s, counter.limit)),
            )
            for dimension, counter in self._counters.items()
        )

    def overruns(self) -> dict[Dimension, int]:
        """Tell by how much limits were ever exceeded by what was let in: what is written counts as it is written."""
        bounds: dict[Dimension, int] = {dimension: counter.limit for dimension, counter in self._counters.items()}
        if self.limits.concurrency is not None:
            bounds["concurrency"] = self.limits.concurrency
        return {
            dimension: self.peaks[dimension] - limit
            for dimension, limit in bounds.items()
            if self.peaks.get(dimension, 0) > limit
        }

    # --- for seats ----------------------------------------------------------------------------------

    def count(self, dimension: Dimension, amount: int, now_s: float) -> Entry:
        """Count what was let in."""
        counter = self._counters[dimension]
        entry = counter.add(now_s, amount)
        self._note_peak(dimension, counter.used(now_s))
        return entry

    def correct(self, dimension: Dimension, entry: Entry, amount: int, now_s: float) -> None:
        """Count something else instead."""
        counter = self._counters[dimension]
        counter.correct(now_s, entry, amount)
        self._note_peak(dimension, counter.used(now_s))

    # --- what a call needs --------------------------------------------------------------------------

    def _needs(self, asked: ChatAsked, cached_tokens: int) -> dict[Dimension, int]:
        """Say what a call counts as when it comes."""
        cap = asked.max_output_tokens
        if asked.embed is not None:
            cap = 0
        elif cap is None:
            cap = self.limits.uncapped_tokens
        uncached = asked.input_tokens - cached_tokens
        if self._charging == "used":
            return {"requests": 1, "tokens": uncached, "input_tokens": uncached}
        weighted = cap * self.limits.output_weight
        return {
            "requests": 1,
            "tokens": asked.input_tokens + weighted,
            "input_tokens": asked.input_tokens,
            "output_tokens": weighted,
        }

    def _excess(self, needs: dict[Dimension, int], now_s: float) -> Excess | None:
        most = self.limits.concurrency
        if most is not None and self.in_flight >= most:
            return Excess(dimension="concurrency", limit=most, used=self.in_flight, requested=1)
        counters = list(self._counters.items())
        if self._burst is not None:
            counters.append(("requests", self._burst))
        worst: Excess | None = None
        for dimension, counter in counters:
            # Who writes as it goes on must at least find the beginning of room.
            needed = max(1, needs.get(dimension, 0))
            used = counter.used(now_s)
            if used + needed <= counter.limit:
                continue
            free_in_s = counter.free_in_s(now_s, needed)
            if worst is None or free_in_s > (worst.free_in_s or 0.0):
                worst = Excess(
                    dimension=dimension, limit=counter.limit, used=used, requested=needed, free_in_s=free_in_s
                )
        return worst

    def _note_peak(self, dimension: Dimension, used: int) -> None:
        if used > self.peaks.get(dimension, 0):
            self.peaks[dimension] = used


class Seat:
    """What one call that was let in counts for, until it ends."""

    __slots__ = ("_charging", "_entries", "_left", "_output", "_quota", "_uncached")

    def __init__(self, quota: Quota, entries: dict[Dimension, Entry], *, uncached: int, charging: Charging) -> None:
        self._quota = quota
        self._entries = entries
        self._uncached = uncached
        self._charging = charging
        self._output = 0
        self._left = False

    def generated(self, tokens: int, now_s: float) -> None:
        """Count output that has been written."""
        self._output += tokens
        if self._charging != "used":
            return
        for dimension in self._entries:
            if dimension in ("tokens", "output_tokens"):
                self._quota.count(dimension, tokens * self._quota.limits.output_weight, now_s)

    def leave(self, now_s: float) -> None:
        """End: the place is free, and what was reserved and not used is given back. Does nothing twice."""
        if self._left:
            return
        self._left = True
        self._quota.in_flight -= 1
        if self._charging != "reserved":
            return
        output = self._output * self._quota.limits.output_weight
        used: dict[Dimension, int] = {
            "tokens": self._uncached + output,
            "input_tokens": self._uncached,
            "output_tokens": output,
        }
        for dimension, entry in self._entries.items():
            if dimension in used:
                self._quota.correct(dimension, entry, used[dimension], now_s)
