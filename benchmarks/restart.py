"""Own the cost of a restart: from the crash of a provider's actor to the next incarnation that serves."""

from __future__ import annotations

import time

import trio

from benchmarks.contenders.agent import AgentClient
from benchmarks.contract import Contender
from manus.supervisor.events import ActorStarted
from manus.trio_agent import TrioAgent

REQUESTS_BEFORE = 50


class Provoked(Exception):
    """What the actor dies of."""


async def crash_to_serving(contender: Contender) -> float:
    """Give CPU milliseconds of one crash, up to the end of the first request after it, less a usual request's.

    The back-off in between is waited for, and costs nothing.
    """
    assert isinstance(contender, AgentClient)
    assert isinstance(contender.agent, TrioAgent)
    began = time.process_time()
    for _ in range(REQUESTS_BEFORE):
        await contender.ask()
    usual_s = (time.process_time() - began) / REQUESTS_BEFORE
    tree = contender.agent._tree
    with tree.bus.subscribe() as events:
        began = time.process_time()
        tree.crash("provider/p0", Provoked())
        async for event in events:
            if isinstance(event, ActorStarted):
                break
        with trio.fail_after(10):
            await contender.ask()
        return (time.process_time() - began - usual_s) * 1e3
