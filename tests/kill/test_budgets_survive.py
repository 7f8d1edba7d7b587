"""A budget holds through kills: what was spent before, and what a kill left in doubt, counts after the restart."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kill.fleet import simulated
from tests.kill.lane import USUAL, WAYS, Episode
from tests.kill.spawner import spawning

BUDGET_NANO_USD = 200_000_000
"""Some hundred calls, of which a dozen are open at once."""


@pytest.mark.parametrize(("budgets", "kind"), [({"usd_per_day": 0.2}, "budget_exceeded")])
def test_a_budget_is_not_overrun_by_processes_that_are_killed(
    tmp_path: Path, budgets: dict[str, float], kind: str
) -> None:
    with simulated(3) as fleet, spawning() as spawner:
        episode = Episode(tmp_path, fleet, spawner, seed=3, together=1, **USUAL | {"budgets": budgets})
        figures = episode.run(6, WAYS)
    spent = sum(row.cost_nano_usd or 0 for row in episode.rows() if row.state in ("settled", "in_doubt"))
    assert spent <= BUDGET_NANO_USD, "settled and in doubt together are more than the budget"
    assert spent >= BUDGET_NANO_USD * 0.8, "it was hardly used, and nothing was tried"
    assert figures.failed[kind] > 0, "nobody was refused"
