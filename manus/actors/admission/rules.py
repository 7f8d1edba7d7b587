"""Own the gauges by scope, and the path of gauges that each kind of attempt falls under.

Rules are read once. What an attempt passes is looked up by its deployment, its key and those of its tags that any rule
names: a dictionary hit, however many rules there are.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from manus.actors.admission.budgets import CalendarBudget, RollingBudget
from manus.actors.admission.flows import ConcurrencyGauge, RateGauge
from manus.actors.admission.gauge import Gauge
from manus.messages.accounting import Reserve
from manus.messages.limits import Scope

PATHS_MAX: Final = 4096
"""Paths that are remembered; names of models may come from callers, so the oldest is forgotten then."""

PathName = tuple[str, str, str | None, tuple[str, ...]]
"""Provider, deployment, key, and the tags that rules name."""


class Path:
    """All that attempts of one kind pass: those of everything first, then of narrower scopes.

    Args:
        usd: the first budget in USD among them; None where there is none.
    """

    __slots__ = ("gauges", "name", "usd", "watched")

    def __init__(self, name: PathName, gauges: tuple[Gauge, ...]) -> None:
        self.name = name
        self.gauges = gauges
        self.watched = any(gauge.watches for gauge in gauges)
        self.usd: Gauge | None = next((gauge for gauge in gauges if _counts_money(gauge)), None)


class Rules:
    """The gauges of all rules, and the paths through them."""

    __slots__ = ("_by_scope", "_paths", "_tags", "budgets", "flows")

    def __init__(
        self, flows: Iterable[RateGauge | ConcurrencyGauge], budgets: Iterable[CalendarBudget | RollingBudget]
    ) -> None:
        self.budgets = tuple(budgets)
        self.flows = tuple(flows)
        self._by_scope: dict[Scope, list[Gauge]] = {}
        for gauge in (*self.flows, *self.budgets):
            self._by_scope.setdefault(gauge.scope, []).append(gauge)
        self._tags = frozenset(scope.name for scope in self._by_scope if scope.kind == "tag")
        self._paths: dict[PathName, Path] = {}

    def __bool__(self) -> bool:
        return bool(self._by_scope)

    def path_of(self, reserve: Reserve) -> Path:
        """Give what an attempt passes."""
        tags: tuple[str, ...] = ()
        if reserve.tags and self._tags:
            tags = tuple(sorted(self._tags.intersection(reserve.tags)))
        name = (reserve.provider, reserve.deployment, reserve.key_fingerprint, tags)
        path = self._paths.get(name)
        return self._new_path(name) if path is None else path

    def _new_path(self, name: PathName) -> Path:
        provider, deployment, key, tags = name
        scopes = [Scope(), Scope("provider", provider)]
        if key is not None:
            scopes.append(Scope("key", f"{provider}#{key}"))
        scopes.append(Scope("deployment", deployment))
        scopes += [Scope("tag", tag) for tag in tags]
        path = Path(name, tuple(gauge for scope in scopes for gauge in self._by_scope.get(scope, ())))
        if len(self._paths) >= PATHS_MAX:
            del self._paths[next(iter(self._paths))]
        self._paths[name] = path
        return path


def _counts_money(gauge: Gauge) -> bool:
    return isinstance(gauge, CalendarBudget | RollingBudget) and gauge.rule.unit == "nano_usd"
