"""`manus ask` while its provider fails: stdout is the answer to the letter, stderr tells the route, the books agree."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from manus.sim.serve import serve_all
from tests.scenarios.as_processes import write_configuration
from tests.scenarios.settings import simulated, spelt_out
from tests.scenarios.table import named
from tests.scenarios.through_ask import complaints_of_ask, run_ask
from tests.scenarios.vocabulary import BUDGET_S, scaled

SCALE = 0.05
LIMIT_S = 120.0


@pytest.mark.parametrize("name", ["503-for-ever", "no-marker", "content-policy"])
async def test_the_command_keeps_the_promise_as_well(name: str, tmp_path: Path) -> None:
    scenario = scaled(spelt_out(named(name)), SCALE)
    sims = simulated(scenario)
    with trio.fail_after(LIMIT_S):
        async with serve_all(list(sims.values())) as servers:
            origins = {entry: server.origin for entry, server in zip(sims, servers, strict=True)}
            asked = await run_ask(write_configuration(scenario, origins, tmp_path), timeout_s=BUDGET_S)
    assert complaints_of_ask(scenario, asked, slack_s=None) == [], asked
    expected = scenario.asks[0].expectation("stream")
    assert tuple(len(sim.bill) for sim in sims.values()) == expected.calls
