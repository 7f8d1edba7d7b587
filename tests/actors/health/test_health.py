"""Does health say who may be asked, by whom, and when again?"""

from __future__ import annotations

import random

from manus.actors.health import Health, NotBefore, Ready, Ticket
from manus.messages.failures import Failed, FailureKind
from manus.messages.ids import DeploymentId
from manus.messages.routing_policy import HealthPolicy

POLICY = HealthPolicy(failures=3, open_s=5.0, jitter=0.0)
D = DeploymentId("p/m")


def begin(health: Health, now: float, deployment: DeploymentId = D) -> Ticket:
    ticket = health.begin(deployment, provider="p", key=None, now=now)
    assert isinstance(ticket, Ticket), ticket
    return ticket


def fail(health: Health, now: float, kind: FailureKind = "server", deployment: DeploymentId = D) -> None:
    failure = Failed(kind=kind, message="x", status=500)
    health.ended(begin(health, now, deployment), failure=failure, now=now, first_content_s=None, latency_s=0.1)


def test_failures_in_a_row_open_a_breaker_and_its_probe_closes_it() -> None:
    health = Health(POLICY, random.Random(1))
    for _ in range(3):
        assert health.all_well
        fail(health, 1.0)
    assert not health.all_well
    refused = health.begin(D, provider="p", key=None, now=2.0)
    assert isinstance(refused, NotBefore)
    assert refused.at == 6.0
    assert refused.state == "open"
    assert refused.why == "3 failures in a row, the last: server (HTTP 500)"
    assert health.verdict(D, provider="p", key=None, now=6.0) == Ready(probe=True)
    probe = begin(health, 6.0)
    assert probe.probe
    assert isinstance(health.begin(D, provider="p", key=None, now=6.1), NotBefore)
    moves = health.ended(probe, failure=None, now=7.0, first_content_s=0.5, latency_s=1.0)
    assert [(move.before, move.after) for move in moves] == [("open", "half_open"), ("half_open", "closed")]
    assert health.all_well
