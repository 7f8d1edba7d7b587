"""Own plans of the chaos engine: everything one run consists of, as data, drawn from one seed.

A plan fixes the providers and their knobs, the clients and what each meets where, the faults and the order in which
tasks run. Rules never run inside the loop: the same plan gives the same run. All times are multiples of `GRID_S`,
because only on a grid do things fall into one tick, and that is where races are.

Fault rates are drawn from the seed as well (swarm testing): uniform rates never find what needs two rare things.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from typing import Literal, get_args

import msgspec

from manus.messages.requests import OnInterrupt
from manus.sim.behaviour import Script
from manus.sim.faults import FAULTS, Fault, exists_on
from manus.sim.memory import GRID_S
from manus.sim.wire import WireName

Mode = Literal["safety", "liveness", "isolation"]
"""Faults all along; faults until `heal_at_s`, then everything must come right; faults at one provider alone, so that
the run can be compared with the same run without them."""

Bug = Literal["raise_connecting", "raise_sent", "raise_body", "wedge"]
"""What an injected bug of ours does to the request that meets it: raise where nothing may, or ignore cancellation."""

Blow = Literal["crash", "cancel", "books_refuse", "books_stall", "books_heal"]
"""What is done to the tree itself: an actor crashes or is cancelled; the disk refuses, stalls, recovers."""

Proof = Literal["none", "keys", "tokens"]
"""How a provider is let into: with nothing, with several keys in turn, with tokens that expire and are fetched anew."""

SLOW_FAULTS = ("huge-line", "drip")
"""Faults that need millions of steps or real bytes; their own tests have them."""

FAULT_NAMES = tuple(name for name in FAULTS if name not in SLOW_FAULTS)

WIRE_NAMES: tuple[WireName, ...] = get_args(WireName)

Wires = Mapping[str, WireName]
"""The wire of each provider, by its name."""


class Meeting(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What one attempt of one client meets at one provider."""

    script: Script = Script()
    bug: Bug | None = None


class ClientPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One request.

    Args:
        number: its name; it stands in the prompt, so that the providers' bills can be matched.
        at_s: when it comes.
        timeout_s: its deadline, from then.
        provider: first choice; None leaves it to the router.
        alone: no fallback.
        leaves_after_s: when the caller loses interest, from `at_s`; None: never.
        leaves: `close` walks away, `cancel` cancels and waits for the last word.
        read_gap_s: how long a streaming caller rests between reads.
        buffer: how many event lists a streaming caller may be behind.
        meets: per provider, attempt after attempt; the last repeats.
    """

    number: int
    at_s: float
    timeout_s: float
    provider: str | None = None
    alone: bool = False
    stream: bool = False
    on_interrupt: OnInterrupt = "auto"
    leaves_after_s: float | None = None
    leaves: Literal["close", "cancel"] = "close"
    read_gap_s: float = 0.0
    buffer: int = 32
    meets: dict[str, tuple[Meeting, ...]] = {}


class ProviderPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One provider entry and its knobs."""

    name: str
    wire: WireName = "openai"
    concurrency: int = 8
    queue: int = 8
    max_restarts: int = 50
    backoff_s: float = 0.2
    quarantine_s: float = 2.0
    proof: Proof = "none"


class BlowPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Something done to the tree at a time. `target` is an actor's id; the books have none."""

    at_s: float
    kind: Blow
    target: str = ""


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One run. Timeouts are those of every provider; `in_flight_max` and `confirm_s` the router's and the books'."""

    seed: int
    schedule_seed: int
    mode: Mode
    providers: tuple[ProviderPlan, ...]
    clients: tuple[ClientPlan, ...]
    blows: tuple[BlowPlan, ...] = ()
    heal_at_s: float | None = None
    headers_s: float = 2.0
    first_content_s: float = 2.0
    idle_s: float = 1.0
    total_s: float = 8.0
    shutdown_s: float = 0.5
    consumer_stall_s: float = 1.0
    confirm_s: float = 0.5
    in_flight_max: int = 1024

    @property
    def horizon_s(self) -> float:
        """Virtual time by which everything is over, or something hangs."""
        last = max(client.at_s + client.timeout_s for client in self.clients)
        return last + self.total_s + 60.0


def plan_from_seed(seed: int, mode: Mode | None = None) -> Plan:
    """Draw a plan. Equal seeds give equal plans, on every machine and whatever the hash seed."""
    rng = random.Random(f"plan/{seed}")
    modes: tuple[Mode, ...] = ("safety", "safety", "safety", "liveness", "isolation")
    drawn = rng.choice(modes)
    chosen = drawn if mode is None else mode
    if chosen == "isolation":
        return _isolation(seed, rng)
    names = ("alpha", "beta", "gamma")[: rng.randint(1, 3)]
    providers = tuple(_provider(rng, name, knobs=chosen == "safety") for name in names)
    wires = {each.name: each.wire for each in providers}
    heal_at_s = 10.0 if chosen == "liveness" else None
    trouble = _Trouble(rng, wires.values())
    clients = [_client(rng, number, wires, trouble, rng.randint(0, 200)) for number in range(rng.randint(4, 24))]
    if heal_at_s is not None:
        clients += [_healthy_client(rng, 1000 + number, names, heal_at_s) for number in range(6)]
    return Plan(
        seed=seed,
        schedule_seed=rng.getrandbits(32),
        mode=chosen,
        providers=providers,
        clients=tuple(clients),
        blows=_blows(rng, names, trouble),
        heal_at_s=heal_at_s,
        consumer_stall_s=rng.choice((0.05, 1.0)),
        confirm_s=rng.choice((0.05, 0.5)),
        in_flight_max=rng.choice((1, 2, 8, 1024)) if chosen == "safety" else 1024,
    )


class _Trouble:
    """How bad a world is: rates that are drawn once per plan, and faults that its providers can have."""

    def __init__(self, rng: random.Random, wires: Iterable[WireName]) -> None:
        kinds = set(wires)
        self.fault = rng.choice((0.0, 0.1, 0.4, 0.9))
        self.bug = rng.choice((0.0, 0.0, 0.05, 0.3))
        self.leave = rng.choice((0.0, 0.2, 0.7))
        self.slow_reader = rng.choice((0.0, 0.2, 0.6))
        self.blows = rng.choice((0, 0, 1, 4, 8))
        possible = [name for name in FAULT_NAMES if any(exists_on(FAULTS[name], wire) for wire in kinds)]
        drawn = rng.sample(possible, k=rng.randint(1, 8))
        self.pools = {wire: tuple(name for name in drawn if exists_on(FAULTS[name], wire)) for wire in kinds}


def _grid(rng: random.Random, most_s: float) -> float:
    """Draw a time on the grid, from 0 to `most_s`; short ones are as likely as long ones."""
    steps = int(most_s / GRID_S)
    return round(rng.choice((0, 1, 2, rng.randint(0, steps), rng.randint(0, steps))) * GRID_S, 6)


def _provider(rng: random.Random, name: str, *, knobs: bool) -> ProviderPlan:
    if not knobs:
        return ProviderPlan(name=name, wire=rng.choice(WIRE_NAMES), concurrency=64, queue=64)
    return ProviderPlan(
        name=name,
        wire=rng.choice(WIRE_NAMES),
        concurrency=rng.choice((1, 2, 8, 64)),
        queue=rng.choice((0, 1, 2, 64)),
        max_restarts=rng.choice((0, 1, 50)),
        backoff_s=rng.choice((0.0, GRID_S, 0.5)),
        quarantine_s=rng.choice((GRID_S, 2.0)),
        # A key that was refused rests for longer than a liveness run waits, so only plans with knobs have any.
        proof=rng.choice(("none", "none", "keys", "tokens")),
    )


def _script(rng: random.Random, fault: Fault | None) -> Script:
    return Script(
        words=rng.choice((0, 1, 3, 12)),
        chunk_tokens=rng.choice((1, 1, 3)),
        latency_s=_grid(rng, 0.5),
        first_token_s=_grid(rng, 0.5),
        gap_s=rng.choice((0.0, 0.0, GRID_S)),
        split_bytes=rng.choice((0, 0, 0, 1, 7)),
        cached_tokens=rng.choice((0, 0, 5)),
        cache_write_tokens=rng.choice((0, 0, 3)),
        fault=fault,
    )


def _meeting(rng: random.Random, trouble: _Trouble, wire: WireName) -> Meeting:
    pool = trouble.pools[wire]
    fault = FAULTS[rng.choice(pool)] if pool and rng.random() < trouble.fault else None
    bug: Bug | None = None
    if rng.random() < trouble.bug:
        bug = rng.choice(("raise_connecting", "raise_sent", "raise_body", "wedge"))
    return Meeting(script=_script(rng, fault), bug=bug)


def _client(rng: random.Random, number: int, wires: Wires, trouble: _Trouble, at_steps: int) -> ClientPlan:
    stream = rng.random() < 0.6
    leaves = rng.random() < trouble.leave
    return ClientPlan(
        number=number,
        # Half the clients share ticks.
        at_s=round(at_steps // rng.choice((1, 40)) * GRID_S, 6),
        timeout_s=rng.choice((GRID_S, 0.5, 3.0, 20.0)),
        provider=rng.choice((None, *wires)),
        alone=rng.random() < 0.2,
        stream=stream,
        on_interrupt=rng.choice(("auto", "restart", "error")),
        leaves_after_s=_grid(rng, 3.0) if leaves else None,
        leaves=rng.choice(("close", "cancel")),
        read_gap_s=rng.choice((GRID_S, 2.0)) if stream and rng.random() < trouble.slow_reader else 0.0,
        buffer=rng.choice((1, 2, 32)),
        meets={
            name: tuple(_meeting(rng, trouble, wire) for _ in range(rng.randint(1, 3))) for name, wire in wires.items()
        },
    )


def _healthy_client(rng: random.Random, number: int, names: tuple[str, ...], heal_at_s: float) -> ClientPlan:
    """Come after the healing, when what was broken has had time to come back, and meet nothing bad."""
    return ClientPlan(
        number=number,
        at_s=round(heal_at_s + 45.0 + number % 10 * GRID_S, 6),
        timeout_s=20.0,
        provider=rng.choice((None, *names)),
        stream=rng.random() < 0.5,
        meets={name: (Meeting(script=_script(rng, None)),) for name in names},
    )


def _blows(rng: random.Random, names: tuple[str, ...], trouble: _Trouble) -> tuple[BlowPlan, ...]:
    blows: list[BlowPlan] = []
    for _ in range(trouble.blows):
        at_s = round(rng.randint(0, 200) * GRID_S, 6)
        target = rng.choice((*(f"provider/{name}" for name in names), "router", "accounting"))
        kinds: tuple[Blow, ...] = ("crash", "crash", "crash", "cancel", "books_refuse", "books_stall")
        kind = rng.choice(kinds)
        if kind in ("crash", "cancel"):
            blows.append(BlowPlan(at_s=at_s, kind=kind, target=target))
        else:
            blows.append(BlowPlan(at_s=at_s, kind=kind))
            blows.append(BlowPlan(at_s=round(at_s + _grid(rng, 2.0), 6), kind="books_heal"))
    return tuple(sorted(blows, key=_at))


def _isolation(seed: int, rng: random.Random) -> Plan:
    """Draw a world where alpha has every trouble and beta none, and nobody goes from one to the other."""
    alpha = _provider(rng, "alpha", knobs=True)
    beta = ProviderPlan(name="beta", wire=rng.choice(WIRE_NAMES), concurrency=64, queue=64)
    wires = {each.name: each.wire for each in (alpha, beta)}
    trouble = _Trouble(rng, wires.values())
    clients: list[ClientPlan] = []
    for number in range(rng.randint(6, 24)):
        name = rng.choice(("alpha", "beta"))
        drawn = _client(rng, number, {name: wires[name]}, trouble, rng.randint(0, 100))
        if name == "beta":
            # What beta's clients do themselves falls between the lines of the grid: a tie within beta would be decided
            # by the order of tasks, and alpha's tasks are part of that order.
            drawn = msgspec.structs.replace(
                drawn,
                meets={"beta": (Meeting(script=_script(rng, None)),)},
                timeout_s=drawn.timeout_s + GRID_S * 0.3,
                leaves_after_s=None if drawn.leaves_after_s is None else drawn.leaves_after_s + GRID_S * 0.6,
                read_gap_s=0.0,
            )
        clients.append(msgspec.structs.replace(drawn, provider=name, alone=True))
    blows = tuple(
        BlowPlan(
            at_s=round(rng.randint(0, 100) * GRID_S, 6), kind=rng.choice(("crash", "cancel")), target="provider/alpha"
        )
        for _ in range(rng.randint(1, 6))
    )
    return Plan(
        seed=seed,
        schedule_seed=rng.getrandbits(32),
        mode="isolation",
        providers=(alpha, beta),
        clients=tuple(clients),
        blows=tuple(sorted(blows, key=_at)),
    )


def without_faults_of(plan: Plan, name: str) -> Plan:
    """Give the same plan with nothing wrong at provider `name`: same clients, same times, no fault, bug or blow."""
    clients = tuple(
        msgspec.structs.replace(
            client, meets={each: _harmless(met) if each == name else met for each, met in client.meets.items()}
        )
        for client in plan.clients
    )
    blows = tuple(blow for blow in plan.blows if blow.target != f"provider/{name}")
    return msgspec.structs.replace(plan, clients=clients, blows=blows)


def _harmless(met: tuple[Meeting, ...]) -> tuple[Meeting, ...]:
    return tuple(Meeting(script=msgspec.structs.replace(meeting.script, fault=None)) for meeting in met)


def _at(blow: BlowPlan) -> float:
    return blow.at_s
