"""Does health agree with an oracle that recomputes everything from the whole history, whatever happens?"""

from __future__ import annotations

import random

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule, run_state_machine_as_test

from manus.actors.health import Health, NotBefore, Ticket
from manus.actors.health.free_probes import FreeProbe
from manus.actors.health.tracked import TrackedKey
from manus.actors.jitter import Jitter
from manus.messages.calls import Probed
from manus.messages.failures import Failed, FailureKind
from manus.messages.ids import DeploymentId
from manus.messages.routing_policy import HealthPolicy
from tests.actors.health.naive import End, Happened, World, list_would_try, not_before, replay, state_of

KEYS: dict[str, str] = {"p/a#k": "k", "p/b#k": "k", "p/a#l": "l"}

KIND: dict[End, FailureKind] = {
    "bad": "server",
    "cooling": "rate_limited",
    "auth": "auth",
    "quota": "quota_exhausted",
    "permission": "permission",
    "nothing": "invalid_request",
}

ENDS = st.sampled_from(("good", "good", "bad", "bad", "bad", "cooling", "auth", "quota", "permission", "nothing"))
HINTS = st.sampled_from((None, None, None, 3.0, 90.0, 1e9))
STEPS_S = st.sampled_from((0.0, 0.25, 1.0, 3.0, 5.0, 10.0, 29.0, 60.0, 400.0))


def failed(end: End, hint_s: float | None) -> Failed | None:
    if end == "good":
        return None
    return Failed(kind=KIND[end], message="x", status=500, retry_after_s=hint_s)


