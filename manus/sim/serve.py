"""Own a process that does nothing but simulate: several providers on ports, until a signal ends it."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import trio

from manus.sim.behaviour import Behaviour
from manus.sim.faults import Refused
from manus.sim.provider import SimProvider
from manus.sim.server import SimServer, serve_sim


@asynccontextmanager
async def serve_all(providers: Sequence[SimProvider], *, port: int = 0) -> AsyncIterator[list[SimServer]]:
    """Serve every provider on a port of its own: `port` and those after it, or free ones for port 0."""
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(serve_sim(provider, port=port + place if port else 0))
            for place, provider in enumerate(providers)
        ]


async def serve_until_signal(
    providers: Sequence[SimProvider], *, port: int, announce: Callable[[list[SimServer]], None]
) -> None:
    """Serve until SIGINT or SIGTERM; `announce` is told once all ports are open.

    A second signal meets Python's own handlers, and is immediate.
    """
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with serve_all(providers, port=port) as servers:
            for server in servers:
                if _refuses_always(server.provider):
                    server.refuse()
            announce(servers)
            async for _ in signals:
                break


def _refuses_always(provider: SimProvider) -> bool:
    usual = provider.behaviour
    return (
        isinstance(usual, Behaviour) and usual.fault_rate == 1.0 and all(isinstance(f, Refused) for f in usual.faults)
    )
