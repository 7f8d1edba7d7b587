"""Own the orders: how each strategy arranges the deployments of a group for one request.

Pure: what was observed, the draws and the turn are handed in. Equal scores keep the order of the configuration, in
which the default provider comes first; the keys of one model that take turns are turned first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import assert_never

from manus.actors.jitter import Jitter
from manus.actors.routing.expected_cost import ExpectedCost
from manus.actors.routing.ordering import Ordering, Preference
from manus.actors.routing.pool import Group
from manus.actors.routing.standing import Standing

LAST = math.inf
"""The score of what nothing is known of that would let it go before others: an unknown price, no weight."""

Arranged = tuple[list[int], Sequence[float] | None]
"""The places of a group's deployments in the order in which they are asked, and their scores by place (None: no
score orders them)."""


def arranged(
    group: Group, places: list[int], ordering: Ordering, turn: int, costs: ExpectedCost, standing: Standing
) -> Arranged:
    """Order the deployments of `group` that stand at `places`."""
    if group.rings and (ordering.preferences or ordering.strategy not in ("weighted", "round_robin")):
        places = turned(group, places, turn)
    order, scores = _ordered(group, places, ordering, turn, costs, standing)
    if group.sticky:
        order = _kept_together(group, order)
    return order, scores


def _ordered(
    group: Group, places: list[int], ordering: Ordering, turn: int, costs: ExpectedCost, standing: Standing
) -> Arranged:
    if ordering.preferences:
        return _by_preferences(group, places, ordering.preferences, costs, standing)
    match ordering.strategy:
        case "priority":
            return places, None
        case "cost_aware" | "capability":
            spent = _spent(group, costs)
            return sorted(places, key=spent.__getitem__), spent
        case "latency":
            return _by_latency(group, places, standing)
        case "least_busy":
            in_flight = standing.health.in_flight
            busy = [
                in_flight(choice.deployment) / weight if weight else LAST
                for choice, weight in zip(group.choices, group.weights, strict=True)
            ]
            return sorted(places, key=busy.__getitem__), busy
        case "weighted":
            drawn = _draws(group.weights, standing.chance)
            return sorted(places, key=drawn.__getitem__), drawn
        case "round_robin":
            start = turn % len(places) if places else 0
            return places[start:] + places[:start], None
        case other:
            assert_never(other)


def _spent(group: Group, costs: ExpectedCost) -> list[float]:
    nano_usd = costs.nano_usd
    return [LAST if (cost := nano_usd(choice.card)) is None else cost for choice in group.choices]


def _by_latency(group: Group, places: list[int], standing: Standing) -> Arranged:
    """Let the better of two that are drawn go first, and the rest follow by cost.

    Were the best of all always first, all requests that are planned between two observations would go to it.
    """
    cost_of, now, chance = standing.health.latency_cost, standing.now, standing.chance
    costs = [cost_of(choice.deployment, now) for choice in group.choices]
    order = sorted(places, key=costs.__getitem__)
    count = len(order)
    if count > 2:
        one = int(chance.draw() * count)
        other = int(chance.draw() * (count - 1))
        other += other >= one
        better = one if costs[order[one]] <= costs[order[other]] else other
        order.insert(0, order.pop(better))
    return order, costs


def _draws(weights: Sequence[float], chance: Jitter) -> list[float]:
    """Draw for each weight a waiting time, exponential with that rate: sorted, they are a draw without replacement.

    The shortest of them is that of `w` with the probability `w / sum`, and so on among the others.
    """
    return [-math.log(1.0 - chance.draw()) / weight if weight else LAST for weight in weights]


def _by_preferences(
    group: Group, places: list[int], preferences: tuple[Preference, ...], costs: ExpectedCost, standing: Standing
) -> Arranged:
    """Weigh preferences against each other: each counts from 0, for the best of those here, to 1."""
    health, now = standing.health, standing.now
    scores = [0.0] * len(group.choices)
    unproven = [False] * len(group.choices)
    for preference in preferences:
        match preference:
            case "cheap":
                parts = _excess(_spent(group, costs), places)
            case "fast":
                slow = [health.latency_cost(choice.deployment, now) for choice in group.choices]
                # What nobody has waited for yet is neither the measure of others nor slow.
                parts = _excess([cost or LAST for cost in slow], places)
                parts = [part if cost else 0.0 for part, cost in zip(parts, slow, strict=True)]
            case "reliable":
                rates = [health.success_rate(c.deployment, now) for c in group.choices]
                parts = [0.0 if rate is None else 1.0 - rate for rate in rates]
                unproven = [rate is None for rate in rates]
            case other:
                assert_never(other)
        scores = [score + part for score, part in zip(scores, parts, strict=True)]
    return sorted(places, key=lambda place: (scores[place], unproven[place])), scores


def _excess(values: Sequence[float], places: Sequence[int]) -> list[float]:
    """Tell which share of each value would be saved at the least of those at `places`; all of an unknown one."""
    least = min((values[place] for place in places), default=0.0)
    return [0.0 if value <= least else 1.0 - least / value for value in values]


def turned(group: Group, places: list[int], turn: int) -> list[int]:
    """Turn the rings of keys: each begins with another key at every turn."""
    order = list(range(len(group.choices)))
    for first, end in group.rings:
        start = first + turn % (end - first)
        order[first:end] = [*range(start, end), *range(first, start)]
    if len(places) == len(order):
        return order
    kept = set(places)
    return [place for place in order if place in kept]


def _kept_together(group: Group, order: list[int]) -> list[int]:
    """Let keys that are used one after another follow each other in their order, where the best placed of them is."""
    members = {place: range(first, end) for first, end in group.sticky for place in range(first, end)}
    present = set(order)
    together: list[int] = []
    for place in order:
        if place in present:
            for member in members.get(place, (place,)):
                if member in present:
                    present.discard(member)
                    together.append(member)
    return together
