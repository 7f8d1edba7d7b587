"""The restart window is exact, and the back-off series keeps its bounds."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manus.supervisor.intensity import BackoffSeries, RestartWindow, backoff_delay_s, shortest_spending_time_s
from manus.supervisor.spec import Backoff, Intensity

BACKOFFS = st.builds(
    Backoff,
    min_s=st.floats(min_value=0.0, max_value=10.0),
    max_s=st.floats(min_value=10.0, max_value=100.0),
    factor=st.floats(min_value=1.0, max_value=10.0),
    jitter=st.floats(min_value=0.0, max_value=1.0),
)


@given(
    max_restarts=st.integers(min_value=0, max_value=6),
    period_s=st.floats(min_value=0.1, max_value=100.0),
    gaps_s=st.lists(st.floats(min_value=0.0, max_value=60.0), max_size=40),
)
def test_window_counts_exactly_what_lies_within_the_period(
    max_restarts: int, period_s: float, gaps_s: list[float]
) -> None:
    window = RestartWindow(Intensity(max_restarts=max_restarts, period_s=period_s))
    now, all_of_them = 0.0, []
    for gap_s in gaps_s:
        now += gap_s
        all_of_them.append(now)
        in_period = [at for at in all_of_them if now <= at + period_s]
        assert window.spend(now) == (len(in_period) <= max_restarts)
        assert window.count(now) == min(len(in_period), max_restarts + 1)


def test_a_restart_exactly_one_period_old_still_counts() -> None:
    window = RestartWindow(Intensity(max_restarts=1, period_s=10.0))
    assert window.spend(0.0)
    assert not window.spend(10.0)


def test_a_restart_older_than_the_period_is_forgotten() -> None:
    window = RestartWindow(Intensity(max_restarts=1, period_s=10.0))
    assert window.spend(0.0)
    assert window.spend(10.5)


def test_no_restart_is_affordable_at_intensity_zero() -> None:
    assert not RestartWindow(Intensity(max_restarts=0, period_s=10.0)).spend(0.0)


@given(backoff=BACKOFFS, attempt=st.integers(min_value=0, max_value=5000), u=st.floats(min_value=0.0, max_value=1.0))
def test_delay_stays_between_its_bounds(backoff: Backoff, attempt: int, u: float) -> None:
    delay_s = backoff_delay_s(backoff, attempt, u)
    assert min(backoff.min_s, backoff.max_s) <= delay_s <= backoff.max_s


@given(backoff=BACKOFFS, attempt=st.integers(min_value=0, max_value=50))
def test_delay_never_shrinks_from_one_attempt_to_the_next(backoff: Backoff, attempt: int) -> None:
    assert backoff_delay_s(backoff, attempt, 0.5) <= backoff_delay_s(backoff, attempt + 1, 0.5)


def test_jitter_comes_before_the_cap() -> None:
    backoff = Backoff(min_s=20.0, max_s=30.0, factor=2.0, jitter=1.0)
    assert backoff_delay_s(backoff, 5, 1.0) == 30.0
    assert backoff_delay_s(backoff, 0, 0.25) == 25.0


def test_delays_double_from_the_shortest_to_the_longest() -> None:
    backoff = Backoff(min_s=1.0, max_s=5.0, factor=2.0, jitter=0.0)
    series = BackoffSeries(backoff, period_s=60.0)
    rng = random.Random(0)
    assert [series.next_delay_s(rng) for _ in range(5)] == [1.0, 2.0, 4.0, 5.0, 5.0]
    series.reset()
    assert series.next_delay_s(rng) == 1.0


@pytest.mark.parametrize(("reset_after_s", "healthy_s"), [(None, 60.0), (3.0, 3.0), (0.0, 0.0)])
def test_health_is_a_run_of_the_reset_time_or_else_the_period(reset_after_s: float | None, healthy_s: float) -> None:
    series = BackoffSeries(Backoff(reset_after_s=reset_after_s), period_s=60.0)
    assert series.is_healthy(healthy_s)
    assert not series.is_healthy(healthy_s - 0.001)


def test_spending_time_is_the_sum_of_the_least_delays() -> None:
    backoff = Backoff(min_s=1.0, max_s=4.0, factor=2.0, jitter=1.0)
    assert shortest_spending_time_s(Intensity(max_restarts=4, period_s=60.0), backoff) == 1.0 + 2.0 + 4.0 + 4.0
