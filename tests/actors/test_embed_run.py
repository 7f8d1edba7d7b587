"""An embedding's life at the router: split, answered by one model, booked call by call, and ended at any point."""

from __future__ import annotations

import itertools
from typing import Any

import httpx
import msgspec
import pytest
import trio
import trio.testing

from manus.actors.codecs.embed_answer import unpacked
from manus.messages.ids import RequestId
from manus.messages.outcomes import Embedded, Unfinished
from manus.messages.policy import ModelCard
from manus.messages.requests import ChatRequest, EmbedRequest
from manus.messages.routing import RoutingMetrics, RoutingMetricsAsked
from manus.messages.routing_policy import RouterPolicy
from manus.messages.usage import Price
from manus.sim.behaviour import Behaviour, Script
from manus.sim.embeddings import DIMENSIONS, vector_of
from manus.sim.faults import Cut, ErrorInside, Fault, HtmlBody, Malformed, NoMarker, NoUsage, Rejected, Stall
from manus.sim.memory import SimTransport
from manus.supervisor.terminals import ActorFailed
from tests.actors.rig import PRICE, Rig, Upstreams, asked, open_rig, outcome_of, unfinished

EMBEDDER = ModelCard(name="embedder", price=PRICE, context_tokens=8000, embeddings=True)
OTHER = ModelCard(name="other-embedder", price=PRICE, embeddings=True)
CHATTER = ModelCard(name="chatter", price=PRICE, context_tokens=8000, embeddings=False)
CARDS = {"first": (CHATTER, EMBEDDER), "second": (EMBEDDER,)}

_numbers = itertools.count(1)


def _ask(*inputs: str, **fields: Any) -> EmbedRequest:
    return EmbedRequest(request_id=RequestId(f"e{next(_numbers)}"), inputs=inputs, **fields)


async def _embed(rig: Rig, *inputs: str, within_s: float = 60.0, **fields: Any) -> Embedded | Unfinished:
    answer = await rig.router.ask(_ask(*inputs, **fields), deadline=trio.current_time() + within_s)
    outcome = outcome_of(answer)
    assert isinstance(outcome, Embedded | Unfinished)
    return outcome


def _embedded(outcome: Embedded | Unfinished) -> Embedded:
    assert isinstance(outcome, Embedded), outcome
    return outcome


def _vectors(outcome: Embedded) -> list[list[float]]:
    return [unpacked(vector).tolist() for vector in outcome.vectors]


@pytest.mark.parametrize("wire", ["openai", "azure", "ollama"])
async def test_vectors_come_in_the_order_of_the_inputs_and_are_booked(
    autojump_clock: trio.testing.MockClock, wire: str
) -> None:
    upstream = Upstreams(wire=wire)
    async with open_rig(("first", upstream), cards=CARDS) as rig:
        outcome = _embedded(await _embed(rig, "one", "two", "one"))
        assert _vectors(outcome) == [vector_of(text, DIMENSIONS) for text in ("one", "two", "one")]
        assert (outcome.provider, outcome.model) == ("first", "embedder")
        assert outcome.usage.source == "reported"
        assert outcome.cost_nano_usd == PRICE.cost_nano_usd(outcome.usage)
        assert outcome.usage.output == 0
        (row,) = rig.rows()
        assert (row.state, row.usage, row.finish) == ("settled", outcome.usage, "stop")
        await rig.check()


async def test_more_inputs_than_a_call_takes_are_asked_for_in_turn(autojump_clock: trio.testing.MockClock) -> None:
    upstream = Upstreams(wire="ollama")
    texts = [f"text {number}" for number in range(1100)]
    async with open_rig(("first", upstream), cards=CARDS) as rig:
        outcome = _embedded(await _embed(rig, *texts, dimensions=2))
        assert _vectors(outcome) == [vector_of(text, 2) for text in texts]
        rows = rig.rows()
        assert [row.attempt for row in rows] == [1, 2, 3]
        assert sum(row.usage.input_uncached for row in rows) == outcome.usage.input_uncached
        assert [attempt.number for attempt in outcome.route.attempts] == [1, 2, 3]
        assert len(upstream.sim.bill.rows()) == 3
        await rig.check()


