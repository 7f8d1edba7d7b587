"""Own a walk over a plan for tests: the cursor with the clock, the budget, the health and the jitter that it needs."""

from __future__ import annotations

import random

from manus.actors.health import Health, Ticket
from manus.actors.jitter import Jitter
from manus.actors.journey.retry import PlanCursor
from manus.actors.journey.steps import Ask, GiveUp, Wanted
from manus.actors.journey.traffic_share import TrafficShares
from manus.actors.routing.plan import Choice, Plan, Use
from manus.messages.failures import Failed, FailureKind
from manus.messages.ids import deployment_id
from manus.messages.policy import ModelCard
from manus.messages.routing_policy import HealthPolicy, RetryPolicy

POLICY = RetryPolicy(base_s=0.2, max_s=5.0)


def choice(
    provider: str, *, model: str = "m", window: int | None = None, use: Use = "any", after_policy: bool = False
) -> Choice:
    return Choice(
        deployment=deployment_id(provider, model),
        provider=provider,
        model=model,
        card=ModelCard(name=model, context_tokens=window),
        reason="",
        use=use,
        after_policy=after_policy,
    )


class Walk:
    """A cursor with the clock, the budget and the jitter that a test needs."""

    def __init__(self, *choices: Choice, policy: RetryPolicy = POLICY, deadline: float = 100.0, seed: int = 1) -> None:
        self.budget = TrafficShares(policy.budget_ratio, policy.budget_min)
        self.health = Health(HealthPolicy(jitter=0.0), random.Random(1))
        self.now = 0.0
        self.cursor = PlanCursor(
            Plan(choices=choices),
            policy,
            health=self.health,
            budget=self.budget,
            jitter=Jitter(seed, "retries"),
            deadline=deadline,
            tokens=10,
        )

    def begin(self) -> Ask | GiveUp:
        return self._go(self.cursor.first(self.now))

    def fail(self, kind: FailureKind, *, retry_after_s: float | None = None) -> Ask | GiveUp:
        return self.fail_with(Failed(kind=kind, message="", retry_after_s=retry_after_s))

    def fail_with(self, failure: Failed, *, want: Wanted | None = None, insist: bool = False) -> Ask | GiveUp:
        """Let the attempt that runs fail; health is told nothing of it."""
        return self._go(self.cursor.after(self.current, failure, now=self.now, want=want, insist=insist))

    def rest(self, provider: str, for_s: float) -> None:
        """Have a vendor ask for patience, as another request learnt."""
        self._end(provider, Failed(kind="rate_limited", message="", retry_after_s=for_s))

    def break_(self, provider: str) -> None:
        """Have the breaker of a deployment open, as other requests learnt."""
        for _ in range(HealthPolicy().failures):
            self._end(provider, Failed(kind="server", message=""))

    def _end(self, provider: str, failure: Failed) -> None:
        ticket = self.health.begin(deployment_id(provider, "m"), provider=provider, key=None, now=self.now)
        assert isinstance(ticket, Ticket)
        self.health.ended(ticket, failure=failure, now=self.now, first_content_s=None, latency_s=0.0)

    def _go(self, step: Ask | GiveUp) -> Ask | GiveUp:
        if isinstance(step, Ask):
            self.current = step.choice
            self.cursor.begun(step.choice)
            self.now += step.wait_s
        return step


def walk_of(*choices: Choice, policy: RetryPolicy = POLICY, deadline: float = 100.0) -> Walk:
    """Begin a walk where all is well."""
    walk = Walk(*choices, policy=policy, deadline=deadline)
    assert isinstance(walk.begin(), Ask)
    return walk


def asked(step: Ask | GiveUp) -> Ask:
    """Insist on one more attempt."""
    assert isinstance(step, Ask), step
    return step


def given_up(step: Ask | GiveUp) -> GiveUp:
    """Insist on the end."""
    assert isinstance(step, GiveUp), step
    return step
