"""Own one run of the chaos engine: the real tree over simulated providers, driven by a plan, observed into a report.

The tree is the one that programs run: accounting, provider actors and the router. Only the network (`SimTransport`),
the disk (`MemoryStore`) and the clock are simulated. The world breaks things and takes down what is seen; what that
means is for `chaos_invariants`.
"""

from __future__ import annotations

import random
from typing import Literal

import httpx
import msgspec
import trio

from manus.actors.accounting import accounting_child
from manus.actors.codecs.base import CodecOptions
from manus.actors.ledger.records import AnyRecord
from manus.actors.ledger.rows import LedgerRow
from manus.actors.ledger.store import Fault as StoreFault
from manus.actors.ledger.store import MemoryStore
from manus.actors.provider import provider_child
from manus.actors.router import router_child
from manus.actors.router_desk import RouterSpec
from manus.actors.upstream import ProviderSpec
from manus.messages.accounting import StatsAsked, UsageDimension, UsageRow, UsageStats
from manus.messages.policy import LedgerPolicy, ModelCard, ProviderPolicy, Timeouts
from manus.messages.routing import RoutingMetrics, RoutingMetricsAsked
from manus.messages.routing_policy import RouterPolicy
from manus.messages.usage import Price
from manus.sim.behaviour import Prefill, Responder, Script
from manus.sim.bill import BillRow
from manus.sim.chaos_bugs import BuggyTransport, InjectedBug
from manus.sim.chaos_clients import Seen, be_client
from manus.sim.chaos_keys import Doorkeeper
from manus.sim.chaos_plan import BlowPlan, Bug, ClientPlan, Meeting, Plan, ProviderPlan
from manus.sim.chaos_weather import clogged_until, script_under, wall_offset_s
from manus.sim.memory import GRID_S, SimTransport
from manus.sim.prefill import prefill_of
from manus.sim.provider import CODECS, SimProvider
from manus.sim.quota import Dimension
from manus.sim.wire import ChatAsked, WireName
from manus.sim.words import draw_text
from manus.supervisor.bus import EventBus
from manus.supervisor.spec import Backoff, ChildSpec, Intensity, SupervisorSpec
from manus.supervisor.statistics import ActorStatus
from manus.supervisor.tree import Tree, open_tree

MODEL = "sim-large"
WIDE_MODEL = "sim-small"
SHARED_WORDS_MAX = 24
PRICE = Price(
    input=1_000_000_000,
    output=2_000_000_000,
    cache_read=100_000_000,
    cache_write_short=1_250_000_000,
    version="chaos",
)
UNIX_EPOCH_S = 1_800_000_000.0

QUIET_S = 60.0
"""How long after the last client the tree may take to come to rest, in virtual time."""


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """One request that reached a provider, and what it was to be answered.

    Args:
        model: which one was asked.
        attempt: which one of its client's at this provider, from 1.
        at: when it came.
        script: the answer as it was played, weather included; its text is set.
        begun: the beginning of the answer, where it was asked to go on from there.
        prefill: what it made of that.
    """

    provider: str
    model: str
    number: int
    attempt: int
    at: float
    script: Script
    begun: str = ""
    prefill: Prefill | None = None


class Report(msgspec.Struct, kw_only=True):
    """One run, over: what the clients saw, what the books and the bills say, what the tree did.

    `overruns` are limits of vendors that were exceeded by what they had let in. `sums` and `sums_by` are what the books
    said when they were asked for totals, in all and by provider and model.
    """

    plan: Plan
    seen: list[Seen]
    rows: list[LedgerRow]
    bills: dict[str, list[BillRow]]
    visits: list[Visit]
    metrics: RoutingMetrics | None
    events: list[object]
    statuses: tuple[ActorStatus, ...]
    quiet: bool
    open_exchanges: int
    in_flight_peaks: dict[str, int]
    blows_missed: int
    doors: dict[str, Doorkeeper]
    ended_at: float
    overruns: dict[str, dict[Dimension, int]] = {}
    sums: tuple[UsageRow, ...] = ()
    sums_by: tuple[UsageRow, ...] = ()


