"""What `on_cancel = "drain"` does: the caller has its outcome at once, and the books the vendor's own count, later."""

from __future__ import annotations

import msgspec
import pytest
import trio
import trio.testing

from manus.actors.ledger.rows import LedgerRow
from manus.messages.ids import RequestId
from manus.messages.outcomes import Attempt, Outcome
from manus.messages.policy import ModelCard
from manus.messages.requests import EmbedRequest
from manus.messages.routing import RoutingMetrics, RoutingMetricsAsked
from manus.messages.routing_policy import HedgePolicy, RetryPolicy, RouterPolicy
from manus.messages.watching import AttemptEnded
from manus.sim.behaviour import Behaviour, Script
from manus.sim.faults import Cut, NoUsage, Stall
from tests.actors.rig import PRICE, Rig, Upstreams, asked, open_rig, outcome_of, results, text_seen, unfinished

TEXT = "one two three four five six seven eight nine ten"
SLOW = Script(text=TEXT, latency_s=4.0, first_token_s=4.0, gap_s=1.0)
"""Connecting until 2, headers at 6, first content at 10, then a word a second; the end is at 19."""

OVER_S = 19.0

DRAIN = RouterPolicy(on_cancel="drain")


def slow(script: Script | Behaviour = SLOW) -> Upstreams:
    upstream = Upstreams(script)
    upstream.connect_s = 2.0
    return upstream


async def cancelled(rig: Rig, at_s: float, *, stream: bool = True) -> Outcome:
    """Ask, and cancel after so long."""
    with rig.router.ask_stream(asked(stream=stream), deadline=trio.current_time() + 60) as dialog:
        await trio.sleep(at_s)
        dialog.cancel()
        return outcome_of(await dialog.outcome())


async def left(rig: Rig, at_s: float, *, stream: bool = True) -> None:
    """Ask, and leave after so long."""
    with (
        trio.move_on_after(at_s),
        rig.router.ask_stream(asked(stream=stream), deadline=trio.current_time() + 60) as dialog,
    ):
        await dialog.outcome()


def only_row(rig: Rig) -> LedgerRow:
    (row,) = rig.rows()
    return row


def only_attempt(outcome: Outcome) -> Attempt:
    (attempt,) = outcome.route.attempts
    return attempt


def ends(rig: Rig) -> list[tuple[str, str]]:
    return [(each.booking, each.usage.source) for each in rig.events if isinstance(each, AttemptEnded)]


async def drains(rig: Rig) -> int:
    metrics = await rig.router.ask(RoutingMetricsAsked(), deadline=trio.current_time() + 1)
    assert isinstance(metrics, RoutingMetrics)
    return metrics.drains


MOMENTS = [(8.0, "in_doubt"), (10.5, "settled"), (13.5, "settled"), (18.5, "settled")]


@pytest.mark.parametrize(("at_s", "known"), MOMENTS)
@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
async def test_caller_has_its_outcome_at_once_and_the_row_the_vendors_count_at_the_end(
    at_s: float, known: str, stream: bool, autojump_clock: object
) -> None:
    async with open_rig(("a", slow()), policy=DRAIN) as rig:
        outcome = unfinished(await cancelled(rig, at_s, stream=stream))

        assert trio.current_time() == at_s
        assert outcome.failure.kind == "cancelled"
        attempt = only_attempt(outcome)
        assert (attempt.booking, attempt.result, outcome.durable) == ("open", "cancelled", True)
        if stream and known == "settled":
            assert outcome.partial is not None
            assert outcome.usage.source == "estimated"
            assert outcome.cost_nano_usd == attempt.cost_nano_usd == PRICE.cost_nano_usd(outcome.usage)
        else:
            assert outcome.cost_nano_usd is None
        assert only_row(rig).is_open
        assert ends(rig) == []
        assert rig.upstreams["a"].open_exchanges == 1

        await rig.check()
        row = only_row(rig)
        assert trio.current_time() >= OVER_S
        assert (row.state, row.usage.source, row.finish) == ("settled", "reported", "stop")
        assert row.usage.output == 10
        assert ends(rig) == [("settled", "reported")]


@pytest.mark.parametrize("at_s", [8.0, 13.5])
async def test_caller_who_leaves_without_a_word_is_drained_as_well(at_s: float, autojump_clock: object) -> None:
    async with open_rig(("a", slow()), policy=DRAIN) as rig:
        await left(rig, at_s)
        await rig.check()

        assert (only_row(rig).state, only_row(rig).usage.source) == ("settled", "reported")


@pytest.mark.parametrize(("at_s", "state"), [(1.0, "released"), (4.0, "settled")])
async def test_call_that_was_not_sent_yet_is_not_sent_for_nobody(
    at_s: float, state: str, autojump_clock: object
) -> None:
    async with open_rig(("a", slow()), policy=DRAIN) as rig:
        outcome = await cancelled(rig, at_s)

        assert only_attempt(outcome).booking == ("released" if state == "released" else "open")
        await rig.check()
        assert only_row(rig).state == state
        assert len(rig.upstreams["a"].sim.bill) == 1


