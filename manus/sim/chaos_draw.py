"""Own the drawing of chaos plans: from one seed, everything that a run consists of.

All times are multiples of `GRID_S`, because only on a grid do things fall into one tick, and that is where races are.
Fault rates are drawn from the seed as well (swarm testing), and so are knobs: uniform rates never find what needs two
rare things, and most bugs live at 0, at 1 and at full.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from typing import get_args

import msgspec

from manus.messages.requests import Strategy
from manus.messages.routing_policy import HealthPolicy, HedgePolicy, RetryPolicy
from manus.sim.behaviour import Script, ScriptedCall
from manus.sim.chaos_books_draw import with_books
from manus.sim.chaos_plan import (
    Blow,
    BlowPlan,
    Bug,
    ClientPlan,
    Meeting,
    Mode,
    Plan,
    ProviderPlan,
    without_faults_of,
)
from manus.sim.chaos_weather import Clog
from manus.sim.chaos_weather_draw import TROUBLED_S, draw_jumps, draw_time, draw_weather
from manus.sim.faults import FAULTS, Fault, exists_on
from manus.sim.memory import GRID_S
from manus.sim.wire import WireName

SLOW_FAULTS = ("huge-line", "drip")
"""Faults that need millions of steps or real bytes; their own tests have them."""

FAULT_NAMES = tuple(name for name in FAULTS if name not in SLOW_FAULTS)

INTERRUPTIONS = ("cut-body", "reset-body", "stall", "truncated", "malformed", "error-after-content", "corrupt-frame")
"""Faults that break an answer off in its middle."""

WIRE_NAMES: tuple[WireName, ...] = get_args(WireName)

STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)

HEALED_AFTER_S = 100.0
"""How long after the healing what was broken has had time to come back: breakers, cooldowns, quarantines."""

Wires = Mapping[str, WireName]
"""The wire of each provider, by its name."""

Meetings = dict[str, tuple[Meeting, ...]]
"""What a client meets, by the provider's name."""


def plan_from_seed(seed: int, mode: Mode | None = None) -> Plan:
    """Draw a plan. Equal seeds give equal plans, on every machine and whatever the hash seed."""
    return with_books(_drawn(seed, mode))


def _drawn(seed: int, mode: Mode | None) -> Plan:
    rng = random.Random(f"plan/{seed}")
    modes: tuple[Mode, ...] = ("safety", "safety", "safety", "liveness", "isolation")
    drawn = rng.choice(modes)
    chosen = drawn if mode is None else mode
    if chosen == "isolation":
        return _isolation(seed, rng)
    if chosen == "failover":
        return _failover(seed, rng)
    heals = chosen == "liveness"
    names = ("alpha", "beta", "gamma")[: rng.randint(1, 3)]
    providers = tuple(_provider(rng, name, knobs=not heals) for name in names)
    wires = {each.name: each.wire for each in providers}
    trouble = _Trouble(rng, wires.values())
    clients = [_client(rng, number, wires, trouble, rng.randint(0, 200)) for number in range(rng.randint(4, 24))]
    if heals:
        clients += [_healthy_client(rng, 1000 + number, names) for number in range(6)]
    plan = Plan(
        seed=seed,
        schedule_seed=rng.getrandbits(32),
        mode=chosen,
        providers=providers,
        clients=tuple(clients),
        blows=_blows(rng, names, trouble),
        weather=draw_weather(rng, names, trouble.weather),
        jumps=draw_jumps(rng),
        heal_at_s=TROUBLED_S if heals else None,
        consumer_stall_s=rng.choice((0.05, 1.0)),
        confirm_s=rng.choice((0.05, 0.5)),
        in_flight_max=1024 if heals else rng.choice((1, 2, 8, 1024)),
    )
    return _with_policies(rng, plan)


