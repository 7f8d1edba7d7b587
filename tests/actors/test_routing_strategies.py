"""How each strategy orders candidates, with numbers worked out by hand."""

from __future__ import annotations

import math
from collections import Counter
from typing import get_args

import pytest

from manus.actors.estimates.bound import OUTPUT_SLACK_TOKENS
from manus.actors.estimates.prompt import EXPECTED_OUTPUT_TOKENS
from manus.actors.routing.expected_cost import reservation_of
from manus.actors.routing.ordering import order_words, ordering_of
from manus.messages.ids import RequestId
from manus.messages.policy import ModelCard
from manus.messages.requests import ChatRequest, EmbedRequest, Strategy
from manus.messages.usage import Price, PriceTier
from tests.actors.planning import Observed, ask, entry, made, order, priced, scores, standing, table

# 1000 tokens of prompt and 512 of answer, in nano-USD: 1000 * input + 512 * output, per million.
CHEAP = priced("cheap", 0.1, 0.4)  # 100_000 + 204_800 = 304_800
MIDDLE = priced("middle", 1.0, 1.0)  # 1_000_000 + 512_000 = 1_512_000
TALKER = priced("talker", 0.1, 10.0)  # 100_000 + 5_120_000 = 5_220_000
FREE = priced("free", 0.0, 0.0)
UNPRICED = priced("unpriced", None, None)
HALF_PRICED = priced("half", 0.1, None)


def test_cost_aware_asks_the_cheapest_for_this_request_first_and_unknown_prices_last() -> None:
    routes = table(entry("a", UNPRICED, TALKER), entry("b", MIDDLE, HALF_PRICED), entry("c", CHEAP, FREE))

    plan = made(routes, ask(strategy="cost_aware"))

    assert order(plan) == ["c/free", "c/cheap", "b/middle", "a/talker", "a/unpriced", "b/half"]
    assert scores(plan) == [0, 304_800, 1_512_000, 5_220_000, None, None]
    assert plan.strategy == "cost_aware"
    assert "nano-USD" in plan.choices[0].reason
    assert "price is unknown" in plan.choices[4].reason
    assert "price is unknown" not in plan.choices[0].reason


@pytest.mark.parametrize(
    ("request_", "tokens", "first", "cost"),
    [
        # A cap on the answer, and the slack that goes with it, makes the talker the cheaper one:
        # 100_000 * 0.1 + (10 + 16) * 10 = 10_260 against 100_000 * 1 + 26 * 1, in thousands of nano-USD.
        (ask(strategy="cost_aware", max_output_tokens=10), 100_000, "a/talker", 10_260_000),
        # A long prompt does too: 100_000 * 0.1 + 512 * 10 = 15_120.
        (ask(strategy="cost_aware"), 100_000, "a/talker", 15_120_000),
        # A short one does not: 10 + 512 = 522 against 1 + 5_120.
        (ask(strategy="cost_aware"), 10, "b/middle", 522_000),
    ],
)
def test_cost_is_that_of_the_request_and_not_of_a_token(
    request_: ChatRequest, tokens: int, first: str, cost: int
) -> None:
    assert (EXPECTED_OUTPUT_TOKENS, OUTPUT_SLACK_TOKENS) == (512, 16)
    plan = made(table(entry("a", TALKER), entry("b", MIDDLE)), request_, tokens=tokens)

    assert plan.choices[0].deployment == first
    assert scores(plan)[0] == cost


def test_cost_follows_the_tier_of_a_long_prompt_and_the_fee_of_a_call() -> None:
    tiered = ModelCard(
        name="tiered",
        price=Price(
            input=1_000_000_000,
            output=1_000_000_000,
            per_request=7,
            tiers=(PriceTier(above_tokens=5_000, input=2_000_000_000, output=3_000_000_000),),
        ),
    )
    routes = table(entry("a", tiered))

    assert scores(made(routes, ask(strategy="cost_aware"), tokens=5_000)) == [5_000_000 + 512_000 + 7]
    assert scores(made(routes, ask(strategy="cost_aware"), tokens=5_001)) == [10_002_000 + 1_536_000 + 7]


