"""A conversation stays where its prompt cache is warm, among those that are equal in right to answer it."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from manus.actors.routing.affinity import CONVERSATIONS_KEPT, TURNS_KEPT, Affinity, Turns
from manus.actors.routing.standing import Standing
from manus.messages.ids import DeploymentId
from manus.messages.policy import KeyPolicy
from manus.messages.requests import RoutingCriteria, Strategy
from tests.actors.planning import NOW, Observed, ask, entry, made, order, priced, standing, table

KEYS = (KeyPolicy(name="k1"), KeyPolicy(name="k2"), KeyPolicy(name="k3"))
CARD = priced("m", 1.0, 1.0)


def warm(deployment: str, *, at: float = NOW - 10.0, observed: Observed | None = None, name: str = "r1") -> Standing:
    """Let the conversation `talk` have been answered by `deployment`."""
    now = standing(observed, name=name)
    now.affinity.remember("talk", DeploymentId(deployment), at)
    return now


@pytest.mark.parametrize("strategy", ["latency", "least_busy", "weighted", "round_robin"])
def test_among_equals_the_one_that_answered_before_goes_first(strategy: Strategy) -> None:
    routes = table(*(entry(name, CARD) for name in "abcd"), strategy=strategy)
    busy = Observed(in_flight={"c/m": 3}, latency_s={"c/m": 2.0})
    for number in range(10):
        plan = made(routes, ask(conversation_id="talk"), at=warm("c/m", observed=busy, name=f"r{number}"))

        assert plan.choices[0].deployment == "c/m"
        assert plan.choices[0].reason == "answered this conversation before"
        assert sorted(order(plan)) == ["a/m", "b/m", "c/m", "d/m"]


@pytest.mark.parametrize("strategy", get_args(Strategy))
def test_it_decides_among_keys_and_among_owners_of_the_named_model_under_every_strategy(strategy: Strategy) -> None:
    routes = table(entry("a", CARD, keys=KEYS), entry("b", priced("m", 9.0, 9.0)), strategy=strategy)

    for remembered in ("a/m#k3", "a/m#k2", "b/m"):
        plan = made(routes, ask(model="m", conversation_id="talk"), at=warm(remembered))
        assert plan.choices[0].deployment == remembered
        assert len(plan.choices) == 4
    keyed = made(routes, ask(provider="a", conversation_id="talk"), at=warm("a/m#k3"))
    assert keyed.choices[0].deployment == "a/m#k3"


@pytest.mark.parametrize(
    ("strategy", "wants"),
    [
        ("priority", None),
        ("cost_aware", None),
        ("capability", None),
        ("priority", RoutingCriteria(prefer_cheap=True, prefer_reliable=True)),
    ],
)
def test_it_overrules_neither_priority_nor_cost(strategy: Strategy, wants: RoutingCriteria | None) -> None:
    routes = table(entry("a", CARD, priority=1), entry("b", priced("m", 2.0, 2.0), priority=2), strategy=strategy)

    plan = made(routes, ask(conversation_id="talk", wants=wants), at=warm("b/m"))

    assert order(plan) == ["a/m", "b/m"]


def test_it_does_not_reach_beyond_the_tiers_that_are_enough() -> None:
    routes = table(entry("a", priced("big", 1, 1, tier=9)), entry("b", priced("small", 1, 1, tier=2)))

    request = ask(conversation_id="talk", strategy="round_robin", wants=RoutingCriteria(task_complexity=8))

    assert order(made(routes, request, at=warm("b/small"))) == ["a/big", "b/small"]


@pytest.mark.parametrize(
    "observed",
    [Observed(resting={"b/m": NOW + 5.0}), Observed(probing=("b/m",))],
    ids=["resting", "not yet proven well"],
)
def test_whoever_is_not_well_is_not_preferred(observed: Observed) -> None:
    routes = table(entry("a", CARD), entry("b", CARD), strategy="least_busy")

    assert order(made(routes, ask(conversation_id="talk"), at=warm("b/m", observed=observed))) == ["a/m", "b/m"]
    others = Observed(resting={"a/m": NOW + 5.0})
    assert order(made(routes, ask(conversation_id="talk"), at=warm("b/m", observed=others))) == ["b/m", "a/m"]


def test_it_ends_with_the_life_of_a_prompt_cache() -> None:
    routes = table(entry("a", CARD), entry("b", CARD), strategy="least_busy", affinity_s=300.0)
    request = ask(conversation_id="talk")

    assert order(made(routes, request, at=warm("b/m", at=NOW - 299.0)))[0] == "b/m"
    assert order(made(routes, request, at=warm("b/m", at=NOW - 300.0)))[0] == "a/m"
    never = table(entry("a", CARD), entry("b", CARD), strategy="least_busy", affinity_s=0.0)
    assert order(made(never, request, at=warm("b/m", at=NOW)))[0] == "a/m"


@pytest.mark.parametrize("fields", [{}, {"conversation_id": "another"}])
def test_other_requests_are_not_moved(fields: dict[str, Any]) -> None:
    routes = table(entry("a", CARD), entry("b", CARD), strategy="least_busy")

    assert order(made(routes, ask(**fields), at=warm("b/m"))) == ["a/m", "b/m"]


def test_whoever_is_left_out_is_not_preferred() -> None:
    routes = table(entry("a", CARD), entry("b", priced("m", 90.0, 90.0)), strategy="least_busy")
    request = ask(conversation_id="talk", wants=RoutingCriteria(max_cost_usd=0.01))

    assert order(made(routes, request, at=warm("b/m"))) == ["a/m"]
    assert order(made(routes, ask(conversation_id="talk"), at=warm("gone/m"))) == ["a/m", "b/m"]


def test_a_warm_cache_takes_nobody_s_turn() -> None:
    routes = table(*(entry(name, CARD) for name in "abc"), strategy="round_robin")
    at = warm("c/m")

    assert order(made(routes, ask(), at=at))[0] == "a/m"
    assert order(made(routes, ask(conversation_id="talk"), at=at))[0] == "c/m"
    assert order(made(routes, ask(), at=at))[0] == "b/m"


def test_a_rehearsal_takes_no_turn_and_comes_out_as_the_plan_would() -> None:
    routes = table(*(entry(name, CARD) for name in "abc"), strategy="round_robin")
    at = standing()
    made(routes, ask(), at=at)

    rehearsed = [made(routes, ask(), at=at.rehearsal()) for _ in range(3)]

    assert {order(plan)[0] for plan in rehearsed} == {"b/m"}
    assert order(made(routes, ask(), at=at))[0] == "b/m"


@pytest.mark.parametrize("strategy", ["weighted", "latency"])
def test_draws_of_a_rehearsal_are_those_of_the_request(strategy: Strategy) -> None:
    routes = table(*(entry(name, CARD) for name in "abcdef"), strategy=strategy)
    for number in range(20):
        rehearsed = made(routes, ask(), at=standing(name=f"r{number}").rehearsal())
        assert rehearsed == made(routes, ask(), at=standing(name=f"r{number}"))


def test_memory_of_conversations_is_bounded_and_forgets_the_one_answered_longest_ago() -> None:
    affinity = Affinity()
    for number in range(CONVERSATIONS_KEPT):
        affinity.remember(f"talk {number}", DeploymentId("a/m"), float(number))
    affinity.remember("talk 0", DeploymentId("b/m"), 5000.0)
    affinity.remember("one more", DeploymentId("a/m"), 5000.0)

    def recalled(talk: str) -> str | None:
        return affinity.recall(talk, now=5000.0, for_s=1e9)

    assert (recalled("talk 0"), recalled("talk 1"), recalled("talk 2")) == ("b/m", None, "a/m")


def test_memory_of_turns_is_bounded() -> None:
    turns = Turns()
    for number in range(TURNS_KEPT):
        turns.take(f"group {number}")
    turns.take("group 0")
    turns.take("one more")

    assert [turns.next(f"group {number}") for number in (0, 1, 2)] == [2, 0, 1]


def test_a_copy_of_turns_is_counted_apart() -> None:
    turns = Turns()
    turns.take("group")
    other = turns.copy()
    other.take("group")

    assert (turns.next("group"), other.next("group")) == (1, 2)
