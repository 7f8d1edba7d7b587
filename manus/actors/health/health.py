"""Own how every deployment is doing: whether it may be asked, by whom, how fast it is, and what came of its attempts.

Lives in the router's durable cell and survives its crashes; every method is one synchronous, total mutation. Pure:
`now` is an argument, and jitter comes from the generator that it is given.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator
from typing import Final

from manus.actors.health.breaker import Breaker
from manus.actors.health.counting import Effect, effect_of, in_words
from manus.actors.health.rest import believed
from manus.actors.health.tracked import Tracked, TrackedKey
from manus.actors.health.verdicts import PROBE, READY, RETURNED, NotBefore, Ready, Ticket
from manus.messages.failures import Failed
from manus.messages.ids import DeploymentId
from manus.messages.outcomes import RateLimitReading
from manus.messages.routing import DeploymentMetrics
from manus.messages.routing_policy import HealthPolicy
from manus.messages.watching import BreakerMoved

TRACKED_MAX: Final = 1024
"""Deployments that are tracked; an entry that takes any model name could invent more."""

EVICTION_LOOKS: Final = 16
"""Deployments that are looked at to find one that can be forgotten, when there are too many."""

UNTOLD_MAX: Final = 256
"""Moves that wait for somebody to tell them."""


class Health:
    """The health of all deployments."""

    __slots__ = ("_hold_s", "_incarnation", "_keys", "_policy", "_rng", "_tracked", "_untold", "_unwell")

    def __init__(self, policy: HealthPolicy, rng: random.Random) -> None:
        self._policy = policy
        self._rng = rng
        self._tracked: dict[DeploymentId, Tracked] = {}
        self._keys: dict[tuple[str, str | None], TrackedKey] = {}
        self._unwell: set[DeploymentId] = set()
        self._untold: deque[BreakerMoved] = deque(maxlen=UNTOLD_MAX)
        self._incarnation = 0
        self._hold_s = 2.0 * (policy.probe_interval_s or 0.0)

    # --- may it be asked ------------------------------------------------------------------------------

    @property
    def all_well(self) -> bool:
        """Whether no deployment rests, as far as has been looked: then nobody need ask for a verdict."""
        return not self._unwell

    def verdict(self, deployment: DeploymentId, *, provider: str, key: str | None, now: float) -> Ready | NotBefore:
        """Say whether it may be asked now. Takes nothing: `begin` may say otherwise."""
        tracked = self._tracked.get(deployment)
        if tracked is None:
            shared = self._keys.get((provider, key))
            if shared is None or shared.breaker.state == "closed":
                return READY
            tracked = Tracked(deployment, shared, self._policy, self._rng)
        if tracked.well:
            return READY
        refusal = tracked.refusal(now, self._hold_s)
        if refusal is not None:
            return refusal
        return READY if tracked.state == "closed" else PROBE

    def begin(self, deployment: DeploymentId, *, provider: str, key: str | None, now: float) -> Ticket | NotBefore:
        """Take a place for an attempt that starts now, and the probe, where it is to be one."""
        tracked = self._tracked.get(deployment)
        if tracked is None:
            tracked = self._track(deployment, provider, key)
        own_probe = key_probe = False
        if not tracked.well:
            refusal = tracked.refusal(now, self._hold_s)
            if refusal is not None:
                return refusal
            own_probe = self._begin_probe(tracked.breaker)
            key_probe = self._begin_probe(tracked.key.breaker)
            self._restate(tracked, now, moved=own_probe, key_moved=key_probe)
        tracked.in_flight += 1
        tracked.used_at = now
        return Ticket(tracked, now, self._incarnation, own_probe, key_probe)

    # --- what came of it ------------------------------------------------------------------------------

    def ended(
        self,
        ticket: Ticket,
        *,
        failure: Failed | None,
        now: float,
        first_content_s: float | None,
        latency_s: float | None,
        rate_limits: tuple[RateLimitReading, ...] = (),
        silent: bool = False,
    ) -> tuple[BreakerMoved, ...]:
        """Learn from the end of an attempt; gives the moves to tell. A second call does nothing.

        Args:
            ticket: from `begin`.
            failure: None is success.
            now: the loop's clock.
            first_content_s: seconds from the attempt's start to its first content, where any came.
            latency_s: seconds that it took in all.
            rate_limits: what the vendor's headers told.
            silent: the request's deadline passed before anything came of the attempt.
        """
        if not self._return(ticket):
            return ()
        tracked = ticket.tracked
        effect = effect_of(failure, silent=silent and now - ticket.began_at >= self._policy.silent_s)
        self._note_speed(tracked, effect, failure, first_content_s, latency_s, now)
        if effect == "good":
            tracked.outcomes.count(True, now)
            tracked.good_at = now
        elif effect == "bad":
            tracked.outcomes.count(False, now)
        self._note_patience(ticket, effect, failure, rate_limits, now)
        self._judge(ticket, effect, failure, now)
        if not self._untold:
            return ()
        told = tuple(self._untold)
        self._untold.clear()
        return told

    def withdrawn(self, ticket: Ticket, *, now: float, waited_s: float | None = None) -> None:
        """Give back the place, and the probe, of an attempt that says nothing: its caller left, or it never started.

        `waited_s` is how long a hedged attempt that lost had waited for its first content in vain: without those the
        slow ones would be missing from what "slow" is measured by.
        """
        if not self._return(ticket):
            return
        tracked = ticket.tracked
        if waited_s is not None:
            tracked.first_contents.add(waited_s)
            tracked.first_content.raise_to(waited_s, now)
        self._judge(ticket, "nothing", None, now)

    def new_incarnation(self) -> None:
        """Forget the attempts of a router that died: their places and probes are free, their tickets void."""
        self._incarnation += 1
        for tracked in self._tracked.values():
            tracked.in_flight = 0
            tracked.breaker.lose_probe()
        for key in self._keys.values():
            key.breaker.lose_probe()

    # --- what is known ----------------------------------------------------------------------------------

    def in_flight(self, deployment: DeploymentId) -> int:
        """Count the attempts that run at it."""
        tracked = self._tracked.get(deployment)
        return 0 if tracked is None else tracked.in_flight

    def first_content_quantile(self, deployment: DeploymentId, q: float, *, samples_min: int = 1) -> float | None:
        """Give the quantile `q` of the recent times to first token; None where fewer than `samples_min` are known."""
        tracked = self._tracked.get(deployment)
        if tracked is None or len(tracked.first_contents) < samples_min:
            return None
        return tracked.first_contents.quantile(q)

    def latency_cost(self, deployment: DeploymentId, now: float) -> float:
        """Give the peak-sensitive latency times the attempts there would be with one more; the least is asked."""
        tracked = self._tracked.get(deployment)
        return 0.0 if tracked is None else tracked.cost(now)

    def latency(self, deployment: DeploymentId, now: float) -> float | None:
        """Give how long an attempt takes, less what time has taken off it since the last one; None: unknown."""
        tracked = self._tracked.get(deployment)
        return None if tracked is None else tracked.latency.faded(now)

    def success_rate(self, deployment: DeploymentId, now: float) -> float | None:
        """Give the share of attempts of the last minutes that did not fail; None where there were none."""
        tracked = self._tracked.get(deployment)
        return None if tracked is None else tracked.success_rate(now)

    def metrics(self, now: float) -> Iterator[DeploymentMetrics]:
        """Tell how each deployment is doing; the counts of its attempts are left at zero."""
        for tracked in self._tracked.values():
            yield tracked.metrics(now, self._hold_s)

    # --- inside -------------------------------------------------------------------------------------------

    def _return(self, ticket: Ticket) -> bool:
        """Take a ticket back; False where that happened already, or its router is dead."""
        if ticket.incarnation != self._incarnation:
            return False
        ticket.incarnation = RETURNED
        ticket.tracked.in_flight -= 1
        return True

    def _judge(self, ticket: Ticket, effect: Effect, failure: Failed | None, now: float) -> None:
        """Move the breakers: its own, the key's, or neither."""
        tracked = ticket.tracked
        own, key = tracked.breaker, tracked.key.breaker
        before, key_before = own.state, key.state
        in_time = ticket.epoch == own.epoch
        key_in_time = ticket.key_epoch == key.epoch
        if effect == "model_refused" and (ticket.key_probe or not self._opens_elsewhere(tracked, now)):
            effect = "key_refused"
        why = "" if failure is None else in_words(failure)
        rest_s = self._refused_s(failure) if effect in ("key_refused", "model_refused") else 0.0
        if ticket.own_probe:
            match effect:
                case "good":
                    own.probe_succeeded("the probe succeeded")
                case "bad":
                    own.probe_failed(now, f"the probe failed: {why}")
                case "model_refused":
                    own.probe_failed(now, f"the vendor refuses the key here: {why}", rest_s)
                case _:
                    own.probe_left()
        elif in_time:
            match effect:
                case "good":
                    own.count_good(now)
                case "bad":
                    own.count_bad(now, why)
                case "model_refused":
                    own.trip(now, rest_s, f"the vendor refuses the key here: {why}")
                case _:
                    pass
        if ticket.key_probe:
            match effect:
                case "good":
                    key.probe_succeeded("the key is accepted again")
                case "key_refused":
                    key.probe_failed(now, f"the vendor refuses the key: {why}", rest_s)
                case _:
                    key.probe_left()
        elif key_in_time and effect == "key_refused":
            key.trip(now, rest_s, f"the vendor refuses the key: {why}")
        if key.state != key_before and key.state == "open":
            assert failure is not None
            tracked.key.listed = failure.kind != "quota_exhausted"
        if before != own.state or key_before != key.state or not tracked.well:
            self._restate(tracked, now, moved=before != own.state, key_moved=key_before != key.state)

    def _note_patience(
        self,
        ticket: Ticket,
        effect: Effect,
        failure: Failed | None,
        rate_limits: tuple[RateLimitReading, ...],
        now: float,
    ) -> None:
        cooldown = ticket.tracked.cooldown
        if rate_limits:
            cooldown.exhausted(rate_limits, refused=effect == "cooling", now=now)
        if failure is None:
            cooldown.proven(began_at=ticket.began_at)
        elif effect == "cooling":
            cooldown.refused(failure, began_at=ticket.began_at, now=now)
        elif effect == "bad":
            cooldown.told(failure.retry_after_s, now)
        if cooldown.rest.until > now:
            self._mark(ticket.tracked, well=False)

    @staticmethod
    def _note_speed(
        tracked: Tracked,
        effect: Effect,
        failure: Failed | None,
        first_content_s: float | None,
        latency_s: float | None,
        now: float,
    ) -> None:
        """Take in how fast it was. A failure is never a reason to think it fast: those who refuse are quick."""
        if first_content_s is not None:
            tracked.first_content.observe(first_content_s, now)
            tracked.first_contents.add(first_content_s)
        if latency_s is None:
            return
        if effect == "good":
            tracked.latency.observe(latency_s, now)
        elif effect == "bad" and failure is not None and failure.kind in ("timeout", "deadline"):
            tracked.latency.raise_to(latency_s, now)
            if first_content_s is None:
                tracked.first_content.raise_to(latency_s, now)
                tracked.first_contents.add(latency_s)

    def _refused_s(self, failure: Failed | None) -> float:
        """Say how long to rest after a refusal of the key: for long; for longer where the vendor says so.

        What our own credentials say, when they have nothing to show, is exact.
        """
        assert failure is not None
        hint_s = believed(failure.retry_after_s) or 0.0
        if hint_s and failure.status is None:
            return hint_s
        return max(hint_s, self._policy.refused_s * (1.0 + self._policy.jitter * self._rng.random()))

    def _opens_elsewhere(self, tracked: Tracked, now: float) -> bool:
        """Whether the key was accepted for another model lately, so that a refusal is of this model alone."""
        since = now - self._policy.refused_s
        return any(
            other is not tracked and other.good_at is not None and other.good_at >= since
            for other in tracked.key.deployments.values()
        )

    @staticmethod
    def _begin_probe(breaker: Breaker) -> bool:
        if breaker.state == "closed":
            return False
        breaker.begin_probe()
        return True

    def _restate(self, tracked: Tracked, now: float, *, moved: bool, key_moved: bool) -> None:
        """Note what follows from moves of a deployment's breaker and of its key's, for it and all under that key."""
        if key_moved:
            for other in tracked.key.deployments.values():
                self._show(other, now, tracked.key.breaker.why)
        self._show(tracked, now, tracked.breaker.why if moved else tracked.key.breaker.why)

    def _show(self, tracked: Tracked, now: float, why: str) -> None:
        moved = tracked.restate(now, why)
        if moved is not None:
            self._untold.append(moved)
        self._mark(tracked, well=tracked.shown == "closed" and not tracked.cooldown.rest.holds(now))

    def _mark(self, tracked: Tracked, *, well: bool) -> None:
        tracked.well = well
        if well:
            self._unwell.discard(tracked.deployment)
        elif tracked.deployment in self._tracked:
            self._unwell.add(tracked.deployment)

    def _track(self, deployment: DeploymentId, provider: str, key: str | None) -> Tracked:
        """Begin to track a deployment; where there are too many, one that nobody uses is forgotten, or this one."""
        if len(self._tracked) >= TRACKED_MAX:
            self._forget_one()
        shared = self._keys.get((provider, key)) or TrackedKey(provider, key, self._policy, self._rng)
        tracked = Tracked(deployment, shared, self._policy, self._rng)
        if len(self._tracked) < TRACKED_MAX:
            self._keys[provider, key] = shared
            shared.deployments[deployment] = self._tracked[deployment] = tracked
            self._mark(tracked, well=tracked.well)
        return tracked

    def _forget_one(self) -> None:
        """Forget the one of the longest-known that was not used for longest, if it is well and idle."""
        oldest = [self._tracked[name] for name, _ in zip(self._tracked, range(EVICTION_LOOKS), strict=False)]
        for tracked in oldest:  # next time others are looked at
            self._tracked[tracked.deployment] = self._tracked.pop(tracked.deployment)
        idle = [tracked for tracked in oldest if tracked.well and not tracked.in_flight]
        if not idle:
            return
        forgotten = min(idle, key=_used_at)
        del self._tracked[forgotten.deployment]
        key = forgotten.key
        del key.deployments[forgotten.deployment]
        if not key.deployments and key.breaker.state == "closed":
            del self._keys[key.provider, key.key]


def _used_at(tracked: Tracked) -> float:
    return tracked.used_at
