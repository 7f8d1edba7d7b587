"""Own the rig that the journey's tests run in: accounting, provider actors and the router over simulated providers.

Everything is the real thing but the network (an in-memory transport), the disk (books in memory) and the clock.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Literal

import httpx
import msgspec
import trio
import trio.testing

from manus.actors.accounting import NO_LIMITS, Books, accounting_child
from manus.actors.codecs.base import CodecOptions
from manus.actors.credentials import Credentials, NoCredentials
from manus.actors.ledger.rows import LedgerRow
from manus.actors.ledger.store import FaultPlan, MemoryStore, no_faults
from manus.actors.provider import provider_child
from manus.actors.redaction import redactor
from manus.actors.router import router_child
from manus.actors.router_desk import RouterSpec
from manus.actors.upstream import ProviderSpec
from manus.messages.content import text_turn
from manus.messages.events import Reset, StreamEvent, TextDelta
from manus.messages.ids import RequestId
from manus.messages.limits import AdmissionPolicy
from manus.messages.outcomes import Embedded, Finished, Outcome, Unfinished
from manus.messages.policy import KeyPolicy, LedgerPolicy, ModelCard, ProviderPolicy, Timeouts
from manus.messages.requests import ChatRequest
from manus.messages.routing_policy import RouterPolicy
from manus.messages.usage import Price
from manus.sim.behaviour import Behaviour, Script
from manus.sim.memory import SimTransport
from manus.sim.provider import CODECS, SimProvider
from manus.supervisor.bus import EventBus
from manus.supervisor.ref import Ref
from manus.supervisor.spec import Backoff, ChildSpec, Intensity, SupervisorSpec
from manus.supervisor.tree import Tree, open_tree

PRICE = Price(input=1_000_000_000, output=2_000_000_000, version="test")
TIMEOUTS = Timeouts(
    connect_s=5.0, write_s=5.0, headers_s=10.0, answer_s=20.0, first_content_s=12.0, idle_s=8.0, total_s=100.0
)
MODEL = "sim-large"
DEADLINE_S = 60.0

_numbers = itertools.count(1)


class Upstreams:
    """One simulated provider with all transports that were made to it, over all incarnations."""

    def __init__(self, behaviour: Behaviour | Script | None = None, wire: Any = "openai") -> None:
        self.sim = SimProvider(wire, behaviour)
        self.made: list[httpx.AsyncBaseTransport] = []
        self.wrap: Callable[[SimTransport], httpx.AsyncBaseTransport] = _as_it_is
        self.connect_s = 0.0
        self.key_order: Literal["round_robin", "sticky"] = "round_robin"
        self.credentials: Credentials = NoCredentials()

    @property
    def keys(self) -> Mapping[str, Credentials]:
        """What shows each of several keys, by its name in the books."""
        return {}

    @property
    def key_policies(self) -> tuple[KeyPolicy, ...]:
        """What the router knows of them."""
        return ()

    @property
    def secrets(self) -> tuple[str, ...]:
        """The keys themselves, which are struck out of what a server says."""
        return ()

    @property
    def accounts(self) -> list[tuple[str | None, SimProvider]]:
        """Who sends bills, and for which key."""
        return [(None, self.sim)]

    def make(self, base_url: str) -> httpx.AsyncBaseTransport:
        """Make the transport of one incarnation."""
        transport = self.wrap(SimTransport(self.sim, connect_s=self.connect_s))
        self.made.append(transport)
        return transport

    @property
    def open_exchanges(self) -> int:
        """How many responses are neither at their end nor closed."""
        return sum(getattr(transport, "open_exchanges", 0) for transport in self.made)


class Rig:
    """An open tree, and what its tests look at."""

    def __init__(self, tree: Tree, store: MemoryStore, upstreams: dict[str, Upstreams], events: list[object]) -> None:
        self.tree = tree
        self.store = store
        self.upstreams = upstreams
        self.events = events
        self.router: Ref = tree.ref("router")
        self.accounting: Ref = tree.ref("accounting")

    async def generate(self, *, within_s: float = DEADLINE_S, **fields: Any) -> Outcome:
        """Ask for a whole answer."""
        return outcome_of(await self.ask(within_s=within_s, **fields))

    async def ask(self, *, within_s: float = DEADLINE_S, **fields: Any) -> object:
        """Ask for a whole answer, whatever comes instead of it."""
        return await self.router.ask(asked(**fields), deadline=trio.current_time() + within_s)

    async def stream(
        self, *, within_s: float = DEADLINE_S, buffer: int = 32, **fields: Any
    ) -> tuple[list[StreamEvent], Outcome]:
        """Ask for a stream and read all of it."""
        events: list[StreamEvent] = []
        request = asked(stream=True, **fields)
        with self.router.ask_stream(request, deadline=trio.current_time() + within_s, buffer=buffer) as dialog:
            async for item in dialog:
                assert isinstance(item, list)
                events.extend(item)
            return events, outcome_of(await dialog.outcome())

    def rows(self) -> list[LedgerRow]:
        """Give the books, in the order of reservation."""
        return list(self.store.rows.values())

    async def settled(self) -> None:
        """Wait until everything that was started is over."""
        for _ in range(1000):
            await trio.testing.wait_all_tasks_blocked()
            states = self.tree.status()
            if all(each.in_hand == 0 and each.queued == 0 for each in states):
                return
            await trio.sleep(0.5)
        raise AssertionError(f"still at work: {states}")

    async def check(self) -> None:
        """Check what must hold whenever all is quiet: nothing open, and books that cover the providers' bills.

        Counts that the vendor reported are exact. An estimate knows only what was received, so it may miss what a
        vendor had generated when the line was cut: a chunk, and what our tokens differ from its own.
        """
        await self.settled()
        rows = self.rows()
        assert all(not row.is_open for row in rows), [row for row in rows if row.is_open]
        assert books_of(self.tree).ledger.totals.conserved
        accounts = [(name, key, sim) for name, each in self.upstreams.items() for key, sim in each.accounts]
        assert all(upstream.open_exchanges == 0 for upstream in self.upstreams.values())
        for name, key, sim in accounts:
            assert sim.bill.open_requests == 0
            mine = [row for row in rows if row.provider == name and row.state != "released"]
            mine = [row for row in mine if key is None or row.key_fingerprint == key]
            bill = sim.bill.totals()
            assert len(mine) >= bill.billed
            estimated = [row.usage for row in mine if row.usage.source == "estimated"]
            missed = sum(2 + 0.3 * usage.output for usage in estimated)
            assert sum(row.usage.output for row in mine) + missed >= bill.output_tokens
            missed = sum(2 + 0.3 * usage.input_total for usage in estimated)
            assert sum(row.usage.input_total for row in mine) + missed >= bill.input_tokens
            if not estimated and all(row.state == "settled" for row in mine):
                assert sum(row.usage.output for row in mine) == bill.output_tokens
                assert sum(row.usage.input_total for row in mine) == bill.input_tokens


def asked(text: str = "Tell me a story", *, stream: bool = False, **fields: Any) -> ChatRequest:
    """Make a request with an id of its own."""
    request_id = RequestId(f"r{next(_numbers)}")
    return ChatRequest(request_id=request_id, turns=(text_turn("user", text),), stream=stream, **fields)


def outcome_of(answer: object) -> Outcome:
    """Insist on an outcome."""
    assert isinstance(answer, Finished | Embedded | Unfinished), answer
    return answer


def finished(outcome: Outcome) -> Finished:
    """Insist on success."""
    assert isinstance(outcome, Finished), outcome
    return outcome


def unfinished(outcome: Outcome) -> Unfinished:
    """Insist on failure."""
    assert isinstance(outcome, Unfinished), outcome
    return outcome


def text_seen(events: list[StreamEvent]) -> str:
    """Give the text that a caller has who prints what comes and starts over when told to."""
    text = ""
    for event in events:
        if isinstance(event, TextDelta):
            text += event.text
        elif isinstance(event, Reset):
            text = ""
    return text


def results(outcome: Outcome) -> list[tuple[str, str, str]]:
    """Tell each attempt's provider, result and booking."""
    return [(each.provider, each.result, each.booking) for each in outcome.route.attempts]


