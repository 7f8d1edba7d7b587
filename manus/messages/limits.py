"""Own what admission is told and what it tells: limits, budgets, how far they are used, and when one is reached.

A *limit* bounds a flow (per minute, or at once); a *budget* bounds a sum over a day, a month or a rolling window.
Both hold for a scope, and an attempt has to fit all that it falls under.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from manus.messages.base import Message
from manus.messages.ids import DeploymentId, RequestId

ScopeKind = Literal["all", "provider", "deployment", "key", "tag"]

OnUnknownPrice = Literal["allow", "refuse"]
"""What is done with a call whose price nobody knows: make it, booked as unpriced; or refuse it."""

BudgetUnit = Literal["nano_usd", "tokens"]
BudgetPeriod = Literal["day", "month", "rolling"]


class Scope(msgspec.Struct, frozen=True):
    """Whom a limit or a budget holds for: everything, or what bears this name.

    `name` is an entry's for `provider`, a deployment id for `deployment`, `entry#fingerprint` for `key`, the tag itself
    for `tag` (an attempt falls under each of its request's tags), and empty for `all`.
    """

    kind: ScopeKind = "all"
    name: str = ""


class TokenCounting(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a vendor counts tokens against its limits per minute.

    Args:
        asked: it counts the prompt and the whole cap on the answer when the call comes, and gives nothing back for a
            full minute; else what was used counts.
        cache_reads: tokens that were read from its cache count too.
        output_weight: how often one token of output counts.
    """

    asked: bool = False
    cache_reads: bool = True
    output_weight: int = 1


class LimitRule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Bounds on what flows through one scope; None bounds nothing.

    A minute is any sixty seconds, not one of the clock's. `concurrency` counts attempts from their reservation to
    their end. `source` is the place in the configuration, for messages (`providers.openai.limits`).
    """

    scope: Scope = Scope()
    source: str = "limits"
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    input_tokens_per_minute: int | None = None
    output_tokens_per_minute: int | None = None
    concurrency: int | None = None
    counting: TokenCounting = TokenCounting()


class BudgetRule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A bound on what one scope uses in all within a period.

    Args:
        amount: nano-USD or tokens, by `unit`.
        period: days and months are UTC's; `rolling` is any `window_s` seconds.
        source: the place in the configuration, for messages (`budgets.usd_per_day`).
    """

    amount: int
    unit: BudgetUnit = "nano_usd"
    period: BudgetPeriod = "day"
    window_s: float = 0.0
    scope: Scope = Scope()
    source: str = "budgets"


class AdmissionPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """All limits and budgets, and how they are kept.

    Args:
        usd_per_request: nano-USD that one attempt may cost at most; None for any.
        on_unknown_price: what is done with a call whose price nobody knows. Where a budget in USD covers it and this
            says `allow`, it is made and counts nothing, which is said in a warning once.
        learn: hold back what the vendor's rate-limit headers say it would refuse.
        waiting_max: reservations that may wait for room; beyond, they are refused with a time to come back.
        warn_at: shares of a budget at which it is warned of, once per period.
        refresh_s: how often what other processes have spent from the same ledger is looked up.
    """

    limits: tuple[LimitRule, ...] = ()
    budgets: tuple[BudgetRule, ...] = ()
    usd_per_request: int | None = None
    on_unknown_price: OnUnknownPrice = "allow"
    learn: bool = True
    waiting_max: int = 1024
    warn_at: tuple[float, ...] = (0.5, 0.8, 1.0)
    refresh_s: float = 1.0


class AdmissionChanged(Message, frozen=True, kw_only=True, tag="admission_changed", omit_defaults=True):
    """Have accounting go by another policy from this step on; answered with the message itself, once it does.

    What is used and held under the former one stays used and held. `confirm_s` is how long an answer waits for the
    books from now on.
    """

    policy: AdmissionPolicy
    confirm_s: float


class BudgetWarned(Message, frozen=True, kw_only=True, tag="budget_warned", omit_defaults=True):
    """A share of a budget is used up. Told once per share and period.

    Args:
        at: seconds of the loop's clock.
        share: the share of `warn_at` that was passed; `used` of `amount` (nano-USD or tokens) are spent, settled and in
            doubt together, open calls not counted.
        ends_unix_s: when the period ends; None for a rolling one.
    """

    at: float
    source: str
    scope: Scope
    share: float
    used: int
    amount: int
    unit: BudgetUnit
    ends_unix_s: float | None = None


class UnpricedAdmitted(Message, frozen=True, kw_only=True, tag="unpriced_admitted", omit_defaults=True):
    """A call whose price nobody knows was let through under a budget in USD, where it counts nothing.

    Told once per deployment. `source` is the budget's place in the configuration.
    """

    deployment: DeploymentId
    provider: str
    model: str
    source: str


class LimitsAsked(Message, frozen=True, kw_only=True, tag="limits_asked", omit_defaults=True):
    """Ask accounting how far limits and budgets are used; answered with `LimitsTold`."""


class LimitState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How far one bound of one scope is used now.

    Args:
        dimension: `requests`, `tokens`, `input_tokens`, `output_tokens` (of the last sixty seconds) or `concurrency`.
        used: of `limit`, with what open calls may yet use at most.
        waiting: reservations in line for it.
        free_in_s: seconds until something of it is free again, where it is used up and that is known.
        learnt: it is the vendor's headers that set it, not the configuration.
    """

    source: str
    scope: Scope
    dimension: Literal["requests", "tokens", "input_tokens", "output_tokens", "concurrency"]
    limit: int
    used: int = 0
    waiting: int = 0
    free_in_s: float | None = None
    learnt: bool = False


class BudgetState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How far one budget is used in its present period.

    `spent` is what is settled, `in_doubt` the bounds of what nobody can say, `reserved` the bounds of open calls; all
    in the budget's unit. `others` of `spent` came from other processes on the same ledger.
    """

    source: str
    scope: Scope
    unit: BudgetUnit
    period: BudgetPeriod
    amount: int
    spent: int = 0
    in_doubt: int = 0
    reserved: int = 0
    others: int = 0
    waiting: int = 0
    ends_unix_s: float | None = None


class LimitsTold(Message, frozen=True, kw_only=True, tag="limits_told", omit_defaults=True):
    """How far all limits and budgets are used."""

    limits: tuple[LimitState, ...] = ()
    budgets: tuple[BudgetState, ...] = ()


class Answered(Message, frozen=True, kw_only=True, tag="answered", omit_defaults=True):
    """The vendor has begun to answer an attempt: by now it has counted the request. Never awaited.

    Told only of attempts whose grant asked for it (`Granted.watched`).
    """

    request_id: RequestId
    attempt: int
