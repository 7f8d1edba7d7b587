"""What the router does when a provider fails: by advice, before and after the first content."""

from __future__ import annotations

import pytest
import trio

from manus.messages.events import Reset
from manus.messages.failures import FailureKind
from manus.messages.policy import ModelCard, Timeouts
from manus.messages.routing import RoutingMetrics, RoutingMetricsAsked
from manus.messages.routing_policy import RetryPolicy, RouterPolicy
from manus.sim.behaviour import Behaviour, Script
from manus.sim.faults import (
    Cut,
    ErrorInside,
    Fault,
    HtmlBody,
    HugeLine,
    Malformed,
    NoMarker,
    NoUsage,
    PingsOnly,
    Refused,
    Rejected,
    Slow,
    Stall,
    WrongCharset,
)
from tests.actors.rig import PRICE, Upstreams, asked, finished, open_rig, results, text_seen, unfinished

TEXT = "Once upon a time there was a small actor who crashed and came back"


def failing(fault: Fault | None, *, always: bool = True, text: str = TEXT) -> Upstreams:
    script = Script(text=text, fault=fault)
    return Upstreams(script if always else Behaviour(script=Script(text=text), first=(script,)))


def healthy(text: str = TEXT) -> Upstreams:
    return Upstreams(Script(text=text))


async def test_whole_answer_is_routed_booked_and_explained(autojump_clock: object) -> None:
    async with open_rig(("a", healthy()), ("b", healthy())) as rig:
        outcome = finished(await rig.generate())

        assert outcome.answer.parts[0].text == TEXT  # type: ignore[union-attr]
        assert (outcome.provider, outcome.model, outcome.durable) == ("a", "sim-large", True)
        assert outcome.usage.source == "reported"
        assert outcome.cost_nano_usd == PRICE.cost_nano_usd(outcome.usage)
        assert results(outcome) == [("a", "ok", "settled")]
        assert [c.deployment for c in outcome.route.candidates] == ["a/sim-large", "b/sim-large"]
        (row,) = rig.rows()
        assert (row.state, row.usage, row.finish) == ("settled", outcome.usage, "stop")
        assert row.dispatched_unix_s is not None
        await rig.check()


async def test_streamed_answer_comes_as_it_is_made(autojump_clock: object) -> None:
    async with open_rig(("a", Upstreams(Script(text=TEXT, gap_s=0.5)))) as rig:
        seen: list[float] = []
        with rig.router.ask_stream(asked(stream=True), deadline=trio.current_time() + 60) as dialog:
            async for _ in dialog:
                seen.append(trio.current_time())
            outcome = finished(await dialog.outcome())  # type: ignore[arg-type]

        assert len(seen) > 5
        assert seen[-1] - seen[0] >= 0.5 * 5
        assert outcome.usage.source == "reported"
        await rig.check()


BEFORE_CONTENT: list[tuple[Fault, FailureKind, str, int]] = [
    # fault, kind, booking, attempts at the failing deployment
    (Rejected(status=401), "auth", "released", 1),
    (Rejected(status=403), "permission", "released", 1),
    (Rejected(status=404), "not_found", "released", 1),
    (Rejected(status=429), "rate_limited", "released", 1),
    (Rejected(status=429, code="insufficient_quota"), "quota_exhausted", "released", 1),
    (Rejected(status=500), "server", "released", 2),
    (Rejected(status=503), "overloaded", "released", 2),
    (Stall(where="headers"), "timeout", "in_doubt", 1),
    (Cut(where="headers"), "network", "in_doubt", 2),
    (HtmlBody(), "protocol", "in_doubt", 2),
    (ErrorInside(after_chunks=0), "server", "in_doubt", 2),
    (Refused(), "network", "released", 2),
]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(("fault", "kind", "booking", "tries"), BEFORE_CONTENT, ids=repr)
async def test_failure_before_content_is_answered_by_the_next_candidate(
    fault: Fault, kind: str, booking: str, tries: int, stream: bool, autojump_clock: object
) -> None:
    async with open_rig(("a", failing(fault)), ("b", healthy("fine"))) as rig:
        if stream:
            events, outcome = await rig.stream()
            assert text_seen(events) == "fine"
            assert not any(isinstance(event, Reset) for event in events)
        else:
            outcome = await rig.generate()

        assert finished(outcome).answer.parts[0].text == "fine"  # type: ignore[union-attr]
        assert results(outcome) == [("a", kind, booking)] * tries + [("b", "ok", "settled")]
        await rig.check()


