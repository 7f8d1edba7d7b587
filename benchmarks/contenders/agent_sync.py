"""The whole agent from threads: its runtime in a thread of its own, and callers that simply wait."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks.contenders.agent import configuration
from benchmarks.contract import MAX_TOKENS, PROMPT
from manus.hosts.sync_agent import SyncAgent, open_sync

LOOP = "threads"


class SyncClient:
    """Requests through `SyncAgent`. Its coroutines never give up their thread: they block, as threads do."""

    def __init__(self, agent: SyncAgent) -> None:
        self._agent = agent

    async def ask(self) -> str:
        """Ask for a whole answer."""
        return self._agent.generate(PROMPT, provider="p0", model="whole", max_tokens=MAX_TOKENS).content

    async def stream(self, model: str, on_text: Callable[[str], None]) -> None:
        """Stream."""
        with self._agent.stream(PROMPT, provider="p0", model=model, max_tokens=MAX_TOKENS) as stream:
            for chunk in stream:
                if chunk.delta:
                    on_text(chunk.delta)


@asynccontextmanager
async def open_contender(base_url: str) -> AsyncIterator[SyncClient]:
    """Open the agent with one provider."""
    with tempfile.TemporaryDirectory(prefix="manus-bench-") as directory:
        with open_sync(configuration(base_url, Path(directory) / "ledger.sqlite")) as agent:
            yield SyncClient(agent)
