"""A stream that is left at every boundary between two chunks, in every way, over every wire: what the books say of it.

One row for each, settled by an estimate that misses the bill by a chunk at most, or by the vendor's own count where the
answer is drained.
"""

from __future__ import annotations

from typing import get_args

import pytest
import trio

from manus.sim.behaviour import Script
from manus.sim.wire import WireName
from tests.cancel.harness import (
    CHUNKS,
    OVER_S,
    SLOW,
    WAYS,
    Leave,
    OnCancel,
    agent_over,
    by_closing,
    check_line,
    check_nothing_runs,
    fleet_of,
    lines_of,
)

WIRES: tuple[WireName, ...] = get_args(WireName)


@pytest.mark.parametrize("on_cancel", ["abort", "drain"])
@pytest.mark.parametrize("leave", WAYS)
@pytest.mark.parametrize("wire", WIRES)
async def test_stream_left_after_any_chunk_has_one_true_row(
    wire: WireName, leave: Leave, on_cancel: OnCancel, autojump_clock: object
) -> None:
    fleet = fleet_of({"a": (wire, SLOW)})
    provider = fleet.providers["a"]
    async with agent_over(fleet, on_cancel) as agent:
        for chunks in range(CHUNKS):
            name = f"left after {chunks:03}"
            await leave(agent, name, chunks, {"conversation_id": name})
            if on_cancel == "abort":
                await check_nothing_runs(fleet)
                if chunks:
                    assert provider.bill.row_for(name).state == "disconnected"
            await trio.sleep(OVER_S)
        await check_nothing_runs(fleet)
        lines = await lines_of(agent)

    sent = {row.prompt: row for row in provider.bill}
    for chunks in range(1, CHUNKS):
        name = f"left after {chunks:03}"
        line = lines.pop(f"{name} at a")
        assert line.settled == 1
        check_line(line, sent.pop(name), wire, exact=on_cancel == "drain")
    # Who leaves before anything has come may have left before anything was sent.
    assert all(line.requests == line.released for line in lines.values())
    assert not any(row.billed for row in sent.values())


@pytest.mark.parametrize("on_cancel", ["abort", "drain"])
@pytest.mark.parametrize("wire", WIRES)
async def test_whole_answer_left_at_any_moment_is_released_or_in_doubt_or_drained(
    wire: WireName, on_cancel: OnCancel, autojump_clock: object
) -> None:
    fleet = fleet_of({"a": (wire, SLOW)})
    provider = fleet.providers["a"]
    moments = [0.5, 1.5, *(2.5 + chunk for chunk in range(CHUNKS - 1))]
    async with agent_over(fleet, on_cancel) as agent:
        for at_s in moments:
            with trio.move_on_after(at_s) as scope:
                await agent.generate(f"left at {at_s}", conversation_id=f"left at {at_s}")
            assert scope.cancelled_caught
            if on_cancel == "abort":
                await check_nothing_runs(fleet)
            await trio.sleep(OVER_S)
        await check_nothing_runs(fleet)
        lines = await lines_of(agent)

    for at_s in moments:
        line = lines[f"left at {at_s} at a"]
        assert (line.settled, line.in_doubt) == ((1, 0) if on_cancel == "drain" else (0, 1))
        check_line(line, provider.bill.row_for(f"left at {at_s}"), wire, exact=on_cancel == "drain")


@pytest.mark.parametrize("chunk_tokens", [2, 3, 5])
@pytest.mark.parametrize("wire", WIRES)
async def test_server_that_sends_in_batches_is_estimated_by_its_text(
    wire: WireName, chunk_tokens: int, autojump_clock: object
) -> None:
    text = " ".join(["all small birds sing songs while some grey cats sleep near warm stone walls"] * 3)
    script = Script(text=text, chunk_tokens=chunk_tokens, gap_s=1.0)
    chunks = -(-len(text.split()) // chunk_tokens)
    fleet = fleet_of({"a": (wire, script)})
    async with agent_over(fleet, "abort") as agent:
        for taken in range(1, chunks):
            await by_closing(agent, f"left after {taken:03}", taken, {"conversation_id": f"left after {taken:03}"})
        await check_nothing_runs(fleet)
        lines = await lines_of(agent)

    for taken in range(1, chunks):
        line = lines[f"left after {taken:03} at a"]
        bill = fleet.providers["a"].bill.row_for(f"left after {taken:03}")
        assert (line.settled, line.estimated) == (1, 1)
        # Only the vendor knows where its tokens end. A few short batches pass for tokens.
        assert line.output_tokens == pytest.approx(bill.output_tokens, rel=0.34, abs=8)
        assert line.output_tokens >= taken
