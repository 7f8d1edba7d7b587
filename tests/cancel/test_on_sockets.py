"""Streams that are left over real sockets, with a ledger on a real disk: memory may be too kind about both."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
import trio

from manus.opening import open_agent
from manus.sim.behaviour import Script
from manus.sim.provider import SimProvider
from manus.sim.wire import WireName
from manus.testing import serve_sim, sim_config
from tests.cancel.harness import (
    INPUT_TOLD_FIRST,
    WORDS,
    Leave,
    OnCancel,
    by_breaking_out_of_the_loop,
    by_closing,
    by_dropping_its_events,
)

LIMIT_S = 30
GAP_S = 0.05
INPUT_TOKENS = "input_uncached + cache_read + cache_write_short + cache_write_long"


@pytest.mark.parametrize("on_cancel", ["abort", "drain"])
@pytest.mark.parametrize(
    ("wire", "leave"),
    [
        ("openai", by_closing),
        ("openai", by_breaking_out_of_the_loop),
        ("openai", by_dropping_its_events),
        ("anthropic", by_breaking_out_of_the_loop),
        ("bedrock", by_dropping_its_events),
        ("ollama", by_breaking_out_of_the_loop),
        ("openai-responses", by_closing),
    ],
)
async def test_stream_left_on_a_socket_has_one_true_row_and_the_vendor_sees_it_go(
    wire: WireName, leave: Leave, on_cancel: OnCancel, tmp_path: Path
) -> None:
    sim = SimProvider(wire, Script(text=WORDS, gap_s=GAP_S))
    ran_ahead: dict[str, int] = {}
    async with serve_sim(sim) as server:
        path = tmp_path / "ledger.sqlite"
        config = sim_config({"a": server}, routing={"on_cancel": on_cancel}, ledger={"path": str(path)})
        async with open_agent(config) as agent:
            for chunks in (1, 4, 8):
                name = f"left after {chunks}"
                await leave(agent, name, chunks, {"conversation_id": name})
                left_at = trio.current_time()
                with trio.fail_after(LIMIT_S):
                    while sim.in_flight:  # noqa: ASYNC110  # its bill is all that a provider tells
                        await trio.sleep(0.001)
                # What it made until it saw us go: a chunk, and more where the machine was slow to tell it.
                ran_ahead[name] = 1 + int((trio.current_time() - left_at) / GAP_S)
    with sqlite3.connect(path) as connection:
        rows = connection.execute(
            f"SELECT conversation_id, state, source, {INPUT_TOKENS}, output FROM attempts"
        ).fetchall()
    connection.close()

    assert len(rows) == 3
    for name, state, source, input_tokens, output_tokens in rows:
        bill = sim.bill.row_for(name)
        if on_cancel == "drain":
            assert (bill.state, state, source) == ("complete", "settled", "reported")
            assert (input_tokens, output_tokens) == (bill.input_tokens, bill.output_tokens)
        else:
            assert (bill.state, state, source) == ("disconnected", "settled", "estimated")
            assert 0 <= bill.output_tokens - output_tokens <= ran_ahead[name]
            if wire in INPUT_TOLD_FIRST:
                assert input_tokens == bill.input_tokens