@pytest.mark.parametrize(
    ("model", "texts", "calls"),
    [("amazon.titan-embed-text-v2:0", 3, 3), ("cohere.embed-english-v3", 200, 3), ("amazon.nova-2-embed-v1:0", 2, 2)],
)
async def test_bedrocks_models_take_as_many_as_each_does(
    autojump_clock: trio.testing.MockClock, model: str, texts: int, calls: int
) -> None:
    upstream = Upstreams(wire="bedrock")
    inputs = [f"text {number}" for number in range(texts)]
    cards = {"first": (ModelCard(name=model, price=PRICE, embeddings=True),)}
    async with open_rig(("first", upstream), cards=cards) as rig:
        outcome = _embedded(await _embed(rig, *inputs))
        dimensions = len(unpacked(outcome.vectors[0]))
        assert _vectors(outcome) == [vector_of(text, dimensions) for text in inputs]
        assert len(rig.rows()) == calls
        await rig.check()


async def test_texts_that_are_too_many_tokens_together_are_asked_for_apart(
    autojump_clock: trio.testing.MockClock,
) -> None:
    upstream = Upstreams()
    texts = [letter * 150_000 for letter in "abcde"]
    cards = {"first": (ModelCard(name="embedder", embeddings=True),)}
    async with open_rig(("first", upstream), cards=cards) as rig:
        outcome = _embedded(await _embed(rig, *texts))
        assert _vectors(outcome) == [vector_of(text, DIMENSIONS) for text in texts]
        assert len(rig.rows()) == 3
        await rig.check()


async def test_only_deployments_of_the_same_model_take_over(autojump_clock: trio.testing.MockClock) -> None:
    broken, other, same = Upstreams(Script(fault=Rejected(status=500))), Upstreams(), Upstreams(wire="ollama")
    cards = {"broken": (EMBEDDER,), "other": (OTHER,), "same": (EMBEDDER,)}
    async with open_rig(("broken", broken), ("other", other), ("same", same), cards=cards) as rig:
        outcome = _embedded(await _embed(rig, "one"))
        assert outcome.provider == "same"
        (left_out,) = outcome.route.left_out
        assert left_out.provider == "other"
        assert "cannot be compared" in left_out.reason
        assert len(other.sim.bill.rows()) == 0
        await rig.check()


async def test_leaving_out_vendors_without_embeddings_keeps_the_order_of_the_rest(
    autojump_clock: trio.testing.MockClock,
) -> None:
    dear = msgspec.structs.replace(EMBEDDER, price=Price(input=9 * 10**9, output=0, version="test"))
    cards = {"mute": (EMBEDDER,), "dear": (dear,), "cheap": (EMBEDDER,)}
    upstreams = ("mute", Upstreams(wire="anthropic")), ("dear", Upstreams()), ("cheap", Upstreams())
    async with open_rig(*upstreams, cards=cards, policy=RouterPolicy(strategy="cost_aware")) as rig:
        outcome = _embedded(await _embed(rig, "one"))

    route = outcome.route
    assert [candidate.provider for candidate in route.candidates] == ["cheap", "dear"]
    assert [candidate.score for candidate in route.candidates] == [3_000, 27_000]  # 3 tokens are expected
    assert route.strategy == "cost_aware"
    assert [(each.provider, each.reason) for each in route.left_out] == [("mute", "has no embeddings")]


async def test_a_named_fallback_may_answer_from_the_start_and_with_its_own_model(
    autojump_clock: trio.testing.MockClock,
) -> None:
    broken, other = Upstreams(Script(fault=Rejected(status=500))), Upstreams()
    cards = {"broken": (EMBEDDER,), "other": (OTHER,)}
    async with open_rig(("broken", broken), ("other", other), cards=cards) as rig:
        outcome = _embedded(await _embed(rig, "one", fallback_providers=("other",)))
        assert (outcome.provider, outcome.model) == ("other", "other-embedder")
        await rig.check()


async def test_once_vectors_came_no_other_model_adds_to_them(autojump_clock: trio.testing.MockClock) -> None:
    good_once = Behaviour(first=(Script(),), script=Script(fault=Rejected(status=500)))
    first, other = Upstreams(good_once, wire="ollama"), Upstreams()
    cards = {"first": (EMBEDDER,), "other": (OTHER,)}
    texts = [f"text {number}" for number in range(600)]
    async with open_rig(("first", first), ("other", other), cards=cards) as rig:
        outcome = unfinished(await _embed(rig, *texts, fallback_providers=("other",)))
        assert outcome.failure.kind == "server"
        assert outcome.usage.input_uncached > 0
        assert outcome.partial is not None
        assert [unpacked(vector).tolist() for vector in outcome.partial.vectors] == [
            vector_of(text, DIMENSIONS) for text in texts[:512]
        ]
        assert len(other.sim.bill.rows()) == 0
        assert outcome.cost_nano_usd == PRICE.cost_nano_usd(outcome.usage)
        await rig.check()


