"""Whatever configuration passes the checks can be routed by: the checks and the router read names in the same way."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any, get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from manus.actors.routing.table import RoutingTable
from manus.config.check import check_mapping
from manus.messages.requests import Strategy
from manus.wiring import wire

ENTRIES = ("openai", "anthropic", "mine", "off")
MODELS = ("m1", "m2", "openai/m1", "org/m3")
ITEMS = (
    *ENTRIES,
    *MODELS,
    "openai/m2",
    "mine/org/m3",
    "mine/",
    "off/m1",
    "ollama",
    "ollama/m1",
    "azure/m2",
    "nobody",
    "nobody/m1",
    "mine/nothing",
)


def some(names: tuple[str, ...], rng: random.Random) -> list[str]:
    return rng.sample(names, rng.choice([0, 1, 1, 2, 3]))


def drawn(rng: random.Random) -> dict[str, Any]:
    """Draw a configuration in the file's shape; many of them are wrong."""
    providers: dict[str, Any] = {}
    for name in rng.sample(ENTRIES, rng.randint(1, 4)):
        entry: dict[str, Any] = {
            "type": "openai",
            "base_url": "http://127.0.0.1:9/v1",
            "api_key": "k",
            "models": [{"name": model, "weight": rng.choice([1.0, 1.0, 0.0, 2.0])} for model in some(MODELS, rng)],
            "weight": rng.choice([0.0, 1.0, 1.0, 3.0]),
            "enabled": name != "off" and rng.random() < 0.8,
        }
        if rng.random() < 0.3:
            entry["any_model"] = rng.random() < 0.5
        if rng.random() < 0.3:
            del entry["api_key"]
            entry["api_keys"] = [{"key": f"k{number}", "weight": rng.choice([0.0, 1.0, 1.0])} for number in range(2)]
        providers[name] = entry
    general: dict[str, Any] = {"routing_strategy": rng.choice(get_args(Strategy))}
    if rng.random() < 0.5:
        general["fallback_providers"] = some(ITEMS, rng)
    if rng.random() < 0.5:
        general["default_provider"] = rng.choice(ITEMS[: len(ENTRIES)])
    routing = {
        "fallbacks": {model: [rng.choice(ITEMS)] for model in MODELS if rng.random() < 0.15},
        "content_policy_fallbacks": some(ITEMS, rng),
    }
    return {"general": general, "routing": routing, "providers": providers}


def is_routable(seed: int) -> bool:
    """Whether the configuration of a seed passes the checks; if so, a table is made of it."""
    checked = check_mapping(drawn(random.Random(seed)), environ=None, base=Path())
    if any(problem.severity == "error" for problem in checked.problems):
        return False
    wiring = wire(checked.config, base=Path(), state=None)
    RoutingTable(wiring.policies, wiring.router, disabled=[state.name for state in wiring.disabled])
    return True


@settings(max_examples=100)
@given(seed=st.integers(0, 2**32))
def test_a_configuration_that_passes_the_checks_can_be_routed_by(seed: int) -> None:
    is_routable(seed)


def test_the_configurations_that_are_tried_are_not_all_refused() -> None:
    assert sum(is_routable(seed) for seed in range(100)) > 5
