"""Every scenario, over connections in memory and under a virtual clock: outcome, calls, books, and the very second."""

from __future__ import annotations

import pytest
from trio.testing import MockClock

from tests.scenarios.in_memory import memory_stage
from tests.scenarios.judge import complaints
from tests.scenarios.play import play
from tests.scenarios.table import SCENARIOS
from tests.scenarios.vocabulary import BUDGET_S, Method, Scenario

AGAIN_S = 120.0

CASES = [
    pytest.param(scenario, method, id=f"{scenario.name}-{method}")
    for scenario in SCENARIOS
    for method in scenario.methods
]


@pytest.mark.parametrize(("scenario", "method"), CASES)
async def test_the_promise_of_each_scenario_is_kept(
    scenario: Scenario, method: Method, autojump_clock: MockClock
) -> None:
    async with memory_stage(scenario) as stage:
        played = await play(scenario, method, stage, budget_s=BUDGET_S, again_s=AGAIN_S)
    assert complaints(scenario, method, played, slack_s=0.0) == [], played
