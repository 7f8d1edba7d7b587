"""Own what is known of one deployment, and of one key of one provider entry, which all deployments under it share."""

from __future__ import annotations

import math
from collections import deque
from typing import Final

from manus.actors.health.breaker import Breaker
from manus.actors.health.cooldown import Cooldown
from manus.actors.health.latency import PeakAverage, RecentSamples
from manus.actors.health.verdicts import NotBefore
from manus.actors.health.window import SlidingCounts
from manus.actors.jitter import Jitter
from manus.messages.failures import Failed, FailureKind
from manus.messages.ids import DeploymentId
from manus.messages.outcomes import BreakerState
from manus.messages.routing import BreakerMove, DeploymentMetrics
from manus.messages.routing_policy import HealthPolicy
from manus.messages.watching import BreakerMoved

MOVES_KEPT: Final = 32
"""Transitions remembered per deployment: an outage of an hour with a probe a minute, more or less."""

RELIABILITY_WINDOW_S: Final = 600.0
"""What `prefer_reliable` looks back on: longer than a breaker does, so that an outage is not forgotten at its end."""

UNKNOWN_LATENCY_S: Final = 1.0
"""What a call of a deployment is thought to take of which none is over yet, so that not everybody tries the new one."""

UNUSUAL_TIMES: Final = 2.0
"""A silence of so many times the usual one is held against a deployment."""

USUAL_SAMPLES_MIN: Final = 5
"""From so many samples on it is known what is usual."""

PROBE_WAIT_S: Final = 0.5
"""When to ask again while a probe is under way: nobody knows how long it takes."""


class TrackedKey:
    """One key of one provider entry. Its breaker opens when the vendor refuses the key."""

    __slots__ = ("breaker", "deployments", "key", "lists", "provider", "refused_kind")

    def __init__(self, provider: str, key: str | None, policy: HealthPolicy, jitter: Jitter) -> None:
        self.provider = provider
        self.key = key
        self.breaker = Breaker(policy, jitter)
        self.deployments: dict[DeploymentId, Tracked] = {}
        self.lists = True
        """Whether its vendor can be asked for a list of models, as far as is known."""
        self.refused_kind: FailureKind | None = None
        """How the key was refused last."""

    @property
    def list_proves(self) -> bool:
        """Whether a list of models would tell something of the key: of one without quota it does not."""
        return self.refused_kind != "quota_exhausted"

    def refused_for(self, failure: Failed) -> None:
        """Note how the key was refused."""
        self.refused_kind = failure.kind


