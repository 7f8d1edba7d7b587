"""The whole agent, whose first provider refuses every request and whose second one answers it."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from benchmarks.contenders.agent import AgentClient, configuration
from benchmarks.contract import MAX_TOKENS, PROMPT
from manus.opening import open_agent

LOOP = "trio"


class FailingOver(AgentClient):
    """Requests that leave the choice to the router: it begins with the provider that refuses them."""

    async def ask(self) -> str:
        """Ask for a whole answer, which the second provider gives."""
        return (await self.agent.generate(PROMPT, max_tokens=MAX_TOKENS)).content


@asynccontextmanager
async def open_contender(base_url: str) -> AsyncIterator[FailingOver]:
    """Open the agent with two providers: the model of the first one is gone."""
    with tempfile.TemporaryDirectory(prefix="manus-bench-") as directory:
        settings: dict[str, Any] = configuration(base_url, Path(directory) / "ledger.sqlite", providers=2)
        settings["providers"]["p0"]["models"] = [{"name": "gone", "cost_per_input": 0.15, "cost_per_output": 0.6}]
        async with open_agent(settings, drain_s=1.0) as agent:
            yield FailingOver(agent)
