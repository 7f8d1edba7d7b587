"""Own what the effect of an attempt's end does to the breakers: the deployment's own, and that of its key."""

from __future__ import annotations

from manus.actors.health.breaker import Breaker
from manus.actors.health.counting import Effect, in_words
from manus.actors.health.rest import believed
from manus.actors.health.tracked import Tracked, TrackedKey
from manus.actors.health.verdicts import Ticket
from manus.messages.failures import Failed
from manus.messages.routing_policy import HealthPolicy


class Judge:
    """Moves breakers by the policy."""

    __slots__ = ("_policy",)

    def __init__(self, policy: HealthPolicy) -> None:
        self._policy = policy

    def adopt(self, policy: HealthPolicy) -> None:
        """Go by another policy from now on."""
        self._policy = policy

    def judge(self, ticket: Ticket, effect: Effect, failure: Failed | None, now: float) -> None:
        """Count the end of an attempt where it counts: as the probe that it was, or in the period that it began in."""
        if effect == "model_refused" and (ticket.key_probe or not self._opens_elsewhere(ticket.tracked, now)):
            effect = "key_refused"
        if ticket.own_probe:
            self._probed(ticket.tracked, effect, failure, now)
        elif ticket.epoch == ticket.tracked.breaker.epoch:
            self._counted(ticket.tracked, effect, failure, now)
        if ticket.key_probe:
            self._key_probed(ticket.tracked, effect, failure, now)
        elif effect == "key_refused" and ticket.key_epoch == ticket.tracked.key.breaker.epoch:
            assert failure is not None
            self.refuse_key(ticket.tracked.key, failure, now)

    def refuse_key(self, key: TrackedKey, failure: Failed, now: float) -> None:
        """Rest a key that was in use, and all deployments under it."""
        key.refused_for(failure)
        key.breaker.trip(now, self.refused_s(key.breaker, failure), f"the vendor refuses the key: {in_words(failure)}")

    def refused_s(self, breaker: Breaker, failure: Failed) -> float:
        """Say how long to rest after a refusal of the key: for long; for longer where the vendor says so.

        What our own credentials say, when they have nothing to show, is exact.
        """
        hint_s = believed(failure.retry_after_s)
        if hint_s is not None and failure.status is None:
            return hint_s
        rest_s = breaker.spread_s(self._policy.refused_s)
        return rest_s if hint_s is None else max(hint_s, rest_s)

    def _probed(self, tracked: Tracked, effect: Effect, failure: Failed | None, now: float) -> None:
        own = tracked.breaker
        if effect == "good":
            own.probe_succeeded("the probe succeeded")
        elif effect == "bad":
            assert failure is not None
            own.probe_failed(now, f"the probe failed: {in_words(failure)}")
        elif effect == "model_refused":
            assert failure is not None
            why = f"the vendor refuses the key for this model: {in_words(failure)}"
            own.probe_failed(now, why, self.refused_s(own, failure))
        else:
            own.probe_left()

    def _counted(self, tracked: Tracked, effect: Effect, failure: Failed | None, now: float) -> None:
        own = tracked.breaker
        if effect == "good":
            own.count_good(now)
        elif effect == "bad":
            assert failure is not None
            own.count_bad(now, in_words(failure))
        elif effect == "model_refused":
            assert failure is not None
            why = f"the vendor refuses the key for this model: {in_words(failure)}"
            own.trip(now, self.refused_s(own, failure), why)

    def _key_probed(self, tracked: Tracked, effect: Effect, failure: Failed | None, now: float) -> None:
        key = tracked.key
        if effect == "good":
            key.breaker.probe_succeeded("the key is accepted again")
        elif effect == "key_refused":
            assert failure is not None
            key.refused_for(failure)
            why = f"the vendor refuses the key: {in_words(failure)}"
            key.breaker.probe_failed(now, why, self.refused_s(key.breaker, failure))
        else:
            key.breaker.probe_left()

    def _opens_elsewhere(self, tracked: Tracked, now: float) -> bool:
        """Whether the key was accepted for another model lately, so that a refusal is of this model alone."""
        since = now - self._policy.refused_s
        return any(
            other is not tracked and other.good_at is not None and other.good_at >= since
            for other in tracked.key.deployments.values()
        )
