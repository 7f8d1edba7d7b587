"""Own how tests of asyncio programs run them: in loops of their own, of either make, bounded, over rigs in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import uvloop

import manus
from tests.face.rig import Rig, config
from tests.hosts.rig import options, runtimes, until
from tests.patience import WAIT_S

Run = Callable[[Coroutine[Any, Any, None]], None]


def in_asyncio(program: Coroutine[Any, Any, None]) -> None:
    asyncio.run(program)


def in_uvloop(program: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(program)


def checked(run: Run, program: Coroutine[Any, Any, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(WAIT_S):
            await program

    run(bounded())
    assert runtimes() == []


def agent_over(rig: Rig, **tables: object) -> Awaitable[manus.HostedAgent]:
    return manus.create_agent(config(**tables), **options(rig))


async def soon(condition: Callable[[], bool]) -> None:
    await asyncio.to_thread(until, condition)


async def in_flight(agent: manus.HostedAgent, requests: int) -> None:
    """Wait until so many requests are under way; the test's own bound ends a wait in vain."""
    while (await agent.get_routing_metrics()).in_flight != requests:  # noqa: ASYNC110  # no event crosses the border
        await asyncio.sleep(0.002)
