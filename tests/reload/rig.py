"""Own the rig of the reload tests: an agent over simulated providers whose configuration can be changed.

Whoever is configured at `http://NAME/v1` is answered by the simulated provider of that name, whatever the entry is
called: so an entry can move to another server, as it does in life.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from manus.opening import open_agent
from manus.sim.behaviour import Behaviour, Script
from manus.sim.memory import SimTransport
from manus.sim.provider import SimProvider
from manus.trio_agent import TrioAgent

KEY = "sk-canary-0b1d7e"
OTHER_KEY = "sk-canary-7e0b1d"

ANY_NAME = ("first", "second", "third", "fourth")
"""Entries that a test may configure; each goes to whatever server its base URL names."""


class Servers:
    """Simulated providers by host name, and every transport that was made to them."""

    def __init__(self, **scripts: Script | Behaviour) -> None:
        self.by_host = {
            host: SimProvider("openai", script, api_key=None)
            for host, script in ({"a": Script(text="A.")} | scripts).items()
        }
        self.made: list[tuple[str, SimTransport]] = []

    def __getitem__(self, host: str) -> SimProvider:
        return self.by_host[host]

    def transports(self) -> dict[str, Any]:
        """Give what `open_agent` takes."""
        return dict.fromkeys(ANY_NAME, self._connect)

    def connections_to(self, host: str) -> int:
        """Count the transports that were made to a host."""
        return sum(name == host for name, _ in self.made)

    @property
    def open_exchanges(self) -> int:
        """Count what is under way everywhere."""
        return sum(transport.open_exchanges for _, transport in self.made)

    def _connect(self, base_url: str) -> SimTransport:
        host = urlsplit(base_url).hostname
        assert host is not None
        transport = SimTransport(self.by_host[host])
        self.made.append((host, transport))
        return transport


def entry(host: str = "a", **fields: object) -> dict[str, Any]:
    """Give an entry that is answered by the simulated provider `host`."""
    models = [{"name": "big", "cost_per_input": 1, "cost_per_output": 2, "context_length": 10_000}]
    return {"type": "openai", "api_key": KEY, "base_url": f"http://{host}/v1", "models": models} | fields


def config(providers: Mapping[str, object], **tables: object) -> dict[str, Any]:
    """Give a configuration with books in memory."""
    return {"ledger": {"path": ":memory:"}, "providers": dict(providers)} | tables


@asynccontextmanager
async def opened(servers: Servers, source: Any, **given: Any) -> AsyncIterator[TrioAgent]:
    """Open an agent over the servers. Any: whatever `open_agent` takes."""
    async with open_agent(source, transports=servers.transports(), seed=1, **given) as agent:
        yield agent
