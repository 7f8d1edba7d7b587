"""Own the books of this run: which attempts are open, how each ended, and that nothing is lost between.

Every step of an attempt happens here first and is written by the store after; a step gives the record to
write. All methods are synchronous and total: a crash or a cancellation falls between whole steps, never
into one. An attempt ends once. A second ending is answered with the first and changes nothing, so asking
twice is safe.

    reserved = open + settled + released + in_doubt, in attempts and in tokens of their bounds, always.

This file knows neither disk nor clock; limits and budgets are admission's.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Literal, NamedTuple

import msgspec

from manus.actors.estimates.bound import worst_cost_nano_usd
from manus.actors.ledger.records import (
    REQUEST_ID_BYTES_MAX,
    VERSION_BYTES_MAX,
    AttemptDispatched,
    AttemptDoubted,
    AttemptEnded,
    AttemptKey,
    AttemptReleased,
    AttemptReserved,
    AttemptSettled,
    short_text,
)
from manus.messages.accounting import Booked, Doubt, Granted, Release, Reserve, Settle
from manus.messages.failures import Failed, FailureKind
from manus.messages.usage import Price, Usage

TOKENS_MAX = 1_000_000_000
"""More tokens than this of one kind in one attempt is not a count but nonsense: it is not booked as usage."""

NOTHING_BILLED = Usage(source="reported")
"""The usage of a released attempt: zero, and certain."""

End = Literal["settled", "released", "in_doubt"]


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """How many attempts stand where, and (`*_tokens`) the sum of their bounds. Of this run alone."""

    reserved: int = 0
    open: int = 0
    settled: int = 0
    released: int = 0
    in_doubt: int = 0
    reserved_tokens: int = 0
    open_tokens: int = 0
    settled_tokens: int = 0
    released_tokens: int = 0
    in_doubt_tokens: int = 0

    @property
    def conserved(self) -> bool:
        """Whether everything that was reserved stands somewhere, once."""
        ended = self.settled + self.released + self.in_doubt
        ended_tokens = self.settled_tokens + self.released_tokens + self.in_doubt_tokens
        return self.reserved == self.open + ended and self.reserved_tokens == self.open_tokens + ended_tokens


class Booking(NamedTuple):
    """How an attempt ended, and the record to write (None where it had ended before)."""

    booked: Booked
    record: AttemptEnded | None


class _Open:
    """An attempt that has not ended. `granted` once its asker was told so; only then can bytes leave."""

    __slots__ = ("bound", "bound_cost_nano_usd", "dispatched", "granted", "price", "record")

    def __init__(self, record: AttemptReserved, price: Price) -> None:
        self.record = record
        self.price = price
        self.bound = record.bound
        self.bound_cost_nano_usd = record.bound_cost_nano_usd
        self.granted = False
        self.dispatched = False


class Ledger:
    """The books of one run. `open_max` and `recent_max` bound what they hold in memory."""

    __slots__ = ("_counts", "_open", "_recent", "_tokens", "contradictions", "open_max", "over_bound", "recent_max")

    def __init__(self, *, open_max: int, recent_max: int) -> None:
        self.open_max = open_max
        self.recent_max = recent_max
        self.contradictions = 0  # endings asked for that differ from how the attempt had ended
        self.over_bound = 0  # settled usages above the bound they were admitted with: the estimator's fault
        self._open: dict[AttemptKey, _Open] = {}
        self._recent: OrderedDict[AttemptKey, Booked] = OrderedDict()
        self._counts = {"reserved": 0, "settled": 0, "released": 0, "in_doubt": 0}
        self._tokens = {"reserved": 0, "settled": 0, "released": 0, "in_doubt": 0}

    def __repr__(self) -> str:
        counts = ", ".join(f"{count} {name}" for name, count in self._counts.items())
        return f"<Ledger: {counts}, {len(self._open)} open>"

    # -- before the call

    def reserve(self, reserve: Reserve, now_unix_s: float) -> AttemptReserved | Granted | Failed:
        """Open an attempt: give the intent to write; `grant` or `withdraw` it by what the store says.

        An attempt that is open already is not opened twice: one that was granted is granted again, one that
        was not gives its intent again. One that has ended is refused.
        """
        key = (reserve.request_id, reserve.attempt)
        known = self._open.get(key)
        if known is not None:
            return _granted(key) if known.granted else known.record
        refusal = self._refusal(reserve, key)
        if refusal is not None:
            return refusal
        record = _intent(reserve, now_unix_s)
        self._open[key] = _Open(record, reserve.price)
        self._counts["reserved"] += 1
        self._tokens["reserved"] += record.bound.total
        return record

    def grant(self, key: AttemptKey) -> Granted | Failed:
        """Note that the intent of an attempt is written, and that its asker is told so now; unless it has ended."""
        entry = self._open.get(key)
        if entry is None:
            return _failed(f"attempt {key[1]} of request {key[0]} was given up before it was granted")
        entry.granted = True
        return _granted(key)

    def withdraw(self, key: AttemptKey) -> None:
        """Take back an attempt whose intent could not be written: it never was."""
        entry = self._open.get(key)
        if entry is None or entry.granted:
            return
        del self._open[key]
        self._counts["reserved"] -= 1
        self._tokens["reserved"] -= entry.bound.total

    def ungranted(self) -> list[AttemptKey]:
        """List the open attempts whose askers were never told that they may go ahead."""
        return [key for key, entry in self._open.items() if not entry.granted]

    # -- the call

    def dispatch(
        self, key: AttemptKey, now_unix_s: float, key_fingerprint: str | None = None
    ) -> AttemptDispatched | None:
        """Note that bytes leave: give the record to write, None where it is written or the attempt is over."""
        entry = self._open.get(key)
        if entry is None or entry.dispatched:
            return None
        entry.dispatched = True
        return AttemptDispatched(
            request_id=key[0], attempt=key[1], at_unix_s=now_unix_s, key_fingerprint=key_fingerprint
        )

    def presume_dispatched(self, now_unix_s: float) -> list[AttemptDispatched]:
        """Take every granted attempt for dispatched: nobody will note it while the books are closed."""
        granted = [key for key, entry in self._open.items() if entry.granted]
        records = [self.dispatch(key, now_unix_s) for key in granted]
        return [record for record in records if record is not None]

    # -- after the call

    def settle(self, settle: Settle, now_unix_s: float) -> Booking | Failed:
        """Book what an attempt used. Counts that nobody stands for, or that are no counts, leave it in doubt."""
        key = (settle.request_id, settle.attempt)
        if settle.usage.source not in ("reported", "estimated"):
            return self._end_in_doubt(key, f"usage is {settle.usage.source}", now_unix_s)
        if not _plausible(settle.usage):
            return self._end_in_doubt(key, "usage is out of range", now_unix_s)
        entry = self._open.get(key)
        if entry is None:
            return self._ended_before(key, "settled")
        if settle.usage.total > entry.bound.total:
            self.over_bound += 1
        price = entry.price if settle.price is None else settle.price
        cost = price.cost_nano_usd(settle.usage)
        finish = None if settle.finish is None else short_text(settle.finish)
        record = AttemptSettled(
            request_id=key[0],
            attempt=key[1],
            at_unix_s=now_unix_s,
            usage=_kept(settle.usage),
            cost_nano_usd=cost,
            finish=finish,
            price_version=None if settle.price is None else short_text(settle.price.version, VERSION_BYTES_MAX),
        )
        return self._end(key, Booked(state="settled", usage=settle.usage, cost_nano_usd=cost), record)

    def release(self, release: Release, now_unix_s: float) -> Booking | Failed:
        """Give back an attempt of which nothing was billed."""
        key = (release.request_id, release.attempt)
        if key not in self._open:
            return self._ended_before(key, "released")
        reason = short_text(release.reason)
        record = AttemptReleased(request_id=key[0], attempt=key[1], at_unix_s=now_unix_s, reason=reason)
        return self._end(key, Booked(state="released", usage=NOTHING_BILLED, cost_nano_usd=0), record)

    def doubt(self, doubt: Doubt, now_unix_s: float) -> Booking | Failed:
        """Keep the upper bound of an attempt of which nobody knows what was billed."""
        return self._end_in_doubt((doubt.request_id, doubt.attempt), doubt.reason, now_unix_s)

    # -- reading

    @property
    def open_keys(self) -> list[AttemptKey]:
        """List the attempts that have not ended."""
        return list(self._open)

    def open_attempts(self) -> list[tuple[Reserve, bool]]:
        """Give the attempts that have not ended as they were reserved, each with whether bytes of it have left."""
        return [(_reserve(entry), entry.dispatched) for entry in self._open.values()]

    def intent_of(self, key: AttemptKey) -> AttemptReserved | None:
        """Give the intent of an attempt that has not ended."""
        entry = self._open.get(key)
        return None if entry is None else entry.record

    @property
    def totals(self) -> Totals:
        """Count where every attempt of this run stands; the open ones are counted anew, not remembered."""
        return Totals(
            open=len(self._open),
            open_tokens=sum(entry.bound.total for entry in self._open.values()),
            **self._counts,
            **{f"{name}_tokens": tokens for name, tokens in self._tokens.items()},
        )

    # -- inside

    def _refusal(self, reserve: Reserve, key: AttemptKey) -> Failed | None:
        if key in self._recent:
            return _failed(f"attempt {key[1]} of request {key[0]} is booked already; a new try needs a new number")
        if len(self._open) >= self.open_max:
            return _failed(f"{self.open_max} attempts are open; wait for some to end", "shed", retry_after_s=1.0)
        if not _plausible(reserve.bound) or not _plausible(reserve.estimate):
            return _failed("the bound or the estimate of this attempt is out of range")
        if len(reserve.request_id.encode("utf-8", "replace")) > REQUEST_ID_BYTES_MAX:
            return _failed(f"the request id is longer than {REQUEST_ID_BYTES_MAX} bytes")
        return None

    def _end_in_doubt(self, key: AttemptKey, reason: str, now_unix_s: float) -> Booking | Failed:
        entry = self._open.get(key)
        if entry is None:
            return self._ended_before(key, "in_doubt")
        usage = msgspec.structs.replace(entry.bound, source="bound")
        record = AttemptDoubted(
            request_id=key[0],
            attempt=key[1],
            at_unix_s=now_unix_s,
            usage=usage,
            cost_nano_usd=entry.bound_cost_nano_usd,
            reason=short_text(reason),
        )
        return self._end(key, Booked(state="in_doubt", usage=usage, cost_nano_usd=entry.bound_cost_nano_usd), record)

    def _end(self, key: AttemptKey, booked: Booked, record: AttemptEnded) -> Booking:
        entry = self._open.pop(key)
        self._counts[booked.state] += 1
        self._tokens[booked.state] += entry.bound.total
        self._recent[key] = booked
        if len(self._recent) > self.recent_max:
            self._recent.popitem(last=False)
        return Booking(booked, record)

    def _ended_before(self, key: AttemptKey, wanted: End) -> Booking | Failed:
        booked = self._recent.get(key)
        if booked is None:
            return _failed(f"attempt {key[1]} of request {key[0]} was never reserved, or ended long ago")
        if booked.state != wanted:
            self.contradictions += 1
        return Booking(booked, None)


def _intent(reserve: Reserve, now_unix_s: float) -> AttemptReserved:
    bound_cost, estimate_cost = reserve.bound_cost_nano_usd, reserve.estimate_cost_nano_usd
    if bound_cost is None:
        bound_cost = worst_cost_nano_usd(reserve.price, reserve.bound)
    if estimate_cost is None:
        estimate_cost = reserve.price.cost_nano_usd(reserve.estimate)
    return AttemptReserved(
        request_id=reserve.request_id,
        attempt=reserve.attempt,
        at_unix_s=now_unix_s,
        provider=reserve.provider,
        model=reserve.model,
        deployment=reserve.deployment,
        bound=reserve.bound,
        estimate=reserve.estimate,
        bound_cost_nano_usd=bound_cost,
        estimate_cost_nano_usd=estimate_cost,
        price_version=reserve.price.version,
        request_key=reserve.request_key,
        conversation_id=reserve.conversation_id,
        key_fingerprint=reserve.key_fingerprint,
        tags=reserve.tags,
    )


def _reserve(entry: _Open) -> Reserve:
    record = entry.record
    return Reserve(
        request_id=record.request_id,
        attempt=record.attempt,
        deployment=record.deployment,
        provider=record.provider,
        model=record.model,
        bound=record.bound,
        estimate=record.estimate,
        price=entry.price,
        key_fingerprint=record.key_fingerprint,
        tags=record.tags,
        bound_cost_nano_usd=record.bound_cost_nano_usd,
        estimate_cost_nano_usd=record.estimate_cost_nano_usd,
    )


def _granted(key: AttemptKey) -> Granted:
    return Granted(request_id=key[0], attempt=key[1])


def _failed(message: str, kind: FailureKind = "ledger", retry_after_s: float | None = None) -> Failed:
    return Failed(kind=kind, message=message, safe_to_retry=True, phase="queued", retry_after_s=retry_after_s)


def _kept(usage: Usage) -> Usage:
    """Leave out what records have no room for: the kinds of the vendor's tools. Their number and their cost stay."""
    return usage if not usage.server_tools else msgspec.structs.replace(usage, server_tools=())


def _plausible(usage: Usage) -> bool:
    return (
        0 <= usage.input_uncached <= TOKENS_MAX
        and 0 <= usage.cache_read <= TOKENS_MAX
        and 0 <= usage.cache_write_short <= TOKENS_MAX
        and 0 <= usage.cache_write_long <= TOKENS_MAX
        and 0 <= usage.output <= TOKENS_MAX
        and 0 <= usage.reasoning <= TOKENS_MAX
        and 0 <= usage.audio_input <= TOKENS_MAX
        and 0 <= usage.audio_output <= TOKENS_MAX
        and 0 <= usage.server_tool_calls <= TOKENS_MAX
    )