@asynccontextmanager
async def open_rig(
    *upstreams: tuple[str, Upstreams],
    policy: RouterPolicy | None = None,
    timeouts: Timeouts = TIMEOUTS,
    concurrency: int = 8,
    queue: int = 8,
    faults: FaultPlan = no_faults,
    confirm_s: float = 5.0,
    cards: Mapping[str, tuple[ModelCard, ...]] | None = None,
    intensity: Intensity = Intensity(max_restarts=50, period_s=60.0),  # noqa: B008
    seed: int = 1,
    admission: AdmissionPolicy = NO_LIMITS,
) -> AsyncIterator[Rig]:
    """Open the tree over the given providers, the first of them first by priority."""
    ways = dict(upstreams)
    store = MemoryStore(faults=faults)
    backoff = Backoff(min_s=0.2, max_s=1.0, jitter=0.0)
    policies: list[ProviderPolicy] = []
    children: list[ChildSpec] = []
    wires: dict[str, str] = {}
    for priority, (name, way) in enumerate(ways.items()):
        models = (cards or {}).get(name, (ModelCard(name=MODEL, price=PRICE, context_tokens=32_000),))
        entry = ProviderPolicy(
            name=name,
            type="openai",
            priority=priority,
            models=models,
            keys=way.key_policies,
            key_order=way.key_order,
        )
        policies.append(entry)
        spec = ProviderSpec(
            name=name,
            wire=CODECS["openai" if way.sim.wire.name == "openai-responses" else way.sim.wire.name],
            options=CodecOptions(api="responses" if way.sim.wire.name == "openai-responses" else "chat"),
            policy=entry,
            credentials=way.credentials,
            keys=way.keys,
            transport_factory=way.make,
            base_url="http://sim.test" + way.sim.wire.base_path,
            timeouts=timeouts,
            concurrency=concurrency,
            queue=queue,
            now_unix_s=_unix_s,
            redact=redactor(way.secrets),
        )
        wires[name] = spec.wire
        children.append(provider_child(spec, intensity=intensity, backoff=backoff))
    accounting = accounting_child(store, LedgerPolicy(confirm_s=confirm_s), now_unix_s=_unix_s, admission=admission)
    router = router_child(
        RouterSpec(
            policy=policy or RouterPolicy(), providers=tuple(policies), wires=wires, confirm_s=confirm_s, seed=seed
        )
    )
    root = SupervisorSpec(
        id="root",
        children=(
            _restarting(accounting, intensity, backoff),
            SupervisorSpec(id="providers", children=tuple(children), ordered=False),
            _restarting(router, intensity, backoff),
        ),
    )
    bus = EventBus()
    events: list[object] = []
    bus.add_listener(events.append)
    async with open_tree(root, seed=seed, bus=bus) as tree:
        yield Rig(tree, store, ways, events)


def books_of(tree: Tree) -> Books:
    """Give the durable cell of accounting."""
    books = tree._ground.slots["accounting"].cell
    assert isinstance(books, Books)
    return books


def _restarting(spec: ChildSpec, intensity: Intensity, backoff: Backoff) -> ChildSpec:
    return msgspec.structs.replace(spec, intensity=intensity, backoff=backoff)


def _as_it_is(transport: SimTransport) -> httpx.AsyncBaseTransport:
    return transport


def _unix_s() -> float:
    return 1_800_000_000.0 + trio.current_time()
