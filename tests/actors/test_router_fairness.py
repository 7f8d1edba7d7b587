"""Who is let in when there is much to do: interactive requests at once or not at all, batch ones in their turn."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
import trio
import trio.testing

from manus.messages.outcomes import Finished, Outcome, Unfinished
from manus.messages.requests import EmbedRequest, Priority
from manus.messages.routing import RoutingMetrics, RoutingMetricsAsked
from manus.messages.routing_policy import RetryPolicy, RouterPolicy
from manus.sim.behaviour import Script
from manus.supervisor.dialog import Dialog
from manus.supervisor.terminals import ActorFailed, Withdrawn
from tests.actors.rig import Rig, Upstreams, asked, open_rig, outcome_of, unfinished

TEXT = "one two three"
TAKES_S = 2.0


def upstream(takes_s: float = TAKES_S) -> Upstreams:
    return Upstreams(Script(text=TEXT, latency_s=takes_s))


def policy(places: int = 4, *, batch_share: float = 0.5, waiting_max: int = 8) -> RouterPolicy:
    return RouterPolicy(in_flight_max=places, batch_share=batch_share, batch_waiting_max=waiting_max)


async def metrics_of(rig: Rig) -> RoutingMetrics:
    metrics = await rig.router.ask(RoutingMetricsAsked(), deadline=trio.current_time() + 5)
    assert isinstance(metrics, RoutingMetrics)
    return metrics


class Crowd:
    """Requests under way, and when each ended and how."""

    def __init__(self, rig: Rig, nursery: trio.Nursery) -> None:
        self.rig = rig
        self.ended: dict[str, tuple[float, object]] = {}
        self._nursery = nursery

    async def add(self, name: str, priority: Priority = "interactive", **fields: Any) -> None:
        """Start request `name`; on return it is in flight, waits, or was shed."""
        self._nursery.start_soon(self._one, name, {"priority": priority, **fields})
        await trio.testing.wait_all_tasks_blocked()

    async def _one(self, name: str, fields: dict[str, Any]) -> None:
        answer = await self.rig.ask(**fields)
        self.ended[name] = (trio.current_time(), answer)

    def finished_at(self, name: str) -> float:
        at, answer = self.ended[name]
        assert isinstance(answer, Finished), answer
        return at

    def kind_of(self, name: str) -> str:
        return unfinished(outcome_of(self.ended[name][1])).failure.kind


# --- who goes first -----------------------------------------------------------------------------------------------


async def test_batch_waits_in_order_while_interactive_goes_ahead(autojump_clock: object) -> None:
    async with open_rig(("a", upstream()), policy=policy()) as rig, trio.open_nursery() as nursery:
        crowd = Crowd(rig, nursery)
        for number in range(5):
            await crowd.add(f"batch {number}", "batch")
        assert (await metrics_of(rig)).waiting == 3
        await crowd.add("somebody")
        await crowd.add("somebody else")
        metrics = await metrics_of(rig)
        assert (metrics.in_flight, metrics.waiting, metrics.in_flight_peak) == (4, 3, 4)
        await rig.settled()

        assert [crowd.finished_at(name) for name in ("somebody", "somebody else")] == [2.0, 2.0]
        # Two at a time: half of the four places are for batch requests.
        assert [crowd.finished_at(f"batch {n}") for n in range(5)] == [2.0, 2.0, 4.0, 4.0, 6.0]
        metrics = await metrics_of(rig)
        assert (metrics.waiting, metrics.in_flight, metrics.shed, metrics.requests) == (0, 0, 0, 7)
        await rig.check()


async def test_interactive_request_that_finds_no_place_is_shed_at_once_and_costs_nothing(
    autojump_clock: object,
) -> None:
    async with open_rig(("a", upstream()), policy=policy(2)) as rig, trio.open_nursery() as nursery:
        crowd = Crowd(rig, nursery)
        for number in range(4):
            await crowd.add(str(number))
        assert {name: crowd.kind_of(name) for name in crowd.ended} == {"2": "shed", "3": "shed"}
        (at, _), failure = crowd.ended["2"], unfinished(outcome_of(crowd.ended["2"][1])).failure
        assert at == 0.0
        assert (failure.safe_to_retry, failure.phase) == (True, "queued")
        assert "in_flight_max" in failure.message
        await rig.settled()
        assert len(rig.rows()) == 2
        assert (await metrics_of(rig)).shed == 2
        await rig.check()


@pytest.mark.parametrize("priority", ["interactive", "batch"])
async def test_requests_of_one_moment_do_not_get_more_places_than_there_are(
    priority: Priority, autojump_clock: object
) -> None:
    limits = policy(2, batch_share=1.0, waiting_max=1)
    async with open_rig(("a", upstream()), policy=limits) as rig:
        outcomes: list[Outcome] = []

        async def one() -> None:
            outcomes.append(await rig.generate(priority=priority))

        async with trio.open_nursery() as nursery:
            for _ in range(6):
                nursery.start_soon(one)
        shed = [each for each in outcomes if isinstance(each, Unfinished)]
        assert [each.failure.kind for each in shed] == ["shed"] * (3 if priority == "batch" else 4)
        assert rig.upstreams["a"].sim.in_flight_peak == 2
        metrics = await metrics_of(rig)
        assert (metrics.in_flight, metrics.waiting, metrics.in_flight_peak) == (0, 0, 2)
        await rig.check()


async def test_batch_is_shed_where_the_room_is_full_and_is_told_by_how_much(autojump_clock: object) -> None:
    async with open_rig(("a", upstream()), policy=policy(waiting_max=1)) as rig, trio.open_nursery() as nursery:
        crowd = Crowd(rig, nursery)
        for number in range(4):
            await crowd.add(str(number), "batch")
        assert crowd.kind_of("3") == "shed"
        assert "batch_waiting_max" in unfinished(outcome_of(crowd.ended["3"][1])).failure.message
        await rig.settled()
        assert [crowd.finished_at(str(n)) for n in range(3)] == [2.0, 2.0, 4.0]


async def test_without_a_room_batch_is_shed_above_its_share(autojump_clock: object) -> None:
    async with open_rig(("a", upstream()), policy=policy(waiting_max=0)) as rig, trio.open_nursery() as nursery:
        crowd = Crowd(rig, nursery)
        for number in range(3):
            await crowd.add(str(number), "batch")
        assert crowd.kind_of("2") == "shed"


async def test_embeddings_do_not_wait(autojump_clock: object) -> None:
    async with open_rig(("a", upstream()), policy=policy(1)) as rig, trio.open_nursery() as nursery:
        crowd = Crowd(rig, nursery)
        await crowd.add("first", "batch")
        request = EmbedRequest(request_id=asked().request_id, inputs=("a",))
        answer = await rig.router.ask(request, deadline=trio.current_time() + 60)
        assert unfinished(outcome_of(answer)).failure.kind == "shed"
        assert trio.current_time() == 0.0


async def test_batch_request_that_makes_no_sense_is_refused_without_waiting(autojump_clock: object) -> None:
    async with open_rig(("a", upstream()), policy=policy(1)) as rig, trio.open_nursery() as nursery:
        crowd = Crowd(rig, nursery)
        await crowd.add("first", "batch")
        await crowd.add("bad", "batch", max_output_tokens=-1)
        assert (crowd.ended["bad"][0], crowd.kind_of("bad")) == (0.0, "invalid_request")
        assert (await metrics_of(rig)).waiting == 0


# --- how waiting ends ---------------------------------------------------------------------------------------------


async def test_deadline_ends_the_waiting_on_time_and_says_what_was_waited_for(autojump_clock: object) -> None:
    async with open_rig(("a", upstream(10.0)), policy=policy(1)) as rig, trio.open_nursery() as nursery:
        crowd = Crowd(rig, nursery)
        await crowd.add("first", "batch")
        await crowd.add("late", "batch", within_s=3.0)
        await crowd.add("next", "batch")
        await rig.settled()

        at, answer = crowd.ended["late"]
        outcome = unfinished(outcome_of(answer))
        assert 3.0 <= at <= 3.05
        assert (outcome.failure.kind, outcome.failure.safe_to_retry) == ("deadline", True)
        assert "its turn" in outcome.failure.message
        assert outcome.route.attempts == ()
        assert crowd.finished_at("next") == 20.0  # and not after a ghost
        assert len(rig.rows()) == 2
        await rig.check()


async def test_deadline_that_passes_after_the_waiting_is_told_as_any_other(autojump_clock: object) -> None:
    async with open_rig(("a", upstream(10.0)), policy=policy(1)) as rig, trio.open_nursery() as nursery:
        crowd = Crowd(rig, nursery)
        await crowd.add("first", "batch")
        await crowd.add("late", "batch", within_s=13.0)
        await rig.settled()
        outcome = unfinished(outcome_of(crowd.ended["late"][1]))
        assert outcome.failure.kind == "deadline"
        assert "its turn" not in outcome.failure.message
        assert [attempt.result for attempt in outcome.route.attempts] == ["deadline"]


async def test_who_leaves_while_it_waits_is_forgotten_at_once(autojump_clock: object) -> None:
    async with open_rig(("a", upstream()), policy=policy(1)) as rig, trio.open_nursery() as nursery:
        crowd = Crowd(rig, nursery)
        await crowd.add("first", "batch")
        with trio.move_on_after(1.0):
            await rig.ask(priority="batch")
        await trio.testing.wait_all_tasks_blocked()
        assert (await metrics_of(rig)).waiting == 0
        await crowd.add("next", "batch")
        await rig.settled()
        assert crowd.finished_at("next") == 4.0
        assert len(rig.rows()) == 2


async def test_who_waits_when_the_router_crashes_is_told_that_nothing_was_done(autojump_clock: object) -> None:
    class Blow(Exception):
        pass

    async with open_rig(("a", upstream()), policy=policy(1)) as rig, trio.open_nursery() as nursery:
        crowd = Crowd(rig, nursery)
        await crowd.add("first", "batch")
        await trio.sleep(0.5)
        await crowd.add("waits", "batch")
        rig.tree.crash("router", Blow())
        await trio.testing.wait_all_tasks_blocked()
        answer = crowd.ended["waits"][1]
        assert isinstance(answer, ActorFailed)
        assert (answer.kind, answer.safe_to_retry) == ("actor_crashed", True)

        # The next incarnation has all its places.
        await trio.sleep(1.0)
        await crowd.add("next", "batch")
        assert (await metrics_of(rig)).waiting == 0
        await rig.settled()
        crowd.finished_at("next")
        await rig.check()


async def test_drain_serves_those_who_wait(autojump_clock: object) -> None:
    async with open_rig(("a", upstream()), policy=policy(1)) as rig, trio.open_nursery() as nursery:
        crowd = Crowd(rig, nursery)
        for number in range(3):
            await crowd.add(str(number), "batch")
        await rig.tree.stop(drain_s=60.0, hard_s=5.0)
        assert [crowd.finished_at(str(n)) for n in range(3)] == [2.0, 4.0, 6.0]


# --- under load ---------------------------------------------------------------------------------------------------


class Load:
    """Open-loop load: requests come when they come, however many are under way, from a seed."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.sent = {"interactive": 0, "batch": 0}
        self.done = {"interactive": 0, "batch": 0}
        self.shed = {"interactive": 0, "batch": 0}
        self.longest_s = {"interactive": 0.0, "batch": 0.0}
        self.order: list[int] = []
        self.peaks = [0, 0]

    async def run(self, seed: int, rates: dict[Priority, float], *, lasts_s: float) -> None:
        """Offer so many requests a second of each priority, and see all of them out."""
        async with trio.open_nursery() as nursery:
            for priority, rate in rates.items():
                nursery.start_soon(self._offer, random.Random(f"{seed}/{priority}"), priority, rate, lasts_s, nursery)
            nursery.start_soon(self._watch, lasts_s)

    async def _offer(
        self, rng: random.Random, priority: Priority, rate: float, lasts_s: float, nursery: trio.Nursery
    ) -> None:
        while True:
            await trio.sleep(rng.expovariate(rate))
            if trio.current_time() > lasts_s:
                return
            self.sent[priority] += 1
            nursery.start_soon(self._one, priority, self.sent[priority])

    async def _one(self, priority: Priority, number: int) -> None:
        began_at = trio.current_time()
        outcome = await self.rig.generate(priority=priority, within_s=1000.0)
        took_s = trio.current_time() - began_at
        self.longest_s[priority] = max(self.longest_s[priority], took_s)
        if isinstance(outcome, Finished):
            self.done[priority] += 1
            if priority == "batch":
                self.order.append(number)
        else:
            assert isinstance(outcome, Unfinished)
            assert outcome.failure.kind == "shed"
            assert took_s == 0.0
            assert outcome.failure.retry_after_s
            self.shed[priority] += 1

    async def _watch(self, lasts_s: float) -> None:
        while trio.current_time() < lasts_s:
            await trio.sleep(0.5)
            metrics = await metrics_of(self.rig)
            self.peaks = [max(self.peaks[0], metrics.in_flight), max(self.peaks[1], metrics.waiting)]


