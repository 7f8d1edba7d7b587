"""Each type of provider and each way to prove who calls, through a whole agent and real sockets."""

from __future__ import annotations

from typing import Any

import pytest

import manus
from manus.opening import open_agent
from manus.sim.behaviour import Script
from manus.sim.provider import SimProvider
from manus.sim.server import serve_sim
from manus.sim.wire import WireName

KEY = "sk-canary-6f0d"
WRONG = "sk-canary-wrong"
TEXT = "Hello from whoever was asked."

WAYS: dict[str, tuple[WireName, dict[str, Any], str | None]] = {
    "openai": ("openai", {"api_key": KEY}, KEY),
    "openai, responses": ("openai-responses", {"api_key": KEY, "wire": {"api": "responses"}}, KEY),
    "anthropic, key": ("anthropic", {"api_key": KEY}, KEY),
    "anthropic, token": ("anthropic", {"auth_token": KEY}, KEY),
    "azure, v1": ("azure", {"api_key": KEY}, KEY),
    "azure, classic": ("azure", {"api_key": KEY, "api_version": "2024-10-21"}, KEY),
    "azure, token": ("azure", {"auth_token": KEY}, KEY),
    "bedrock, bearer": ("bedrock", {"api_key": KEY, "region": "us-east-1"}, KEY),
    "bedrock, signed": (
        "bedrock",
        {"region": "us-east-1", "aws_access_key_id": "AKIATEST", "aws_secret_access_key": KEY},
        None,
    ),
    "ollama": ("ollama", {"api_key": KEY}, KEY),
}


def tables(wire: WireName, base_url: str, entry: dict[str, Any]) -> dict[str, Any]:
    kind = "openai" if wire == "openai-responses" else wire
    provider = {"type": kind, "base_url": base_url, "models": [{"name": "sim-large"}], **entry}
    return {"ledger": {"path": ":memory:"}, "providers": {"one": provider}}


@pytest.mark.parametrize("way", WAYS)
async def test_each_way_is_let_in_and_answers_whole_and_streamed(way: str) -> None:
    wire, entry, key = WAYS[way]
    provider = SimProvider(wire, Script(text=TEXT), api_key=key)
    async with serve_sim(provider) as server, open_agent(tables(wire, server.base_url, entry)) as agent:
        assert (await agent.generate("Hi")).content == TEXT
        async with agent.stream("Hi") as stream:
            assert "".join([chunk.delta async for chunk in stream]) == TEXT
    assert [row.state for row in provider.bill.rows()] == ["complete", "complete"]


@pytest.mark.parametrize("way", [way for way, (_, _, key) in WAYS.items() if key is not None])
async def test_wrong_key_is_an_authentication_error_that_quotes_no_key(way: str) -> None:
    wire, entry, _ = WAYS[way]
    wrong = {field: WRONG if value == KEY else value for field, value in entry.items()}
    async with serve_sim(SimProvider(wire, api_key=KEY)) as server:
        async with open_agent(tables(wire, server.base_url, wrong)) as agent:
            with pytest.raises(manus.AuthenticationError) as refused:
                await agent.generate("Hi")
    assert "canary" not in str(refused.value)
