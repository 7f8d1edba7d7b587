"""Every face can be reloaded, and says how it is: hosted in a thread, and without a loop."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import trio

import manus
from manus.sim.behaviour import Script
from manus.sim.provider import SimProvider
from manus.sim.server import serve_sim
from tests.reload.rig import KEY


def leading_to(base_url: str) -> dict[str, Any]:
    """Give a configuration of one entry."""
    entry = {"type": "openai", "api_key": KEY, "base_url": base_url, "models": [{"name": "big"}]}
    return {"ledger": {"path": ":memory:"}, "providers": {"first": entry}}


async def test_a_hosted_agent_is_reloaded_and_says_how_it_is() -> None:
    one, two = SimProvider("openai", Script(text="One.")), SimProvider("openai", Script(text="Two."))
    async with serve_sim(one) as first, serve_sim(two) as second:
        agent = await manus.create_agent(leading_to(f"{first.base_url}"))
        try:
            assert (await agent.generate("Who?")).content == "One."
            reloaded = await agent.reload(leading_to(f"{second.base_url}"))
            assert reloaded.changed == ("first",)
            assert (await agent.generate("Who?")).content == "Two."
            assert agent.config.providers["first"].base_url == second.base_url
            health = await agent.health()
            assert (health.status, health.reloads) == ("ok", 1)
        finally:
            await agent.shutdown()


def test_a_synchronous_agent_is_reloaded_and_says_how_it_is() -> None:
    with served("One.") as first, served("Two.") as second, manus.open_sync(leading_to(first)) as agent:
        assert agent.generate("Who?").content == "One."
        assert agent.reload(leading_to(second)).changed == ("first",)
        assert agent.generate("Who?").content == "Two."
        assert agent.config.providers["first"].base_url == second
        assert agent.health().reloads == 1


@contextmanager
def served(text: str) -> Iterator[str]:
    """Serve a simulated provider from a loop in a thread of its own; gives its base URL."""
    found: list[str] = []
    ready, over = threading.Event(), threading.Event()

    async def serve() -> None:
        async with serve_sim(SimProvider("openai", Script(text=text))) as server:
            found.append(server.base_url)
            ready.set()
            await trio.to_thread.run_sync(over.wait)

    thread = threading.Thread(target=trio.run, args=(serve,))
    thread.start()
    try:
        assert ready.wait(30)
        yield found[0]
    finally:
        over.set()
        thread.join(30)