async def test_who_answered_is_asked_first_for_the_rest(autojump_clock: trio.testing.MockClock) -> None:
    broken = Upstreams(Behaviour(script=Script(fault=Rejected(status=500))), wire="ollama")
    good = Upstreams(wire="ollama")
    texts = [f"text {number}" for number in range(1100)]
    async with open_rig(("first", broken), ("second", good), cards=CARDS) as rig:
        _embedded(await _embed(rig, *texts))
        assert len(good.sim.bill.rows()) == 3
        assert len(broken.sim.bill.rows()) == 2  # the first call and its retry, and never again
        await rig.check()


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Rejected(status=429), "rate_limited"),
        (Rejected(status=401), "auth"),
        (HtmlBody(), "protocol"),
        (Malformed(), "protocol"),
        (NoMarker(), "protocol"),
        (ErrorInside(), "server"),
        (Cut(after_chunks=0), "network"),
        (Stall(where="body"), "timeout"),
        (Stall(where="headers"), "timeout"),
        (NoUsage(), None),
    ],
    ids=str,
)
@pytest.mark.parametrize("wire", ["openai", "azure", "ollama"])
async def test_what_goes_wrong_is_told_and_the_books_cover_it(
    autojump_clock: trio.testing.MockClock, wire: str, fault: Fault, kind: str | None
) -> None:
    upstream = Upstreams(Script(fault=fault), wire=wire)
    async with open_rig(("first", upstream), cards=CARDS) as rig:
        outcome = await _embed(rig, "one", "two", within_s=300.0)
        if kind is None:
            assert _embedded(outcome).usage.source == "estimated"
        else:
            assert unfinished(outcome).failure.kind == kind
        await rig.check()


async def test_a_caller_who_leaves_between_two_calls_leaves_nothing_open(
    autojump_clock: trio.testing.MockClock,
) -> None:
    upstream = Upstreams(Behaviour(first=(Script(),), script=Script(latency_s=5.0)), wire="ollama")
    texts = [f"text {number}" for number in range(600)]
    async with open_rig(("first", upstream), cards=CARDS) as rig:
        with trio.move_on_after(2.0) as scope:
            await _embed(rig, *texts)
        assert scope.cancelled_caught
        await rig.check()
        assert [row.state for row in rig.rows()] == ["settled", "in_doubt"]


async def test_a_first_call_that_fails_leaves_no_vectors(autojump_clock: trio.testing.MockClock) -> None:
    async with open_rig(("first", Upstreams(Script(fault=Malformed()))), cards=CARDS) as rig:
        assert unfinished(await _embed(rig, "one")).partial is None


async def test_a_deadline_in_the_second_call_tells_what_the_first_one_cost(
    autojump_clock: trio.testing.MockClock,
) -> None:
    upstream = Upstreams(Behaviour(first=(Script(),), script=Script(latency_s=50.0)), wire="ollama")
    texts = [f"text {number}" for number in range(600)]
    async with open_rig(("first", upstream), cards=CARDS) as rig:
        outcome = unfinished(await _embed(rig, *texts, within_s=3.0))
        assert outcome.failure.kind == "deadline"
        assert outcome.usage.input_uncached == rig.rows()[0].usage.input_uncached > 0
        await rig.check()


class _Bug(httpx.AsyncBaseTransport):
    """Breaks in a way that no transport may, with the request in hand."""

    def __init__(self, inner: SimTransport) -> None:
        self.inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raise RuntimeError("a defect")


async def test_a_crash_of_the_provider_is_one_failed_attempt(autojump_clock: trio.testing.MockClock) -> None:
    first, second = Upstreams(), Upstreams()
    first.wrap = _Bug
    async with open_rig(("first", first), ("second", second), cards=CARDS) as rig:
        outcome = _embedded(await _embed(rig, "one"))
        assert [attempt.result for attempt in outcome.route.attempts] == ["actor_crashed", "ok"]
        await rig.check()


