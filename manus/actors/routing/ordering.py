"""Own the decision by what the candidates of one request are ordered: its strategy, and the criteria that overrule it.

Pure. A preference of a request is more particular than a strategy of the configuration, so it wins: `prefer_cheap` is
`cost_aware` for this request, `prefer_fast` is `latency`, `prefer_reliable` orders by the share of failures, and
several together are weighed against each other. `task_complexity` makes classes of models that the rest orders within.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from manus.messages.requests import RoutingCriteria, Strategy

Preference = Literal["cheap", "fast", "reliable"]


class Ordering(msgspec.Struct, frozen=True, kw_only=True):
    """What the candidates of one request are ordered by.

    Args:
        strategy: what a route says of itself, and what orders where `preferences` are empty.
        preferences: what is weighed against each other.
        complexity: of the task, from 1 to 10: models whose tier is enough come first.
    """

    strategy: Strategy
    preferences: tuple[Preference, ...] = ()
    complexity: int | None = None

    @property
    def by_entry(self) -> bool:
        """Whether entries are asked one after another, each for its first able model, instead of from one pool."""
        return self.strategy == "priority" and not self.preferences

    @property
    def by_cost(self) -> bool:
        """Whether the expected cost of the request is what counts."""
        return not self.preferences and self.strategy in ("cost_aware", "capability")

    @property
    def among_equals(self) -> bool:
        """Whether all of a pool are equal in right to go first, so that a warm cache may decide."""
        return not self.preferences and self.strategy in ("latency", "least_busy", "weighted", "round_robin")


_PLAIN: dict[Strategy, Ordering] = {
    strategy: Ordering(strategy=strategy)
    for strategy in ("priority", "cost_aware", "capability", "latency", "least_busy", "weighted", "round_robin")
}


def ordering_of(strategy: Strategy, criteria: RoutingCriteria | None) -> Ordering:
    """Decide what orders the candidates of a request with such criteria."""
    if criteria is None:
        return _PLAIN[strategy]
    wanted: tuple[tuple[bool, Preference], ...] = (
        (criteria.prefer_cheap, "cheap"),
        (criteria.prefer_fast, "fast"),
        (criteria.prefer_reliable, "reliable"),
    )
    preferences = tuple(preference for is_wanted, preference in wanted if is_wanted)
    if preferences == ("cheap",):
        strategy, preferences = "cost_aware", ()
    elif preferences == ("fast",):
        strategy, preferences = "latency", ()
    complexity = criteria.task_complexity
    if complexity is not None and strategy in ("priority", "cost_aware"):
        strategy = "capability"
    if not preferences and complexity is None:
        return _PLAIN[strategy]
    return Ordering(strategy=strategy, preferences=preferences, complexity=complexity)


def tier_distance(tier: int | None, complexity: int) -> tuple[int, int]:
    """Sort models into classes: tier enough, tier unknown, then the lower tiers, the closest first."""
    if tier is None:
        return (1, 0)
    return (0, 0) if tier >= complexity else (2, complexity - tier)


def tier_words(tier: int | None, complexity: int) -> str:
    """Say in which class a model is."""
    if tier is None:
        return "its tier is unknown"
    return f"tier {tier} is {'enough for' if tier >= complexity else 'below'} complexity {complexity}"


def order_words(ordering: Ordering) -> str:
    """Say what orders the candidates, with the unit of their scores; empty where the order of the list does."""
    if ordering.preferences:
        return f"preferring {' and '.join(ordering.preferences)}, from 0 for the best of each"
    match ordering.strategy:
        case "priority":
            return ""
        case "cost_aware" | "capability":
            return "by expected cost in nano-USD"
        case "latency":
            return "by latency in seconds times what is in flight"
        case "least_busy":
            return "by what is in flight per weight"
        case "weighted":
            return "drawn by weight"
        case "round_robin":
            return "in turn"