class ChaosWorld:
    """One run. Made from a plan, run once."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._plans = {each.name: each for each in plan.providers}
        self._clients = {client.number: client for client in plan.clients}
        self._attempts: dict[tuple[str, int], int] = {}
        self._visits: list[Visit] = []
        self._chance = {each.name: random.Random(f"{plan.seed}/weather/{each.name}") for each in plan.providers}
        self._doors = {
            each.name: Doorkeeper(each.name, each.proof, now_unix_s=self._unix_s, seed=plan.seed)
            for each in plan.providers
        }
        self._sims = {
            each.name: SimProvider(each.wire, self._responder(each.name), limits=each.limits) for each in plan.providers
        }
        self._transports: list[SimTransport] = []
        self._disk: Literal["well", "refuse", "stall"] = "well"
        self._store = MemoryStore(faults=self._disk_fault, rows_max=100_000)
        self._events: list[object] = []
        self._missed = 0

    async def run(self) -> Report:
        """Drive the plan to its end and report. Raises only what is a bug of the world or the runtime."""
        bus = EventBus()
        bus.add_listener(self._events.append)
        seen = [Seen(client=client, began_at=client.at_s) for client in self._plan.clients]
        async with open_tree(self._root(), seed=self._plan.seed, bus=bus, stall=None) as tree:
            async with trio.open_nursery(strict_exception_groups=True) as nursery:
                nursery.start_soon(self._strike, tree)
                for each in seen:
                    nursery.start_soon(be_client, tree.ref("router"), each)
            self._heal_disk()
            metrics = await tree.ref("router").ask(RoutingMetricsAsked(), deadline=trio.current_time() + QUIET_S)
            quiet = await self._come_to_rest(tree)
            sums, sums_by = await self._ask_the_books(tree, ()), await self._ask_the_books(tree, ("provider", "model"))
            statuses = tree.status()
            events = list(self._events)
        return Report(
            plan=self._plan,
            seen=seen,
            rows=list(self._store.rows.values()),
            bills={name: [row for row in sim.bill if row.prompt] for name, sim in self._sims.items()},
            visits=self._visits,
            metrics=metrics if isinstance(metrics, RoutingMetrics) else None,
            events=events,
            statuses=statuses,
            quiet=quiet,
            open_exchanges=sum(transport.open_exchanges for transport in self._transports),
            in_flight_peaks={name: sim.in_flight_peak for name, sim in self._sims.items()},
            blows_missed=self._missed,
            doors=self._doors,
            ended_at=trio.current_time(),
            overruns={name: over for name, sim in self._sims.items() if sim.quota and (over := sim.quota.overruns())},
            sums=sums,
            sums_by=sums_by,
        )

    # --- the tree -----------------------------------------------------------------------------------

    def _root(self) -> SupervisorSpec:
        plan = self._plan
        policies = tuple(
            ProviderPolicy(
                name=each.name,
                type=each.wire,
                priority=priority,
                models=_models(each),
                keys=self._doors[each.name].key_policies,
                key_order=self._doors[each.name].key_order,
                weight=each.weight,
            )
            for priority, each in enumerate(plan.providers)
        )
        policy = RouterPolicy(
            in_flight_max=plan.in_flight_max,
            batch_share=plan.batch_share,
            batch_waiting_max=plan.batch_waiting_max,
            consumer_stall_s=plan.consumer_stall_s,
            strategy=plan.strategy,
            affinity_s=plan.affinity_s,
            on_cancel=plan.on_cancel,
            drain_s=plan.drain_s,
            drains_max=plan.drains_max,
            retry=plan.retry,
            health=plan.health,
            hedge=plan.hedge,
        )
        router = router_child(RouterSpec(policy=policy, providers=policies, confirm_s=plan.confirm_s, seed=plan.seed))
        books = accounting_child(
            self._store, LedgerPolicy(confirm_s=plan.confirm_s), now_unix_s=self._unix_s, admission=plan.admission
        )
        # The plan's blows must not exhaust what escalates: that the tree falls then is proven elsewhere.
        patient = Intensity(max_restarts=1000, period_s=60.0)
        quick = Backoff(min_s=GRID_S, max_s=GRID_S, jitter=0.0)
        children = tuple(self._provider(each, entry) for each, entry in zip(plan.providers, policies, strict=True))
        return SupervisorSpec(
            id="root",
            children=(
                msgspec.structs.replace(books, intensity=patient, backoff=quick),
                SupervisorSpec(id="providers", children=children, ordered=False),
                msgspec.structs.replace(router, intensity=patient, backoff=quick),
            ),
        )

    def _provider(self, provider: ProviderPlan, policy: ProviderPolicy) -> ChildSpec:
        plan = self._plan
        spec = ProviderSpec(
            name=provider.name,
            wire=CODECS[_entry_of(provider.wire)],
            options=CodecOptions(api="responses" if provider.wire == "openai-responses" else "chat"),
            policy=policy,
            credentials=self._doors[provider.name].credentials,
            keys=self._doors[provider.name].keys,
            transport_factory=lambda _base_url: self._transport(provider),
            base_url="http://sim.test" + self._sims[provider.name].wire.base_path,
            timeouts=Timeouts(
                connect_s=1.0,
                write_s=1.0,
                headers_s=plan.headers_s,
                answer_s=plan.total_s,
                first_content_s=plan.first_content_s,
                idle_s=plan.idle_s,
                total_s=plan.total_s,
            ),
            concurrency=provider.concurrency,
            queue=provider.queue,
            now_unix_s=self._unix_s,
        )
        child = provider_child(
            spec,
            intensity=Intensity(max_restarts=provider.max_restarts, period_s=60.0),
            backoff=Backoff(min_s=provider.backoff_s, max_s=max(provider.backoff_s, 0.5), jitter=0.0),
            quarantine_s=provider.quarantine_s,
        )
        return msgspec.structs.replace(child, shutdown_s=plan.shutdown_s)

    def _transport(self, provider: ProviderPlan) -> httpx.AsyncBaseTransport:
        name, weather = provider.name, self._plan.weather
        transport = SimTransport(
            self._sims[name],
            grid_s=GRID_S if provider.grid else 0.0,
            held_until=lambda at_s: clogged_until(weather, name, at_s),
        )
        self._transports.append(transport)
        return BuggyTransport(transport, lambda request: self._bug_of(name, request))

    def _bug_of(self, name: str, request: httpx.Request) -> Bug | None:
        self._doors[name].look_at(request)
        return self._meeting_now(name, request).bug if request.method == "POST" else None

    def _responder(self, name: str) -> Responder:
        def respond(asked: ChatAsked) -> Script:
            number = number_in(asked.prompt)
            attempt = self._attempts[name, number] = self._attempts.get((name, number), 0) + 1
            client, now = self._clients[number], trio.current_time()
            met = meeting_of(client, name, attempt).script
            script = script_under(self._plan.weather, met, name=name, at_s=now, chance=self._chance[name])
            text = text_of(client, name, attempt, script.words)
            script = msgspec.structs.replace(script, text=text, prefill=self._plans[name].prefill)
            self._visits.append(
                Visit(
                    provider=name,
                    model=asked.model,
                    number=number,
                    attempt=attempt,
                    at=now,
                    script=script,
                    begun=asked.begun,
                    prefill=prefill_of(self._sims[name].wire.name, asked, script),
                )
            )
            return script

        return respond

    def _meeting_now(self, name: str, request: httpx.Request) -> Meeting:
        """Find what the request that is about to be sent meets: the attempt after those that arrived."""
        number = number_in(request.content.decode())
        return meeting_of(self._clients[number], name, self._attempts.get((name, number), 0) + 1)

    def _unix_s(self) -> float:
        """Tell what the wall clock says, which is set now and then."""
        now = trio.current_time()
        return UNIX_EPOCH_S + now + wall_offset_s(self._plan.jumps, now)

    # --- trouble ------------------------------------------------------------------------------------

    async def _strike(self, tree: Tree) -> None:
        for blow in self._plan.blows:
            await trio.sleep_until(blow.at_s)
            self._deal(tree, blow)
        self._heal_disk()

    def _deal(self, tree: Tree, blow: BlowPlan) -> None:
        match blow.kind:
            case "crash" | "cancel":
                try:
                    if blow.kind == "crash":
                        tree.crash(blow.target, InjectedBug(f"crash of {blow.target}"))
                    else:
                        tree.cancel_incarnation(blow.target)
                except LookupError:
                    self._missed += 1  # it is down already, between two incarnations
            case "books_refuse":
                self._disk = "refuse"
            case "books_stall":
                self._disk = "stall"
            case "books_heal":
                self._heal_disk()

    def _disk_fault(self, point: Literal["before", "after"], record: AnyRecord) -> StoreFault | None:
        if self._disk == "well" or point == "after":
            return None
        return self._disk

    def _heal_disk(self) -> None:
        self._disk = "well"
        self._store.heal()

    async def _ask_the_books(self, tree: Tree, by: tuple[UsageDimension, ...]) -> tuple[UsageRow, ...]:
        asked = StatsAsked(by=by)
        told = await tree.ref("accounting").ask(asked, deadline=trio.current_time() + QUIET_S)
        return told.rows if isinstance(told, UsageStats) else ()

    async def _come_to_rest(self, tree: Tree) -> bool:
        """Wait until nothing is in hand, queued or open any more; False where that does not come."""
        for _ in range(int(QUIET_S / 0.5)):
            await trio.sleep(0.5)  # first of all: the last blow may have been dealt in this very tick
            statuses = tree.status()
            busy = any(each.in_hand or each.queued or each.blocked or each.zombies for each in statuses)
            settled = all(each.state in ("running", "quarantined") for each in statuses)
            if not busy and settled and not any(row.is_open for row in self._store.rows.values()):
                return True
        return False


def number_in(prompt: str) -> int:
    """Find the client's number in a prompt, or in a request body that holds one."""
    return int(prompt.partition("client ")[2].partition(" asks")[0])


