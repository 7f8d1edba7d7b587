"""Own what the tests of chats share: simulated providers of any wire whose requests are taken down."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from manus.agent_config import AgentConfig
from manus.opening import open_agent
from manus.sim.behaviour import Behaviour, Responder, Script
from manus.sim.memory import SimTransport
from manus.sim.provider import SimProvider
from manus.sim.wire import WireName
from manus.testing import sim_config
from manus.trio_agent import TrioAgent


class Host:
    """Simulated providers by name, and every request body that was sent to one."""

    def __init__(self, behaviour: Script | Behaviour | Responder | None = None, wire: WireName = "openai") -> None:
        self.providers = {"first": SimProvider(wire, behaviour)}
        self.sent: list[dict[str, Any]] = []
        self.made: list[SimTransport] = []

    @property
    def first(self) -> SimProvider:
        """The provider that is asked first."""
        return self.providers["first"]

    def add(self, name: str, behaviour: Script | Behaviour | Responder, wire: WireName) -> None:
        """Add a provider that is asked after the others."""
        self.providers[name] = SimProvider(wire, behaviour)

    @property
    def open_exchanges(self) -> int:
        """How many answers are under way."""
        return sum(transport.open_exchanges for transport in self.made)

    @asynccontextmanager
    async def agent(self, defaults: AgentConfig | None = None, **tables: Any) -> AsyncIterator[TrioAgent]:
        """Open an agent over them, with books in memory unless told otherwise."""
        config = sim_config(self.providers, **({"ledger": {"path": ":memory:"}} | tables))
        transports = {name: self._transport(provider) for name, provider in self.providers.items()}
        source: Any = {"config": config} if defaults is None else {"config": defaults, "config_path": config}
        async with open_agent(**source, transports=transports, seed=1) as agent:
            yield agent

    def _transport(self, provider: SimProvider) -> Any:  # Any: a factory of transports
        def make(base_url: str) -> httpx.AsyncBaseTransport:
            self.made.append(SimTransport(provider))
            return _Noting(self.made[-1], self.sent)

        return make


class _Noting(httpx.AsyncBaseTransport):
    def __init__(self, inner: SimTransport, sent: list[dict[str, Any]]) -> None:
        self._inner = inner
        self._sent = sent

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        if body:
            self._sent.append(json.loads(body))
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()
