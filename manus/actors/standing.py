"""Own what a plan may know besides the configuration: how deployments are doing, and what planning remembers.

Everything is handed in: the clock's reading, the randomness, the observations. That keeps plans pure, and tests exact.
"""

from __future__ import annotations

import random
from typing import Protocol

import msgspec

from manus.actors.affinity import Affinity, Turns
from manus.actors.health.verdicts import READY, NotBefore, Ready
from manus.messages.ids import DeploymentId


class Readings(Protocol):
    """What planning reads of the deployments' health. It asks and takes nothing."""

    @property
    def all_well(self) -> bool:
        """Whether nothing rests: then nobody needs to be asked one by one."""
        ...

    def verdict(self, deployment: DeploymentId, *, provider: str, key: str | None, now: float) -> Ready | NotBefore:
        """Say whether it may be asked now."""
        ...

    def in_flight(self, deployment: DeploymentId) -> int:
        """Tell how many attempts are running there."""
        ...

    def latency_cost(self, deployment: DeploymentId, now: float) -> float:
        """Give the peak-sensitive average latency in seconds times what is in flight and one more."""
        ...

    def latency(self, deployment: DeploymentId, now: float) -> float | None:
        """Give the average latency in seconds; None where nothing was observed."""
        ...

    def success_rate(self, deployment: DeploymentId, now: float) -> float | None:
        """Give the share of recent attempts that succeeded; None where nothing was observed."""
        ...


class Unobserved:
    """The readings of deployments that nobody has asked yet."""

    __slots__ = ()

    all_well = True

    def verdict(self, deployment: DeploymentId, *, provider: str, key: str | None, now: float) -> Ready | NotBefore:
        """Everybody may be asked."""
        return READY

    def in_flight(self, deployment: DeploymentId) -> int:
        """Nothing runs."""
        return 0

    def latency_cost(self, deployment: DeploymentId, now: float) -> float:
        """No cost is known, so that everybody is tried."""
        return 0.0

    def latency(self, deployment: DeploymentId, now: float) -> float | None:
        """Nothing was observed."""
        return None

    def success_rate(self, deployment: DeploymentId, now: float) -> float | None:
        """Nothing was observed."""
        return None


UNOBSERVED = Unobserved()


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How things stand when a plan is made.

    Args:
        now: the loop's clock.
        health: what was observed of the deployments.
        rng: where draws come from.
        turns: whose turn it is; making a plan may take one.
        affinity: who answered which conversation last; making a plan only reads it.
    """

    now: float
    health: Readings
    rng: random.Random
    turns: Turns
    affinity: Affinity

    def rehearsal(self) -> Standing:
        """Give a standing in which a plan comes out as it would now, and leaves no trace: for dry runs."""
        rng = random.Random()
        rng.setstate(self.rng.getstate())
        return Standing(now=self.now, health=self.health, rng=rng, turns=self.turns.copy(), affinity=self.affinity)
