"""What became of a request by the name that its host gave it, also after the process that made it is gone."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

import manus
from manus.opening import open_agent
from manus.sim.behaviour import Script
from tests.face.rig import Rig, config, open_rig


async def test_an_answered_request_is_found_by_its_key(autojump_clock: trio.testing.MockClock) -> None:
    async with open_rig(Rig()) as agent:
        response = await agent.generate("Hello", request_key="order-17")
        status = await agent.request_status("order-17")
    assert (status.state, status.request_id, status.attempts) == ("settled", response.request_id, 1)
    assert status.usage.output == response.usage.output_tokens
    assert status.cost_nano_usd == response.usage.cost_nano_usd


async def test_an_open_request_is_told_as_open(autojump_clock: trio.testing.MockClock) -> None:
    async with open_rig(Rig(Script(latency_s=10.0))) as agent, trio.open_nursery() as nursery:
        nursery.start_soon(partial(agent.generate, "Hello", request_key="order-17"))
        await trio.sleep(1)
        assert (await agent.request_status("order-17")).state == "open"


async def test_of_an_unknown_key_nothing_was_sent(autojump_clock: trio.testing.MockClock) -> None:
    async with open_rig(Rig()) as agent:
        status = await agent.request_status("order-18")
    assert (status.state, status.request_id, status.attempts) == ("unknown", None, 0)


@pytest.mark.parametrize("key", ["", None, 17])
async def test_what_is_no_key_is_refused_by_name(autojump_clock: trio.testing.MockClock, key: Any) -> None:
    async with open_rig(Rig()) as agent:
        with pytest.raises(manus.InvalidRequestError, match="request_key: expected the text"):
            await agent.request_status(key)


async def test_a_ledger_file_knows_it_in_the_next_process_too(tmp_path: Path) -> None:
    rig, ledger = Rig(), {"path": str(tmp_path / "ledger.sqlite")}
    async with open_agent(config(ledger=ledger), transports=rig.transports()) as agent:
        response = await agent.generate("Hello", request_key="order-17")
    async with open_agent(config(ledger=ledger), transports=rig.transports()) as agent:
        status = await agent.request_status("order-17")
    assert (status.state, status.request_id) == ("settled", response.request_id)
