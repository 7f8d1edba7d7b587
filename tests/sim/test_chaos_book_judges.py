"""The judges of the books can tell: each lie, told by hand about a run that kept its promises, is found out."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from manus.actors.ledger.rows import LedgerRow
from manus.messages.outcomes import Finished, Unfinished
from manus.messages.usage import Usage
from manus.sim.chaos_books import exact_books, right_prices, served_calls, sums_add_up, told_as_booked
from manus.sim.chaos_world import Report
from tests.sim.chaos_reports import SEEDS, clients, report_of

Lie = Callable[[LedgerRow], LedgerRow | None]
"""What a book says instead of a row; None leaves the row out."""


def row_that(fits: Callable[[LedgerRow], bool]) -> tuple[Report, LedgerRow]:
    """Find a row in a run that kept its promises."""
    for seed in range(SEEDS):
        report = report_of(seed)
        for row in report.rows:
            if fits(row):
                return report, row
    raise AssertionError("no run has such a row")


def settled(source: str) -> Callable[[LedgerRow], bool]:
    return lambda row: row.state == "settled" and row.usage.source == source and row.usage.output > 4


def used(row: LedgerRow, **fields: object) -> LedgerRow:
    return msgspec.structs.replace(row, usage=msgspec.structs.replace(row.usage, **fields))


@pytest.mark.parametrize(
    ("fits", "lie"),
    [
        (settled("reported"), lambda row: None),
        (settled("reported"), lambda row: used(row, output=row.usage.output + 1)),
        (settled("reported"), lambda row: used(row, input_uncached=row.usage.input_uncached + 1)),
        (settled("reported"), lambda row: msgspec.structs.replace(row, state="released")),
        (settled("reported"), lambda row: msgspec.structs.replace(row, model="another")),
        (settled("reported"), lambda row: msgspec.structs.replace(row, state="dispatched")),
        (settled("estimated"), lambda row: None),
        (settled("estimated"), lambda row: used(row, output=3 * row.usage.output + 30)),
        (settled("estimated"), lambda row: used(row, output=0)),
        (settled("estimated"), lambda row: msgspec.structs.replace(row, state="released")),
        (
            lambda row: row.state == "released" and row.reason == "rate_limited",
            lambda row: msgspec.structs.replace(row, state="settled", usage=Usage(output=1, source="estimated")),
        ),
    ],
)
def test_a_row_that_is_of_no_call_or_of_no_such_call_is_noticed(fits: Callable[[LedgerRow], bool], lie: Lie) -> None:
    report, row = row_that(fits)
    assert not exact_books(report)
    told = lie(row)
    report.rows[:] = [each for each in report.rows if each is not row] + ([] if told is None else [told])
    assert exact_books(report)


def test_a_row_that_is_there_twice_is_noticed() -> None:
    report, row = row_that(settled("reported"))
    report.rows.append(row)
    assert any("two rows" in sentence for sentence in exact_books(report))


def test_a_bound_below_the_bill_is_noticed() -> None:
    for seed in range(SEEDS):
        report = report_of(seed)
        served = served_calls(report)
        for row in report.rows:
            calls = served.get((row.provider, int(row.request_id.removeprefix("client-"))), [])
            if row.state != "in_doubt" or not [call for call in calls if call.bill.billed]:
                continue
            if len([each for each in report.rows if each.request_id == row.request_id]) > 1:
                continue
            report.rows[report.rows.index(row)] = used(row, input_uncached=1)
            assert exact_books(report)
            return
    raise AssertionError("no call in doubt was billed")


def test_a_wrong_price_is_noticed() -> None:
    report, row = row_that(settled("reported"))
    assert not right_prices(report)
    report.rows[report.rows.index(row)] = msgspec.structs.replace(row, cost_nano_usd=(row.cost_nano_usd or 0) + 1)
    assert right_prices(report)


@pytest.mark.parametrize("split", ["sums", "sums_by"])
@pytest.mark.parametrize(
    "field", ["requests", "settled", "released", "in_doubt", "estimated", "cost_nano_usd", "in_doubt_cost_nano_usd"]
)
def test_a_sum_that_is_off_by_one_is_noticed(split: str, field: str) -> None:
    report, _ = row_that(settled("reported"))
    assert not sums_add_up(report)
    first, *rest = getattr(report, split)
    spoilt = msgspec.structs.replace(first, **{field: getattr(first, field) + 1})
    assert sums_add_up(msgspec.structs.replace(report, **{split: (spoilt, *rest)}))


def test_sums_that_were_not_told_are_noticed() -> None:
    report, _ = row_that(settled("reported"))
    assert sums_add_up(msgspec.structs.replace(report, sums=()))
    assert sums_add_up(msgspec.structs.replace(report, sums_by=()))


@pytest.mark.parametrize(
    "lie",
    [
        {"booking": "released"},
        {"booking": "in_doubt"},
        {"usage": Usage(output=1, source="reported")},
        {"cost_nano_usd": 1},
        {"deployment": "another"},
    ],
)
def test_an_attempt_that_is_told_otherwise_than_booked_is_noticed(lie: dict[str, object]) -> None:
    for report, seen in clients():
        outcome = seen.outcome
        if not isinstance(outcome, Finished | Unfinished) or not outcome.durable:
            continue
        places = [place for place, each in enumerate(outcome.route.attempts) if each.booking == "settled"]
        if not places:
            continue
        assert not told_as_booked(report)
        attempts = list(outcome.route.attempts)
        attempts[places[0]] = msgspec.structs.replace(attempts[places[0]], **lie)
        route = msgspec.structs.replace(outcome.route, attempts=tuple(attempts))
        seen.outcome = msgspec.structs.replace(outcome, route=route)
        assert told_as_booked(report)
        return
    raise AssertionError("nobody was told of a settled attempt")


def test_a_sum_that_is_told_otherwise_than_booked_is_noticed() -> None:
    for report, seen in clients():
        if isinstance(seen.outcome, Finished) and seen.outcome.durable:
            told = seen.outcome
            seen.outcome = msgspec.structs.replace(told, cost_nano_usd=(told.cost_nano_usd or 0) + 1)
            assert told_as_booked(report)
            seen.outcome = msgspec.structs.replace(told, usage=Usage())
            assert told_as_booked(report)
            return
    raise AssertionError("nobody finished")