class _Trouble:
    """How bad a world is: rates that are drawn once per plan, and faults that its providers can have."""

    def __init__(self, rng: random.Random, wires: Iterable[WireName]) -> None:
        kinds = set(wires)
        self.fault = rng.choice((0.0, 0.1, 0.4, 0.9))
        self.bug = rng.choice((0.0, 0.0, 0.05, 0.3))
        self.leave = rng.choice((0.0, 0.2, 0.7))
        self.slow_reader = rng.choice((0.0, 0.2, 0.6))
        self.blows = rng.choice((0, 0, 1, 4, 8))
        self.weather = rng.choice((0, 0, 1, 2, 4))
        self.agreement = rng.choice((0, 0, 2, 12, 12))
        self.interruption = rng.choice((0.0, 0.0, 0.3, 0.8))
        self.thought = rng.choice((0.0, 0.0, 0.3))
        self.tool_call = rng.choice((0.0, 0.0, 0.2))
        possible = [name for name in FAULT_NAMES if any(exists_on(FAULTS[name], wire) for wire in kinds)]
        drawn = rng.sample(possible, k=rng.randint(1, 8))
        self.pools = {wire: tuple(name for name in drawn if exists_on(FAULTS[name], wire)) for wire in kinds}


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
        proof=rng.choice(("none", "none", "keys", "keys", "tokens")),
        prefill=rng.choice((None, "continue", "continue", "refuse")),
        wide=rng.random() < 0.3,
        weight=rng.choice((0.5, 1.0, 3.0)),
    )


def _script(rng: random.Random, fault: Fault | None) -> Script:
    return Script(
        words=rng.choice((0, 1, 3, 12)),
        chunk_tokens=rng.choice((1, 1, 3)),
        latency_s=draw_time(rng, 0.5),
        first_token_s=draw_time(rng, 0.5),
        gap_s=rng.choice((0.0, 0.0, GRID_S)),
        split_bytes=rng.choice((0, 0, 0, 1, 7)),
        cached_tokens=rng.choice((0, 0, 5)),
        cache_write_tokens=rng.choice((0, 0, 3)),
        fault=fault,
    )


def _meeting(rng: random.Random, trouble: _Trouble, wire: WireName) -> Meeting:
    pool = trouble.pools[wire]
    fault = FAULTS[rng.choice(pool)] if pool and rng.random() < trouble.fault else None
    script = _script(rng, fault)
    if trouble.agreement and rng.random() < 0.7:
        script = msgspec.structs.replace(script, words=12)  # as long as what others say, or nothing could be taken up
    if rng.random() < trouble.thought:
        script = msgspec.structs.replace(script, reasoning="first think then speak")
    if rng.random() < trouble.tool_call:
        script = msgspec.structs.replace(script, tool_calls=(ScriptedCall(name="look", arguments='{"at": 1}'),))
    bug: Bug | None = None
    if rng.random() < trouble.bug:
        bug = rng.choice(("raise_connecting", "raise_sent", "raise_body", "wedge"))
    return Meeting(script=script, bug=bug)


def _interrupted_at(rng: random.Random, broken: str, meets: Meetings, wires: Wires) -> Meetings:
    """Break the first answer of one provider off, somewhere in its middle; mostly the others could take it up."""
    met = dict(meets)
    first, *more = met[broken]
    met[broken] = (msgspec.structs.replace(first, script=_interrupted(rng, first.script, wires[broken])), *more)
    for name, (begins, *goes_on) in meets.items():
        if name != broken and rng.random() < 0.7:
            met[name] = (Meeting(script=msgspec.structs.replace(begins.script, fault=None)), *goes_on)
    return met


def _interrupted(rng: random.Random, script: Script, wire: WireName) -> Script:
    faults = [FAULTS[name] for name in INTERRUPTIONS if exists_on(FAULTS[name], wire)]
    fault = msgspec.structs.replace(rng.choice(faults), after_chunks=rng.randint(1, 6))
    return msgspec.structs.replace(script, words=12, fault=fault)


