"""Several keys of an entry are deployments of their own: taking turns, or one after another."""

from __future__ import annotations

import math
from typing import get_args

import pytest

from manus.actors.routing.table import TURNS_PLANNED
from manus.messages.policy import KeyPolicy, ProviderPolicy
from manus.messages.requests import Strategy
from tests.actors.planning import Observed, ask, entry, made, order, priced, standing, table

KEYS = (KeyPolicy(name="k1"), KeyPolicy(name="k2"), KeyPolicy(name="k3"))
CARD = priced("m", 1.0, 1.0)


def keyed(name: str = "a", *, sticky: bool = False, keys: tuple[KeyPolicy, ...] = KEYS) -> ProviderPolicy:
    return entry(name, CARD, keys=keys, key_order="sticky" if sticky else "round_robin")


def test_each_key_is_a_deployment() -> None:
    plan = made(table(keyed()), ask())

    assert [(c.deployment, c.provider, c.model, c.key) for c in plan.choices] == [
        ("a/m#k1", "a", "m", "k1"),
        ("a/m#k2", "a", "m", "k2"),
        ("a/m#k3", "a", "m", "k3"),
    ]


def test_a_single_key_has_no_name() -> None:
    plan = made(table(keyed(keys=KEYS[:1])), ask())

    assert [(c.deployment, c.key) for c in plan.choices] == [("a/m", None)]


@pytest.mark.parametrize("strategy", ["priority", "cost_aware", "capability", "least_busy"])
def test_keys_take_turns(strategy: Strategy) -> None:
    routes, at = table(keyed(), entry("b", priced("m", 2.0, 2.0)), strategy=strategy), standing()

    plans = [order(made(routes, ask(provider="a", model="m"), at=at)) for _ in range(4)]

    assert [plan[:3] for plan in plans] == [
        ["a/m#k1", "a/m#k2", "a/m#k3"],
        ["a/m#k2", "a/m#k3", "a/m#k1"],
        ["a/m#k3", "a/m#k1", "a/m#k2"],
        ["a/m#k1", "a/m#k2", "a/m#k3"],
    ]
    assert {plan[3] for plan in plans} == {"b/m"}


@pytest.mark.parametrize("strategy", get_args(Strategy))
def test_sticky_keys_follow_each_other_in_their_order_under_every_strategy(strategy: Strategy) -> None:
    routes = table(keyed(sticky=True), entry("b", priced("m", 2.0, 2.0)), strategy=strategy)
    busy = Observed(in_flight={"a/m#k1": 5, "a/m#k2": 1}, latency_s={"a/m#k1": 5.0, "a/m#k2": 1.0})
    at = standing(busy)

    for _ in range(5):
        plan = order(made(routes, ask(), at=at))
        start = plan.index("a/m#k1")
        assert plan[start : start + 3] == ["a/m#k1", "a/m#k2", "a/m#k3"]
        assert start in (0, 1)


def test_keys_share_the_weight_of_their_entry_by_their_own() -> None:
    keys = (KeyPolicy(name="k1", weight=1.0), KeyPolicy(name="k2", weight=3.0))
    routes = table(entry("a", "m", keys=keys, weight=2.0), entry("b", "m", weight=2.0), strategy="weighted")

    shares = {c.deployment: c.reason.rpartition("by weight, ")[2] for c in made(routes, ask()).choices}

    assert shares == {
        "a/m#k1": "12.5% of the draws",
        "a/m#k2": "37.5% of the draws",
        "b/m": "50.0% of the draws",
    }


def test_the_least_busy_key_goes_first() -> None:
    routes = table(keyed(), strategy="least_busy")
    plan = made(routes, ask(), at=standing(Observed(in_flight={"a/m#k1": 2, "a/m#k3": 1})))

    assert order(plan) == ["a/m#k2", "a/m#k3", "a/m#k1"]


def test_the_keys_of_the_first_choice_remain_where_nobody_else_is_to_be_asked() -> None:
    plan = made(table(keyed(), entry("b", "m")), ask(fallback_providers=()))

    assert order(plan) == ["a/m#k1", "a/m#k2", "a/m#k3"]


def test_larger_siblings_are_reserved_under_every_key() -> None:
    small, large = priced("s", 1, 1, context_tokens=1000), priced("l", 1, 1, context_tokens=9000)
    plan = made(table(entry("a", small, large, keys=KEYS[:2])), ask(), tokens=10)

    assert [(c.deployment, c.use, c.key) for c in plan.choices] == [
        ("a/s#k1", "any", "k1"),
        ("a/s#k2", "any", "k2"),
        ("a/l#k1", "larger_window", "k1"),
        ("a/l#k2", "larger_window", "k2"),
    ]


@pytest.mark.parametrize("numbers", [(2, 3), (5, 3)], ids=["plans are kept", "too many plans to keep"])
def test_keys_of_all_entries_take_turns_however_many_there_are(numbers: tuple[int, int]) -> None:
    rings = [
        tuple(KeyPolicy(name=f"{entry}{number}") for number in range(count))
        for entry, count in zip("ab", numbers, strict=True)
    ]
    routes, at = table(keyed("a", keys=rings[0]), keyed("b", keys=rings[1])), standing()
    several = math.lcm(*numbers)
    assert (several > TURNS_PLANNED) == (numbers == (5, 3))

    for turn in range(2 * several):
        keys = [choice.key for choice in made(routes, ask(), at=at).choices]
        expected = [
            f"{entry}{(turn + place) % count}"
            for entry, count in zip("ab", numbers, strict=True)
            for place in range(count)
        ]
        assert keys == expected
