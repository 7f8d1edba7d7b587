"""The whole agent with fifty providers configured: the cost of a request must not follow their number."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from benchmarks.contenders.agent import AgentClient, open_with_providers

LOOP = "trio"


def open_contender(base_url: str) -> AbstractAsyncContextManager[AgentClient]:
    """Open the agent with fifty providers."""
    return open_with_providers(base_url, 50)
