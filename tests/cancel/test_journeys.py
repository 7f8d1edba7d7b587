"""A caller who leaves in the middle of a journey: after a failover, while a stream is taken up, during a race."""

from __future__ import annotations

from typing import get_args

import msgspec
import pytest
import trio

from manus.opening import open_agent
from manus.reports import UsageLine
from manus.sim.behaviour import Behaviour, Script
from manus.sim.faults import Cut, Rejected
from manus.sim.wire import WireName
from manus.testing import sim_config
from tests.cancel.harness import (
    CHUNKS,
    OVER_S,
    SLOW,
    Fleet,
    OnCancel,
    agent_over,
    by_closing,
    check_line,
    check_nothing_runs,
    fleet_of,
    lines_of,
)

WIRES: tuple[WireName, ...] = get_args(WireName)
BOTH = pytest.mark.parametrize("on_cancel", ["abort", "drain"])


@BOTH
@pytest.mark.parametrize("wire", WIRES)
async def test_stream_left_after_a_failover_has_a_row_for_each_attempt(
    wire: WireName, on_cancel: OnCancel, autojump_clock: object
) -> None:
    refuses = msgspec.structs.replace(SLOW, fault=Rejected(status=503))
    fleet = fleet_of({"first": (wire, refuses), "second": (wire, SLOW)})
    async with agent_over(fleet, on_cancel) as agent:
        for chunks in range(1, CHUNKS):
            # By now the first one is asked again.
            await trio.sleep(200.0)
            name = f"left after {chunks:03}"
            await by_closing(agent, name, chunks, {"conversation_id": name, "routing_strategy": "priority"})
            if on_cancel == "abort":
                await check_nothing_runs(fleet)
        await trio.sleep(OVER_S)
        await check_nothing_runs(fleet)
        lines = await lines_of(agent)

    for chunks in range(1, CHUNKS):
        name = f"left after {chunks:03}"
        check_line(
            lines[f"{name} at second"],
            fleet.providers["second"].bill.row_for(name),
            wire,
            exact=on_cancel == "drain",
        )
    assert any(line.released == line.requests for name, line in lines.items() if name.endswith("first"))
    assert not any(row.billed for row in fleet.providers["first"].bill)


@BOTH
@pytest.mark.parametrize("mode", ["auto", "restart"])
@pytest.mark.parametrize("wire", WIRES)
async def test_stream_left_while_or_after_it_is_taken_up_has_a_row_for_each_attempt(
    wire: WireName, mode: str, on_cancel: OnCancel, autojump_clock: object
) -> None:
    breaks = msgspec.structs.replace(SLOW, fault=Cut(where="body", after_chunks=4))
    # By the clock: the first one breaks off when its fifth word is due, and from then on the second one is at work.
    moments = [6.25 + step for step in range(10)]
    for at_s in moments:
        fleet = fleet_of({"first": (wire, breaks), "second": (wire, SLOW)})
        config = sim_config(
            fleet.providers,
            routing={"on_cancel": on_cancel, "on_interrupt": mode},
            retry={"same_deployment": 0},
        )
        transports = {name: fleet.transport(name) for name in fleet.providers}
        async with open_agent(config, transports=transports, keep_books=False, seed=1) as agent:
            with trio.move_on_after(at_s) as scope:
                async with agent.stream("Hello", conversation_id="c") as stream:
                    await stream.response()
            assert scope.cancelled_caught
            if on_cancel == "abort":
                await check_nothing_runs(fleet)
            await trio.sleep(OVER_S)
            await check_nothing_runs(fleet)
            lines = await lines_of(agent)
        _check_both(fleet, lines, wire, on_cancel)
        assert lines["c at first"].settled == 1


def _check_both(fleet: Fleet, lines: dict[str, UsageLine], wire: WireName, on_cancel: OnCancel) -> None:
    """Hold the first attempt, which broke off, and the second one, which was left, against their bills."""
    for name, provider in fleet.providers.items():
        line = lines.get(f"c at {name}")
        if line is None:
            assert len(provider.bill) == 0
            continue
        (bill,) = provider.bill
        exact = name == "second" and on_cancel == "drain"
        check_line(line, bill, wire, exact=exact)


@BOTH
@pytest.mark.parametrize("wire", WIRES)
async def test_race_left_at_any_moment_has_a_row_for_each_runner(
    wire: WireName, on_cancel: OnCancel, autojump_clock: object
) -> None:
    usual = Script(text="usual", first_token_s=0.5)
    late = msgspec.structs.replace(SLOW, first_token_s=9.0)
    hedge = {"enabled": True, "samples_min": 5, "budget_ratio": 1.0, "quantile": 0.9}
    # Both are silent at 1.0; the second one speaks from about 3 on, and the first one, which lost, would from 10 on.
    for at_s in (1.0, 2.0, 3.6, 6.1, 11.1):
        fleet = fleet_of({"first": (wire, Behaviour(script=late, first=(usual,) * 5)), "second": (wire, SLOW)})
        config = sim_config(
            fleet.providers, routing={"on_cancel": on_cancel}, hedge=hedge, retry={"same_deployment": 0}
        )
        transports = {name: fleet.transport(name) for name in fleet.providers}
        async with open_agent(config, transports=transports, keep_books=False, seed=1) as agent:
            for _ in range(5):
                await agent.stream("Usual", provider="first").response()
            with trio.move_on_after(at_s) as scope:
                async with agent.stream("Race", conversation_id="c") as stream:
                    await stream.response()
            assert scope.cancelled_caught
            if on_cancel == "abort":
                await check_nothing_runs(fleet)
            await trio.sleep(3 * OVER_S)
            await check_nothing_runs(fleet)
            lines = await lines_of(agent)
        assert {"c at first", "c at second"} <= lines.keys()
        for name, provider in fleet.providers.items():
            check_line(lines[f"c at {name}"], provider.bill.row_for("Race"), wire, exact=on_cancel == "drain")
        if on_cancel == "abort":
            # Of the loser, which showed nothing, nobody knows what it cost.
            assert lines["c at first"].in_doubt == 1