def test_cost_of_a_service_tier_is_unknown_where_its_price_is() -> None:
    price = Price(input=1_000_000_000, output=1_000_000_000, version="catalogue 2026-11-22")
    flexible = ModelCard(name="m", price=price, service_prices={"flex": Price(input=5, output=0, version="v")})
    routes = table(entry("a", ModelCard(name="m", price=price)), entry("b", flexible))

    plan = made(routes, ask(strategy="cost_aware", service_tier="flex"))

    assert order(plan) == ["b/m", "a/m"]
    assert scores(plan) == [0, None]  # 1000 * 5 / 1_000_000, rounded half to even


def test_score_of_cost_is_what_the_reservation_expects() -> None:
    request = ask(strategy="cost_aware", max_output_tokens=100)
    plan = made(table(entry("a", MIDDLE)), request, tokens=77)

    assert reservation_of(request, MIDDLE, 77).estimate_nano_usd == scores(plan)[0] == 77_000 + 116_000


def test_capability_without_a_complexity_asks_the_cheapest_that_is_able() -> None:
    deaf = priced("deaf", 0.0, 0.0, streaming=False)
    plan = made(table(entry("a", TALKER, deaf), entry("b", MIDDLE)), ask(strategy="capability", stream=True))

    assert order(plan) == ["b/middle", "a/talker"]
    assert plan.strategy == "capability"


def test_least_busy_asks_whoever_has_least_in_flight_for_its_weight() -> None:
    routes = table(entry("a", "m", weight=4.0), entry("b", "m", weight=1.0), entry("c", "m", weight=2.0))
    observed = Observed(in_flight={"a/m": 6, "b/m": 1, "c/m": 4})

    plan = made(routes, ask(strategy="least_busy"), at=standing(observed))

    assert order(plan) == ["b/m", "a/m", "c/m"]
    assert scores(plan) == [1.0, 1.5, 2.0]


def test_who_weighs_nothing_is_asked_last_and_never_drawn() -> None:
    routes = table(entry("a", "m", weight=0.0), entry("b", "m"), entry("c", "m"))

    assert order(made(routes, ask(strategy="least_busy"), at=standing(Observed(in_flight={"b/m": 9}))))[2] == "a/m"
    for number in range(50):
        assert order(made(routes, ask(strategy="weighted"), at=standing(name=f"r{number}")))[2] == "a/m"


def test_latency_lets_the_better_of_two_drawn_go_first_and_the_rest_follow_by_cost() -> None:
    routes = table(*(entry(name, "m") for name in "abcd"))
    # Cost is latency times what is in flight and one more: a 4, b 1, c 3, d 2.
    observed = Observed(latency_s={"a/m": 2.0, "b/m": 1.0, "c/m": 0.5, "d/m": 2.0}, in_flight={"a/m": 1, "c/m": 5})
    firsts: Counter[str] = Counter()
    for number in range(600):
        plan = made(routes, ask(strategy="latency"), at=standing(observed, name=f"r{number}"))
        first, *rest = order(plan)
        assert [name for name in ["b/m", "d/m", "c/m", "a/m"] if name != first] == rest
        assert {c.deployment: c.score for c in plan.candidates} == {"a/m": 4.0, "b/m": 1.0, "c/m": 3.0, "d/m": 2.0}
        firsts[first] += 1
    # Of six pairs, three hold the best, two more the second, one the third; the worst loses every comparison.
    assert set(firsts) == {"b/m", "d/m", "c/m"}
    for name, share in (("b/m", 3 / 6), ("d/m", 2 / 6), ("c/m", 1 / 6)):
        assert abs(firsts[name] / 600 - share) < 4 * math.sqrt(share * (1 - share) / 600)


def test_latency_tries_everybody_while_nothing_is_known() -> None:
    routes = table(*(entry(name, "m") for name in "abc"))
    firsts = {order(made(routes, ask(strategy="latency"), at=standing(name=f"r{number}")))[0] for number in range(60)}
    assert firsts == {"a/m", "b/m", "c/m"}


def test_of_two_the_faster_goes_first() -> None:
    routes = table(entry("a", "m"), entry("b", "m"))
    slow = Observed(latency_s={"a/m": 2.0, "b/m": 1.0})
    assert order(made(routes, ask(strategy="latency"), at=standing(slow))) == ["b/m", "a/m"]


