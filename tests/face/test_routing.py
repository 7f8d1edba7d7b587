"""Routing as a program asks for it: by configuration, by request, and told without asking anybody."""

from __future__ import annotations

from typing import Any

import pytest
import trio.testing

import manus
from manus.agent import LLMAgent
from manus.config import load
from manus.messages.outcomes import Route
from manus.opening import open_agent
from manus.sim.behaviour import Script
from manus.sim.faults import FAULTS, Rejected
from tests.face.rig import KEY, TEXT, Rig, config, open_rig

LARGE = {
    "name": "large",
    "cost_per_input": 5,
    "cost_per_output": 20,
    "tier": 9,
    "vision": True,
    "context_length": 100_000,
}
SMALL = {"name": "small", "cost_per_input": 1, "cost_per_output": 2, "tier": 3, "vision": False, "tools": False}
TINY = {"name": "tiny", "cost_per_input": 0, "cost_per_output": 0, "tier": 1, "vision": False}

ENTRIES: dict[str, Any] = {
    "first": {
        "type": "openai",
        "priority": 1,
        "api_key": KEY,
        "base_url": "http://first/v1",
        "tags": ["eu", "paid"],
        "models": [LARGE, SMALL],
    },
    "second": {"type": "ollama", "priority": 2, "models": [TINY], "tags": ["eu"]},
}


def asked(route: Route) -> list[str]:
    """Name whom a plan would ask, in order."""
    return [str(candidate.deployment) for candidate in route.candidates]


async def plan(agent: LLMAgent, prompt: str = "Hello", **options: Any) -> list[str]:
    return asked(await agent.explain(prompt, **options))


async def test_the_seeds_configuration_routes_by_cost_over_the_providers_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(load, "is_installed", set[str]().__contains__)
    monkeypatch.setenv("OPENAI_API_KEY", "k1")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "k2")
    wanted = manus.LLMConfig(
        routing_strategy=manus.RoutingStrategy.COST_AWARE, fallback_providers=["anthropic", "bedrock"]
    )
    async with open_agent(wanted, keep_books=False) as agent:
        route = await agent.explain("Hello")
    assert route.strategy == "cost_aware"
    assert asked(route)
    assert {candidate.provider for candidate in route.candidates} <= {"openai", "anthropic"}
    scores = [candidate.score for candidate in route.candidates if candidate.score is not None]
    assert scores == sorted(scores)


async def test_the_seeds_criteria_find_the_model_that_sees_and_is_able() -> None:
    criteria = manus.RoutingCriteria(
        requires_vision=True, requires_functions=False, prefer_cheap=False, task_complexity=8
    )
    async with open_rig(Rig(), {"providers": ENTRIES}) as agent:
        route = await agent.explain("Hello", criteria=criteria)
    assert asked(route) == ["first/large"]
    assert {str(each.deployment) for each in route.left_out} >= {"first/small", "second/tiny"}
    assert all(each.reason for each in route.left_out)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["first/large", "second/tiny"]),
        ({"routing_strategy": "cost_aware"}, ["second/tiny", "first/small", "first/large"]),
        ({"routing_strategy": manus.RoutingStrategy.COST_AWARE}, ["second/tiny", "first/small", "first/large"]),
        ({"criteria": manus.RoutingCriteria(prefer_cheap=True)}, ["second/tiny", "first/small", "first/large"]),
        ({"criteria": manus.RoutingCriteria(task_complexity=5)}, ["first/large", "first/small", "second/tiny"]),
        ({"criteria": manus.RoutingCriteria(task_complexity=2)}, ["first/small", "first/large", "second/tiny"]),
        ({"criteria": manus.RoutingCriteria(tags=("paid",))}, ["first/large"]),
        ({"criteria": manus.RoutingCriteria(max_cost_usd=0.0)}, ["second/tiny"]),
        ({"criteria": manus.RoutingCriteria(min_context_length=50_000)}, ["first/large", "second/tiny"]),
        ({"provider": "second"}, ["second/tiny", "first/large"]),
        ({"model": "small"}, ["first/small", "second/tiny"]),
        ({"model": "small", "fallback_providers": []}, ["first/small"]),
        ({"fallback_providers": ["first/small"]}, ["first/large", "first/small"]),
        ({"provider": "second", "fallback_providers": ["first/small"]}, ["second/tiny", "first/small"]),
        ({"tools": [{"name": "look"}], "routing_strategy": "cost_aware"}, ["second/tiny", "first/large"]),
    ],
    ids=str,
)
async def test_every_option_of_routing_shows_in_the_plan(options: dict[str, Any], expected: list[str]) -> None:
    async with open_rig(Rig(), {"providers": ENTRIES}) as agent:
        assert await plan(agent, **options) == expected


@pytest.mark.parametrize("strategy", list(manus.RoutingStrategy))
async def test_every_strategy_may_be_configured_and_answers(
    autojump_clock: trio.testing.MockClock, strategy: manus.RoutingStrategy
) -> None:
    tables = {"providers": ENTRIES, "general": {"routing_strategy": strategy.value}}
    async with open_rig(Rig(second=Script(text=TEXT)), tables) as agent:
        response = await agent.generate("Hello")
        assert (response.content, response.route.strategy) == (TEXT, strategy.value)
        assert (await agent.explain("Hello")).strategy == strategy.value


async def test_fallbacks_of_a_model_are_asked_before_other_providers(autojump_clock: trio.testing.MockClock) -> None:
    tables = {"providers": ENTRIES, "routing": {"fallbacks": {"large": ["second/tiny", "small"]}}}
    async with open_rig(Rig(), tables) as agent:
        assert await plan(agent, model="large") == ["first/large", "second/tiny", "first/small"]


