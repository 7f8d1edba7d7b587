"""A slow first attempt is raced by a second one: who wins, what the loser costs, and what else may happen meanwhile."""

from __future__ import annotations

import msgspec
import pytest
import trio

from manus.messages.content import Text
from manus.messages.ids import RequestId
from manus.messages.outcomes import Embedded, Finished, Outcome
from manus.messages.policy import ModelCard
from manus.messages.requests import EmbedRequest
from manus.messages.routing import RoutingMetrics, RoutingMetricsAsked
from manus.messages.routing_policy import HedgePolicy, RetryPolicy, RouterPolicy
from manus.sim.behaviour import Behaviour, Script
from manus.sim.faults import Cut, Fault, Rejected, Stall
from manus.supervisor.terminals import ActorFailed
from tests.actors.rig import PRICE, Rig, Upstreams, finished, open_rig, results, text_seen, unfinished

USUAL_S = 0.5
SAMPLES = 5
POLICY = RouterPolicy(
    hedge=HedgePolicy(enabled=True, samples_min=SAMPLES, delay_min_s=0.05, budget_ratio=1.0),
    retry=RetryPolicy(same_deployment=0),
)


def usually_fast(then: Script) -> Upstreams:
    """A provider whose first content came after half a second until its samples were enough."""
    return Upstreams(Behaviour(script=then, first=(script("usual", after_s=USUAL_S),) * SAMPLES))


def script(text: str, *, after_s: float = 0.0, gap_s: float = 0.0, fault: Fault | None = None) -> Script:
    return Script(text=text, first_token_s=after_s, gap_s=gap_s, fault=fault)


async def learn(rig: Rig, *, stream: bool) -> float:
    """Let the router see what is usual; gives the time since which a test counts."""
    for _ in range(SAMPLES):
        await (rig.stream() if stream else rig.generate())
    return trio.current_time()


async def ask(rig: Rig, *, stream: bool, within_s: float = 60.0) -> tuple[str, Outcome]:
    if stream:
        events, outcome = await rig.stream(within_s=within_s)
        return text_seen(events), outcome
    outcome = await rig.generate(within_s=within_s)
    parts = outcome.answer.parts if isinstance(outcome, Finished) else ()
    return "".join(part.text for part in parts if isinstance(part, Text)), outcome


async def metrics(rig: Rig) -> RoutingMetrics:
    told = await rig.router.ask(RoutingMetricsAsked(), deadline=trio.current_time() + 5)
    assert isinstance(told, RoutingMetrics)
    return told


BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


@BOTH
async def test_slow_first_attempt_is_overtaken_and_the_loser_cancelled_and_booked(
    stream: bool, autojump_clock: object
) -> None:
    slow, fast = usually_fast(script("slow", after_s=9.0)), Upstreams(script("fast", after_s=0.2))
    async with open_rig(("a", slow), ("b", fast), policy=POLICY) as rig:
        began = await learn(rig, stream=stream)
        text, outcome = await ask(rig, stream=stream)

        assert trio.current_time() - began == pytest.approx(USUAL_S + 0.2)
        assert text == "fast"
        assert (finished(outcome).provider, finished(outcome).durable) == ("b", True)
        assert results(outcome) == [("a", "cancelled", "in_doubt"), ("b", "ok", "settled")]
        assert [each.role for each in outcome.route.attempts] == ["first", "hedge"]
        assert outcome.route.attempts[1].started_s == pytest.approx(USUAL_S)
        assert ((await metrics(rig)).hedges, (await metrics(rig)).hedges_won) == (1, 1)
        await rig.check()


@BOTH
async def test_first_attempt_that_is_faster_after_all_wins(stream: bool, autojump_clock: object) -> None:
    slow, slower = usually_fast(script("first", after_s=1.0)), Upstreams(script("second", after_s=9.0))
    async with open_rig(("a", slow), ("b", slower), policy=POLICY) as rig:
        began = await learn(rig, stream=stream)
        text, outcome = await ask(rig, stream=stream)

        assert trio.current_time() - began == pytest.approx(1.0)
        assert text == "first"
        assert results(outcome) == [("a", "ok", "settled"), ("b", "cancelled", "in_doubt")]
        assert ((await metrics(rig)).hedges, (await metrics(rig)).hedges_won) == (1, 0)
        await rig.check()


async def test_both_that_speak_in_the_same_instant_are_not_mixed(autojump_clock: object) -> None:
    first = usually_fast(script("one two three four", after_s=2 * USUAL_S, gap_s=0.1))
    second = Upstreams(script("five six seven eight", after_s=USUAL_S, gap_s=0.1))
    async with open_rig(("a", first), ("b", second), policy=POLICY) as rig:
        await learn(rig, stream=True)
        text, outcome = await ask(rig, stream=True)

        assert text in ("one two three four", "five six seven eight")
        assert sorted(result for _, result, _ in results(outcome)) == ["cancelled", "ok"]
        await rig.check()