@pytest.mark.parametrize("seed", range(3))
async def test_batch_progresses_beside_interactive_load_below_the_share(seed: int, autojump_clock: object) -> None:
    """Sixteen places for a second each: interactive requests take about two, batch ones would take more than all."""
    limits = policy(16, batch_share=0.5, waiting_max=1000)
    async with open_rig(("a", upstream(1.0)), policy=limits, concurrency=32) as rig:
        load = Load(rig)
        await load.run(seed, {"interactive": 2.0, "batch": 16.0}, lasts_s=30.0)
        assert load.done == load.sent
        assert load.shed == {"interactive": 0, "batch": 0}
        assert load.longest_s["interactive"] == pytest.approx(1.0)  # as if there were no batch at all
        assert load.peaks[0] <= 16
        assert load.peaks[1] > 50  # there was more than fitted,
        assert load.order == sorted(load.order)  # it was served in its order,
        # and never was less than the share in use while somebody waited: eight requests for every second.
        assert trio.current_time() <= sum(load.sent.values()) / 8 + 3.0
        assert (await metrics_of(rig)).waiting == 0
        await rig.check()


@pytest.mark.parametrize("seed", range(2))
async def test_overload_is_shed_and_the_rest_is_as_quick_as_ever(seed: int, autojump_clock: object) -> None:
    limits = policy(8, batch_share=0.75, waiting_max=10)
    async with open_rig(("a", upstream(1.0)), policy=limits, concurrency=16) as rig:
        load = Load(rig)
        await load.run(seed, {"interactive": 16.0, "batch": 4.0}, lasts_s=30.0)
        assert load.shed["interactive"] > 0.3 * load.sent["interactive"]
        assert load.longest_s["interactive"] == pytest.approx(1.0)
        assert load.peaks == [8, 10]
        assert all(load.done[kind] + load.shed[kind] == load.sent[kind] for kind in ("interactive", "batch"))
        # Interactive load beyond all places leaves batch requests nothing but the gaps.
        assert load.order == sorted(load.order)
        metrics = await metrics_of(rig)
        assert metrics.shed == sum(load.shed.values())
        assert (metrics.waiting, metrics.in_flight) == (0, 0)
        await rig.check()


