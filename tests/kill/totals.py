"""Own the question whether the books' totals, which may be kept as roll-ups, are what their rows add up to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from manus.actors.ledger.journaled import JournaledStore
from manus.actors.ledger.rows import LedgerRow
from manus.actors.ledger.store import Refused
from manus.messages.accounting import SpentAsked, StatsAsked, UsageDimension, UsageRow
from manus.messages.limits import Scope
from tests.actors.books import Desk

SPLITS: Final[tuple[tuple[UsageDimension, ...], ...]] = (
    (),
    ("provider", "model"),
    ("deployment",),
    ("key",),
    ("tag",),
    ("conversation",),
    ("day", "provider"),
)
"""Ways of splitting totals that are held against the rows."""

Amounts = tuple[int, ...]
"""Requests, settled, released, in doubt, estimated; tokens in and out; cost; tokens and cost in doubt."""


def check_totals(desk: Desk, store: JournaledStore, rows: Sequence[LedgerRow]) -> None:
    """Ask for totals in every way, and hold them against all rows, every one of which has ended.

    Raises:
        AssertionError: they differ.
    """
    for by in SPLITS:
        told = desk.wait(store.sums(StatsAsked(by=by)))
        assert not isinstance(told, Refused), told
        found = {tuple(getattr(row, name) for name in by): _amounts_of_total(row) for row in told}
        expected = _added_up(rows, by)
        assert found == expected, f"totals by {by} are not what the rows add up to"
    (spent,) = _spent(desk, store)
    assert spent == (
        sum(row.usage.total for row in rows if row.state == "settled"),
        sum(row.cost_nano_usd or 0 for row in rows if row.state == "settled"),
        sum(row.usage.total for row in rows if row.state == "in_doubt"),
        sum(row.cost_nano_usd or 0 for row in rows if row.state == "in_doubt"),
    ), "what budgets are told is not what the rows add up to"


def _spent(desk: Desk, store: JournaledStore) -> Iterable[Amounts]:
    told = desk.wait(store.spent((SpentAsked(scope=Scope(), since_unix_s=0.0),)))
    assert not isinstance(told, Refused), told
    for spent in told:
        assert not any(each.open_tokens or each.open_cost_nano_usd for each in spent.buckets), "nothing is open"
        yield (
            sum(each.tokens for each in spent.buckets),
            sum(each.cost_nano_usd for each in spent.buckets),
            sum(each.in_doubt_tokens for each in spent.buckets),
            sum(each.in_doubt_cost_nano_usd for each in spent.buckets),
        )


def _amounts_of_total(total: UsageRow) -> Amounts:
    assert (total.open, total.unpriced) == (0, 0)
    return (
        total.requests,
        total.settled,
        total.released,
        total.in_doubt,
        total.estimated,
        total.usage.input_total,
        total.usage.output,
        total.cost_nano_usd,
        total.in_doubt_bound.total,
        total.in_doubt_cost_nano_usd,
    )


def _added_up(rows: Sequence[LedgerRow], by: tuple[UsageDimension, ...]) -> dict[tuple[str | None, ...], Amounts]:
    sums: defaultdict[tuple[str | None, ...], Amounts] = defaultdict(lambda: (0,) * 10)
    if not by:
        sums[()] = (0,) * 10  # with nothing to split by there is one row, also of nothing
    for row in rows:
        tags = row.tags or (None,)
        for tag in tags if "tag" in by else tags[:1]:
            values = tuple(tag if name == "tag" else _value(row, name) for name in by)
            sums[values] = tuple(map(sum, zip(sums[values], _amounts_of_row(row), strict=True)))
    return dict(sums)


def _value(row: LedgerRow, name: UsageDimension) -> str | None:
    match name:
        case "key":
            return None if row.key_fingerprint is None else f"{row.provider}#{row.key_fingerprint}"
        case "day":
            return f"{datetime.fromtimestamp(row.created_unix_s, UTC):%Y-%m-%d}"
        case "conversation":
            return row.conversation_id
        case "provider" | "model" | "deployment":
            return str(getattr(row, name))
        case _:
            raise AssertionError(f"{name} has more than one value")


def _amounts_of_row(row: LedgerRow) -> Amounts:
    settled, in_doubt = row.state == "settled", row.state == "in_doubt"
    cost = row.cost_nano_usd or 0
    return (
        1,
        int(settled),
        int(row.state == "released"),
        int(in_doubt),
        int(settled and row.usage.source == "estimated"),
        row.usage.input_total * settled,
        row.usage.output * settled,
        cost * settled,
        row.usage.total * in_doubt,
        cost * in_doubt,
    )
