"""Own the table of scenarios: everything that public trackers report of failover going wrong, one line of data each."""

from __future__ import annotations

from tests.scenarios.breaks import BREAKS
from tests.scenarios.budgets import BUDGETS
from tests.scenarios.flaps import FLAPS
from tests.scenarios.refusals import REFUSALS
from tests.scenarios.rescues import RESCUES
from tests.scenarios.silences import SILENCES
from tests.scenarios.vocabulary import Scenario

SCENARIOS: tuple[Scenario, ...] = (*REFUSALS, *SILENCES, *BUDGETS, *BREAKS, *RESCUES, *FLAPS)
"""Every scenario, with OpenAI's wire first and another one as the fallback."""


def named(name: str) -> Scenario:
    """Find a scenario.

    Raises:
        LookupError: there is none of that name.
    """
    for scenario in SCENARIOS:
        if scenario.name == name:
            return scenario
    raise LookupError(f"there is no scenario {name!r}; there is {', '.join(each.name for each in SCENARIOS)}")
