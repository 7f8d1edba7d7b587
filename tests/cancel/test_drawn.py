"""Streams left at moments that chance draws, over answers that chance draws: what holds for any of them."""

from __future__ import annotations

import random
from typing import get_args

import pytest
import trio

from manus.agent import LLMAgent
from manus.errors import LLMError
from manus.opening import open_agent
from manus.reports import UsageLine
from manus.sim.behaviour import Script, ScriptedCall
from manus.sim.bill import BillRow
from manus.sim.faults import Cut, ErrorInside, Fault, NoUsage, Stall
from manus.sim.wire import WireName
from manus.testing import sim_config
from tests.cancel.harness import OnCancel, check_nothing_runs, fleet_of, lines_of

WIRES: tuple[WireName, ...] = get_args(WireName)
REQUESTS = 10
OVER_S = 200.0
"""Longer than any answer takes, and any timeout."""

HIDE_THINKING = frozenset({"openai", "azure"})
"""Wires that count thinking and do not show it: no stream tells how much there was."""

CALL = ScriptedCall(name="look_up", arguments='{"place": "harbour", "boats": [1, 2, 3]}')
CALL_SLACK_TOKENS = 12
"""Arguments may come in one piece, whose tokens only the vendor knows."""

FAULTS: tuple[Fault | None, ...] = (
    None,
    None,
    None,
    NoUsage(),
    Cut(where="body", after_chunks=5),
    Stall(where="body", after_chunks=5),
    ErrorInside(after_chunks=3),
)


def draw_script(rng: random.Random, wire: WireName) -> Script:
    """Draw an answer of a token per chunk."""
    thinks = wire not in HIDE_THINKING and rng.random() < 0.3
    return Script(
        text=" ".join(["small boats wait while grey birds sleep"] * rng.randrange(1, 5)),
        reasoning="so the boats come first and then the birds" if thinks else "",
        tool_calls=(CALL,) if rng.random() < 0.2 else (),
        cached_tokens=rng.choice((0, 0, 4)),
        latency_s=rng.choice((0.0, 0.5)),
        first_token_s=rng.choice((0.0, 0.5)),
        gap_s=rng.choice((0.0, 0.1, 1.0)),
        split_bytes=rng.choice((0, 0, 7, 50)),
        fault=rng.choice(FAULTS),
    )


async def leave(agent: LLMAgent, name: str, rng: random.Random) -> None:
    """Read so many chunks, or for so long, whatever comes first, and go."""
    chunks = rng.randrange(0, 30)
    with trio.move_on_after(rng.choice((0.05, 0.75, 1.0, 3.3, 10.0, 100.0))):
        async with agent.stream(name, conversation_id=name, on_interrupt="error") as stream:
            try:
                for _ in range(chunks):
                    await anext(stream)
            except (LLMError, StopAsyncIteration):
                return  # it had ended before
            if not chunks:
                await trio.sleep(rng.choice((0.0, 0.25, 0.5, 2.0)))


@pytest.mark.parametrize(
    "seeds",
    [range(3), *(pytest.param(range(first, first + 40), marks=pytest.mark.long) for first in range(3, 203, 40))],
    ids=lambda seeds: f"seeds {seeds.start} to {seeds.stop - 1}",
)
@pytest.mark.parametrize("on_cancel", ["abort", "drain"])
@pytest.mark.parametrize("wire", WIRES)
async def test_any_stream_left_at_any_moment_has_one_true_row(
    wire: WireName, on_cancel: OnCancel, seeds: range, autojump_clock: object
) -> None:
    for seed in seeds:
        rng = random.Random(f"{wire}/{on_cancel}/{seed}")
        fleet = fleet_of({"a": (wire, Script())})
        provider = fleet.providers["a"]
        config = sim_config(fleet.providers, routing={"on_cancel": on_cancel}, retry={"attempts_max": 1})
        scripts: dict[str, Script] = {}
        transports = {"a": fleet.transport("a")}
        async with open_agent(config, transports=transports, keep_books=False, seed=seed) as agent:
            for number in range(REQUESTS):
                name = f"request {number:03}"
                scripts[name] = draw_script(rng, wire)
                provider.behave(scripts[name])
                await leave(agent, name, rng)
                if on_cancel == "abort":
                    await check_nothing_runs(fleet)
                await trio.sleep(OVER_S)
            await check_nothing_runs(fleet)
            lines = await lines_of(agent)

        for bill in provider.bill:
            line = lines.pop(f"{bill.prompt} at a")
            script = scripts[bill.prompt]
            _check(line, bill, script)
            if on_cancel == "drain" and script.fault is None and bill.billed:
                assert (line.settled, line.estimated) == (1, 0)
        assert all(line.requests == line.released for line in lines.values())


def _check(line: UsageLine, bill: BillRow, script: Script) -> None:
    assert (line.requests, line.open) == (1, 0)
    assert bill.billed == (not line.released)
    if line.in_doubt:
        assert line.in_doubt_output_tokens >= bill.output_tokens
        assert line.in_doubt_input_tokens >= bill.input_tokens
    elif line.settled and not line.estimated:
        assert (line.input_tokens, line.output_tokens) == (bill.input_tokens, bill.output_tokens)
    elif line.settled:
        missed = bill.output_tokens - line.output_tokens
        slack = CALL_SLACK_TOKENS if script.tool_calls else 0
        assert -slack <= missed <= 1 + slack