async def test_stream_that_began_is_not_raced_however_slow_it_goes_on(autojump_clock: object) -> None:
    first = usually_fast(script("one two three", after_s=0.1, gap_s=5.0))
    async with open_rig(("a", first), ("b", Upstreams(script("fast"))), policy=POLICY) as rig:
        await learn(rig, stream=True)
        text, outcome = await ask(rig, stream=True)

        assert text == "one two three"
        assert results(outcome) == [("a", "ok", "settled")]


NEVER: list[tuple[str, HedgePolicy, int]] = [
    ("off", HedgePolicy(enabled=False, samples_min=SAMPLES, budget_ratio=1.0), 2),
    ("unknown", HedgePolicy(enabled=True, samples_min=SAMPLES + 1, budget_ratio=1.0), 2),
    ("dear", HedgePolicy(enabled=True, samples_min=SAMPLES, budget_ratio=0.1), 2),
    ("patient", HedgePolicy(enabled=True, samples_min=SAMPLES, delay_min_s=5.0, budget_ratio=1.0), 2),
    ("alone", POLICY.hedge, 1),
]


@BOTH
@pytest.mark.parametrize(("hedge", "providers"), [each[1:] for each in NEVER], ids=[each[0] for each in NEVER])
async def test_slow_attempt_is_left_alone(
    hedge: HedgePolicy, providers: int, stream: bool, autojump_clock: object
) -> None:
    ways = [("a", usually_fast(script("slow", after_s=3.0))), ("b", Upstreams(script("fast")))][:providers]
    async with open_rig(*ways, policy=msgspec.structs.replace(POLICY, hedge=hedge)) as rig:
        await learn(rig, stream=stream)
        text, outcome = await ask(rig, stream=stream)

        assert text == "slow"
        assert results(outcome) == [("a", "ok", "settled")]


async def test_batch_request_is_not_raced(autojump_clock: object) -> None:
    ways = (("a", usually_fast(script("slow", after_s=3.0))), ("b", Upstreams(script("fast"))))
    async with open_rig(*ways, policy=POLICY) as rig:
        await learn(rig, stream=False)
        outcome = await rig.generate(priority="batch")

        assert results(outcome) == [("a", "ok", "settled")]


async def test_embedding_is_not_raced(autojump_clock: object) -> None:
    cards = {name: (ModelCard(name="sim-embed", price=PRICE, embeddings=True),) for name in "ab"}
    slow = Upstreams(Behaviour(script=Script(latency_s=3.0), first=(Script(latency_s=USUAL_S),) * SAMPLES))
    async with open_rig(("a", slow), ("b", Upstreams(Script())), policy=POLICY, cards=cards) as rig:
        for number in range(SAMPLES + 1):
            request = EmbedRequest(request_id=RequestId(f"e{number}"), inputs=("x",), model="sim-embed")
            outcome = await rig.router.ask(request, deadline=trio.current_time() + 60)

        assert isinstance(outcome, Embedded)
        assert results(outcome) == [("a", "ok", "settled")]


async def test_candidate_that_rests_joins_no_race(autojump_clock: object) -> None:
    first = usually_fast(script("slow", after_s=3.0))
    resting = Upstreams(script("", fault=Rejected(status=429, retry_after_s=60.0)))
    async with open_rig(("a", first), ("b", resting), policy=POLICY) as rig:
        await rig.generate(provider="b", fallback_providers=(), within_s=1.0)
        await learn(rig, stream=False)
        _, outcome = await ask(rig, stream=False)

        assert results(outcome) == [("a", "ok", "settled")]
        assert resting.sim.bill.totals().requests == 1


async def test_races_are_a_share_of_traffic(autojump_clock: object) -> None:
    # Slower than the fastest fifth: that of all those is raced which the budget allows.
    hedge = HedgePolicy(enabled=True, quantile=0.2, samples_min=SAMPLES, budget_ratio=0.25)
    first, second = usually_fast(script("slow", after_s=0.6)), Upstreams(script("fast"))
    async with open_rig(("a", first), ("b", second), policy=msgspec.structs.replace(POLICY, hedge=hedge)) as rig:
        await learn(rig, stream=True)
        for _ in range(15):
            await ask(rig, stream=True)

        assert second.sim.bill.totals().requests == (SAMPLES + 15) // 4
        await rig.check()


# --- what else may happen meanwhile -------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("fault", [Cut(where="headers"), Rejected(status=500)], ids=["cut", "500"])
async def test_race_goes_on_when_one_of_both_fails(fault: Fault, stream: bool, autojump_clock: object) -> None:
    failing = script("", after_s=0.0, fault=fault)
    late = msgspec.structs.replace(failing, latency_s=0.8)
    for first, second in ((late, script("fine", after_s=2.0)), (script("fine", after_s=2.0), failing)):
        async with open_rig(("a", usually_fast(first)), ("b", Upstreams(second)), policy=POLICY) as rig:
            await learn(rig, stream=stream)
            text, outcome = await ask(rig, stream=stream)

            assert text == "fine"
            assert sorted(result for _, result, _ in results(outcome)) != ["ok"]
            assert len(results(outcome)) == 2
            await rig.check()


