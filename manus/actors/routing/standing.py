"""Own what a plan may know besides the configuration: how deployments are doing, and what planning remembers.

Everything is handed in: the clock's reading, the randomness, the observations. That keeps plans pure, and tests exact.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from manus.actors.health.verdicts import NotBefore, Ready
from manus.actors.jitter import Jitter
from manus.actors.routing.affinity import Affinity, Turns
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


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How things stand when a plan is made.

    Args:
        now: the loop's clock.
        health: what was observed of the deployments.
        chance: where draws come from; the request's own, so that nobody else's plan moves it.
        turns: whose turn it is; making a plan may take one.
        affinity: who answered which conversation last; making a plan only reads it.
    """

    now: float
    health: Readings
    chance: Jitter
    turns: Turns
    affinity: Affinity

    def rehearsal(self) -> Standing:
        """Give a standing in which a plan comes out as it would now, and leaves no trace: for dry runs."""
        return msgspec.structs.replace(self, chance=self.chance.anew(), turns=self.turns.copy())