async def test_shed_crowd_that_comes_back_when_told_finds_room(autojump_clock: object) -> None:
    """A burst of five times the places: told honestly when to come, it is served without being shed many times."""
    async with open_rig(("a", upstream(1.0)), policy=policy(8), concurrency=16) as rig:
        turned_away: list[int] = []
        came_back: list[float] = []

        async def insist() -> None:
            times = 0
            while True:
                outcome = await rig.generate()
                if isinstance(outcome, Finished):
                    break
                wait_s = unfinished(outcome).failure.retry_after_s
                assert wait_s is not None
                times += 1
                await trio.sleep(wait_s)
                came_back.append(trio.current_time())
            turned_away.append(times)

        # So that it is known how long a request takes.
        for _ in range(3):
            await rig.generate()
        began_at = trio.current_time()
        async with trio.open_nursery() as nursery:
            for _ in range(40):
                nursery.start_soon(insist)
        assert sum(turned_away) / 40 < 3.0
        assert len(set(came_back)) == len(came_back)
        assert trio.current_time() - began_at <= 2 * 40 / 8
        await rig.check()


# --- every step ---------------------------------------------------------------------------------------------------

AT_ONCE = RetryPolicy(same_deployment=0)
STEPS_MAX = 200


class Blow(Exception):
    """What is injected."""


