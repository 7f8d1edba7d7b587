"""The audit finds every way in which our books and a provider's bill can differ."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from manus.demo.audit import Account, audit, ledger_differs
from manus.messages.ids import deployment_id
from manus.messages.outcomes import Attempt, Booking
from manus.messages.usage import Price, Usage, UsageSource
from manus.reports import UsageLine, UsageReport
from manus.sim.bill import BillRow

PRICE = Price(input=1_000_000_000, output=2_000_000_000)


def attempt(
    booking: Booking, source: UsageSource, tokens: tuple[int, int] = (10, 5), *, cost: int | None = None
) -> Attempt:
    """One attempt at `oak`, charged by the price unless `cost` says otherwise."""
    usage = Usage(input_uncached=tokens[0], output=tokens[1], source=source)
    return Attempt(
        number=1,
        deployment=deployment_id("oak", "m"),
        provider="oak",
        model="m",
        result="ok",
        started_s=0.0,
        ended_s=1.0,
        usage=usage,
        cost_nano_usd=PRICE.cost_nano_usd(usage) if cost is None else cost,
        booking=booking,
    )


def row(prompt: str = "q", tokens: tuple[int, int] = (10, 5), **fields: object) -> BillRow:
    """One billed row of a complete answer."""
    usual = BillRow(
        number=1,
        request_id="r",
        prompt=prompt,
        state="complete",
        billed=True,
        input_tokens=tokens[0],
        output_tokens=tokens[1],
    )
    return replace(usual, **fields)


def audited(calls: list[Attempt], rows: list[BillRow]) -> Account:
    """Audit calls for the question `q`."""
    return audit([("q", call) for call in calls], {"oak": rows}, PRICE)["oak"]


def report(**fields: int) -> UsageReport:
    """The ledger's totals for one settled call of 10 + 5 tokens, but for `fields`."""
    line = UsageLine(
        provider="oak", model="m", requests=1, settled=1, input_tokens=10, output_tokens=5, cost_nano_usd=20_000
    )
    return UsageReport(lines=(replace(line, **fields),))


GOOD = attempt("settled", "reported")


def test_books_that_equal_the_bill_are_found_equal() -> None:
    account = audited(
        [attempt("in_doubt", "bound", (90, 90)), GOOD, attempt("released", "missing", (0, 0))],
        [row(state="cut", tokens=(10, 2)), row(), row(state="rejected", billed=False, tokens=(0, 0))],
    )
    assert account.wrong == []
    assert (account.reported.calls, account.in_doubt.calls, account.released.calls) == (1, 1, 1)
    assert account.reported.book_tokens == account.reported.bill_tokens == 15
    assert account.reported.book_nano_usd == account.reported.bill_nano_usd == 20_000
    assert (account.in_doubt.book_tokens, account.in_doubt.bill_tokens) == (180, 12)


@pytest.mark.parametrize(
    ("calls", "rows", "says"),
    [
        ([GOOD], [], "not on the bill"),
        ([GOOD], [row(tokens=(10, 6))], "not as billed"),
        ([GOOD], [row(tokens=(11, 5))], "not as billed"),
        ([attempt("settled", "reported", cost=19_999)], [row()], "nano-USD"),
        ([GOOD], [row(), row()], "once more than booked"),
        ([GOOD, GOOD], [row()], "not on the bill"),
        ([], [row()], "not in the books"),
        ([attempt("released", "missing", (0, 0))], [row()], "once more than booked"),
        ([attempt("in_doubt", "bound", (9, 99))], [row(state="cut")], "less than the bill"),
        ([attempt("in_doubt", "bound", (99, 4))], [row(state="cut")], "less than the bill"),
        ([attempt("open", "missing")], [row(state="working")], "still open"),
    ],
)
def test_every_difference_is_found(calls: list[Attempt], rows: list[BillRow], says: str) -> None:
    (wrong,) = audited(calls, rows).wrong
    assert says in wrong


def test_a_call_in_doubt_that_never_arrived_is_covered() -> None:
    for calls in ([attempt("in_doubt", "bound"), GOOD], [GOOD, attempt("in_doubt", "bound")]):
        account = audited(calls, [row()])
        assert account.wrong == []
        assert (account.reported.bill_tokens, account.in_doubt.bill_tokens) == (15, 0)


def test_calls_of_other_questions_are_not_confused() -> None:
    accounts = audit([("a", GOOD), ("b", GOOD)], {"oak": [row("b"), row("a")], "elm": []}, PRICE)
    assert accounts["oak"].wrong == []
    assert accounts["elm"].calls == 0


def test_a_ledger_that_adds_up_is_found_right() -> None:
    assert ledger_differs(report(), {"oak": audited([GOOD], [row()])}) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"requests": 2},
        {"settled": 0},
        {"in_doubt": 1},
        {"open": 1},
        {"output_tokens": 6},
        {"cost_nano_usd": 20_001},
    ],
)
def test_a_ledger_that_does_not_add_up_is_found(fields: dict[str, int]) -> None:
    (wrong,) = ledger_differs(report(**fields), {"oak": audited([GOOD], [row()])})
    assert "oak: the ledger has" in wrong
