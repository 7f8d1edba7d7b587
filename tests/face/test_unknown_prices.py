"""A price that nobody knows is unknown on every face, from the plan to the books, and nowhere $0."""

from __future__ import annotations

import json
from typing import Any

import pytest
import trio

from manus.cli.route_view import plan_view
from manus.cli.usage_table import usage_table
from manus.config.routing_schema import RoutingStrategy
from manus.errors import LLMError
from manus.messages.requests import RoutingCriteria
from manus.messages.watching import AttemptEnded
from manus.sim.behaviour import Script
from manus.sim.faults import Cut
from manus.supervisor.bus import Subscription
from tests.face.rig import TEXT, Rig, config, open_rig

UNPRICED = {"name": "big", "context_length": 10_000}


def tables(**more: object) -> dict[str, Any]:
    """Give the rig's configuration with a first provider whose model has no price."""
    providers = config()["providers"]
    providers["first"]["models"] = [UNPRICED]
    return {"providers": providers, **more}


def heard(events: Subscription) -> list[object]:
    seen: list[object] = []
    while True:
        try:
            seen.append(events.receive_nowait())
        except trio.WouldBlock:
            return seen


async def test_an_answer_of_unknown_price_has_no_cost(autojump_clock: object) -> None:
    async with open_rig(Rig(), tables()) as agent:
        events = agent.events()
        response = await agent.generate("Hello")
        assert response.provider == "first"
        assert response.usage.cost_nano_usd is None
        assert response.usage.cost_usd is None
        told = response.to_dict()["usage"]
        assert (told["cost_nano_usd"], told["cost_usd"]) == (None, None)
        (attempt,) = response.route.attempts
        assert attempt.cost_nano_usd is None
        assert attempt.reservation is not None
        assert (attempt.reservation.estimate_nano_usd, attempt.reservation.bound_nano_usd) == (None, None)
        ended = [event for event in heard(events) if isinstance(event, AttemptEnded)]
        assert [event.cost_nano_usd for event in ended] == [None]


async def test_the_last_chunk_of_a_stream_has_usage_and_no_cost(autojump_clock: object) -> None:
    async with open_rig(Rig(), tables()) as agent, agent.stream("Hello") as stream:
        last = [chunk async for chunk in stream][-1]
        assert last.usage is not None
        assert last.usage.output_tokens > 0
        assert last.usage.cost_nano_usd is None
        assert json.loads(json.dumps(last.to_dict()))["usage"]["cost_usd"] is None


async def test_server_sent_events_carry_no_cost(autojump_clock: object) -> None:
    async with open_rig(Rig(), tables()) as agent, agent.stream_sse("Hello") as stream:
        text = "".join([piece async for piece in stream])
        last = json.loads(text.strip().splitlines()[-1].removeprefix("data:"))
        assert (last["usage"]["cost_nano_usd"], last["usage"]["cost_usd"]) == (None, None)
        assert last["usage"]["output_tokens"] > 0


async def test_reports_count_what_is_unpriced_and_leave_it_out_of_costs(autojump_clock: object) -> None:
    async with open_rig(Rig(), tables()) as agent:
        tracker = agent.token_tracker()
        for _ in range(2):
            await agent.generate("Hello")
        await agent.generate("Hello", provider="second")
        for report in (await agent.get_usage_stats(), await agent.get_usage_summary(1)):
            assert (report.total.unpriced, report.total.settled) == (2, 3)
            by_provider = {line.provider: line.unpriced for line in report.lines}
            assert by_provider == {"first": 2, "second": 0}
            table = usage_table(report)
            assert "UNPRICED" in table
            assert "unknown" in next(line for line in table.splitlines() if line.startswith("first"))
        assert (tracker.total.unpriced, tracker.total.attempts) == (2, 3)


async def test_a_plan_says_that_a_price_is_unknown(autojump_clock: object) -> None:
    async with open_rig(Rig(), tables()) as agent:
        route = await agent.explain("Hello")
        assert route.reservation is not None
        assert route.reservation.bound_nano_usd is None
        told = "\n".join(plan_view(route))
        assert "unknown" in told
        assert "$0" not in told


@pytest.mark.parametrize("strategy", [RoutingStrategy.COST_AWARE, RoutingStrategy.CAPABILITY])
async def test_who_looks_for_what_is_cheap_asks_the_unpriced_last(
    strategy: RoutingStrategy, autojump_clock: object
) -> None:
    dear = {"name": "dear", "cost_per_input": 900, "cost_per_output": 900, "context_length": 10_000, "tier": 5}
    providers = config()["providers"]
    providers["first"]["models"] = [{**UNPRICED, "tier": 5}, dear]
    del providers["second"]
    async with open_rig(Rig(), {"providers": providers}) as agent:
        route = await agent.explain("Hello", routing_strategy=strategy)
        assert [candidate.model for candidate in route.candidates] == ["dear", "big"]


async def test_a_cap_on_the_cost_admits_nothing_of_unknown_price(autojump_clock: object) -> None:
    async with open_rig(Rig(), tables()) as agent:
        route = await agent.explain("Hello", criteria=RoutingCriteria(max_cost_usd=100.0))
        assert [candidate.provider for candidate in route.candidates] == ["second"]
        assert "unknown" in route.left_out[0].reason


async def test_an_error_after_an_unpriced_attempt_has_no_cost(autojump_clock: object) -> None:
    script = Script(text=TEXT, fault=Cut(where="body", after_chunks=3))
    providers = tables()["providers"]
    del providers["second"]
    async with open_rig(Rig(script), {"providers": providers, "retry": {"same_deployment": 0}}) as agent:
        with pytest.raises(LLMError) as caught:
            await agent.generate("Hello")
        assert caught.value.cost_nano_usd is None
        usage = caught.value.to_dict()["usage"]
        assert isinstance(usage, dict)
        assert usage["cost_usd"] is None


async def test_an_embedding_of_unknown_price_has_no_cost(autojump_clock: object) -> None:
    providers = config()["providers"]
    providers["first"]["models"] = [{"name": "embedder", "embeddings": True, "context_length": 8_000}]
    async with open_rig(Rig(), {"providers": providers}) as agent:
        response = await agent.embed("Hello", provider="first")
        assert response.usage.input_tokens > 0
        assert response.usage.cost_nano_usd is None


async def test_zero_is_free_and_known(autojump_clock: object) -> None:
    free = {"name": "big", "cost_per_input": 0, "cost_per_output": 0, "context_length": 10_000}
    providers = config()["providers"]
    providers["first"]["models"] = [free]
    async with open_rig(Rig(), {"providers": providers}) as agent:
        assert (await agent.generate("Hello")).usage.cost_nano_usd == 0
        assert (await agent.generate("Hello", provider="second")).usage.cost_nano_usd == 0
        assert (await agent.get_usage_stats()).total.unpriced == 0
