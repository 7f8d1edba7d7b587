"""Own the configuration of a scenario's caller: a primary, a fallback, two retries; everything else as it comes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from manus.messages.routing_policy import HealthPolicy
from manus.sim.behaviour import Behaviour, Script
from manus.sim.faults import Refused
from manus.sim.provider import SimProvider
from manus.sim.server import SimServer
from manus.testing.agents import sim_entry
from tests.scenarios.vocabulary import FALLBACK, PRIMARY, Name, Provider, Scenario

MODEL = "sim-large"

NO_DOOR = Behaviour(script=Script(fault=Refused(for_s=0.0)))
"""How a provider that nobody can reach behaves where there are no ports."""

RETRY: dict[str, Any] = {"same_deployment": 2, "base_s": 0.2, "max_s": 5.0, "wait_here_s": 3.0}
"""Two retries, and the usual back-off spelt out, so that it is scaled with all other times."""

_USUAL = HealthPolicy()

HEALTH: dict[str, Any] = {
    name: getattr(_USUAL, name) for name in ("open_s", "open_max_s", "window_s", "cooldown_s", "silent_s")
} | {"refused_s": 10.0}
"""How long who fails is left alone: as usual, and spelt out for the same reason. Only a key that is refused rests for
less time than usual, so that it can be seen that it comes back."""


def providers_of(scenario: Scenario) -> dict[Name, Provider]:
    """Name the providers of a scenario, the one that is asked first before the other."""
    named = {PRIMARY: scenario.primary}
    return named if scenario.fallback is None else named | {FALLBACK: scenario.fallback}


def simulated(scenario: Scenario) -> dict[Name, SimProvider]:
    """Make the simulated providers."""
    return {
        name: SimProvider(provider.wire, NO_DOOR if provider.shut else provider.plays, models=(MODEL,), any_model=False)
        for name, provider in providers_of(scenario).items()
    }


def spelt_out(scenario: Scenario) -> Scenario:
    """Put the usual numbers into a scenario's tables, where it has none of its own. Does nothing twice."""
    tables = dict(scenario.tables)
    for name, usual in (("retry", RETRY), ("health", HEALTH)):
        tables[name] = usual | tables.get(name, {})
    return msgspec.structs.replace(scenario, tables=tables)


def settings(scenario: Scenario, servers: Mapping[Name, SimServer | SimProvider], ledger: str) -> dict[str, Any]:
    """Give the configuration, in the shape of the file."""
    entries = {}
    for place, (name, provider) in enumerate(providers_of(scenario).items(), start=1):
        entry = sim_entry(servers[name], priority=place)
        entry["models"][0] |= provider.model
        entries[name] = entry | {"any_model": False, "timeouts": dict(provider.timeouts)}
    return {"providers": entries, "ledger": {"path": ledger}} | spelt_out(scenario).tables
