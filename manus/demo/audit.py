"""Own the comparison of our books with the providers' own bills, call by call. Pure.

The two sides share no code and meet here for the first time. A call is matched by provider and question, in
the order in which both sides saw them. What must hold:

- A call settled at the provider's own numbers stands on the bill with exactly these numbers.
- A call whose end we did not see is settled at an estimate, or in doubt; then the books keep a bound, and
  what the bill says does not exceed it.
- Nothing is on a bill that is not in the books, and the ledger's totals are the sums of its calls.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping

import msgspec

from manus.messages.outcomes import Attempt
from manus.messages.usage import Price
from manus.reports import UsageReport
from manus.sim.bill import BillRow


class Sum(msgspec.Struct, kw_only=True):
    """Calls of one kind at one provider: how many, what our books say, what the provider's bill says."""

    calls: int = 0
    book_tokens: int = 0
    bill_tokens: int = 0
    book_nano_usd: int = 0
    bill_nano_usd: int = 0

    def add(self, attempt: Attempt, row: BillRow | None, price: Price) -> None:
        """Count one call, and what stands for it on the bill."""
        self.calls += 1
        self.book_tokens += attempt.usage.input_total + attempt.usage.output
        self.book_nano_usd += price.cost_nano_usd(attempt.usage) or 0
        if row is not None and row.billed:
            self.bill_tokens += row.input_tokens + row.output_tokens
            self.bill_nano_usd += bill_nano_usd(row, price)


class Account(msgspec.Struct, kw_only=True):
    """All calls at one provider, by how they were booked; `wrong` lists everything that must not be."""

    provider: str
    reported: Sum = msgspec.field(default_factory=Sum)
    estimated: Sum = msgspec.field(default_factory=Sum)
    in_doubt: Sum = msgspec.field(default_factory=Sum)
    released: Sum = msgspec.field(default_factory=Sum)
    wrong: list[str] = msgspec.field(default_factory=list)

    @property
    def calls(self) -> int:
        """How many calls there were."""
        return self.reported.calls + self.estimated.calls + self.in_doubt.calls + self.released.calls


def bill_nano_usd(row: BillRow, price: Price) -> int:
    """Charge a row of a bill, by a formula of its own: both rates are whole nano-USD per token here."""
    assert price.input is not None
    assert price.output is not None
    return (row.input_tokens * price.input + row.output_tokens * price.output) // 1_000_000


def audit(
    calls: Iterable[tuple[str, Attempt]], bills: Mapping[str, Iterable[BillRow]], price: Price
) -> dict[str, Account]:
    """Match every call with the bill of the provider it went to.

    Args:
        calls: question and attempt, in the order in which the questions were asked.
        bills: the rows of each provider's bill.
        price: what every model costs.
    """
    accounts = {provider: Account(provider=provider) for provider in bills}
    billed = {provider: _by_question(rows) for provider, rows in bills.items()}
    attempts: dict[tuple[str, str], list[Attempt]] = defaultdict(list)
    for question, attempt in calls:
        attempts[attempt.provider, question].append(attempt)
    for (provider, question), made in attempts.items():
        rows = billed[provider].pop(question, deque())
        _match(accounts[provider], question, made, rows, price)
    for provider, left in billed.items():
        accounts[provider].wrong += [f"{question!r} is on the bill and not in the books" for question in left]
    return accounts


def ledger_differs(report: UsageReport, accounts: Mapping[str, Account]) -> list[str]:
    """Compare the ledger's own totals with the sums of the calls; list every difference."""
    wrong = []
    for provider, account in accounts.items():
        lines = [line for line in report.lines if line.provider == provider]
        settled = (account.reported, account.estimated)
        for what, in_ledger, of_calls in (
            ("calls", sum(line.requests for line in lines), account.calls),
            ("calls settled", sum(line.settled for line in lines), sum(s.calls for s in settled)),
            ("calls in doubt", sum(line.in_doubt for line in lines), account.in_doubt.calls),
            ("calls still open", sum(line.open for line in lines), 0),
            ("tokens", sum(line.input_tokens + line.output_tokens for line in lines), _tokens(settled)),
            ("nano-USD", sum(line.cost_nano_usd for line in lines), sum(s.book_nano_usd for s in settled)),
        ):
            if in_ledger != of_calls:
                wrong.append(f"{provider}: the ledger has {in_ledger} {what}, its callers were told {of_calls}")
    return wrong


def _match(account: Account, question: str, made: list[Attempt], rows: deque[BillRow], price: Price) -> None:
    # What was reported takes its row first: a call in doubt may have none, when it never arrived.
    in_turn = sorted(made, key=_is_not_reported)
    for attempt in in_turn:
        row = _row_for(attempt, rows)
        _booked_as(account, attempt).add(attempt, row, price)
        account.wrong += [f"{question!r}: {what}" for what in _mistakes(attempt, row, price)]
    account.wrong += [f"{question!r} was billed once more than booked" for _ in rows]


def _is_not_reported(attempt: Attempt) -> bool:
    return attempt.usage.source != "reported"


def _row_for(attempt: Attempt, rows: deque[BillRow]) -> BillRow | None:
    """Take the row of the bill that `attempt` caused. One that never left, or did not arrive, caused none."""
    if attempt.booking == "released":
        return None
    row: BillRow | None = rows[0] if rows else None
    if not _is_not_reported(attempt):
        # Among several rows for one question, the one that it equals; if it equals none, any will show that.
        used = (attempt.usage.input_total, attempt.usage.output)
        row = next((each for each in rows if (each.input_tokens, each.output_tokens) == used), row)
    if row is not None:
        rows.remove(row)
    return row


def _booked_as(account: Account, attempt: Attempt) -> Sum:
    match attempt.booking:
        case "settled" if attempt.usage.source == "reported":
            return account.reported
        case "settled":
            return account.estimated
        case "released":
            return account.released
        case "in_doubt" | "open":
            return account.in_doubt


def _mistakes(attempt: Attempt, row: BillRow | None, price: Price) -> list[str]:
    usage = attempt.usage
    match attempt.booking:
        case "settled" if usage.source == "reported":
            if row is None:
                return ["settled, and not on the bill"]
            if (usage.input_total, usage.output) != (row.input_tokens, row.output_tokens):
                return [f"settled at {usage.input_total} + {usage.output} tokens, not as billed: {row}"]
            if attempt.cost_nano_usd != bill_nano_usd(row, price):
                return [f"settled at {attempt.cost_nano_usd} nano-USD, billed {bill_nano_usd(row, price)}"]
        case "in_doubt" if row is not None and row.billed:
            if usage.input_total < row.input_tokens or usage.output < row.output_tokens:
                return [f"in doubt, and its bound is less than the bill: {row}"]
        case "open":
            return ["still open in the books"]
        case _:
            pass
    return []


def _by_question(rows: Iterable[BillRow]) -> dict[str, deque[BillRow]]:
    found: dict[str, deque[BillRow]] = defaultdict(deque)
    for row in rows:
        if row.billed:
            found[row.prompt].append(row)
    return found


def _tokens(sums: Iterable[Sum]) -> int:
    return sum(one.book_tokens for one in sums)
