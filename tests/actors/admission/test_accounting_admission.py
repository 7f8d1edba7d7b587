"""Limits and budgets at the accounting actor: waiting, crashes, and what survives them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import trio
import trio.testing

from manus.actors.accounting import ACCOUNTING
from manus.messages.accounting import Booked, Denied, Granted, Release, Settle
from manus.messages.ids import RequestId
from manus.messages.limits import (
    AdmissionPolicy,
    Answered,
    BudgetRule,
    BudgetWarned,
    LimitRule,
    LimitsAsked,
    LimitsTold,
    Scope,
    UnpricedAdmitted,
)
from manus.messages.outcomes import RateLimitReading
from manus.messages.usage import UNKNOWN_PRICE
from manus.supervisor.terminals import ActorFailed, Expired
from tests.actors.accounting_rig import BACKOFF_S, accounting, dispatch, doubt, release, settle
from tests.actors.admission.callers import ONE_AT_ONCE, WORST, Callers, holds, is_conserved, patient
from tests.actors.books import PRICE, REPORTED, make_reserve

COST = PRICE.cost_nano_usd(REPORTED) or 0


async def test_who_waits_is_granted_when_a_call_ends_and_its_intent_is_written_then(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with accounting(admission=ONE_AT_ONCE) as rig, trio.open_nursery() as nursery:
        callers = Callers(rig, nursery)
        assert isinstance(await rig.ask(make_reserve("a")), Granted)
        await callers.ask(patient("b"))
        assert callers.waits("b")
        assert rig.states() == {"a/1": "intent"}
        assert isinstance(await rig.ask(settle("a")), Booked)
        await trio.testing.wait_all_tasks_blocked()
        assert isinstance(callers.told["b"], Granted)
        assert rig.states() == {"a/1": "settled", "b/1": "intent"}
        await rig.ask(settle("b"))
        is_conserved(rig)


async def test_who_does_not_wait_is_denied_at_once_and_nothing_is_written(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with accounting(admission=ONE_AT_ONCE) as rig:
        await rig.ask(make_reserve("a"))
        denied = await rig.ask(make_reserve("b"))
        assert isinstance(denied, Denied)
        assert denied.failure.kind == "admission"
        assert rig.states() == {"a/1": "intent"}
        is_conserved(rig)
        await rig.ask(settle("a"))


async def test_a_minute_passes_and_lets_on_exactly_who_fits(autojump_clock: trio.testing.MockClock) -> None:
    policy = AdmissionPolicy(limits=(LimitRule(requests_per_minute=2),))
    async with accounting(admission=policy) as rig, trio.open_nursery() as nursery:
        callers = Callers(rig, nursery)
        start = trio.current_time()
        for name in "abcde":
            await callers.ask(patient(name))
        for name in "ab":
            await rig.ask(settle(name))
        with trio.move_on_after(500.0):
            while callers.waits("e"):
                await trio.sleep(0.5)
                for name in "cde":
                    if isinstance(callers.told[name], Granted) and name in holds(rig):
                        await rig.ask(settle(name))
        assert [callers.at[name] - start for name in "cd"] == [pytest.approx(61.0, abs=1.0)] * 2
        assert callers.at["e"] - start == pytest.approx(122.0, abs=2.0)
        if "e" in holds(rig):
            await rig.ask(settle("e"))


async def test_a_watched_call_counts_from_its_answer(autojump_clock: trio.testing.MockClock) -> None:
    policy = AdmissionPolicy(limits=(LimitRule(requests_per_minute=1),))
    async with accounting(admission=policy) as rig:
        granted = await rig.ask(make_reserve("a"))
        assert granted == Granted(request_id=RequestId("a"), attempt=1, watched=True)
        rig.ref.cast(dispatch("a"))
        rig.ref.cast(Answered(request_id=RequestId("a"), attempt=1))
        await trio.sleep(61.5)
        assert isinstance(await rig.ask(make_reserve("b")), Granted), "`a` still streams"
        for name in "ab":
            await rig.ask(settle(name))


async def test_what_needs_no_watching_is_not_watched(autojump_clock: trio.testing.MockClock) -> None:
    async with accounting(admission=ONE_AT_ONCE) as rig:
        assert await rig.ask(make_reserve("a")) == Granted(request_id=RequestId("a"), attempt=1)
        await rig.ask(settle("a"))


async def test_an_asker_that_leaves_leaves_the_line_and_takes_nothing(autojump_clock: trio.testing.MockClock) -> None:
    async with accounting(admission=ONE_AT_ONCE) as rig, trio.open_nursery() as nursery:
        callers = Callers(rig, nursery)
        await rig.ask(make_reserve("a"))
        await callers.ask(patient("b"))
        await callers.ask(patient("c"))
        callers.scopes["b"].cancel()
        await trio.testing.wait_all_tasks_blocked()
        await rig.ask(Release(request_id=RequestId("b"), attempt=1, reason="not granted in time"))
        assert holds(rig) == {"a"}
        await rig.ask(settle("a"))
        await trio.testing.wait_all_tasks_blocked()
        assert holds(rig) == {"c"}
        await rig.ask(settle("c"))
        is_conserved(rig)
        assert not rig.tree._ground.slots[ACCOUNTING].in_hand, "nothing stays in hand of those who left"
    assert rig.states() == {"a/1": "settled", "c/1": "settled"}


async def test_a_deadline_passes_in_line(autojump_clock: trio.testing.MockClock) -> None:
    async with accounting(admission=ONE_AT_ONCE) as rig, trio.open_nursery() as nursery:
        callers = Callers(rig, nursery)
        await rig.ask(make_reserve("a"))
        await callers.ask(patient("b"), within_s=5.0)
        await callers.ask(patient("c"))
        await trio.sleep(6.0)
        assert isinstance(callers.told["b"], Expired)
        await rig.ask(settle("a"))
        await trio.testing.wait_all_tasks_blocked()
        assert holds(rig) == {"c"}
        await rig.ask(settle("c"))


async def test_waiters_are_answered_when_accounting_crashes_and_holds_are_what_is_open(
    autojump_clock: trio.testing.MockClock,
) -> None:
    policy = AdmissionPolicy(limits=(LimitRule(concurrency=2, requests_per_minute=50),))
    async with accounting(admission=policy) as rig, trio.open_nursery() as nursery:
        callers = Callers(rig, nursery)
        for name in "ab":
            await rig.ask(make_reserve(name))
        for name in "cd":
            await callers.ask(patient(name))
        rig.faults.at[3] = ("after", "raise")  # the settlement is kept, and its writer crashes
        assert isinstance(await rig.ask(settle("a")), ActorFailed)
        await trio.sleep(BACKOFF_S * 2)
        assert isinstance(callers.told["c"], ActorFailed)
        assert isinstance(callers.told["d"], ActorFailed)
        assert rig.states() == {"a/1": "settled", "b/1": "dispatched"}
        is_conserved(rig)
        assert holds(rig) == {"b"}
        await callers.ask(patient("e"))
        await callers.ask(patient("f"))
        assert isinstance(callers.told["e"], Granted)
        assert callers.waits("f"), "`b` is held through the crash"
        await rig.ask(settle("b"))
        await trio.testing.wait_all_tasks_blocked()
        assert isinstance(callers.told["f"], Granted)
        for name in "ef":
            await rig.ask(settle(name))
        is_conserved(rig)


@pytest.mark.parametrize("point", ["before", "after"])
@pytest.mark.parametrize("step", range(1, 9))
async def test_a_crash_at_any_record_leaves_holds_equal_to_what_is_open(
    autojump_clock: trio.testing.MockClock, step: int, point: Any
) -> None:
    policy = AdmissionPolicy(
        limits=(LimitRule(concurrency=2, tokens_per_minute=100_000),), budgets=(BudgetRule(amount=1_000_000_000),)
    )
    async with accounting(admission=policy) as rig, trio.open_nursery() as nursery:
        callers = Callers(rig, nursery)
        rig.faults.at[step] = (point, "raise")
        for name in "abcd":
            await callers.ask(patient(name))
        await trio.sleep(BACKOFF_S * 2)
        is_conserved(rig)
        for ending in (settle("a"), doubt("b"), release("c"), settle("d")):
            rig.ref.cast(dispatch(ending.request_id))
            await rig.ask(ending)
            await trio.sleep(BACKOFF_S * 2)
            is_conserved(rig)
        for name in list(holds(rig)):
            await rig.ask(settle(name))
        is_conserved(rig)
        told = await rig.ask(LimitsAsked())
        rows = rig.store.rows.values()
        assert holds(rig) == set()
        assert told.budgets[0].spent == sum(row.cost_nano_usd or 0 for row in rows if row.state == "settled")
        assert told.budgets[0].in_doubt == sum(row.cost_nano_usd or 0 for row in rows if row.state == "in_doubt")
        assert told.budgets[0].reserved == 0


async def test_an_intent_that_cannot_be_written_gives_everything_back(autojump_clock: trio.testing.MockClock) -> None:
    async with accounting(admission=ONE_AT_ONCE) as rig, trio.open_nursery() as nursery:
        callers = Callers(rig, nursery)
        await rig.ask(make_reserve("a"))
        await callers.ask(patient("b"))
        await callers.ask(patient("c"))
        rig.faults.at[3] = ("before", "refuse")  # the intent of `b`, once `a` has settled
        await rig.ask(settle("a"))
        await trio.testing.wait_all_tasks_blocked()
        assert isinstance(callers.told["b"], Denied)
        assert callers.told["b"].failure.kind == "ledger"
        assert isinstance(callers.told["c"], Granted)
        await rig.ask(settle("c"))
        is_conserved(rig)


async def test_an_intent_that_is_never_confirmed_lets_the_next_one_on(autojump_clock: trio.testing.MockClock) -> None:
    async with accounting(admission=ONE_AT_ONCE) as rig, trio.open_nursery() as nursery:
        callers = Callers(rig, nursery)
        rig.faults.at[1] = ("after", "stall")
        await callers.ask(patient("a"))
        await callers.ask(patient("b"))
        assert holds(rig) == {"a"}
        await trio.sleep(6.0)
        assert isinstance(callers.told["a"], Denied)
        assert isinstance(callers.told["b"], Granted)
        await rig.ask(settle("b"))
        is_conserved(rig)
        rig.store.heal()


async def test_the_same_attempt_asked_for_twice_is_taken_once(autojump_clock: trio.testing.MockClock) -> None:
    async with accounting(admission=ONE_AT_ONCE) as rig:
        await rig.ask(make_reserve("a"))
        assert isinstance(await rig.ask(make_reserve("a")), Granted)
        await rig.ask(settle("a"))
        assert isinstance(await rig.ask(make_reserve("b")), Granted)
        await rig.ask(settle("b"))


async def test_a_budget_is_warned_of_in_events(autojump_clock: trio.testing.MockClock) -> None:
    rule = BudgetRule(amount=10 * WORST, source="budgets.usd_per_day")
    policy = AdmissionPolicy(budgets=(rule,), warn_at=(COST / (5 * WORST),))
    async with accounting(admission=policy) as rig:
        for name in "abc":
            await rig.ask(make_reserve(name))
            await rig.ask(settle(name))
        [warned] = rig.of(BudgetWarned)
        assert (warned.source, warned.used, warned.amount) == ("budgets.usd_per_day", 2 * COST, 10 * WORST)


async def test_a_call_without_a_price_under_a_budget_is_told_once(autojump_clock: trio.testing.MockClock) -> None:
    async with accounting(admission=AdmissionPolicy(budgets=(BudgetRule(amount=WORST),))) as rig:
        for name in "ab":
            await rig.ask(make_reserve(name, price=UNKNOWN_PRICE))
            await rig.ask(settle(name))
        assert len(rig.of(UnpricedAdmitted)) == 1


async def test_headers_of_an_ending_hold_back_what_would_be_refused(autojump_clock: trio.testing.MockClock) -> None:
    reading = RateLimitReading(dimension="requests", limit=10, remaining=0, reset_s=20.0)
    async with accounting() as rig, trio.open_nursery() as nursery:
        callers = Callers(rig, nursery)
        await rig.ask(make_reserve("a"))
        start = trio.current_time()
        ending = settle("a")
        assert isinstance(ending, Settle)
        await rig.ask(msgspec.structs.replace(ending, rate_limits=(reading,)))
        assert isinstance(await rig.ask(make_reserve("b")), Denied)
        assert isinstance(await rig.ask(make_reserve("x", deployment="alpha/large")), Granted)
        await callers.ask(patient("c"))
        await trio.sleep(21.0)
        assert callers.at["c"] - start == pytest.approx(20.0)
        for name in "cx":
            await rig.ask(settle(name))


async def test_limits_are_told(autojump_clock: trio.testing.MockClock) -> None:
    rule = LimitRule(
        concurrency=1, requests_per_minute=9, source="providers.alpha.limits", scope=Scope("provider", "alpha")
    )
    policy = AdmissionPolicy(limits=(rule,), budgets=(BudgetRule(amount=WORST * 9, source="budgets.usd_per_day"),))
    async with accounting(admission=policy) as rig, trio.open_nursery() as nursery:
        callers = Callers(rig, nursery)
        await rig.ask(make_reserve("a"))
        await callers.ask(patient("b"))
        told = await rig.ask(LimitsAsked())
        assert isinstance(told, LimitsTold)
        at_once, requests = told.limits
        assert (at_once.dimension, at_once.used, at_once.limit, at_once.waiting) == ("concurrency", 1, 1, 1)
        assert (requests.dimension, requests.used, requests.limit) == ("requests", 1, 9)
        [budget] = told.budgets
        assert (budget.reserved, budget.spent, budget.amount) == (WORST, 0, WORST * 9)
        await rig.ask(settle("a"))
        await trio.testing.wait_all_tasks_blocked()
        await rig.ask(settle("b"))


async def test_five_hundred_callers_use_up_a_dollar_before_any_is_refused_and_never_more(
    autojump_clock: trio.testing.MockClock,
) -> None:
    amount = 40 * WORST
    policy = AdmissionPolicy(budgets=(BudgetRule(amount=amount),))
    async with accounting(admission=policy) as rig:
        used_at_first_refusal: list[int] = []

        async def call(number: int) -> None:
            name = f"r{number}"
            told = await rig.ref.ask(patient(name), deadline=trio.current_time() + 10_000.0)
            if isinstance(told, Denied):
                state = (await rig.ask(LimitsAsked())).budgets[0]
                used_at_first_refusal.append(state.spent + state.in_doubt)
                return
            await trio.sleep(1.0 + number % 7)
            await rig.ask(settle(name))

        async with trio.open_nursery() as all_of_them:
            for number in range(500):
                all_of_them.start_soon(call, number)
        state = (await rig.ask(LimitsAsked())).budgets[0]
        assert state.spent <= amount
        assert used_at_first_refusal[0] >= amount - WORST
        is_conserved(rig)
