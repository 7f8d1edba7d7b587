"""Own the rig of the face's tests: a whole agent over simulated providers in memory, under a virtual clock."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import trio

from manus.opening import open_agent
from manus.sim.behaviour import Behaviour, Script
from manus.sim.memory import SimTransport
from manus.sim.provider import SimProvider
from manus.supervisor.bus import Subscription
from manus.trio_agent import TrioAgent

KEY = "sk-canary-0b1d7e"
TEXT = "One two three four five six."

MODEL = {"name": "big", "cost_per_input": 1, "cost_per_output": 2, "context_length": 10_000}


class Rig:
    """Two simulated providers, `first` (OpenAI's wire) and `second` (Ollama's), and every transport made to them."""

    def __init__(self, first: Script | Behaviour | None = None, second: Script | None = None) -> None:
        self.first = SimProvider("openai", first or Script(text=TEXT), api_key=KEY)
        self.second = SimProvider("ollama", second or Script(text="The second speaks."))
        self.made: list[SimTransport] = []

    def transports(self) -> dict[str, Any]:
        """Give the transports that `open_agent` takes."""
        return {"first": self._to_first, "second": self._to_second}

    @property
    def open_exchanges(self) -> int:
        """Count what is under way at both providers."""
        return sum(transport.open_exchanges for transport in self.made)

    def _to_first(self, base_url: str) -> SimTransport:
        return self._made(self.first)

    def _to_second(self, base_url: str) -> SimTransport:
        return self._made(self.second)

    def _made(self, sim: SimProvider) -> SimTransport:
        self.made.append(SimTransport(sim))
        return self.made[-1]


def config(**tables: object) -> dict[str, Any]:
    """Give a configuration of both providers, `first` before `second`, with books in memory."""
    return {
        "ledger": {"path": ":memory:"},
        "providers": {
            "first": {
                "type": "openai",
                "priority": 1,
                "api_key": KEY,
                "base_url": "http://first/v1",
                "models": [MODEL],
            },
            "second": {"type": "ollama", "priority": 2, "models": [{"name": "small"}]},
        },
    } | tables


def names_of(events: Subscription) -> list[str]:
    """Name the events that have come."""
    seen: list[str] = []
    while True:
        try:
            seen.append(type(events.receive_nowait()).__name__)
        except trio.WouldBlock:
            return seen


@asynccontextmanager
async def open_rig(rig: Rig, tables: Mapping[str, object] | None = None) -> AsyncIterator[TrioAgent]:
    """Open an agent over the rig."""
    async with open_agent(config(**(tables or {})), transports=rig.transports(), seed=1) as agent:
        yield agent