@BOTH
async def test_where_both_fail_the_next_candidate_answers(stream: bool, autojump_clock: object) -> None:
    late = msgspec.structs.replace(script("", fault=Rejected(status=500)), latency_s=0.8)
    later = msgspec.structs.replace(late, latency_s=0.9)
    ways = (("a", usually_fast(late)), ("b", Upstreams(later)), ("c", Upstreams(script("third"))))
    async with open_rig(*ways, policy=POLICY) as rig:
        await learn(rig, stream=stream)
        text, outcome = await ask(rig, stream=stream)

        assert text == "third"
        assert [(each.provider, each.role) for each in outcome.route.attempts] == [
            ("a", "first"),
            ("b", "hedge"),
            ("c", "failover"),
        ]
        await rig.check()


async def test_what_one_of_both_learnt_holds_for_what_follows(autojump_clock: object) -> None:
    refusing = Script(latency_s=0.8, fault=Rejected(status=400, code="content_policy_violation"))
    failing = Script(latency_s=0.9, fault=Rejected(status=500))
    other = Upstreams(script("anybody"))
    async with open_rig(("a", usually_fast(refusing)), ("b", Upstreams(failing)), ("c", other), policy=POLICY) as rig:
        await learn(rig, stream=True)
        _, outcome = await ask(rig, stream=True)

        assert [result for _, result, _ in results(outcome)] == ["content_policy", "server"]
        assert other.sim.bill.totals().requests == 0


@BOTH
@pytest.mark.parametrize("crashing", ["a", "b"])
async def test_crash_of_one_provider_actor_leaves_the_race_to_the_other(
    crashing: str, stream: bool, autojump_clock: object
) -> None:
    ways = (("a", usually_fast(script("of a", after_s=4.0))), ("b", Upstreams(script("of b", after_s=4.0))))
    async with open_rig(*ways, policy=POLICY) as rig:
        began = await learn(rig, stream=stream)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_crash_at, rig, f"provider/{crashing}", began + 1.0)
            text, outcome = await ask(rig, stream=stream)

        assert text == ("of b" if crashing == "a" else "of a")
        assert {provider: result for provider, result, _ in results(outcome)}[crashing] == "actor_crashed"
        await rig.check()


async def _crash_at(rig: Rig, actor: str, at: float) -> None:
    await trio.sleep_until(at)
    rig.tree.crash(actor, RuntimeError("injected"))


@BOTH
async def test_deadline_ends_both_and_books_them(stream: bool, autojump_clock: object) -> None:
    ways = (("a", usually_fast(script("", after_s=9.0))), ("b", Upstreams(script("", after_s=9.0))))
    async with open_rig(*ways, policy=POLICY) as rig:
        began = await learn(rig, stream=stream)
        _, outcome = await ask(rig, stream=stream, within_s=3.0)

        assert unfinished(outcome).failure.kind == "deadline"
        assert trio.current_time() - began == pytest.approx(3.0, abs=0.05)
        # The first may have been passed over before, so that the second has time.
        assert [(provider, booking) for provider, _, booking in results(outcome)] == [
            ("a", "in_doubt"),
            ("b", "in_doubt"),
        ]
        assert {result for _, result, _ in results(outcome)} <= {"deadline", "timeout"}
        await rig.check()


async def test_caller_who_leaves_ends_both(autojump_clock: object) -> None:
    ways = (("a", usually_fast(script("", after_s=9.0))), ("b", Upstreams(script("", after_s=9.0))))
    async with open_rig(*ways, policy=POLICY) as rig:
        began = await learn(rig, stream=True)
        with trio.move_on_after(2.0):
            await ask(rig, stream=True)

        assert trio.current_time() == began + 2.0
        await rig.check()
        assert [row.state for row in rig.rows()[-2:]] == ["in_doubt", "in_doubt"]
        assert [each.in_flight for each in (await metrics(rig)).deployments] == [0, 0]


async def test_router_that_crashes_in_a_race_owes_the_books_nothing(autojump_clock: object) -> None:
    ways = (("a", usually_fast(script("", after_s=9.0))), ("b", Upstreams(script("", after_s=9.0))))
    async with open_rig(*ways, policy=POLICY) as rig:
        began = await learn(rig, stream=False)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_crash_at, rig, "router", began + 2.0)
            assert isinstance(await rig.ask(), ActorFailed)
        await rig.check()
        assert [row.state for row in rig.rows()[-2:]] == ["in_doubt", "in_doubt"]
        assert [each.in_flight for each in (await metrics(rig)).deployments] == [0, 0]


async def test_winner_that_breaks_off_is_rescued_as_any_stream(autojump_clock: object) -> None:
    text = "one two three four five"
    breaking = Upstreams(script(text, fault=Cut(where="body", after_chunks=2)))
    ways = (
        ("a", usually_fast(script("", fault=Stall(where="first_token")))),
        ("b", breaking),
        ("c", Upstreams(script(text))),
    )
    async with open_rig(*ways, policy=POLICY) as rig:
        await learn(rig, stream=True)
        events, outcome = await rig.stream()

        assert text_seen(events) == text
        assert [(each.provider, each.role) for each in outcome.route.attempts] == [
            ("a", "first"),
            ("b", "hedge"),
            ("c", "splice"),
        ]
        await rig.check()
