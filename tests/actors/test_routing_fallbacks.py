"""Who stands in for whom: fallback lists, stand-ins for a model, and who is asked after a content policy refused."""

from __future__ import annotations

import pytest

from manus.actors.routing.table import RoutingTable
from manus.messages.policy import ModelCard
from manus.messages.requests import RoutingCriteria
from manus.messages.routing_policy import RouterPolicy
from tests.actors.planning import ask, entry, made, order, priced, reasons, refusal, table

A = entry("a", "m1", "m2", priority=2)
B = entry("b", "m2", "org/m3", priority=1)
C = entry("c", "m4", priority=3)


@pytest.mark.parametrize(
    ("fallback", "expected"),
    [
        (("a/m2", "c"), ["b/m2", "a/m2", "c/m4"]),
        (("a/m2", "a"), ["b/m2", "a/m2", "a/m1"]),
        (("a", "a/m2"), ["b/m2", "a/m1", "a/m2"]),
        (("b/m2", "b/org/m3"), ["b/m2", "b/org/m3"]),
        (("b",), ["b/m2"]),
    ],
)
@pytest.mark.parametrize("by_policy", [True, False])
def test_a_fallback_is_an_entry_or_one_of_its_models(
    fallback: tuple[str, ...], expected: list[str], by_policy: bool
) -> None:
    routes = table(A, B, C, **({"fallback_providers": fallback} if by_policy else {}))

    assert order(made(routes, ask() if by_policy else ask(fallback_providers=fallback))) == expected


def test_a_fallback_to_a_model_that_is_not_listed_is_taken_by_who_takes_any() -> None:
    routes = table(A, entry("any", any_model=True))

    assert order(made(routes, ask(fallback_providers=("any/org/new",)))) == ["a/m1", "any/org/new"]
    assert order(made(routes, ask(fallback_providers=("any/x", "a/")))) == ["a/m1", "any/x"]


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ("nobody", "No provider is called 'nobody'. There are: a, b, c."),
        ("nobody/m1", "No provider is called 'nobody'"),
        ("a/m9", "The provider 'a' lists no model 'm9'. There are: m1, m2."),
        ("b/org/x", "The provider 'b' lists no model 'org/x'. Did you mean 'org/m3'?"),
    ],
)
def test_an_unknown_fallback_of_a_request_is_refused_with_what_there_is(item: str, said: str) -> None:
    failure = refusal(table(A, B, C), ask(fallback_providers=("a", item)))

    assert (failure.kind, failure.param, failure.safe_to_retry) == ("no_candidate", "fallback_providers", True)
    assert said in failure.message


@pytest.mark.parametrize(
    "policy",
    [
        RouterPolicy(fallback_providers=("nobody",)),
        RouterPolicy(fallback_providers=("a/m9",)),
        RouterPolicy(policy_fallbacks=("nobody/m1",)),
        RouterPolicy(policy_fallbacks=("c/m1",)),
        RouterPolicy(fallbacks={"m9": ("m1",)}),
        RouterPolicy(fallbacks={"m1": ("m9",)}),
        RouterPolicy(fallbacks={"m1": ("a/m9",)}),
        RouterPolicy(default_provider="nobody"),
    ],
)
def test_a_policy_that_names_what_does_not_exist_is_a_mistake_of_the_wiring(policy: RouterPolicy) -> None:
    with pytest.raises(ValueError, match=r"nobody|m9|'m1'"):
        RoutingTable((A, B, C), policy)


def test_weights_that_are_no_shares_are_a_mistake_of_the_wiring() -> None:
    for weight in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="weight"):
            RoutingTable((entry("a", "m", weight=weight), entry("b", "m")), RouterPolicy())
    with pytest.raises(ValueError, match="sum to zero"):
        RoutingTable((entry("a", "m", weight=0.0), entry("b", "m", weight=0.0)), RouterPolicy())


def test_a_policy_may_name_what_a_disabled_entry_has() -> None:
    routes = table(
        A,
        C,
        disabled=("off",),
        fallback_providers=("off/x", "c"),
        policy_fallbacks=("off",),
        fallbacks={"m1": ("off/x",)},
    )

    plan = made(routes, ask(model="m1"))

    assert order(plan) == ["a/m1", "c/m4"]
    assert "disabled" in reasons(plan)["off/x"]


def test_what_stands_in_for_a_model_follows_it_and_comes_before_the_fallback_list() -> None:
    routes = table(A, B, C, fallbacks={"m1": ("c/m4", "m2"), "m4": ("org/m3",)}, default_provider="a")

    # c/m4, then m2 of the default provider and of the other owner, then what stands in for m4, then by priority.
    assert order(made(routes, ask(model="m1"))) == ["a/m1", "c/m4", "a/m2", "b/m2", "b/org/m3"]
    assert order(made(routes, ask(model="m4"))) == ["c/m4", "b/org/m3", "b/m2", "a/m1"]
    assert order(made(routes, ask())) == ["a/m1", "b/m2", "c/m4"]
    told: dict[str, str] = {choice.deployment: choice.reason for choice in made(routes, ask(model="m1")).choices}
    assert told["c/m4"] == "stands in for the model asked for"


