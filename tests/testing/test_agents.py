"""What users' tests are given to aim a whole agent at simulated providers works as it says."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

import manus
from manus.supervisor.events import ActorExited, ActorStarted
from manus.testing import FAULTS, Script, SimProvider, SimTransport, crash_actor, serve_sim, sim_config


async def test_an_agent_is_aimed_at_servers_and_asks_the_first_of_them() -> None:
    async with (
        serve_sim(SimProvider("openai", Script(text="I am first."))) as first,
        serve_sim(SimProvider("ollama", Script(text="I am second."))) as second,
        manus.open_agent(sim_config({"a": first, "b": second}), keep_books=False) as agent,
    ):
        assert agent.get_available_providers() == ["a", "b"]
        assert (await agent.generate("Who?")).content == "I am first."
        assert (await agent.generate("Who?", provider="b")).content == "I am second."
        assert (await agent.get_usage_stats()).total.unpriced == 0


async def test_an_agent_is_aimed_at_providers_in_memory(autojump_clock: MockClock) -> None:
    provider = SimProvider("openai", Script(text="From memory.", latency_s=100.0))
    config = sim_config({"only": provider}, timeouts={"answer_s": 200.0})
    transports = {"only": lambda base_url: SimTransport(provider)}
    async with manus.open_agent(config, transports=transports, keep_books=False) as agent:
        assert (await agent.generate("Where from?")).content == "From memory."
    assert trio.current_time() >= 100.0


async def test_a_closed_list_of_models_is_closed_for_the_agent_too() -> None:
    provider = SimProvider("openai", models=("known",), any_model=False)
    async with serve_sim(provider) as server:
        async with manus.open_agent(sim_config({"only": server}), keep_books=False) as agent:
            assert (await agent.generate("Hi")).model == "known"
            with pytest.raises(manus.LLMError):
                await agent.generate("Hi", model="unknown")
    assert provider.bill.totals().requests == 1


async def test_a_crashed_actor_comes_back_and_its_cause_is_told() -> None:
    async with serve_sim(SimProvider("openai")) as server:
        async with manus.open_agent(sim_config({"only": server}), keep_books=False, seed=1) as agent:
            with agent.events() as events, trio.fail_after(10):
                crash_actor(agent, "only", ValueError("my own defect"))
                async for event in events:
                    if isinstance(event, ActorExited):
                        assert "my own defect" in str(event.reason)
                    if isinstance(event, ActorStarted) and event.generation == 2:
                        break
            assert (await agent.generate("Are you back?")).content
            with pytest.raises(LookupError):
                crash_actor(agent, "nobody")


async def test_an_exception_leaves_a_served_block_as_it_is() -> None:
    async def fail() -> None:
        async with serve_sim(SimProvider("openai")) as outer, serve_sim(SimProvider("ollama")) as inner:
            assert outer.port != inner.port
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await fail()


async def test_a_cancelled_block_is_cancelled_and_leaves_no_server() -> None:
    with trio.move_on_after(0.05) as scope:
        async with serve_sim(SimProvider("openai", Script(fault=FAULTS["stall"]))) as server:
            await trio.sleep_forever()
    assert scope.cancelled_caught
    with pytest.raises(OSError, match="all attempts to connect"):
        await trio.open_tcp_stream("127.0.0.1", server.port)
