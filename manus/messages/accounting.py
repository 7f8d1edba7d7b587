"""Own what is asked of accounting: reserve before a call, then settle, release or leave in doubt."""

from __future__ import annotations

from typing import Literal

import msgspec

from manus.messages.base import Message
from manus.messages.failures import Failed
from manus.messages.ids import DeploymentId, RequestId, RequestKey
from manus.messages.usage import Price, Usage


class Reserve(Message, frozen=True, kw_only=True, tag="reserve", omit_defaults=True):
    """Admit one attempt: all limits and budgets at once, and the intent in the ledger.

    `bound` is an upper bound of what it may use; `estimate` is what it is expected to use.
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


class Granted(Message, frozen=True, kw_only=True, tag="granted", omit_defaults=True):
    """Admitted; the intent is durable. Whoever holds this must settle, release or doubt it, once."""

    request_id: RequestId
    attempt: int


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
    """The attempt used this much; `usage.source` says who says so."""

    request_id: RequestId
    attempt: int
    usage: Usage
    finish: str | None = None


class Release(Message, frozen=True, kw_only=True, tag="release", omit_defaults=True):
    """Nothing was billed: give everything back."""

    request_id: RequestId
    attempt: int
    reason: str = ""


class Doubt(Message, frozen=True, kw_only=True, tag="doubt", omit_defaults=True):
    """It may have been billed and nobody can say: keep the upper bound."""

    request_id: RequestId
    attempt: int
    reason: str = ""


class Booked(Message, frozen=True, kw_only=True, tag="booked", omit_defaults=True):
    """How an attempt was booked; `durable` is False where the store could not confirm."""

    state: Literal["settled", "released", "in_doubt"]
    usage: Usage
    cost_nano_usd: int | None = None
    durable: bool = True


class StatsAsked(Message, frozen=True, kw_only=True, tag="stats_asked", omit_defaults=True):
    """Ask for totals since `since_unix_s` (None: for ever); answered with `UsageStats`."""

    since_unix_s: float | None = None


class UsageRow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Totals of one provider and model. Costs are nano-USD; `unpriced` counts rows without a price."""

    provider: str
    model: str
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


class UsageStats(Message, frozen=True, kw_only=True, tag="usage_stats", omit_defaults=True):
    """The books: one row per provider and model, and what was recovered from crashed runs."""

    rows: tuple[UsageRow, ...] = ()
    recovered_in_doubt: int = 0
    since_unix_s: float | None = None


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
