"""Weather: asked by time alone, it changes answers, holds up the network and sets the wall clock as the plan says."""

from __future__ import annotations

import random

import msgspec
import pytest

from manus.sim.behaviour import Script
from manus.sim.chaos_draw import plan_from_seed
from manus.sim.chaos_plan import Plan, without_faults_of
from manus.sim.chaos_weather import (
    BrownOut,
    ClockJump,
    Clog,
    Dripping,
    Flapping,
    Outage,
    Storm,
    Weather,
    clogged_until,
    script_under,
    wall_offset_s,
)
from manus.sim.faults import FAULTS, Rejected
from manus.sim.memory import GRID_S

FAIR = Script(words=3, chunk_tokens=3)
DOWN = FAULTS["503"]


def answer(weather: Weather, at_s: float, name: str = "alpha", seed: int = 1) -> Script:
    return script_under((weather,), FAIR, name=name, at_s=at_s, chance=random.Random(seed))


def test_an_outage_is_over_all_it_names_and_nobody_else() -> None:
    outage = Outage(providers=("alpha", "beta"), from_s=1.0, until_s=2.0, fault=DOWN)
    assert [answer(outage, at_s).fault for at_s in (0.95, 1.0, 1.95, 2.0)] == [None, DOWN, DOWN, None]
    assert answer(outage, 1.0, name="beta").fault == DOWN
    assert answer(outage, 1.0, name="gamma") == FAIR


def test_flapping_goes_down_first_and_up_and_down_again_on_the_grid() -> None:
    flapping = Flapping(providers=("alpha",), from_s=0.5, until_s=2.0, fault=DOWN, down_s=2 * GRID_S, up_s=GRID_S)
    down = [answer(flapping, round(0.5 + step * GRID_S, 6)).fault is not None for step in range(9)]
    assert down == [True, True, False] * 3


def test_a_brown_out_hits_its_share() -> None:
    chance = random.Random(1)
    slow = BrownOut(providers=("alpha",), from_s=0.0, until_s=1.0, share=0.25, slow_s=0.5)
    late = [script_under((slow,), FAIR, name="alpha", at_s=0.5, chance=chance).latency_s for _ in range(1000)]
    assert set(late) == {0.0, 0.5}
    assert 200 < late.count(0.5) < 300
    failing = msgspec.structs.replace(slow, share=1.0, fault=DOWN)
    assert answer(failing, 0.5).fault == DOWN


def test_a_storm_refuses_with_the_time_and_warns_before() -> None:
    storm = Storm(providers=("alpha",), from_s=2.0, until_s=3.0, retry_after_s=4.0, warned_s=1.0)
    assert answer(storm, 0.95) == FAIR
    assert answer(storm, 1.5) == msgspec.structs.replace(FAIR, limits_reset_s=0.5)
    refused = answer(storm, 2.0)
    assert refused.fault == Rejected(status=429, retry_after_s=4.0)
    assert refused.limits_reset_s == 4.0
    assert answer(storm, 3.0) == FAIR


def test_dripping_gives_token_by_token() -> None:
    dripping = Dripping(providers=("alpha",), from_s=0.0, until_s=1.0, gap_s=0.5)
    assert (answer(dripping, 0.0).chunk_tokens, answer(dripping, 0.0).gap_s) == (1, 0.5)


def test_clogs_that_touch_hold_up_until_the_last_one_is_gone() -> None:
    clogs = tuple(
        Clog(providers=("alpha",), from_s=from_s, until_s=until_s)
        for from_s, until_s in ((2.0, 3.0), (1.0, 2.0), (4.0, 5.0))
    )
    assert [clogged_until(clogs, "alpha", at_s) for at_s in (0.5, 1.0, 2.5, 3.5, 4.0)] == [0.5, 3.0, 3.0, 3.5, 5.0]
    assert clogged_until(clogs, "beta", 1.0) == 1.0
    assert answer(clogs[0], 2.5) == FAIR


def test_the_wall_clock_is_set_ahead_and_back() -> None:
    jumps = (ClockJump(at_s=1.0, by_s=3600.0), ClockJump(at_s=2.0, by_s=-7200.0))
    assert [wall_offset_s(jumps, at_s) for at_s in (0.5, 1.0, 2.0)] == [0.0, 3600.0, -3600.0]


def plan_with(kind: type[Weather]) -> Plan:
    for seed in range(500):
        plan = plan_from_seed(seed, "isolation")
        if any(isinstance(each, kind) and "alpha" in each.providers for each in plan.weather):
            return plan
    raise AssertionError(f"no {kind.__name__} in 500 plans")


@pytest.mark.parametrize("kind", [Outage, Flapping, BrownOut, Storm, Dripping, Clog])
def test_the_calm_twin_of_a_plan_has_fair_skies_where_the_faults_were(kind: type[Weather]) -> None:
    plan = plan_with(kind)
    calm = without_faults_of(plan, "alpha")
    assert not any("alpha" in each.providers for each in calm.weather)
    assert [each for each in calm.weather if "beta" in each.providers] == [
        each for each in plan.weather if "beta" in each.providers
    ]
    assert calm.clients != plan.clients or calm.weather != plan.weather
    assert [client.at_s for client in calm.clients] == [client.at_s for client in plan.clients]


def test_all_weather_lies_on_the_grid_and_ends() -> None:
    for seed in range(300):
        plan = plan_from_seed(seed)
        for each in plan.weather:
            assert each.from_s <= each.until_s <= 10.0
            for time_s in (each.from_s, each.until_s):
                assert abs(time_s / GRID_S - round(time_s / GRID_S)) < 1e-6