@pytest.mark.parametrize(
    ("fault", "kind", "timeout"),
    [
        (Stall(where="first_token"), "timeout", "first_content"),
        (PingsOnly(gap_s=0.5), "timeout", "first_content"),
        (Slow(where="first_token", delay_s=13.0), "timeout", "first_content"),
        (Slow(where="headers", delay_s=11.0), "timeout", "headers"),
        (Stall(where="headers"), "timeout", "headers"),
    ],
    ids=repr,
)
async def test_silent_stream_is_failed_over_after_its_named_wait_and_not_retried(
    fault: Fault, kind: str, timeout: str, autojump_clock: object
) -> None:
    async with open_rig(("a", failing(fault)), ("b", healthy("fine"))) as rig:
        started = trio.current_time()
        events, outcome = await rig.stream()

        waits = {"first_content": 12.0, "headers": 10.0}
        assert text_seen(events) == "fine"
        first = outcome.route.attempts[0]
        assert first.failure is not None
        assert (first.result, first.failure.timeout) == (kind, timeout)
        assert first.ended_s == pytest.approx(waits[timeout])
        assert trio.current_time() - started == pytest.approx(waits[timeout])
        assert [each.provider for each in outcome.route.attempts] == ["a", "b"]
        await rig.check()


AFTER_CONTENT: list[tuple[Fault, FailureKind]] = [
    (Cut(where="body", after_chunks=3), "network"),
    (Cut(where="body", after_chunks=3, reset=True), "network"),
    (Cut(where="utf8", after_chunks=3), "network"),
    (Stall(where="body", after_chunks=3), "timeout"),
    (Malformed(after_chunks=3), "protocol"),
    (ErrorInside(after_chunks=3), "server"),
    (NoMarker(finish=False, after_chunks=3), "incomplete"),
    (HugeLine(after_chunks=3), "protocol"),
]


@pytest.mark.parametrize("mode", ["auto", "error"])
@pytest.mark.parametrize(("fault", "kind"), AFTER_CONTENT, ids=repr)
async def test_stream_cut_after_content_ends_with_what_the_caller_saw_and_why(
    fault: Fault, kind: str, mode: str, autojump_clock: object
) -> None:
    async with open_rig(("a", failing(fault)), ("b", healthy("fine"))) as rig:
        events, outcome = await rig.stream(on_interrupt=mode)

        ended = unfinished(outcome)
        assert ended.failure.kind == kind
        assert ended.partial is not None
        assert ended.partial.parts[0].text == text_seen(events)  # type: ignore[union-attr]
        assert TEXT.startswith(text_seen(events).rstrip("🌍 "))
        assert ended.partial.finish.reason == "incomplete"
        assert results(outcome)[0] == ("a", kind, "settled")
        assert (len(results(outcome)) == 1) == (mode == "error"), "nobody is asked where the caller wants to be told"
        assert ended.usage.source == "estimated"
        assert not ended.failure.safe_to_retry
        await rig.check()


@pytest.mark.parametrize(("fault", "kind"), AFTER_CONTENT, ids=repr)
async def test_caller_who_handles_it_is_told_to_start_over(fault: Fault, kind: str, autojump_clock: object) -> None:
    async with open_rig(("a", failing(fault)), ("b", healthy("fine"))) as rig:
        events, outcome = await rig.stream(on_interrupt="restart")

        assert text_seen(events) == "fine"
        assert finished(outcome).answer.parts[0].text == "fine"  # type: ignore[union-attr]
        resets = [event for event in events if isinstance(event, Reset)]
        assert resets
        assert (resets[-1].provider, resets[-1].reason) == ("b", kind)
        assert outcome.usage.output > 1
        await rig.check()


