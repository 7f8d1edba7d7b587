"""Requests under limits and budgets, from the router's side: elsewhere first, then in line, then a clear refusal."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import trio
import trio.testing

from manus.messages.ids import deployment_id
from manus.messages.limits import (
    AdmissionPolicy,
    BudgetRule,
    LimitRule,
    LimitsAsked,
    LimitsTold,
    Scope,
    UnpricedAdmitted,
)
from manus.messages.outcomes import Finished, Outcome, Unfinished
from manus.messages.policy import ModelCard
from manus.messages.routing_policy import RetryPolicy, RouterPolicy
from manus.sim.behaviour import Script
from tests.actors.rig import MODEL, PRICE, Rig, Upstreams, books_of, open_rig

TEXT = "one two three"
TAKES_S = 2.0
TOKENS = 4_000
"""A cap on answers, so that their bounds are known."""


def upstream(takes_s: float = TAKES_S) -> Upstreams:
    return Upstreams(Script(text=TEXT, latency_s=takes_s))


def on(provider: str, **limits: Any) -> LimitRule:
    return LimitRule(scope=Scope("provider", provider), source=f"providers.{provider}.limits", **limits)


class Crowd:
    """Requests under way; what each came to, and when."""

    def __init__(self, rig: Rig, nursery: trio.Nursery) -> None:
        self.rig = rig
        self.ended: dict[str, Outcome] = {}
        self.at: dict[str, float] = {}
        self.scopes: dict[str, trio.CancelScope] = {}
        self._nursery = nursery
        self._began = trio.current_time()
        self._under_way = 0
        self._one_ended = trio.Event()

    async def add(self, name: str, **fields: Any) -> None:
        self._nursery.start_soon(self._one, name, fields)
        await trio.testing.wait_all_tasks_blocked()

    async def all_ended(self) -> None:
        """Return when each has its end."""
        while self._under_way:
            await self._one_ended.wait()

    async def _one(self, name: str, fields: dict[str, Any]) -> None:
        self._under_way += 1
        with trio.CancelScope() as self.scopes[name]:
            self.ended[name] = await self.rig.generate(**{"within_s": 500.0, **fields})
            self.at[name] = trio.current_time() - self._began
        self._under_way -= 1
        ended, self._one_ended = self._one_ended, trio.Event()
        ended.set()

    def finished(self, name: str) -> Finished:
        ended = self.ended[name]
        assert isinstance(ended, Finished), ended
        return ended

    def unfinished(self, name: str) -> Unfinished:
        ended = self.ended[name]
        assert isinstance(ended, Unfinished), ended
        return ended


def results(outcome: Outcome) -> list[tuple[str, str]]:
    return [(attempt.provider, attempt.result) for attempt in outcome.route.attempts]


async def told(rig: Rig) -> LimitsTold:
    answer = await rig.accounting.ask(LimitsAsked(), deadline=trio.current_time() + 5.0)
    assert isinstance(answer, LimitsTold)
    return answer


def is_conserved(rig: Rig) -> None:
    books = books_of(rig.tree)
    assert books.admission.open_keys == frozenset(books.ledger.open_keys)


async def test_a_limit_that_is_reached_sends_the_request_elsewhere(autojump_clock: trio.testing.MockClock) -> None:
    policy = AdmissionPolicy(limits=(on("a", concurrency=1),))
    async with open_rig(("a", upstream()), ("b", upstream()), admission=policy) as rig, trio.open_nursery() as nursery:
        crowd = Crowd(rig, nursery)
        for name in ("first", "second"):
            await crowd.add(name)
        await crowd.all_ended()
        assert results(crowd.finished("first")) == [("a", "ok")]
        assert results(crowd.finished("second")) == [("a", "admission"), ("b", "ok")]
        assert crowd.at["second"] == pytest.approx(TAKES_S), "nobody waited"
        is_conserved(rig)


async def test_who_has_nobody_else_to_ask_waits_in_line_at_its_first_attempt(
    autojump_clock: trio.testing.MockClock,
) -> None:
    policy = AdmissionPolicy(limits=(on("a", concurrency=1),))
    async with open_rig(("a", upstream()), admission=policy) as rig, trio.open_nursery() as nursery:
        crowd = Crowd(rig, nursery)
        for name in ("first", "second", "third"):
            await crowd.add(name)
        await crowd.all_ended()
        for turn, name in enumerate(("first", "second", "third"), 1):
            assert results(crowd.finished(name)) == [("a", "ok")]
            assert crowd.at[name] == pytest.approx(turn * TAKES_S)
        is_conserved(rig)


async def test_where_all_are_full_it_is_waited_for_the_first(autojump_clock: trio.testing.MockClock) -> None:
    policy = AdmissionPolicy(limits=(on("a", concurrency=1), on("b", concurrency=1)))
    async with (
        open_rig(("a", upstream(5.0)), ("b", upstream(9.0)), admission=policy) as rig,
        trio.open_nursery() as nursery,
    ):
        crowd = Crowd(rig, nursery)
        for name in ("first", "second", "third"):
            await crowd.add(name)
        await crowd.all_ended()
        assert results(crowd.finished("third")) == [("a", "admission"), ("b", "admission"), ("a", "ok")]
        assert crowd.at["third"] == pytest.approx(10.0)
        is_conserved(rig)


async def test_a_request_of_one_attempt_waits_with_it(autojump_clock: trio.testing.MockClock) -> None:
    limited = AdmissionPolicy(limits=(on("a", concurrency=1),))
    once = RouterPolicy(retry=RetryPolicy(attempts_max=1))
    async with (
        open_rig(("a", upstream()), ("b", upstream()), admission=limited, policy=once) as rig,
        trio.open_nursery() as nursery,
    ):
        crowd = Crowd(rig, nursery)
        for name in ("first", "second"):
            await crowd.add(name)
        await crowd.all_ended()
        assert results(crowd.finished("second")) == [("a", "ok")]
        assert crowd.at["second"] == pytest.approx(2 * TAKES_S)


async def test_the_last_attempt_waits_for_room(autojump_clock: trio.testing.MockClock) -> None:
    limited = AdmissionPolicy(limits=(on("a", concurrency=1), on("b", concurrency=1), on("c", concurrency=1)))
    twice = RouterPolicy(retry=RetryPolicy(attempts_max=2))
    ways = [(name, upstream()) for name in "abc"]
    async with open_rig(*ways, admission=limited, policy=twice) as rig, trio.open_nursery() as nursery:
        crowd = Crowd(rig, nursery)
        for name in ("first", "second", "third"):
            await crowd.add(name)
        await crowd.all_ended()
        assert results(crowd.finished("third")) == [("a", "admission"), ("b", "ok")]


async def test_waiting_in_line_makes_nobody_slow(autojump_clock: trio.testing.MockClock) -> None:
    policy = AdmissionPolicy(limits=(on("a", concurrency=1),))
    async with open_rig(("a", upstream()), admission=policy) as rig, trio.open_nursery() as nursery:
        crowd = Crowd(rig, nursery)
        for number in range(10):
            await crowd.add(f"r{number}")
        await crowd.all_ended()
        cell = rig.tree._ground.slots["router"].cell
        latency_s = cell.health.latency(deployment_id("a", MODEL), trio.current_time())
        assert latency_s == pytest.approx(TAKES_S, rel=0.01)


async def test_a_deadline_that_passes_in_line_is_the_requests_and_leaves_nothing(
    autojump_clock: trio.testing.MockClock,
) -> None:
    policy = AdmissionPolicy(limits=(on("a", concurrency=1),))
    async with open_rig(("a", upstream(20.0)), admission=policy) as rig, trio.open_nursery() as nursery:
        crowd = Crowd(rig, nursery)
        await crowd.add("first", within_s=60.0)
        await crowd.add("second", within_s=5.0)
        await crowd.add("third", within_s=60.0)
        await crowd.all_ended()
        assert crowd.unfinished("second").failure.kind == "deadline"
        assert crowd.at["second"] == pytest.approx(5.0, abs=0.2)
        assert crowd.at["third"] == pytest.approx(40.0)
        is_conserved(rig)


async def test_a_caller_who_leaves_the_line_takes_nothing_from_it(autojump_clock: trio.testing.MockClock) -> None:
    policy = AdmissionPolicy(limits=(on("a", concurrency=1),))
    async with open_rig(("a", upstream()), admission=policy) as rig, trio.open_nursery() as nursery:
        crowd = Crowd(rig, nursery)
        for name in ("first", "second", "third"):
            await crowd.add(name)
        crowd.scopes["second"].cancel()
        await crowd.all_ended()
        assert crowd.at["third"] == pytest.approx(2 * TAKES_S)
        assert {row.state for row in rig.store.rows.values()} == {"settled"}
        is_conserved(rig)


async def test_a_minute_that_is_full_beyond_the_deadline_refuses_at_once(
    autojump_clock: trio.testing.MockClock,
) -> None:
    policy = AdmissionPolicy(limits=(on("a", requests_per_minute=1),))
    async with open_rig(("a", upstream()), admission=policy) as rig, trio.open_nursery() as nursery:
        crowd = Crowd(rig, nursery)
        await crowd.add("first")
        await crowd.all_ended()
        began = trio.current_time()
        await crowd.add("hasty", within_s=30.0)
        await crowd.all_ended()
        failure = crowd.unfinished("hasty").failure
        assert failure.kind == "admission"
        assert failure.retry_after_s == pytest.approx(61.0, abs=1.0)
        assert "providers.a.limits" in failure.message
        assert trio.current_time() - began < 1.0, "it did not hang until its deadline"
        await crowd.add("patient", within_s=90.0)
        await crowd.all_ended()
        assert results(crowd.finished("patient")) == [("a", "ok")]


async def test_a_long_stream_gives_its_request_back_a_minute_after_its_head(
    autojump_clock: trio.testing.MockClock,
) -> None:
    policy = AdmissionPolicy(limits=(on("a", requests_per_minute=1),))
    way = Upstreams(Script(text="word " * 100, gap_s=0.7))
    async with open_rig(("a", way), admission=policy) as rig, trio.open_nursery() as nursery:
        nursery.start_soon(partial(rig.stream, within_s=500.0))
        await trio.sleep(60.0)
        assert (await told(rig)).limits[0].used == 1
        await trio.sleep(2.0)
        assert (await told(rig)).limits[0].used == 0
        assert len(books_of(rig.tree).ledger.open_keys) == 1, "and it still streams"


async def test_a_spent_budget_is_an_end_and_not_a_wait(autojump_clock: trio.testing.MockClock) -> None:
    cost = PRICE.worst_nano_usd(input_tokens=2_000, output_tokens=TOKENS)
    assert cost is not None
    policy = AdmissionPolicy(budgets=(BudgetRule(amount=cost, source="budgets.usd_per_day"),))
    async with open_rig(("a", upstream()), ("b", upstream()), admission=policy) as rig:
        outcomes: list[Outcome] = []
        for _ in range(400):
            outcomes.append(await rig.generate(max_output_tokens=TOKENS))
            if isinstance(outcomes[-1], Unfinished):
                break
        last = outcomes[-1]
        assert isinstance(last, Unfinished)
        assert last.failure.kind == "budget_exceeded"
        assert last.failure.retry_after_s is not None
        assert results(last) == [("a", "budget_exceeded"), ("b", "budget_exceeded")], "and neither was asked again"
        assert (await told(rig)).budgets[0].spent <= cost
        is_conserved(rig)


async def test_callers_wait_for_what_open_calls_may_give_back(autojump_clock: trio.testing.MockClock) -> None:
    bound = PRICE.worst_nano_usd(input_tokens=1_000, output_tokens=TOKENS)
    assert bound is not None
    policy = AdmissionPolicy(budgets=(BudgetRule(amount=2 * bound),))
    async with open_rig(("a", upstream()), admission=policy) as rig, trio.open_nursery() as nursery:
        crowd = Crowd(rig, nursery)
        for number in range(30):
            await crowd.add(f"r{number}", max_output_tokens=TOKENS)
        await crowd.all_ended()
        assert all(isinstance(outcome, Finished) for outcome in crowd.ended.values())
        is_conserved(rig)


async def test_callers_in_line_survive_a_crash_of_accounting(autojump_clock: trio.testing.MockClock) -> None:
    policy = AdmissionPolicy(limits=(on("a", concurrency=1),))
    async with open_rig(("a", upstream()), admission=policy) as rig, trio.open_nursery() as nursery:
        crowd = Crowd(rig, nursery)
        for name in ("first", "second", "third"):
            await crowd.add(name)
        rig.tree.crash("accounting", RuntimeError("injected"))
        await crowd.all_ended()
        for name in ("first", "second", "third"):
            assert results(crowd.finished(name))[-1] == ("a", "ok")
        assert rig.upstreams["a"].sim.in_flight_peak == 1
        is_conserved(rig)


async def test_headers_of_one_answer_hold_back_the_next_ones(autojump_clock: trio.testing.MockClock) -> None:
    way = Upstreams(Script(text=TEXT, limits_reset_s=20.0))
    async with open_rig(("a", way), ("b", upstream(0.1))) as rig:
        await rig.generate()
        told_of = await told(rig)
        assert any(limit.learnt for limit in told_of.limits)
        assert results(await rig.generate())[-1] == ("b", "ok")


async def test_a_model_without_a_price_is_passed_over_for_one_that_has_one(
    autojump_clock: trio.testing.MockClock,
) -> None:
    cards = {"a": (ModelCard(name=MODEL, context_tokens=32_000),)}
    policy = AdmissionPolicy(on_unknown_price="refuse")
    async with open_rig(("a", upstream()), ("b", upstream()), admission=policy, cards=cards) as rig:
        assert results(await rig.generate()) == [("a", "budget_exceeded"), ("b", "ok")]
    async with open_rig(("a", upstream()), admission=policy, cards=cards) as rig:
        failure = (await rig.generate()).failure  # type: ignore[union-attr]
        assert "cost_per_input" in failure.message
    allowed = AdmissionPolicy(budgets=(BudgetRule(amount=1_000_000_000),))
    async with open_rig(("a", upstream()), admission=allowed, cards=cards) as rig:
        for _ in range(2):
            assert isinstance(await rig.generate(), Finished)
        assert len([event for event in rig.events if isinstance(event, UnpricedAdmitted)]) == 1