class HealthMachine(RuleBasedStateMachine):
    """Attempts at three deployments under two keys, and lists of models, begin and end as they like."""

    attempts: Bundle[tuple[int, Ticket]] = Bundle("attempts")
    lists: Bundle[tuple[int, FreeProbe]] = Bundle("lists")

    policy = HealthPolicy(
        failures=3,
        failure_rate=0.5,
        window_s=30.0,
        calls_min=6,
        open_s=5.0,
        open_max_s=20.0,
        jitter=0.0,
        refused_s=50.0,
        cooldown_s=1.0,
        probe_interval_s=None,
    )

    def __init__(self) -> None:
        super().__init__()
        self.health = Health(self.policy, random.Random(1))
        self.history: list[Happened] = []
        self.now = 1000.0
        self.number = 0
        self.known: set[str] = set()
        self.generation: dict[int, int] = {}
        self.crashes = 0
        self.states: dict[str, str] = dict.fromkeys(KEYS, "closed")

    def world(self) -> World:
        return replay(self.history, KEYS, self.policy)

    @rule(seconds=STEPS_S)
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(target=attempts, name=st.sampled_from(sorted(KEYS)))
    def begin(self, name: str) -> tuple[int, Ticket]:
        expected = not_before(self.world(), name, self.now, self.policy)
        begun = self.health.begin(DeploymentId(name), provider="p", key=KEYS[name], now=self.now)
        self.known.add(name)
        if isinstance(begun, NotBefore):
            assert begun.at == expected
            dead = Health(self.policy, random.Random(1)).begin(DeploymentId(name), provider="p", key=None, now=0.0)
            assert isinstance(dead, Ticket)
            dead.incarnation = -7  # of no router: handing it back does nothing
            return -1, dead
        assert expected is None
        self.number += 1
        self.generation[self.number] = self.crashes
        self.history.append(Happened(what="begin", at=self.now, number=self.number, deployment=name))
        return self.number, begun

    @rule(attempt=consumes(attempts), end=ENDS, hint_s=HINTS)
    def end(self, attempt: tuple[int, Ticket], end: End, hint_s: float | None) -> None:
        number, ticket = attempt
        failure = failed(end, hint_s)
        self.health.ended(ticket, failure=failure, now=self.now, first_content_s=None, latency_s=1.0)
        self._note(number, Happened(what="end", at=self.now, number=number, end=end, hint_s=hint_s))

    @rule(attempt=attempts)
    def answer_begins(self, attempt: tuple[int, Ticket]) -> None:
        number, ticket = attempt
        self.health.began(ticket, now=self.now)
        self._note(number, Happened(what="began", at=self.now, number=number))

    @rule(attempt=attempts)
    def leave(self, attempt: tuple[int, Ticket]) -> None:
        number, ticket = attempt
        self.health.withdrawn(ticket, now=self.now)
        self._note(number, Happened(what="left", at=self.now, number=number))

    def _note(self, number: int, line: Happened) -> None:
        if self.generation.get(number) == self.crashes:
            self.history.append(line)

    @rule(target=lists, key=st.sampled_from(("k", "l")))
    def ask_for_list(self, key: str) -> tuple[int, FreeProbe]:
        known_keys = {KEYS[name] for name in self.known}
        tries = list_would_try(self.world(), key, self.now) if key in known_keys else []
        assert (("p", key) in self.health.probes_due(self.now)) == bool(tries)
        probe = self.health.begin_probe("p", key, self.now)
        assert (probe is None) == (not tries)
        if probe is None:
            nobody = TrackedKey("p", key, HealthPolicy(), Jitter(0, "nobody"))
            return -1, FreeProbe(provider="p", key=key, shared=nobody, tried=(), tries_key=False, incarnation=-7)
        self.number += 1
        self.generation[self.number] = self.crashes
        self.history.append(Happened(what="list", at=self.now, number=self.number, key=key))
        return self.number, probe

    @rule(listing=lists, end=ENDS, hint_s=HINTS, supported=st.sampled_from((True, True, True, False)))
    def end_list(self, listing: tuple[int, FreeProbe], end: End, hint_s: float | None, supported: bool) -> None:
        number, probe = listing
        failure = failed(end, hint_s)
        self.health.probed(probe, Probed(failure=failure, supported=supported), now=self.now)
        if self.generation.get(number) == self.crashes:
            del self.generation[number]
            line = Happened(
                what="listed" if supported else "no_list",
                at=self.now,
                number=number,
                key=probe.key or "",
                end=end,
                hint_s=hint_s,
            )
            self.history.append(line)

    @rule()
    def crash(self) -> None:
        self.health.new_incarnation()
        self.crashes += 1
        self.history.append(Happened(what="crash", at=self.now))

    @invariant()
    def agrees(self) -> None:
        world = self.world()
        for name, key in KEYS.items():
            deployment = DeploymentId(name)
            verdict = self.health.verdict(deployment, provider="p", key=key, now=self.now)
            expected = not_before(world, name, self.now, self.policy)
            assert (verdict.at if isinstance(verdict, NotBefore) else None) == expected, (name, verdict)
            if not isinstance(verdict, NotBefore):
                assert verdict.probe == (state_of(world, name) != "closed")
            running = [each for each in world.running.values() if each[0] == name]
            assert self.health.in_flight(deployment) == len(running)
            if not isinstance(verdict, NotBefore) and verdict.probe:
                assert not self.health.all_well
        told = {each.deployment: each for each in self.health.metrics(self.now)}
        assert set(told) == self.known
        for name, metrics in told.items():
            assert metrics.breaker == state_of(world, name)
            assert all(move.before != move.after for move in metrics.moves)
            assert all(a.after == b.before for a, b in zip(metrics.moves, metrics.moves[1:], strict=False))


class ProbingHealthMachine(HealthMachine):
    """The same where lists of models go first and requests wait for them a little."""

    policy = HealthPolicy(
        failures=2, calls_min=4, open_s=5.0, open_max_s=20.0, jitter=0.0, refused_s=50.0, probe_interval_s=3.0
    )


@pytest.mark.parametrize("machine", [HealthMachine, ProbingHealthMachine])
def test_health_agrees_with_the_naive_oracle(machine: type[HealthMachine]) -> None:
    run_state_machine_as_test(
        machine, settings=settings(max_examples=100, stateful_step_count=40, deadline=None, print_blob=True)
    )


@pytest.mark.long
@pytest.mark.parametrize("machine", [HealthMachine, ProbingHealthMachine])
def test_health_agrees_with_the_naive_oracle_at_length(machine: type[HealthMachine]) -> None:
    run_state_machine_as_test(machine, settings=settings(max_examples=1500, stateful_step_count=60, deadline=None))