class Struck:
    """One place that is held, one batch request that waits for it, one more behind it; and a blow at some step."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.held: Dialog | None = None
        self.waits: Dialog | None = None
        self.scope = trio.CancelScope()
        self.answers: dict[str, object] = {}
        self.over = False

    async def run(self, passes: int, blow: Callable[[Struck], None]) -> bool:
        """Give whether the blow fell before all was over."""
        struck = False
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._one, "held")
            nursery.start_soon(self._waiting)
            nursery.start_soon(self._one, "behind")
            for _ in range(passes):
                await trio.lowlevel.checkpoint()
            if len(self.answers) < 3:
                struck = True
                blow(self)
        return struck

    async def _one(self, name: str) -> None:
        self.answers[name] = await self.rig.ask(priority="batch")

    async def _waiting(self) -> None:
        request = asked(priority="batch", stream=True)
        self.answers["waits"] = None
        with self.scope, self.rig.router.ask_stream(request, deadline=trio.current_time() + 60) as dialog:
            self.waits = dialog
            async for _ in dialog:
                pass
            self.answers["waits"] = await dialog.outcome()


def leave(run: Struck) -> None:
    run.scope.cancel()


def cancel(run: Struck) -> None:
    if run.waits is not None:
        run.waits.cancel()


def crash(run: Struck) -> None:
    run.rig.tree.crash("router", Blow())


@pytest.mark.parametrize("blow", [leave, cancel, crash])
def test_blow_at_every_step_loses_no_place_and_nobody_waits_for_ever(blow: Callable[[Struck], None]) -> None:
    ends: set[str] = set()
    for passes in range(STEPS_MAX):
        struck = trio.run(_sweep_once, passes, blow, ends, clock=trio.testing.MockClock(autojump_threshold=0.0))
        if not struck:
            break
    else:
        pytest.fail("it never ended before the blow")
    assert passes > 10
    assert "Finished" in ends
    assert len(ends) > 1


async def _sweep_once(passes: int, blow: Callable[[Struck], None], ends: set[str]) -> bool:
    limits = RouterPolicy(in_flight_max=1, batch_share=1.0, batch_waiting_max=2, retry=AT_ONCE)
    async with open_rig(("a", Upstreams(Script(text=TEXT))), policy=limits) as rig:
        run = Struck(rig)
        with trio.fail_after(50.0):
            struck = await run.run(passes, blow)
        for name, answer in run.answers.items():
            ends.add(type(answer).__name__)
            if blow is not crash and name != "waits":
                assert isinstance(answer, Finished), (name, answer)
            match answer:
                case ActorFailed(kind=kind):
                    assert (blow, kind) == (crash, "actor_crashed")
                case Withdrawn() | Unfinished():
                    assert blow is cancel
                case None:
                    assert blow is leave
        await rig.check()
        metrics = await metrics_of(rig)
        assert (metrics.in_flight, metrics.waiting) == (0, 0)
        assert not [event for event in rig.events if type(event).__name__ == "RequestCrashed"]
        # All places are there.
        assert isinstance(await rig.generate(priority="batch"), Finished)
    return struck
