"""What the router does with deployments that rest: whom it asks instead, how long it waits, what it spares a vendor."""

from __future__ import annotations

import random

import pytest
import trio

from manus.messages.content import Text
from manus.messages.events import Reset
from manus.messages.outcomes import Outcome, Unfinished
from manus.messages.policy import ModelCard
from manus.messages.routing_policy import HealthPolicy, RetryPolicy, RouterPolicy
from manus.messages.watching import BreakerMoved
from manus.sim.behaviour import Behaviour, Script
from manus.sim.faults import Cut, ErrorInside, Rejected, Stall
from tests.actors.rig import PRICE, Rig, Upstreams, finished, open_rig, results, text_seen, unfinished

FAILURES = 3
OPEN_S = 5.0
POLICY = RouterPolicy(
    retry=RetryPolicy(same_deployment=0), health=HealthPolicy(failures=FAILURES, open_s=OPEN_S, jitter=0.0)
)
BROKEN = Script(fault=Rejected(status=500))
FINE = Script(text="fine")


def asked_of(upstreams: Upstreams) -> int:
    return upstreams.sim.bill.totals().requests


async def open_breaker(rig: Rig, provider: str = "a") -> None:
    for _ in range(FAILURES):
        unfinished(await rig.generate(provider=provider, fallback_providers=(), within_s=1.0))


async def test_deployment_with_an_open_breaker_is_not_asked_and_the_route_says_why(autojump_clock: object) -> None:
    first = Upstreams(BROKEN)
    async with open_rig(("a", first), ("b", Upstreams(FINE)), policy=POLICY) as rig:
        await open_breaker(rig)
        outcome = finished(await rig.generate())

        assert asked_of(first) == FAILURES
        assert results(outcome) == [("b", "ok", "settled")]
        assert outcome.route.attempts[0].role == "first"
        resting = outcome.route.candidates[0]
        assert (resting.deployment, resting.breaker) == ("a/sim-large", "open")
        assert resting.ready_in_s == pytest.approx(OPEN_S)
        (moved,) = [event for event in rig.events if isinstance(event, BreakerMoved)]
        assert (moved.deployment, moved.after, moved.retry_in_s) == ("a/sim-large", "open", OPEN_S)
        await rig.check()


async def test_lone_deployment_that_rests_is_waited_for_and_one_request_finds_out_for_all(
    autojump_clock: object,
) -> None:
    first = Upstreams(Behaviour(script=FINE, first=(BROKEN,) * FAILURES))
    outcomes: list[Outcome] = []
    async with open_rig(("a", first), policy=POLICY) as rig:
        await open_breaker(rig)

        async def ask() -> None:
            outcomes.append(await rig.generate())

        async with trio.open_nursery() as nursery:
            for _ in range(6):
                nursery.start_soon(ask)

        assert [finished(each).provider for each in outcomes] == ["a"] * 6
        assert asked_of(first) == FAILURES + 6
        assert all(each.route.attempts[0].started_s >= OPEN_S for each in outcomes)
        assert len({each.route.attempts[0].started_s for each in outcomes}) > 1
        await rig.check()


async def test_traffic_returns_once_a_probe_succeeded(autojump_clock: object) -> None:
    first = Upstreams(Behaviour(script=FINE, first=(BROKEN,) * FAILURES))
    async with open_rig(("a", first), ("b", Upstreams(FINE)), policy=POLICY) as rig:
        await open_breaker(rig)
        before = finished(await rig.generate()).provider
        await trio.sleep(OPEN_S)
        after = [finished(await rig.generate()).provider for _ in range(3)]

        assert (before, after) == ("b", ["a", "a", "a"])
        moves = [(each.before, each.after) for each in rig.events if isinstance(each, BreakerMoved)]
        assert moves == [("closed", "open"), ("open", "half_open"), ("half_open", "closed")]


async def test_where_all_rest_for_longer_than_the_deadline_the_caller_is_told_at_once(autojump_clock: object) -> None:
    limited = Upstreams(Script(fault=Rejected(status=429, retry_after_s=30.0)))
    async with open_rig(("a", Upstreams(BROKEN)), ("b", limited), policy=POLICY) as rig:
        await open_breaker(rig)
        unfinished(await rig.generate(within_s=4.0))
        began = trio.current_time()
        failure = unfinished(await rig.generate(within_s=4.0))

        assert trio.current_time() == began
        assert failure.failure.kind == "unavailable"
        assert failure.failure.retry_after_s == pytest.approx(OPEN_S)
        assert failure.failure.safe_to_retry
        assert "a/sim-large for 5 s (" in failure.failure.message
        assert "b/sim-large for 30 s (" in failure.failure.message
        assert failure.route.attempts == ()
        assert failure.route.gave_up is not None
        assert "deadline" in failure.route.gave_up


