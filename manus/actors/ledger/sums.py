"""Own what rows add up to: totals by any dimension, and what a scope has spent in buckets of time.

Pure, and the one place that says what a row counts as: the books in memory add up with it, and what SQLite adds up by
itself must come to the same. An attempt belongs to the day, the hour and the bucket of its *reservation*. An empty name
of a key, a tag or a conversation is none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import product
from typing import NamedTuple, assert_never

import msgspec

from manus.actors.ledger.rows import CERTAIN_ZERO, LedgerRow
from manus.messages.accounting import Spent, SpentAsked, SpentBucket, StatsAsked, UsageDimension, UsageRow
from manus.messages.limits import Scope

DAY_S = 86_400
HOUR_S = 3_600

FINE_S = 300
"""Buckets of what was spent are so long for recent times."""

FINE_FOR_S = 86_400
"""How far back, from the latest hour that is asked for, they are."""

OTHERS = "(others)"
"""The name under which conversations, and tags of books in memory, are summed up that are no longer told apart."""


class Labels(NamedTuple):
    """What an attempt can be told apart by, but for its time."""

    provider: str
    model: str
    deployment: str
    key_fingerprint: str | None
    tags: tuple[str, ...]
    conversation_id: str | None


class Part(NamedTuple):
    """Totals of attempts with the same labels, that were reserved from `at_unix_s` until the next part's time."""

    labels: Labels
    at_unix_s: float
    total: UsageRow


NOTHING = UsageRow(usage=CERTAIN_ZERO, in_doubt_bound=CERTAIN_ZERO)
"""Totals of no attempts."""


def labels_of(row: LedgerRow) -> Labels:
    """Name what a row is told apart by."""
    return Labels(row.provider, row.model, row.deployment, row.key_fingerprint, row.tags, row.conversation_id)


def total_of(row: LedgerRow) -> UsageRow:
    """Give the totals of one row alone. A cost that is unknown counts as unpriced and adds no money."""
    unpriced = int(row.cost_nano_usd is None)
    cost = row.cost_nano_usd or 0
    replace = msgspec.structs.replace
    match row.state:
        case "intent" | "dispatched":
            return replace(NOTHING, requests=1, open=1)
        case "released":
            return replace(NOTHING, requests=1, released=1)
        case "settled":
            estimated = int(row.usage.source == "estimated")
            usage = CERTAIN_ZERO + row.usage
            return replace(
                NOTHING, requests=1, settled=1, usage=usage, cost_nano_usd=cost, unpriced=unpriced, estimated=estimated
            )
        case "in_doubt":
            bound = CERTAIN_ZERO + row.usage
            return replace(
                NOTHING, requests=1, in_doubt=1, in_doubt_bound=bound, in_doubt_cost_nano_usd=cost, unpriced=unpriced
            )
        case _:
            assert_never(row.state)


def part_of(row: LedgerRow) -> Part:
    """Give one row as a part."""
    return Part(labels_of(row), row.created_unix_s, total_of(row))


def add_totals(one: UsageRow, other: UsageRow) -> UsageRow:
    """Add two totals; the dimensions of the first stay."""
    return UsageRow(
        provider=one.provider,
        model=one.model,
        deployment=one.deployment,
        key=one.key,
        tag=one.tag,
        conversation=one.conversation,
        day=one.day,
        requests=one.requests + other.requests,
        settled=one.settled + other.settled,
        released=one.released + other.released,
        in_doubt=one.in_doubt + other.in_doubt,
        open=one.open + other.open,
        usage=one.usage + other.usage,
        cost_nano_usd=one.cost_nano_usd + other.cost_nano_usd,
        in_doubt_bound=one.in_doubt_bound + other.in_doubt_bound,
        in_doubt_cost_nano_usd=one.in_doubt_cost_nano_usd + other.in_doubt_cost_nano_usd,
        unpriced=one.unpriced + other.unpriced,
        estimated=one.estimated + other.estimated,
    )


def sum_parts(parts: Iterable[Part], by: tuple[UsageDimension, ...]) -> tuple[UsageRow, ...]:
    """Add up totals split by the dimensions `by`, in the order of their values; nothing to split by gives one row."""
    by = tuple(dict.fromkeys(by))
    sums: dict[tuple[str, ...], UsageRow] = {} if by else {(): NOTHING}
    for part in parts:
        for values in set(_values(part, by)):
            known = sums.get(values)
            sums[values] = part.total if known is None else add_totals(known, part.total)
    return tuple(
        msgspec.structs.replace(sums[values], **{name: value or None for name, value in zip(by, values, strict=True)})
        for values in sorted(sums)
    )


def key_name(provider: str, fingerprint: str) -> str:
    """Name a key the way scopes do."""
    return f"{provider}#{fingerprint}"


