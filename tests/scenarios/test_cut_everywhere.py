"""A stream that is cut at every possible place, read through the public face: what is delivered fits to the letter.

Whatever the place, the caller has the whole answer, or the part that was delivered with the error; never a gap, never a
word twice, never half a character, and never an end that was not one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from trio.testing import MockClock

from manus.actors.upstream import TransportFactory
from manus.agent import LLMAgent
from manus.opening import open_agent
from manus.sim.behaviour import Behaviour, Script
from manus.sim.memory import SimTransport
from manus.sim.provider import SimProvider
from manus.sim.wire import WireName
from manus.sim.words import tokens_of
from tests.scenarios import caller
from tests.scenarios.cutting import CutTransport, Knife
from tests.scenarios.settings import MODEL, settings
from tests.scenarios.vocabulary import BUDGET_S, FALLBACK, PRIMARY, Provider, Result, Scenario, plays

SAYS = "Naïve: 世界 🌍 is cut, e\u0301 too, twice."
SAYS_ELSE = "Nobody says the same."
WIRES: tuple[WireName, ...] = ("openai", "openai-responses", "anthropic", "bedrock", "ollama")

STRIDE_BYTES = 13
"""How many bytes lie between two cuts in the default lane; the long one cuts at every byte."""

UNHURT = {"failures": 1000, "calls_min": 10_000}
"""Many cuts in a row must not put the primary to rest: it is its streams that are looked at."""

CUTS_MAX = 500
"""How many cuts one agent sees."""


@asynccontextmanager
async def cut_by(knife: Knife, wire: WireName, fallback: Provider, chunk_tokens: int) -> AsyncIterator[LLMAgent]:
    """Open an agent whose primary is under the knife, and is not asked a second time."""
    says = Behaviour(script=Script(text=SAYS, chunk_tokens=chunk_tokens))
    scenario = Scenario(
        name="cut-everywhere",
        says="",
        primary=Provider(wire=wire, plays=says),
        fallback=fallback,
        tables={"retry": {"same_deployment": 0}, "health": UNHURT},
    )
    primary, second = SimProvider(wire, says, models=(MODEL,)), SimProvider(fallback.wire, fallback.plays)
    config = settings(scenario, {PRIMARY: primary, FALLBACK: second}, ":memory:")
    transports: dict[str, TransportFactory] = {
        PRIMARY: lambda base_url: CutTransport(primary, knife),
        FALLBACK: lambda base_url: SimTransport(second),
    }
    async with open_agent(config, transports=transports, seed=1) as agent:
        yield agent


async def read_at_every_cut(
    wire: WireName, fallback: Provider, stride_bytes: int, *, chunk_tokens: int = 2
) -> list[Result]:
    """Have the primary's stream cut after every so many bytes, and give what the caller saw of each."""
    knife = Knife()
    async with cut_by(knife, wire, fallback, chunk_tokens) as agent:
        whole = await caller.ask(agent, "stream", timeout_s=BUDGET_S)
    assert whole.delivered == whole.content == SAYS
    places = range(0, knife.body_bytes, stride_bytes)
    results = []
    for begin in range(0, len(places), CUTS_MAX):
        async with cut_by(knife, wire, fallback, chunk_tokens) as agent:
            for place in places[begin : begin + CUTS_MAX]:
                knife.after_bytes = place
                results.append(await caller.ask(agent, "stream", timeout_s=BUDGET_S))
    return results


def lanes(*values: object) -> Iterator[object]:
    """Play in both lanes."""
    for value in values:
        yield pytest.param(value, STRIDE_BYTES)
        yield pytest.param(value, 1, marks=pytest.mark.long)


@pytest.mark.parametrize(("wire", "stride_bytes"), list(lanes(*WIRES)))
async def test_an_answer_that_says_the_same_is_taken_up_to_the_letter(
    wire: WireName, stride_bytes: int, autojump_clock: MockClock
) -> None:
    results = await read_at_every_cut(wire, Provider(plays=plays(text=SAYS)), stride_bytes)
    assert {(result.error, result.delivered, result.content) for result in results} == {(None, SAYS, SAYS)}
    assert {result.roles for result in results} >= {("first", "failover"), ("first", "splice")}


@pytest.mark.parametrize(("wire", "stride_bytes"), list(lanes(*WIRES)))
async def test_a_model_that_goes_on_from_the_cut_does_so_to_the_letter(
    wire: WireName, stride_bytes: int, autojump_clock: MockClock
) -> None:
    continues = Provider(wire="ollama", plays=plays(text=SAYS, prefill="continue"), model={"prefill": True})
    results = await read_at_every_cut(wire, continues, stride_bytes)
    assert {(result.error, result.delivered, result.content) for result in results} == {(None, SAYS, SAYS)}
    assert {result.roles for result in results} >= {("first", "failover"), ("first", "continue")}


@pytest.mark.parametrize(("wire", "stride_bytes"), list(lanes(*WIRES)))
async def test_an_answer_that_says_something_else_is_never_glued_to_the_first(
    wire: WireName, stride_bytes: int, autojump_clock: MockClock
) -> None:
    results = await read_at_every_cut(wire, Provider(plays=plays(text=SAYS_ELSE)), stride_bytes)
    for result in results:
        if result.error is None:
            assert result.delivered == result.content
            assert result.content in (SAYS, SAYS_ELSE)
        else:
            assert result.delivered == result.partial
            assert result.partial
            assert SAYS.startswith(result.partial)
    lengths = {len(result.partial) for result in results if result.error is not None}
    assert len(lengths) > len(tokens_of(SAYS)) // 4  # chunks of two tokens each, and most of them seen


@pytest.mark.parametrize(("chunk_tokens", "stride_bytes"), list(lanes(1, 5)))
async def test_the_size_of_chunks_makes_no_difference(
    chunk_tokens: int, stride_bytes: int, autojump_clock: MockClock
) -> None:
    fallback = Provider(plays=plays(text=SAYS, chunk_tokens=3))
    results = await read_at_every_cut("openai", fallback, stride_bytes, chunk_tokens=chunk_tokens)
    assert {(result.error, result.delivered, result.content) for result in results} == {(None, SAYS, SAYS)}
