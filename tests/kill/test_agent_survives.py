"""Whole agents are killed under load, again and again; their ledger and the providers' own bills agree all the same."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest

from manus.sim.provider import WIRES
from tests.kill.audit import Figures
from tests.kill.lane import ALL_WAYS, USUAL, WAYS, run_lane

LONG: Final = int(os.environ.get("MANUS_KILLS", "500"))
"""Kills of the long lane, over both kinds of durability."""


def check_that_it_was_worth_it(figures: Figures, kills: int) -> None:
    """The load reached every ending of a row, and processes died with calls under way."""
    assert figures.kills >= kills
    assert figures.states.keys() == {"settled", "released", "in_doubt"}
    assert figures.estimated > 0, "nothing was cut, or left before its end"
    assert figures.told > 10 * kills, "hardly anybody was told anything"
    assert figures.asked_again >= kills, "hardly anything was asked after a restart"
    assert figures.orphans >= kills // 2, "hardly anybody died with a call under way"
    assert figures.providers == WIRES.keys(), "a vendor never answered"


@pytest.mark.parametrize(("durability", "seed", "kills"), [("process", 1, 17), ("process", 2, 17), ("power", 3, 16)])
def test_the_agents_books_survive_being_killed(tmp_path: Path, durability: str, seed: int, kills: int) -> None:
    figures = run_lane(tmp_path, kills=kills, seed=seed, ways=WAYS, **USUAL | {"ledger": {"durability": durability}})
    check_that_it_was_worth_it(figures, kills)


@pytest.mark.long
@pytest.mark.parametrize(("durability", "share"), [("process", 0.6), ("power", 0.4)])
def test_the_agents_books_survive_being_killed_hundreds_of_times(tmp_path: Path, durability: str, share: float) -> None:
    kills = round(LONG * share)
    figures = run_lane(
        tmp_path, kills=kills, seed=1000, ways=ALL_WAYS, **USUAL | {"ledger": {"durability": durability}}
    )
    check_that_it_was_worth_it(figures, kills)
