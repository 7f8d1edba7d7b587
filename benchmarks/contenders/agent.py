"""The whole agent: routing, reservation, durable ledger, provider actor, decoding, the public face."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks.contract import MAX_TOKENS, PROMPT
from manus.agent import LLMAgent
from manus.opening import open_agent

LOOP = "trio"
MODELS = ("whole", "paced", "burst", "hold")


def configuration(base_url: str, ledger: Path, *, providers: int = 1) -> dict[str, object]:
    """Give a configuration with prices and a ledger on disk; the first provider is the one that is asked."""
    models = [{"name": name, "cost_per_input": 0.15, "cost_per_output": 0.6} for name in MODELS]
    entries = {
        f"p{number}": {
            "type": "openai",
            "priority": number,
            "api_key": "sk-none",
            "base_url": base_url,
            "concurrency": 1024,
            "models": models,
        }
        for number in range(providers)
    }
    return {
        "general": {"enable_logging": False},
        "providers": entries,
        "ledger": {"path": str(ledger)},
    }


class AgentClient:
    """Requests through any of the asynchronous agents."""

    def __init__(self, agent: LLMAgent) -> None:
        self.agent = agent

    async def ask(self) -> str:
        """Ask for a whole answer."""
        response = await self.agent.generate(PROMPT, provider="p0", model="whole", max_tokens=MAX_TOKENS)
        return response.content

    async def stream(self, model: str, on_text: Callable[[str], None]) -> None:
        """Stream."""
        async with self.agent.stream(PROMPT, provider="p0", model=model, max_tokens=MAX_TOKENS) as stream:
            async for chunk in stream:
                if chunk.delta:
                    on_text(chunk.delta)


@asynccontextmanager
async def open_with_providers(base_url: str, providers: int) -> AsyncIterator[AgentClient]:
    """Open an agent with so many providers, and its ledger on the file system that temporary files are on."""
    with tempfile.TemporaryDirectory(prefix="manus-bench-") as directory:
        settings = configuration(base_url, Path(directory) / "ledger.sqlite", providers=providers)
        async with open_agent(settings, drain_s=1.0) as agent:
            yield AgentClient(agent)


@asynccontextmanager
async def open_contender(base_url: str) -> AsyncIterator[AgentClient]:
    """Open the agent with one provider."""
    async with open_with_providers(base_url, 1) as client:
        yield client
