"""Own the stage in memory: the whole agent over transports without sockets, under whatever clock the loop has."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import trio

from manus.agent import LLMAgent
from manus.messages.requests import OnInterrupt
from manus.opening import open_agent
from manus.sim.behaviour import Behaviour
from manus.sim.memory import SimTransport
from manus.sim.provider import SimProvider
from tests.scenarios import caller
from tests.scenarios.settings import settings, simulated
from tests.scenarios.vocabulary import Bill, Books, Method, Name, Result, Scenario

SEED = 4
"""Where the jitter of every back-off comes from."""


class InProcess:
    """A stage whose caller and whose providers live in this loop."""

    def __init__(self, agent: LLMAgent, sims: dict[Name, SimProvider]) -> None:
        self._agent = agent
        self._sims = sims
        self._set_at = trio.current_time()

    async def ask(self, method: Method, *, timeout_s: float, on_interrupt: OnInterrupt | None = None) -> Result:
        """Make one request."""
        return await caller.ask(self._agent, method, timeout_s=timeout_s, on_interrupt=on_interrupt)

    async def books(self) -> Books:
        """Ask the agent how its books stand."""
        return await caller.books(self._agent)

    async def behave(self, name: Name, behaviour: Behaviour) -> None:
        """Change how a provider answers."""
        await trio.lowlevel.checkpoint()
        self._sims[name].behave(behaviour)

    async def bill(self, name: Name) -> Bill:
        """Read what a provider saw."""
        await trio.lowlevel.checkpoint()
        sim = self._sims.get(name)
        return Bill() if sim is None else bill_of(sim)

    async def wait_until(self, at_s: float) -> None:
        """Wait until so long after the stage was set."""
        await trio.sleep_until(self._set_at + at_s)

    async def settle(self) -> None:
        """Wait until nobody is served any more: closed connections are noticed when they are next read or written."""
        with trio.fail_after(SETTLE_S):
            while any(sim.in_flight for sim in self._sims.values()):  # noqa: ASYNC110  # a bill is all that a provider tells
                await trio.sleep(0.01)


SETTLE_S = 30.0


def bill_of(sim: SimProvider) -> Bill:
    """Sum up what a provider saw of chats; a list of models is nobody's answer."""
    rows = [row for row in sim.bill if row.model]
    return Bill(requests=len(rows), billed=sum(row.billed for row in rows), open=sum(row.open for row in rows))


@asynccontextmanager
async def memory_stage(scenario: Scenario) -> AsyncIterator[InProcess]:
    """Set the stage in memory."""
    sims = simulated(scenario)
    async with open_agent(
        settings(scenario, sims, ":memory:"),
        transports={name: _to(sim) for name, sim in sims.items()},
        seed=SEED,
    ) as agent:
        yield InProcess(agent, sims)


def _to(sim: SimProvider) -> Callable[[str], SimTransport]:
    def connect(base_url: str) -> SimTransport:
        return SimTransport(sim)

    return connect