def test_models_of_an_entry_share_its_weight_by_their_own() -> None:
    cards = (ModelCard(name="m1", weight=3.0), ModelCard(name="m2"), ModelCard(name="m3", weight=0.0))
    routes = table(entry("a", *cards, weight=2.0), strategy="weighted")
    firsts: Counter[str] = Counter()

    for number in range(2000):
        drawn = order(made(routes, ask(), at=standing(name=f"r{number}")))
        firsts[drawn[0]] += 1
        assert drawn[2] == "a/m3"

    assert 1400 < firsts["a/m1"] < 1600


def test_weighted_draws_without_replacement_in_proportion_to_the_weights() -> None:
    routes = table(entry("a", "m", weight=1.0), entry("b", "m", weight=3.0), entry("c", "m", weight=4.0))
    drawn: Counter[tuple[str, ...]] = Counter()
    times = 2000
    for number in range(times):
        drawn[tuple(order(made(routes, ask(strategy="weighted"), at=standing(name=f"r{number}"))))] += 1
    # The first by its share of all, the second by its share of what is left.
    shares = {
        ("a/m", "b/m", "c/m"): 1 / 8 * 3 / 7,
        ("a/m", "c/m", "b/m"): 1 / 8 * 4 / 7,
        ("b/m", "a/m", "c/m"): 3 / 8 * 1 / 5,
        ("b/m", "c/m", "a/m"): 3 / 8 * 4 / 5,
        ("c/m", "a/m", "b/m"): 4 / 8 * 1 / 4,
        ("c/m", "b/m", "a/m"): 4 / 8 * 3 / 4,
    }
    assert math.isclose(sum(shares.values()), 1.0)
    assert set(drawn) == set(shares)
    for each, share in shares.items():
        assert abs(drawn[each] / times - share) < 4 * math.sqrt(share * (1 - share) / times), each


def test_an_entry_s_share_does_not_grow_with_the_models_and_keys_that_it_lists() -> None:
    plan = made(table(entry("a", "m1", "m2", "m3", weight=1.0), entry("b", "m", weight=3.0)), ask(strategy="weighted"))

    shares = {c.deployment: c.reason.split(", ")[1] for c in plan.choices}
    assert shares == {
        "a/m1": "8.3% of the draws",
        "a/m2": "8.3% of the draws",
        "a/m3": "8.3% of the draws",
        "b/m": "75.0% of the draws",
    }


def test_round_robin_begins_with_the_next_one_at_every_request() -> None:
    routes = table(*(entry(name, "m") for name in "abc"))
    at = standing()

    firsts = [order(made(routes, ask(strategy="round_robin"), at=at)) for _ in range(4)]

    assert firsts == [
        ["a/m", "b/m", "c/m"],
        ["b/m", "c/m", "a/m"],
        ["c/m", "a/m", "b/m"],
        ["a/m", "b/m", "c/m"],
    ]


def test_round_robin_counts_turns_by_deployments_and_not_by_kind_of_request() -> None:
    routes = table(*(entry(name, "m") for name in "abc"))
    at = standing()

    firsts = [
        order(made(routes, request, at=at))[0]
        for request in (
            ask(strategy="round_robin"),
            ask(strategy="round_robin", stream=True),
            ask(strategy="round_robin", model="m"),
        )
    ]

    assert firsts == ["a/m", "b/m", "c/m"]


def test_round_robin_turns_those_behind_a_named_provider_too() -> None:
    routes = table(*(entry(name, "m") for name in "abc"), strategy="round_robin")
    at = standing()

    plans = [order(made(routes, ask(provider="b"), at=at)) for _ in range(3)]

    assert plans == [["b/m", "a/m", "c/m"], ["b/m", "c/m", "a/m"], ["b/m", "a/m", "c/m"]]


@pytest.mark.parametrize("strategy", [s for s in get_args(Strategy) if s not in ("priority", "weighted", "latency")])
def test_default_provider_breaks_ties_and_no_more(strategy: Strategy) -> None:
    tie = table(entry("a", MIDDLE, priority=1), entry("b", MIDDLE, priority=2), default_provider="b")
    assert order(made(tie, ask(strategy=strategy))) == ["b/middle", "a/middle"]

    if strategy == "least_busy":
        assert order(made(tie, ask(strategy=strategy), at=standing(Observed(in_flight={"b/middle": 1}))))[0][0] == "a"
    elif strategy != "round_robin":
        cheaper = table(entry("a", CHEAP), entry("b", MIDDLE), default_provider="b")
        assert order(made(cheaper, ask(strategy=strategy)))[0] == "a/cheap"


