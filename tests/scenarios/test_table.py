"""The table of scenarios: names that are told apart, promises that can be kept, and a page that tells of each."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.scenarios.settings import spelt_out
from tests.scenarios.table import SCENARIOS, named
from tests.scenarios.vocabulary import Scenario, scaled

PAGE = Path(__file__).resolve().parents[2] / "docs" / "failover_scenarios.md"


def test_every_scenario_has_a_name_of_its_own_and_is_told_of_on_the_page() -> None:
    names = [scenario.name for scenario in SCENARIOS]
    assert len(names) == len(set(names))
    rows = [line.split("|")[1] for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    assert {name for row in rows for name in re.findall(r"`([a-z0-9-]+)`", row)} == set(names)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_what_is_promised_of_a_scenario_fits_together(scenario: Scenario) -> None:
    for asked in scenario.asks:
        for method in scenario.methods:
            expected = asked.expectation(method)
            assert (expected.text is None) == (expected.error is not None) == (expected.kind is not None)
            assert expected.took_s[0] <= expected.took_s[1]
            if expected.roles is not None and expected.bookings is not None:
                assert len(expected.roles) == len(expected.bookings)
            if expected.roles is not None and expected.calls is not None:
                assert sum(expected.calls) == len(expected.roles)


def test_scaling_reaches_every_time_and_nothing_else() -> None:
    whole = spelt_out(named("429-retry-after"))
    scaled_down = scaled(whole, 0.5)
    assert scaled_down.primary.plays.first[0].fault.retry_after_s == 1.0  # type: ignore[union-attr]
    assert scaled_down.asks[0].expected.took_s == pytest.approx([time / 2 for time in whole.asks[0].expected.took_s])
    assert scaled_down.tables["retry"]["wait_here_s"] == 1.5
    assert scaled_down.tables["retry"]["same_deployment"] == 2
    assert scaled_down.asks[0].expected.calls == (2, 0)
    assert scaled(scaled_down, 2.0) == whole


def test_a_scenario_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(LookupError, match="no-response"):
        named("nothing")
