"""The books of one run: every attempt stands somewhere, once, whatever is asked of them and how often."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from manus.actors.ledger.ledger import Booking, Ledger
from manus.actors.ledger.records import AttemptDispatched, AttemptDoubted, AttemptReserved, AttemptSettled
from manus.messages.accounting import Doubt, Granted, Release, Reserve, Settle
from manus.messages.failures import Failed
from manus.messages.ids import RequestId
from manus.messages.usage import UNKNOWN_PRICE, Usage
from tests.actors.books import BOUND, PRICE, REPORTED, make_reserve

OPEN_MAX = 6
RECENT_MAX = 4

names = st.sampled_from([f"r{number}" for number in range(5)])
attempts = st.integers(1, 2)
endings = st.sampled_from(["settled", "released", "in_doubt"])
usages = st.builds(
    Usage,
    input_uncached=st.integers(0, 2000),
    output=st.integers(0, 2000),
    source=st.sampled_from(["reported", "estimated"]),
)


class LedgerAgainstOracle(RuleBasedStateMachine):
    """The ledger beside a list of everything that ever happened, searched from its start each time."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger(open_max=OPEN_MAX, recent_max=RECENT_MAX)
        # One entry per opening: [key, reserve, how it stands, granted, dispatched, when it ended]
        self.story: list[dict[str, object]] = []
        self.endings = 0
        self.now = 0.0

    def find(self, name: str, attempt: int) -> dict[str, object] | None:
        """The latest opening of this attempt, as far as the ledger may remember it."""
        for entry in reversed(self.story):
            if entry["key"] == (name, attempt):
                ended_as = entry["ended_as"]
                if ended_as is not None and isinstance(ended_as, int) and self.endings - ended_as > RECENT_MAX:
                    return None
                return entry
        return None

    def opened(self) -> list[dict[str, object]]:
        return [entry for entry in self.story if entry["state"] == "open"]

    @rule(name=names, attempt=attempts, bound=usages)
    def reserve(self, name: str, attempt: int, bound: Usage) -> None:
        self.now += 1.0
        known = self.find(name, attempt)
        reserve = make_reserve(name, attempt, bound=msgspec.structs.replace(bound, source="bound"), estimate=Usage())
        answer = self.ledger.reserve(reserve, self.now)
        if known is not None and known["state"] == "open":
            assert isinstance(answer, Granted if known["granted"] else AttemptReserved)
        elif known is not None:
            assert isinstance(answer, Failed)
            assert "booked already" in answer.message
        elif len(self.opened()) >= OPEN_MAX:
            assert isinstance(answer, Failed)
            assert answer.kind == "shed"
        else:
            assert isinstance(answer, AttemptReserved)
            assert answer.at_unix_s == self.now
            entry = {"key": (name, attempt), "reserve": reserve, "state": "open", "granted": False}
            self.story.append(entry | {"dispatched": False, "ended_as": None})

    @rule(name=names, attempt=attempts)
    def grant(self, name: str, attempt: int) -> None:
        entry = self.find(name, attempt)
        answer = self.ledger.grant((RequestId(name), attempt))
        if entry is not None and entry["state"] == "open":
            assert answer == Granted(request_id=RequestId(name), attempt=attempt)
            entry["granted"] = True
        else:
            assert isinstance(answer, Failed)

    @rule(name=names, attempt=attempts)
    def withdraw(self, name: str, attempt: int) -> None:
        entry = self.find(name, attempt)
        self.ledger.withdraw((RequestId(name), attempt))
        if entry is not None and entry["state"] == "open" and not entry["granted"]:
            self.story.remove(entry)

    @rule(name=names, attempt=attempts)
    def dispatch(self, name: str, attempt: int) -> None:
        entry = self.find(name, attempt)
        record = self.ledger.dispatch((RequestId(name), attempt), self.now)
        if entry is not None and entry["state"] == "open" and not entry["dispatched"]:
            assert isinstance(record, AttemptDispatched)
            entry["dispatched"] = True
        else:
            assert record is None

    @rule()
    def presume_dispatched(self) -> None:
        records = self.ledger.presume_dispatched(self.now)
        expected = [entry for entry in self.opened() if entry["granted"] and not entry["dispatched"]]
        assert [record.key for record in records] == [entry["key"] for entry in expected]
        for entry in expected:
            entry["dispatched"] = True

    @rule(name=names, attempt=attempts, end=endings, usage=usages)
    def end(self, name: str, attempt: int, end: Literal["settled", "released", "in_doubt"], usage: Usage) -> None:
        entry = self.find(name, attempt)
        request_id = RequestId(name)
        match end:
            case "settled":
                answer = self.ledger.settle(Settle(request_id=request_id, attempt=attempt, usage=usage), self.now)
            case "released":
                answer = self.ledger.release(Release(request_id=request_id, attempt=attempt), self.now)
            case "in_doubt":
                answer = self.ledger.doubt(Doubt(request_id=request_id, attempt=attempt), self.now)
        if entry is None:
            assert isinstance(answer, Failed)
            return
        assert isinstance(answer, Booking)
        if entry["state"] != "open":
            assert answer.record is None
            assert answer.booked.state == entry["state"], "the first ending holds"
            return
        assert answer.record is not None
        assert answer.booked.state == end
        entry["state"] = end
        entry["ended_as"] = self.endings
        self.endings += 1
        reserve = entry["reserve"]
        assert isinstance(reserve, Reserve)
        if end == "settled":
            assert answer.booked.usage == usage
            assert answer.booked.cost_nano_usd == PRICE.cost_nano_usd(usage)
        if end == "in_doubt":
            assert answer.booked.usage == reserve.bound

    @invariant()
    def nothing_is_lost(self) -> None:
        totals = self.ledger.totals
        assert totals.conserved
        states = [entry["state"] for entry in self.story]
        assert totals.reserved == len(states)
        assert (totals.open, totals.settled, totals.released, totals.in_doubt) == tuple(
            states.count(state) for state in ("open", "settled", "released", "in_doubt")
        )
        for state, tokens in (("open", totals.open_tokens), ("in_doubt", totals.in_doubt_tokens)):
            bounds = [entry["reserve"] for entry in self.story if entry["state"] == state]
            assert tokens == sum(reserve.bound.total for reserve in bounds if isinstance(reserve, Reserve))
        ungranted = [entry["key"] for entry in self.opened() if not entry["granted"]]
        assert self.ledger.ungranted() == ungranted


