"""Own what all requests of one router incarnation share: the table, the refs, and the counts that survive a crash.

What is configured is in the durable cell as well, and changes while requests run (`Reconfigure`): each attempt keeps
to the actor that it was begun for (`Lane`), and a plan that is older than the table is made up to date before anybody
else is asked (`RequestRun`).
"""

from __future__ import annotations

import random
from typing import Final

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
from manus.actors.lanes import Lane
from manus.actors.routing.affinity import Affinity, Turns
from manus.actors.routing.plan import Choice
from manus.actors.routing.standing import Standing
from manus.actors.routing.table import RoutingTable
from manus.messages.ids import DeploymentId, RequestId, deployment_id
from manus.messages.policy import Bounds, ProviderPolicy
from manus.messages.routing import DeploymentMetrics, RoutingMetrics
from manus.messages.routing_policy import RouterPolicy
from manus.supervisor.context import Context

DEPLOYMENTS_COUNTED = 1024
"""Deployments whose attempts are counted one by one; an entry that takes any model name could invent more."""


class RouterSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What the router needs to know.

    Args:
        providers: the enabled entries.
        actors: the ids of their actors, by entry; `provider/<name>` where nothing is said.
        disabled: names of the entries that are switched off.
        fingerprints: per entry, what names its key in the books.
        wires: per entry, the wire it speaks; an entry that is not named takes any request.
        confirm_s: how long an answer waits for the books (`LedgerPolicy.confirm_s`).
        bounds: caps on what one request may hold.
        seed: where jitter starts from; None draws one.
    """

    policy: RouterPolicy
    providers: tuple[ProviderPolicy, ...]
    actors: dict[str, str] = {}
    disabled: tuple[str, ...] = ()
    fingerprints: dict[str, str] = {}
    wires: dict[str, str] = {}
    confirm_s: float = 5.0
    bounds: Bounds = Bounds()
    seed: int | None = None


class Reconfigure(msgspec.Struct, frozen=True, kw_only=True):
    """Go by another configuration from this step on; answered with `Reconfigured`.

    Args:
        spec: what is configured now.
        proven: the entries and keys (None: the entry's only one) that are reached as before, so that what is known of
            their health is still true.
        replaced: entries behind which somebody else may answer now: nothing that was learnt of their models counts.
    """

    spec: RouterSpec
    proven: frozenset[tuple[str, str | None]] = frozenset()
    replaced: tuple[str, ...] = ()


class Reconfigured(msgspec.Struct, frozen=True):
    """It is done, all of it."""


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
        "spec",
        "turns",
    )

    def __init__(self, spec: RouterSpec) -> None:
        self.spec = spec
        """What is configured."""
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

    def reconfigure(self, message: Reconfigure) -> None:
        """Go by another configuration. What was counted, spent and remembered stays as far as it is still true."""
        spec = self.spec = message.spec
        policy, names = spec.policy, [provider.name for provider in spec.providers]
        self.budget.adopt(policy.retry.budget_ratio, policy.retry.budget_min)
        self.hedge_budget.adopt(policy.hedge.budget_ratio)
        for shares in (self.budget, self.hedge_budget):
            shares.keep_only(names)
        listed = {
            deployment_id(provider.name, card.name, key)
            for provider in spec.providers
            for card in provider.models
            for key in [each.name for each in provider.keys] or _ONE_KEY
        }
        any_model = {provider.name for provider in spec.providers if provider.any_model}
        self.health.reconfigure(
            policy.health,
            lambda provider, key, deployment: (
                (provider, key) in message.proven and (provider in any_model or deployment in listed)
            ),
        )
        for name in message.replaced:
            self.calibration.forget(name)

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

    __slots__ = ("_ctx", "_lanes", "_leaving", "accounting", "cell", "drains", "emit", "reconfigured", "spec", "table")

    def __init__(self, ctx: Context) -> None:
        self.cell: RouterCell = ctx.cell
        spec = self.spec = self.cell.spec
        self.cell.health.new_incarnation()
        self.table = table_of(spec)
        self.reconfigured = trio.Event()
        """Set when the configuration changes; then there is a new one."""
        self.accounting = ctx.ref("accounting")
        self.emit = ctx.emit
        self.drains = Drains(ctx.nursery, spec.policy, self._drained)
        self._ctx = ctx
        self._lanes: dict[str, Lane] = {}
        self._leaving: dict[str, Lane] = {}

    def reconfigure(self, message: Reconfigure) -> None:
        """Go by another configuration, in one step; attempts that run keep to their actors.

        Raises:
            ValueError: it names what does not exist; nothing has changed.
        """
        table = table_of(message.spec)
        former, spec = self.spec, message.spec
        for name, lane in list(self._lanes.items()):
            actor = actor_of(former, name)
            if name not in {each.name for each in spec.providers} or actor_of(spec, name) != actor:
                del self._lanes[name]
                if lane.attempts:
                    self._leaving[actor] = lane
        self.cell.reconfigure(message)
        self.spec, self.table = spec, table
        self.drains.adopt(spec.policy)
        self.reconfigured.set()
        self.reconfigured = trio.Event()

    def leaving(self, actor: str) -> Lane | None:
        """Give the lane of an actor that has left the table and that attempts still keep to."""
        lane = self._leaving.get(actor)
        if lane is not None and not lane.attempts:
            del self._leaving[actor]
            return None
        return lane

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
        attempt.leave_lane()
        self.cell.count("drains")
        self.emit(attempt.reported(trio.current_time()))

    def lane(self, name: str) -> Lane:
        """Give the way to the actor of an entry that is in the table."""
        lane = self._lanes.get(name)
        if lane is None:
            lane = self._lanes[name] = Lane(self._ctx.ref(actor_of(self.spec, name)))
        return lane


_ONE_KEY: Final[list[str | None]] = [None]
"""The key of an entry that has but one, by which no deployment is named."""


def table_of(spec: RouterSpec) -> RoutingTable:
    """Make the table of what is configured.

    Raises:
        ValueError: it names what does not exist.
    """
    return RoutingTable(spec.providers, spec.policy, disabled=spec.disabled)


def actor_of(spec: RouterSpec, name: str) -> str:
    """Name the actor of an entry."""
    return spec.actors.get(name) or f"provider/{name}"
