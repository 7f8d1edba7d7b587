"""Own the answer to "are you well?": what works of a running agent, what does not, and why, within a second.

`ok` is all of it; `degraded` answers requests, and something should be looked at; `unavailable` cannot answer any.
Texts hold no secret: they are the router's own words, and those that quote a vendor have been cleaned.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec
import trio

from manus._version import __version__
from manus.actors.accounting import ACCOUNTING
from manus.actors.upstream import ProviderCounters
from manus.in_force import InForce
from manus.messages.outcomes import BreakerState
from manus.messages.policy import Durability, ProviderPolicy
from manus.messages.routing import DeploymentMetrics, RoutingMetrics, RoutingMetricsAsked
from manus.supervisor.statistics import ActorStatus
from manus.supervisor.tree import Tree

ANSWER_S: Final = 0.8
"""How long the router has to answer; whoever asks for the agent's health waits no longer than a second."""

HealthStatus = Literal["ok", "degraded", "unavailable"]
"""All of it works; requests are answered, though not all is as it should be; no request can be answered."""


class ProviderHealth(msgspec.Struct, frozen=True, kw_only=True):
    """How one provider entry is.

    Args:
        state: its actor's: `running`, `backoff`, `quarantined` ...
        breakers: those of its deployments that do not simply let requests through: `open` or `half_open`.
        last_failure: the kind of the last call that failed there, whatever came after it; None for none.
    """

    name: str
    status: HealthStatus = "ok"
    state: str = "running"
    reasons: tuple[str, ...] = ()
    breakers: dict[str, BreakerState] = {}
    restarts: int = 0
    in_flight: int = 0
    last_failure: str | None = None


class LedgerHealth(msgspec.Struct, frozen=True, kw_only=True):
    """How the books are. `trouble` says why their store is behind or refuses; None is well."""

    durability: Durability
    state: str
    trouble: str | None = None


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """How an agent is.

    Args:
        reasons: why it is not `ok`, the worst first; empty where it is.
        router: the state of the router's actor.
        in_flight, waiting: requests being answered, and batch requests that wait for their turn.
        uptime_s: since it was opened.
        reloads: how often another configuration came into force.
        origin: where the one in force came from.
    """

    status: HealthStatus
    reasons: tuple[str, ...] = ()
    providers: tuple[ProviderHealth, ...] = ()
    router: str = "running"
    ledger: LedgerHealth
    in_flight: int = 0
    waiting: int = 0
    uptime_s: float = 0.0
    version: str = __version__
    reloads: int = 0
    origin: str = ""

    def to_dict(self) -> dict[str, Any]:  # Any: plain data, as JSON has it
        """Give it as plain data."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain


async def ask_health(tree: Tree, in_force: InForce) -> Health:
    """Ask the router, and put together what is known by the time that an answer is due.

    Actors of providers are not asked, who may have all their places taken: that is no trouble. Whether they live is for
    their supervisor to say, and one that hangs is restarted by it.
    """
    deadline = trio.current_time() + ANSWER_S
    metrics = await tree.ref("router").ask(RoutingMetricsAsked(), deadline=deadline, shed=True)
    told = metrics if isinstance(metrics, RoutingMetrics) else None
    wiring, counters = in_force.wiring, in_force.counters
    actors = {each.id: each for each in tree.status()}
    providers = tuple(
        _provider(policy, actors[wiring.actor_of(policy.name)], counters[policy.name], told)
        for policy in wiring.policies
    )
    ledger = LedgerHealth(
        durability=wiring.ledger.survives,
        state=actors[ACCOUNTING].state,
        trouble=in_force.ledger_trouble(),
    )
    fatal, bad = _reasons(in_force, actors, providers, ledger, answers=told is not None)
    return Health(
        status="unavailable" if fatal else "degraded" if bad else "ok",
        reasons=(*fatal, *bad),
        providers=providers,
        router=actors["router"].state,
        ledger=ledger,
        in_flight=actors["router"].in_hand if told is None else told.in_flight,
        waiting=0 if told is None else told.waiting,
        uptime_s=trio.current_time() - in_force.opened_at,
        reloads=in_force.reloads,
        origin=in_force.loaded.origin,
    )


def _reasons(
    in_force: InForce,
    actors: dict[str, ActorStatus],
    providers: tuple[ProviderHealth, ...],
    ledger: LedgerHealth,
    *,
    answers: bool,
) -> tuple[list[str], list[str]]:
    """Say why no request can be answered, and what else is not as it should be."""
    fatal: list[str] = []
    bad: list[str] = []
    if in_force.closing:
        fatal.append("the agent is closing")
    for actor in ("router", ACCOUNTING):
        if actors[actor].state != "running":
            fatal.append(f"{actor} is {actors[actor].state}")
    if not answers and not fatal:
        fatal.append(f"the router did not answer within {ANSWER_S:g} s")
    if actors["conversations"].state != "running":
        bad.append(f"conversations is {actors['conversations'].state}")
    if ledger.trouble is not None:
        bad.append(f"ledger: {ledger.trouble}")
    if providers and all(each.status == "unavailable" for each in providers):
        fatal.append("no provider can be asked")
    bad += [f"{each.name}: {reason}" for each in providers for reason in each.reasons]
    return fatal, bad


def _provider(
    policy: ProviderPolicy, actor: ActorStatus, counters: ProviderCounters, metrics: RoutingMetrics | None
) -> ProviderHealth:
    status: HealthStatus = "ok"
    reasons: list[str] = []
    if actor.state != "running":
        status = "unavailable"
        reasons.append(f"its actor is {actor.state}")
    deployments = [] if metrics is None else [d for d in metrics.deployments if _is_of(d, policy)]
    closed = [each for each in deployments if each.breaker == "closed" and each.resting is None]
    resting = [each for each in deployments if each not in closed]
    if resting and status == "ok":
        status = "unavailable" if not closed and len(resting) >= _deployments_of(policy) else "degraded"
    reasons += [f"{each.deployment} rests: {each.resting or each.breaker}" for each in resting]
    return ProviderHealth(
        name=policy.name,
        status=status,
        state=actor.state,
        reasons=tuple(reasons),
        breakers={each.deployment: each.breaker for each in resting},
        restarts=actor.restarts,
        in_flight=actor.in_hand,
        last_failure=counters.last_failure,
    )


def _is_of(deployment: DeploymentMetrics, policy: ProviderPolicy) -> bool:
    """Whether a deployment is one of an entry's as it is configured now: counts of former ones are kept."""
    entry, _, name = deployment.deployment.partition("/")
    return entry == policy.name and (
        policy.any_model or name.partition("#")[0] in {card.name for card in policy.models}
    )


def _deployments_of(policy: ProviderPolicy) -> int:
    return max(1, len(policy.models)) * max(1, len(policy.keys))
