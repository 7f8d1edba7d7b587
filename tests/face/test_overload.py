"""A program that asks for too much: shed at once with a time to come back, or, as a batch, served in its turn."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing

import manus
from manus.agent import LLMAgent
from manus.opening import open_agent
from manus.sim.behaviour import Script
from manus.sim.memory import SimTransport
from manus.sim.provider import SimProvider

TAKES_S = 2.0


def tables(**limits: Any) -> dict[str, Any]:
    models = [{"name": "m", "cost_per_input": 1, "cost_per_output": 2}]
    provider = {"type": "openai", "base_url": "http://one/v1", "api_key": "sk-canary", "models": models}
    return {"ledger": {"path": ":memory:"}, "limits": limits, "providers": {"one": provider}}


def transports() -> dict[str, Any]:
    provider = SimProvider("openai", Script(text="Hello", latency_s=TAKES_S))
    return {"one": lambda base_url: SimTransport(provider)}


class Crowd:
    """What became of requests that were made at the same time, and when."""

    def __init__(self, agent: LLMAgent, nursery: trio.Nursery) -> None:
        self.answered_at: dict[str, float] = {}
        self.refused: dict[str, manus.OverloadedError] = {}
        self._agent = agent
        self._nursery = nursery

    async def add(self, name: str, **options: Any) -> None:
        """Make a request; on return it is under way, waits or was refused."""
        self._nursery.start_soon(self._ask, name, options)
        await trio.testing.wait_all_tasks_blocked()

    async def _ask(self, name: str, options: dict[str, Any]) -> None:
        try:
            await self._agent.generate("Hi", **options)
            self.answered_at[name] = trio.current_time()
        except manus.OverloadedError as error:
            self.refused[name] = error


async def test_what_is_too_much_is_refused_at_once_with_a_time_to_come_back(autojump_clock: object) -> None:
    async with (
        open_agent(tables(in_flight_max=2), transports=transports()) as agent,
        trio.open_nursery() as nursery,
    ):
        crowd = Crowd(agent, nursery)
        for number in range(3):
            await crowd.add(str(number))
        assert trio.current_time() == 0.0
        (error,) = crowd.refused.values()
        assert error.retry_after_s is not None
        assert 0.0 < error.retry_after_s < 30.0
        assert "in_flight_max" in str(error)
        assert error.attempts == ()


async def test_batch_waits_in_turn_and_the_metrics_say_how_many_do(autojump_clock: object) -> None:
    limits = {"in_flight_max": 2, "batch_share": 0.5, "batch_waiting_max": 2}
    async with open_agent(tables(**limits), transports=transports()) as agent, trio.open_nursery() as nursery:
        crowd = Crowd(agent, nursery)
        for number in range(3):
            await crowd.add(f"batch {number}", priority="batch")
        await crowd.add("somebody")
        await crowd.add("batch too many", priority="batch")
        assert (await agent.get_routing_metrics()).waiting == 2
        assert "batch_waiting_max" in str(crowd.refused["batch too many"])
        await trio.sleep(4 * TAKES_S)
        assert crowd.answered_at == {
            "batch 0": pytest.approx(TAKES_S),
            "somebody": pytest.approx(TAKES_S),
            "batch 1": pytest.approx(2 * TAKES_S),
            "batch 2": pytest.approx(3 * TAKES_S),
        }


async def test_refused_request_can_be_a_stream(autojump_clock: object) -> None:
    async with (
        open_agent(tables(in_flight_max=1), transports=transports()) as agent,
        trio.open_nursery() as nursery,
    ):
        await Crowd(agent, nursery).add("first")
        with pytest.raises(manus.OverloadedError) as refused:
            async for _ in agent.stream("Hi"):
                pass
        assert refused.value.retry_after_s
        assert trio.current_time() == 0.0


async def test_metrics_are_plain_data_on_request(autojump_clock: object) -> None:
    async with open_agent(tables(), transports=transports()) as agent:
        await agent.generate("Hi")
        told = (await agent.get_routing_metrics()).to_dict()

    assert (told["requests"], told["finished"]) == (1, 1)
    assert [(each["deployment"], each["successes"]) for each in told["deployments"]] == [("one/m", 1)]
    assert "msg" not in told, "how actors tell messages apart is nobody else's business"
