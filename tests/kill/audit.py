"""Own what must hold of the books of processes that were killed: judged by their notes and by the providers' own bills.

The promises, row by row:

- A row has ended, once: settled, released or in doubt. What never left has no line on any bill.
- Settled as *reported*: the bill, to the token. Settled as *estimated*: a prompt within `ERROR_SHARE` of the bill and a
  few tokens; an answer not above it by more, words beyond ASCII aside, and not below what its caller had been given of
  it. What a vendor had made and nobody had read when the call was broken off is missing, and that depends on who was
  how fast: it is only counted.
- In doubt: sent, and the bill is at most the bound. Released: the bill is zero.
- Whatever a caller was told of his request is what the ledger says, and so is what it says of his request key.

Where the plug was pulled (`torn`), a note that a call was sent may be lost, so what is in doubt need not have one; and
only what callers were told was durable has to stand.

An attempt and a line of a bill know nothing of each other. They belong together by provider, model, the name with which
the prompt begins, and their order: attempts at one model for one request are made one after another.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from manus.actors.ledger.rows import LedgerRow
from tests.kill.fleet import BillLine

ERROR_SHARE = 0.35
"""How far our count of a text may be from the simulated vendor's, whose tokens are pieces of words."""

ERROR_TOKENS = 12
"""And how far beyond that: a short text is a few words."""

BEYOND_ASCII_TOKENS = 20
"""And how far an answer may be beyond that instead: its words beyond ASCII, of which an emoji of three characters is
the dearest, are one token each to the simulated vendor and up to six to the vocabularies that we count by. The most
that was found in 6,000 drawn answers, broken off anywhere, is 16."""

Where = tuple[str, str, str]
"""Provider, model, name of the request."""


class Figures(msgspec.Struct, kw_only=True):
    """What a run of kills came to."""

    providers: set[str] = msgspec.field(default_factory=set)
    kills: int = 0
    torn_records: int = 0
    ways: Counter[str] = msgspec.field(default_factory=Counter)
    requests: int = 0
    rows: int = 0
    states: Counter[str] = msgspec.field(default_factory=Counter)
    estimated: int = 0
    orphans: int = 0
    told: int = 0
    failed: Counter[str] = msgspec.field(default_factory=Counter)
    drained: int = 0
    asked_again: int = 0
    billed_calls: int = 0
    billed_tokens: int = 0
    settled_tokens: int = 0
    in_doubt_tokens: int = 0
    in_doubt_billed_tokens: int = 0
    largest_reported_difference: int = 0
    largest_estimated_difference: int = 0
    unread_tokens: int = 0
    seconds: float = 0.0

    def add(self, other: Figures) -> None:
        """Count another run in."""
        for name in self.__struct_fields__:
            mine, theirs = getattr(self, name), getattr(other, name)
            if name == "providers":
                self.providers |= theirs
            else:
                setattr(self, name, max(mine, theirs) if name.startswith("largest") else mine + theirs)


