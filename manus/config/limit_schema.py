"""Own the shape of what bounds use: `[limits]` and `[budgets]`, of everything, a tag, a provider, a model or a key.

A limit bounds a flow (per minute, or at once), a budget a sum over a day, a month or a rolling window. What each
means to an attempt is told at `messages.limits`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

from msgspec import Meta

from manus.config.units import Count, InFlight, Seconds, Section, ShareAboveNone
from manus.messages.limits import OnUnknownPrice

# A budget of 0 could mean "nothing at all" or, as in `global_rate_limit_rpm`, "no bound"; so it means neither.
UsdBudget = Annotated[
    float, Meta(ge=1e-9, le=1e9, description="an amount of USD, more than 0 (left out, there is no such budget)")
]
Hours = Annotated[float, Meta(gt=0, le=8784, description="hours, more than 0 and at most a year (8784)")]


class LimitsTable(Section, frozen=True, kw_only=True):
    """What flows through one scope at most. A minute is any sixty seconds, a day is UTC's.

    Args:
        input_tokens_per_minute, output_tokens_per_minute: for vendors that count the two apart.
        tokens_per_day: the same as `tokens_per_day` of its budgets, under the name that vendors' limits go by.
        concurrency: attempts at once, from their reservation to their end.
    """

    requests_per_minute: Count | None = None
    tokens_per_minute: Count | None = None
    input_tokens_per_minute: Count | None = None
    output_tokens_per_minute: Count | None = None
    tokens_per_day: Count | None = None
    concurrency: Count | None = None


class LimitsConfig(LimitsTable, frozen=True, kw_only=True):
    """`[limits]`: what all requests together may use.

    Args:
        in_flight_max: requests at once; what is beyond is refused with a time to come back.
        batch_share: requests of priority `batch` start only while less than this share of those places is taken.
        batch_waiting_max: so many of them may wait for that; beyond, they are refused too.
        stream_buffer: socket reads that a caller may be behind before its stream waits.
        waiting_max: attempts that may wait for room under a limit or budget; beyond, they are refused.
        learn: hold back what a vendor's rate-limit headers say it would refuse.
        tags: by tag: what the requests that bear it may use together.
    """

    in_flight_max: InFlight = 1024
    batch_share: ShareAboveNone = 0.75
    batch_waiting_max: Annotated[int, Meta(ge=0, le=100_000, description="a whole number from 0 to 100000")] = 1024
    stream_buffer: Annotated[int, Meta(ge=1, le=4096, description="a whole number from 1 to 4096")] = 32
    waiting_max: Annotated[int, Meta(ge=0, le=100_000, description="a whole number from 0 to 100000")] = 1024
    learn: bool = True
    tags: Mapping[str, LimitsTable] = {}


class RollingBudget(Section, frozen=True, kw_only=True):
    """A budget over any `hours` hours: `usd`, `tokens`, or both."""

    hours: Hours
    usd: UsdBudget | None = None
    tokens: Count | None = None


class BudgetsTable(Section, frozen=True, kw_only=True):
    """What one scope may use in all. Days and months are UTC's; `rolling` is any so many hours."""

    usd_per_day: UsdBudget | None = None
    usd_per_month: UsdBudget | None = None
    tokens_per_day: Count | None = None
    tokens_per_month: Count | None = None
    rolling: Sequence[RollingBudget] = ()


class BudgetsConfig(BudgetsTable, frozen=True, kw_only=True):
    """`[budgets]`: what all requests together may use.

    Args:
        usd_per_request: what one attempt may cost at most.
        on_unknown_price: what is done with a call whose price nobody knows: `allow` makes it, unpriced, and no budget
            in USD counts it; `refuse` asks somebody else, or nobody.
        warn_at: shares of a budget at which it is warned of, each once per period.
        refresh_s: how often it is looked up what other processes have spent from the same ledger.
        tags: by tag: what the requests that bear it may use together.
    """

    usd_per_request: UsdBudget | None = None
    on_unknown_price: OnUnknownPrice = "allow"
    warn_at: Sequence[ShareAboveNone] = (0.5, 0.8, 1.0)
    refresh_s: Seconds = 1.0
    tags: Mapping[str, BudgetsTable] = {}