@pytest.mark.parametrize(
    "fault",
    [Cut(where="body"), Cut(where="body", reset=True), Cut(where="utf8"), Stall(where="body"), WrongCharset(body=True)],
    ids=repr,
)
async def test_whole_answer_is_restarted_invisibly(fault: Fault, autojump_clock: object) -> None:
    text = TEXT + " é" if isinstance(fault, WrongCharset) else TEXT
    async with open_rig(("a", failing(fault, text=text)), ("b", healthy("fine"))) as rig:
        outcome = finished(await rig.generate())

        assert outcome.answer.parts[0].text == "fine"  # type: ignore[union-attr]
        await rig.check()


@pytest.mark.parametrize("stream", [False, True])
async def test_fault_that_passes_is_mended_by_one_retry_here(stream: bool, autojump_clock: object) -> None:
    async with open_rig(("a", failing(Rejected(status=500), always=False)), ("b", healthy("other"))) as rig:
        outcome = (await rig.stream())[1] if stream else await rig.generate()

        assert finished(outcome).provider == "a"
        assert results(outcome) == [("a", "server", "released"), ("a", "ok", "settled")]
        assert 0.0 < outcome.latency_s <= RetryPolicy().base_s
        await rig.check()


@pytest.mark.parametrize(("status", "kind"), [(400, "invalid_request"), (422, "invalid_request")])
async def test_request_that_the_caller_has_to_mend_is_never_sent_elsewhere(
    status: int, kind: str, autojump_clock: object
) -> None:
    async with open_rig(("a", failing(Rejected(status=status))), ("b", healthy())) as rig:
        outcome = unfinished(await rig.generate())

        assert outcome.failure.kind == kind
        assert outcome.failure.safe_to_retry
        assert outcome.partial is None
        assert results(outcome) == [("a", kind, "released")]
        assert len(rig.upstreams["b"].sim.bill) == 0
        await rig.check()


async def test_prompt_too_long_goes_to_a_larger_window_only(autojump_clock: object) -> None:
    small = ModelCard(name="sim-large", price=PRICE, context_tokens=1000)
    large = ModelCard(name="sim-large", price=PRICE, context_tokens=90_000)
    refusal = Rejected(status=400, code="context_length_exceeded")
    cards = {"a": (small,), "b": (small,), "c": (large,)}
    ways = (("a", failing(refusal)), ("b", healthy("too small")), ("c", healthy("fine")))
    async with open_rig(*ways, cards=cards) as rig:
        outcome = finished(await rig.generate())

        assert results(outcome) == [("a", "context_length", "released"), ("c", "ok", "settled")]
        await rig.check()


async def test_lone_provider_that_limits_is_waited_for_as_it_asks(autojump_clock: object) -> None:
    fault = Rejected(status=429, retry_after_s=7)
    async with open_rig(("a", failing(fault, always=False))) as rig:
        outcome = finished(await rig.generate())

        assert outcome.latency_s == pytest.approx(7.0)
        assert results(outcome) == [("a", "rate_limited", "released"), ("a", "ok", "settled")]
        await rig.check()


async def test_wait_that_does_not_fit_the_deadline_is_not_begun(autojump_clock: object) -> None:
    async with open_rig(("a", failing(Rejected(status=429, retry_after_s=7)))) as rig:
        outcome = unfinished(await rig.generate(within_s=5.0))

        assert (outcome.failure.kind, outcome.failure.retry_after_s) == ("rate_limited", 7.0)
        assert outcome.latency_s == 0.0
        await rig.check()


