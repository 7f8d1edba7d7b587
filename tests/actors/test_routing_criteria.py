"""Who the criteria of a request prefer, and whom they leave out, with numbers worked out by hand."""

from __future__ import annotations

import pytest

from manus.actors.routing.expected_cost import reservation_of
from manus.messages.policy import KeyPolicy, ModelCard
from manus.messages.requests import RoutingCriteria, Strategy
from tests.actors.planning import Observed, ask, entry, made, order, priced, reasons, refusal, scores, standing, table

# Nano-USD for 1000 tokens in and 512 out at the same price p per million: 1_512_000 * p.
SMALL = priced("small", 0.1, 0.1, tier=3)  # 151_200
MIDDLE = priced("middle", 1.0, 1.0, tier=6)  # 1_512_000
LARGE = priced("large", 5.0, 5.0, tier=9)  # 7_560_000
BARGAIN = priced("bargain", 2.0, 2.0, tier=8)  # 3_024_000
STRANGER = priced("stranger", 0.01, 0.01)  # 15_120, of unknown tier
EVERYBODY = (entry("a", SMALL, LARGE), entry("b", MIDDLE, STRANGER), entry("c", BARGAIN))


@pytest.mark.parametrize(
    ("complexity", "expected"),
    [
        (1, ["a/small", "b/middle", "c/bargain", "a/large", "b/stranger"]),
        (4, ["b/middle", "c/bargain", "a/large", "b/stranger", "a/small"]),
        (8, ["c/bargain", "a/large", "b/stranger", "b/middle", "a/small"]),
        (9, ["a/large", "b/stranger", "c/bargain", "b/middle", "a/small"]),
        (10, ["b/stranger", "a/large", "c/bargain", "b/middle", "a/small"]),
    ],
)
@pytest.mark.parametrize("strategy", ["priority", "capability", "cost_aware"])
def test_task_complexity_asks_the_cheapest_that_is_enough_then_the_unknown_then_the_closest(
    strategy: str, complexity: int, expected: list[str]
) -> None:
    routes = table(*EVERYBODY, strategy=strategy)

    plan = made(routes, ask(wants=RoutingCriteria(task_complexity=complexity)))

    assert order(plan) == expected
    assert plan.strategy == "capability"


def test_task_complexity_says_how_the_tiers_suit() -> None:
    plan = made(table(*EVERYBODY), ask(wants=RoutingCriteria(task_complexity=8)))

    told: dict[str, str] = {choice.deployment: choice.reason for choice in plan.choices}
    assert told["c/bargain"].startswith("tier 8 is enough for complexity 8; by expected cost")
    assert told["b/stranger"].startswith("its tier is unknown")
    assert told["b/middle"].startswith("tier 6 is below complexity 8")


def test_within_the_tiers_that_are_enough_the_strategy_may_be_another() -> None:
    routes = table(*EVERYBODY, strategy="least_busy")
    busy = standing(Observed(in_flight={"a/small": 1, "b/middle": 2, "c/bargain": 0, "a/large": 3}))

    plan = made(routes, ask(wants=RoutingCriteria(task_complexity=6)), at=busy)

    # The entry a has two models, so each of them bears half its weight; so does b. In flight over weight: 4, 0, 6.
    assert order(plan) == ["c/bargain", "b/middle", "a/large", "b/stranger", "a/small"]
    assert plan.strategy == "least_busy"


def test_a_model_that_was_named_is_asked_first_whatever_its_tier() -> None:
    plan = made(table(*EVERYBODY), ask(model="small", wants=RoutingCriteria(task_complexity=9)))

    assert plan.choices[0].deployment == "a/small"


def test_prefer_cheap_is_cost_aware_and_prefer_fast_is_latency() -> None:
    routes = table(entry("a", LARGE), entry("b", SMALL))
    observed = Observed(latency_s={"a/large": 1.0, "b/small": 2.0})

    cheap = made(routes, ask(wants=RoutingCriteria(prefer_cheap=True)), at=standing(observed))
    fast = made(routes, ask(strategy="cost_aware", wants=RoutingCriteria(prefer_fast=True)), at=standing(observed))

    assert (cheap.strategy, order(cheap)) == ("cost_aware", ["b/small", "a/large"])
    assert (fast.strategy, order(fast)) == ("latency", ["a/large", "b/small"])


