"""Own the drawing of a chaos world's weather: what its providers go through, and what is done to the wall clock."""

from __future__ import annotations

import random

from manus.sim.chaos_weather import BrownOut, ClockJump, Clog, Dripping, Flapping, Outage, Storm, Weather
from manus.sim.faults import FAULTS
from manus.sim.memory import GRID_S

TROUBLED_S = 10.0
"""Clients come, and blows and weather begin, within so long."""

DOWN_NAMES = ("503", "500", "refused", "cut-headers", "stall-headers", "error-inside", "stall")
DOWN = tuple(FAULTS[name] for name in DOWN_NAMES)
"""How a provider is that is down."""


def draw_time(rng: random.Random, most_s: float) -> float:
    """Draw a time on the grid, from 0 to `most_s`; short ones are as likely as long ones."""
    steps = int(most_s / GRID_S)
    return round(rng.choice((0, 1, 2, rng.randint(0, steps), rng.randint(0, steps))) * GRID_S, 6)


def draw_weather(rng: random.Random, names: tuple[str, ...], count: int) -> tuple[Weather, ...]:
    """Draw so many kinds of weather, each at some of the providers `names`."""
    weather: list[Weather] = []
    for _ in range(count):
        weather += _one_weather(rng, names)
    return tuple(weather)


def _one_weather(rng: random.Random, names: tuple[str, ...]) -> list[Weather]:
    some = tuple(rng.sample(names, k=rng.randint(1, len(names))))
    from_s = draw_time(rng, TROUBLED_S)
    until_s = round(min(TROUBLED_S, from_s + rng.choice((0.5, 2.0, TROUBLED_S))), 6)
    down = rng.choice(DOWN)
    match rng.choice(("outage", "flapping", "brown_out", "storm", "dripping", "swizzle")):
        case "outage":
            return [Outage(providers=some, from_s=from_s, until_s=until_s, fault=down)]
        case "flapping":
            down_s, up_s = rng.choice((GRID_S, 0.5, 2.0)), rng.choice((GRID_S, 0.5, 2.0))
            return [Flapping(providers=some[:1], from_s=from_s, until_s=until_s, fault=down, down_s=down_s, up_s=up_s)]
        case "brown_out":
            slow = rng.random() < 0.5
            return [
                BrownOut(
                    providers=some,
                    from_s=from_s,
                    until_s=until_s,
                    share=rng.choice((0.1, 0.5, 1.0)),
                    fault=None if slow else FAULTS["503"],
                    slow_s=rng.choice((0.5, 1.9, 3.0)) if slow else 0.0,
                )
            ]
        case "storm":
            return [
                Storm(
                    providers=some,
                    from_s=from_s,
                    until_s=until_s,
                    retry_after_s=rng.choice((1.0, 2.0, 5.0)),
                    date=rng.random() < 0.5,
                    warned_s=rng.choice((0.0, 1.0)),
                )
            ]
        case "dripping":
            return [
                Dripping(providers=some, from_s=from_s, until_s=until_s, gap_s=rng.choice((GRID_S, 0.5, 0.95, 1.05)))
            ]
        case _:
            return _swizzle(rng, names)


def _swizzle(rng: random.Random, names: tuple[str, ...]) -> list[Weather]:
    """Clog several one by one, and let them go in another order."""
    clogged = rng.sample(names, k=len(names))
    released = rng.sample(names, k=len(names))
    first_s = draw_time(rng, TROUBLED_S / 2)
    step_s = rng.choice((GRID_S, 0.5))
    return [
        Clog(
            providers=(name,),
            from_s=round(first_s + clogged.index(name) * step_s, 6),
            until_s=round(min(TROUBLED_S, first_s + (len(names) + released.index(name)) * step_s), 6),
        )
        for name in names
    ]


def draw_jumps(rng: random.Random) -> tuple[ClockJump, ...]:
    """Draw when the wall clock is set; mostly never."""
    count = rng.choice((0, 0, 0, 1, 3))
    by_s = (GRID_S, 30.0, 3600.0, 86_400.0 * 365)
    drawn = sorted((draw_time(rng, TROUBLED_S), rng.choice((-1, 1)) * rng.choice(by_s)) for _ in range(count))
    return tuple(ClockJump(at_s=at_s, by_s=far_s) for at_s, far_s in drawn)
