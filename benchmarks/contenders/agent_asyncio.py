"""The whole agent from asyncio: its runtime in a thread of its own, the border between, and nothing less."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks.contenders.agent import AgentClient, configuration
from manus.hosts.hosted_agent import create_agent

LOOP = "asyncio"


@asynccontextmanager
async def open_contender(base_url: str) -> AsyncIterator[AgentClient]:
    """Open the agent with one provider."""
    with tempfile.TemporaryDirectory(prefix="manus-bench-") as directory:
        async with await create_agent(configuration(base_url, Path(directory) / "ledger.sqlite")) as agent:
            yield AgentClient(agent)
