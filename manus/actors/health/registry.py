"""Own which deployments and keys are tracked, which of them are unwell, and the moves that wait to be told."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from manus.actors.health.tracked import Tracked, TrackedKey
from manus.actors.jitter import Jitter
from manus.messages.ids import DeploymentId
from manus.messages.routing_policy import HealthPolicy
from manus.messages.watching import BreakerMoved

TRACKED_MAX: Final = 1024
"""Deployments that are tracked; an entry that takes any model name could invent more."""

EVICTION_LOOKS: Final = 16
"""Deployments that are looked at to find one that can be forgotten, when there are too many."""

UNTOLD_MAX: Final = 2048
"""Moves that wait for somebody to tell them: all deployments of a key move at once when the key is refused."""


Stays = Callable[[str, str | None, DeploymentId], bool]
"""Whether what is known of a provider's deployment under a key is still true after the configuration has changed."""


class Registry:
    """All that is tracked."""

    __slots__ = ("_policy", "_seed", "_untold", "deployments", "keys", "unwell")

    def __init__(self, policy: HealthPolicy, seed: int) -> None:
        self._policy = policy
        self._seed = seed
        self._untold: deque[BreakerMoved] = deque(maxlen=UNTOLD_MAX)
        self.deployments: dict[DeploymentId, Tracked] = {}
        self.keys: dict[tuple[str, str | None], TrackedKey] = {}
        self.unwell: set[DeploymentId] = set()

    def look_up(self, deployment: DeploymentId, provider: str, key: str | None) -> Tracked | None:
        """Give what is known of a deployment; None where nothing is, and its key is well as far as is known.

        One that is not tracked stays so, even though it rests with its key.
        """
        tracked = self.deployments.get(deployment)
        if tracked is None:
            shared = self.keys.get((provider, key))
            if shared is not None and shared.breaker.state != "closed":
                return Tracked(deployment, shared, self._policy, Jitter(self._seed, deployment))
        return tracked

    def track(self, deployment: DeploymentId, provider: str, key: str | None) -> Tracked:
        """Begin to track a deployment; where there are too many, one that nobody uses is forgotten, or this one."""
        if len(self.deployments) >= TRACKED_MAX:
            self._forget_one()
        shared = self.keys.get((provider, key))
        if shared is None:
            shared = TrackedKey(provider, key, self._policy, Jitter(self._seed, f"{provider} key {key}"))
        tracked = Tracked(deployment, shared, self._policy, Jitter(self._seed, deployment))
        if len(self.deployments) < TRACKED_MAX:
            self.keys[provider, key] = shared
            shared.deployments[deployment] = self.deployments[deployment] = tracked
            self.mark(tracked, well=tracked.well)
        return tracked

    def reconfigure(self, policy: HealthPolicy, stays: Stays) -> None:
        """Go by another policy, and forget what is not true any more: attempts that run there end without a trace."""
        self._policy = policy
        for tracked in list(self.deployments.values()):
            if stays(tracked.key.provider, tracked.key.key, tracked.deployment):
                tracked.breaker.adopt(policy)
                tracked.cooldown.adopt(policy)
                continue
            del self.deployments[tracked.deployment]
            del tracked.key.deployments[tracked.deployment]
            self.unwell.discard(tracked.deployment)
        for name, key in list(self.keys.items()):
            key.breaker.adopt(policy)
            if not key.deployments:
                del self.keys[name]

    def knows(self, tracked: Tracked) -> bool:
        """Whether this very record is kept: one that was forgotten may have a successor of its name."""
        return self.deployments.get(tracked.deployment) is tracked

    def mark(self, tracked: Tracked, *, well: bool) -> None:
        """Note whether something stands in the way of asking it."""
        tracked.well = well
        if not self.knows(tracked):
            return
        if well:
            self.unwell.discard(tracked.deployment)
        else:
            self.unwell.add(tracked.deployment)

    def restate(self, tracked: Tracked, now: float) -> None:
        """Look at a deployment after its own breaker may have moved, or its rest may be over."""
        self._show(tracked, now, tracked.breaker.why)

    def restate_key(self, key: TrackedKey, now: float) -> None:
        """Look at all deployments under a key whose breaker moved: each of them shows it."""
        for tracked in key.deployments.values():
            self._show(tracked, now, key.breaker.why)

    def take_moves(self) -> tuple[BreakerMoved, ...]:
        """Give the moves that nobody has told yet, the oldest first."""
        if not self._untold:
            return ()
        moves = tuple(self._untold)
        self._untold.clear()
        return moves

    def _show(self, tracked: Tracked, now: float, why: str) -> None:
        moved = tracked.restate(now, why)
        if moved is not None and self.knows(tracked):
            self._untold.append(moved)
        self.mark(tracked, well=tracked.shown == "closed" and not tracked.cooldown.rest.holds(now))

    def _forget_one(self) -> None:
        """Forget, of the longest-known, the one that was not used for longest, if it is well and idle."""
        oldest = [self.deployments[name] for name, _ in zip(self.deployments, range(EVICTION_LOOKS), strict=False)]
        for tracked in oldest:  # next time others are looked at
            self.deployments[tracked.deployment] = self.deployments.pop(tracked.deployment)
        idle = [tracked for tracked in oldest if tracked.well and not tracked.in_flight]
        if not idle:
            return
        forgotten = min(idle, key=_used_at)
        del self.deployments[forgotten.deployment]
        key = forgotten.key
        del key.deployments[forgotten.deployment]
        if not key.deployments and key.breaker.state == "closed":
            del self.keys[key.provider, key.key]


def _used_at(tracked: Tracked) -> float:
    return tracked.used_at