def test_models_may_stand_in_for_each_other_and_the_plan_still_ends() -> None:
    routes = table(A, B, C, fallbacks={"m1": ("m2",), "m2": ("m4",), "m4": ("m1", "m4")}, fallback_providers=())

    assert order(made(routes, ask(model="m1"))) == ["a/m1", "b/m2", "a/m2", "c/m4"]
    assert order(made(routes, ask(model="m4"))) == ["c/m4", "a/m1", "b/m2", "a/m2"]


def test_a_request_with_a_fallback_list_of_its_own_has_no_other_stand_ins() -> None:
    routes = table(A, B, C, fallbacks={"m1": ("m2",)})

    assert order(made(routes, ask(model="m1", fallback_providers=("c",)))) == ["a/m1", "c/m4"]
    assert order(made(routes, ask(model="m1", fallback_providers=()))) == ["a/m1"]


def test_stand_ins_keep_their_order_under_a_strategy_that_orders_by_cost() -> None:
    cheap, dear, middle = priced("cheap", 1, 1), priced("dear", 9, 9), priced("middle", 5, 5)
    routes = table(
        entry("a", cheap), entry("b", dear), entry("c", middle), strategy="cost_aware", fallbacks={"middle": ("dear",)}
    )

    assert order(made(routes, ask(model="middle"))) == ["c/middle", "b/dear", "a/cheap"]


def test_an_entry_s_name_wins_over_a_model_of_the_same_spelling_where_the_entry_has_it() -> None:
    gateway = entry("gate", "a/m1", "a/other", priority=9)
    routes = table(A, gateway, fallbacks={"m2": ("a/m1", "a/other")}, fallback_providers=())

    assert order(made(routes, ask(model="m2"))) == ["a/m2", "a/m1", "gate/a/other"]


def test_policy_fallbacks_are_kept_for_after_a_content_policy_refused() -> None:
    routes = table(A, B, C, policy_fallbacks=("c", "b/org/m3"), fallback_providers=("b",))

    plan = made(routes, ask(provider="a"))

    assert [(c.deployment, c.use, c.after_policy) for c in plan.choices] == [
        ("a/m1", "any", False),
        ("b/m2", "any", False),
        ("c/m4", "policy", True),
        ("b/org/m3", "policy", True),
    ]


def test_a_policy_fallback_that_is_asked_in_its_turn_stands_in_the_plan_once_and_serves_both() -> None:
    plan = made(table(A, B, C, policy_fallbacks=("c",)), ask())

    assert [(c.deployment, c.use, c.after_policy) for c in plan.choices] == [
        ("b/m2", "any", False),
        ("a/m1", "any", False),
        ("c/m4", "any", True),
    ]


def test_a_larger_sibling_that_is_a_policy_fallback_stands_in_the_plan_once_and_serves_both() -> None:
    small, large = ModelCard(name="s", context_tokens=1000), ModelCard(name="l", context_tokens=9000)
    plan = made(table(entry("a", small, large), policy_fallbacks=("a/l",)), ask(), tokens=10)

    assert [(c.deployment, c.use, c.after_policy) for c in plan.choices] == [
        ("a/s", "any", False),
        ("a/l", "larger_window", True),
    ]


def test_a_policy_fallback_that_is_not_able_is_left_out() -> None:
    blind = ModelCard(name="blind", vision=False)
    routes = table(A, entry("p", blind), policy_fallbacks=("p",), fallback_providers=())

    plan = made(routes, ask(wants=RoutingCriteria(requires_vision=True)))

    assert order(plan) == ["a/m1"]
    assert reasons(plan) == {"p/blind": "cannot read images"}


def test_policy_fallbacks_never_come_forward_for_a_long_prompt() -> None:
    small = ModelCard(name="s", context_tokens=1000)
    large = ModelCard(name="l", context_tokens=900_000)
    routes = table(entry("a", small), entry("p", large), policy_fallbacks=("p",), fallback_providers=())

    assert refusal(routes, ask(), tokens=50_000).kind == "context_length"
    plan = made(routes, ask(), tokens=1500)
    assert [(c.deployment, c.use) for c in plan.choices] == [("a/s", "any"), ("p/l", "policy")]


def test_nobody_else_is_nobody_after_a_content_policy_either() -> None:
    routes = table(A, C, policy_fallbacks=("c",))

    assert order(made(routes, ask(fallback_providers=()))) == ["a/m1"]
