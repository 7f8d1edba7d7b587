"""Both servings give the same bytes, the same end and the same bill for the same script."""

from __future__ import annotations

import httpx
import msgspec
import pytest
from trio.testing import MockClock

from manus.sim.behaviour import Behaviour, Script, ScriptedCall
from manus.sim.faults import FAULTS, Drip, Fault, HugeLine, PingsOnly, Refused, Slow, faults_of, name_of
from manus.sim.provider import WIRES, SimProvider
from manus.sim.wire import WireName
from tests.sim.asking import Got, Serving, asking

SERVINGS: tuple[Serving, ...] = ("memory", "sockets")

SCRIPTS: dict[str, Script] = {
    "prose": Script(words=12),
    "three tokens a chunk": Script(words=11, chunk_tokens=3),
    "empty": Script(text=""),
    "fixed": Script(text="Größe: 5 µm 🌍"),
    "tools": Script(text="", tool_calls=(ScriptedCall(name="look_up", arguments='{"city":"Århus"}'),)),
    "text and tools": Script(words=3, tool_calls=(ScriptedCall(name="a"), ScriptedCall(name="b"))),
    "reasoning": Script(words=4, reasoning="Let me think about it.", cached_tokens=3),
    "odd splits": Script(words=8, split_bytes=7),
}


def quick(fault: Fault) -> Fault:
    """Give the fault without waiting longer than a test wants to."""
    match fault:
        case Slow():
            return msgspec.structs.replace(fault, delay_s=0.001)
        case PingsOnly():
            return msgspec.structs.replace(fault, gap_s=0.001, count=3)
        case Drip():
            return Drip(gap_s=0.0)
        case HugeLine():
            return msgspec.structs.replace(fault, line_bytes=300_000)
        case _:
            return fault


async def both(wire: WireName, script: Script, *, stream: bool) -> tuple[Got, Got]:
    """Ask two fresh providers with one script, one in memory and one on sockets; their bills agree."""
    seen: list[Got] = []
    bills = []
    for serving in SERVINGS:
        provider = SimProvider(wire, Behaviour(script=script, seed=7))
        async with asking(provider, serving) as asker:
            seen.append(await asker.ask(stream=stream))
        bills.append(provider.bill.rows())
        assert provider.in_flight == 0
        assert provider.bill.open_requests == 0
    assert bills[0] == bills[1]
    return seen[0], seen[1]


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
async def test_good_answers_are_the_same_in_memory_and_on_sockets(script: Script, wire: WireName, stream: bool) -> None:
    memory, sockets = await both(wire, script, stream=stream)
    assert memory.error is None
    assert memory.body
    assert (memory.status, memory.headers, memory.body, memory.error) == (
        sockets.status,
        sockets.headers,
        sockets.body,
        sockets.error,
    )


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize(("wire", "name"), [(wire, name) for wire in WIRES for name in faults_of(wire)])
async def test_faults_are_the_same_in_memory_and_on_sockets(name: str, wire: WireName, stream: bool) -> None:
    fault = FAULTS[name]
    memory, sockets = await both(wire, Script(words=4, fault=quick(fault)), stream=stream)
    if isinstance(fault, Refused):  # a request has to arrive on a socket before its fault is known
        assert memory.error is httpx.ConnectError
        assert sockets.error is httpx.ReadError
        return
    assert (memory.status, memory.headers, memory.body, memory.error) == (
        sockets.status,
        sockets.headers,
        sockets.body,
        sockets.error,
    )


@pytest.mark.parametrize("wire", WIRES)
async def test_every_named_fault_changes_what_a_client_sees(wire: WireName, autojump_clock: MockClock) -> None:
    """A fault that looks like a good answer, streamed and whole, is none: only in pace may some differ."""

    async def seen(fault: Fault | None) -> list[Got]:
        answers = []
        for stream in (True, False):
            async with asking(SimProvider(wire, Script(words=10, fault=fault)), "memory") as asker:
                answers.append(await asker.ask(stream=stream))
                answers[-1].reads = []
        return answers

    good = await seen(None)
    unseen = [name for name, fault in faults_of(wire).items() if await seen(quick(fault)) == good]
    assert unseen == ["latency", "slow-first-token", "slow-chunks", "drip"]


def test_every_kind_of_fault_has_a_name() -> None:
    kinds = {type(fault) for fault in FAULTS.values()}
    assert kinds == set(Fault.__args__)
    assert {name_of(fault) for fault in FAULTS.values()} == set(FAULTS)


@pytest.mark.parametrize("wire", WIRES)
async def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(wire: WireName) -> None:
    bodies = []
    for seed in (1, 1, 2):
        async with asking(SimProvider(wire, Behaviour(seed=seed)), "memory") as asker:
            bodies.append([(await asker.ask(stream=stream, prompt=p)).body for stream in (True, False) for p in "ab"])
    assert bodies[0] == bodies[1]
    assert all(ours != other for ours, other in zip(bodies[0], bodies[2], strict=True))
    assert len(set(bodies[0])) == 4
