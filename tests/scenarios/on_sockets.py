"""Own the stage on sockets: the same agent in the same process, but real connections, and all times scaled down."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import final

from manus.agent import LLMAgent
from manus.opening import open_agent
from manus.sim.behaviour import Behaviour
from manus.sim.provider import SimProvider
from manus.sim.serve import serve_all
from manus.sim.server import SimServer
from tests.scenarios.in_memory import SEED, InProcess
from tests.scenarios.settings import providers_of, settings, simulated
from tests.scenarios.vocabulary import Name, Scenario


@final
class OnSockets(InProcess):
    """A stage with doors: a provider that is well again listens again."""

    def __init__(self, agent: LLMAgent, sims: dict[Name, SimProvider], servers: dict[Name, SimServer]) -> None:
        super().__init__(agent, sims)
        self._servers = servers

    async def behave(self, name: Name, behaviour: Behaviour) -> None:
        """Change how a provider answers, and open its door."""
        await super().behave(name, behaviour)
        await self._servers[name].accept()


@asynccontextmanager
async def socket_stage(scenario: Scenario) -> AsyncIterator[InProcess]:
    """Set the stage on loopback. The scenario's times are taken as they are: scale them before."""
    sims = simulated(scenario)
    async with serve_all(list(sims.values())) as listening:
        servers = dict(zip(sims, listening, strict=True))
        for name, provider in providers_of(scenario).items():
            if provider.shut:
                servers[name].refuse()
        async with open_agent(settings(scenario, servers, ":memory:"), seed=SEED) as agent:
            yield OnSockets(agent, sims, servers)
