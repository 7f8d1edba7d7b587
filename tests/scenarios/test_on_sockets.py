"""Every scenario again over real sockets, with its times scaled down: outcome, order, counts and books, and no clock.

Only the primary's waits are short, and only where it is silent on purpose: a machine that is busy elsewhere delays
everybody, and must not fail anybody.
"""

from __future__ import annotations

import pytest
import trio

from tests.scenarios.judge import complaints
from tests.scenarios.on_sockets import socket_stage
from tests.scenarios.play import play
from tests.scenarios.settings import spelt_out
from tests.scenarios.table import SCENARIOS
from tests.scenarios.vocabulary import BUDGET_S, Method, Scenario, scaled

SCALE = 0.1
LIMIT_S = 120.0

CASES = [
    pytest.param(scenario, method, id=f"{scenario.name}-{method}")
    for scenario in SCENARIOS
    if scenario.scales
    for method in scenario.methods
]


@pytest.mark.parametrize(("scenario", "method"), CASES)
async def test_the_promise_of_each_scenario_is_kept_over_sockets(scenario: Scenario, method: Method) -> None:
    quick = scaled(spelt_out(scenario), SCALE)
    with trio.fail_after(LIMIT_S):
        async with socket_stage(quick) as stage:
            played = await play(quick, method, stage, budget_s=BUDGET_S, again_s=BUDGET_S)
    assert complaints(quick, method, played, slack_s=None) == [], played