async def test_a_crash_of_the_router_is_told_and_booked(autojump_clock: trio.testing.MockClock) -> None:
    upstream = Upstreams(Script(latency_s=5.0))
    async with open_rig(("first", upstream), cards=CARDS) as rig:
        answers: list[object] = []

        async def ask() -> None:
            answers.append(await rig.router.ask(_ask("one"), deadline=trio.current_time() + 60))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await trio.sleep(1.0)
            rig.router.cast("no message of the router's")
        assert isinstance(answers[0], Embedded | ActorFailed)
        await rig.check()


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"inputs": ()}, "inputs"),
        ({"inputs": ("a", " ")}, "inputs[1]"),
        ({"inputs": ("a\0",)}, "inputs[0]"),
        ({"inputs": ("\ud800",)}, "inputs[0]"),
        ({"inputs": ("a",), "dimensions": 0}, "dimensions"),
        ({"inputs": ("a",), "timeout_s": float("nan")}, "timeout_s"),
        ({"inputs": ("a",) * 100_001}, "inputs"),
        ({"inputs": ("a" * 70_000_000,)}, "inputs"),
        ({"inputs": ("a",), "model": " "}, "model"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_what_nobody_could_embed_is_refused_before_anything(
    autojump_clock: trio.testing.MockClock, fields: dict[str, Any], param: str
) -> None:
    upstream = Upstreams()
    async with open_rig(("first", upstream), cards=CARDS) as rig:
        request = EmbedRequest(request_id=RequestId("bad"), **fields)
        outcome = unfinished(outcome_of(await rig.router.ask(request, deadline=trio.current_time() + 60)))
        assert outcome.failure.param == param
        assert outcome.failure.safe_to_retry
        assert outcome.cost_nano_usd == 0
        assert rig.rows() == []


async def test_a_text_that_no_window_takes_is_refused_before_it_is_sent(autojump_clock: trio.testing.MockClock) -> None:
    upstream = Upstreams()
    async with open_rig(("first", upstream), cards=CARDS) as rig:
        outcome = unfinished(await _embed(rig, "short", "word " * 20_000))
        assert outcome.failure.kind == "context_length"
        assert len(upstream.sim.bill.rows()) == 0


async def test_models_that_embed_do_not_chat_and_the_other_way_round(autojump_clock: trio.testing.MockClock) -> None:
    upstream = Upstreams()
    cards = {"first": (EMBEDDER, ModelCard(name="text-embed-x"), CHATTER)}
    async with open_rig(("first", upstream), cards=cards) as rig:
        assert _embedded(await _embed(rig, "one")).model == "embedder"
        outcome = outcome_of(
            await rig.router.ask(asked(model="embedder", fallback_providers=()), deadline=trio.current_time() + 60)
        )
        assert "makes vectors and does not chat" in unfinished(outcome).failure.message
        refused = unfinished(await _embed(rig, "one", model="chatter", fallback_providers=()))
        assert "makes no vectors" in refused.failure.message
        assert isinstance(asked(), ChatRequest)


async def test_deployment_that_rests_is_left_alone_and_waited_for_where_nobody_else_has_the_model(
    autojump_clock: trio.testing.MockClock,
) -> None:
    limited = Upstreams(Behaviour(script=Script(), first=(Script(fault=Rejected(status=429, retry_after_s=9.0)),)))
    async with open_rig(("first", limited), cards=CARDS) as rig:
        told = await _embed(rig, "x", within_s=5.0)
        began_at = trio.current_time()
        outcome = _embedded(await _embed(rig, "y"))

        assert isinstance(told, Unfinished)
        assert told.failure.retry_after_s == 9.0
        assert outcome.route.attempts[0].started_s >= 9.0 - began_at
        assert limited.sim.bill.totals().requests == 2


async def test_embeddings_count_like_other_requests(autojump_clock: trio.testing.MockClock) -> None:
    upstream = Upstreams()
    async with open_rig(("first", upstream), cards=CARDS) as rig:
        await _embed(rig, "one")
        await _embed(rig, "one", provider="nobody")
        metrics = await rig.router.ask(RoutingMetricsAsked(), deadline=trio.current_time() + 1)
        assert isinstance(metrics, RoutingMetrics)
        assert (metrics.requests, metrics.finished, metrics.unfinished) == (2, 1, 1)
