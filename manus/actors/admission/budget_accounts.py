"""Own what is counted of a budget: the account of a period, the slices of a window that rolls, and what ours are."""

from __future__ import annotations

from typing import Final, NamedTuple

from manus.actors.admission.periods import Period
from manus.messages.accounting import Spent, SpentBucket
from manus.messages.limits import BudgetUnit

FINE_S: Final = 300.0
FINE_FOR_S: Final = 86_400.0
HOUR_S: Final = 3_600.0
"""How long the buckets are at most that the ledger tells spending in: of the last day, and of earlier ones."""


class Used(NamedTuple):
    """Amounts of a budget's unit: settled, in doubt, and held for open attempts."""

    spent: int = 0
    in_doubt: int = 0
    reserved: int = 0


class Account:
    """What is used of a budget in one period, or now of a rolling window."""

    __slots__ = ("in_doubt", "loaded", "others", "period", "reserved", "spent", "told")

    def __init__(self, period: Period | None) -> None:
        self.period = period
        self.spent = 0
        self.in_doubt = 0
        self.reserved = 0
        self.others = Used()
        """By other runs, as they last told."""
        self.loaded = False
        """Whether anybody has said what others have used."""
        self.told = 0
        """Of how many shares it was warned."""

    @property
    def gone(self) -> int:
        """What no ending gives back: settled and in doubt, ours and others'."""
        return self.spent + self.in_doubt + self.others.spent + self.others.in_doubt

    @property
    def held(self) -> int:
        """What endings may give back."""
        return self.reserved + self.others.reserved


class Slice:
    """What was reserved in one slice of a rolling window."""

    __slots__ = ("begins_at", "in_doubt", "is_over", "spent")

    def __init__(self, begins_at: float) -> None:
        self.begins_at = begins_at
        self.spent = 0
        self.in_doubt = 0
        self.is_over = False


def difference(all_of_them: Spent, others: Spent) -> Spent:
    """Give what is ours of what all have spent."""
    theirs = {bucket.at_unix_s: bucket for bucket in others.buckets}
    ours = (_bucket_less(bucket, theirs.get(bucket.at_unix_s)) for bucket in all_of_them.buckets)
    return Spent(scope=all_of_them.scope, buckets=tuple(ours))


def _bucket_less(bucket: SpentBucket, other: SpentBucket | None) -> SpentBucket:
    if other is None:
        return bucket
    return SpentBucket(
        at_unix_s=bucket.at_unix_s,
        cost_nano_usd=max(0, bucket.cost_nano_usd - other.cost_nano_usd),
        tokens=max(0, bucket.tokens - other.tokens),
        in_doubt_cost_nano_usd=max(0, bucket.in_doubt_cost_nano_usd - other.in_doubt_cost_nano_usd),
        in_doubt_tokens=max(0, bucket.in_doubt_tokens - other.in_doubt_tokens),
    )


def sum_of(spent: Spent | SpentBucket, unit: BudgetUnit, period: Period | None = None) -> Used:
    """Add up what was used within `period`; None is all that was told."""
    told = (spent,) if isinstance(spent, SpentBucket) else spent.buckets
    buckets = [one for one in told if period is None or period.holds(one.at_unix_s)]
    if unit == "tokens":
        parts = [(one.tokens, one.in_doubt_tokens, one.open_tokens) for one in buckets]
    else:
        parts = [(one.cost_nano_usd, one.in_doubt_cost_nano_usd, one.open_cost_nano_usd) for one in buckets]
    return Used(*(sum(column) for column in zip(*parts, strict=True))) if parts else Used()


def least_age_s(bucket: SpentBucket, now_unix_s: float) -> float:
    """Say how long ago the last moment of a bucket was."""
    age_s = now_unix_s - bucket.at_unix_s
    return max(0.0, age_s - (FINE_S if age_s <= FINE_FOR_S else HOUR_S))
