"""The proof of crash-safety: the session is struck after each of its steps, and the host never hears of it but once."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import trio

from manus.sim.behaviour import Script
from tests.face.rig import Rig
from tests.ipc.memory_host import MemoryHost, open_host
from tests.supervisor.steps import Strike, strike_at_each_step

TASKS = ("reader", "writer", "adapters/stdio", "generate on", "stream on", "chat on", "limits on")

TEXT = "one two three four five six"


class Heard:
    """What a host has been told: exactly one reply to each request, whole lines, events without gaps."""

    def __init__(self, host: MemoryHost) -> None:
        self.host = host
        self.replies: dict[object, dict[str, Any]] = {}
        self.texts: dict[object, str] = {}
        self.numbers: dict[object, int] = {}

    async def until(self, *ids: object) -> None:
        """Listen until all of these are answered."""
        while not self.replies.keys() >= set(ids):
            self.take(await self.host.hear())

    def take(self, heard: dict[str, Any]) -> None:
        """Check one line."""
        if heard.get("method") == "stream.event":
            told = heard["params"]
            assert told["id"] not in self.replies, "an event after the reply"
            assert told["seq"] == self.numbers.get(told["id"], 0), "a gap in the numbers"
            self.numbers[told["id"]] = told["seq"] + 1
            self.texts[told["id"]] = self.texts.get(told["id"], "") + told["event"]["delta"]
        else:
            assert heard["id"] not in self.replies, "a second reply"
            self.replies[heard["id"]] = heard

    def kind(self, request_id: object) -> str:
        """Tell how a request ended."""
        reply = self.replies[request_id]
        return str(reply["error"]["data"]["kind"]) if "error" in reply else "ok"


async def ask_and_be_struck(strike: Strike, *, piece: int) -> None:
    """Ask this and that, in lines cut anywhere, over a pipe that takes so many bytes at once."""
    rig = Rig(Script(text=TEXT, gap_s=0.05))
    async with open_host(rig, room=4 * piece) as host:
        host.source.piece = host.sink.piece = piece
        heard = Heard(host)
        strike.blow = host.crash
        host.ask("g", "generate", prompt="hello")
        host.ask("s", "stream", prompt="hello", window=2)
        host.ask("c", "stream", prompt="hello")
        host.ask("w", "limits")
        await trio.sleep(0.12)
        host.tell("$/credit", id="s", n=100)
        host.tell("$/cancelRequest", id="c")
        host.say(b'{"broken\n')
        host.ask("p", "ping")
        await heard.until("g", "s", "c", "w", "p", None)
        strike.blow = None
        await trio.sleep(1.0)  # a blow with the last of these lines takes what is said in the same tick along
        host.ask("after", "generate", prompt="hello")
        await heard.until("after")

        assert {heard.kind(each) for each in ("g", "s", "w")} <= {"ok", "actor_crashed"}
        assert heard.kind("c") in ("ok", "cancelled", "actor_crashed")
        assert heard.kind("p") == heard.kind("after") == "ok", "the next line works"
        assert heard.kind(None) == "invalid_json"
        for number in ("g", "s"):
            if heard.kind(number) == "ok":
                assert heard.replies[number]["result"]["content"] == TEXT
        if heard.kind("s") == "ok":
            assert heard.texts["s"] == TEXT
        assert TEXT.startswith(heard.texts.get("s", ""))
        assert heard.replies["after"]["result"]["content"] == TEXT
        assert not host.session.calls
        assert rig.open_exchanges == 0


async def end_and_be_struck(strike: Strike) -> None:
    """Be asked for an end while requests are in flight."""
    rig = Rig(Script(text=TEXT, gap_s=0.05))
    async with open_host(rig, room=1000) as host:
        heard = Heard(host)
        strike.blow = host.crash
        host.ask("g", "generate", prompt="hello")
        host.ask("s", "stream", prompt="hello")
        await trio.sleep(0.06)
        host.ask("end", "shutdown", deadline_ms=100)
        host.ask("late", "generate", prompt="hello")
        await heard.until("g", "s", "late", "end")
        ending = await host.over()
        strike.blow = None

        assert heard.kind("late") == "stopping"
        assert list(heard.replies)[-1] == "end", "the reply of shutdown is the last line"
        assert heard.kind("end") == "ok"
        assert ending.why == "shutdown"
        assert not host.sink.written
        assert rig.open_exchanges == 0


async def vanish(strike: Strike) -> None:
    """Be left by a host that reads no more."""
    rig = Rig(Script(text=TEXT, gap_s=0.05))
    async with open_host(rig, room=1000) as host:
        strike.blow = partial(host.sink.fail, BrokenPipeError())
        host.ask("g", "generate", prompt="hello")
        host.ask("s", "stream", prompt="hello", window=1)
        host.ask("w", "limits")
        await trio.sleep(0.12)
        host.tell("$/credit", id="s", n=100)
        await trio.sleep(0.5)
        host.tell("exit")
        began = trio.current_time()
        ending = await host.over()

        assert ending.why in (("gone", "exit") if host.sink.broken else ("exit",))
        assert trio.current_time() - began < 0.2, "nobody waits for a host that is gone"
        assert not host.session.calls
        assert rig.open_exchanges == 0


async def close_its_end(strike: Strike) -> None:
    """Be told nothing more by a host that reads on."""
    rig = Rig(Script(text=TEXT, gap_s=0.05))
    async with open_host(rig, room=1000) as host:
        heard = Heard(host)
        strike.blow = host.source.end
        host.ask("g", "generate", prompt="hello")
        host.ask("s", "stream", prompt="hello", window=1)
        host.tell("$/pause", id="s")
        if not strike.struck:
            await trio.sleep(1.0)
            host.source.end()
        await heard.until("g", "s")
        ending = await host.over()

        assert ending.why == "eof"
        assert heard.kind("g") == heard.kind("s") == "ok"
        assert heard.texts["s"] == TEXT


def test_a_host_that_vanishes_at_any_step_leaves_nothing_behind() -> None:
    assert strike_at_each_step(vanish, *TASKS) > 15


def test_a_host_that_closes_its_end_at_any_step_gets_all_that_it_asked_for() -> None:
    assert strike_at_each_step(close_its_end, *TASKS) > 5


def test_a_crash_at_any_step_costs_what_was_open_and_nothing_else() -> None:
    assert strike_at_each_step(partial(ask_and_be_struck, piece=700), *TASKS) > 40


@pytest.mark.long
def test_a_crash_at_any_step_of_a_narrow_pipe_costs_what_was_open_and_nothing_else() -> None:
    assert strike_at_each_step(partial(ask_and_be_struck, piece=30), *TASKS) > 200


def test_a_crash_at_any_step_of_an_end_leaves_it_an_end() -> None:
    assert strike_at_each_step(end_and_be_struck, *TASKS) > 20