class Audit:
    """The rows of one ledger, beside the notes of everybody who wrote to it and the bills of all whom they asked."""

    def __init__(
        self,
        rows: Sequence[LedgerRow],
        bills: dict[str, list[BillLine]],
        notes: Iterable[list[str]],
        *,
        torn: bool = False,
    ) -> None:
        self.rows = rows
        self._torn = torn
        self.figures = Figures(rows=len(rows))
        self._bills = bills
        self._notes = list(notes)
        self._by_request: defaultdict[str, dict[int, LedgerRow]] = defaultdict(dict)
        self._by_name: defaultdict[str, list[LedgerRow]] = defaultdict(list)
        for row in rows:
            assert row.attempt not in self._by_request[row.request_id], f"{row.request_id}#{row.attempt} stands twice"
            self._by_request[row.request_id][row.attempt] = row
            assert row.request_key is not None, "every request was given a key"
            self._by_name[row.request_key].append(row)

    def check(self) -> Figures:
        """Hold everything against everything.

        Raises:
            AssertionError: a promise is broken; the text says whose.
        """
        self._check_endings()
        self._check_bills()
        self._check_sums()
        self._check_told()
        self._check_statuses()
        return self.figures

    # -- the rows by themselves

    def _check_endings(self) -> None:
        figures = self.figures
        asked = {words[1] for words in self._notes if words[0] == "asked"}
        figures.requests = len(asked)
        assert self._by_name.keys() <= asked, "a row for what nobody asked"
        for row in self.rows:
            who = _who(row)
            figures.states[row.state] += 1
            assert row.ended_unix_s is not None, f"{who} has no end"
            assert row.created_unix_s <= row.ended_unix_s, f"{who} ended before it began"
            match row.state:
                case "settled":
                    assert row.usage.source in ("reported", "estimated"), f"{who} is settled by {row.usage.source}"
                    assert row.cost_nano_usd is not None, f"{who} has a price and no cost"
                    assert row.dispatched_unix_s is not None, f"{who} is settled and was never sent"
                    assert row.usage.total <= row.bound.total, f"{who} used {row.usage}, bound {row.bound}"
                    figures.providers.add(row.provider)
                    figures.estimated += row.usage.source == "estimated"
                    figures.settled_tokens += row.usage.total
                case "released":
                    assert (row.usage.total, row.cost_nano_usd) == (0, 0), f"{who} is released and costs"
                case "in_doubt":
                    assert row.usage == row.bound, f"{who} is in doubt and not at its bound"
                    assert row.cost_nano_usd == row.bound_cost_nano_usd, f"{who} is in doubt at another cost"
                    assert self._torn or row.dispatched_unix_s is not None, f"{who} is in doubt and was never sent"
                    figures.in_doubt_tokens += row.usage.total
                    figures.orphans += row.reason == "the run ended before the answer was booked"
                case other:
                    raise AssertionError(f"{who} is left {other}")

    # -- against the bills

    def _check_bills(self) -> None:
        booked: defaultdict[Where, list[LedgerRow]] = defaultdict(list)
        for row in self.rows:
            assert row.request_key is not None
            booked[(row.provider, row.model, row.request_key)].append(row)
        lines: defaultdict[Where, list[BillLine]] = defaultdict(list)
        for provider, bill in self._bills.items():
            for line in bill:
                lines[(provider, line.model, line.name)].append(line)
        assert lines.keys() <= booked.keys(), f"not booked at all: {sorted(lines.keys() - booked.keys())[:5]}"
        for where, rows in booked.items():
            self._check_one(where, sorted(rows, key=_by_attempt), sorted(lines[where], key=_by_number))

    def _check_one(self, where: Where, rows: list[LedgerRow], lines: list[BillLine]) -> None:
        pairs = _paired(rows, lines, torn=self._torn)
        if pairs is None:
            booked = [(_who(row), row.state, row.usage, row.dispatched_unix_s, row.reason) for row in rows]
            raise AssertionError(f"{where}: no way to explain this bill\n  {lines}\nby these rows\n  {booked}")
        figures = self.figures
        for row, line in pairs:
            if not line.billed:
                continue
            figures.billed_calls += 1
            figures.billed_tokens += line.input_tokens + line.output_tokens
            difference = max(abs(line.input_tokens - row.usage.input_total), abs(line.output_tokens - row.usage.output))
            if row.state == "in_doubt":
                figures.in_doubt_billed_tokens += line.input_tokens + line.output_tokens
            elif row.usage.source == "reported":
                figures.largest_reported_difference = max(figures.largest_reported_difference, difference)
            else:
                figures.largest_estimated_difference = max(figures.largest_estimated_difference, difference)
                figures.unread_tokens += max(0, line.output_tokens - row.usage.output)

    def _check_sums(self) -> None:
        """Provider by provider: what is settled as reported is billed; prompts are billed within the bounds."""
        for provider, bill in self._bills.items():
            mine = [row for row in self.rows if row.provider == provider]
            reported = [row for row in mine if row.state == "settled" and row.usage.source == "reported"]
            guessed = [row for row in mine if row.state == "settled" and row.usage.source == "estimated"]
            known = sum(row.usage.total for row in reported)
            owed = sum(line.input_tokens + line.output_tokens for line in bill if line.billed)
            assert known <= owed, f"{provider} bills {owed} tokens; the books have {known} of its own word"
            most = sum(row.usage.input_total for row in (*reported, *(row for row in mine if row.state == "in_doubt")))
            most += sum(int((row.usage.input_total + ERROR_TOKENS) / (1 - ERROR_SHARE)) for row in guessed)
            prompts = sum(line.input_tokens for line in bill if line.billed)
            assert prompts <= most, f"{provider} bills {prompts} tokens of prompts; the books say at most {most}"

    # -- against what callers were told

    def _check_told(self) -> None:
        for words in self._notes:
            match words:
                case ["failed", _, kind]:
                    self.figures.failed[kind] += 1
                case ["told", _, _, how, _, _] if self._torn and how != "durable":
                    pass
                case ["told", name, request_id, how, sums, attempts]:
                    self._check_request(name, request_id, how, json.loads(sums), json.loads(attempts))
                    self.figures.told += 1
                case ["heard", name, tokens]:
                    self._check_heard(name, int(tokens))
                case _:
                    pass

    def _check_request(self, name: str, request_id: str, how: str, sums: list[Any], attempts: list[list[Any]]) -> None:
        rows = self._by_request.get(request_id, {})
        counted = [each for each in attempts if each[2] == "settled" or (each[2] == "open" and each[6] != "bound")]
        for number, deployment, booking, input_tokens, output_tokens, cost, _ in attempts:
            row = rows.get(number)
            if row is None:
                # What was denied before it was reserved is told as an attempt of which nothing was billed.
                assert (booking, input_tokens + output_tokens) == ("released", 0), f"{name}#{number}: told, and no row"
                continue
            assert row.deployment == deployment, f"{_who(row)}: told of {deployment}"
            if booking == "open":
                self.figures.drained += 1
                continue  # the answer was read on after its caller had left: the books knew more later
            assert row.state == booking, f"{_who(row)}: told {booking}, is {row.state}"
            if booking == "settled":
                told = (input_tokens, output_tokens, cost)
                assert told == (row.usage.input_total, row.usage.output, row.cost_nano_usd), f"{_who(row)}: told {told}"
        if how not in ("durable", "open"):
            self.figures.failed[how] += 1
        else:
            assert rows.keys() <= {each[0] for each in attempts}, f"{name}: a row of which its caller was told nothing"
        if attempts:
            told_in_all: list[int | None] = [sum(each[place] for each in counted) for place in (3, 4, 5)]
            if not counted and any(each[2] in ("in_doubt", "open") for each in attempts):
                told_in_all[2] = None  # nobody knows whether it cost anything
            assert sums == told_in_all, f"{name}: told {sums} in all, and by its attempts {attempts}"

    def _check_heard(self, name: str, tokens: int) -> None:
        """What a caller was given was generated and is owed: it is in the books, as far as they know it."""
        if tokens == 0:
            return
        rows = self._by_name[name]
        assert any(row.state in ("settled", "in_doubt") for row in rows), f"{name}: {tokens} tokens came, and no cost"
        most = max(row.usage.output for row in rows if row.state in ("settled", "in_doubt"))
        least = tokens * (1 - ERROR_SHARE) - ERROR_TOKENS
        assert most >= least, f"{name}: {tokens} tokens of the answer came, and {most} are booked"

    # -- against what the books say of a request key

    def _check_statuses(self) -> None:
        """What a later process said of an earlier one's request is what stands there still."""
        for words in self._notes:
            match words:
                case ["status", name, state, input_tokens, output_tokens, cost]:
                    self.figures.asked_again += 1
                    found = (state, int(input_tokens), int(output_tokens), cost)
                    assert found == self.status_of(name), f"{name}: {found} was said, {self.status_of(name)} is true"
                case _:
                    pass

    def status_of(self, name: str) -> tuple[str, int, int, str]:
        """Say by its rows what became of a request: state, tokens in, tokens out, cost."""
        rows = self._by_name.get(name, [])
        if not rows:
            return "unknown", 0, 0, "None"
        states = {row.state for row in rows}
        state = next(each for each in ("in_doubt", "settled", "released") if each in states)
        input_tokens = sum(row.usage.input_total for row in rows)
        cost = sum(row.cost_nano_usd or 0 for row in rows)
        return state, input_tokens, sum(row.usage.output for row in rows), str(cost)


