"""Measure the CPU time of one routing decision: `python -m benchmarks routing`.

For each strategy and number of deployments, in interleaved rounds: the plan of a request of a kind that was seen
before, over deployments that all have been asked, of which none rests. Beside it, as the floor, `sorted()` of as many
floats: what any order costs. Medians; compare columns, for absolute numbers are those of a shared machine.
"""

from __future__ import annotations

import gc
import random
import statistics
import sys
import time
from collections.abc import Callable
from typing import get_args

from manus.actors.estimates.prompt import estimate_prompt_tokens
from manus.actors.health import Health, NotBefore
from manus.actors.jitter import Jitter
from manus.actors.routing.affinity import Affinity, Turns
from manus.actors.routing.candidates import candidates_of
from manus.actors.routing.plan import Plan
from manus.actors.routing.standing import Standing
from manus.actors.routing.table import RoutingTable
from manus.messages.content import text_turn
from manus.messages.ids import RequestId, deployment_id
from manus.messages.policy import ModelCard, ProviderPolicy
from manus.messages.requests import ChatRequest, Strategy
from manus.messages.routing_policy import HealthPolicy, RouterPolicy
from manus.messages.usage import Price

ROW = "routing decision (us, and times sorted() of as many floats)"
SIZES = (5, 50, 500)
MODELS = 5
"""Models per provider entry."""

FLOOR = "sorted() of floats"
NOW = 1000.0
SEED = 1
_CALLS = {5: 2000, 50: 500, 500: 60}
_WIDTH = 18


def print_routing(rounds: int) -> None:
    """Print the table."""
    print(ROW)
    print(f"    {'strategy':<30}" + "".join(f"{f'{size} deployments':>{_WIDTH}}" for size in SIZES))
    floors = {size: _floor(size) for size in SIZES}
    rows: dict[str, dict[int, Callable[[], object]]] = {FLOOR: floors}
    for strategy in get_args(Strategy):
        rows[strategy] = {size: decision(strategy, size) for size in SIZES}
    rows["cost_aware, told to people"] = {size: _told(decision("cost_aware", size)) for size in SIZES}
    spent: dict[tuple[str, int], list[float]] = {}
    for _ in range(rounds):
        for row, by_size in rows.items():
            for size, decide in by_size.items():
                spent.setdefault((row, size), []).append(_us(decide, _CALLS[size]))
    for row in rows:
        cells = ""
        for size in SIZES:
            us, floor_us = statistics.median(spent[row, size]), statistics.median(spent[FLOOR, size])
            cells += f"{f'{us:.1f}{us / floor_us:8.1f}x':>{_WIDTH}}"
        print(f"    {row:<30}{cells}")
    sys.stdout.flush()


def decision(strategy: Strategy, size: int) -> Callable[[], Plan]:
    """Give what plans one request over `size` deployments, all of them candidates."""
    per_entry = 1 if strategy == "priority" else MODELS
    rng = random.Random(SEED)
    providers = tuple(
        ProviderPolicy(
            name=f"provider{number}",
            type="openai",
            weight=rng.uniform(1, 5),
            models=tuple(
                ModelCard(
                    name=f"model{model}",
                    price=Price(input=rng.randrange(10**10), output=rng.randrange(10**10)),
                    context_tokens=128_000,
                )
                for model in range(per_entry)
            ),
        )
        for number in range(size // per_entry)
    )
    health = _asked(providers, rng)
    table = RoutingTable(providers, RouterPolicy(strategy=strategy))
    request = ChatRequest(request_id=RequestId("request"), turns=(text_turn("user", "Say hello to the world."),))
    tokens = estimate_prompt_tokens(request)
    turns, affinity = Turns(), Affinity()
    ids = iter(range(10**12))

    def decide() -> Plan:
        chance = Jitter(SEED, f"{next(ids)}/plan")
        standing = Standing(now=NOW, health=health, chance=chance, turns=turns, affinity=affinity)
        plan = table.plan(request, estimated_input_tokens=tokens, standing=standing)
        assert isinstance(plan, Plan)
        return plan

    if len(decide().choices) != size:
        raise AssertionError(f"{strategy} does not plan over {size} deployments")
    return decide


def _asked(providers: tuple[ProviderPolicy, ...], rng: random.Random) -> Health:
    """Let every deployment have answered once, and have something in flight."""
    health = Health(HealthPolicy(), random.Random(SEED))
    for provider in providers:
        for card in provider.models:
            deployment = deployment_id(provider.name, card.name)
            for running in range(rng.randrange(1, 4)):
                ticket = health.begin(deployment, provider=provider.name, key=None, now=NOW - 1)
                assert not isinstance(ticket, NotBefore)
                if not running:
                    took_s = rng.uniform(0.1, 9.0)
                    health.ended(ticket, failure=None, now=NOW - 0.5, first_content_s=took_s / 3, latency_s=took_s)
    return health


def _told(decide: Callable[[], Plan]) -> Callable[[], object]:
    health = Health(HealthPolicy(), random.Random(SEED))
    return lambda: candidates_of(decide(), health, NOW)


def _floor(size: int) -> Callable[[], object]:
    values = [random.Random(SEED + number).random() for number in range(size)]
    return lambda: sorted(values)


def _us(run: Callable[[], object], times: int) -> float:
    gc.collect()
    began = time.process_time_ns()
    for _ in range(times):
        run()
    return (time.process_time_ns() - began) / 1000 / times