async def test_request_that_ends_in_a_429_says_when_the_first_of_all_is_back(autojump_clock: object) -> None:
    ways = [
        (name, Upstreams(Script(fault=Rejected(status=429, retry_after_s=after_s))))
        for name, after_s in (("a", 20.0), ("b", 40.0))
    ]
    async with open_rig(*ways, policy=POLICY) as rig:
        failure = unfinished(await rig.generate(within_s=10.0)).failure

        assert (failure.kind, failure.retry_after_s) == ("rate_limited", 20.0)


async def test_caller_who_leaves_while_waiting_leaves_nothing_behind(autojump_clock: object) -> None:
    first = Upstreams(BROKEN)
    async with open_rig(("a", first), policy=POLICY) as rig:
        await open_breaker(rig)
        with trio.move_on_after(2.0) as patience:
            await rig.generate()

        assert patience.cancelled_caught
        await rig.check()
        assert asked_of(first) == FAILURES
        assert len(rig.rows()) == FAILURES


async def test_request_whose_deadline_is_past_asks_nobody(autojump_clock: object) -> None:
    first = Upstreams(FINE)
    async with open_rig(("a", first)) as rig:
        await trio.sleep(1.0)
        answer = await rig.ask(within_s=-1.0)

        assert type(answer).__name__ in ("Expired", "Unfinished")
        assert asked_of(first) == 0
        assert rig.rows() == []


async def test_stream_whose_successor_turns_out_to_rest_ends_with_what_broke_it_off(autojump_clock: object) -> None:
    text = "one two three four five"
    short = Script(fault=Rejected(status=429, retry_after_s=8.0))
    long = Script(latency_s=3.0, fault=Rejected(status=429, retry_after_s=60.0))
    successor = Upstreams(Behaviour(script=Script(text=text), first=(long, short)))
    cut = Upstreams(Script(text=text, gap_s=0.5, fault=Cut(where="body", after_chunks=2)))
    async with open_rig(("a", cut), ("b", successor), policy=POLICY) as rig, trio.open_nursery() as nursery:

        async def limited() -> None:
            assert isinstance(await rig.ask(provider="b", fallback_providers=(), within_s=4.0), Unfinished)

        nursery.start_soon(limited)
        await trio.sleep(0.1)
        nursery.start_soon(limited)
        await trio.sleep(0.1)
        _, outcome = await rig.stream(within_s=20.0)

        ended = unfinished(outcome)
        assert ended.failure.kind == "network"
        assert ended.partial is not None
        assert ended.partial.parts == (Text(text="one two"),)
        assert ended.route.gave_up is not None
        assert "b/sim-large rests" in ended.route.gave_up
        await rig.check()


# --- sparing a vendor ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(2))
async def test_provider_that_fails_for_ever_is_not_hammered(seed: int, autojump_clock: object) -> None:
    requests, gap_s = 400, 0.2
    retry = RetryPolicy(same_deployment=3, base_s=0.01, budget_ratio=0.2, budget_min=2)
    policy = RouterPolicy(retry=retry, health=HealthPolicy(failures=1000, failure_rate=1.1))
    down = Upstreams(BROKEN)
    async with open_rig(("a", down), ("b", Upstreams(FINE)), policy=policy, seed=seed) as rig:
        outcomes = await _pour(rig, requests, gap_s)

        assert all(finished(each).provider == "b" for each in outcomes)
        minutes = requests * gap_s // 60.0 + 1  # so many in any case in each of them
        assert requests < asked_of(down) <= requests * (1 + retry.budget_ratio) + retry.budget_min * minutes
        await rig.check()


@pytest.mark.parametrize("seed", range(2))
async def test_once_its_breaker_is_open_a_provider_is_only_probed(seed: int, autojump_clock: object) -> None:
    requests, gap_s = 400, 0.2
    health = HealthPolicy(failures=FAILURES, open_s=OPEN_S, open_max_s=OPEN_S, jitter=0.0)
    down = Upstreams(BROKEN)
    policy = RouterPolicy(retry=RetryPolicy(budget_min=0), health=health)
    async with open_rig(("a", down), ("b", Upstreams(FINE)), policy=policy, seed=seed) as rig:
        outcomes = await _pour(rig, requests, gap_s)

        assert all(finished(each).provider == "b" for each in outcomes)
        assert asked_of(down) <= FAILURES + requests * gap_s / OPEN_S + 1
        await rig.check()


