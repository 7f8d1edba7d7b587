"""Models that no configuration lists: what the catalogue knows of them holds from the plan to the bill."""

from __future__ import annotations

from typing import Any

import pytest
import trio.testing

import manus
from manus.messages.usage import nano_usd
from manus.opening import open_agent
from manus.sim.behaviour import Script
from manus.sim.memory import SimTransport
from manus.sim.provider import SimProvider
from tests.actors.test_pictures import png

KEY = "sk-canary-77a0"


def vendor() -> tuple[dict[str, Any], dict[str, Any]]:
    """OpenAI's own host, played by a simulation; gives the configuration and the transports."""
    sim = SimProvider("openai", Script(text="One two three."), api_key=KEY)
    config = {"ledger": {"path": ":memory:"}, "providers": {"openai": {"api_key": KEY, "any_model": True}}}
    return config, {"openai": lambda base_url: SimTransport(sim)}


async def test_a_dated_snapshot_that_is_not_listed_is_billed_at_its_price(
    autojump_clock: trio.testing.MockClock,
) -> None:
    config, transports = vendor()
    async with open_agent(config, transports=transports) as agent:
        response = await agent.generate("Hello", model="gpt-4o-2024-11-20")
    usage = response.usage
    rate_in, rate_out = nano_usd("2.5"), nano_usd(10)
    assert usage.cost_nano_usd == (usage.input_tokens * rate_in + usage.output_tokens * rate_out) // 1_000_000
    assert response.warnings == ()


async def test_a_model_that_nobody_knows_is_asked_and_its_cost_is_unknown(
    autojump_clock: trio.testing.MockClock,
) -> None:
    config, transports = vendor()
    async with open_agent(config, transports=transports) as agent:
        response = await agent.generate("Hello", model="gpt-99-nova", seed=1)
    assert response.content == "One two three."
    assert response.usage.cost_nano_usd is None
    assert response.warnings == ()


async def test_what_an_unlisted_model_cannot_do_is_known_before_it_is_asked(
    autojump_clock: trio.testing.MockClock,
) -> None:
    config, transports = vendor()
    asked = manus.Turn(role="user", parts=(manus.Text(text="What is this?"), manus.image(png(2, 2))))
    async with open_agent(config, transports=transports) as agent:
        with pytest.raises(manus.InvalidRequestError, match=r"^turns\[0\]\.parts\[1\]: .*cannot read images"):
            await agent.generate(asked, model="o3-mini")
        answered = await agent.generate("Hello", model="o3-mini", temperature=0.2, max_tokens=10**6)
    assert len(answered.warnings) == 2
    assert "temperature" in answered.warnings[0]
    assert "100000" in answered.warnings[1]
