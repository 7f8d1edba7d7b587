"""The scenarios over other wires than OpenAI's, in memory: another fallback for all, another primary for some.

Which vendor fails must make no difference to its caller, as far as the vendor can fail in that way at all.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest
from trio.testing import MockClock

from manus.sim.behaviour import Behaviour
from manus.sim.faults import exists_on
from manus.sim.wire import WireName
from tests.scenarios.in_memory import memory_stage
from tests.scenarios.judge import complaints
from tests.scenarios.play import play
from tests.scenarios.table import SCENARIOS, named
from tests.scenarios.vocabulary import BUDGET_S, Method, Provider, Scenario

AGAIN_S = 120.0

FALLBACKS: tuple[WireName, ...] = ("anthropic", "ollama")
PRIMARIES: tuple[WireName, ...] = ("openai-responses", "azure", "anthropic", "bedrock", "ollama")

PLAYED_BY_ALL = ("500-once", "reset-for-ever", "401", "no-response", "slow-first-token", "error-inside-200", "cut-told")
"""What every vendor's service can do to its callers."""


def over(scenario: Scenario, *, primary: WireName = "openai", fallback: WireName = "openai") -> Scenario:
    """Play a scenario over other wires."""
    return msgspec.structs.replace(
        scenario,
        primary=_speaking(scenario.primary, primary),
        fallback=None if scenario.fallback is None else _speaking(scenario.fallback, fallback),
    )


def _speaking(provider: Provider, wire: WireName) -> Provider:
    return msgspec.structs.replace(provider, wire=wire)


def can_play(wire: WireName, behaviour: Behaviour) -> bool:
    """Whether a vendor can fail in the ways that a behaviour wants."""
    faults = [script.fault for script in (*behaviour.first, behaviour.script)]
    return all(fault is None or exists_on(fault, wire) for fault in faults)


def cases() -> Iterator[object]:
    for fallback in FALLBACKS:
        for scenario in SCENARIOS:
            if scenario.fallback is not None and can_play(fallback, scenario.fallback.plays):
                for method in scenario.methods:
                    played = over(scenario, fallback=fallback)
                    yield pytest.param(played, method, id=f"{scenario.name}-{method}-openai-{fallback}")
    for primary in PRIMARIES:
        for scenario in map(named, PLAYED_BY_ALL):
            if can_play(primary, scenario.primary.plays):
                for method in scenario.methods:
                    yield pytest.param(
                        over(scenario, primary=primary), method, id=f"{scenario.name}-{method}-{primary}-openai"
                    )


@pytest.mark.parametrize(("scenario", "method"), list(cases()))
async def test_the_promise_of_each_scenario_is_kept_over_every_wire(
    scenario: Scenario, method: Method, autojump_clock: MockClock
) -> None:
    async with memory_stage(scenario) as stage:
        played = await play(scenario, method, stage, budget_s=BUDGET_S, again_s=AGAIN_S)
    assert complaints(scenario, method, played, slack_s=0.0) == [], played