def _client(rng: random.Random, number: int, wires: Wires, trouble: _Trouble, at_steps: int) -> ClientPlan:
    stream = rng.random() < 0.6
    leaves = rng.random() < trouble.leave
    provider = rng.choice((None, *wires))
    meets = {
        name: tuple(_meeting(rng, trouble, wire) for _ in range(rng.randint(1, 3))) for name, wire in wires.items()
    }
    if rng.random() < trouble.interruption:
        provider = rng.choice(tuple(wires))
        meets = _interrupted_at(rng, provider, meets, wires)
    return ClientPlan(
        number=number,
        # Half the clients share ticks.
        at_s=round(at_steps // rng.choice((1, 40)) * GRID_S, 6),
        timeout_s=rng.choice((GRID_S, 0.5, 3.0, 20.0)),
        provider=provider,
        alone=rng.random() < 0.2,
        stream=stream,
        on_interrupt=rng.choice(("auto", "restart", "error")),
        leaves_after_s=draw_time(rng, 3.0) if leaves else None,
        leaves=rng.choice(("close", "cancel")),
        read_gap_s=rng.choice((GRID_S, 2.0)) if stream and rng.random() < trouble.slow_reader else 0.0,
        buffer=rng.choice((1, 2, 32)),
        strategy=rng.choice((None, None, *STRATEGIES)),
        priority="batch" if rng.random() < 0.2 else "interactive",
        conversation=rng.choice((None, None, "rivers", "hills")),
        shared_words=trouble.agreement,
        meets=meets,
    )


def _healthy_client(rng: random.Random, number: int, names: tuple[str, ...]) -> ClientPlan:
    """Come after the healing, when what was broken has had time to come back, and meet nothing bad."""
    return ClientPlan(
        number=number,
        at_s=round(TROUBLED_S + HEALED_AFTER_S + number % 10 * GRID_S, 6),
        timeout_s=20.0,
        provider=rng.choice((None, *names)),
        stream=rng.random() < 0.5,
        meets={name: (Meeting(script=_script(rng, None)),) for name in names},
    )


def _with_policies(rng: random.Random, plan: Plan) -> Plan:
    """Draw the router's numbers: as they come out of the box, or anything between never and at once."""
    heals = plan.mode == "liveness"
    if rng.random() < 0.3:
        # What rests for longer than a liveness run waits cannot be healthy at its end.
        health = HealthPolicy(refused_s=60.0) if heals else HealthPolicy()
        return msgspec.structs.replace(plan, health=health)
    open_s = rng.choice((GRID_S, 1.0, 5.0))
    return msgspec.structs.replace(
        plan,
        batch_share=rng.choice((0.1, 0.75, 1.0)),
        batch_waiting_max=rng.choice((0, 1, 1024)),
        strategy=rng.choice(STRATEGIES),
        affinity_s=rng.choice((0.0, 1.0, 3600.0)),
        retry=RetryPolicy(
            same_deployment=rng.choice((0, 1, 1, 3)),
            base_s=rng.choice((GRID_S, 0.2, 1.0)),
            max_s=rng.choice((1.0, 5.0)),
            # Whoever may neither wait nor try again does not always find what has healed.
            attempts_max=rng.choice((4, 8)) if heals else rng.choice((1, 2, 4, 8)),
            wait_hint_max_s=60.0 if heals else rng.choice((0.0, 2.0, 60.0)),
            budget_ratio=rng.choice((0.0, 0.2)),
            budget_min=rng.choice((0, 1, 10)),
        ),
        health=HealthPolicy(
            failures=rng.choice((1, 2, 5)),
            failure_rate=rng.choice((0.1, 0.5, 1.0)),
            window_s=rng.choice((1.0, 30.0)),
            calls_min=rng.choice((1, 3, 20)),
            open_s=open_s,
            open_max_s=rng.choice((open_s, 10.0)),
            jitter=rng.choice((0.0, 0.2)),
            refused_s=rng.choice((0.5, 20.0)) if heals else rng.choice((0.5, 20.0, 300.0)),
            cooldown_s=rng.choice((GRID_S, 1.0)),
            silent_s=rng.choice((GRID_S, 1.0, 10.0)),
            probe_interval_s=rng.choice((None, None, 0.5)),
        ),
        hedge=HedgePolicy(
            enabled=rng.random() < 0.7,
            quantile=rng.choice((0.5, 0.95)),
            samples_min=rng.choice((1, 1, 3)),
            delay_min_s=rng.choice((GRID_S, 0.2)),
            budget_ratio=rng.choice((0.05, 0.5, 1.0)),
        ),
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
            blows.append(BlowPlan(at_s=round(at_s + draw_time(rng, 2.0), 6), kind="books_heal"))
    return tuple(sorted(blows, key=_at))


def _isolation(seed: int, rng: random.Random) -> Plan:
    """Draw a world where alpha has every trouble, and nobody goes from there to beta; some go to gamma.

    In half of the worlds beta has troubles of its own, which are the same with and without alpha's. There nothing of
    beta's falls into one tick with anything: a tie within beta would be decided by the order of tasks, and alpha's
    tasks are part of that order. In the other half beta is well and shares the grid.
    """
    troubled = rng.random() < 0.5
    alpha = _provider(rng, "alpha", knobs=True)
    beta = ProviderPlan(name="beta", wire=rng.choice(WIRE_NAMES), concurrency=64, queue=64, grid=not troubled)
    gamma = ProviderPlan(name="gamma", wire=rng.choice(WIRE_NAMES), concurrency=64, queue=64)
    wires = {each.name: each.wire for each in (alpha, beta, gamma)}
    trouble = _Trouble(rng, wires.values())
    clients: list[ClientPlan] = []
    for number in range(rng.randint(6, 24)):
        if rng.random() < 0.5:
            drawn = _client(
                rng, number, {name: wires[name] for name in ("alpha", "gamma")}, trouble, rng.randint(0, 100)
            )
            fallbacks = () if drawn.alone else ("gamma",)
            clients.append(msgspec.structs.replace(drawn, provider="alpha", alone=False, fallbacks=fallbacks))
        else:
            drawn = _client(rng, number, {"beta": wires["beta"]}, trouble, rng.randint(0, 100))
            clients.append(_off_the_grid(drawn) if troubled else _well(rng, drawn))
    blows = tuple(
        BlowPlan(
            at_s=round(rng.randint(0, 100) * GRID_S, 6), kind=rng.choice(("crash", "cancel")), target="provider/alpha"
        )
        for _ in range(rng.randint(1, 6))
    )
    weather = draw_weather(rng, ("alpha",), trouble.weather)
    if troubled:
        # What a clog holds up comes through in one tick.
        weather += tuple(w for w in draw_weather(rng, ("beta",), trouble.weather) if not isinstance(w, Clog))
    plan = Plan(
        seed=seed,
        schedule_seed=rng.getrandbits(32),
        mode="isolation",
        providers=(alpha, beta, gamma),
        clients=tuple(clients),
        blows=tuple(sorted(blows, key=_at)),
        weather=weather,
    )
    return _with_policies(rng, plan)


def _failover(seed: int, rng: random.Random) -> Plan:
    """Draw a world where one provider is sound and has room for everybody, and nothing but the others is in the way."""
    plan = _drawn(rng.getrandbits(32), "safety")
    while len(plan.providers) == 1:
        plan = _drawn(rng.getrandbits(32), "safety")
    sound = rng.choice(plan.providers)
    roomy = msgspec.structs.replace(sound, concurrency=64, queue=64, proof="none")
    plan = without_faults_of(plan, sound.name)
    return msgspec.structs.replace(
        plan,
        seed=seed,
        mode="failover",
        sound=sound.name,
        providers=tuple(roomy if each is sound else each for each in plan.providers),
        blows=tuple(blow for blow in plan.blows if blow.target.startswith("provider/")),
        in_flight_max=1024,
        batch_share=1.0,
        retry=msgspec.structs.replace(plan.retry, attempts_max=8, wait_here_s=rng.choice((0.0, 1.0, 3.0))),
        # Or those who leave early would have it rest.
        health=msgspec.structs.replace(plan.health, silent_s=10.0),
    )


def _off_the_grid(client: ClientPlan) -> ClientPlan:
    """Pin a client to beta, at times that no other client has."""
    return msgspec.structs.replace(
        client,
        provider="beta",
        alone=True,
        at_s=client.at_s + 0.0013 * (client.number + 1),
        # Of no other client, and of no multiple of the grid later than its own.
        timeout_s=client.timeout_s + 0.00007 * (client.number + 1),
        leaves_after_s=None if client.leaves_after_s is None else client.leaves_after_s + 0.00011 * (client.number + 1),
        # Whether a stream finds room in the tick in which its reader makes some is for the order of tasks to say.
        read_gap_s=0.0,
        buffer=32,
    )


def _well(rng: random.Random, client: ClientPlan) -> ClientPlan:
    """Pin a client to beta, where it meets nothing bad.

    What it does itself falls between the lines of the grid; what beta does to it falls on them.
    """
    return msgspec.structs.replace(
        client,
        provider="beta",
        alone=True,
        meets={"beta": (Meeting(script=_script(rng, None)),)},
        timeout_s=client.timeout_s + GRID_S * 0.3,
        leaves_after_s=None if client.leaves_after_s is None else client.leaves_after_s + GRID_S * 0.6,
        read_gap_s=0.0,
        buffer=32,
    )


def _at(blow: BlowPlan) -> float:
    return blow.at_s
