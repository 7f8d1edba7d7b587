"""Own what all requests of one router incarnation share: the table, the refs, and the counts that survive a crash."""

from __future__ import annotations

import random

import msgspec
import trio

from manus.actors.codecs import embed_codec_for
from manus.actors.codecs.base import CodecOptions, EmbedLimits
from manus.actors.estimates.calibration import Calibration
from manus.actors.health import Health
from manus.actors.jitter import Jitter
from manus.actors.journey.attempt import OpenAttempt
from manus.actors.journey.drains import Drains
from manus.actors.journey.traffic_share import TrafficShares
from manus.actors.routing.affinity import Affinity, Turns
from manus.actors.routing.plan import Choice
from manus.actors.routing.standing import Standing
from manus.actors.routing.table import RoutingTable
from manus.messages.ids import DeploymentId, RequestId
from manus.messages.policy import Bounds, ProviderPolicy
from manus.messages.routing import DeploymentMetrics, RoutingMetrics
from manus.messages.routing_policy import RouterPolicy
from manus.supervisor.context import Context
from manus.supervisor.ref import Ref

DEPLOYMENTS_COUNTED = 1024
"""Deployments whose attempts are counted one by one; an entry that takes any model name could invent more."""


class RouterSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What the router needs to know.

    Args:
        providers: the enabled entries; each has an actor `provider/<name>`.
        disabled: names of the entries that are switched off.
        fingerprints: per entry, what names its key in the books.
        wires: per entry, the wire it speaks; an entry that is not named takes any request.
        confirm_s: how long an answer waits for the books (`LedgerPolicy.confirm_s`).
        bounds: caps on what one request may hold.
        seed: where jitter starts from; None draws one.
    """

    policy: RouterPolicy
    providers: tuple[ProviderPolicy, ...]
    disabled: tuple[str, ...] = ()
    fingerprints: dict[str, str] = {}
    wires: dict[str, str] = {}
    confirm_s: float = 5.0
    bounds: Bounds = Bounds()
    seed: int | None = None


class RouterCell:
    """What survives a crash of the router. Each method is one synchronous mutation."""

    __slots__ = (
        "_by_deployment",
        "affinity",
        "budget",
        "calibration",
        "counts",
        "health",
        "hedge_budget",
        "rng",
        "seed",
        "turns",
    )

    def __init__(self, spec: RouterSpec) -> None:
        retry = spec.policy.retry
        self.budget = TrafficShares(retry.budget_ratio, retry.budget_min)
        self.hedge_budget = TrafficShares(spec.policy.hedge.budget_ratio)
        self.rng = random.Random(spec.seed)
        # What each request draws its own jitter from: how often others retry must not change how long it waits.
        self.seed = self.rng.getrandbits(64)
        self.health = Health(spec.policy.health, random.Random(None if spec.seed is None else f"health of {spec.seed}"))
        self.turns = Turns()
        self.affinity = Affinity()
        self.calibration = Calibration()
        self.counts = dict.fromkeys(
            (
                "requests",
                "finished",
                "unfinished",
                "cancelled",
                "shed",
                "in_flight_peak",
                "retries",
                "failovers",
                "restarts",
                "continued",
                "spliced",
                "hedges",
                "hedges_won",
                "drains",
            ),
            0,
        )
        self._by_deployment: dict[DeploymentId, dict[str, int]] = {}

    def count(self, what: str) -> None:
        """Note that `what` happened once more."""
        self.counts[what] += 1

    def count_attempt(self, deployment: DeploymentId, result: str) -> None:
        """Note how an attempt at `deployment` ended: `ok`, or the kind of its failure."""
        results = self._by_deployment.get(deployment)
        if results is None:
            if len(self._by_deployment) >= DEPLOYMENTS_COUNTED:
                return
            results = self._by_deployment[deployment] = {}
        results[result] = results.get(result, 0) + 1

    def metrics(self, in_flight: int) -> RoutingMetrics:
        """Tell it all: the counts, and how the deployments are doing now."""
        found = {each.deployment: each for each in self.health.metrics(trio.current_time())}
        for deployment, results in self._by_deployment.items():
            found[deployment] = msgspec.structs.replace(
                found.get(deployment) or DeploymentMetrics(deployment=deployment),
                attempts=sum(results.values()),
                successes=results.get("ok", 0),
                failures={kind: count for kind, count in results.items() if kind != "ok"},
            )
        deployments = tuple(found[deployment] for deployment in sorted(found))
        return RoutingMetrics(in_flight=in_flight, deployments=deployments, **self.counts)


class Desk:
    """What one incarnation's requests share."""

    __slots__ = ("_ctx", "_providers", "accounting", "cell", "drains", "emit", "spec", "table")

    def __init__(self, spec: RouterSpec, ctx: Context) -> None:
        self.spec = spec
        self.cell: RouterCell = ctx.cell
        self.cell.health.new_incarnation()
        self.table = RoutingTable(spec.providers, spec.policy, disabled=spec.disabled)
        self.accounting = ctx.ref("accounting")
        self.emit = ctx.emit
        self.drains = Drains(ctx.nursery, spec.policy, self._drained)
        self._ctx = ctx
        self._providers: dict[str, Ref] = {}

    def embeds(self, provider: str) -> bool:
        """Whether an entry's wire carries embeddings; of an unknown wire that is assumed."""
        wire = self.spec.wires.get(provider)
        return wire is None or embed_codec_for(wire) is not None

    def embed_limits(self, choice: Choice) -> EmbedLimits:
        """Tell what one call for embeddings may hold at a deployment; an unknown wire is asked for one at a time."""
        codec = embed_codec_for(self.spec.wires.get(choice.provider, ""))
        if codec is None:
            return EmbedLimits(inputs=1)
        return codec.limits(choice.model, CodecOptions(provider=choice.provider, card=choice.card))

    def standing(self, request_id: RequestId, now: float) -> Standing:
        """Tell how things stand for a plan that is made at `now`."""
        cell = self.cell
        chance = Jitter(cell.seed, f"{request_id}/plan")
        return Standing(now=now, health=cell.health, chance=chance, turns=cell.turns, affinity=cell.affinity)

    def _drained(self, attempt: OpenAttempt) -> None:
        self.cell.count("drains")
        self.emit(attempt.reported(trio.current_time()))

    def provider(self, name: str) -> Ref:
        """Give the ref of a provider entry's actor."""
        ref = self._providers.get(name)
        if ref is None:
            ref = self._providers[name] = self._ctx.ref(f"provider/{name}")
        return ref