def day_of(at_unix_s: float) -> str:
    """Name the UTC day of a moment."""
    return f"{datetime.fromtimestamp(bucket_of(at_unix_s, DAY_S), UTC):%Y-%m-%d}"


def bucket_of(at_unix_s: float, length_s: int) -> int:
    """Give the beginning of the bucket of so many seconds that a moment lies in."""
    return int(at_unix_s) // length_s * length_s


def is_asked_for(asked: StatsAsked, at_unix_s: float) -> bool:
    """Whether a moment lies in the span that is asked for."""
    since, until = asked.since_unix_s, asked.until_unix_s
    return (since is None or at_unix_s >= since) and (until is None or at_unix_s < until)


def _values(part: Part, by: tuple[UsageDimension, ...]) -> Iterator[tuple[str, ...]]:
    """Give the values of a part in the dimensions `by`, "" for none; once for every tag where tags are among them."""
    labels = part.labels
    choices: list[tuple[str, ...]] = []
    for dimension in by:
        match dimension:
            case "provider":
                choices.append((labels.provider,))
            case "model":
                choices.append((labels.model,))
            case "deployment":
                choices.append((labels.deployment,))
            case "key":
                choices.append((key_name(labels.provider, labels.key_fingerprint) if labels.key_fingerprint else "",))
            case "tag":
                choices.append(labels.tags or ("",))
            case "conversation":
                choices.append((labels.conversation_id or "",))
            case "day":
                choices.append((day_of(part.at_unix_s),))
            case _:
                assert_never(dimension)
    return product(*choices)


# -- what a scope has spent


def falls_under(labels: Labels, scope: Scope) -> bool:
    """Whether attempts with these labels count for a scope."""
    match scope.kind:
        case "all":
            return True
        case "provider":
            return labels.provider == scope.name
        case "deployment":
            return labels.deployment == scope.name
        case "key":
            return (
                bool(labels.key_fingerprint) and key_name(labels.provider, labels.key_fingerprint or "") == scope.name
            )
        case "tag":
            return scope.name in labels.tags
        case _:
            assert_never(scope.kind)


def spent_of_rows(asked: SpentAsked, rows: Iterable[LedgerRow], now_unix_s: float) -> Spent:
    """Say what a scope has spent by rows, in fine buckets as far as they are recent."""
    fine_from = fine_from_unix_s(now_unix_s)
    buckets = []
    for row in rows:
        if row.created_unix_s >= asked.since_unix_s and falls_under(labels_of(row), asked.scope):
            at = bucket_of(row.created_unix_s, FINE_S if row.created_unix_s >= fine_from else HOUR_S)
            buckets.append(bucket_of_open(row, at) if row.is_open else bucket_of_part(part_of(row), at))
    return sum_buckets(asked, buckets)


def fine_from_unix_s(now_unix_s: float) -> int:
    """Say since when buckets are fine."""
    return bucket_of(max(0.0, now_unix_s - FINE_FOR_S), HOUR_S)


def bucket_of_part(part: Part, at_unix_s: int) -> SpentBucket:
    """Say what an ended part has spent."""
    return SpentBucket(
        at_unix_s=at_unix_s,
        cost_nano_usd=part.total.cost_nano_usd,
        tokens=part.total.usage.total,
        in_doubt_cost_nano_usd=part.total.in_doubt_cost_nano_usd,
        in_doubt_tokens=part.total.in_doubt_bound.total,
    )


def bucket_of_open(row: LedgerRow, at_unix_s: int) -> SpentBucket:
    """Say what an open row may spend at most."""
    cost = row.bound_cost_nano_usd or 0
    return SpentBucket(at_unix_s=at_unix_s, open_cost_nano_usd=cost, open_tokens=row.bound.total)


def sum_buckets(asked: SpentAsked, buckets: Iterable[SpentBucket]) -> Spent:
    """Add up the buckets of the same times, and put them in order."""
    sums: dict[float, SpentBucket] = {}
    for bucket in buckets:
        known = sums.get(bucket.at_unix_s)
        sums[bucket.at_unix_s] = bucket if known is None else _add_buckets(known, bucket)
    return Spent(scope=asked.scope, buckets=tuple(sums[at] for at in sorted(sums)))


def _add_buckets(one: SpentBucket, other: SpentBucket) -> SpentBucket:
    return SpentBucket(
        at_unix_s=one.at_unix_s,
        cost_nano_usd=one.cost_nano_usd + other.cost_nano_usd,
        tokens=one.tokens + other.tokens,
        in_doubt_cost_nano_usd=one.in_doubt_cost_nano_usd + other.in_doubt_cost_nano_usd,
        in_doubt_tokens=one.in_doubt_tokens + other.in_doubt_tokens,
        open_cost_nano_usd=one.open_cost_nano_usd + other.open_cost_nano_usd,
        open_tokens=one.open_tokens + other.open_tokens,
    )
