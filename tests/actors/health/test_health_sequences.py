"""Does health keep its promises in every short history there is?

All sequences of a small alphabet are played, from several beginnings, and after each of them the way back is tried.
"""

from __future__ import annotations

import itertools
import random
from typing import Literal, get_args

import pytest

from manus.actors.health import Health, NotBefore, Ticket
from manus.actors.health.breaker import MOVES
from manus.messages.failures import Failed
from manus.messages.ids import DeploymentId
from manus.messages.routing_policy import HealthPolicy

Step = Literal["tick", "wait", "begin", "began", "good", "bad", "limited", "refused", "leave", "crash"]

POLICY = HealthPolicy(
    failures=2, calls_min=4, open_s=1.0, open_max_s=4.0, jitter=0.0, refused_s=3.0, cooldown_s=0.5, window_s=10.0
)
NAME = DeploymentId("p/m")
TICK_S, WAIT_S = 0.3, 1.0

FAILURES: dict[Step, Failed | None] = {
    "good": None,
    "bad": Failed(kind="server", message="", status=500),
    "limited": Failed(kind="rate_limited", message="", status=429),
    "refused": Failed(kind="auth", message="", status=401),
}

BEGINNINGS: dict[str, tuple[Step, ...]] = {
    "new": (),
    "open": ("begin", "bad", "begin", "bad"),
    "open with stragglers": ("begin", "begin", "begin", "begin", "bad", "bad"),
    "probing with a straggler": ("begin", "begin", "begin", "bad", "bad", "wait", "begin"),
    "refused": ("begin", "begin", "refused"),
}

LEGAL = {(before, after) for (before, _), after in MOVES.items() if before != after}


class Played:
    """One history, played; every step checks what must never be otherwise."""

    def __init__(self) -> None:
        self.health = Health(POLICY, random.Random(1))
        self.now = 0.0
        self.running: list[Ticket] = []

    def play(self, steps: tuple[Step, ...]) -> None:
        for step in steps:
            self._step(step)
            self._check()

    def _step(self, step: Step) -> None:
        match step:
            case "tick":
                self.now += TICK_S
            case "wait":
                self.now += WAIT_S
            case "begin":
                verdict = self.health.verdict(NAME, provider="p", key=None, now=self.now)
                begun = self.health.begin(NAME, provider="p", key=None, now=self.now)
                assert isinstance(begun, NotBefore) == isinstance(verdict, NotBefore)
                if isinstance(begun, NotBefore):
                    assert begun == verdict
                    assert begun.at > self.now
                else:
                    self._check_probe(begun)
                    self.running.append(begun)
            case "began":
                if self.running:
                    self.health.began(self.running[0], now=self.now)
            case "leave":
                if self.running:
                    self.health.withdrawn(self.running.pop(0), now=self.now)
            case "crash":
                self.health.new_incarnation()
                lost, self.running = self.running, []
                for ticket in lost:  # what a dead router still says is not heard
                    assert self._end(ticket, FAILURES["bad"]) == ()
            case _:
                if self.running:
                    self._end(self.running.pop(0), FAILURES[step])

    def _end(self, ticket: Ticket, failure: Failed | None) -> tuple[object, ...]:
        return self.health.ended(ticket, failure=failure, now=self.now, first_content_s=None, latency_s=0.1)

    def _check(self) -> None:
        assert len([ticket for ticket in self.running if ticket.probe]) <= 1, "two probes at once"
        for metrics in self.health.metrics(self.now):
            assert metrics.in_flight == len(self.running)
            states = ["closed", *(move.after for move in metrics.moves)]
            assert states[-1] == metrics.breaker
            assert all(pair in LEGAL for pair in itertools.pairwise(states)), states
            opened = [move for move in metrics.moves if move.after == "open"]
            if metrics.breaker == "open":
                begun_now = [ticket for ticket in self.running if ticket.began_at > opened[-1].at]
                assert not begun_now, "asked while it was open"

    def _check_probe(self, ticket: Ticket) -> None:
        """A probe comes when the rest is over: never before, however it was opened."""
        [metrics] = self.health.metrics(self.now)
        opened = [move for move in metrics.moves if move.after == "open"]
        assert ticket.probe == bool(metrics.breaker != "closed")
        if ticket.probe:
            least_s = POLICY.refused_s if "refuses" in opened[-1].reason else POLICY.open_s
            assert self.now - opened[-1].at > least_s - 1e-9, "asked before its time"

    def heal(self) -> None:
        """Whatever happened: once all is over and time has passed, one success closes it, and nothing rests."""
        while self.running:
            self.health.withdrawn(self.running.pop(), now=self.now)
        self.now += 10.0
        self._step("begin")
        assert len(self.running) == 1, "it never comes back"
        self._step("good")
        [metrics] = self.health.metrics(self.now)
        assert metrics.breaker == "closed"
        assert metrics.ready_in_s is None
        self._step("begin")
        self._step("good")
        assert self.health.all_well


@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_no_short_history_breaks_a_promise(beginning: str) -> None:
    every(beginning, depth=4)


@pytest.mark.long
@pytest.mark.parametrize(("beginning", "depth"), [*((each, 5) for each in BEGINNINGS), ("new", 6)])
def test_no_longer_history_breaks_a_promise(beginning: str, depth: int) -> None:
    every(beginning, depth)


def every(beginning: str, depth: int) -> None:
    """Play all sequences of `depth` steps; the shorter ones are their beginnings."""
    for steps in itertools.product(get_args(Step), repeat=depth):
        played = Played()
        try:
            played.play(BEGINNINGS[beginning])
            played.play(steps)
            played.heal()
        except AssertionError as error:
            raise AssertionError(f"after {beginning}, {steps}: {error}") from error