@pytest.mark.parametrize("strategy", get_args(Strategy))
def test_what_the_caller_names_goes_first_under_every_strategy(strategy: Strategy) -> None:
    routes = table(entry("a", CHEAP, TALKER, priority=1), entry("b", TALKER, MIDDLE, priority=2), strategy=strategy)
    fast = Observed(latency_s={"a/talker": 9.0, "b/talker": 9.0, "a/cheap": 0.1}, in_flight={"b/talker": 9})

    assert {*order(made(routes, ask(model="talker"), at=standing(fast)))[:2]} == {"a/talker", "b/talker"}
    assert order(made(routes, ask(model="talker", provider="b"), at=standing(fast)))[0] == "b/talker"
    assert order(made(routes, ask(provider="b"), at=standing(fast)))[0].startswith("b/")


def test_a_named_provider_is_ordered_within_and_the_rest_after_it() -> None:
    routes = table(entry("a", FREE), entry("b", TALKER, CHEAP), strategy="cost_aware")

    assert order(made(routes, ask(provider="b"))) == ["b/cheap", "b/talker", "a/free"]


def test_fallback_list_bounds_the_pool() -> None:
    routes = table(entry("a", FREE), entry("b", TALKER), entry("c", CHEAP), strategy="cost_aware")

    assert order(made(routes, ask(fallback_providers=("b", "c")))) == ["a/free", "c/cheap", "b/talker"]
    assert order(
        made(
            table(
                entry("a", FREE),
                entry("b", TALKER),
                entry("c", CHEAP),
                default_provider="b",
                fallback_providers=("c",),
                strategy="cost_aware",
            ),
            ask(),
        )
    ) == ["c/cheap", "b/talker"]


def test_without_fallbacks_only_the_best_is_asked_and_the_others_say_why() -> None:
    routes = table(entry("a", TALKER), entry("b", CHEAP, MIDDLE), strategy="cost_aware", default_provider="b")

    plan = made(routes, ask(fallback_providers=()))

    assert order(plan) == ["b/cheap"]
    assert {c.deployment: c.reason for c in plan.left_out} == {
        "b/middle": "nobody but the first choice is to be asked (fallback_providers is empty)"
    }


def test_strategy_of_the_request_overrules_that_of_the_policy() -> None:
    routes = table(entry("a", TALKER), entry("b", CHEAP), strategy="cost_aware")

    assert order(made(routes, ask())) == ["b/cheap", "a/talker"]
    assert order(made(routes, ask(strategy="priority"))) == ["a/talker", "b/cheap"]


def test_priority_has_no_score() -> None:
    assert scores(made(table(entry("a", "m"), entry("b", "m")), ask())) == [None, None]


def test_embeddings_are_ordered_among_deployments_of_one_model_only() -> None:
    vectors = priced("vectors", 1.0, 0.0, embeddings=True)
    cheaper = priced("vectors", 0.5, 0.0, embeddings=True)
    others = priced("others", 0.0, 0.0, embeddings=True)
    routes = table(entry("a", vectors), entry("b", others), entry("c", cheaper), strategy="cost_aware")
    request = EmbedRequest(request_id=RequestId("r1"), inputs=("Hello",))

    plan = routes.plan(request, estimated_input_tokens=3, standing=standing())

    assert order(plan) == ["c/vectors", "a/vectors"]  # type: ignore[arg-type]
    assert "cannot be compared" in plan.left_out[0].reason  # type: ignore[union-attr]


@pytest.mark.parametrize("strategy", get_args(Strategy))
def test_every_strategy_says_what_it_orders_by(strategy: Strategy) -> None:
    words = order_words(ordering_of(strategy, None))
    plan = made(table(entry("a", CHEAP), entry("b", MIDDLE)), ask(strategy=strategy))

    assert bool(words) == (strategy != "priority")
    assert all(words in choice.reason for choice in plan.choices)
