"""Own what must hold of the books after every chaos run: what was billed is what was booked is what was told.

Row by row: every call that a simulated provider billed has a row of its own, and every row a call that it may be of.
Which call is whose is not said on the wire, so rows and calls of one client at one provider are paired in whichever way
fits all of them; where no way does, the books lie. How far a row may be off from its call:

- `reported`: not at all, in no class of tokens that the vendor tells of;
- `estimated`, from a vendor that sends each token as an event of its own: the chunk that was under way, no more;
- `estimated`, from tokens that come in batches: between one token a chunk and twice what was written, and some;
- `in_doubt`: the bound is at least what was billed; `released`: nothing was billed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import TypeVar

import msgspec

from manus.actors.ledger.rows import LedgerRow
from manus.messages.accounting import UsageRow
from manus.messages.outcomes import Finished, Unfinished
from manus.messages.usage import Usage
from manus.sim.bill import BillRow
from manus.sim.chaos_world import PRICE, Report, Visit, number_in
from manus.sim.faults import NoUsage
from manus.sim.wire import WireName
from manus.sim.words import count_tokens

INPUT_SLACK_TOKENS = 16
"""An estimated prompt of a few words may be off by so much, or by all of it where it is longer."""

BATCH_SLACK_TOKENS = 8
"""What an estimate of a few characters of text may be above twice their tokens."""

FEW_TOKENS = 3
"""So few words do not tell whether each of them came as one token: real tokenisers make two or three of a long one, and
of a picture character any number. Then an estimate is held to what it may be off by for batches."""

TOKEN_BY_TOKEN: tuple[WireName, ...] = ("openai", "openai-responses", "azure", "ollama")
"""Wires on which an event is taken for a token, where its text does not say otherwise."""

HIDDEN_THOUGHTS: tuple[WireName, ...] = ("openai", "azure")
"""Wires that bill thinking and never show it: of an answer that is cut nobody can know how much there was."""

TELLS_CACHE_WRITES: tuple[WireName, ...] = ("anthropic", "bedrock")


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """One call as its provider saw it: what it billed, and what it was to answer."""

    wire: WireName
    bill: BillRow
    visit: Visit


def exact_books(report: Report) -> list[str]:
    """P7: one row for every call, and one call for every row, none of them off by more than it says."""
    wrong: list[str] = []
    seen: set[tuple[str, int]] = set()
    for row in report.rows:
        if (row.request_id, row.attempt) in seen:
            wrong.append(f"{row.request_id}#{row.attempt} has two rows")
        seen.add((row.request_id, row.attempt))
        if row.is_open:
            wrong.append(f"{row.request_id}#{row.attempt} is still {row.state}")
    served = served_calls(report)
    rows: dict[tuple[str, int], list[LedgerRow]] = defaultdict(list)
    for row in report.rows:
        rows[row.provider, _client_of(row)].append(row)
    for (name, number), calls in served.items():
        billed = [call for call in calls if call.bill.billed]
        who = f"client {number} at {name}"
        for call in _without_partner(billed, rows[name, number], lambda call, row: vouches(row, call)):
            wrong.append(f"{who}: no row of {_told(rows[name, number])} is of the call billed as {_billed(call)}")
    for (name, number), kept in rows.items():
        calls = [call for call in served.get((name, number), []) if call.bill.billed]
        settled = [row for row in kept if row.state == "settled"]
        for row in _without_partner(settled, calls, vouches):
            said = ", ".join(map(_billed, calls)) or "nothing"
            wrong.append(f"client {number} at {name}: the row {_told([row])} is of no call that was billed: {said}")
    return wrong


def vouches(row: LedgerRow, call: Served) -> bool:
    """Whether `row` may be the row of a call that was billed so."""
    if row.model != call.bill.model:
        return False
    match row.state:
        case "settled" if row.usage.source == "reported":
            return _is_reported(row.usage, call)
        case "settled" if row.usage.source == "estimated":
            return _is_estimated(row.usage, call)
        case "in_doubt":
            return (
                row.usage.source == "bound"
                and row.usage.input_total >= call.bill.input_tokens
                and row.usage.output >= call.bill.output_tokens
                and (row.cost_nano_usd or 0) >= cost_of_bill(call.bill)
            )
        case _:
            return False


def _is_reported(usage: Usage, call: Served) -> bool:
    bill, wire = call.bill, call.wire
    if (usage.input_total, usage.output) != (bill.input_tokens, bill.output_tokens):
        return False
    if wire != "ollama" and usage.cache_read != bill.cached_tokens:
        return False
    written = usage.cache_write_short + usage.cache_write_long
    return wire not in TELLS_CACHE_WRITES or written == bill.cache_write_tokens


def _is_estimated(usage: Usage, call: Served) -> bool:
    bill, script = call.bill, call.visit.script
    if call.wire == "anthropic" and bill.stream and not isinstance(script.fault, NoUsage):
        if usage.input_total != bill.input_tokens:  # it says so before it says anything else
            return False
    elif abs(usage.input_total - bill.input_tokens) > max(INPUT_SLACK_TOKENS, bill.input_tokens):
        return False
    hidden = count_tokens(script.reasoning) if call.wire in HIDDEN_THOUGHTS else 0
    under_way = max((script.chunk_tokens, *(_call_tokens(one.name, one.arguments) for one in script.tool_calls)))
    pictures = any(character > "\uffff" for character in script.text or "")
    tokenwise = (
        call.wire in TOKEN_BY_TOKEN
        and bill.stream
        and script.chunk_tokens == 1
        and bill.output_tokens > FEW_TOKENS
        and not pictures
    )
    least = bill.output_tokens - hidden - under_way
    if tokenwise:
        return least <= usage.output <= bill.output_tokens + under_way
    return Fraction(least, script.chunk_tokens) <= usage.output <= 2 * bill.output_tokens + BATCH_SLACK_TOKENS


def _call_tokens(name: str, arguments: str) -> int:
    return count_tokens(name) + count_tokens(arguments)


def right_prices(report: Report) -> list[str]:
    """P7, in money: every settled row costs what its tokens cost, rounded once."""
    return [
        f"{row.request_id}#{row.attempt} costs {row.cost_nano_usd}, its tokens cost {cost_of(row.usage)}"
        for row in report.rows
        if row.state == "settled" and row.cost_nano_usd != cost_of(row.usage)
    ]


def cost_of(usage: Usage) -> int:
    """Price usage by hand: the rates of this world, and one rounding."""
    assert PRICE.input is not None
    assert PRICE.output is not None
    rates = (
        (usage.input_uncached, PRICE.input),
        (usage.cache_read, PRICE.cache_read),
        (usage.cache_write_short, PRICE.cache_write_short),
        (usage.output, PRICE.output),
    )
    return round(Fraction(sum(tokens * (rate or 0) for tokens, rate in rates), 1_000_000))


def cost_of_bill(bill: BillRow) -> int:
    """Price a call as its provider billed it."""
    plain = bill.input_tokens - bill.cached_tokens - bill.cache_write_tokens
    return cost_of(
        Usage(
            input_uncached=plain,
            cache_read=bill.cached_tokens,
            cache_write_short=bill.cache_write_tokens,
            output=bill.output_tokens,
        )
    )


def sums_add_up(report: Report) -> list[str]:
    """P7, in sums: what the books say in all is what their rows come to, by whatever it is split."""
    wrong = [] if len(report.sums) <= 1 else [f"{len(report.sums)} rows of sums, split by nothing"]
    by_hand = _summed(report.rows)
    told = _plain(report.sums[0]) if report.sums else _summed([])
    if told != by_hand:
        wrong.append(f"the books say {told} in all, their rows come to {by_hand}")
    for sums in report.sums_by:
        rows = [row for row in report.rows if (row.provider, row.model) == (sums.provider, sums.model)]
        if _plain(sums) != _summed(rows):
            wrong.append(f"the books say {_plain(sums)} of {sums.provider}, its rows come to {_summed(rows)}")
    split = sum(sums.requests for sums in report.sums_by)
    if split != len(report.rows):
        wrong.append(f"the books have {split} attempts by provider and model, there are {len(report.rows)} rows")
    return wrong


def told_as_booked(report: Report) -> list[str]:
    """P7, to the caller: an outcome tells of each attempt, and in all, what the books hold of it."""
    wrong: list[str] = []
    rows = {(row.request_id, row.attempt): row for row in report.rows}
    for seen in report.seen:
        outcome = seen.outcome
        if not isinstance(outcome, Finished | Unfinished):
            continue
        who = f"client {seen.client.number}"
        for attempt in outcome.route.attempts:
            row = rows.get((outcome.request_id, attempt.number))
            if row is None:
                if attempt.booking != "released":
                    wrong.append(f"{who} was told of attempt {attempt.number} as {attempt.booking}; it has no row")
                continue
            if (row.provider, row.model, row.deployment) != (attempt.provider, attempt.model, attempt.deployment):
                wrong.append(f"{who}: attempt {attempt.number} was told to be at {attempt.deployment}")
            if not outcome.durable or attempt.booking == "open":
                continue
            if attempt.booking != row.state:
                wrong.append(f"{who}: attempt {attempt.number} was told as {attempt.booking} and is {row.state}")
            elif row.state == "settled" and (attempt.usage, attempt.cost_nano_usd) != (row.usage, row.cost_nano_usd):
                wrong.append(
                    f"{who}: attempt {attempt.number} was told to use {attempt.usage}, the row says {row.usage}"
                )
        if outcome.durable:
            wrong += _told_in_all(who, outcome, [row for key, row in rows.items() if key[0] == outcome.request_id])
    return wrong


def drains_bring_the_count(report: Report) -> list[str]:
    """P7: a call that is read to its end without its caller is booked by the vendor's own count.

    Where actors are struck meanwhile, or answers come without their counts, it may be an estimate.
    """
    if report.plan.blows or any(
        met.bug for client in report.plan.clients for each in client.meets.values() for met in each
    ):
        return []
    served = served_calls(report)
    rows = {(str(row.request_id), row.attempt): row for row in report.rows}
    wrong: list[str] = []
    for seen in report.seen:
        if not isinstance(seen.outcome, Finished | Unfinished):
            continue
        for attempt in seen.outcome.route.attempts:
            calls = served.get((attempt.provider, seen.client.number), [])
            if attempt.booking != "open" or len(calls) != 1:
                continue
            row, call = rows.get((str(seen.outcome.request_id), attempt.number)), calls[0]
            whole = call.bill.state == "complete" and call.visit.script.fault is None
            if whole and (row is None or row.usage.source != "reported"):
                wrong.append(f"client {seen.client.number} left a call that ended whole, and its row is {row}")
    return wrong


def _told_in_all(who: str, outcome: Finished | Unfinished, rows: list[LedgerRow]) -> Iterator[str]:
    if any(attempt.booking == "open" for attempt in outcome.route.attempts):
        return  # what it was told in all holds an estimate of what is still being read
    told = {attempt.number for attempt in outcome.route.attempts if attempt.booking == "settled"}
    settled = [row for row in rows if row.state == "settled"]
    if len(told) > len(settled):
        yield f"{who} was told of {len(told)} settled attempts, the books have {len(settled)}"
    settled = [row for row in settled if row.attempt in told]
    cost: int | None = sum(row.cost_nano_usd or 0 for row in settled)
    if not settled and any(row.state == "in_doubt" for row in rows):
        cost = None  # of a bill that is only in doubt nothing is known
    if outcome.cost_nano_usd != cost:
        yield f"{who} was told {outcome.cost_nano_usd} nano-USD, the books say {cost}"
    tokens = (sum(row.usage.input_total for row in settled), sum(row.usage.output for row in settled))
    if (outcome.usage.input_total, outcome.usage.output) != tokens:
        yield f"{who} was told of {outcome.usage}, the books say {tokens} tokens in and out"


def served_calls(report: Report) -> dict[tuple[str, int], list[Served]]:
    """Give the calls that reached a provider, by provider and client, in order of arrival."""
    wires = {each.name: each.wire for each in report.plan.providers}
    visits: dict[tuple[str, int], list[Visit]] = defaultdict(list)
    for visit in report.visits:
        visits[visit.provider, visit.number].append(visit)
    bills: dict[tuple[str, int], list[BillRow]] = defaultdict(list)
    for name, rows in report.bills.items():
        for bill in rows:
            bills[name, number_in(bill.prompt)].append(bill)
    return {
        key: [
            Served(wire=wires[key[0]], bill=bill, visit=visit)
            for bill, visit in zip(each, visits[key], strict=True)
        ]
        for key, each in bills.items()
    }  # fmt: skip


One = TypeVar("One")
Other = TypeVar("Other")


def _without_partner(ones: list[One], others: list[Other], fit: Callable[[One, Other], bool]) -> list[One]:
    """Pair as many of `ones` as possible, each with one of `others` that fits; give those that are left over.

    Where all of some rows find partners among the calls, and all of some calls find partners among the rows, there is
    one pairing that does both (Mendelsohn and Dulmage), so the two questions may be asked apart.
    """
    taken_by: dict[int, int] = {}

    def find(at: int, tried: set[int]) -> bool:
        for place, other in enumerate(others):
            if place in tried or not fit(ones[at], other):
                continue
            tried.add(place)
            if place not in taken_by or find(taken_by[place], tried):
                taken_by[place] = at
                return True
        return False

    return [one for at, one in enumerate(ones) if not find(at, set())]


_Sums = tuple[int, ...]


def _summed(rows: list[LedgerRow]) -> _Sums:
    """Add rows up by hand: how many of each state, tokens in and out, costs, bounds in doubt."""
    settled = [row for row in rows if row.state == "settled"]
    doubted = [row for row in rows if row.state == "in_doubt"]
    return (
        len(rows),
        len(settled),
        sum(row.state == "released" for row in rows),
        len(doubted),
        sum(row.is_open for row in rows),
        sum(row.usage.source == "estimated" for row in settled),
        sum(row.usage.input_total for row in settled),
        sum(row.usage.output for row in settled),
        sum(row.cost_nano_usd or 0 for row in settled),
        sum(row.usage.input_total for row in doubted),
        sum(row.usage.output for row in doubted),
        sum(row.cost_nano_usd or 0 for row in doubted),
    )


def _plain(sums: UsageRow) -> _Sums:
    """Put what the books say into the same order."""
    return (
        sums.requests,
        sums.settled,
        sums.released,
        sums.in_doubt,
        sums.open,
        sums.estimated,
        sums.usage.input_total,
        sums.usage.output,
        sums.cost_nano_usd,
        sums.in_doubt_bound.input_total,
        sums.in_doubt_bound.output,
        sums.in_doubt_cost_nano_usd,
    )


def _client_of(row: LedgerRow) -> int:
    return int(row.request_id.removeprefix("client-"))


def _told(rows: list[LedgerRow]) -> str:
    return "; ".join(
        f"#{row.attempt} {row.state} {row.usage.source} {row.usage.input_total}+{row.usage.output} {row.model}"
        for row in rows
    )


def _billed(call: Served) -> str:
    bill = call.bill
    return f"{bill.input_tokens}+{bill.output_tokens} {bill.model} ({bill.state}, {bill.fault})"