@pytest.mark.parametrize(("policy", "request_says", "drained"), [("abort", "drain", 1), ("drain", "abort", 0)])
async def test_request_has_the_last_word(policy: str, request_says: str, drained: int, autojump_clock: object) -> None:
    spec = RouterPolicy(on_cancel=policy)  # type: ignore[arg-type]
    async with open_rig(("a", slow()), policy=spec) as rig:
        with (
            trio.move_on_after(13.5),
            rig.router.ask_stream(asked(stream=True, on_cancel=request_says), deadline=60) as dialog,
        ):
            await dialog.outcome()
        await rig.check()

        assert await drains(rig) == drained
        assert ends(rig) == [("settled", "reported" if drained else "estimated")]
        assert only_row(rig).usage.source == ("reported" if drained else "estimated")


async def test_deadline_is_no_leave_taking_and_ends_the_call(autojump_clock: object) -> None:
    async with open_rig(("a", slow()), policy=DRAIN) as rig:
        _, outcome = await rig.stream(within_s=13.5)

        assert results(outcome) == [("a", "deadline", "settled")]
        assert rig.upstreams["a"].open_exchanges == 0
        assert only_row(rig).usage.source == "estimated"
        await rig.check()


async def test_drain_ends_with_its_own_time(autojump_clock: object) -> None:
    policy = msgspec.structs.replace(DRAIN, drain_s=3.0)
    async with open_rig(("a", slow()), policy=policy) as rig:
        await cancelled(rig, 12.5)
        await trio.sleep(2.9)
        assert only_row(rig).is_open
        await trio.sleep(0.2)

        row = only_row(rig)
        assert (row.state, row.usage.source, row.usage.output) == ("settled", "estimated", 6)
        assert ends(rig) == [("settled", "estimated")]
        assert rig.upstreams["a"].open_exchanges == 0
        await rig.check()


async def test_drain_ends_with_the_deadline_of_its_request(autojump_clock: object) -> None:
    async with open_rig(("a", slow()), policy=DRAIN) as rig:
        with trio.move_on_after(12.5):
            await rig.stream(within_s=14.5)
        await trio.sleep(2.1)

        assert (only_row(rig).usage.source, only_row(rig).usage.output) == ("estimated", 5)
        await rig.check()


async def test_more_drains_than_may_be_are_broken_off(autojump_clock: object) -> None:
    policy = msgspec.structs.replace(DRAIN, drains_max=2)
    async with open_rig(("a", slow()), policy=policy) as rig:
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(left, rig, 13.5)
        await trio.testing.wait_all_tasks_blocked()
        assert rig.upstreams["a"].open_exchanges == 2
        assert sorted(row.state for row in rig.rows()) == ["dispatched", "dispatched", "settled"]
        await rig.check()

        assert sorted(row.usage.source for row in rig.rows()) == ["estimated", "reported", "reported"]
        await left(rig, 13.5)  # there is room again
        await rig.check()
        assert [row.usage.source for row in rig.rows()][-1] == "reported"


@pytest.mark.parametrize(
    ("script", "state", "source", "output"),
    [
        (msgspec.structs.replace(SLOW, fault=Stall(where="body", after_chunks=6)), "settled", "estimated", 6),
        (msgspec.structs.replace(SLOW, fault=Cut(where="body", after_chunks=6)), "settled", "estimated", 6),
        (msgspec.structs.replace(SLOW, fault=NoUsage()), "settled", "estimated", 10),
        (msgspec.structs.replace(SLOW, fault=Stall(where="first_token")), "in_doubt", "bound", None),
    ],
    ids=["stall", "cut", "no usage", "nothing"],
)
async def test_drain_of_an_answer_that_does_not_end_well_is_booked_by_what_came(
    script: Script, state: str, source: str, output: int | None, autojump_clock: object
) -> None:
    async with open_rig(("a", slow(script)), policy=DRAIN) as rig:
        await cancelled(rig, 8.0 if output is None else 13.5)
        await rig.check()

        row = only_row(rig)
        assert (row.state, row.usage.source) == (state, source)
        if output is not None:
            assert row.usage.output == output
        assert len(rig.upstreams["a"].sim.bill) == 1, "nothing is asked anew for nobody"


@pytest.mark.parametrize("actor", ["router", "provider/a", "accounting"])
@pytest.mark.parametrize(("at_s", "booked_by_what_came"), [(8.0, "in_doubt"), (13.5, "settled")])
async def test_drain_survives_or_is_booked_by_what_came_when_an_actor_crashes(
    actor: str, at_s: float, booked_by_what_came: str, autojump_clock: object
) -> None:
    async with open_rig(("a", slow()), policy=DRAIN) as rig:
        await cancelled(rig, at_s)
        rig.tree.crash(actor, RuntimeError("injected"))
        await rig.check()

        row = only_row(rig)
        if actor == "accounting":
            assert (row.state, row.usage.source) == ("settled", "reported")
        else:
            assert row.state == booked_by_what_came
        assert await rig.generate() is not None


