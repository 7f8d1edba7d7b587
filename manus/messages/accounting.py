"""Own what is asked of accounting: reserve before a call, then settle, release or leave in doubt."""

from __future__ import annotations

from typing import Literal

import msgspec

from manus.messages.base import Message
from manus.messages.failures import Failed
from manus.messages.ids import DeploymentId, RequestId, RequestKey
from manus.messages.limits import Scope
from manus.messages.outcomes import RateLimitReading
from manus.messages.requests import Priority
from manus.messages.usage import Price, Usage


class Reserve(Message, frozen=True, kw_only=True, tag="reserve", omit_defaults=True):
    """Admit one attempt: all limits and budgets at once, and the intent in the ledger.

    `bound` is an upper bound of what it may use; `estimate` is what it is expected to use. Where limits leave no room
    for it, one that may `wait` is kept in line until its deadline; one that may not is denied at once, since there is
    somebody else to ask.

    `asked_output_tokens` is the cap on the answer that the request itself names: what vendors count that go by what is
    asked. `bound_cost_nano_usd` is what `bound` costs at most, and `estimate_cost_nano_usd` what
    `estimate` costs, where that was computed already; None says nothing.
    """

    request_id: RequestId
    attempt: int
    deployment: DeploymentId
    provider: str
    model: str
    bound: Usage
    estimate: Usage
    price: Price
    request_key: RequestKey | None = None
    conversation_id: str | None = None
    key_fingerprint: str | None = None
    tags: tuple[str, ...] = ()
    wait: bool = False
    priority: Priority = "interactive"
    asked_output_tokens: int | None = None
    bound_cost_nano_usd: int | None = None
    estimate_cost_nano_usd: int | None = None


class Granted(Message, frozen=True, kw_only=True, tag="granted", omit_defaults=True):
    """Admitted; the intent is durable. Whoever holds this must settle, release or doubt it, once.

    `watched`: admission wants to be told (`Answered`) when the vendor begins to answer.
    """

    request_id: RequestId
    attempt: int
    watched: bool = False


class Denied(Message, frozen=True, kw_only=True, tag="denied", omit_defaults=True):
    """Not admitted: which limit, and when to come back (`failure.retry_after_s`)."""

    failure: Failed


class Dispatched(Message, frozen=True, kw_only=True, tag="dispatched", omit_defaults=True):
    """Bytes of this attempt are about to leave: from here on it may be billed. Never awaited.

    `key_fingerprint` names the key that is shown; None leaves what the reservation expected.
    """

    request_id: RequestId
    attempt: int
    key_fingerprint: str | None = None


class Settle(Message, frozen=True, kw_only=True, tag="settle", omit_defaults=True):
    """The attempt used this much; `usage.source` says who says so.

    `price` is what the call cost by what the vendor says of it afterwards (the service tier that it was served at);
    None for the price that was reserved. `rate_limits` are the vendor's words on its limits.
    """

    request_id: RequestId
    attempt: int
    usage: Usage
    finish: str | None = None
    price: Price | None = None
    rate_limits: tuple[RateLimitReading, ...] = ()


class Release(Message, frozen=True, kw_only=True, tag="release", omit_defaults=True):
    """Nothing was billed: give everything back."""

    request_id: RequestId
    attempt: int
    reason: str = ""
    rate_limits: tuple[RateLimitReading, ...] = ()


class Doubt(Message, frozen=True, kw_only=True, tag="doubt", omit_defaults=True):
    """It may have been billed and nobody can say: keep the upper bound."""

    request_id: RequestId
    attempt: int
    reason: str = ""
    rate_limits: tuple[RateLimitReading, ...] = ()


class Booked(Message, frozen=True, kw_only=True, tag="booked", omit_defaults=True):
    """How an attempt was booked; `durable` is False where the store could not confirm."""

    state: Literal["settled", "released", "in_doubt"]
    usage: Usage
    cost_nano_usd: int | None = None
    durable: bool = True


UsageDimension = Literal["provider", "model", "deployment", "key", "tag", "conversation", "day"]
"""What totals can be split by. An attempt counts once under each of its tags; days are UTC's, as `2026-11-23`."""


