"""What a call holds, it holds until its row has ended, with its caller or without: limits and budgets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from manus.agent import LLMAgent
from manus.opening import open_agent
from manus.testing import sim_config
from tests.cancel.harness import SLOW, Fleet, OnCancel, by_closing, check_nothing_runs, fleet_of, lines_of

END_S = 13.0
"""When the answer of `SLOW` ends that is asked for at 0."""

LEFT_S = 4.0
"""When three of its chunks have come."""


@asynccontextmanager
async def limited(fleet: Fleet, on_cancel: OnCancel, **tables: Any) -> AsyncIterator[LLMAgent]:
    config = sim_config(fleet.providers, routing={"on_cancel": on_cancel})
    config["providers"]["a"] |= tables
    transports = {name: fleet.transport(name) for name in fleet.providers}
    async with open_agent(config, transports=transports, keep_books=False, seed=1) as agent:
        yield agent


@pytest.mark.parametrize(("on_cancel", "free_at_s"), [("abort", LEFT_S), ("drain", END_S)])
async def test_call_holds_its_place_under_a_limit_until_its_row_has_ended(
    on_cancel: OnCancel, free_at_s: float, autojump_clock: object
) -> None:
    fleet = fleet_of({"a": ("openai", SLOW)})
    async with limited(fleet, on_cancel, limits={"concurrency": 1}) as agent:
        await by_closing(agent, "left", 3, {"conversation_id": "left"})
        assert trio.current_time() == pytest.approx(LEFT_S)
        async with agent.stream("next", conversation_id="next") as stream:
            await anext(stream)
            # It waits for its turn, then two seconds for its first content.
            assert trio.current_time() == pytest.approx(free_at_s + 2.0, abs=0.2)
        await trio.sleep(2 * END_S)
        await check_nothing_runs(fleet)
    assert fleet.providers["a"].in_flight_peak == 1


async def test_drained_call_gives_back_what_it_did_not_use_when_its_row_ends(autojump_clock: object) -> None:
    fleet = fleet_of({"a": ("openai", SLOW)})
    # Room for one call at its bound, of which a small part is used.
    async with limited(fleet, "drain", budgets={"tokens_per_day": 1800}) as agent:
        await by_closing(agent, "left", 3, {"conversation_id": "left", "max_tokens": 1000})
        response = await agent.generate("next", max_tokens=1000)

        assert response.finish_reason == "stop"
        assert trio.current_time() == pytest.approx(2 * END_S, abs=1.5)
        line = (await lines_of(agent))["left at a"]
        assert (line.settled, line.estimated) == (1, 0)
    assert fleet.providers["a"].in_flight_peak == 1
