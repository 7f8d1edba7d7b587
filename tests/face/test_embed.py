"""Vectors through the whole agent: shapes, cost, failover, refusals, and what is written for people."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing

import manus
from manus.embedding import EmbeddingResponse
from manus.messages.watching import AttemptEnded
from manus.sim.behaviour import Script
from manus.sim.embeddings import DIMENSIONS, vector_of
from manus.sim.faults import Rejected
from tests.face.rig import KEY, Rig, open_rig

EMBEDDER = {"name": "embedder", "cost_per_input": 1, "cost_per_output": 0, "context_length": 8000}
PROVIDERS = {
    "first": {
        "type": "openai",
        "priority": 1,
        "api_key": KEY,
        "base_url": "http://first/v1",
        "models": [EMBEDDER],
    },
    "second": {"type": "ollama", "priority": 2, "models": [{"name": "embedder"}]},
}


async def test_texts_become_vectors_and_cost_something(autojump_clock: trio.testing.MockClock) -> None:
    rig = Rig()
    async with open_rig(rig, {"providers": PROVIDERS}) as agent:
        response = await agent.embed(["one", "two"], tags=["nightly"])
        assert [vector.tolist() for vector in response.vectors] == [vector_of(t, DIMENSIONS) for t in ("one", "two")]
        assert response.dimensions == DIMENSIONS
        assert memoryview(response.vectors[0]).format == "f"
        assert (response.provider, response.model) == ("first", "embedder")
        assert response.usage.source == "reported"
        assert response.usage.output_tokens == 0
        assert response.usage.cost_nano_usd
        assert response.vendor_request_id is not None
        assert response.vendor_request_id.startswith("req_")
        (line,) = (await agent.get_usage_stats()).lines
        assert line.cost_nano_usd == response.usage.cost_nano_usd
        one = await agent.embed("one", dimensions=4)
        assert [len(vector) for vector in one.vectors] == [4]


async def test_the_same_model_elsewhere_takes_over(autojump_clock: trio.testing.MockClock) -> None:
    rig = Rig(Script(fault=Rejected(status=500)))
    async with open_rig(rig, {"providers": PROVIDERS}) as agent:
        response = await agent.embed("one")
        assert response.provider == "second"
        assert [vector.tolist() for vector in response.vectors] == [vector_of("one", DIMENSIONS)]
        assert response.usage.cost_nano_usd == 0


async def test_everything_can_be_written_as_plain_data(autojump_clock: trio.testing.MockClock) -> None:
    async with open_rig(Rig(), {"providers": PROVIDERS}) as agent:
        plain = (await agent.embed("one")).to_dict()
    assert plain["vectors"] == [vector_of("one", DIMENSIONS)]
    assert plain["dimensions"] == DIMENSIONS
    assert plain["usage"]["cost_usd"] > 0
    assert plain["route"]["attempts"][0]["provider"] == "first"


@pytest.mark.parametrize(
    ("inputs", "options", "message"),
    [
        (5, {}, "inputs: expected a text or a list of texts; got int"),
        (b"abc", {}, "inputs: expected a text or a list of texts; got bytes"),
        (["a", 5], {}, r"inputs\[1\]: expected text; got int"),
        ([], {}, "inputs: are empty"),
        ("", {}, r"inputs\[0\]: is empty"),
        ("a\0", {}, r"inputs\[0\]: holds a NUL"),
        ("a", {"dimensions": 0}, "dimensions: expected a whole number from 1"),
        ("a", {"purpose": "fun"}, "purpose: expected document"),
        ("a", {"provider": "nobody"}, "No provider is called 'nobody'"),
        ("a", {"model": "nothing"}, "No enabled provider lists the model"),
    ],
)
async def test_a_bad_request_is_refused_by_name(
    autojump_clock: trio.testing.MockClock, inputs: Any, options: dict[str, Any], message: str
) -> None:
    rig = Rig()
    async with open_rig(rig, {"providers": PROVIDERS}) as agent:
        with pytest.raises(manus.InvalidRequestError, match=message):
            await agent.embed(inputs, **options)
    assert len(rig.first.bill.rows()) == 0


async def test_an_option_of_chat_is_no_option_here(autojump_clock: trio.testing.MockClock) -> None:
    async with open_rig(Rig(), {"providers": PROVIDERS}) as agent:
        with pytest.raises(TypeError, match="there is no option 'temperature'"):
            await agent.embed("a", temperature=1)  # type: ignore[call-arg]


async def test_a_vendor_without_embeddings_says_so_and_is_never_called(autojump_clock: trio.testing.MockClock) -> None:
    claude = {"type": "anthropic", "api_key": "sk-x", "models": [{"name": "embedder"}]}
    rig = Rig()
    async with open_rig(rig, {"providers": {"claude": claude}}) as agent:
        with pytest.raises(manus.LLMError, match="no embeddings"):
            await agent.embed("one")


async def test_who_takes_any_model_but_has_no_embeddings_is_left_out_of_the_plan(
    autojump_clock: trio.testing.MockClock,
) -> None:
    claude = {"type": "anthropic", "api_key": "sk-x", "priority": 0, "any_model": True}
    openai = {"type": "openai", "api_key": KEY, "base_url": "http://first/v1", "priority": 1, "any_model": True}
    rig = Rig()
    async with open_rig(rig, {"providers": {"claude": claude, "first": openai}}) as agent:
        response = await agent.embed("one", model="text-embedding-3-small")
    assert (response.provider, response.model) == ("first", "text-embedding-3-small")
    assert [attempt.provider for attempt in response.route.attempts] == ["first"]
    assert ("claude", "has no embeddings") in [(each.provider, each.reason) for each in response.route.left_out]


async def test_a_purpose_that_a_model_cannot_tell_apart_is_a_warning_and_no_reason_to_refuse(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_rig(Rig(), {"providers": PROVIDERS}) as agent:
        (warning,) = (await agent.embed("one", purpose="query")).warnings
        assert "no difference between questions and passages" in warning
        assert len((await agent.embed("one", purpose="query", on_unsupported="refuse")).warnings) == 1
        assert (await agent.embed("one", on_unsupported="refuse")).warnings == ()


async def test_the_switched_provider_is_the_first_for_chat_alone(autojump_clock: trio.testing.MockClock) -> None:
    async with open_rig(Rig(), {"providers": PROVIDERS}) as agent:
        await agent.switch_provider("second")
        response = await agent.embed("one")
        assert isinstance(response, EmbeddingResponse)
        assert response.provider == "first"


async def test_a_cancelled_embedding_leaves_nothing_open(autojump_clock: trio.testing.MockClock) -> None:
    rig = Rig(Script(latency_s=5))
    async with open_rig(rig, {"providers": PROVIDERS}) as agent:
        with trio.move_on_after(1) as scope:
            await agent.embed("one")
        assert scope.cancelled_caught
        await trio.sleep(1)
        assert rig.open_exchanges == 0
        (line,) = (await agent.get_usage_stats()).lines
        assert line.in_doubt == 1


async def test_every_attempt_is_told_to_whoever_watches_with_the_vendors_id_and_limits(
    autojump_clock: trio.testing.MockClock,
) -> None:
    rig = Rig(Script(fault=Rejected(status=429, retry_after_s=100)))
    async with open_rig(rig, {"providers": PROVIDERS}) as agent:
        with agent.events() as events:
            response = await agent.embed("one")
            seen = [events.receive_nowait() for _ in range(2)]
    refused, served = seen
    assert isinstance(refused, AttemptEnded)
    assert isinstance(served, AttemptEnded)
    assert refused.request_id == served.request_id == response.request_id
    assert (refused.attempt, refused.deployment, refused.result, refused.status) == (
        1,
        "first/embedder",
        "rate_limited",
        429,
    )
    assert refused.vendor_request_id is not None
    assert refused.booking == "released"
    assert (served.attempt, served.deployment, served.result, served.booking) == (2, "second/embedder", "ok", "settled")


async def test_the_limits_that_a_vendor_tells_are_in_the_events_of_chat_too(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_rig(Rig()) as agent:
        with agent.events() as events:
            response = await agent.generate("Hello")
            told = events.receive_nowait()
    assert isinstance(told, AttemptEnded)
    assert {reading.dimension for reading in told.rate_limits} == {"requests", "tokens"}
    assert told.vendor_request_id == response.vendor_request_id
    assert told.vendor_request_id == response.route.attempts[0].vendor_request_id
    assert told.cost_nano_usd == response.usage.cost_nano_usd
