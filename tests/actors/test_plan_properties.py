"""What holds of every plan, whatever is configured, asked for, observed and remembered."""

from __future__ import annotations

import random
from typing import get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from manus.actors.jitter import Jitter
from manus.actors.routing.affinity import Affinity, Turns
from manus.actors.routing.candidates import candidates_of
from manus.actors.routing.expected_cost import ExpectedCost
from manus.actors.routing.plan import Plan
from manus.actors.routing.standing import Standing
from manus.actors.routing.table import RoutingTable
from manus.messages.failures import Failed
from manus.messages.ids import DeploymentId, deployment_id
from manus.messages.policy import KeyPolicy, ModelCard, ProviderPolicy
from manus.messages.requests import ChatRequest, RoutingCriteria, Strategy
from manus.messages.routing_policy import RouterPolicy
from manus.messages.usage import Price, nano_usd
from tests.actors.planning import NOW, Observed, ask

ENTRIES = ("a", "b", "c", "d")
MODELS = ("m1", "m2", "m3")
WINDOWS = (None, 500, 5000)
TOKENS = (10, 600, 4000, 50_000)
PRICES = (Price(), Price(input=0, output=0), Price(input=10**9, output=10**9), Price(input=10**8, output=10**10))
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)
ITEMS = (*ENTRIES, *(f"{entry}/{model}" for entry in ENTRIES for model in MODELS))
TALK = "talk"


def entries(rng: random.Random) -> tuple[ProviderPolicy, ...]:
    """Draw what is configured. One seed instead of many draws: a case takes a millisecond, and many are tried."""
    return tuple(
        ProviderPolicy(
            name=name,
            type="openai",
            priority=rng.randint(1, 3),
            models=tuple(card(model, rng) for model in rng.sample(MODELS, rng.randint(0, 3))),
            any_model=rng.random() < 0.3,
            keys=tuple(
                KeyPolicy(name=f"k{number}", weight=float(number), tags=tags(rng))
                for number in range(1, rng.randint(1, 3) + 1)
            ),
            key_order=rng.choice(["round_robin", "sticky"]),
            weight=rng.choice([1.0, 1.0, 2.5, 0.0]) if name != "a" else 1.0,
            tags=tags(rng),
        )
        for name in ENTRIES
    )


def card(name: str, rng: random.Random) -> ModelCard:
    return ModelCard(
        name=name,
        price=rng.choice(PRICES),
        vision=rng.choice([None, True, False]),
        context_tokens=rng.choice(WINDOWS),
        tier=rng.choice([None, 2, 5, 9]),
    )


def tags(rng: random.Random) -> tuple[str, ...]:
    return rng.choice([(), ("eu",), ("private",)])


def drawn_request(rng: random.Random) -> ChatRequest:
    wants = RoutingCriteria(
        requires_vision=rng.random() < 0.5,
        min_context_length=rng.choice([None, 1000]),
        max_cost_usd=rng.choice([None, None, 0.0, 0.000_6, 0.01]),
        max_latency_ms=rng.choice([None, None, 1500.0]),
        prefer_cheap=rng.random() < 0.3,
        prefer_fast=rng.random() < 0.3,
        prefer_reliable=rng.random() < 0.3,
        task_complexity=rng.choice([None, 1, 5, 10]),
        tags=tags(rng),
    )
    return ask(
        wants=rng.choice([None, wants]),
        provider=rng.choice([None, None, *ENTRIES]),
        model=rng.choice([None, None, "m1", "m2", "m9"]),
        fallback_providers=rng.choice([None, some_of(ITEMS, rng)]),
        strategy=rng.choice([None, *STRATEGIES]),
        conversation_id=rng.choice([None, TALK]),
    )


def drawn_policy(rng: random.Random) -> RouterPolicy:
    stand_ins = (*MODELS, *ITEMS[len(ENTRIES) :])
    return RouterPolicy(
        strategy=rng.choice(STRATEGIES),
        default_provider=rng.choice([None, *ENTRIES]),
        fallback_providers=rng.choice([None, some_of(ITEMS, rng)]),
        policy_fallbacks=some_of(ITEMS, rng),
        fallbacks={model: some_of(stand_ins, rng) for model in some_of(MODELS, rng)},
    )


def some_of(names: tuple[str, ...], rng: random.Random) -> tuple[str, ...]:
    return tuple(rng.choice(names) for _ in range(rng.randint(0, 3)))


