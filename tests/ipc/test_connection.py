"""One connection over pipes in memory, the whole agent behind it, on a virtual clock: what a host is owed."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing

from manus.sim.behaviour import Script
from manus.sim.faults import FAULTS
from tests.face.rig import TEXT, Rig
from tests.ipc.memory_host import LONG, MemoryHost, open_host, said, slow

# --- asking ---------------------------------------


async def test_a_request_has_its_answer(autojump_clock: trio.testing.MockClock) -> None:
    async with open_host(Rig()) as host:
        host.ask(1, "generate", prompt="hello")
        _, reply = await host.answer(1)

        assert reply["result"]["content"] == TEXT
        assert reply["result"]["finish_reason"] == "stop"


async def test_a_stream_is_its_events_and_then_the_reply(autojump_clock: trio.testing.MockClock) -> None:
    async with open_host(slow()) as host:
        host.ask("s", "stream", prompt="hello")
        events, reply = await host.answer("s")

        assert said(events) == LONG == reply["result"]["content"]
        assert {event["kind"] for event in events} == {"delta"}


async def test_requests_run_side_by_side(autojump_clock: trio.testing.MockClock) -> None:
    async with open_host(slow("a b c d e", gap_s=1.0)) as host:
        began = trio.current_time()
        for number in range(20):
            host.ask(number, "generate", prompt=f"hello {number}")
        heard = {(await host.hear())["id"] for _ in range(20)}

        assert heard == set(range(20))
        assert trio.current_time() - began < 10.0


async def test_nothing_but_ping_is_answered_before_the_greeting(autojump_clock: trio.testing.MockClock) -> None:
    async with open_host(Rig(), greeted=False) as host:
        host.ask(1, "ping")
        host.ask(2, "generate", prompt="hello")
        host.ask(3, "initialize", protocolVersion=7)
        host.ask(4, "initialize", protocolVersion=1)
        host.ask(5, "initialize", protocolVersion=1)
        host.ask(6, "generate", prompt="hello")
        heard = [await host.hear() for _ in range(6)]

        told = [each["error"]["data"]["kind"] if "error" in each else "ok" for each in heard]
        assert told == ["ok", "not_initialized", "unsupported_version", "ok", "already_initialized", "ok"]
        assert heard[2]["error"]["data"]["supported"] == [1]
        assert heard[3]["result"]["server"]["ledger"] == "memory", "so that nobody takes what it forgot for never sent"


async def test_an_id_in_flight_is_refused_and_free_again_after_its_reply(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_host(slow("one two three")) as host:
        host.ask(1, "generate", prompt="hello")
        host.ask(1, "generate", prompt="hello")
        refused = await host.hear()
        _, reply = await host.answer(1)
        host.ask(1, "ping")
        again = await host.hear()

        assert refused["id"] is None
        assert refused["error"]["data"]["kind"] == "duplicate_id"
        assert refused["error"]["data"]["id"] == 1
        assert reply["result"]["content"] == "one two three"
        assert again["id"] == 1


async def test_broken_lines_cost_themselves_alone(autojump_clock: trio.testing.MockClock) -> None:
    async with open_host(Rig(), frame_bytes_max=1024) as host:
        host.say(b"not json\n", b"[1]\n", b'"text"\n', b"\xff\xfe\n", b"x" * 100_000 + b"\n", b"[" * 900 + b"\n")
        host.ask(1, "nonsense")
        host.ask(2, "generate", prompt=5)
        host.ask(3, "ping")
        heard = [await host.hear() for _ in range(9)]

        assert [each["error"]["code"] for each in heard[:8]] == [
            -32700, -32600, -32600, -32700, -32700, -32700, -32601, -32602,
        ]  # fmt: skip
        assert heard[4]["error"]["data"]["kind"] == "frame_too_large"
        assert heard[7]["error"]["data"]["path"] == "params.prompt"
        assert heard[8] == {"jsonrpc": "2.0", "id": 3, "result": {}}


async def test_a_switch_holds_for_its_own_connection(autojump_clock: trio.testing.MockClock) -> None:
    async with open_host(Rig()) as host:
        other = MemoryHost(host.agent, host.session.policy)
        host.ask(1, "providers.switch", provider="second")
        await host.answer(1)
        host.ask(2, "generate", prompt="hello")
        _, reply = await host.answer(2)

        assert reply["result"]["provider"] == "second"
        assert host.agent.get_available_providers()[0] == "first"
        assert other.host.methods._agent.get_available_providers()[0] == "first"


async def test_a_failure_is_told_with_what_a_program_needs(autojump_clock: trio.testing.MockClock) -> None:
    rig = Rig(Script(fault=FAULTS["429"]), Script(fault=FAULTS["500"]))
    async with open_host(rig, {"retry": {"attempts_max": 2, "wait_here_s": 0}}) as host:
        host.ask(1, "generate", prompt="hello", request_key="k")
        _, reply = await host.answer(1)

        data = reply["error"]["data"]
        assert set(data) >= {"kind", "retryable", "retry_after_ms", "provider", "model", "attempts", "request_id"}
        assert data["attempts"] == 2


# --- cancel and credit ---------------------------------------


@pytest.mark.parametrize(("method", "booking"), [("generate", "in_doubt"), ("stream", "settled")])
async def test_a_cancelled_request_says_what_it_cost(
    method: str, booking: str, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_host(slow()) as host:
        host.ask(1, method, prompt="hello")
        await trio.sleep(3.02)
        host.tell("$/cancelRequest", id=1)
        _, reply = await host.answer(1)

        assert reply["result"]["finish_reason"] == "cancelled"
        assert [each["booking"] for each in reply["result"]["route"]["attempts"]] == [booking]
        assert reply["result"]["route"]["attempts"][0]["usage"]["input_uncached"] > 0
        assert trio.current_time() < 4.0


async def test_what_never_left_is_cancelled_as_an_error(autojump_clock: trio.testing.MockClock) -> None:
    async with open_host(slow()) as host:
        host.ask(1, "stream", prompt="hello")
        host.tell("$/cancelRequest", id=1)
        _, reply = await host.answer(1)

        assert reply["error"]["code"] == -32800


async def test_cancel_and_credit_of_nobody_are_ignored_and_told_to_who_asks(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_host(Rig()) as host:
        for _ in range(50):
            host.tell("$/cancelRequest", id=77)
            host.tell("$/credit", id=77, n=1)
        host.ask(1, "$/cancelRequest", id=77)
        host.ask(2, "$/credit", id=77, n=1)

        assert [(await host.hear())["result"] for _ in range(2)] == [{"known": False}, {"known": False}]


async def test_a_window_holds_events_back_until_there_is_credit(autojump_clock: trio.testing.MockClock) -> None:
    async with open_host(slow()) as host:
        host.ask(1, "stream", prompt="hello", window=3)
        events = [(await host.hear())["params"]["event"] for _ in range(3)]
        await trio.sleep(10.0)
        assert not host.sink.written, "without credit nothing goes"
        host.tell("$/credit", id=1, n=1)
        fourth = (await host.hear())["params"]

        assert fourth["seq"] == 3
        assert len(fourth["event"]["delta"]) > 500, "what waited is joined"
        host.tell("$/credit", id=1, n=1000)
        rest: list[dict[str, Any]] = []
        while "result" not in (heard := await host.hear()):
            rest.append(heard["params"]["event"])
        assert said([*events, fourth["event"], *rest]) == LONG


async def test_credit_right_behind_its_request_counts(autojump_clock: trio.testing.MockClock) -> None:
    async with open_host(slow("one two three four five")) as host:
        host.ask(1, "stream", prompt="hello", window=1)
        host.tell("$/credit", id=1, n=100)
        events, reply = await host.answer(1)

        assert said(events) == reply["result"]["content"]


async def test_the_window_of_the_greeting_is_every_streams(autojump_clock: trio.testing.MockClock) -> None:
    async with open_host(slow(), greeted=False) as host:
        greeting = await host.greet(window=2)
        host.ask(1, "stream", prompt="hello")
        for _ in range(2):
            await host.hear()
        await trio.sleep(5.0)

        assert greeting["result"]["limits"]["window"] == 2
        assert not host.sink.written