async def test_vendor_that_limits_for_ever_is_asked_no_more_often_than_it_allows(autojump_clock: object) -> None:
    limited = Upstreams(Script(fault=Rejected(status=429, retry_after_s=5.0)))
    async with open_rig(("a", limited), ("b", Upstreams(FINE)), policy=POLICY) as rig:
        await _pour(rig, 300, 0.1)

        assert asked_of(limited) <= 300 * 0.1 / 5.0 + 1


async def _pour(rig: Rig, requests: int, gap_s: float) -> list[Outcome]:
    outcomes: list[Outcome] = []
    rng = random.Random(1)

    async def ask() -> None:
        outcomes.append(await rig.generate())

    async with trio.open_nursery() as nursery:
        for _ in range(requests):
            nursery.start_soon(ask)
            await trio.sleep(gap_s * 2 * rng.random())
    return outcomes


# --- each wire ------------------------------------------------------------------------------------------------------

WIRES = ("openai", "openai-responses", "anthropic", "bedrock", "ollama")


@pytest.mark.parametrize("wire", WIRES)
async def test_error_inside_a_200_before_any_content_is_a_failure_like_any_other(
    wire: str, autojump_clock: object
) -> None:
    failing = Upstreams(Script(text="never", fault=ErrorInside(after_chunks=0)), wire=wire)
    async with open_rig(("a", failing), ("b", Upstreams(FINE)), policy=POLICY) as rig:
        events, outcome = await rig.stream(on_interrupt="error")

        assert text_seen(events) == "fine"
        assert not any(isinstance(event, Reset) for event in events)
        assert [(each.provider, each.role) for each in finished(outcome).route.attempts] == [
            ("a", "first"),
            ("b", "failover"),
        ]
        await rig.check()


@pytest.mark.parametrize("wire", WIRES)
async def test_stream_that_only_began_is_silent_and_gives_way(wire: str, autojump_clock: object) -> None:
    silent = Upstreams(Script(text="never", fault=Stall(where="first_token")), wire=wire)
    async with open_rig(("a", silent), ("b", Upstreams(FINE))) as rig:
        events, outcome = await rig.stream(on_interrupt="error")

        assert text_seen(events) == "fine"
        assert [each.result for each in outcome.route.attempts] == ["timeout", "ok"]
        assert asked_of(silent) == 1
        await rig.check()


# --- what the route tells -------------------------------------------------------------------------------------------


async def test_route_tells_why_each_attempt_was_made_what_it_set_aside_and_why_no_other_followed(
    autojump_clock: object,
) -> None:
    ways = (("a", Upstreams(BROKEN)), ("b", Upstreams(Script(fault=Rejected(status=401)))))
    async with open_rig(*ways, policy=RouterPolicy(retry=RetryPolicy(same_deployment=1))) as rig:
        route = unfinished(await rig.generate()).route

        assert [each.role for each in route.attempts] == ["first", "retry", "failover"]
        assert route.gave_up == "no candidate is left"
        for attempt, row in zip(route.attempts, rig.rows(), strict=True):
            kept = attempt.reservation
            assert kept is not None
            assert kept.bound == row.bound
            assert kept.estimate_nano_usd == PRICE.cost_nano_usd(kept.estimate)
            assert kept.bound_nano_usd is not None
            assert kept.bound_nano_usd >= (kept.estimate_nano_usd or 0)


async def test_what_a_policy_refused_is_the_clean_error_of_the_one_who_refused(autojump_clock: object) -> None:
    refusing = Upstreams(Script(fault=Rejected(status=400, code="content_policy_violation")))
    other = Upstreams(FINE)
    async with open_rig(("a", refusing), ("b", other)) as rig:
        ended = unfinished(await rig.generate())

        assert ended.failure.kind == "content_policy"
        assert "Before that" not in ended.failure.message
        assert asked_of(other) == 0


async def test_what_a_policy_refused_goes_to_the_fallback_that_is_named_for_it(autojump_clock: object) -> None:
    refusing = Upstreams(Script(fault=Rejected(status=400, code="content_policy_violation")))
    other, lenient = Upstreams(FINE), Upstreams(Script(text="lenient"))
    cards = {name: (ModelCard(name="sim-large", price=PRICE),) for name in "abc"}
    policy = RouterPolicy(policy_fallbacks=("c",), fallback_providers=("b",), default_provider="a")
    async with open_rig(("a", refusing), ("b", other), ("c", lenient), policy=policy, cards=cards) as rig:
        outcome = finished(await rig.generate())

        assert results(outcome) == [("a", "content_policy", "released"), ("c", "ok", "settled")]
        assert asked_of(other) == 0
