"""Own how every deployment is doing: whether it may be asked, by whom, how fast it is, and what came of its attempts.

Lives in the router's durable cell and survives its crashes; every method is one synchronous, total mutation. Pure:
`now` is an argument, and jitter comes from the generator that it is given.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Final

from manus.actors.health import free_probes
from manus.actors.health.counting import Effect, effect_of
from manus.actors.health.free_probes import FreeProbe
from manus.actors.health.judging import Judge
from manus.actors.health.registry import Registry, Stays
from manus.actors.health.verdicts import PROBE, READY, RETURNED, NotBefore, Ready, Ticket
from manus.messages.calls import Probed
from manus.messages.failures import Failed
from manus.messages.ids import DeploymentId
from manus.messages.outcomes import RateLimitReading
from manus.messages.routing import DeploymentMetrics
from manus.messages.routing_policy import HealthPolicy
from manus.messages.watching import BreakerMoved

HOLD_MAX_S: Final = 10.0
"""How long after a rest requests leave it to a free probe, at most: where those are seldom, a request goes first."""


class Health:
    """The health of all deployments. From `rng` comes the seed of the jitter that each of them has for itself."""

    __slots__ = ("_hold_s", "_incarnation", "_judge", "_policy", "_registry")

    def __init__(self, policy: HealthPolicy, rng: random.Random) -> None:
        self._policy = policy
        self._registry = Registry(policy, rng.getrandbits(64))
        self._judge = Judge(policy)
        self._incarnation = 0
        self._hold_s = _hold_s(policy)

    # --- may it be asked ------------------------------------------------------------------------------

    @property
    def all_well(self) -> bool:
        """Whether no deployment rests, as far as has been looked: then nobody need ask for a verdict."""
        return not self._registry.unwell

    def verdict(self, deployment: DeploymentId, *, provider: str, key: str | None, now: float) -> Ready | NotBefore:
        """Say whether it may be asked now. Takes nothing: `begin` may say otherwise."""
        tracked = self._registry.look_up(deployment, provider, key)
        if tracked is None:
            return READY
        if tracked.well:
            return READY
        refusal = tracked.refusal(now, self._hold_s)
        if refusal is not None:
            return refusal
        return READY if tracked.state == "closed" else PROBE

    def begin(self, deployment: DeploymentId, *, provider: str, key: str | None, now: float) -> Ticket | NotBefore:
        """Take a place for an attempt that starts now, and the probe, where it is to be one."""
        tracked = self._registry.deployments.get(deployment)
        if tracked is None:
            tracked = self._registry.track(deployment, provider, key)
        if tracked.well:
            tracked.in_flight += 1
            tracked.used_at = now
            return Ticket(tracked, now, self._incarnation, False, False)
        refusal = tracked.refusal(now, self._hold_s)
        if refusal is not None:
            return refusal
        own_probe = tracked.breaker.state != "closed"
        if own_probe:
            tracked.breaker.begin_probe("its rest is over: one request finds out")
        key_probe = tracked.key.breaker.state != "closed"
        if key_probe:
            tracked.key.breaker.begin_probe("its rest is over: one request finds out")
            self._registry.restate_key(tracked.key, now)
        self._registry.restate(tracked, now)
        tracked.in_flight += 1
        tracked.used_at = now
        return Ticket(tracked, now, self._incarnation, own_probe, key_probe)

    # --- what came of it ------------------------------------------------------------------------------

    def began(self, ticket: Ticket, *, now: float) -> tuple[BreakerMoved, ...]:
        """Hear that the first content of a probe has come; gives the moves to tell. Of other attempts it says nothing.

        The deployment is closed on trial, so that others need not wait for the end of a long answer.
        """
        if not ticket.probe or ticket.incarnation != self._incarnation:
            return ()
        tracked = ticket.tracked
        if ticket.own_probe:
            tracked.breaker.probe_answers("the probe is answered")
        if ticket.key_probe:
            tracked.key.breaker.probe_succeeded("the key is accepted again")
            self._registry.restate_key(tracked.key, now)
        self._registry.restate(tracked, now)
        ticket.counts_from_here()
        return self._registry.take_moves()

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
        streamed: bool = True,
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
            streamed: False where the answer was asked for in one piece, which is there later than a first content.
        """
        if not self._return(ticket):
            return ()
        tracked = ticket.tracked
        if failure is None:
            effect: Effect = "good"
            if latency_s is not None:
                tracked.note_answer(latency_s, now, streamed=streamed)
        else:
            fair = silent and now - ticket.began_at >= tracked.fair_wait_s(self._policy.silent_s, streamed=streamed)
            effect = effect_of(failure, silent=fair)
            if latency_s is not None and failure.kind in ("timeout", "deadline") and (silent or effect == "bad"):
                begun = streamed and first_content_s is not None
                tracked.note_in_vain(latency_s, now, streamed=streamed, begun=begun, fair=effect == "bad")
        if streamed and first_content_s is not None:
            tracked.note_first_content(first_content_s, now)
        if effect == "good":
            tracked.outcomes.count(True, now)
            tracked.good_at = now
        elif effect == "bad":
            tracked.outcomes.count(False, now)
        self._note_patience(ticket, effect, failure, rate_limits, now)
        self._settle(ticket, effect, failure, now)
        return self._registry.take_moves()

    def withdrawn(self, ticket: Ticket, *, now: float, waited_s: float | None = None, streamed: bool = True) -> None:
        """Give back the place, and the probe, of an attempt that says nothing: its caller left, or it never started.

        `waited_s` is how long a hedged attempt that lost had waited for its first content in vain: without those the
        slow ones would be missing from what "slow" is measured by.
        """
        if not self._return(ticket):
            return
        tracked = ticket.tracked
        if waited_s is not None:
            tracked.note_in_vain(waited_s, now, streamed=streamed, begun=False, fair=True)
        self._settle(ticket, "nothing", None, now)

    def new_incarnation(self) -> None:
        """Forget the attempts of a router that died: their places and probes are free, their tickets void."""
        self._incarnation += 1
        for tracked in self._registry.deployments.values():
            tracked.in_flight = 0
            tracked.breaker.lose_probe()
        for key in self._registry.keys.values():
            key.breaker.lose_probe()

    def reconfigure(self, policy: HealthPolicy, stays: Stays) -> None:
        """Go by another policy from now on, and know nothing of deployments of which `stays` does not hold."""
        self._policy = policy
        self._judge.adopt(policy)
        self._hold_s = _hold_s(policy)
        self._registry.reconfigure(policy, stays)

    # --- what is known ----------------------------------------------------------------------------------

    def in_flight(self, deployment: DeploymentId) -> int:
        """Count the attempts that run at it."""
        tracked = self._registry.deployments.get(deployment)
        return 0 if tracked is None else tracked.in_flight

    def first_content_quantile(self, deployment: DeploymentId, q: float, *, samples_min: int = 1) -> float | None:
        """Give the quantile `q` of the recent times to first token; None where fewer than `samples_min` are known."""
        tracked = self._registry.deployments.get(deployment)
        if tracked is None or len(tracked.first_contents) < samples_min:
            return None
        return tracked.first_contents.quantile(q)

    def answer_quantile(self, deployment: DeploymentId, q: float, *, samples_min: int = 1) -> float | None:
        """Give the same of the times to a whole answer, of those that were asked for in one piece."""
        tracked = self._registry.deployments.get(deployment)
        if tracked is None or len(tracked.answers) < samples_min:
            return None
        return tracked.answers.quantile(q)

    def latency_cost(self, deployment: DeploymentId, now: float) -> float:
        """Give the peak-sensitive latency times the attempts there would be with one more; the least is asked."""
        tracked = self._registry.deployments.get(deployment)
        return 0.0 if tracked is None else tracked.cost(now)

    def latency(self, deployment: DeploymentId, now: float) -> float | None:
        """Give how long an attempt takes, less what time has taken off it since the last one; None: unknown."""
        tracked = self._registry.deployments.get(deployment)
        return None if tracked is None else tracked.latency.faded(now)

    def success_rate(self, deployment: DeploymentId, now: float) -> float | None:
        """Give the share of attempts of the last minutes that did not fail; None where there were none."""
        tracked = self._registry.deployments.get(deployment)
        return None if tracked is None else tracked.success_rate(now)

    def metrics(self, now: float) -> Iterator[DeploymentMetrics]:
        """Tell how each deployment is doing; the counts of its attempts are left at zero."""
        for tracked in self._registry.deployments.values():
            yield tracked.metrics(now, self._hold_s)

    # --- free probes ------------------------------------------------------------------------------------

    def probes_due(self, now: float) -> list[tuple[str, str | None]]:
        """Name the providers and keys whose list of models would tell something now."""
        return free_probes.due(self._registry, now) if self._registry.unwell else []

    def begin_probe(self, provider: str, key: str | None, now: float) -> FreeProbe | None:
        """Take the probes of all that is due under a key; None where nothing is."""
        return free_probes.begin(self._registry, provider, key, self._incarnation, now)

    def probed(self, probe: FreeProbe, probed: Probed, *, now: float) -> tuple[BreakerMoved, ...]:
        """Learn from what came of it; gives the moves to tell. A second call does nothing."""
        if probe.incarnation == self._incarnation:
            probe.incarnation = RETURNED
            free_probes.end(self._registry, self._judge, probe, probed, now)
        return self._registry.take_moves()

    # --- inside -------------------------------------------------------------------------------------------

    def _return(self, ticket: Ticket) -> bool:
        """Take a ticket back; False where that happened already, or its router is dead."""
        if ticket.incarnation != self._incarnation:
            return False
        ticket.incarnation = RETURNED
        ticket.tracked.in_flight -= 1
        return True

    def _settle(self, ticket: Ticket, effect: Effect, failure: Failed | None, now: float) -> None:
        """Move the breakers, and note what follows for the deployment and for all under its key."""
        tracked = ticket.tracked
        key_epoch = tracked.key.breaker.epoch
        epoch = tracked.breaker.epoch
        self._judge.judge(ticket, effect, failure, now)
        if epoch != tracked.breaker.epoch:
            self._registry.restate(tracked, now)
        if key_epoch != tracked.key.breaker.epoch:
            self._registry.restate_key(tracked.key, now)

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
            self._registry.mark(ticket.tracked, well=False)


def _hold_s(policy: HealthPolicy) -> float:
    return min(2.0 * (policy.probe_interval_s or 0.0), HOLD_MAX_S)