async def test_everybody_failing_is_told_with_every_attempt(autojump_clock: object) -> None:
    ways = (("a", failing(Rejected(status=401))), ("b", failing(Refused())), ("c", failing(Rejected(status=404))))
    async with open_rig(*ways) as rig:
        outcome = unfinished(await rig.generate())

        assert [(a, kind) for a, kind, _ in results(outcome)] == [
            ("a", "auth"),
            ("b", "network"),
            ("b", "network"),
            ("c", "not_found"),
        ]
        assert outcome.failure.kind == "not_found"
        assert "a/sim-large: auth" in outcome.failure.message
        assert outcome.failure.safe_to_retry
        assert outcome.usage.total == 0
        await rig.check()


async def test_plan_that_nobody_fits_is_refused_without_a_row(autojump_clock: object) -> None:
    async with open_rig(("a", healthy())) as rig:
        outcome = unfinished(await rig.generate(model="nobody-has-it"))

        assert outcome.failure.kind == "no_candidate"
        assert rig.rows() == []
        await rig.check()


async def test_answer_without_usage_is_booked_as_estimated(autojump_clock: object) -> None:
    async with open_rig(("a", failing(NoUsage()))) as rig:
        outcome = finished(await rig.generate())

        assert outcome.usage.source == "estimated"
        assert outcome.usage.output > 0
        assert outcome.answer.usage == outcome.usage
        await rig.check()


async def test_stream_that_finishes_without_its_marker_is_believed_by_its_finish_reason(
    autojump_clock: object,
) -> None:
    async with open_rig(("a", failing(NoMarker(finish=True)))) as rig:
        events, outcome = await rig.stream()

        assert text_seen(events) == TEXT
        assert finished(outcome).answer.finish.reason == "stop"
        await rig.check()


async def test_attempt_that_takes_longer_than_its_total_is_given_up(autojump_clock: object) -> None:
    timeouts = Timeouts(idle_s=8.0, total_s=20.0)
    slow = Upstreams(Script(text=TEXT, gap_s=5.0))
    async with open_rig(("a", slow), ("b", healthy("fine")), timeouts=timeouts) as rig:
        _, outcome = await rig.stream()

        ended = unfinished(outcome)
        assert (ended.failure.kind, ended.failure.timeout) == ("timeout", "total")
        assert trio.current_time() == pytest.approx(20.0)
        assert ended.partial is not None
        await rig.check()


async def test_connection_that_is_not_made_in_time_was_never_billed(autojump_clock: object) -> None:
    far = healthy()
    far.connect_s = 100.0
    async with open_rig(("a", far), ("b", healthy("fine"))) as rig:
        outcome = finished(await rig.generate())

        first = outcome.route.attempts[0]
        assert first.failure is not None
        assert (first.result, first.failure.timeout, first.booking) == ("timeout", "connect", "released")
        assert first.ended_s == pytest.approx(5.0)
        assert rig.rows()[0].dispatched_unix_s is None
        await rig.check()


async def test_router_counts_what_became_of_requests(autojump_clock: object) -> None:
    async with open_rig(("a", failing(Rejected(status=500))), ("b", healthy())) as rig:
        await rig.generate()
        metrics = await rig.router.ask(RoutingMetricsAsked(), deadline=trio.current_time() + 1)

        assert isinstance(metrics, RoutingMetrics)
        assert (metrics.requests, metrics.finished, metrics.retries, metrics.failovers) == (1, 1, 1, 1)
        by_name = {each.deployment: each for each in metrics.deployments}
        assert by_name["a/sim-large"].failures == {"server": 2}  # type: ignore[index]
        assert by_name["b/sim-large"].successes == 1  # type: ignore[index]


async def test_attempts_of_one_request_are_bounded(autojump_clock: object) -> None:
    policy = RouterPolicy(retry=RetryPolicy(attempts_max=3))
    async with open_rig(("a", failing(Rejected(status=429, retry_after_s=1))), policy=policy) as rig:
        outcome = unfinished(await rig.generate())

        assert len(outcome.route.attempts) == 3
        await rig.check()