async def test_a_key_of_its_own_is_a_deployment_of_its_own_with_tags() -> None:
    keys = [{"key": "sk-canary-a", "tags": ["us"]}, {"key": "sk-canary-b", "weight": 0}]
    entry = {**ENTRIES["first"], "api_key": None, "api_keys": keys, "models": [LARGE]}
    async with open_rig(Rig(), {"providers": {"first": entry, "second": ENTRIES["second"]}}) as agent:
        both = await plan(agent)
        tagged = await plan(agent, criteria=manus.RoutingCriteria(tags=("us", "eu")))
        weighted = [await plan(agent, routing_strategy="weighted") for _ in range(20)]
    assert len(both) == 3
    assert all(name.startswith("first/large#") for name in both[:2])
    assert len(tagged) == 1
    assert tagged[0] in both
    (unwanted,) = set(both[:2]) - set(tagged)
    assert {order[-1] for order in weighted} == {unwanted}
    assert "canary" not in str(both)


async def test_criteria_that_nobody_meets_are_an_error_that_lists_everybody_and_why() -> None:
    criteria = manus.RoutingCriteria(requires_vision=True, min_context_length=500_000)
    async with open_rig(Rig(), {"providers": ENTRIES}) as agent:
        for ask in (agent.explain, agent.generate):
            with pytest.raises(manus.FallbackError) as caught:
                await ask("Hello", criteria=criteria)
            told = str(caught.value)
            assert caught.value.kind == "no_candidate"
            assert caught.value.cost_nano_usd in (0, None)
            for deployment in ("first/large", "first/small", "second/tiny"):
                assert deployment in told
            assert "window" in told
            assert "image" in told


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"provider": "fist"}, "No provider is called 'fist'. Did you mean 'first'?"),
        ({"model": "lrge"}, "No enabled provider lists the model 'lrge'. Did you mean 'large'?"),
        ({"fallback_providers": ["scond"]}, "Did you mean 'second'?"),
        ({"fallback_providers": ["first/smal"]}, "Did you mean 'small'?"),
        ({"routing_strategy": "cheap"}, "routing_strategy: expected priority"),
        ({"criteria": manus.RoutingCriteria(task_complexity=0)}, "criteria.task_complexity: expected"),
        ({"timeout_s": -1}, "timeout_s: expected a number, more than 0"),
    ],
    ids=str,
)
async def test_bad_input_is_refused_before_anybody_is_asked(options: dict[str, Any], message: str) -> None:
    rig = Rig()
    async with open_rig(rig, {"providers": ENTRIES}) as agent:
        for ask in (agent.explain, agent.generate):
            with pytest.raises(manus.InvalidRequestError) as caught:
                await ask("Hello", **options)
            assert message in str(caught.value)
    assert rig.first.bill.totals().requests == 0


async def test_a_dry_run_tells_what_would_be_set_aside_and_books_nothing() -> None:
    rig = Rig()
    async with open_rig(rig) as agent:
        reservation = (await agent.explain("Hello", max_tokens=100)).reservation
        books = (await agent.get_usage_stats()).total
    assert reservation is not None
    assert 100 <= reservation.estimate.output <= reservation.bound.output
    assert reservation.bound_nano_usd is not None
    assert reservation.estimate_nano_usd is not None
    assert 0 < reservation.estimate_nano_usd <= reservation.bound_nano_usd
    assert (books.requests, rig.first.bill.totals().requests) == (0, 0)


async def test_an_error_carries_its_route_with_every_attempt(autojump_clock: trio.testing.MockClock) -> None:
    broken = Script(fault=Rejected(status=500))
    async with open_rig(Rig(broken, broken)) as agent:
        with pytest.raises(manus.FallbackError) as caught:
            await agent.generate("Hello")
    error = caught.value
    assert asked(error.route) == ["first/big", "second/small"]
    assert error.route.attempts == error.attempts
    assert {attempt.role for attempt in error.attempts} == {"first", "retry", "failover"}
    told = error.to_dict()
    assert told["attempts"] == len(error.attempts)
    assert isinstance(told["route"], dict)
    assert [each["result"] for each in told["route"]["attempts"]] == ["server"] * len(error.attempts)


async def test_what_happens_to_interrupted_streams_is_configured_and_overridden_by_a_request(
    autojump_clock: trio.testing.MockClock,
) -> None:
    tables = {"routing": {"on_interrupt": "error"}}
    async with open_rig(Rig(Script(text=TEXT, fault=FAULTS["cut-body"])), tables) as agent:
        with pytest.raises(manus.StreamingError) as caught:
            await agent.stream("Hello").response()
        assert caught.value.partial is not None
        stream = agent.stream("Hello", on_interrupt="restart")
        kinds = [chunk.kind async for chunk in stream]
        assert "reset" in kinds
        assert (await stream.response()).content == "The second speaks."


async def test_after_a_refusal_of_a_content_policy_only_those_named_for_it_are_asked(
    autojump_clock: trio.testing.MockClock,
) -> None:
    refusing = Script(fault=Rejected(status=400, code="content_policy_violation"))
    async with open_rig(Rig(refusing)) as agent:
        with pytest.raises(manus.ContentPolicyError):
            await agent.generate("Hello")
    tables = config(routing={"content_policy_fallbacks": ["second"]}, general={"fallback_providers": []})
    async with open_rig(Rig(refusing), tables) as agent:
        assert (await agent.generate("Hello")).content == "The second speaks."
