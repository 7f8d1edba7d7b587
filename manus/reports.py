"""Own what the public face tells about itself: the books in totals, and how each provider is doing."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final, get_args

import msgspec

from manus.messages.accounting import UsageDimension, UsageRow, UsageStats
from manus.messages.calls import ProviderStatus
from manus.messages.routing import DeploymentMetrics, RoutingMetrics
from manus.messages.usage import NANO_USD
from manus.supervisor.statistics import ActorStatus


class UsageLine(msgspec.Struct, frozen=True, kw_only=True):
    """The books of the attempts that have the same provider, model and so on, or of all of them together.

    Dimensions that were not asked for are None, and so are those that an attempt does not have (no tag, no
    conversation).

    Args:
        deployment: a model at a provider under a key: `entry/model`, or `entry/model#key` where it has several.
        key: the key's fingerprint.
        day: of its reservation, in UTC: `2026-11-23`.
        requests: attempts that were reserved; each is settled, released, in doubt, or still open.
        input_tokens: whole prompts of what is settled; `cache_read_tokens` and `cache_write_tokens` are parts of it.
        output_tokens: whole answers of what is settled; `reasoning_tokens` is a part of it.
        cost_nano_usd: of what is settled, in 1e-9 USD, exact.
        in_doubt_input_tokens, in_doubt_output_tokens, in_doubt_cost_nano_usd: upper bounds of what calls may have used
            whose end nobody saw.
        estimated: settled attempts whose tokens we counted, as the vendor did not say.
        unpriced: attempts whose price is unknown; they are in no cost.
    """

    provider: str | None = None
    model: str | None = None
    deployment: str | None = None
    key: str | None = None
    tag: str | None = None
    conversation: str | None = None
    day: str | None = None
    requests: int = 0
    settled: int = 0
    released: int = 0
    in_doubt: int = 0
    open: int = 0
    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cost_nano_usd: int = 0
    in_doubt_input_tokens: int = 0
    in_doubt_output_tokens: int = 0
    in_doubt_cost_nano_usd: int = 0
    estimated: int = 0
    unpriced: int = 0

    @property
    def total_tokens(self) -> int:
        """Prompts and answers of what is settled."""
        return self.input_tokens + self.output_tokens

    @property
    def cost_usd(self) -> float:
        """The cost in USD, rounded to what a float holds."""
        return self.cost_nano_usd / NANO_USD

    def to_dict(self, by: Collection[UsageDimension] | None = None) -> dict[str, Any]:
        """Give it as plain data; with `by`, of the dimensions only those."""
        fields = msgspec.structs.asdict(self)
        left_out = frozenset() if by is None else _DIMENSIONS.difference(by)
        told = {name: value for name, value in fields.items() if name not in left_out}
        return told | {"total_tokens": self.total_tokens, "cost_usd": self.cost_usd}


class UsageReport(msgspec.Struct, frozen=True, kw_only=True):
    """The books, split as `by` says.

    Args:
        lines: a line per combination of values, in their order.
        total: everything together. The lines of tags add up to more: a call counts under each of its tags.
        since_unix_s, until_unix_s: from when on, and until before when; None has no bound.
        recovered_in_doubt: calls that earlier runs left open when they died.
    """

    lines: tuple[UsageLine, ...] = ()
    total: UsageLine = UsageLine()
    by: tuple[UsageDimension, ...] = ("provider", "model")
    since_unix_s: float | None = None
    until_unix_s: float | None = None
    recovered_in_doubt: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain data."""
        return {
            "by": list(self.by),
            "since_unix_s": self.since_unix_s,
            "until_unix_s": self.until_unix_s,
            "recovered_in_doubt": self.recovered_in_doubt,
            "total": self.total.to_dict(by=()),
            "lines": [line.to_dict(by=self.by) for line in self.lines],
        }


class ProviderState(msgspec.Struct, frozen=True, kw_only=True):
    """How one provider is doing.

    Args:
        state: its actor's: `running`, `restarting`, `quarantined` ...; `disabled` for an entry that is switched off.
        in_flight, waiting, limit: calls being made, calls in line, and how many may be made at once.
        calls, failures, last_failure: since the agent was opened; None where the actor did not answer in time.
        restarts: how often its actor came back.
        deployments: what came of the attempts at each of its models (and keys) that were asked: breaker, rest, latency.
    """

    name: str
    type: str
    state: str
    priority: int = 0
    models: tuple[str, ...] = ()
    in_flight: int = 0
    waiting: int = 0
    limit: int = 0
    calls: int | None = None
    failures: int | None = None
    restarts: int = 0
    last_failure: str | None = None
    deployments: tuple[DeploymentMetrics, ...] = ()

    @property
    def resting(self) -> dict[str, str]:
        """Why deployments of this provider are left alone at present, by their names."""
        return {each.deployment: each.resting for each in self.deployments if each.resting is not None}

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain data."""
        plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(self))
        return plain


def usage_report(stats: UsageStats, total: UsageRow | None = None) -> UsageReport:
    """Make the report out of accounting's answer.

    Args:
        stats: the answer.
        total: everything together, for an answer split by tags; left out, the lines are added up.
    """
    lines = tuple(_line(row) for row in stats.rows)
    assert total is not None or "tag" not in stats.by, "lines of tags do not add up to the total"
    return UsageReport(
        lines=lines,
        total=_added_up(lines) if total is None else _line(total),
        by=stats.by,
        since_unix_s=stats.since_unix_s,
        until_unix_s=stats.until_unix_s,
        recovered_in_doubt=stats.recovered_in_doubt,
    )


def provider_state(
    actor: ActorStatus,
    said: ProviderStatus | None,
    metrics: RoutingMetrics,
    *,
    name: str,
    kind: str,
    priority: int,
    models: tuple[str, ...],
) -> ProviderState:
    """Join what the supervisor knows of a provider's actor with what the actor said, if it did, and the router."""
    return ProviderState(
        name=name,
        type=kind,
        state=actor.state,
        priority=priority,
        models=models,
        in_flight=actor.in_hand if said is None else said.in_flight,
        waiting=actor.queued + actor.blocked,
        limit=0 if said is None else said.limit,
        calls=None if said is None else said.calls,
        failures=None if said is None else said.failures,
        restarts=actor.restarts,
        last_failure=None if said is None else said.last_failure,
        deployments=tuple(each for each in metrics.deployments if each.deployment.startswith(f"{name}/")),
    )


def _added_up(lines: tuple[UsageLine, ...]) -> UsageLine:
    return UsageLine(**{field: sum(getattr(line, field) for line in lines) for field in _COUNTED})


def _line(row: UsageRow) -> UsageLine:
    usage, bound = row.usage, row.in_doubt_bound
    return UsageLine(
        **{field: getattr(row, field) for field in _AS_IN_ROWS},
        input_tokens=usage.input_total,
        cache_read_tokens=usage.cache_read,
        cache_write_tokens=usage.cache_write_short + usage.cache_write_long,
        output_tokens=usage.output,
        reasoning_tokens=usage.reasoning,
        in_doubt_input_tokens=bound.input_total,
        in_doubt_output_tokens=bound.output,
    )


_DIMENSIONS: Final = frozenset(get_args(UsageDimension))
_COUNTED: Final = tuple(field for field in UsageLine.__struct_fields__ if field not in _DIMENSIONS)
_AS_IN_ROWS: Final = tuple(field for field in UsageLine.__struct_fields__ if field in UsageRow.__struct_fields__)
