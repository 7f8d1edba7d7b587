"""A dry run tells what a request would meet, and changes nothing; a real route tells the same of what it met."""

from __future__ import annotations

import pickle

import pytest
import trio

from manus.actors.estimates.bound import bound_usage, worst_cost_nano_usd
from manus.actors.estimates.prompt import estimate_usage
from manus.actors.router_desk import RouterCell
from manus.messages.failures import Failed
from manus.messages.outcomes import Finished, Route
from manus.messages.policy import KeyPolicy, ModelCard
from manus.messages.requests import ChatRequest, RoutingCriteria, Strategy
from manus.messages.routing import ExplainAsked, TokensAsked, TokensTold
from manus.messages.routing_policy import HealthPolicy, RetryPolicy, RouterPolicy
from manus.messages.usage import Price
from manus.sim.behaviour import Behaviour, Script
from manus.sim.faults import Rejected
from tests.actors.keyed import KeyedUpstreams
from tests.actors.rig import MODEL, PRICE, Rig, Upstreams, asked, finished, open_rig

DEAR = ModelCard(name=MODEL, price=Price(input=10**10, output=10**10, version="test"), context_tokens=32_000)


def healthy() -> Upstreams:
    return Upstreams(Script(text="Once upon a time"))


async def explained(rig: Rig, request: ChatRequest) -> Route:
    route = await rig.router.ask(ExplainAsked(request=request), deadline=trio.current_time() + 5.0)
    assert isinstance(route, Route), route
    return route


def cell_of(rig: Rig) -> RouterCell:
    cell = rig.tree._ground.slots["router"].cell
    assert isinstance(cell, RouterCell)
    return cell


def state_of(cell: RouterCell) -> bytes:
    """Give all that a request could change: whatever the cell holds, down to its generators."""
    return pickle.dumps(cell)


async def test_a_dry_run_tells_scores_reasons_and_what_would_be_reserved(autojump_clock: object) -> None:
    policy = RouterPolicy(strategy="cost_aware")
    cards = {"c": (ModelCard(name="blind", vision=False),), "a": (DEAR,)}
    async with open_rig(("a", healthy()), ("b", healthy()), ("c", healthy()), policy=policy, cards=cards) as rig:
        request = asked(max_output_tokens=100, criteria=RoutingCriteria(requires_vision=True))
        route = await explained(rig, request)
        card = ModelCard(name=MODEL, price=PRICE, context_tokens=32_000)
        estimate, bound = estimate_usage(request, card), bound_usage(request, card)

    assert route.strategy == "cost_aware"
    assert [(c.deployment, c.rank, c.breaker, c.ready_in_s) for c in route.candidates] == [
        ("b/sim-large", 0, "closed", None),
        ("a/sim-large", 1, "closed", None),
    ]
    assert all("nano-USD" in candidate.reason for candidate in route.candidates)
    assert [(c.deployment, c.rank, c.reason) for c in route.left_out] == [("c/blind", None, "cannot read images")]
    assert route.attempts == ()
    reservation = route.reservation
    assert reservation is not None
    assert (reservation.estimate, reservation.bound) == (estimate, bound)
    assert reservation.estimate_nano_usd == PRICE.cost_nano_usd(estimate) == route.candidates[0].score
    assert reservation.bound_nano_usd == worst_cost_nano_usd(PRICE, bound)


@pytest.mark.parametrize("strategy", ["round_robin", "weighted", "latency", "least_busy", "priority"])
async def test_a_dry_run_leaves_no_trace_and_tells_what_the_request_then_meets(
    strategy: Strategy, autojump_clock: object
) -> None:
    keyed = KeyedUpstreams({"one": Script(text="Once"), "two": Script(text="Once")})
    policy = RouterPolicy(strategy=strategy)
    async with open_rig(("a", keyed), ("b", healthy()), ("c", healthy()), policy=policy) as rig:
        finished(await rig.generate(conversation_id="talk"))
        cell = cell_of(rig)
        for request in (asked(), asked(conversation_id="talk"), asked(stream=True)):
            before = state_of(cell)
            told = [await explained(rig, request) for _ in range(3)]
            assert told[0] == told[1] == told[2]
            assert state_of(cell) == before
        request = asked(conversation_id="talk")
        expected = await explained(rig, request)
        answer = await rig.router.ask(request, deadline=trio.current_time() + 30.0)
        assert isinstance(answer, Finished)
        assert answer.route.candidates == expected.candidates
        assert answer.route.attempts[0].deployment == expected.candidates[0].deployment


