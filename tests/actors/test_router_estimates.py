"""What a vendor reports of one call makes the estimate of the next one nearer, per model, and outlives the router."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from manus.actors.estimates.bound import bound_usage
from manus.actors.estimates.measure import measure
from manus.actors.estimates.prompt import estimate_prompt_tokens
from manus.actors.router_desk import RouterCell
from manus.messages.outcomes import Finished, Reservation, Route
from manus.messages.policy import ModelCard
from manus.messages.requests import ReasoningOptions
from manus.messages.routing import ExplainAsked
from manus.messages.routing_policy import RouterPolicy
from manus.messages.usage import Price
from manus.sim.behaviour import Script
from tests.actors.rig import MODEL, PRICE, Rig, Upstreams, asked, finished, open_rig

CAPITALS = "HARBOUR " * 200
"""The simulated vendors count a token a word; by classes of characters each of these is more than two."""

CARD = ModelCard(name=MODEL, price=PRICE, context_tokens=32_000)


def vendor(text: str = "fine", **script: Any) -> Upstreams:
    return Upstreams(Script(text=text, **script))


def reserved(outcome: Finished) -> Reservation:
    reservation = outcome.route.attempts[-1].reservation
    assert reservation is not None
    return reservation


async def generated(rig: Rig, times: int, **fields: Any) -> Finished:
    outcomes = [finished(await rig.generate(**fields)) for _ in range(times)]
    return outcomes[-1]


def cell_of(rig: Rig) -> RouterCell:
    cell = rig.tree._ground.slots["router"].cell
    assert isinstance(cell, RouterCell)
    return cell


@pytest.mark.parametrize("cached_tokens", [0, 100], ids=["fresh", "cached"])
async def test_the_next_estimate_is_nearer_to_the_vendors_count(cached_tokens: int, autojump_clock: object) -> None:
    request = asked(CAPITALS)
    async with open_rig(("a", vendor(cached_tokens=cached_tokens))) as rig:
        first = await generated(rig, 1, text=CAPITALS)
        later = await generated(rig, 20, text=CAPITALS)
    told = first.usage.input_total
    assert first.usage.cache_read == cached_tokens
    assert reserved(first).estimate.input_uncached == estimate_prompt_tokens(request) > 2 * told
    assert reserved(later).estimate.input_uncached == pytest.approx(told, rel=0.2)
    assert reserved(later).bound == bound_usage(request, CARD), "experience moves what is expected, never the bound"


async def test_a_dry_run_expects_what_the_request_would(autojump_clock: object) -> None:
    async with open_rig(("a", vendor())) as rig:
        await generated(rig, 10, text=CAPITALS)
        route = await rig.router.ask(ExplainAsked(request=asked(CAPITALS)), deadline=trio.current_time() + 5.0)
        then = await generated(rig, 1, text=CAPITALS)
    assert isinstance(route, Route)
    assert route.reservation == reserved(then)


async def test_what_was_learnt_outlives_a_crash_of_the_router(autojump_clock: object) -> None:
    async with open_rig(("a", vendor())) as rig:
        told = (await generated(rig, 20, text=CAPITALS)).usage.input_total
        rig.tree.crash("router", RuntimeError("injected"))
        await rig.settled()
        after = await generated(rig, 1, text=CAPITALS)
    assert reserved(after).estimate.input_uncached == pytest.approx(told, rel=0.2)


async def test_each_entry_is_learnt_of_by_itself(autojump_clock: object) -> None:
    async with open_rig(("a", vendor()), ("b", vendor())) as rig:
        await generated(rig, 20, text=CAPITALS, provider="a")
        other = await generated(rig, 1, text=CAPITALS, provider="b")
    assert reserved(other).estimate.input_uncached == estimate_prompt_tokens(asked(CAPITALS))


async def test_an_answer_teaches_what_its_text_counts(autojump_clock: object) -> None:
    async with open_rig(("a", vendor(text=CAPITALS))) as rig:
        await generated(rig, 60)
        ratio = cell_of(rig).calibration.output_ratio("a", MODEL, MODEL)
    assert ratio < 0.9, "the vendor counts fewer tokens than are estimated"


@pytest.mark.parametrize(
    ("script", "fields"),
    [
        ({"reasoning": "word " * 60}, {}),
        ({}, {"reasoning": ReasoningOptions(effort="high")}),
    ],
    ids=["thinking that is told apart", "thinking that may be hidden"],
)
async def test_thinking_is_not_taken_for_a_dense_vocabulary(
    script: dict[str, Any], fields: dict[str, Any], autojump_clock: object
) -> None:
    async with open_rig(("a", vendor(text="word " * 100, **script))) as rig:
        plain = cell_of(rig).calibration.output_ratio("a", MODEL, MODEL)
        await generated(rig, 80, **fields)
        ratio = cell_of(rig).calibration.output_ratio("a", MODEL, MODEL)
    assert ratio == pytest.approx(plain, rel=0.2)


async def test_what_a_cut_stream_used_is_estimated_by_what_was_learnt(autojump_clock: object) -> None:
    text = "HARBOUR " * 40
    async with open_rig(("a", Upstreams(Script(text=text, gap_s=1.0, chunk_tokens=10), wire="anthropic"))) as rig:
        for _ in range(30):
            cell_of(rig).calibration.observe_output("a", MODEL, MODEL, 221, 105)
        request = asked(stream=True)
        with rig.router.ask_stream(request, deadline=trio.current_time() + 30, buffer=64) as dialog:
            with trio.move_on_after(3.5):
                async for _ in dialog:
                    pass
        await rig.settled()
        usage = rig.rows()[0].usage
    seen = rig.upstreams["a"].sim.bill.totals().output_tokens
    assert usage.source == "estimated"
    assert usage.output == pytest.approx(seen, rel=0.2), "by classes of characters alone it would be twice as much"


async def test_no_estimate_in_a_vendors_place_is_more_than_was_set_aside(autojump_clock: object) -> None:
    text = "HARBOUR " * 200
    async with open_rig(("a", Upstreams(Script(text=text, gap_s=1.0, chunk_tokens=30), wire="ollama"))) as rig:
        for _ in range(30):
            cell_of(rig).calibration.observe_output("a", MODEL, MODEL, 100, 240)
            cell_of(rig).calibration.observe_prompt("a", MODEL, MODEL, measure(asked("Hi")), 100_000)
        request = asked("Hi", stream=True, max_output_tokens=100)
        with rig.router.ask_stream(request, deadline=trio.current_time() + 30, buffer=64) as dialog:
            with trio.move_on_after(2.5):
                async for _ in dialog:
                    pass
        await rig.settled()
        (row,) = rig.rows()
    assert row.usage.source == "estimated"
    assert row.usage.input_total <= row.bound.input_total
    assert row.usage.output <= row.bound.output
    assert (row.usage.input_total, row.usage.output) == (row.bound.input_total, row.bound.output), "both were beyond it"


async def test_the_cheapest_is_found_by_what_each_family_counts(autojump_clock: object) -> None:
    # Claude counts some 12 % more tokens of the same text, so that a price that is 5 % lower is not the lower cost.
    price = Price(input=95 * 10**7, output=0, version="test")
    cards = {
        "a": (ModelCard(name="gpt-4o", price=Price(input=10**9, output=0, version="test")),),
        "b": (ModelCard(name="claude-sonnet-4-5", price=price),),
    }
    policy = RouterPolicy(strategy="cost_aware")
    prompt = "The harbour master keeps a ledger of every boat that leaves before dawn. " * 40
    async with open_rig(("a", vendor()), ("b", vendor()), policy=policy, cards=cards) as rig:
        outcome = await generated(rig, 1, text=prompt)
        route = await rig.router.ask(ExplainAsked(request=asked(prompt)), deadline=trio.current_time() + 5.0)
    assert [attempt.model for attempt in outcome.route.attempts] == ["gpt-4o"]
    assert isinstance(route, Route)
    assert [candidate.deployment for candidate in route.candidates] == ["a/gpt-4o", "b/claude-sonnet-4-5"]
    cheaper, dearer = (candidate.score or 0.0 for candidate in route.candidates)
    assert dearer == pytest.approx(0.95 * 1.12 * cheaper, rel=0.02)
