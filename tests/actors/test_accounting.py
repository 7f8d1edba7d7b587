"""The accounting actor answers every message, and what the store says about durability is what the asker hears."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import trio

from manus.actors.ledger.records import AttemptSettled
from manus.actors.ledger.store import no_faults
from manus.messages.accounting import (
    Booked,
    Denied,
    Granted,
    LedgerHealed,
    LedgerRecovered,
    LedgerTroubled,
    RequestStatus,
    RequestStatusAsked,
    StatsAsked,
    UsageStats,
)
from manus.messages.failures import Failed
from manus.messages.ids import RequestId, RequestKey
from manus.messages.limits import AdmissionPolicy
from manus.messages.usage import UNKNOWN_PRICE
from manus.supervisor.terminals import ActorFailed
from tests.actors.accounting_rig import POLICY, Rig, accounting, dispatch, doubt, release, settle
from tests.actors.books import BOUND, REPORTED, make_reserve


async def test_an_attempt_is_reserved_dispatched_and_settled(autojump_clock: trio.testing.MockClock) -> None:
    async with accounting() as rig:
        assert await rig.ask(make_reserve()) == Granted(request_id=RequestId("r1"), attempt=1)
        assert rig.states() == {"r1/1": "intent"}
        assert rig.ref.cast(dispatch())
        assert rig.states() == {"r1/1": "dispatched"}, "in the books before the caster goes on"
        assert await rig.ask(settle()) == Booked(state="settled", usage=REPORTED, cost_nano_usd=780_000, durable=True)
        assert rig.states() == {"r1/1": "settled"}
        assert rig.books.ledger.totals.conserved


async def test_a_turn_does_not_yield_to_other_tasks(autojump_clock: trio.testing.MockClock) -> None:
    async with accounting() as rig:
        with trio.testing.assert_no_checkpoints():
            await rig.ask(make_reserve())
            await rig.ask(settle())


@pytest.mark.parametrize(
    ("ending", "state", "cost"),
    [(settle(), "settled", 780_000), (release(), "released", 0), (doubt(), "in_doubt", 4_000_000)],
    ids=["settled", "released", "in doubt"],
)
async def test_asking_twice_books_once(
    autojump_clock: trio.testing.MockClock, ending: object, state: str, cost: int
) -> None:
    async with accounting() as rig:
        assert await rig.ask(make_reserve()) == await rig.ask(make_reserve())
        first = await rig.ask(ending)
        assert (first.state, first.cost_nano_usd) == (state, cost)
        for again in (ending, settle(), release(), doubt()):
            assert await rig.ask(again) == first
        assert rig.states() == {"r1/1": state}
        assert isinstance(await rig.ask(make_reserve()), Denied), "what has ended is not opened again"


async def test_an_ending_of_what_was_never_reserved_is_a_failure(autojump_clock: trio.testing.MockClock) -> None:
    async with accounting() as rig:
        for ending in (settle(), release(), doubt()):
            assert isinstance(await rig.ask(ending), Failed)
        rig.ref.cast(dispatch())
        assert rig.states() == {}


async def test_totals_and_status_are_read_from_the_books(autojump_clock: trio.testing.MockClock) -> None:
    key = RequestKey("k")
    async with accounting() as rig:
        await rig.ask(make_reserve("a", request_key=key))
        await rig.ask(doubt("a"))
        await rig.ask(make_reserve("a", attempt=2, request_key=key))
        await rig.ask(settle("a", attempt=2))
        await rig.ask(make_reserve("b", price=UNKNOWN_PRICE))
        await rig.ask(settle("b"))
        await trio.sleep(10)
        await rig.ask(make_reserve("c", model="large"))
        stats = await rig.ask(StatsAsked())
        assert isinstance(stats, UsageStats)
        large, small = stats.rows
        assert (large.model, large.requests, large.open) == ("large", 1, 1)
        assert (small.requests, small.settled, small.in_doubt, small.unpriced) == (3, 2, 1, 1)
        assert small.usage == REPORTED + REPORTED
        assert (small.cost_nano_usd, small.in_doubt_cost_nano_usd) == (780_000, 4_000_000)
        late = await rig.ask(StatsAsked(since_unix_s=1005.0))
        assert [row.model for row in late.rows] == ["large"]
        status = await rig.ask(RequestStatusAsked(request_key=key))
        assert status == RequestStatus(
            request_key=key,
            state="in_doubt",
            request_id=RequestId("a"),
            attempts=2,
            usage=BOUND + REPORTED,
            cost_nano_usd=4_780_000,
        )
        unknown = await rig.ask(RequestStatusAsked(request_key=RequestKey("never")))
        assert unknown.state == "unknown"


async def test_admission_refuses_before_anything_is_written(autojump_clock: trio.testing.MockClock) -> None:
    async with accounting(admission=AdmissionPolicy(usd_per_request=5_000_000)) as rig:
        large = make_reserve(bound=msgspec.structs.replace(BOUND, output=1_001))
        denied = await rig.ask(large)
        assert isinstance(denied, Denied)
        assert denied.failure.kind == "budget_exceeded"
        assert "max_tokens" in denied.failure.message
        assert rig.states() == {}
        assert isinstance(await rig.ask(make_reserve()), Granted)


@pytest.mark.parametrize("point", ["before", "after"])
async def test_an_intent_that_cannot_be_written_refuses_the_call(
    autojump_clock: trio.testing.MockClock, point: Any
) -> None:
    async with accounting() as rig:
        rig.faults.at[1] = (point, "refuse")
        denied = await rig.ask(make_reserve())
        assert isinstance(denied, Denied)
        assert denied.failure.kind == "ledger"
        assert denied.failure.safe_to_retry
        assert "refused" in denied.failure.message
        assert rig.books.ledger.totals.reserved == 0
        assert isinstance(await rig.ask(make_reserve()), Granted), "the next try may succeed"
        await rig.ask(settle())
        assert rig.states() == {"r1/1": "settled"}


@pytest.mark.parametrize("point", ["before", "after"])
async def test_a_settlement_that_cannot_be_written_is_kept_and_tried_again(
    autojump_clock: trio.testing.MockClock, point: Any
) -> None:
    async with accounting() as rig:
        await rig.ask(make_reserve())
        rig.faults.at[2] = (point, "refuse")
        booked = await rig.ask(settle())
        assert (booked.state, booked.durable) == ("settled", False)
        again = await rig.ask(settle())
        assert not again.durable, "asking again does not make it durable"
        await trio.sleep(POLICY.retry_s + 0.1)
        assert rig.states() == {"r1/1": "settled"}
        assert (await rig.ask(settle())).durable


async def test_a_disk_that_stays_full_loses_nothing_and_admits_nothing(
    autojump_clock: trio.testing.MockClock,
) -> None:
    names = [f"r{number}" for number in range(5)]
    async with accounting() as rig:
        for name in names:
            await rig.ask(make_reserve(name))
        rig.faults.always = "refuse"
        rig.store.trouble = "the disk is full"
        for name in names:
            rig.ref.cast(dispatch(name))
            assert not (await rig.ask(settle(name))).durable
        for _ in range(3):
            denied = await rig.ask(make_reserve("more"))
            assert isinstance(denied, Denied)
            await trio.sleep(10)
        assert set(rig.states().values()) == {"intent"}
        assert rig.of(LedgerTroubled) == [LedgerTroubled(reason="the disk is full")]
        assert len(rig.books.unwritten) == 2 * len(names)
        rig.faults.always = None
        rig.store.trouble = None
        await trio.sleep(POLICY.retry_s + 0.1)
        assert rig.states() == dict.fromkeys([f"{name}/1" for name in names], "settled")
        assert rig.of(LedgerHealed) == [LedgerHealed()]
        assert isinstance(await rig.ask(make_reserve("more")), Granted)
        await rig.ask(release("more"))
        assert rig.books.ledger.totals.conserved


async def test_nothing_new_is_admitted_while_the_store_owes_a_record(autojump_clock: trio.testing.MockClock) -> None:
    # Otherwise what is owed would grow with the traffic, for as long as the store takes intents but no endings.
    async with accounting() as rig:
        await rig.ask(make_reserve("a"))
        rig.store.faults = lambda point, record: "refuse" if isinstance(record, AttemptSettled) else None
        await rig.ask(settle("a"))
        assert isinstance(await rig.ask(make_reserve("b")), Denied)
        assert rig.states() == {"a/1": "intent"}
        rig.store.faults = no_faults
        assert isinstance(await rig.ask(make_reserve("b")), Granted)
        assert rig.states() == {"a/1": "settled", "b/1": "intent"}


async def test_a_call_waits_for_its_intent_to_be_confirmed(autojump_clock: trio.testing.MockClock) -> None:
    async with accounting() as rig, trio.open_nursery() as nursery:
        rig.faults.at[1] = ("after", "stall")
        answers: list[Any] = []

        async def reserve() -> None:
            answers.append(await rig.ask(make_reserve()))

        nursery.start_soon(reserve)
        await trio.sleep(1)
        assert answers == []
        assert isinstance(await rig.ask(make_reserve("other")), Granted), "others do not wait with it"
        rig.store.heal()
        await trio.sleep(0.1)
        assert answers == [Granted(request_id=RequestId("r1"), attempt=1)]
        await rig.ask(settle())
        await rig.ask(release("other"))


async def test_a_call_whose_intent_is_not_confirmed_in_time_is_refused(autojump_clock: trio.testing.MockClock) -> None:
    async with accounting() as rig:
        rig.faults.at[1] = ("after", "stall")
        began_at = trio.current_time()
        denied = await rig.ask(make_reserve())
        assert isinstance(denied, Denied)
        assert "ledger.confirm_s" in denied.failure.message
        assert trio.current_time() - began_at == pytest.approx(POLICY.confirm_s)
        assert rig.states() == {"r1/1": "released"}
        rig.store.heal()
        await trio.sleep(1)
        assert rig.books.ledger.totals.open == 0


async def test_an_answer_is_not_held_up_by_a_stalled_disk(autojump_clock: trio.testing.MockClock) -> None:
    async with accounting() as rig:
        await rig.ask(make_reserve())
        rig.faults.at[2] = ("after", "stall")
        began_at = trio.current_time()
        booked = await rig.ask(settle())
        assert (booked.state, booked.durable) == ("settled", False)
        assert trio.current_time() - began_at == pytest.approx(POLICY.confirm_s)
        rig.store.heal()
        assert (await rig.ask(settle())).durable


async def test_a_reservation_whose_asker_left_is_released(autojump_clock: trio.testing.MockClock) -> None:
    async with accounting() as rig:
        rig.faults.at[1] = ("after", "stall")
        with trio.move_on_after(1):
            await rig.ask(make_reserve())
        rig.store.heal()
        await trio.sleep(0.1)
        assert rig.states() == {"r1/1": "released"}
        assert rig.books.ledger.totals.open == 0


async def test_a_drain_waits_for_what_the_store_has_yet_to_say(autojump_clock: trio.testing.MockClock) -> None:
    async with trio.open_nursery() as nursery:
        answers: list[Any] = []

        async def book(rig: Rig) -> None:
            answers.append(await rig.ask(settle()))

        async with accounting() as rig:
            await rig.ask(make_reserve())
            rig.faults.at[2] = ("after", "stall")
            nursery.start_soon(book, rig)
            await trio.testing.wait_all_tasks_blocked()
        assert [(each.state, each.durable) for each in answers] == [("settled", False)]
        assert trio.current_time() >= POLICY.confirm_s


async def test_what_was_recovered_is_told_once(autojump_clock: trio.testing.MockClock) -> None:
    async with accounting() as rig:
        assert rig.of(LedgerRecovered) == []
        rig.store.recovered = msgspec.structs.replace(rig.store.recovered, runs=2, in_doubt=3)
        stats = await rig.ask(StatsAsked())
        assert stats.recovered_in_doubt == 3
        rig.tree.crash("accounting", KeyError("injected"))
        await trio.sleep(1)
        assert rig.of(LedgerRecovered) == [], "only the first incarnation tells"


async def test_a_message_that_is_none_of_its_own_is_a_bug_and_crashes_it(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with accounting() as rig:
        answer = await rig.ask("what is this")
        assert isinstance(answer, ActorFailed)
        assert isinstance(await rig.ask(make_reserve()), Granted)
        await rig.ask(release())


async def test_trouble_that_the_store_meets_after_the_last_call_is_told_and_so_is_its_end(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with accounting() as rig:
        await rig.ask(make_reserve())
        await rig.ask(settle())
        rig.store.trouble = "the disk is full"
        await trio.sleep(1.5)
        assert rig.of(LedgerTroubled) == [LedgerTroubled(reason="the disk is full")]
        await trio.sleep(20.0)
        rig.store.trouble = None
        await trio.sleep(1.5)
        assert len(rig.of(LedgerHealed)) == 1
