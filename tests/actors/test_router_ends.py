"""How requests end that are cut short: by the caller who leaves or cancels, by a deadline, by a reader that stalls."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from manus.messages.outcomes import Unfinished
from manus.messages.routing import RoutingMetrics, RoutingMetricsAsked
from manus.messages.routing_policy import RouterPolicy
from manus.sim.behaviour import Script
from manus.sim.faults import Rejected, Stall
from tests.actors.rig import TIMEOUTS, Upstreams, asked, finished, open_rig, outcome_of, results, text_seen, unfinished

TEXT = "one two three four five six seven eight nine ten"
SLOW = Script(text=TEXT, latency_s=4.0, first_token_s=4.0, gap_s=1.0)
"""Connecting until 2, headers at 6, first content at 10, then a word a second."""

MOMENTS = [
    # when, phase, booking (streamed), booking (whole: it has no content before its end)
    (1.0, "connecting", "released", "released"),
    (4.0, "sent", "in_doubt", "in_doubt"),
    (8.0, "sent", "in_doubt", "in_doubt"),
    (13.5, "streaming", "settled", "in_doubt"),
]


def slow(script: Script = SLOW) -> Upstreams:
    upstream = Upstreams(script)
    upstream.connect_s = 2.0
    return upstream


@pytest.mark.parametrize(("at_s", "phase", "streamed", "whole"), MOMENTS)
@pytest.mark.parametrize("stream", [True, False])
async def test_caller_who_leaves_closes_the_socket_within_a_tick_and_what_was_used_is_booked(
    at_s: float, phase: str, streamed: str, whole: str, stream: bool, autojump_clock: object
) -> None:
    async with open_rig(("a", slow())) as rig:
        with trio.move_on_after(at_s):
            if stream:
                with rig.router.ask_stream(asked(stream=True), deadline=trio.current_time() + 60) as dialog:
                    await dialog.outcome()
            else:
                await rig.ask()
        left_at = trio.current_time()
        await trio.testing.wait_all_tasks_blocked()

        assert trio.current_time() == left_at
        assert rig.upstreams["a"].open_exchanges == 0
        (row,) = rig.rows()
        assert row.state == (streamed if stream else whole)
        if row.state == "settled":
            assert row.usage.source == "estimated"
            assert row.finish == "incomplete"
        await rig.check()


@pytest.mark.parametrize(("at_s", "phase", "streamed", "whole"), MOMENTS)
async def test_caller_who_cancels_still_gets_what_came_and_what_it_cost(
    at_s: float, phase: str, streamed: str, whole: str, autojump_clock: object
) -> None:
    async with open_rig(("a", slow())) as rig:
        with rig.router.ask_stream(asked(stream=True), deadline=trio.current_time() + 60) as dialog:
            await trio.sleep(at_s)
            dialog.cancel()
            events = [event async for item in dialog for event in item]  # type: ignore[attr-defined]
            outcome = unfinished(outcome_of(await dialog.outcome()))

        assert trio.current_time() == at_s
        assert (outcome.failure.kind, outcome.failure.phase) == ("cancelled", phase)
        assert outcome.failure.safe_to_retry == (streamed == "released")
        assert outcome.durable
        assert results(outcome) == [("a", "cancelled", streamed)]
        if streamed == "settled":
            assert outcome.partial is not None
            assert outcome.partial.parts[0].text == text_seen(events) == "one two three four"  # type: ignore[union-attr]
            assert outcome.partial.finish.reason == "cancelled"
            assert outcome.usage.output > 0
            assert outcome.cost_nano_usd
        else:
            assert outcome.partial is None
            assert outcome.cost_nano_usd == (0 if streamed == "released" else None)
        await rig.check()


@pytest.mark.parametrize(("at_s", "phase", "streamed", "whole"), MOMENTS)
@pytest.mark.parametrize("stream", [True, False])
async def test_deadline_ends_a_request_on_time_with_what_came(
    at_s: float, phase: str, streamed: str, whole: str, stream: bool, autojump_clock: object
) -> None:
    async with open_rig(("a", slow())) as rig:
        if stream:
            events, outcome = await rig.stream(within_s=at_s)
        else:
            events, outcome = [], await rig.generate(within_s=at_s)

        ended = unfinished(outcome)
        assert at_s <= trio.current_time() <= at_s + 0.05
        assert ended.failure.kind == "deadline"
        assert ended.failure.phase == (phase if stream or phase != "streaming" else "sent")
        assert results(outcome) == [("a", "deadline", streamed if stream else whole)]
        if stream and streamed == "settled":
            assert ended.partial is not None
            assert ended.partial.parts[0].text == text_seen(events)  # type: ignore[union-attr]
        await rig.check()


async def test_deadline_passes_while_a_retry_waits(autojump_clock: object) -> None:
    fault = Rejected(status=429, retry_after_s=7)
    async with open_rig(("a", Upstreams(Script(fault=fault)))) as rig:
        outcome = unfinished(await rig.generate(within_s=10.0))

        # The first wait fits, the second does not, and is not begun.
        assert trio.current_time() == pytest.approx(7.0)
        assert outcome.failure.kind == "rate_limited"
        assert len(outcome.route.attempts) == 2
        await rig.check()


async def test_deadline_in_the_past_starts_nothing(autojump_clock: object) -> None:
    async with open_rig(("a", slow())) as rig:
        answer = await rig.ask(within_s=-1.0)

        assert not isinstance(answer, Unfinished)
        assert type(answer).__name__ == "Expired"
        assert rig.rows() == []
        await rig.check()


async def test_caller_who_leaves_during_a_back_off_leaves_nothing_behind(autojump_clock: object) -> None:
    fault = Rejected(status=429, retry_after_s=7)
    async with open_rig(("a", Upstreams(Script(fault=fault)))) as rig:
        with trio.move_on_after(3.0):
            await rig.ask()

        await rig.check()
        assert [row.state for row in rig.rows()] == ["released"]


async def test_caller_who_leaves_while_waiting_for_room_leaves_nothing_behind(autojump_clock: object) -> None:
    async with open_rig(("a", slow()), concurrency=1, queue=1) as rig:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(rig.ask)
            await trio.sleep(0.1)
            for _ in range(3):
                with trio.move_on_after(0.1):
                    await rig.ask()

        await rig.check()
        assert [row.state for row in rig.rows()].count("settled") == 1
        assert len(rig.upstreams["a"].sim.bill) == 1


async def test_stream_whose_reader_stalls_ends_and_says_so(autojump_clock: object) -> None:
    policy = RouterPolicy(consumer_stall_s=5.0)
    fast = Script(text=TEXT, gap_s=0.1)
    async with open_rig(("a", Upstreams(fast)), ("b", Upstreams(fast)), policy=policy) as rig:
        started = trio.current_time()
        with rig.router.ask_stream(asked(stream=True), deadline=started + 60, buffer=2) as dialog:
            outcome = unfinished(outcome_of(await dialog.outcome()))

        assert outcome.failure.kind == "slow_consumer"
        assert trio.current_time() - started == pytest.approx(5.2, abs=0.2)
        assert results(outcome) == [("a", "slow_consumer", "settled")]
        assert rig.upstreams["a"].open_exchanges == 0
        await rig.check()


async def test_slow_reader_gets_every_word(autojump_clock: object) -> None:
    fast = Script(text=TEXT)
    async with open_rig(("a", Upstreams(fast))) as rig:
        text = ""
        with rig.router.ask_stream(asked(stream=True), deadline=trio.current_time() + 100, buffer=1) as dialog:
            async for item in dialog:
                await trio.sleep(4.0)
                assert isinstance(item, list)
                text += text_seen(item)
            finished(outcome_of(await dialog.outcome()))

        assert text == TEXT
        await rig.check()


async def test_vendor_is_not_blamed_for_a_reader_that_pauses(autojump_clock: object) -> None:
    policy = RouterPolicy(consumer_stall_s=5.0)
    async with open_rig(("a", Upstreams(Script(text=TEXT))), policy=policy) as rig:
        with rig.router.ask_stream(asked(stream=True), deadline=trio.current_time() + 60, buffer=2) as dialog:
            dialog.pause()
            await trio.sleep(TIMEOUTS.idle_s * 3)
            dialog.resume()
            text = "".join([text_seen(item) async for item in dialog])  # type: ignore[arg-type]
            finished(outcome_of(await dialog.outcome()))

        assert text == TEXT
        await rig.check()


async def test_reader_that_pauses_for_longer_than_an_attempt_may_take_gets_the_rest_of_the_same_attempt(
    autojump_clock: object,
) -> None:
    paused_s = TIMEOUTS.total_s * 2
    async with open_rig(("a", Upstreams(Script(text=TEXT)))) as rig:
        deadline = trio.current_time() + paused_s + 60
        with rig.router.ask_stream(asked(stream=True), deadline=deadline, buffer=2) as dialog:
            dialog.pause()
            await trio.sleep(paused_s)
            dialog.resume()
            text = "".join([text_seen(item) async for item in dialog])  # type: ignore[arg-type]
            outcome = finished(outcome_of(await dialog.outcome()))

        assert text == TEXT
        assert results(outcome) == [("a", "ok", "settled")]
        await rig.check()


async def test_reader_that_pauses_past_its_own_deadline_is_told_so_and_no_vendor_is_blamed(
    autojump_clock: object,
) -> None:
    async with open_rig(("a", Upstreams(Script(text=TEXT)))) as rig:
        with rig.router.ask_stream(asked(stream=True), deadline=trio.current_time() + 60, buffer=2) as dialog:
            dialog.pause()
            outcome = unfinished(outcome_of(await dialog.outcome()))

        assert outcome.failure.kind == "deadline"
        metrics = await rig.router.ask(RoutingMetricsAsked(), deadline=trio.current_time() + 1)
        assert isinstance(metrics, RoutingMetrics)
        (told,) = metrics.deployments
        assert (told.breaker, told.resting) == ("closed", None)
        await rig.check()


async def test_stalled_reader_of_one_stream_delays_no_other(autojump_clock: object) -> None:
    fast = Script(text=TEXT, gap_s=0.1)
    async with open_rig(("a", Upstreams(fast))) as rig:
        with rig.router.ask_stream(asked(stream=True), deadline=trio.current_time() + 60, buffer=1):
            await trio.sleep(1.0)
            started = trio.current_time()
            await rig.stream()

            assert trio.current_time() - started < 2.0
        await rig.check()


async def test_reader_that_does_not_hear_of_the_restart_ends_the_request(autojump_clock: object) -> None:
    policy = RouterPolicy(consumer_stall_s=5.0)
    stalls = Upstreams(Script(text=TEXT, fault=Stall(where="body", after_chunks=2)))
    async with open_rig(("a", stalls), ("b", Upstreams(Script(text="fine"))), policy=policy) as rig:
        request = asked(stream=True, on_interrupt="restart")
        with rig.router.ask_stream(request, deadline=trio.current_time() + 60, buffer=2) as dialog:
            outcome = unfinished(outcome_of(await dialog.outcome()))

        assert outcome.failure.kind == "slow_consumer"
        await rig.check()
