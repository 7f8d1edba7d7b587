"""A plain walk over the rows of a ledger: what its totals and its spending must come to.

Written out, and without a word of how the ledger adds up: no buckets, no triggers, no marks.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from datetime import UTC, datetime

from manus.actors.ledger.rows import LedgerRow
from manus.actors.ledger.store import Refused
from manus.messages.accounting import Spent, StatsAsked, UsageDimension, UsageRow
from manus.messages.limits import Scope
from manus.messages.usage import Usage


def named(row: LedgerRow, dimension: UsageDimension) -> set[str | None]:
    match dimension:
        case "key":
            return {f"{row.provider}#{row.key_fingerprint}" if row.key_fingerprint else None}
        case "tag":
            return {tag or None for tag in row.tags} or {None}
        case "conversation":
            return {row.conversation_id or None}
        case "day":
            return {datetime.fromtimestamp(int(row.created_unix_s), UTC).date().isoformat()}
        case _:
            return {getattr(row, dimension)}


def walk(rows: list[LedgerRow], asked: StatsAsked) -> dict[tuple[str | None, ...], Counter[str]]:
    since = -math.inf if asked.since_unix_s is None else asked.since_unix_s
    until = math.inf if asked.until_unix_s is None else asked.until_unix_s
    sums: dict[tuple[str | None, ...], Counter[str]] = {} if asked.by else {(): Counter()}
    for row in rows:
        if since <= row.created_unix_s < until:
            for place in itertools.product(*(named(row, dimension) for dimension in asked.by)):
                sums.setdefault(place, Counter()).update(counted(row))
    return sums


def counted(row: LedgerRow) -> Counter[str]:
    state = "open" if row.is_open else row.state
    count = Counter({"requests": 1, state: 1})
    if state == "settled":
        count.update({f"usage {name}": each for name, each in counts(row.usage).items()})
        count["cost"] = row.cost_nano_usd or 0
        count["estimated"] = int(row.usage.source == "estimated")
    if state == "in_doubt":
        count.update({f"bound {name}": each for name, each in counts(row.usage).items()})
        count["bound cost"] = row.cost_nano_usd or 0
    if state in ("settled", "in_doubt"):
        count["unpriced"] = int(row.cost_nano_usd is None)
    return count


def counts(usage: Usage) -> dict[str, int]:
    return {name: getattr(usage, name) for name in Usage.__struct_fields__ if name not in ("source", "server_tools")}


def told(rows: tuple[UsageRow, ...] | Refused, by: tuple[str, ...]) -> dict[tuple[str | None, ...], Counter[str]]:
    assert not isinstance(rows, Refused)
    places = [tuple(getattr(row, name) for name in by) for row in rows]
    assert len(set(places)) == len(places)
    assert places == sorted(places, key=lambda place: [name or "" for name in place])
    return {place: in_counts(row) for place, row in zip(places, rows, strict=True)}


def in_counts(row: UsageRow) -> Counter[str]:
    count = Counter({name: getattr(row, name) for name in ("requests", "open", "settled", "released", "in_doubt")})
    count.update({"cost": row.cost_nano_usd, "bound cost": row.in_doubt_cost_nano_usd})
    count.update({"estimated": row.estimated, "unpriced": row.unpriced})
    count.update({f"usage {name}": each for name, each in counts(row.usage).items()})
    count.update({f"bound {name}": each for name, each in counts(row.in_doubt_bound).items()})
    return count


def same(one: dict[tuple[str | None, ...], Counter[str]], other: dict[tuple[str | None, ...], Counter[str]]) -> bool:
    """Compare, where a count that is missing is nothing."""
    return one.keys() == other.keys() and all(+one[place] == +other[place] for place in one)


def falls_under(row: LedgerRow, scope: Scope) -> bool:
    match scope.kind:
        case "all":
            return True
        case "key":
            return row.key_fingerprint not in (None, "") and f"{row.provider}#{row.key_fingerprint}" == scope.name
        case "tag":
            return scope.name in row.tags
        case _:
            return scope.name == str(getattr(row, scope.kind))


def spent_by(rows: list[LedgerRow], since: float) -> tuple[int, ...]:
    sums = Counter({"settled": 0, "in_doubt": 0, "open": 0})
    tokens = Counter(sums)
    for row in rows:
        if row.created_unix_s >= since:
            state = "open" if row.is_open else row.state
            usage, cost = (row.bound, row.bound_cost_nano_usd) if row.is_open else (row.usage, row.cost_nano_usd)
            sums[state] += cost or 0
            tokens[state] += usage.total
    return (
        sums["settled"],
        tokens["settled"],
        sums["in_doubt"],
        tokens["in_doubt"],
        sums["open"],
        tokens["open"],
    )


def total_of(spent: Spent) -> tuple[int, ...]:
    return tuple(
        sum(parts)
        for parts in zip(
            *(
                (
                    bucket.cost_nano_usd,
                    bucket.tokens,
                    bucket.in_doubt_cost_nano_usd,
                    bucket.in_doubt_tokens,
                    bucket.open_cost_nano_usd,
                    bucket.open_tokens,
                )
                for bucket in spent.buckets
            ),
            (0,) * 6,
            strict=True,
        )
    )
