"""The face over real sockets and a real disk: what memory and a virtual clock might be too kind about."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
import trio

import manus
from manus.sim.faults import Cut
from manus.sim.provider import WIRES
from manus.sim.wire import WireName
from manus.testing import Script, SimProvider, serve_sim, sim_config
from tests.face.rig import TEXT

LIMIT_S = 30


async def until_idle(sim: SimProvider) -> None:
    """Wait until the provider has nobody to answer."""
    with trio.fail_after(LIMIT_S):
        while sim.in_flight:  # noqa: ASYNC110  # its bill is all that a provider tells
            await trio.sleep(0.01)


@pytest.mark.parametrize("wire", WIRES)
async def test_answers_whole_and_streamed_are_the_same_and_booked_as_billed(wire: WireName, tmp_path: Path) -> None:
    sim = SimProvider(wire, Script(text=TEXT, cached_tokens=2))
    async with serve_sim(sim) as server:
        config = sim_config({wire: server}) | {"ledger": {"path": str(tmp_path / "ledger.sqlite")}}
        async with manus.open_agent(config) as agent:
            whole = await agent.generate("Hello")
            streamed = await agent.stream("Hello").response()
            total = (await agent.get_usage_stats()).total
    assert whole.content == streamed.content == TEXT
    assert whole.usage == streamed.usage
    bill = sim.bill.totals()
    assert (total.input_tokens, total.output_tokens) == (bill.input_tokens, bill.output_tokens)
    connection = sqlite3.connect(tmp_path / "ledger.sqlite")
    states = connection.execute("SELECT state, cost_nano_usd FROM attempts").fetchall()
    connection.close()
    assert [state for state, _ in states] == ["settled", "settled"]


async def test_a_dropped_stream_closes_its_socket_and_leaves_the_others_alone() -> None:
    sim = SimProvider("openai", Script(words=5000, gap_s=0.005))
    quick = SimProvider("ollama", Script(text=TEXT))
    async with serve_sim(sim) as server, serve_sim(quick) as other:
        async with manus.open_agent(sim_config({"openai": server, "ollama": other}), keep_books=False) as agent:
            streams = [agent.stream("Hello", provider="openai") for _ in range(10)]
            for stream in streams:
                await anext(stream)
            assert sim.in_flight == 10
            streams.clear()
            del stream
            await until_idle(sim)
            assert (await agent.generate("Hello", provider="ollama")).content == TEXT
            total = (await agent.get_usage_stats()).total
    assert total.open == 0
    assert total.settled == 11
    assert {row.state for row in sim.bill.rows()} == {"disconnected"}


async def test_an_answer_that_is_cut_is_failed_over_or_told_but_never_whole() -> None:
    sim = SimProvider("openai", Script(text=TEXT, fault=Cut(where="utf8")))
    spare = SimProvider("ollama", Script(text="The spare one."))
    async with serve_sim(sim) as server, serve_sim(spare) as other:
        async with manus.open_agent(sim_config({"openai": server, "ollama": other}), keep_books=False) as agent:
            assert (await agent.generate("Hello", provider="openai")).content == "The spare one."
            with pytest.raises(manus.LLMError) as caught:
                await agent.stream("Hello", provider="openai", on_interrupt="error").response()
    assert caught.value.partial is not None


async def test_a_hundred_requests_at_once_all_end_and_add_up() -> None:
    sim = SimProvider("openai", Script(text=TEXT, gap_s=0.001))
    contents: list[str] = []
    async with serve_sim(sim) as server:
        async with manus.open_agent(sim_config({"openai": server}), keep_books=False) as agent:

            async def ask(number: int) -> None:
                response = await (agent.generate(f"{number}") if number % 2 else agent.stream(f"{number}").response())
                contents.append(response.content)

            with trio.fail_after(LIMIT_S):
                async with trio.open_nursery() as nursery:
                    for number in range(100):
                        nursery.start_soon(ask, number)
            total = (await agent.get_usage_stats()).total
    assert contents == [TEXT] * 100
    assert (total.settled, total.open, total.output_tokens) == (100, 0, sim.bill.totals().output_tokens)