def test_prefer_reliable_asks_the_proven_first_then_the_untried_then_by_failures() -> None:
    routes = table(*(entry(name, "m") for name in "abcd"))
    observed = Observed(success={"a/m": 0.5, "b/m": 0.9, "d/m": 1.0})

    plan = made(routes, ask(wants=RoutingCriteria(prefer_reliable=True)), at=standing(observed))

    assert order(plan) == ["d/m", "c/m", "b/m", "a/m"]
    assert scores(plan) == [0.0, 0.0, pytest.approx(0.1), 0.5]


@pytest.mark.parametrize(
    ("preferences", "expected", "expected_scores"),
    [
        # Cheap: what the cheapest would save, 1 - 0.1/5 = 0.98, 1 - 0.1/1 = 0.9, 0. Fast: 0, 1 - 1/4, 1 - 1/10.
        (RoutingCriteria(prefer_cheap=True, prefer_fast=True), ["c", "a", "b"], [0.9, 0.98, 1.65]),
        # Reliable: 0, 0.05, 0.5.
        (RoutingCriteria(prefer_cheap=True, prefer_reliable=True), ["c", "b", "a"], [0.5, 0.95, 0.98]),
        (RoutingCriteria(prefer_fast=True, prefer_reliable=True), ["a", "b", "c"], [0.0, 0.8, 1.4]),
        (
            RoutingCriteria(prefer_cheap=True, prefer_fast=True, prefer_reliable=True),
            ["a", "c", "b"],
            [0.98, 1.4, 1.7],
        ),
    ],
)
def test_several_preferences_are_weighed_against_each_other(
    preferences: RoutingCriteria, expected: list[str], expected_scores: list[float]
) -> None:
    routes = table(
        entry("a", priced("m", 5.0, 5.0)), entry("b", priced("m", 1.0, 1.0)), entry("c", priced("m", 0.1, 0.1))
    )
    observed = Observed(latency_s={"a/m": 1.0, "b/m": 4.0, "c/m": 10.0}, success={"a/m": 1.0, "b/m": 0.95, "c/m": 0.5})

    plan = made(routes, ask(wants=preferences), at=standing(observed))

    assert [deployment[0] for deployment in order(plan)] == expected
    assert scores(plan) == pytest.approx(expected_scores)
    assert plan.choices[0].reason.startswith("preferring ")


def test_what_nobody_has_waited_for_is_not_slow_and_no_measure_of_others() -> None:
    routes = table(*(entry(name, priced("m", 1.0, 1.0)) for name in "abc"))
    observed = Observed(latency_s={"b/m": 4.0, "c/m": 2.0})

    plan = made(routes, ask(wants=RoutingCriteria(prefer_cheap=True, prefer_fast=True)), at=standing(observed))

    assert order(plan) == ["a/m", "c/m", "b/m"]
    assert scores(plan) == [0.0, 0.0, 0.5]


def test_an_unknown_price_is_the_dearest_among_preferences() -> None:
    routes = table(entry("a", priced("m", None, None)), entry("b", priced("m", 9.0, 9.0)))

    plan = made(routes, ask(wants=RoutingCriteria(prefer_cheap=True, prefer_reliable=True)))

    assert order(plan) == ["b/m", "a/m"]
    assert scores(plan) == [0.0, 1.0]


@pytest.mark.parametrize("strategy", ["priority", "cost_aware", "round_robin"])
def test_whoever_is_expected_to_cost_more_than_allowed_is_left_out_and_so_is_an_unknown_price(strategy: str) -> None:
    routes = table(entry("a", LARGE), entry("b", MIDDLE), entry("c", priced("secret", None, None)), strategy=strategy)

    plan = made(routes, ask(wants=RoutingCriteria(max_cost_usd=0.001512)))

    assert order(plan) == ["b/middle"]
    assert reasons(plan) == {
        "a/large": "is expected to cost $0.00756, above the $0.001512 allowed (max_cost_usd)",
        "c/secret": "its price is unknown, and the request has a cap on its cost (max_cost_usd)",
    }
    assert order(made(routes, ask(wants=RoutingCriteria(max_cost_usd=0.00756))))[-1] in ("a/large", "b/middle")


def test_a_free_model_costs_no_more_than_nothing() -> None:
    free = priced("free", 0.0, 0.0)
    assert order(made(table(entry("a", free)), ask(wants=RoutingCriteria(max_cost_usd=0.0)))) == ["a/free"]