LedgerAgainstOracle.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestLedgerAgainstOracle = LedgerAgainstOracle.TestCase


def make_ledger() -> Ledger:
    ledger = Ledger(open_max=OPEN_MAX, recent_max=RECENT_MAX)
    ledger.reserve(make_reserve(), 1.0)
    ledger.grant((RequestId("r1"), 1))
    return ledger


def settle(usage: Usage) -> Settle:
    return Settle(request_id=RequestId("r1"), attempt=1, usage=usage, finish="stop")


def test_settling_charges_the_price_that_was_reserved_with() -> None:
    booking = make_ledger().settle(settle(REPORTED), 2.0)
    assert isinstance(booking, Booking)
    # 250 + 50 tokens at $1 per million, the cached ones having no rate of their own, and 120 at $4.
    assert booking.booked.cost_nano_usd == 300_000 + 480_000
    assert isinstance(booking.record, AttemptSettled)
    assert booking.record.finish == "stop"


def test_an_unknown_price_costs_nobody_knows_what() -> None:
    ledger = Ledger(open_max=1, recent_max=1)
    intent = ledger.reserve(make_reserve(price=UNKNOWN_PRICE), 1.0)
    assert isinstance(intent, AttemptReserved)
    assert intent.bound_cost_nano_usd is None
    booking = ledger.settle(settle(REPORTED), 2.0)
    assert isinstance(booking, Booking)
    assert booking.booked.cost_nano_usd is None


def test_a_doubt_costs_the_dearest_that_the_bound_can_meet() -> None:
    booking = make_ledger().doubt(Doubt(request_id=RequestId("r1"), attempt=1, reason="cut"), 2.0)
    assert isinstance(booking, Booking)
    assert booking.booked.usage == BOUND
    # Every token of input may have been written into the long cache, at $2 per million.
    assert booking.booked.cost_nano_usd == 1000 * 2_000 + 500 * 4_000


