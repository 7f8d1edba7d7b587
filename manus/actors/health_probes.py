"""Own the task of the router that asks for lists of models where deployments rest, so that no request need try first.

Only while `probe_interval_s` is set. It asks when a rest is over, and never earlier: a vendor that is down is asked
no more often by this than it would be by requests.
"""

from __future__ import annotations

import random
from typing import Final

import trio

from manus.actors.health.free_probes import FreeProbe
from manus.actors.journey.attempt import failure_of_terminal
from manus.actors.provider_probe import PROBE_S
from manus.actors.router_desk import Desk
from manus.messages.calls import ProbeAsked, Probed
from manus.supervisor.ref import Ref
from manus.supervisor.terminals import ActorFailed, Expired, Unavailable, Undelivered, Withdrawn

ANSWER_S: Final = PROBE_S + 1.0
"""How long an answer is waited for: the probe's own bound, and a little for a place at the actor."""


class HealthProbes:
    """The probes of one incarnation of the router; at most one at a time for each key of each provider."""

    __slots__ = ("_asked", "_desk", "_rng")

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        seed = desk.spec.seed
        self._rng = random.Random(None if seed is None else f"free probes of {seed}")
        self._asked: set[tuple[str, str | None]] = set()

    async def run(self) -> None:
        """Look for who may be asked, for ever; ends only by cancellation, and its probes with it."""
        health = self._desk.cell.health
        async with trio.open_nursery(strict_exception_groups=True) as nursery:
            while True:
                policy, changed = self._desk.spec.policy.health, self._desk.reconfigured
                if policy.probe_interval_s is None:
                    await changed.wait()
                    continue
                with trio.move_on_after(policy.probe_interval_s * (1.0 - policy.jitter * self._rng.random())):
                    await changed.wait()
                    continue
                now = trio.current_time()
                for provider, key in health.probes_due(now):
                    if (provider, key) in self._asked:
                        continue
                    probe = health.begin_probe(provider, key, now)
                    if probe is not None:
                        self._asked.add((provider, key))
                        nursery.start_soon(self._ask, probe, self._desk.lane(provider).ref)

    async def _ask(self, probe: FreeProbe, provider: Ref) -> None:
        desk = self._desk
        name = (probe.provider, probe.key)
        try:
            deadline = trio.current_time() + ANSWER_S
            answer = await provider.ask(ProbeAsked(key=probe.key), deadline=deadline, shed=True)
        finally:
            self._asked.discard(name)
        match answer:
            case Probed() as probed:
                pass
            case ActorFailed() | Undelivered() | Unavailable() | Expired() | Withdrawn() as terminal:
                # That is about our own actor; what its vendor would say is not known.
                probed = Probed(failure=failure_of_terminal(terminal, provider=probe.provider, model=""))
            case other:
                raise TypeError(f"a provider answered a probe with a {type(other).__name__}")
        for move in desk.cell.health.probed(probe, probed, now=trio.current_time()):
            desk.emit(move)
