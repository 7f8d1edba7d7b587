"""Limits and budgets change while calls run: what is used stays used, what is held stays held, who waits asks again."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
import trio.testing

import manus
from manus.sim.behaviour import Behaviour, Script
from tests.reload.rig import Servers, config, entry, opened
from tests.reload.test_in_flight import told

SLOW = Script(text="A.", latency_s=10)


def limited(**tables: object) -> dict[str, Any]:
    """Give a configuration of one entry and these tables."""
    return config({"first": entry("a")}, **tables)


async def test_who_waits_for_a_place_goes_on_when_there_are_more(autojump_clock: trio.testing.MockClock) -> None:
    found: list[Any] = []
    async with opened(Servers(a=SLOW), limited(limits={"concurrency": 1})) as agent:
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(told, agent, found)
            await trio.sleep(1)
            await agent.reload(limited(limits={"concurrency": 3}))
            (limit,) = (await agent.get_limits()).limits
            assert (limit.limit, limit.used, limit.waiting) == (3, 3, 0)

        assert [each.content for each in found] == ["A."] * 3
        assert trio.current_time() < 12


async def test_who_waits_for_a_place_waits_on_when_there_are_fewer(autojump_clock: trio.testing.MockClock) -> None:
    found: list[Any] = []
    async with opened(Servers(a=SLOW), limited(limits={"concurrency": 2})) as agent:
        async with trio.open_nursery() as nursery:
            for _ in range(4):
                nursery.start_soon(told, agent, found)
            await trio.sleep(1)
            await agent.reload(limited(limits={"concurrency": 1}))
            (limit,) = (await agent.get_limits()).limits
            assert (limit.limit, limit.used, limit.waiting) == (1, 2, 2)

        assert [each.content for each in found] == ["A."] * 4
        assert 29 < trio.current_time() < 32, "two at once, then one after the other"


async def test_who_waits_goes_on_where_the_limit_is_taken_away(autojump_clock: trio.testing.MockClock) -> None:
    found: list[Any] = []
    async with opened(Servers(a=SLOW), limited(limits={"concurrency": 1})) as agent:
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(told, agent, found)
            await trio.sleep(1)
            await agent.reload(limited())

        assert [each.content for each in found] == ["A."] * 3
        assert trio.current_time() < 12
        assert (await agent.get_limits()).limits == ()


async def test_a_new_limit_counts_the_calls_that_are_open(autojump_clock: trio.testing.MockClock) -> None:
    found: list[Any] = []
    async with opened(Servers(a=SLOW), limited()) as agent:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(told, agent, found)
            await trio.sleep(1)
            await agent.reload(limited(limits={"concurrency": 1, "requests_per_minute": 100}))
            used = {limit.dimension: limit.used for limit in (await agent.get_limits()).limits}
            assert used == {"concurrency": 1, "requests": 1}
            nursery.start_soon(told, agent, found)

        assert trio.current_time() > 19, "the second had to wait for the first"
        used = {limit.dimension: limit.used for limit in (await agent.get_limits()).limits}
        assert used == {"concurrency": 0, "requests": 2}


async def test_what_was_used_of_a_minute_stays_used_when_the_limit_changes(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with opened(Servers(), limited(limits={"requests_per_minute": 2})) as agent:
        for _ in range(2):
            await agent.generate("Who?")
        await agent.reload(limited(limits={"requests_per_minute": 3}))

        (limit,) = (await agent.get_limits()).limits
        assert (limit.limit, limit.used) == (3, 2)
        await agent.generate("Who?")
        with pytest.raises(manus.RateLimitError):
            await agent.generate("Who?", timeout_s=1)


async def test_what_was_spent_of_a_budget_stays_spent_when_it_grows_and_when_it_shrinks(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with opened(Servers(), limited(budgets={"usd_per_day": 0.01, "tokens_per_day": 10_000})) as agent:
        await agent.generate("Who?", max_tokens=10)
        before = {budget.unit: budget.spent for budget in (await agent.get_limits()).budgets}
        assert all(before.values())

        await agent.reload(limited(budgets={"usd_per_day": 5, "tokens_per_day": 20_000}))
        assert {budget.unit: budget.spent for budget in (await agent.get_limits()).budgets} == before
        await agent.generate("Who?", max_tokens=10)

        await agent.reload(limited(budgets={"usd_per_day": 5, "tokens_per_day": before["tokens"]}))
        with pytest.raises(manus.BudgetExceededError):
            await agent.generate("Who?", max_tokens=10)


@pytest.mark.parametrize("on_disk", [False, True], ids=["in memory", "on disk"])
@pytest.mark.parametrize("rolling", [False, True], ids=["a day", "rolling"])
async def test_a_new_budget_knows_what_was_spent_before_it_and_what_is_held(
    tmp_path: Path, on_disk: bool, rolling: bool
) -> None:
    ledger = {"path": str(tmp_path / "ledger.sqlite") if on_disk else ":memory:"}
    budgets = {"rolling": [{"hours": 2, "tokens": 100_000}]} if rolling else {"tokens_per_day": 100_000}
    servers = Servers(a=Script(text="One two three."), b=Script(text="Slow.", latency_s=600))
    found: list[Any] = []
    two = {"first": entry("a"), "second": entry("b", priority=200)}
    async with opened(servers, config(two) | {"ledger": ledger}) as agent:
        for _ in range(3):
            await agent.generate("Who?", max_tokens=10)
        spent = (await agent.get_usage_stats()).total
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(told, agent, found, provider="second", max_tokens=10))
            await trio.testing.wait_all_tasks_blocked()
            await agent.reload(config(two, budgets=budgets) | {"ledger": ledger})
            await agent.generate("Who?", max_tokens=10)
            (budget,) = (await agent.get_limits()).budgets
            assert budget.spent == spent.total_tokens + spent.total_tokens // 3
            assert budget.reserved > 0
            nursery.cancel_scope.cancel()

        with trio.fail_after(30):
            while (total := (await agent.get_usage_stats()).total).open:  # noqa: ASYNC110  # its ending is on its way
                await trio.sleep(0.01)
        (budget,) = (await agent.get_limits()).budgets
        assert budget.spent == total.total_tokens
        assert budget.in_doubt == total.in_doubt_input_tokens + total.in_doubt_output_tokens
        assert (budget.reserved, budget.others) == (0, 0)


async def test_a_new_budget_that_is_used_up_already_refuses_the_next_call(autojump_clock: object) -> None:
    async with opened(Servers(), limited()) as agent:
        answer = await agent.generate("Who?", max_tokens=10)
        reservation = answer.route.attempts[0].reservation
        assert reservation is not None
        used = (await agent.get_usage_stats()).total.total_tokens
        await agent.reload(limited(budgets={"tokens_per_day": used + reservation.bound.total - 1}))

        with pytest.raises(manus.BudgetExceededError):
            await agent.generate("Who?", max_tokens=10)


async def test_limits_of_a_crashed_and_restarted_accounting_are_the_latest(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with opened(Servers(), limited(limits={"requests_per_minute": 9})) as agent:
        await agent.generate("Who?")
        await agent.reload(limited(limits={"requests_per_minute": 2}))
        agent._tree.crash("accounting", RuntimeError("on purpose"))
        await trio.sleep(5)

        (limit,) = (await agent.get_limits()).limits
        assert (limit.limit, limit.used) == (2, 1)


async def test_a_limit_that_is_taken_away_lets_nobody_on_when_calls_end_that_it_still_counts(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Seed 364 of the chaos: what waited there waits elsewhere now, and must not be looked for where it was."""
    found: list[Any] = []
    models = [{"name": "big"}, {"name": "small", "limits": {"concurrency": 1}}]
    servers = Servers(a=Behaviour(first=(SLOW,), script=msgspec.structs.replace(SLOW, latency_s=30)))
    async with opened(servers, config({"first": entry("a", models=models)}, limits={"concurrency": 1})) as agent:
        async with trio.open_nursery() as nursery:
            for model in ("big", "big", "small", "small"):
                nursery.start_soon(partial(told, agent, found, model=model))
                await trio.sleep(0.1)
            await agent.reload(config({"first": entry("a", models=models)}))

        assert [each.content for each in found] == ["A."] * 4
        assert [actor.restarts for actor in agent._tree.status() if actor.id == "accounting"] == [0]