@pytest.mark.parametrize(
    "usage",
    [
        Usage(input_uncached=5, source="missing"),
        Usage(input_uncached=5, source="bound"),
        Usage(input_uncached=-1, output=5, source="reported"),
        Usage(output=10**30, source="reported"),
    ],
)
def test_counts_that_nobody_stands_for_leave_an_attempt_in_doubt(usage: Usage) -> None:
    booking = make_ledger().settle(settle(usage), 2.0)
    assert isinstance(booking, Booking)
    assert booking.booked.state == "in_doubt"
    assert booking.booked.usage == BOUND
    assert isinstance(booking.record, AttemptDoubted)
    assert "usage" in booking.record.reason


def test_an_ending_that_contradicts_the_first_is_counted() -> None:
    ledger = make_ledger()
    ledger.settle(settle(REPORTED), 2.0)
    again = ledger.settle(settle(REPORTED), 3.0)
    assert isinstance(again, Booking)
    assert ledger.contradictions == 0
    ledger.release(Release(request_id=RequestId("r1"), attempt=1), 3.0)
    assert ledger.contradictions == 1


def test_usage_above_its_bound_is_booked_as_it_is_and_counted() -> None:
    ledger = make_ledger()
    booking = ledger.settle(settle(Usage(input_uncached=1001, output=500, source="reported")), 2.0)
    assert isinstance(booking, Booking)
    assert booking.booked.usage.total == 1501
    assert ledger.over_bound == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"bound": Usage(output=-1)},
        {"estimate": Usage(input_uncached=2 * 10**9)},
        {"request_id": RequestId("x" * 200)},
        {"request_id": RequestId("\udce4" * 200)},
    ],
)
def test_a_reservation_that_makes_no_sense_is_refused(changes: dict[str, Any]) -> None:
    ledger = Ledger(open_max=1, recent_max=1)
    refusal = ledger.reserve(make_reserve(**changes), 1.0)
    assert isinstance(refusal, Failed)
    assert refusal.safe_to_retry
    assert ledger.totals.reserved == 0


def test_an_ending_never_fails_for_what_its_text_holds() -> None:
    ledger = make_ledger()
    doubt = Doubt(request_id=RequestId("r1"), attempt=1, reason="\ud83d" + "é" * 1000)
    booking = ledger.doubt(doubt, 2.0)
    assert isinstance(booking, Booking)
    assert isinstance(booking.record, AttemptDoubted)
    assert len(booking.record.reason.encode()) <= 256


def test_a_call_is_charged_by_the_price_it_was_served_at() -> None:
    ledger = Ledger(open_max=OPEN_MAX, recent_max=RECENT_MAX)
    ledger.reserve(make_reserve(), 1.0)
    served = msgspec.structs.replace(PRICE, output=8_000_000_000, version="2026-11 priority")
    booking = ledger.settle(Settle(request_id=RequestId("r1"), attempt=1, usage=REPORTED, price=served), 2.0)
    assert isinstance(booking, Booking)
    assert booking.booked.cost_nano_usd == served.cost_nano_usd(REPORTED) != PRICE.cost_nano_usd(REPORTED)
    assert isinstance(booking.record, AttemptSettled)
    assert booking.record.cost_nano_usd == booking.booked.cost_nano_usd
    assert booking.record.price_version == "2026-11 priority"


def test_the_kinds_of_the_vendors_tools_are_charged_and_take_no_room_in_a_record() -> None:
    ledger = Ledger(open_max=OPEN_MAX, recent_max=RECENT_MAX)
    price = msgspec.structs.replace(PRICE, tool_calls={"web_search": 10_000_000})
    ledger.reserve(make_reserve(price=price), 1.0)
    used = msgspec.structs.replace(REPORTED, server_tool_calls=2, server_tools=(("web_search", 2),))
    booking = ledger.settle(Settle(request_id=RequestId("r1"), attempt=1, usage=used), 2.0)
    assert isinstance(booking, Booking)
    assert booking.booked.usage == used
    assert booking.booked.cost_nano_usd == 780_000 + 20_000_000
    assert isinstance(booking.record, AttemptSettled)
    assert booking.record.usage == msgspec.structs.replace(used, server_tools=())
