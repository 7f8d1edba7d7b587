"""Does a breaker open when it should, for as long as it should, and close by its probe alone?"""

from __future__ import annotations

import itertools
from typing import get_args

import pytest

from manus.actors.health.breaker import MOVES, Breaker, Event
from manus.actors.jitter import Jitter
from manus.messages.outcomes import BreakerState
from manus.messages.routing_policy import HealthPolicy

POLICY = HealthPolicy(failures=3, failure_rate=0.5, window_s=10.0, calls_min=8, open_s=2.0, open_max_s=9.0, jitter=0.0)


def breaker_of(policy: HealthPolicy = POLICY, name: str = "p/m") -> Breaker:
    return Breaker(policy, Jitter(1, name))


def state_of(breaker: Breaker) -> BreakerState:
    return breaker.state


def opened(breaker: Breaker, now: float, failures: int = 3) -> Breaker:
    for _ in range(failures):
        breaker.count_bad(now, "server")
    assert state_of(breaker) == "open"
    return breaker


def rested_s(breaker: Breaker, now: float) -> float:
    return breaker.rest.until - now


def test_the_moves_are_a_total_function_and_only_a_probe_leads_back() -> None:
    states: tuple[BreakerState, ...] = get_args(BreakerState)
    events: tuple[Event, ...] = get_args(Event)
    assert set(MOVES) == set(itertools.product(states, events))
    moves = {(before, event, after) for (before, event), after in MOVES.items() if before != after}
    assert moves == {
        ("closed", "tripped", "open"),
        ("open", "probe_begun", "half_open"),
        ("half_open", "probe_succeeded", "closed"),
        ("half_open", "probe_failed", "open"),
    }


def test_failures_in_a_row_open_it_and_a_success_between_them_does_not_count_as_one() -> None:
    breaker = breaker_of()
    for number, bad in enumerate((True, True, False, True, True, False)):
        if bad:
            breaker.count_bad(5.0 * number, "server")
        else:
            breaker.count_good(5.0 * number)
        assert state_of(breaker) == "closed"
    opened(breaker, 100.0)
    assert breaker.why == "3 failures in a row, the last: server"


def test_a_share_of_failures_opens_it_once_enough_was_seen() -> None:
    breaker = breaker_of()
    for number in range(7):
        (breaker.count_bad(number, "network") if number % 2 else breaker.count_good(number))
    assert state_of(breaker) == "closed"
    breaker.count_bad(7.0, "network")
    assert state_of(breaker) == "open"
    assert breaker.why == "4 of 8 calls of the last 10 s failed, the last: network"


def test_a_share_below_the_rate_leaves_it_closed() -> None:
    breaker = breaker_of()
    for number in range(60):
        for bad in (False, True, False):
            (breaker.count_bad(number, "network") if bad else breaker.count_good(number))
    assert state_of(breaker) == "closed"


def test_what_left_the_window_is_forgotten() -> None:
    breaker = breaker_of()
    for number in range(6):
        (breaker.count_bad(0.0, "network") if number % 2 else breaker.count_good(0.0))
    breaker.count_good(11.0)
    breaker.count_bad(11.0, "network")
    breaker.count_bad(11.0, "network")
    assert state_of(breaker) == "closed"


def test_its_probe_may_begin_when_the_rest_is_over_and_only_one() -> None:
    breaker = opened(breaker_of(), 100.0)
    assert not breaker.may_begin(100.0)
    assert not breaker.may_begin(101.999)
    assert breaker.may_begin(102.0)
    breaker.begin_probe("x")
    assert state_of(breaker) == "half_open"
    assert not breaker.may_begin(102.0)
    assert not breaker.may_begin(1e9)
    breaker.probe_left()
    assert state_of(breaker) == "half_open"
    assert breaker.may_begin(102.0)


def test_failed_probes_double_the_rest_up_to_its_bound() -> None:
    breaker = opened(breaker_of(), 0.0)
    now = 0.0
    rests = []
    for _ in range(6):
        rests.append(rested_s(breaker, now))
        now = breaker.rest.until
        breaker.begin_probe("x")
        breaker.probe_failed(now, "server")
    assert rests == [2.0, 4.0, 8.0, 9.0, 9.0, 9.0]


def test_one_success_closes_it_but_only_proven_health_makes_rests_short_again() -> None:
    breaker = opened(breaker_of(), 0.0)
    for expected in (4.0, 8.0):
        breaker.begin_probe("x")
        breaker.probe_succeeded("fine")
        assert state_of(breaker) == "closed"
        breaker.count_good(1.0)
        breaker.count_good(1.0)
        opened(breaker, 1.0)
        assert rested_s(breaker, 1.0) == expected
    breaker.begin_probe("x")
    breaker.probe_succeeded("fine")
    for _ in range(3):
        breaker.count_good(1.0)
    opened(breaker, 1.0)
    assert rested_s(breaker, 1.0) == 2.0


def test_counts_from_before_it_opened_are_not_held_against_it_afterwards() -> None:
    breaker = opened(breaker_of(), 0.0)
    breaker.begin_probe("x")
    breaker.probe_succeeded("fine")
    for _ in range(2):
        breaker.count_bad(2.0, "server")
    assert state_of(breaker) == "closed"


def test_those_that_fell_together_do_not_return_together() -> None:
    policy = HealthPolicy(failures=1, open_s=10.0, jitter=0.2)
    rests = sorted(rested_s(opened(breaker_of(policy, f"p/{number}"), 0.0, 1), 0.0) for number in range(200))
    assert 10.0 <= rests[0] < 10.2
    assert 11.8 < rests[-1] <= 12.0
    assert len(set(rests)) == 200


def test_a_rest_can_be_given_and_is_then_exact() -> None:
    breaker = breaker_of(HealthPolicy(jitter=0.5))
    breaker.trip(5.0, 300.0, "refused")
    assert (breaker.state, breaker.rest.until, breaker.why) == ("open", 305.0, "refused")
    breaker.begin_probe("x")
    breaker.probe_failed(400.0, "refused again", 77.0)
    assert breaker.rest.until == 477.0


@pytest.mark.parametrize("event", ["trip", "probe_failed"])
def test_what_is_not_its_turn_neither_moves_it_nor_makes_its_rest_longer(event: str) -> None:
    breaker = opened(breaker_of(), 0.0)
    epoch = breaker.epoch
    if event == "trip":
        breaker.trip(1.0, 500.0, "late")
    else:
        breaker.probe_failed(1.0, "late")
    assert (breaker.state, breaker.rest.until, breaker.epoch) == ("open", 2.0, epoch)
    assert breaker.why == "3 failures in a row, the last: server"


def test_a_breaker_that_fails_for_years_still_knows_how_long_to_rest() -> None:
    breaker = opened(breaker_of(), 0.0)
    now = 0.0
    for _ in range(5000):
        now = breaker.rest.until
        breaker.begin_probe("x")
        breaker.probe_failed(now, "server")
    assert rested_s(breaker, now) == 9.0


def test_a_clock_that_leaps_leaves_it_usable() -> None:
    for leap in (1e12, -1e12, -100.0):
        breaker = opened(breaker_of(), 1000.0)
        assert breaker.may_begin(1000.0 + leap)
    breaker = opened(breaker_of(), 1000.0)
    assert not breaker.may_begin(999.9)  # that is only a clock which was read a little late
    for leap in (1e12, -1e12):
        breaker = breaker_of()
        for number in range(20):
            (breaker.count_bad(0.0, "x") if number % 3 == 0 else breaker.count_good(0.0))
        opened(breaker, leap)
