"""Limits and budgets from the configuration to the caller: what is refused, what waits, what is told and warned of."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import trio
import trio.testing

import manus
from manus.messages.limits import BudgetWarned, Scope
from manus.sim.behaviour import Script
from tests.face.rig import KEY, Rig, names_of, open_rig

DAY_S = 86_400.0


def first_only(**fields: object) -> dict[str, object]:
    """Give tables with the provider `first` alone, its entry extended by `fields`."""
    model = {"name": "big", "cost_per_input": 1, "cost_per_output": 2, "context_length": 10_000}
    entry = {"type": "openai", "api_key": KEY, "base_url": "http://first/v1", "models": [model], **fields}
    return {"providers": {"first": entry}}


async def refusal_of(agent: manus.LLMAgent, **options: Any) -> manus.LLMError:
    with pytest.raises(manus.LLMError) as caught:
        await agent.generate("Hello", **options)
    return caught.value


@pytest.mark.parametrize(
    "tables",
    [
        {"general": {"global_rate_limit_rpm": 2}},
        {"limits": {"requests_per_minute": 2}},
        {"limits": {"tags": {"team": {"requests_per_minute": 2}}}},
        first_only(limits={"requests_per_minute": 2}),
        first_only(models=[{"name": "big", "limits": {"requests_per_minute": 2}}]),
        first_only(api_key=None, api_keys=[{"key": KEY, "limits": {"requests_per_minute": 2}}]),
    ],
    ids=["the seed's key", "all", "tag", "provider", "model", "key"],
)
async def test_what_is_above_a_limit_is_refused_where_it_cannot_wait_and_costs_nothing(
    autojump_clock: trio.testing.MockClock, tables: dict[str, object]
) -> None:
    rig = Rig()
    async with open_rig(rig, first_only() | tables) as agent:
        for _ in range(2):
            await agent.generate("Hello", tags=["team"])
        error = await refusal_of(agent, tags=["team"], timeout_s=1)
        books = (await agent.get_usage_stats()).total
        assert type(error) is manus.RateLimitError
        assert error.kind == "admission"
        assert error.retry_after_s is not None
        assert 50 < error.retry_after_s <= 61
        assert "2" in str(error)
        assert (books.requests, books.settled) == (2, 2)
        assert rig.first.bill.totals().billed == 2


async def test_who_has_the_time_waits_for_room(autojump_clock: trio.testing.MockClock) -> None:
    async with open_rig(Rig(), first_only() | {"limits": {"requests_per_minute": 2}}) as agent:
        began = trio.current_time()
        for _ in range(3):
            await agent.generate("Hello", timeout_s=120)
        assert trio.current_time() - began >= 60


async def test_a_limit_of_one_provider_sends_the_request_to_the_next(autojump_clock: trio.testing.MockClock) -> None:
    tables = first_only(limits={"requests_per_minute": 1})
    providers: Any = tables["providers"]
    providers["second"] = {"type": "ollama", "priority": 200, "models": [{"name": "small"}]}
    async with open_rig(Rig(), tables) as agent:
        answered = [(await agent.generate("Hello")).provider for _ in range(3)]
    assert answered == ["first", "second", "second"]


@pytest.mark.parametrize(
    ("budgets", "name"),
    [
        ({"budgets": {"usd_per_day": 0.00005}}, "budgets.usd_per_day"),
        ({"budgets": {"tokens_per_month": 30}}, "budgets.tokens_per_month"),
        ({"general": {"global_token_limit_daily": 30}}, "general.global_token_limit_daily"),
        ({"limits": {"tokens_per_day": 30}}, "limits.tokens_per_day"),
        ({"budgets": {"rolling": [{"hours": 5, "usd": 0.00005}]}}, "budgets.rolling[0].usd"),
        ({"budgets": {"tags": {"team": {"usd_per_day": 0.00005}}}}, "budgets.tags.team.usd_per_day"),
        (first_only(budgets={"usd_per_day": 0.00005}), "providers.first.budgets.usd_per_day"),
    ],
)
async def test_a_budget_below_one_request_refuses_it_by_name_before_anything_is_sent(
    autojump_clock: trio.testing.MockClock, budgets: dict[str, object], name: str
) -> None:
    rig = Rig()
    async with open_rig(rig, first_only() | budgets) as agent:
        error = await refusal_of(agent, tags=["team"], max_tokens=50, timeout_s=5)
        assert isinstance(error, manus.BudgetExceededError)
        assert isinstance(error, manus.TokenLimitError)
        assert name in str(error)
        assert (await agent.get_usage_stats()).total.requests == 0
    assert rig.first.bill.totals().billed == 0


async def test_what_one_request_may_cost_is_bounded_and_prices_have_to_be_known(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_rig(Rig(), first_only() | {"budgets": {"usd_per_request": 0.001}}) as agent:
        assert "usd_per_request" in str(await refusal_of(agent, max_tokens=5_000))
        await agent.generate("Hello", max_tokens=10)
    unpriced = first_only(models=[{"name": "big"}]) | {"budgets": {"on_unknown_price": "refuse"}}
    async with open_rig(Rig(), unpriced) as agent:
        error = await refusal_of(agent)
        assert isinstance(error, manus.BudgetExceededError)
        assert "cost_per_input" in str(error)


async def test_how_far_limits_and_budgets_are_used_is_told(autojump_clock: trio.testing.MockClock) -> None:
    bounds = {
        "limits": {"requests_per_minute": 10, "concurrency": 4, "tags": {"team": {"requests_per_minute": 5}}},
        "budgets": {"usd_per_day": 1.0},
    }
    slow = Script(text="One two three four five six.", gap_s=1.0)
    async with open_rig(Rig(slow), first_only() | bounds) as agent:
        fresh = await agent.get_limits()
        assert isinstance(fresh, manus.RateLimiter)
        assert (fresh.remaining(), fresh.remaining(tags=["team"]), fresh.remaining("concurrency")) == (10, 5, 4)
        assert fresh.budget_left() == 1_000_000_000

        response = await agent.generate("Hello", tags=["team"])
        after = await agent.get_limits()
        assert (after.remaining(), after.remaining(tags=["team"]), after.remaining("concurrency")) == (9, 4, 4)
        assert after.budget_left() == 1_000_000_000 - (response.usage.cost_nano_usd or 0)

        async with agent.stream("Hello") as stream:
            await anext(stream)
            during = await agent.get_limits()
            (budget,) = during.budgets
            assert during.remaining("concurrency") == 3
            assert budget.reserved > 0
            assert during.budget_left() == 1_000_000_000 - budget.spent - budget.reserved
        assert during.wait_s() == 0.0


async def test_shares_of_a_budget_are_warned_of_once_each_as_events_and_in_the_log(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    rig = Rig()
    async with open_rig(rig, first_only()) as agent:
        cost = (await agent.generate("Hello")).usage.cost_nano_usd or 0
    # Four such requests fit beside the bound of the one that is open.
    bound_usd, one_usd = 0.0007, cost / 1e9
    tables = first_only() | {"budgets": {"usd_per_day": bound_usd + 4 * one_usd, "warn_at": [0.01, 0.02]}}
    with caplog.at_level(logging.WARNING, logger="manus"):
        async with open_rig(Rig(), tables) as agent:
            with agent.events() as events:
                for _ in range(4):
                    await agent.generate("Hello", max_tokens=20)
            warned = [event async for event in events if isinstance(event, BudgetWarned)]
    assert [event.share for event in warned] == [0.01, 0.02]
    assert {(event.source, event.scope, event.unit) for event in warned} == {
        ("budgets.usd_per_day", Scope(), "nano_usd")
    }
    assert sum("BudgetWarned budgets.usd_per_day" in record.message for record in caplog.records) == 2


async def test_a_stream_that_is_refused_says_so_before_its_first_chunk(autojump_clock: trio.testing.MockClock) -> None:
    async with open_rig(Rig(), first_only() | {"budgets": {"tokens_per_day": 10}}) as agent:
        with pytest.raises(manus.BudgetExceededError):
            await anext(agent.stream("Hello"))
        events = [event async for event in agent.stream_sse("Hello")]
        assert len(events) == 1
        assert "event: error" in events[0]
        assert "BudgetExceededError" in events[0]


async def test_a_configuration_without_bounds_tells_of_none(autojump_clock: trio.testing.MockClock) -> None:
    async with open_rig(Rig()) as agent:
        with agent.events() as events:
            await agent.generate("Hello")
            assert "BudgetWarned" not in names_of(events)
        told = await agent.get_limits()
        assert (told.limits, told.budgets) == ((), ())