class World:
    """One drawn case: what is configured, asked for, observed and remembered."""

    def __init__(self, seed: int, policy: RouterPolicy | None = None) -> None:
        rng = random.Random(seed)
        self.seed = seed
        self.providers = entries(rng)
        self.request = drawn_request(rng)
        self.tokens = rng.choice(TOKENS)
        self.deployments = [
            deployment_id(provider.name, model, key.name if len(provider.keys) > 1 else None)
            for provider in self.providers
            for model in (*MODELS, "m9")
            for key in provider.keys
        ]
        some = rng.sample(self.deployments, len(self.deployments) // 2)
        self.in_flight = {each: rng.randrange(5) for each in some}
        self.latency_s = {each: rng.uniform(0.1, 3.0) for each in some}
        self.success = {each: rng.random() for each in some[::2]}
        self.resting = {each: NOW + rng.uniform(0.1, 9.0) for each in rng.sample(some, len(some) // 3)}
        self.remembered = rng.choice(self.deployments)
        self.table = _table(self.providers, drawn_policy(rng) if policy is None else policy)

    def observed(self, *, backwards: bool = False) -> Observed:
        """Give what was observed, in the order in which it was, or the other way round."""
        step = -1 if backwards else 1
        return Observed(
            in_flight=dict(list(self.in_flight.items())[::step]),
            latency_s=dict(list(self.latency_s.items())[::step]),
            success=dict(list(self.success.items())[::step]),
            resting=dict(list(self.resting.items())[::step]),
        )

    def standing(self, *, backwards: bool = False) -> Standing:
        affinity = Affinity()
        affinity.remember(TALK, self.remembered, NOW - 1.0)
        health = self.observed(backwards=backwards)
        return Standing(now=NOW, health=health, chance=Jitter(self.seed, "plan"), turns=Turns(), affinity=affinity)

    def plan(self, standing: Standing | None = None) -> Plan | Failed:
        at = standing or self.standing()
        return self.table.plan(self.request, estimated_input_tokens=self.tokens, standing=at)


def _table(providers: tuple[ProviderPolicy, ...], policy: RouterPolicy) -> RoutingTable:
    """Make the table; a drawn policy that names what is not there is the wiring's mistake, and gives way to none."""
    try:
        return RoutingTable(providers, policy)
    except ValueError:
        return RoutingTable(providers, RouterPolicy(strategy=policy.strategy))


SEEDS = st.integers(0, 2**32)


@settings(max_examples=200)
@given(seed=SEEDS)
def test_a_plan_names_each_deployment_once_and_breaks_no_need(seed: int) -> None:
    world = World(seed)
    request, tokens, plan = world.request, world.tokens, world.plan()
    if isinstance(plan, Failed):
        assert plan.kind in ("no_candidate", "context_length", "unsupported")
        assert plan.message
        return
    asked = [choice.deployment for choice in plan.choices]
    assert asked
    assert plan.choices[0].use == "any"
    assert len(set(asked)) == len(asked)
    omitted = [candidate.deployment for candidate in plan.left_out]
    assert len(set(omitted)) == len(omitted)
    assert not set(asked) & set(omitted)
    assert all(candidate.reason for candidate in plan.left_out)
    told = candidates_of(plan, world.observed(), NOW)
    assert [(candidate.rank, candidate.deployment) for candidate in told] == list(enumerate(asked))
    costs = ExpectedCost(request, tokens)
    by_name = {provider.name: provider for provider in world.providers}
    for choice, candidate in zip(plan.choices, told, strict=True):
        assert choice.deployment == deployment_id(choice.provider, choice.model, choice.key)
        assert (candidate.ready_in_s is not None) == (choice.deployment in world.resting)
        assert choice.card.context_tokens is None or tokens <= 2 * choice.card.context_tokens
        _assert_meets(request.criteria or RoutingCriteria(), choice.card, costs)
        entry = by_name[choice.provider]
        borne = {*entry.tags, *(tag for key in entry.keys if choice.key in (None, key.name) for tag in key.tags)}
        assert borne >= set(request.criteria.tags if request.criteria else ())


def _assert_meets(criteria: RoutingCriteria, card: ModelCard, costs: ExpectedCost) -> None:
    assert not (criteria.requires_vision and card.vision is False)
    if criteria.min_context_length is not None and card.context_tokens is not None:
        assert card.context_tokens >= criteria.min_context_length
    if criteria.max_cost_usd is not None:
        cost = costs.nano_usd(card)
        assert cost is not None
        assert cost <= nano_usd(criteria.max_cost_usd)


@settings(max_examples=100)
@given(seed=SEEDS)
def test_equal_standings_give_equal_plans_and_a_rehearsal_is_one_of_them(seed: int) -> None:
    world = World(seed)
    at = world.standing()

    rehearsed = world.plan(at.rehearsal())
    again = world.plan(at.rehearsal())

    assert rehearsed == again == world.plan(at) == World(seed).plan()


@settings(max_examples=100)
@given(seed=SEEDS)
def test_the_order_of_what_was_observed_does_not_matter(seed: int) -> None:
    world = World(seed)

    assert world.plan() == world.plan(world.standing(backwards=True))


@settings(max_examples=100)
@given(seed=SEEDS, strategy=st.sampled_from(STRATEGIES), complexity=st.sampled_from([None, 4]))
def test_every_deployment_that_a_request_without_a_name_may_find_is_in_its_plan_or_says_why_not(
    seed: int, strategy: Strategy, complexity: int | None
) -> None:
    world = World(seed, RouterPolicy(strategy=strategy))
    wants = RoutingCriteria(requires_vision=True, task_complexity=complexity)
    plan = world.table.plan(ask(wants=wants), estimated_input_tokens=600, standing=world.standing())
    if isinstance(plan, Failed):
        return
    seen = {choice.deployment for choice in plan.choices} | {candidate.deployment for candidate in plan.left_out}
    by_entry = strategy == "priority" and complexity is None
    for provider in world.providers:
        found = [card.name for card in provider.models if _is_seen(provider, card.name, seen)]
        if by_entry:  # one model of an entry answers, under all its keys
            assert bool(found) == bool(provider.models)
        else:
            assert found == [card.name for card in provider.models]


def _is_seen(entry: ProviderPolicy, model: str, seen: set[DeploymentId]) -> bool:
    """Whether a model's deployments are told of: each for itself, or all of them together where none is able."""
    return deployment_id(entry.name, model) in seen or all(
        deployment_id(entry.name, model, key.name) in seen for key in entry.keys
    )
