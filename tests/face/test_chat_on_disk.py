"""Conversations that a file keeps: they outlive the agent and `kill -9`, whole, and nothing spoils the file."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
import trio

from manus.errors import ConfigurationError, ConversationNotFoundError
from manus.messages.content import Text, ToolResult
from manus.sim.behaviour import Behaviour, Script, ScriptedCall
from tests.face.chatting import Host
from tests.kill.killing import ROOT

WEATHER = {"name": "temperature", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}


def at(path: Path, **keys: Any) -> dict[str, Any]:
    return {"conversations": {"path": str(path), **keys}}


async def test_a_conversation_goes_on_in_the_next_process(tmp_path: Path) -> None:
    path = tmp_path / "chats.sqlite"
    calls = Script(
        text="", reasoning="hm", tool_calls=(ScriptedCall(name="temperature", arguments='{"city": "Oslo"}'),)
    )
    host = Host(Behaviour(first=(calls, Script(text="4 degrees."))), "anthropic")
    options: dict[str, Any] = {"tools": [WEATHER], "reasoning": "high", "max_tokens": 4000}
    async with host.agent(**at(path)) as agent:
        first = await agent.chat("How warm is it?", "c", system_prompt="Be brief.", **options)
        assert (await agent.get_conversation("c")).on_disk, "an answer comes when it is kept"
        before = await agent.get_conversation("c")
    (call,) = first.tool_calls
    async with host.agent(**at(path)) as agent:
        assert await agent.get_conversation("c") == before
        result = ToolResult(id=call.id, content=(Text(text="4"),))
        answer = await agent.chat(result, "c", **options)
        assert answer.content == "4 degrees."
        assert answer.warnings == ()
    said = host.sent[1]["messages"]
    assert host.sent[1]["system"] == "Be brief."
    assert [part["type"] for part in said[1]["content"]] == ["thinking", "tool_use"]
    assert said[1]["content"][0]["signature"].startswith("Eq")
    assert said[2]["content"][0]["tool_use_id"] == call.id


async def test_what_was_deleted_or_failed_does_not_come_back(tmp_path: Path) -> None:
    path = tmp_path / "chats.sqlite"
    host = Host()
    async with host.agent(**at(path)) as agent:
        await agent.chat("One", "gone")
        await agent.chat("One", "kept")
        await agent.delete_conversation("gone")
        with trio.move_on_after(0):
            await agent.chat("Two", "kept")
    async with host.agent(**at(path)) as agent:
        with pytest.raises(ConversationNotFoundError):
            await agent.get_conversation("gone")
        assert len((await agent.get_conversation("kept")).exchanges) == 1


async def test_keep_books_false_keeps_nothing_at_all(tmp_path: Path) -> None:
    from manus.opening import open_agent
    from manus.testing import sim_config

    path = tmp_path / "chats.sqlite"
    async with open_agent(sim_config(Host().providers, **at(path)), keep_books=False) as agent:
        await agent.create_conversation("c")
    assert not path.exists()


async def test_no_key_is_ever_written(tmp_path: Path) -> None:
    path = tmp_path / "chats.sqlite"
    host = Host()
    canary = "sk-canary-5f2c9e7b1d3a"
    host.first.api_key = canary
    async with host.agent(**at(path)) as agent:
        await agent.chat(f"My key is {canary}.", "c", system_prompt=f"The key: {canary}")
        assert canary.encode() not in content_of(tmp_path), "nor into its log"
    assert canary.encode() not in content_of(tmp_path)
    assert b"My key is" in content_of(tmp_path)


# --- files that cannot be used --------------------------------------------------------------------------------


def content_of(directory: Path) -> bytes:
    return b"".join(each.read_bytes() for each in sorted(directory.iterdir()))


async def refused(path: Path, words: str) -> None:
    before = content_of(path.parent)
    with pytest.raises(ConfigurationError, match=words):
        async with Host().agent(**at(path)):
            pass
    assert content_of(path.parent) == before


async def test_a_damaged_file_stops_the_start_and_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "chats.sqlite"
    path.write_bytes(b"These are no conversations." * 200)
    await refused(path, "damaged.*move it aside")


async def test_a_newer_file_stops_the_start_and_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "chats.sqlite"
    async with Host().agent(**at(path)) as agent:
        await agent.chat("One", "c")
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 2")
    connection.close()
    await refused(path, "version 2.*update the program")


async def test_a_file_that_is_in_use_stops_the_start(tmp_path: Path) -> None:
    path = tmp_path / "chats.sqlite"
    async with Host().agent(**at(path)) as agent:
        with pytest.raises(ConfigurationError, match="held by another process"):
            async with Host().agent(**at(path)):
                pass
        await agent.chat("It goes on.", "c")


async def test_more_than_the_bounds_allow_is_forgotten_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "chats.sqlite"
    async with Host().agent(**at(path)) as agent:
        for name in ("a", "b", "c"):
            await agent.chat("One", name)
    async with Host().agent(**at(path, conversations_max=2)) as agent:
        with pytest.raises(ConversationNotFoundError):
            await agent.get_conversation("a")
        assert len((await agent.get_conversation("b")).exchanges) == 1


# --- kill -9 --------------------------------------------------------------------------------------------------

CHILD = """
    import sys
    import trio
    from tests.face.chatting import Host

    async def main():
        host = Host()
        async with host.agent(conversations={"path": sys.argv[1]}) as agent:
            print("ready", flush=True)

            async def talk(name):
                number = 0
                while True:
                    await agent.chat(f"{name} {number}", name)
                    print(name, number, flush=True)
                    number += 1

            async with trio.open_nursery() as nursery:
                for name in "abc":
                    nursery.start_soon(talk, name)

    trio.run(main)
"""


@pytest.mark.parametrize("run", range(2))
def test_after_a_kill_the_file_has_every_exchange_that_was_told_and_only_whole_ones(run: int, tmp_path: Path) -> None:
    kill_one(tmp_path, lines=20 + 17 * run)


@pytest.mark.long
def test_after_many_kills_too(tmp_path: Path) -> None:
    for run in range(100):
        (place := tmp_path / str(run)).mkdir()
        kill_one(place, lines=5 + run)


def kill_one(place: Path, *, lines: int) -> None:
    """Let a process chat, kill it after so many answers, and look at what is there."""
    path = place / "chats.sqlite"
    command = [sys.executable, "-c", textwrap.dedent(CHILD), str(path)]
    told: dict[str, int] = {}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        for line in child.stdout:
            name, number = line.split()
            told[name] = int(number) + 1
            lines -= 1
            if lines == 0:
                os.kill(child.pid, signal.SIGKILL)
    trio.run(_look, path, told)


async def _look(path: Path, told: dict[str, int]) -> None:
    async with Host().agent(**at(path)) as agent:
        for name, count in told.items():
            conversation = await agent.get_conversation(name)
            assert count <= len(conversation.exchanges) <= count + 1, (
                "what was told is there, and what was on its way at most"
            )
            for number, exchange in enumerate(conversation.exchanges):
                assert exchange.asked[0].parts == (Text(text=f"{name} {number}"),)
                assert exchange.answer.parts
        response = await agent.chat("It goes on.", "a")
        assert response.warnings == ()
