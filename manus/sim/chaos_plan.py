"""Own plans of the chaos engine: everything one run consists of, as data.

A plan fixes the providers and their knobs, the clients and what each meets where, the weather, the faults and the order
in which tasks run. Rules never run inside the loop: the same plan gives the same run. `chaos_draw` draws one from a
seed; one that broke something is kept as JSON.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from manus.messages.limits import AdmissionPolicy
from manus.messages.requests import OnCancel, OnInterrupt, Priority, Strategy
from manus.messages.routing_policy import HealthPolicy, HedgePolicy, RetryPolicy
from manus.sim.behaviour import Prefill, Script
from manus.sim.chaos_weather import ClockJump, Weather, elsewhere
from manus.sim.quota import VendorLimits
from manus.sim.wire import WireName

Mode = Literal["safety", "liveness", "isolation", "failover"]
"""Faults all along; faults until `heal_at_s`, then everything must come right; faults at one provider alone, so that
the run can be compared with the same run without them; faults at all providers but one, which is sound, so that
whoever may be answered by that one has to be."""

Bug = Literal["raise_connecting", "raise_sent", "raise_body", "wedge"]
"""What an injected bug of ours does to the request that meets it: raise where nothing may, or ignore cancellation."""

Blow = Literal["crash", "cancel", "books_refuse", "books_stall", "books_heal"]
"""What is done to the tree itself: an actor crashes or is cancelled; the disk refuses, stalls, recovers."""

Proof = Literal["none", "keys", "tokens"]
"""How a provider is let into: with nothing; with several keys, each a deployment of its own; with tokens that expire
and are fetched anew."""


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
        fallbacks: who may answer besides; None leaves it to the router.
        leaves_after_s: when the caller loses interest, from `at_s`; None: never.
        leaves: `close` walks away, `cancel` cancels and waits for the last word.
        read_gap_s: how long a streaming caller rests between reads.
        buffer: how many event lists a streaming caller may be behind.
        conversation: the chat that it belongs to.
        on_cancel: what becomes of its calls when it leaves; None leaves it to the router's policy.
        tags: what its attempts are tagged with.
        shared_words: so many words, from the first, are the same in all answers to it: as from models that agree at
            first, or to the end.
        meets: per provider, attempt after attempt; the last repeats.
    """

    number: int
    at_s: float
    timeout_s: float
    provider: str | None = None
    alone: bool = False
    fallbacks: tuple[str, ...] | None = None
    stream: bool = False
    on_interrupt: OnInterrupt = "auto"
    leaves_after_s: float | None = None
    leaves: Literal["close", "cancel"] = "close"
    read_gap_s: float = 0.0
    buffer: int = 32
    strategy: Strategy | None = None
    priority: Priority = "interactive"
    conversation: str | None = None
    on_cancel: OnCancel | None = None
    tags: tuple[str, ...] = ()
    shared_words: int = 0
    meets: dict[str, tuple[Meeting, ...]] = {}


class ProviderPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One provider entry and its knobs.

    Args:
        wide: it has a second model, with a larger window, for what does not fit into the first.
        prefill: what its models make of an answer that they are to go on with, and its catalogue knows it if they do;
            None for what the vendor's do.
        limits: what it serves per minute and at once, and refuses beyond.
        grid: its events fall on the grid; else nothing of it ever falls into one tick with anything.
    """

    name: str
    wire: WireName = "openai"
    concurrency: int = 8
    queue: int = 8
    max_restarts: int = 50
    backoff_s: float = 0.2
    quarantine_s: float = 2.0
    proof: Proof = "none"
    prefill: Prefill | None = None
    wide: bool = False
    weight: float = 1.0
    limits: VendorLimits | None = None
    grid: bool = True


class BlowPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Something done to the tree at a time. `target` is an actor's id; the books have none."""

    at_s: float
    kind: Blow
    target: str = ""


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One run. Timeouts are those of every provider; `in_flight_max` and what follows it are the router's policy.

    `sound` names the provider that has nothing wrong, in mode `failover`. `admission` are our own limits and budgets.
    """

    seed: int
    schedule_seed: int
    mode: Mode
    providers: tuple[ProviderPlan, ...]
    clients: tuple[ClientPlan, ...]
    blows: tuple[BlowPlan, ...] = ()
    weather: tuple[Weather, ...] = ()
    jumps: tuple[ClockJump, ...] = ()
    heal_at_s: float | None = None
    sound: str | None = None
    headers_s: float = 2.0
    first_content_s: float = 2.0
    idle_s: float = 1.0
    total_s: float = 8.0
    shutdown_s: float = 0.5
    consumer_stall_s: float = 1.0
    confirm_s: float = 0.5
    on_cancel: OnCancel = "abort"
    drain_s: float = 60.0
    drains_max: int = 64
    admission: AdmissionPolicy = AdmissionPolicy()
    in_flight_max: int = 1024
    batch_share: float = 0.75
    batch_waiting_max: int = 1024
    strategy: Strategy = "priority"
    affinity_s: float = 3600.0
    retry: RetryPolicy = RetryPolicy()
    health: HealthPolicy = HealthPolicy()
    hedge: HedgePolicy = HedgePolicy()

    @property
    def horizon_s(self) -> float:
        """Virtual time by which everything is over, or something hangs."""
        last = max(client.at_s + client.timeout_s for client in self.clients)
        return last + self.total_s + 60.0


def without_faults_of(plan: Plan, name: str) -> Plan:
    """Give the same plan with nothing wrong at provider `name`: no fault, bug, blow, bad weather; all else as it is."""
    clients = tuple(
        msgspec.structs.replace(
            client, meets={each: _harmless(met) if each == name else met for each, met in client.meets.items()}
        )
        for client in plan.clients
    )
    blows = tuple(blow for blow in plan.blows if blow.target != f"provider/{name}")
    return msgspec.structs.replace(plan, clients=clients, blows=blows, weather=elsewhere(plan.weather, name))


def _harmless(met: tuple[Meeting, ...]) -> tuple[Meeting, ...]:
    return tuple(Meeting(script=msgspec.structs.replace(meeting.script, fault=None)) for meeting in met)