class StatsAsked(Message, frozen=True, kw_only=True, tag="stats_asked", omit_defaults=True):
    """Ask for totals of the attempts that were reserved in a span of time; answered with `UsageStats`.

    `since_unix_s` is included and `until_unix_s` is not; None has no bound. `by` names what they are split by, in the
    order of the rows; with nothing there is one row.
    """

    since_unix_s: float | None = None
    until_unix_s: float | None = None
    by: tuple[UsageDimension, ...] = ("provider", "model")


class UsageRow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Totals of the attempts that have the same values in the dimensions that were asked for.

    Dimensions that were not asked for are None, and so are those that an attempt does not have (no tag, no
    conversation). Costs are nano-USD; `unpriced` counts rows without a price; `estimated` counts settled rows whose
    usage is our estimate and not the vendor's word.
    """

    provider: str | None = None
    model: str | None = None
    deployment: str | None = None
    key: str | None = None
    tag: str | None = None
    conversation: str | None = None
    day: str | None = None
    requests: int = 0
    settled: int = 0
    released: int = 0
    in_doubt: int = 0
    open: int = 0
    usage: Usage = Usage()
    cost_nano_usd: int = 0
    in_doubt_bound: Usage = Usage()
    in_doubt_cost_nano_usd: int = 0
    unpriced: int = 0
    estimated: int = 0


class UsageStats(Message, frozen=True, kw_only=True, tag="usage_stats", omit_defaults=True):
    """The books, split as `by` says, and what was recovered from crashed runs."""

    rows: tuple[UsageRow, ...] = ()
    recovered_in_doubt: int = 0
    since_unix_s: float | None = None
    until_unix_s: float | None = None
    by: tuple[UsageDimension, ...] = ("provider", "model")


class SpentAsked(msgspec.Struct, frozen=True, kw_only=True):
    """Ask the store what a scope has used since a moment, for a budget.

    `others_only` leaves out this run's own attempts, which admission knows better.
    """

    scope: Scope
    since_unix_s: float
    others_only: bool = False


class SpentBucket(msgspec.Struct, frozen=True, kw_only=True):
    """What was reserved from `at_unix_s` until the next bucket: settled, in doubt, and bounds of what is open.

    Tokens are of settled usage and of bounds; costs are nano-USD, rows without a price count nothing in them.
    """

    at_unix_s: float
    cost_nano_usd: int = 0
    tokens: int = 0
    in_doubt_cost_nano_usd: int = 0
    in_doubt_tokens: int = 0
    open_cost_nano_usd: int = 0
    open_tokens: int = 0


class Spent(msgspec.Struct, frozen=True, kw_only=True):
    """Answer to one `SpentAsked`: buckets in the order of time, of at most an hour each, finer for recent times."""

    scope: Scope
    buckets: tuple[SpentBucket, ...] = ()


class RequestStatusAsked(Message, frozen=True, kw_only=True, tag="request_status_asked", omit_defaults=True):
    """Ask what became of the request a host calls `request_key`."""

    request_key: RequestKey


class RequestStatus(Message, frozen=True, kw_only=True, tag="request_status", omit_defaults=True):
    """What the ledger knows of a request key; `unknown` means that nothing was ever sent for it."""

    request_key: RequestKey
    state: Literal["open", "settled", "released", "in_doubt", "unknown"]
    request_id: RequestId | None = None
    attempts: int = 0
    usage: Usage = Usage()
    cost_nano_usd: int | None = None


class LedgerTroubled(Message, frozen=True, kw_only=True, tag="ledger_troubled", omit_defaults=True):
    """The ledger's store is behind or refuses: `reason` says why. New calls may be refused until it heals."""

    reason: str


class LedgerHealed(Message, frozen=True, kw_only=True, tag="ledger_healed", omit_defaults=True):
    """The ledger's store is well again, and nothing is owed to it."""


class LedgerRecovered(Message, frozen=True, kw_only=True, tag="ledger_recovered", omit_defaults=True):
    """What earlier runs left open was booked when the ledger was opened.

    Args:
        runs: runs that had not ended cleanly.
        in_doubt: attempts now in doubt, with their upper bounds.
        released: attempts of which nothing had been sent.
        damaged: journals that could not be read to their end; put aside under these names.
        left: runs that could not be booked, and why; the next start tries again.
    """

    runs: int = 0
    in_doubt: int = 0
    released: int = 0
    damaged: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
