"""Own what the public face tells about itself: the books in totals, and how each provider is doing."""

from __future__ import annotations

from typing import Any

import msgspec

from manus.messages.accounting import UsageRow, UsageStats
from manus.messages.calls import ProviderStatus
from manus.messages.routing import DeploymentMetrics, RoutingMetrics
from manus.messages.usage import NANO_USD, Usage
from manus.supervisor.statistics import ActorStatus


class UsageLine(msgspec.Struct, frozen=True, kw_only=True):
    """The books of one provider and model, or of all of them together.

    Args:
        requests: attempts that were reserved; each is settled, released, in doubt, or still open.
        input_tokens, output_tokens, cost_nano_usd: of what is settled; costs are in 1e-9 USD, exact.
        in_doubt_cost_nano_usd: the upper bound of what calls may have cost whose end nobody saw.
        unpriced: settled attempts whose price is unknown; they are not in the cost.
    """

    provider: str
    model: str
    requests: int = 0
    settled: int = 0
    released: int = 0
    in_doubt: int = 0
    open: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_nano_usd: int = 0
    in_doubt_cost_nano_usd: int = 0
    unpriced: int = 0

    @property
    def cost_usd(self) -> float:
        """The cost in USD, rounded to what a float holds."""
        return self.cost_nano_usd / NANO_USD

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain data."""
        return msgspec.structs.asdict(self) | {"cost_usd": self.cost_usd}


class UsageReport(msgspec.Struct, frozen=True, kw_only=True):
    """The books: a line per provider and model.

    Args:
        since_unix_s: from when on; None from the beginning.
        recovered_in_doubt: calls that earlier runs left open when they died.
    """

    lines: tuple[UsageLine, ...] = ()
    since_unix_s: float | None = None
    recovered_in_doubt: int = 0

    @property
    def total(self) -> UsageLine:
        """All lines together."""
        summed = [field for field in UsageLine.__struct_fields__ if field not in ("provider", "model")]
        return UsageLine(
            provider="*", model="*", **{field: sum(getattr(line, field) for line in self.lines) for field in summed}
        )

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain data."""
        return {
            "since_unix_s": self.since_unix_s,
            "recovered_in_doubt": self.recovered_in_doubt,
            "total": self.total.to_dict(),
            "lines": [line.to_dict() for line in self.lines],
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


def usage_report(stats: UsageStats) -> UsageReport:
    """Make the report out of accounting's answer."""
    return UsageReport(
        lines=tuple(_line(row) for row in stats.rows),
        since_unix_s=stats.since_unix_s,
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


def _line(row: UsageRow) -> UsageLine:
    usage: Usage = row.usage
    return UsageLine(
        provider=row.provider or "",
        model=row.model or "",
        requests=row.requests,
        settled=row.settled,
        released=row.released,
        in_doubt=row.in_doubt,
        open=row.open,
        input_tokens=usage.input_total,
        output_tokens=usage.output,
        cost_nano_usd=row.cost_nano_usd,
        in_doubt_cost_nano_usd=row.in_doubt_cost_nano_usd,
        unpriced=row.unpriced,
    )
