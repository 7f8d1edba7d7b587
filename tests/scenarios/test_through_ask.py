"""`manus ask` while its provider fails: stdout is the answer to the letter, stderr tells the route, the books agree."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import trio

from manus.sim.faults import Cut
from manus.sim.serve import serve_all
from manus.sim.words import tokens_of
from tests.scenarios.as_processes import write_configuration
from tests.scenarios.settings import simulated, spelt_out
from tests.scenarios.table import named
from tests.scenarios.through_ask import Asked, complaints_of_ask, run_ask
from tests.scenarios.vocabulary import BUDGET_S, TEXT, Provider, Scenario, plays, scaled

SCALE = 0.1
LIMIT_S = 120.0


async def asked(scenario: Scenario, directory: Path) -> tuple[Asked, tuple[int, ...]]:
    """Run the command against the scenario's providers; gives what came of it, and how many requests each saw."""
    sims = simulated(scenario)
    with trio.fail_after(LIMIT_S):
        async with serve_all(list(sims.values())) as servers:
            origins = {entry: server.origin for entry, server in zip(sims, servers, strict=True)}
            came = await run_ask(write_configuration(scenario, origins, directory), timeout_s=BUDGET_S)
    return came, tuple(len(sim.bill) for sim in sims.values())


@pytest.mark.parametrize(
    "name",
    [
        "503-for-ever",
        "content-policy",
        "no-marker",
        "cut",
        "cut-inside-a-character",
        "cut-other-text",
        "stall-in-the-middle",
        "malformed-chunk",
        "prefill",
    ],
)
async def test_the_command_keeps_the_promise_as_well(name: str, tmp_path: Path) -> None:
    scenario = scaled(spelt_out(named(name)), SCALE)
    came, seen = await asked(scenario, tmp_path)
    assert complaints_of_ask(scenario, came, slack_s=None) == [], came
    assert seen == scenario.asks[0].expectation("stream").calls


@pytest.mark.parametrize("after_chunks", [1, len(tokens_of(TEXT)) // 2, len(tokens_of(TEXT)) - 1])
async def test_wherever_a_stream_is_cut_stdout_is_the_answer_to_the_letter(after_chunks: int, tmp_path: Path) -> None:
    primary = Provider(plays=plays(Cut(after_chunks=after_chunks), then=None, chunk_tokens=1))
    scenario = msgspec.structs.replace(named("cut-once"), primary=primary)
    came, _ = await asked(scaled(spelt_out(scenario), SCALE), tmp_path)
    assert came.stdout == TEXT + "\n"
    assert came.status == 0
