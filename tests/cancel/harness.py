"""Own the ways in which a caller leaves, and how what the books say of it is held against the provider's own bill."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal

import pytest
import trio
import trio.testing

from manus.agent import LLMAgent
from manus.opening import open_agent
from manus.reports import UsageLine
from manus.sim.behaviour import Behaviour, Script
from manus.sim.bill import BillRow
from manus.sim.memory import SimTransport
from manus.sim.provider import SimProvider
from manus.sim.wire import WireName
from manus.testing import sim_config

OnCancel = Literal["abort", "drain"]

WORDS = "one two three four five six seven eight nine ten eleven twelve"
CHUNKS = len(WORDS.split())
SLOW = Script(text=WORDS, latency_s=1.0, first_token_s=1.0, gap_s=1.0)
"""The head at 1, then a word a second from 2 on; the last one, and the end, at 13."""

OVER_S = 20.0
"""Longer than any answer takes."""

INPUT_TOLD_FIRST = frozenset({"anthropic"})
"""Wires that say how long the prompt was before they answer it."""


@dataclass
class Fleet:
    """Simulated providers in memory, by name, and every transport that was made to them."""

    providers: dict[str, SimProvider]
    made: list[SimTransport]

    @property
    def open_exchanges(self) -> int:
        """How many answers are under way."""
        return sum(transport.open_exchanges for transport in self.made)

    def transport(self, name: str) -> Callable[[str], SimTransport]:
        """Give what makes the transports to one of them."""

        def make(base_url: str) -> SimTransport:
            self.made.append(SimTransport(self.providers[name]))
            return self.made[-1]

        return make


def fleet_of(scripts: Mapping[str, tuple[WireName, Script | Behaviour]]) -> Fleet:
    """Make one provider per name."""
    return Fleet({name: SimProvider(wire, script) for name, (wire, script) in scripts.items()}, [])


@asynccontextmanager
async def agent_over(fleet: Fleet, on_cancel: OnCancel, **routing: Any) -> AsyncIterator[LLMAgent]:
    """Open an agent over all of them, with books in memory."""
    config = sim_config(fleet.providers, routing={"on_cancel": on_cancel, **routing})
    transports = {name: fleet.transport(name) for name in fleet.providers}
    async with open_agent(config, transports=transports, keep_books=False, seed=1) as agent:
        yield agent


# --- ways to leave: each asks, takes so many chunks, and leaves ---------------------------------------------------

Leave = Callable[[LLMAgent, str, int, dict[str, Any]], Awaitable[None]]


async def by_closing(agent: LLMAgent, prompt: str, chunks: int, options: dict[str, Any]) -> None:
    stream = agent.stream(prompt, **options)
    for _ in range(chunks):
        assert (await anext(stream)).delta
    await stream.aclose()


async def by_leaving_the_block(agent: LLMAgent, prompt: str, chunks: int, options: dict[str, Any]) -> None:
    async with agent.stream(prompt, **options) as stream:
        for _ in range(chunks):
            await anext(stream)


async def by_dropping_the_last_reference(agent: LLMAgent, prompt: str, chunks: int, options: dict[str, Any]) -> None:
    stream = agent.stream(prompt, **options)
    for _ in range(chunks):
        await anext(stream)
    del stream


async def by_breaking_out_of_the_loop(agent: LLMAgent, prompt: str, chunks: int, options: dict[str, Any]) -> None:
    if not chunks:
        return await by_dropping_the_last_reference(agent, prompt, chunks, options)
    seen = 0
    async for _ in agent.stream(prompt, **options):
        seen += 1
        if seen == chunks:
            break
    return None


async def by_a_cancel_scope(agent: LLMAgent, prompt: str, chunks: int, options: dict[str, Any]) -> None:
    seen = 0
    with trio.CancelScope() as scope:
        if not chunks:
            scope.cancel()
        async with agent.stream(prompt, **options) as stream:
            async for _ in stream:
                seen += 1
                if seen == chunks:
                    scope.cancel()
    assert scope.cancelled_caught


async def by_saying_so(agent: LLMAgent, prompt: str, chunks: int, options: dict[str, Any]) -> None:
    stream = agent.stream(prompt, **options)
    for _ in range(chunks):
        await anext(stream)
    response = await stream.cancel()
    assert response.finish_reason == "cancelled"
    assert response.content == "".join(f" {word}" for word in WORDS.split()[:chunks]).strip()


async def by_closing_its_events(agent: LLMAgent, prompt: str, chunks: int, options: dict[str, Any]) -> None:
    events = agent.stream_sse(prompt, **options)
    for _ in range(chunks):
        assert "event: " in await anext(events)
    await events.aclose()


async def by_dropping_its_events(agent: LLMAgent, prompt: str, chunks: int, options: dict[str, Any]) -> None:
    events = agent.stream_sse(prompt, **options)
    for _ in range(chunks):
        await anext(events)
    del events


WAYS: tuple[Leave, ...] = (
    by_closing,
    by_leaving_the_block,
    by_dropping_the_last_reference,
    by_breaking_out_of_the_loop,
    by_a_cancel_scope,
    by_saying_so,
    by_closing_its_events,
    by_dropping_its_events,
)


# --- the books against the bill -----------------------------------------------------------------------------------


async def lines_of(agent: LLMAgent) -> dict[str, UsageLine]:
    """Give the books of each conversation; every request of the harness is one of its own."""
    report = await agent.get_usage_stats(by=("conversation", "provider"))
    return {f"{line.conversation} at {line.provider}": line for line in report.lines}


def check_line(line: UsageLine, bill: BillRow, wire: WireName, *, exact: bool, chunk_tokens: int = 1) -> None:
    """Hold the one row of an attempt against the one line of the bill.

    Args:
        exact: the answer was read to its end, and the vendor's own count is what was booked.
        chunk_tokens: how far the output may be off otherwise: a chunk that was made and not received.
    """
    assert (line.requests, line.open) == (1, 0)
    assert bill.billed == (not line.released)
    if line.in_doubt:
        assert not exact
        assert line.in_doubt_input_tokens >= bill.input_tokens
        assert line.in_doubt_output_tokens >= bill.output_tokens
    elif line.settled and exact:
        assert line.estimated == 0
        assert (line.input_tokens, line.output_tokens) == (bill.input_tokens, bill.output_tokens)
    elif line.settled:
        assert line.estimated == 1
        assert 0 <= bill.output_tokens - line.output_tokens <= chunk_tokens
        if wire in INPUT_TOLD_FIRST:
            assert line.input_tokens == bill.input_tokens
        else:
            assert line.input_tokens == pytest.approx(bill.input_tokens, rel=0.6)


async def check_nothing_runs(fleet: Fleet) -> None:
    """Check that all has ended in this very instant: no answer is under way, and the vendors know that we left."""
    now = trio.current_time()
    await trio.testing.wait_all_tasks_blocked()
    assert trio.current_time() == now
    assert fleet.open_exchanges == 0
    assert all(provider.in_flight == 0 for provider in fleet.providers.values())
