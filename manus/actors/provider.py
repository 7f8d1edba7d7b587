"""Own the actor of one provider entry: its incarnation's connections, its places, the task of each call.

What a provider says (401, 429, 5xx, a malformed stream, silence) is data in a `CallEnded` and never a crash; only a
bug spends the fault budget. Calls beyond the places wait in the mailbox, where a crash does not reach them.
"""

from __future__ import annotations

from functools import partial

from manus.actors.delivery import Delivery
from manus.actors.provider_call import ProviderCall
from manus.actors.provider_probe import answer_probe
from manus.actors.upstream import ProviderCounters, ProviderSpec, Upstream
from manus.messages.calls import Call, ProbeAsked, ProviderStatus, StatusAsked
from manus.supervisor.context import Context
from manus.supervisor.envelope import Envelope
from manus.supervisor.fault_budget import FaultBudget
from manus.supervisor.spec import Backoff, ChildSpec, Intensity, MailboxSpec

FAULTS = FaultBudget(max_faults=3, period_s=10.0)
"""Crashed requests that one incarnation survives: a poisonous answer must not kill forty good streams."""


RESTARTS = Intensity()
BACKOFF = Backoff()
"""How a provider actor comes back, unless the wiring says otherwise."""


def provider_child(
    spec: ProviderSpec,
    *,
    actor: str | None = None,
    counters: ProviderCounters | None = None,
    intensity: Intensity = RESTARTS,
    backoff: Backoff = BACKOFF,
    quarantine_s: float = 30.0,
) -> ChildSpec:
    """Describe the actor of `spec` to its supervisor: permanent, quarantined rather than escalated.

    Args:
        spec: what the actor is handed.
        actor: its id, where it is not `provider/<name>`.
        counters: goes on with these, which another actor of the entry has counted with so far.
        intensity, backoff, quarantine_s: how it comes back.
    """
    return ChildSpec(
        id=actor or f"provider/{spec.name}",
        start=partial(run_provider, spec),
        mailbox=MailboxSpec(capacity=spec.queue, overflow="block"),
        intensity=intensity,
        backoff=backoff,
        on_exhausted="quarantine",
        quarantine_s=quarantine_s,
        cell=ProviderCounters if counters is None else counters.itself,
    )


async def run_provider(spec: ProviderSpec, ctx: Context) -> None:
    """Serve calls to one provider until drained, cancelled or broken. Its connections end with it."""
    upstream = Upstream(spec, ctx.cell)
    actor = ProviderActor(upstream)
    try:
        ctx.started()
        await ctx.serve(actor.handle, places=spec.concurrency, fault_budget=FAULTS, own_scope=True)
    finally:
        await upstream.aclose()


class ProviderActor:
    """One incarnation."""

    __slots__ = ("_in_flight", "_upstream")

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._in_flight = 0

    async def handle(self, env: Envelope) -> object:
        """Answer one envelope: a `Call` with a `CallEnded`, a question with its answer."""
        match env.message:
            case Call() as call:
                delivery = env.sink
                assert isinstance(delivery, Delivery), "a call needs the delivery that its answer goes through"
                self._in_flight += 1
                try:
                    return await ProviderCall(self._upstream, env, call, delivery).run()
                finally:
                    self._in_flight -= 1
            case ProbeAsked() as asked:
                return await answer_probe(self._upstream, env, asked)
            case StatusAsked():
                return self._status()
            case other:
                raise TypeError(f"a provider actor was sent a {type(other).__name__}")

    def _status(self) -> ProviderStatus:
        spec, counters = self._upstream.spec, self._upstream.counters
        return ProviderStatus(
            name=spec.name,
            type=spec.policy.type,
            state="running",
            models=tuple(card.name for card in spec.policy.models),
            in_flight=self._in_flight,
            limit=spec.concurrency,
            calls=counters.calls,
            failures=counters.failures,
            last_failure=counters.last_failure,
        )