async def test_resting_deployments_stay_in_the_route_and_say_for_how_long(autojump_clock: object) -> None:
    rejecting = Upstreams(Behaviour(script=Script(text="", fault=Rejected(status=503))))
    policy = RouterPolicy(
        health=HealthPolicy(failures=1, open_s=20.0, jitter=0.0), retry=RetryPolicy(same_deployment=0)
    )
    async with open_rig(("a", rejecting), ("b", healthy()), policy=policy) as rig:
        finished(await rig.generate())
        cell = cell_of(rig)
        before = state_of(cell)
        route = await explained(rig, asked())
        assert state_of(cell) == before
        first, second = route.candidates
        assert (first.deployment, first.breaker) == ("a/sim-large", "open")
        assert first.ready_in_s is not None
        assert 15.0 < first.ready_in_s <= 20.0
        assert "rests" in first.reason
        assert (second.breaker, second.ready_in_s) == ("closed", None)
        outcome = finished(await rig.generate())
        assert outcome.provider == "b"
        assert outcome.route.candidates[0].breaker == "open"

        await trio.sleep(25.0)
        (ready, _) = (await explained(rig, asked())).candidates
        assert (ready.breaker, ready.ready_in_s) == ("half_open", None)


async def test_a_dry_run_of_what_nobody_can_answer_gives_the_failure(autojump_clock: object) -> None:
    async with open_rig(("a", healthy())) as rig:
        for request, kind in (
            (asked(model="nothing"), "no_candidate"),
            (asked(criteria=RoutingCriteria(max_cost_usd=-1.0)), "invalid_request"),
            (asked(criteria=RoutingCriteria(max_cost_usd=0.0)), "no_candidate"),
        ):
            failure = await rig.router.ask(ExplainAsked(request=request), deadline=trio.current_time() + 5.0)
            assert isinstance(failure, Failed)
            assert failure.kind == kind


async def test_a_conversation_stays_with_the_deployment_that_answered_it(autojump_clock: object) -> None:
    policy = RouterPolicy(strategy="round_robin")
    async with open_rig(("a", healthy()), ("b", healthy()), ("c", healthy()), policy=policy) as rig:
        firsts = [finished(await rig.generate(conversation_id=talk)).provider for talk in ("x", "y", "z")]
        again = [finished(await rig.generate(conversation_id=talk)) for talk in ("z", "x", "y", "z")]

    assert firsts == ["a", "b", "c"]
    assert [outcome.provider for outcome in again] == ["c", "a", "b", "c"]
    assert again[0].route.candidates[0].reason == "answered this conversation before"


async def test_a_conversation_moves_on_with_whoever_took_over(
    autojump_clock: object,
) -> None:
    failing = Upstreams(
        Behaviour(script=Script(text="Once"), first=(Script(text=""), Script(text="", fault=Rejected(status=503))))
    )
    policy = RouterPolicy(strategy="least_busy", retry=RetryPolicy(same_deployment=0))
    async with open_rig(("a", failing), ("b", healthy()), policy=policy) as rig:
        providers = [finished(await rig.generate(conversation_id="talk")).provider for _ in range(3)]

    # The second answer came from b, because a failed; so does the third, although a is as little busy again.
    assert providers == ["a", "b", "b"]


async def test_keys_take_turns_and_a_conversation_keeps_its_key(autojump_clock: object) -> None:
    keyed = KeyedUpstreams({"one": Script(text="Once"), "two": Script(text="Once")})
    assert all(isinstance(key, KeyPolicy) for key in keyed.key_policies)
    async with open_rig(("a", keyed)) as rig:
        for _ in range(4):
            finished(await rig.generate())
        assert [account.asked for account in keyed.of.values()] == [2, 2]
        for _ in range(3):
            finished(await rig.generate(conversation_id="talk"))
        assert sorted(account.asked for account in keyed.of.values()) == [2, 5]


async def test_turns_and_conversations_survive_a_crash_of_the_router(autojump_clock: object) -> None:
    policy = RouterPolicy(strategy="round_robin")
    async with open_rig(("a", healthy()), ("b", healthy()), ("c", healthy()), policy=policy) as rig:
        assert [finished(await rig.generate(conversation_id=talk)).provider for talk in ("x", "y")] == ["a", "b"]

        rig.tree.crash("router", ZeroDivisionError("injected"))
        await trio.sleep(5.0)

        assert finished(await rig.generate(conversation_id="y")).provider == "b"
        assert finished(await rig.generate()).provider == "c"


async def test_how_long_a_prompt_may_be_is_told_with_how_long_it_is(autojump_clock: object) -> None:
    card = ModelCard(name=MODEL, price=PRICE, context_tokens=32_000, prompt_tokens=20_000, max_output_tokens=4_000)
    async with open_rig(("a", healthy()), ("b", healthy()), cards={"a": (card,)}) as rig:
        told = await rig.router.ask(TokensAsked(request=asked("x" * 400)), deadline=trio.current_time() + 5.0)
        assert isinstance(told, TokensTold)
        assert (told.window_tokens, told.prompt_tokens_max, told.output_tokens_max) == (32_000, 20_000, 4_000)
        told = await rig.router.ask(TokensAsked(request=asked("hm, " * 40_000)), deadline=trio.current_time() + 5.0)
        assert isinstance(told, TokensTold)
        assert told.provider == "b", "of those that may be asked the one with the larger window"
        assert (told.window_tokens, told.prompt_tokens_max, told.output_tokens_max) == (32_000, 32_000, None)