async def test_accounting_that_crashes_as_a_drain_ends_books_it_once_it_is_back(autojump_clock: object) -> None:
    async with open_rig(("a", slow()), policy=DRAIN) as rig:
        await cancelled(rig, 13.5)
        await trio.sleep(OVER_S - 13.5 - 0.05)
        rig.tree.crash("accounting", RuntimeError("injected"))
        await trio.sleep(0.1)
        assert only_row(rig).is_open
        await rig.check()

        assert (only_row(rig).state, only_row(rig).usage.source) == ("settled", "reported")


async def test_orderly_end_waits_for_drains(autojump_clock: object) -> None:
    async with open_rig(("a", slow()), policy=DRAIN) as rig:
        await cancelled(rig, 13.5)
        await rig.tree.stop(drain_s=30.0, hard_s=5.0)

        assert trio.current_time() == pytest.approx(OVER_S, abs=0.1)
        assert (only_row(rig).state, only_row(rig).usage.source) == ("settled", "reported")


async def test_orderly_end_waits_no_longer_than_it_may(autojump_clock: object) -> None:
    async with open_rig(("a", slow()), policy=DRAIN) as rig:
        await cancelled(rig, 13.5)
        await rig.tree.stop(drain_s=2.0, hard_s=5.0)

        assert trio.current_time() == pytest.approx(15.5, abs=0.1)
        assert (only_row(rig).state, only_row(rig).usage.source) == ("settled", "estimated")
        assert rig.upstreams["a"].open_exchanges == 0


async def test_drain_holds_its_place_at_the_provider_and_none_at_the_router(autojump_clock: object) -> None:
    policy = msgspec.structs.replace(DRAIN, in_flight_max=1)
    async with open_rig(("a", slow()), policy=policy, concurrency=1, queue=1) as rig:
        await cancelled(rig, 13.5)
        await rig.generate()

        assert trio.current_time() == pytest.approx(OVER_S + OVER_S)
        await rig.check()


async def test_loser_of_a_race_that_showed_nothing_is_read_to_its_end_and_says_nothing(autojump_clock: object) -> None:
    usual = Script(text="usual", first_token_s=0.5)
    late = Script(text="slow but whole", first_token_s=3.0)
    first = Upstreams(Behaviour(script=late, first=(usual,) * 5))
    second = Upstreams(Script(text="one two three", gap_s=4.0))
    policy = RouterPolicy(
        on_cancel="drain",
        hedge=HedgePolicy(enabled=True, samples_min=5, budget_ratio=1.0),
        retry=RetryPolicy(same_deployment=0),
    )
    async with open_rig(("a", first), ("b", second), policy=policy) as rig:
        for _ in range(5):
            await rig.stream()
        events, outcome = await rig.stream()

        assert text_seen(events) == "one two three"
        assert results(outcome) == [("a", "cancelled", "open"), ("b", "ok", "settled")]
        assert outcome.usage == outcome.route.attempts[1].usage
        assert outcome.durable
        await rig.check()
        assert {row.usage.source for row in rig.rows()} == {"reported"}
        assert await drains(rig) == 1


async def test_call_for_vectors_follows_the_policy(autojump_clock: object) -> None:
    cards = {"a": (ModelCard(name="sim-embed", price=PRICE, embeddings=True),)}
    async with open_rig(("a", Upstreams(Script(latency_s=5.0))), policy=DRAIN, cards=cards) as rig:
        with trio.move_on_after(2.0):
            request = EmbedRequest(request_id=RequestId("e1"), inputs=("x y z",), model="sim-embed")
            await rig.router.ask(request, deadline=60.0)
        await rig.check()

        assert (only_row(rig).state, only_row(rig).usage.source) == ("settled", "reported")


async def test_stream_that_nobody_reads_is_drained_once_its_caller_has_left(autojump_clock: object) -> None:
    fast = Script(text=TEXT, gap_s=0.1)
    async with open_rig(("a", Upstreams(fast)), policy=DRAIN) as rig:
        with rig.router.ask_stream(asked(stream=True), deadline=60.0, buffer=2):
            await trio.sleep(5.0)
        await rig.check()

        assert (only_row(rig).usage.source, only_row(rig).usage.output) == ("reported", 10)


async def test_attempt_in_doubt_is_told_with_its_bound(autojump_clock: object) -> None:
    async with open_rig(("a", slow())) as rig:
        await left(rig, 8.0)
        await rig.check()

        (told,) = [each for each in rig.events if isinstance(each, AttemptEnded)]
        row = only_row(rig)
        assert (told.booking, told.usage, told.cost_nano_usd) == ("in_doubt", row.bound, row.bound_cost_nano_usd)
