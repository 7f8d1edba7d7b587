"""A reload over real sockets, real files and a real model server's process."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import trio

import manus
from manus.testing import Script, SimProvider, serve_sim, sim_config
from tests.actors.test_local_server import SCRIPT

LIMIT_S = 30
TEXT = "One two three four five six seven eight."


def on_disk(tables: dict[str, Any], directory: Path) -> dict[str, Any]:
    """Keep the books in a file."""
    return tables | {"ledger": {"path": str(directory / "ledger.sqlite")}}


async def test_a_stream_runs_through_a_reload_on_the_socket_that_it_was_begun_on(tmp_path: Path) -> None:
    old = SimProvider("openai", Script(text=TEXT, gap_s=0.02))
    new = SimProvider("openai", Script(text="New."))
    async with serve_sim(old) as first, serve_sim(new) as second:
        async with manus.open_agent(on_disk(sim_config({"openai": first}), tmp_path)) as agent:
            text = ""
            async with agent.stream("Hello") as stream:
                async for chunk in stream:
                    text += chunk.delta
                    if agent.config.providers["openai"].base_url == first.base_url:
                        reloaded = await agent.reload(on_disk(sim_config({"openai": second}), tmp_path))
                        assert reloaded.changed == ("openai",)
                        assert (await agent.generate("Hello")).content == "New."
            assert text == TEXT
            with trio.fail_after(LIMIT_S):
                while "provider/openai" in {actor.id for actor in agent._tree.status()}:  # noqa: ASYNC110
                    await trio.sleep(0.01)
            total = (await agent.get_usage_stats()).total
    assert (total.settled, total.requests) == (2, 2)
    assert total.output_tokens == old.bill.totals().output_tokens + new.bill.totals().output_tokens


def local(mode: str = "serve", **fields: object) -> dict[str, Any]:
    """Give the entry of a model server that is a scripted process."""
    server = {"command": sys.executable, "args": [str(SCRIPT), "{port}", mode], "start_timeout_s": LIMIT_S}
    return {"type": "local", "models": [{"name": "m"}], **server, **fields}


async def beginning_of_an_answer(agent: manus.LLMAgent) -> None:
    """Have the server begin to answer; it would go on for ever."""
    async with agent.stream("Hello") as stream:
        await anext(stream)


def with_local(**entries: dict[str, Any]) -> dict[str, Any]:
    """Give a configuration of these entries, with books in memory."""
    return {"ledger": {"path": ":memory:"}, "providers": entries}


@pytest.mark.skipif(sys.platform == "win32", reason="process groups and kill -9 are POSIX")
async def test_a_model_server_is_restarted_only_where_it_is_run_otherwise_and_none_is_left_behind() -> None:
    pids: list[int | None] = []
    with trio.fail_after(LIMIT_S):
        async with manus.open_agent(with_local(here=local())) as agent:
            await beginning_of_an_answer(agent)
            pids.append(agent._wiring.servers[0].pid)

            await agent.reload(with_local(here=local(), also=local(enabled=False)))
            await beginning_of_an_answer(agent)
            pids.append(agent._wiring.servers[0].pid)

            await agent.reload(with_local(here=local(priority=7)))
            await beginning_of_an_answer(agent)
            pids.append(agent._wiring.servers[0].pid)

            (former,) = agent._wiring.servers
            await agent.reload(with_local(here=local(start_timeout_s=LIMIT_S - 1)))
            await beginning_of_an_answer(agent)
            pids.append(agent._wiring.servers[0].pid)
            while former.alive:  # noqa: ASYNC110  # nobody tells us of a process's end
                await trio.sleep(0.01)
            (last,) = agent._wiring.servers
    assert pids[0] is not None
    assert pids[0] == pids[1] == pids[2] != pids[3]
    assert not last.alive