def test_where_the_answer_is_bounded_the_cap_on_cost_is_held_against_the_worst() -> None:
    request = ask(max_output_tokens=100, wants=RoutingCriteria(max_cost_usd=0.0007))
    reservation = reservation_of(request, MIDDLE, 7)
    # "Hello" can have at most 5 tokens; a template, a turn and a part are allowed 512 and 2 * 32. The answer may have
    # 16 more than was asked for: 581 + 116.
    assert reservation.bound_nano_usd == 697_000
    assert reservation.estimate_nano_usd == 7_000 + 116_000

    assert order(made(table(entry("a", MIDDLE)), request, tokens=7)) == ["a/middle"]
    tight = ask(max_output_tokens=100, wants=RoutingCriteria(max_cost_usd=0.0006))
    assert (
        "can cost $0.000697, above the $0.0006 allowed" in refusal(table(entry("a", MIDDLE)), tight, tokens=7).message
    )


def test_whoever_was_slower_than_allowed_is_left_out_and_unknown_is_permitted() -> None:
    routes = table(*(entry(name, "m") for name in "abc"))
    observed = Observed(latency_s={"a/m": 2.004, "b/m": 2.0}, in_flight={"b/m": 7})

    plan = made(routes, ask(wants=RoutingCriteria(max_latency_ms=2000.0)), at=standing(observed))

    assert order(plan) == ["b/m", "c/m"]
    assert reasons(plan) == {"a/m": "takes about 2004 ms, above the 2000 ms allowed (max_latency_ms)"}


@pytest.mark.parametrize("strategy", ["priority", "weighted"])
def test_a_model_bears_tags_of_its_own_besides_those_of_its_entry(strategy: Strategy) -> None:
    tagged = ModelCard(name="m2", tags=("eu",))
    routes = table(entry("a", ModelCard(name="m1"), tagged, tags=("private",)), entry("b", "m"), strategy=strategy)

    plan = made(routes, ask(wants=RoutingCriteria(tags=("private", "eu"))))

    assert order(plan) == ["a/m2"]
    assert {str(c.deployment): c.reason for c in plan.left_out}["b/m"] == "does not bear the tag 'private', 'eu'"


def test_all_tags_have_to_be_borne_by_the_entry_or_the_key() -> None:
    keys = (KeyPolicy(name="k1", tags=("eu",)), KeyPolicy(name="k2", tags=("us",)))
    routes = table(
        entry("a", "m", tags=("private",), keys=keys),
        entry("b", "m", tags=("eu",)),
        entry("c", "m", tags=("private", "eu")),
        entry("d", "m", tags=("private",), keys=(KeyPolicy(name="k3", tags=("eu",)),)),
    )

    plan = made(routes, ask(wants=RoutingCriteria(tags=("private", "eu"))))

    assert order(plan) == ["a/m#k1", "c/m", "d/m"]
    assert reasons(plan) == {
        "a/m#k2": "does not bear the tag 'eu'",
        "b/m": "does not bear the tag 'private'",
    }


def test_criteria_that_nobody_can_meet_are_refused_and_each_candidate_says_why() -> None:
    slow = Observed(latency_s={"b/middle": 3.0})
    wants = RoutingCriteria(max_cost_usd=0.002, max_latency_ms=100, requires_vision=True)
    blind = priced("blind", 0.0, 0.0, vision=False)

    failure = refusal(
        table(entry("a", LARGE), entry("b", MIDDLE), entry("c", blind)), ask(wants=wants), at=standing(slow)
    )

    assert (failure.kind, failure.safe_to_retry) == ("no_candidate", True)
    assert "c/blind: cannot read images" in failure.message
    assert "a/large: is expected to cost $0.00756" in failure.message
    assert "b/middle: takes about 3000 ms" in failure.message


def test_caps_hold_for_those_in_reserve_too() -> None:
    small = priced("short", 0.1, 0.1, context_tokens=4_000)
    large = priced("long", 50.0, 50.0, context_tokens=400_000)
    routes = table(entry("a", small, large), entry("b", LARGE), policy_fallbacks=("b",), fallback_providers=())

    assert [c.use for c in made(routes, ask()).choices] == ["any", "larger_window", "policy"]
    plan = made(routes, ask(wants=RoutingCriteria(max_cost_usd=0.001)))
    assert order(plan) == ["a/short"]
    assert set(reasons(plan)) == {"a/long", "b/large"}


def test_kinds_of_criteria_do_not_share_a_plan() -> None:
    routes = table(*EVERYBODY)
    plain = made(routes, ask())
    assert order(made(routes, ask(wants=RoutingCriteria(prefer_cheap=True)))) != order(plain)
    assert order(made(routes, ask(wants=RoutingCriteria(task_complexity=9)))) != order(
        made(routes, ask(wants=RoutingCriteria(task_complexity=4)))
    )
    assert made(routes, ask()) is plain