def meeting_of(client: ClientPlan, name: str, attempt: int) -> Meeting:
    """Tell what the `attempt`-th attempt (from 1) of `client` at provider `name` meets."""
    meets = client.meets.get(name) or (Meeting(),)
    return meets[min(attempt, len(meets)) - 1]


def text_of(client: ClientPlan, name: str, attempt: int, words: int) -> str:
    """Tell what provider `name` says to the `attempt`-th attempt of a client.

    No two answers are alike, but for their first `shared_words`.
    """
    own = draw_text(f"{name}/{client.number}/{attempt}", words)
    if client.shared_words == 0:
        return own
    shared = draw_text(f"shared/{client.number}", SHARED_WORDS_MAX).split(" ")[: min(client.shared_words, words)]
    return " ".join((*shared, *own.split(" ")[len(shared) :]))


def _models(provider: ProviderPlan) -> tuple[ModelCard, ...]:
    card = ModelCard(
        name=MODEL,
        price=PRICE,
        context_tokens=32_000,
        max_output_tokens=256,
        prefill=True if provider.prefill == "continue" else None,
    )
    wide = msgspec.structs.replace(card, name=WIDE_MODEL, context_tokens=64_000)
    return (card, wide) if provider.wide else (card,)


def _entry_of(wire: WireName) -> WireName:
    """Tell under whose entry a wire stands: Responses is spoken beside Chat Completions."""
    return "openai" if wire == "openai-responses" else wire
