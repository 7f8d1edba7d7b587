"""Live totals of one agent: every attempt once, by provider and model, and what `reset` and `close` do to them."""

from __future__ import annotations

import pytest
import trio

import manus
from manus.messages.ids import RequestId, deployment_id
from manus.messages.outcomes import Booking
from manus.messages.usage import Usage
from manus.messages.watching import AttemptEnded
from manus.sim.behaviour import Script
from manus.sim.faults import FAULTS
from manus.supervisor.bus import EventBus
from manus.token_tracker import TokenTotals, TokenTracker
from tests.face.rig import Rig, open_rig


def ended(booking: Booking, *, cost: int | None = 7, model: str = "m", usage: Usage | None = None) -> AttemptEnded:
    return AttemptEnded(
        at=0.0,
        request_id=RequestId("req-1"),
        attempt=1,
        deployment=deployment_id("p", model),
        provider="p",
        model=model,
        result="ok",
        booking=booking,
        usage=usage or Usage(input_uncached=10, cache_read=5, output=3, source="reported"),
        cost_nano_usd=cost,
    )


async def test_a_tracker_counts_what_the_books_do(autojump_clock: trio.testing.MockClock) -> None:
    async with open_rig(Rig()) as agent:
        tracker = agent.token_tracker()
        responses = [await agent.generate("Hello"), await agent.generate("Hello", provider="second")]
        books = (await agent.get_usage_stats()).total

        assert tracker.total_tokens == sum(each.usage.total_tokens for each in responses) == books.total_tokens
        assert tracker.total.cost_nano_usd == books.cost_nano_usd > 0
        assert tracker.total_cost_usd == books.cost_usd
        assert sorted(tracker.by_provider()) == ["first", "second"]
        assert tracker.by_model()["first/big"].total_tokens == responses[0].usage.total_tokens
        assert tracker.total.attempts == 2


async def test_a_failed_attempt_that_cost_nothing_is_not_counted(autojump_clock: trio.testing.MockClock) -> None:
    async with open_rig(Rig(Script(fault=FAULTS["503"]))) as agent:
        tracker = agent.token_tracker()
        response = await agent.generate("Hello")
        assert response.provider == "second"
        assert list(tracker.by_provider()) == ["second"]
        assert tracker.total.attempts == 1


async def test_a_stream_that_was_left_is_counted_by_what_came(autojump_clock: trio.testing.MockClock) -> None:
    async with open_rig(Rig(Script(text="One two three four five six.", gap_s=1.0))) as agent:
        tracker = agent.token_tracker()
        async with agent.stream("Hello") as stream:
            await anext(stream)
            response = await stream.cancel()
        books = (await agent.get_usage_stats()).total
        assert 0 < tracker.total_tokens == response.usage.total_tokens == books.total_tokens
        assert books.estimated == 1


async def test_a_stream_that_is_read_to_its_end_after_its_caller_left_is_counted_once_by_the_vendors_word(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_rig(Rig(Script(text="One two three four five six.", gap_s=1.0))) as agent:
        whole = await agent.generate("Hello")
        with agent.token_tracker() as tracker:
            async with agent.stream("Hello", on_cancel="drain") as stream:
                await anext(stream)
                cut = await stream.cancel()
            assert tracker.total == TokenTotals()  # it is still being read
            await trio.sleep(60)
        books = (await agent.get_usage_stats()).total

    assert cut.usage.output_tokens < whole.usage.output_tokens
    assert tracker.total.attempts == 1
    assert tracker.total_tokens == whole.usage.total_tokens
    assert (books.settled, books.open, books.estimated) == (2, 0, 0)
    assert books.total_tokens == 2 * whole.usage.total_tokens


def test_what_is_in_doubt_is_in_no_sum_and_what_is_open_or_released_is_nothing() -> None:
    tracker = TokenTracker(bus := EventBus())
    for booking in ("open", "released", "in_doubt"):
        bus.emit(ended(booking))
    assert tracker.total == TokenTotals(in_doubt=1)


def test_a_call_without_a_price_is_counted_as_such() -> None:
    tracker = TokenTracker(bus := EventBus())
    bus.emit(ended("settled", cost=None))
    bus.emit(ended("settled", cost=0))
    assert tracker.total == TokenTotals(attempts=2, input_tokens=30, output_tokens=6, unpriced=1)


def test_reset_begins_anew_for_this_tracker_alone_and_close_ends_it() -> None:
    one, other = TokenTracker(bus := EventBus()), TokenTracker(bus)
    bus.emit(ended("settled"))
    one.reset()
    assert (one.total_tokens, other.total_tokens) == (0, 18)
    with one:
        bus.emit(ended("settled", model="n"))
    bus.emit(ended("settled"))
    one.close()
    assert one.by_model() == {"p/n": TokenTotals(attempts=1, input_tokens=15, output_tokens=3, cost_nano_usd=7)}
    assert other.total.attempts == 3


def test_it_is_plain_data_on_request() -> None:
    tracker = manus.TokenTracker(bus := EventBus())
    bus.emit(ended("settled"))
    told = tracker.to_dict()
    assert told["total"] == told["by_provider"]["p"] == told["by_model"]["p/m"]
    assert (told["total"]["total_tokens"], told["total"]["cost_usd"]) == (18, pytest.approx(7e-9))
    assert repr(tracker) == "<TokenTracker 18 tokens, 0.000000 USD>"


def test_events_of_others_pass_by() -> None:
    tracker = TokenTracker(bus := EventBus())
    bus.emit(object())
    assert tracker.total == TokenTotals()
    assert bus.statistics().listeners_failed == 0