def _paired(rows: list[LedgerRow], lines: list[BillLine], *, torn: bool) -> list[tuple[LedgerRow, BillLine]] | None:
    """Give each line the row that owns up to it, both in order; None where that cannot be."""
    if not rows:
        return None if lines else []
    row = rows[0]
    if lines and _explains(row, lines[0], torn=torn):
        rest = _paired(rows[1:], lines[1:], torn=torn)
        if rest is not None:
            return [(row, lines[0]), *rest]
    # It was sent and never arrived, or it was not sent: somebody who settles it has to have seen it.
    return None if row.state == "settled" else _paired(rows[1:], lines, torn=torn)


def _explains(row: LedgerRow, line: BillLine, *, torn: bool) -> bool:
    if row.dispatched_unix_s is None and not (torn and row.state == "in_doubt"):
        return False
    used = ((line.input_tokens, row.usage.input_total), (line.output_tokens, row.usage.output))
    match row.state:
        case "released":
            return not line.billed
        case "in_doubt":
            return all(owed <= booked for owed, booked in used)
        case _ if row.usage.source == "reported":
            return line.billed and all(owed == booked for owed, booked in used)
        case _:
            (prompt_owed, prompt_booked), (answer_owed, answer_booked) = used
            within = abs(prompt_owed - prompt_booked) <= ERROR_SHARE * prompt_owed + ERROR_TOKENS
            return line.billed and within and answer_booked <= answer_owed * (1 + ERROR_SHARE) + BEYOND_ASCII_TOKENS


def _by_attempt(row: LedgerRow) -> int:
    return row.attempt


def _by_number(line: BillLine) -> int:
    return line.number


def _who(row: LedgerRow) -> str:
    return f"{row.request_key} ({row.request_id}#{row.attempt} at {row.deployment})"