class Tracked:
    """One deployment."""

    __slots__ = (
        "answers",
        "breaker",
        "cooldown",
        "deployment",
        "first_content",
        "first_contents",
        "good_at",
        "in_flight",
        "key",
        "latency",
        "moves",
        "outcomes",
        "shown",
        "used_at",
        "well",
    )

    def __init__(self, deployment: DeploymentId, key: TrackedKey, policy: HealthPolicy, jitter: Jitter) -> None:
        self.deployment = deployment
        self.key = key
        self.breaker = Breaker(policy, jitter)
        self.cooldown = Cooldown(policy, jitter)
        self.in_flight = 0
        self.first_content = PeakAverage()
        self.first_contents = RecentSamples()
        self.answers = RecentSamples()
        """How long answers in one piece took."""
        self.latency = PeakAverage()
        self.outcomes = SlidingCounts(RELIABILITY_WINDOW_S)
        self.good_at: float | None = None
        self.used_at = 0.0
        self.moves: deque[BreakerMove] = deque(maxlen=MOVES_KEPT)
        self.shown: BreakerState = self.state
        self.well = self.shown == "closed"
        """Whether nothing stands in the way, so that a request need not look closer."""

    @property
    def state(self) -> BreakerState:
        """How the breaker stands that stands worse: its own, or the key's."""
        own, key = self.breaker.state, self.key.breaker.state
        if own == "open" or key == "open":
            return "open"
        return "half_open" if own == "half_open" or key == "half_open" else "closed"

    def restate(self, now: float, why: str) -> BreakerMoved | None:
        """Note a move, if the state that is shown has changed."""
        before, after = self.shown, self.state
        if before == after:
            return None
        self.shown = after
        self.moves.append(BreakerMove(at=now, before=before, after=after, reason=why))
        retry_in_s: float | None = None
        if after == "open":
            retry_in_s = max(0.0, self.breaker.rest.until - now, self.key.breaker.rest.until - now)
        return BreakerMoved(
            at=now, deployment=self.deployment, before=before, after=after, reason=why, retry_in_s=retry_in_s
        )

    def refusal(self, now: float, hold_s: float) -> NotBefore | None:
        """Say until when and why it is left alone; None where it may be asked.

        Args:
            now: the loop's clock.
            hold_s: how long after a rest requests wait, so that a free probe may go first.
        """
        at, why = -math.inf, ""
        refused: FailureKind | None = None
        key = self.key
        for breaker, held_s, of_key in (
            (key.breaker, hold_s if key.lists and key.list_proves else 0.0, key.refused_kind),
            (self.breaker, hold_s if key.lists else 0.0, None),
        ):
            if breaker.state == "open" and breaker.rest.holds(now, longer_s=held_s):
                if breaker.rest.until + held_s > at:
                    at, why, refused = breaker.rest.until + held_s, breaker.why, of_key
            elif breaker.state == "half_open" and breaker.probing and now + PROBE_WAIT_S > at:
                at, why, refused = now + PROBE_WAIT_S, "a probe is under way", of_key
        rest = self.cooldown.rest
        if rest.holds(now) and rest.until > at:
            at, why, refused = rest.until, self.cooldown.why, None
        return NotBefore(at=at, why=why, state=self.state, refused=refused) if why else None

    def note_first_content(self, seconds: float, now: float) -> None:
        """Take in how long a stream took to begin."""
        self.first_content.observe(seconds, now)
        self.first_contents.add(seconds)

    def note_answer(self, seconds: float, now: float, *, streamed: bool) -> None:
        """Take in how long a success took. A failure is never a reason to think it fast: those who refuse are quick."""
        self.latency.observe(seconds, now)
        if not streamed:
            self.answers.add(seconds)

    def note_in_vain(self, seconds: float, now: float, *, streamed: bool, begun: bool, fair: bool) -> None:
        """Take in that an attempt was given up after so long: it would have taken longer, nobody knows how much.

        Without those the slow ones would be missing from what "slow" is measured by. A wait that was not a fair one
        says something only where it was longer than what is usual.

        Args:
            seconds: for how long.
            now: the loop's clock.
            streamed: whether the first content was waited for, or a whole answer.
            begun: the first content had come.
            fair: whether it was held against the deployment.
        """
        samples = self.first_contents if streamed else self.answers
        usual_s = samples.quantile(0.5)
        if not fair and (usual_s is None or seconds <= usual_s):
            return
        self.latency.raise_to(seconds, now)
        if not begun:
            samples.add(seconds)
            if streamed:
                self.first_content.raise_to(seconds, now)

    def fair_wait_s(self, silent_s: float, *, streamed: bool) -> float:
        """Say how long a silence has to be before it is held against it: longer than what is usual here.

        An answer in one piece is silent until all of it is written. The median is used because silences are samples
        too, and half of all have to be silent before they pass for usual.
        """
        samples = self.first_contents if streamed else self.answers
        usual_s = samples.quantile(0.5) if len(samples) >= USUAL_SAMPLES_MIN else None
        return silent_s if usual_s is None else max(silent_s, UNUSUAL_TIMES * usual_s)

    def success_rate(self, now: float) -> float | None:
        """Give the share of attempts that did not fail, of those of the last ten minutes."""
        good, bad = self.outcomes.totals(now)
        return good / (good + bad) if good + bad else None

    def cost(self, now: float) -> float:
        """Give how long another call would take if those that run go first: what `latency` and `least_busy` compare."""
        latency_s = self.latency.faded(now)
        if latency_s is None:
            return UNKNOWN_LATENCY_S * self.in_flight
        return latency_s * (self.in_flight + 1)

    def metrics(self, now: float, hold_s: float) -> DeploymentMetrics:
        """Tell how it is doing; what came of its attempts is counted elsewhere."""
        refusal = self.refusal(now, hold_s)
        return DeploymentMetrics(
            deployment=self.deployment,
            in_flight=self.in_flight,
            breaker=self.state,
            moves=tuple(self.moves),
            ready_in_s=None if refusal is None else refusal.at - now,
            resting=None if refusal is None else refusal.why,
            first_content_s=self.first_content.value,
            first_content_p95_s=self.first_contents.quantile(0.95),
            latency_s=self.latency.value,
        )
