"""Does what becomes of requests reach health, the metrics and whoever watches, and nothing else?"""

from __future__ import annotations

from functools import partial

import trio

from manus.actors.health import Health, NotBefore
from manus.actors.router_desk import RouterCell
from manus.messages.ids import deployment_id
from manus.messages.routing import DeploymentMetrics, RoutingMetrics, RoutingMetricsAsked
from manus.messages.routing_policy import HealthPolicy, RetryPolicy, RouterPolicy
from manus.messages.watching import BreakerMoved
from manus.sim.behaviour import Script
from manus.sim.faults import Rejected, Stall
from tests.actors.rig import MODEL, Rig, Upstreams, asked, finished, open_rig, unfinished

POLICY = RouterPolicy(
    retry=RetryPolicy(same_deployment=0), health=HealthPolicy(failures=3, open_s=10.0, jitter=0.0, silent_s=5.0)
)
A = deployment_id("a", MODEL)


def health_of(rig: Rig) -> Health:
    cell = rig.tree._ground.slots["router"].cell
    assert isinstance(cell, RouterCell)
    return cell.health


async def metrics_of_a(rig: Rig) -> DeploymentMetrics:
    answer = await rig.router.ask(RoutingMetricsAsked(), deadline=trio.current_time() + 5.0)
    assert isinstance(answer, RoutingMetrics)
    return {each.deployment: each for each in answer.deployments}[A]


async def test_failures_of_requests_open_a_breaker_that_metrics_show_and_events_tell(autojump_clock: object) -> None:
    down = Upstreams(Script(fault=Rejected(status=500)))
    async with open_rig(("a", down), ("b", Upstreams()), policy=POLICY) as rig:
        for _ in range(3):
            assert finished(await rig.generate()).provider == "b"
        metrics = await metrics_of_a(rig)
        assert (metrics.attempts, metrics.failures, metrics.in_flight) == (3, {"server": 3}, 0)
        assert metrics.breaker == "open"
        assert metrics.resting == "3 failures in a row, the last: server (HTTP 500)"
        assert metrics.ready_in_s is not None
        assert 0.0 < metrics.ready_in_s <= 10.0
        [moved] = [event for event in rig.events if isinstance(event, BreakerMoved)]
        assert (moved.deployment, moved.after, moved.reason) == (A, "open", metrics.resting)
        asked_before = down.sim.bill.totals().requests
        finished(await rig.generate())
        assert down.sim.bill.totals().requests == asked_before  # it is left alone
        await rig.check()


async def test_one_bad_request_opens_nothing(autojump_clock: object) -> None:
    down = Upstreams(Script(fault=Rejected(status=400)))
    async with open_rig(("a", down), policy=POLICY) as rig:
        for _ in range(20):
            assert unfinished(await rig.generate()).failure.kind == "invalid_request"
        assert (await metrics_of_a(rig)).breaker == "closed"
        assert health_of(rig).all_well
        await rig.check()


async def test_silence_until_the_deadline_counts_only_after_a_fair_wait(autojump_clock: object) -> None:
    silent = Upstreams(Script(fault=Stall(where="headers")))
    for within_s, breaker in ((4.0, "closed"), (6.0, "open")):
        async with open_rig(("a", silent), policy=POLICY) as rig:
            for _ in range(3):
                assert unfinished(await rig.generate(within_s=within_s)).failure.kind == "deadline"
            assert (await metrics_of_a(rig)).breaker == breaker
            assert health_of(rig).in_flight(A) == 0


async def test_a_wait_for_our_own_places_is_no_silence_of_the_vendor(autojump_clock: object) -> None:
    busy = Upstreams(Script(words=120, gap_s=0.1))
    async with open_rig(("a", busy), policy=POLICY, concurrency=1) as rig:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(rig.generate)
            await trio.sleep(0.1)
            for _ in range(3):
                nursery.start_soon(partial(rig.ask, within_s=8.0))
        assert (await metrics_of_a(rig)).failures == {"deadline": 3}
        assert health_of(rig).all_well


async def test_callers_that_leave_say_nothing_and_give_their_places_back(autojump_clock: object) -> None:
    silent = Upstreams(Script(fault=Stall(where="headers")))
    async with open_rig(("a", silent), policy=POLICY) as rig:
        for _ in range(20):
            with trio.move_on_after(9.0):
                await rig.generate()
        await rig.settled()
        assert health_of(rig).in_flight(A) == 0
        assert health_of(rig).all_well


async def test_a_crash_of_the_router_leaves_no_place_taken(autojump_clock: object) -> None:
    silent = Upstreams(Script(fault=Stall(where="headers")))
    async with open_rig(("a", silent), policy=POLICY) as rig:
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(rig.ask)
            await trio.sleep(1.0)
            assert health_of(rig).in_flight(A) == 5
            rig.tree.crash("router", ZeroDivisionError("injected"))
        await rig.settled()
        assert health_of(rig).in_flight(A) == 0
        assert health_of(rig).all_well


async def test_a_caller_that_reads_slowly_makes_no_deployment_slow(autojump_clock: object) -> None:
    async with open_rig(("a", Upstreams(Script(words=60, gap_s=0.01))), policy=POLICY) as rig:
        request = asked(stream=True)
        with rig.router.ask_stream(request, deadline=trio.current_time() + 600.0, buffer=1) as dialog:
            async for _ in dialog:
                await trio.sleep(2.0)
            await dialog.outcome()
        metrics = await metrics_of_a(rig)
        assert metrics.latency_s is not None
        assert 0.3 < metrics.latency_s < 10.0
        await rig.check()


async def test_nobody_waits_for_the_end_of_the_long_answer_that_shows_that_a_provider_is_well(
    autojump_clock: object,
) -> None:
    down = Upstreams(Script(fault=Rejected(status=500)))
    async with open_rig(("a", down), policy=POLICY) as rig:
        for _ in range(3):
            unfinished(await rig.generate())
        down.sim.behave(Script(words=400, gap_s=0.1))
        await trio.sleep(11.0)
        ends: list[float] = []

        async def stream() -> None:
            _, outcome = await rig.stream(within_s=100.0)
            finished(outcome)
            ends.append(trio.current_time())

        began_at = trio.current_time()
        async with trio.open_nursery() as nursery:
            for _ in range(4):
                nursery.start_soon(stream)
        assert max(ends) - began_at < 50.0  # one after the other they would take four times forty seconds
        moves = [(each.before, each.after) for each in rig.events if isinstance(each, BreakerMoved)]
        assert moves == [("closed", "open"), ("open", "half_open"), ("half_open", "closed")]
        await rig.check()


async def test_a_429_is_waited_for_and_is_no_failure(autojump_clock: object) -> None:
    limited = Upstreams(Script(fault=Rejected(status=429, retry_after_s=20.0)))
    async with open_rig(("a", limited), ("b", Upstreams()), policy=POLICY) as rig:
        finished(await rig.generate())
        metrics = await metrics_of_a(rig)
        assert metrics.breaker == "closed"
        assert metrics.ready_in_s is not None
        assert 19.0 < metrics.ready_in_s <= 20.0
        verdict = health_of(rig).verdict(A, provider="a", key=None, now=trio.current_time())
        assert isinstance(verdict, NotBefore)
        assert not [event for event in rig.events if isinstance(event, BreakerMoved)]
