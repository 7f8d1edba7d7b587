"""How a simulated vendor counts: against a plain oracle, and how its three ways compare."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manus.sim.counting import Counter, Counting, FixedWindow, SlidingWindow, TokenBucket, counter_of

STEPS = st.lists(st.tuples(st.sampled_from([0.0, 0.5, 1.0, 7.0, 30.0, 59.5, 60.0, 61.0]), st.integers(0, 12)))


@given(steps=STEPS)
def test_any_minute_counts_what_came_in_it(steps: list[tuple[float, int]]) -> None:
    counter, now, came = SlidingWindow(10, 60.0), 0.0, []
    for wait, amount in steps:
        now += wait
        counter.add(now, amount)
        came.append((now, amount))
        assert counter.used(now) == sum(each for at, each in came if at + 60.0 > now)


@given(steps=STEPS)
def test_a_minute_of_the_clock_counts_what_came_since_it_began(steps: list[tuple[float, int]]) -> None:
    counter, now, came = FixedWindow(10, 60.0), 0.0, []
    for wait, amount in steps:
        now += wait
        counter.add(now, amount)
        came.append((now, amount))
        assert counter.used(now) == sum(each for at, each in came if at >= now // 60.0 * 60.0)


@given(steps=STEPS, other=st.sampled_from(["fixed", "bucket"]))
def test_who_keeps_to_any_minute_keeps_to_every_way_of_counting(
    steps: list[tuple[float, int]], other: Counting
) -> None:
    mine, theirs, now = SlidingWindow(10, 60.0), counter_of(other, 10, 60.0), 0.0
    for wait, amount in steps:
        now += wait
        if mine.free_in_s(now, amount) > 0:
            continue
        mine.add(now, amount)
        theirs.add(now, amount)
        assert theirs.used(now) <= 10


@given(steps=STEPS, counting=st.sampled_from(["fixed", "sliding", "bucket"]), wanted=st.integers(1, 10))
def test_there_is_room_when_it_was_said_and_no_earlier(
    steps: list[tuple[float, int]], counting: Counting, wanted: int
) -> None:
    counter, now = counter_of(counting, 10, 60.0), 0.0
    for wait, amount in steps:
        now += wait
        if counter.free_in_s(now, amount) == 0.0:
            counter.add(now, amount)
    free_in_s = counter.free_in_s(now, wanted)
    if free_in_s > 0:
        assert counter.used(now) + wanted > 10
        assert counter.used(now + free_in_s * 0.99 - 1e-3) + wanted > 10 or counting == "bucket"
    assert counter.used(now + free_in_s) + wanted <= 10


@pytest.mark.parametrize("counter", [SlidingWindow(10, 60.0), FixedWindow(10, 60.0), TokenBucket(10, 60.0)])
def test_more_than_the_limit_never_fits(counter: Counter) -> None:
    assert math.isinf(counter.free_in_s(0.0, 11))


@pytest.mark.parametrize("counter", [SlidingWindow(10, 60.0), FixedWindow(10, 60.0), TokenBucket(10, 60.0)])
def test_what_is_given_back_is_free_at_once_and_only_while_it_counts(counter: Counter) -> None:
    entry = counter.add(0.0, 10)
    counter.correct(0.0, entry, 4)
    assert counter.used(0.0) == 4
    late = counter.add(50.0, 0)
    counter.correct(130.0, entry, 0)  # its minute is over, whoever counts
    counter.correct(130.0, late, 0)
    assert counter.used(130.0) == 0
