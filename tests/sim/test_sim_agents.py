"""An agent configured for simulated vendors by `sim_config` asks each of them, in memory and on sockets."""

from __future__ import annotations

import pytest
from trio.testing import MockClock

import manus
from manus.sim.provider import WIRES
from manus.sim.wire import WireName
from manus.testing import Script, SimProvider, SimTransport, serve_sim, sim_config

NO_LOG = {"enable_logging": False}


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("wire", WIRES)
async def test_each_vendor_is_reached_as_configured(wire: WireName, stream: bool, autojump_clock: MockClock) -> None:
    provider = SimProvider(wire, Script(text="Here I am."), api_key="the-only-right-key")
    transports = {"sim": lambda base_url: SimTransport(provider)}
    config = sim_config({"sim": provider}, general=NO_LOG)
    async with manus.open_agent(config, transports=transports, keep_books=False) as agent:
        if stream:
            async with agent.stream("Where are you?") as answer:
                response = await answer.response()
        else:
            response = await agent.generate("Where are you?")
    assert response.content == "Here I am."
    (row,) = provider.bill.rows()
    assert (row.stream, row.prompt, row.state) == (stream, "Where are you?", "complete")
    assert (response.usage.input_tokens, response.usage.output_tokens) == (row.input_tokens, row.output_tokens)


async def test_a_pair_of_keys_signs_what_bedrock_is_sent() -> None:
    provider = SimProvider("bedrock", Script(text="Signed."), api_key="AKIDEXAMPLE:not-a-secret-of-anybody")
    async with (
        serve_sim(provider) as server,
        manus.open_agent(sim_config({"aws": server}, general=NO_LOG), keep_books=False) as agent,
    ):
        assert (await agent.generate("Whose is it?")).content == "Signed."


@pytest.mark.parametrize("wire", [wire for wire in WIRES if wire != "ollama"])
async def test_another_key_is_refused(wire: WireName, autojump_clock: MockClock) -> None:
    provider = SimProvider(wire, api_key="the-only-right-key")
    config = sim_config({"sim": SimProvider(wire)}, general=NO_LOG)
    transports = {"sim": lambda base_url: SimTransport(provider)}
    async with manus.open_agent(config, transports=transports, keep_books=False) as agent:
        with pytest.raises(manus.LLMError) as refused:
            await agent.generate("May I?")
    assert "simulated" not in str(refused.value)
    assert provider.bill.totals().billed == 0
