"""Are rests, patience, counts and speeds measured as they are meant, whatever the clock and the vendor say?"""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from manus.actors.health.cooldown import Cooldown
from manus.actors.health.latency import DECAY_S, IDLE_DECAY_S, RECENT, PeakAverage, RecentSamples
from manus.actors.health.rest import HINT_MAX_S, Rest, believed
from manus.actors.health.window import SlidingCounts
from manus.actors.jitter import Jitter
from manus.messages.failures import Failed
from manus.messages.outcomes import RateLimitReading
from manus.messages.routing_policy import HealthPolicy

POLICY = HealthPolicy(cooldown_s=1.0, open_max_s=10.0, jitter=0.0)


def cooldown_of(policy: HealthPolicy = POLICY, name: str = "p/m") -> Cooldown:
    return Cooldown(policy, Jitter(1, name))


def limited(retry_after_s: float | None = None) -> Failed:
    return Failed(kind="rate_limited", message="", status=429, retry_after_s=retry_after_s)


# --- hints and rests ----------------------------------------------------------------------------------


@pytest.mark.parametrize("hint", [None, 0.0, -1.0, math.nan, -math.inf])
def test_a_hint_that_names_no_time_is_none(hint: float | None) -> None:
    assert believed(hint) is None


def test_a_hint_of_days_is_believed_and_one_beyond_all_reason_cut() -> None:
    assert believed(5 * 86_400.0) == 5 * 86_400.0
    assert believed(math.inf) == HINT_MAX_S
    assert believed(1e15) == HINT_MAX_S


def test_the_later_deadline_wins() -> None:
    rest = Rest()
    assert not rest.holds(0.0)
    assert rest.extend(0.0, 30.0)
    assert not rest.extend(10.0, 5.0)
    assert rest.until == 30.0
    assert rest.extend(10.0, 25.0)
    assert rest.until == 35.0
    assert rest.holds(34.9)
    assert not rest.holds(35.0)
    assert rest.holds(35.0, longer_s=1.0)


def test_a_clock_that_was_set_back_ends_a_rest_and_a_later_one_begins_anew() -> None:
    rest = Rest()
    rest.begin(1e6, 100.0)
    assert rest.holds(1e6 - 1.0)
    assert not rest.holds(1e6 - 1000.0)
    assert rest.extend(0.0, 5.0)
    assert rest.until == 5.0


# --- patience -------------------------------------------------------------------------------------------


def test_a_429_that_names_a_time_is_taken_at_its_word() -> None:
    cooldown = cooldown_of()
    cooldown.refused(limited(3 * 86_400.0), began_at=0.0, now=1.0)
    assert cooldown.rest.until == 1.0 + 3 * 86_400.0
    cooldown.refused(limited(5.0), began_at=0.0, now=2.0)
    assert cooldown.rest.until == 1.0 + 3 * 86_400.0


def test_429s_that_name_no_time_double_the_pause_up_to_its_bound() -> None:
    cooldown = cooldown_of()
    now, pauses = 0.0, []
    for _ in range(6):
        cooldown.refused(limited(), began_at=now, now=now)
        pauses.append(cooldown.rest.until - now)
        now = cooldown.rest.until
    assert pauses == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]


def test_those_who_were_refused_together_do_not_return_together_unless_they_were_told_when() -> None:
    policy = HealthPolicy(cooldown_s=10.0, jitter=0.2)
    for hint_s, times in ((None, 50), (10.0, 1)):
        ends = set()
        for number in range(50):
            cooldown = cooldown_of(policy, f"p/{number}")
            cooldown.refused(limited(hint_s), began_at=0.0, now=0.0)
            ends.add(cooldown.rest.until)
        assert len(ends) == times
        assert all(10.0 <= end <= 12.0 for end in ends)


def test_requests_that_were_under_way_together_are_told_the_same_thing_once() -> None:
    cooldown = cooldown_of()
    for step in range(50):
        cooldown.refused(limited(), began_at=9.0, now=10.0 + step * 0.001)
    assert cooldown.rest.until == pytest.approx(11.049)


def test_a_success_makes_the_next_pause_short_unless_it_began_before_the_last_429() -> None:
    cooldown = cooldown_of()
    cooldown.refused(limited(), began_at=0.0, now=0.0)
    cooldown.refused(limited(), began_at=1.0, now=1.0)
    cooldown.proven(began_at=0.5)
    cooldown.refused(limited(), began_at=3.0, now=3.0)
    assert cooldown.rest.until == 3.0 + 4.0
    cooldown.proven(began_at=8.0)
    cooldown.refused(limited(), began_at=9.0, now=9.0)
    assert cooldown.rest.until == 9.0 + 1.0


def test_an_exhausted_limit_is_waited_for_and_the_latest_of_several_wins() -> None:
    cooldown = cooldown_of()
    readings = (
        RateLimitReading(dimension="requests", limit=10, remaining=0, reset_s=2.0),
        RateLimitReading(dimension="input_tokens", limit=10, remaining=0, reset_s=7.0),
        RateLimitReading(dimension="tokens", limit=10, remaining=0, reset_s=5.0),
    )
    cooldown.exhausted(readings, refused=False, now=100.0)
    assert cooldown.rest.until == 107.0
    assert cooldown.why == "its limit of input tokens is used up"


def test_what_is_left_of_a_limit_or_names_no_time_is_no_reason_to_wait() -> None:
    cooldown = cooldown_of()
    readings = (
        RateLimitReading(dimension="requests", limit=10, remaining=1, reset_s=2.0),
        RateLimitReading(dimension="tokens", limit=10, remaining=None, reset_s=7.0),
        RateLimitReading(dimension="tokens", limit=10, remaining=0, reset_s=None),
        RateLimitReading(dimension="tokens", limit=10, remaining=0, reset_s=0.0),
    )
    cooldown.exhausted(readings, refused=True, now=100.0)
    assert not cooldown.rest.holds(100.0)


def test_a_forecast_is_believed_for_a_while_and_a_refusal_to_its_end() -> None:
    readings = (RateLimitReading(dimension="requests", limit=10, remaining=0, reset_s=3600.0),)
    for refused, seconds in ((False, 10.0), (True, 3600.0)):
        cooldown = cooldown_of()
        cooldown.exhausted(readings, refused=refused, now=0.0)
        assert cooldown.rest.until == seconds


def test_a_time_that_came_with_another_failure_is_heard() -> None:
    cooldown = cooldown_of()
    cooldown.told(None, 0.0)
    assert not cooldown.rest.holds(0.0)
    cooldown.told(20.0, 0.0)
    assert cooldown.rest.until == 20.0


# --- counts ---------------------------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.sampled_from((0.0, 0.1, 0.9, 1.0, 2.5, 9.9, 10.0, 50.0, 1e9)), st.booleans()), max_size=40)
)
@example([(0.0, False), (9.9, True), (2.5, True)])
def test_counts_are_those_of_the_window(steps: list[tuple[float, bool]]) -> None:
    counts, now = SlidingCounts(10.0), 0.0
    seen: list[tuple[int, bool]] = []
    for step, good in steps:
        now += step
        counts.count(good, now)
        seen.append((int(now // 1.0), good))
        inside = [each for slot, each in seen if slot > int(now // 1.0) - 10]
        assert counts.totals(now) == (inside.count(True), inside.count(False))


def test_a_clock_read_late_counts_as_now_and_one_set_back_begins_anew() -> None:
    counts = SlidingCounts(10.0)
    counts.count(True, 100.0)
    counts.count(False, 97.0)
    assert counts.totals(100.0) == (1, 1)
    counts.count(True, 5.0)
    assert counts.totals(5.0) == (1, 0)
    assert counts.totals(6.0) == (1, 0)
    counts.clear()
    assert counts.totals(6.0) == (0, 0)


# --- speed ----------------------------------------------------------------------------------------------


def test_the_average_believes_bad_news_at_once_and_comes_down_slowly() -> None:
    assert PeakAverage().value is None
    average = PeakAverage()
    average.observe(1.0, 0.0)
    average.observe(9.0, 1.0)
    assert average.value == 9.0
    average.observe(1.0, 2.0)
    assert average.value is not None
    assert 8.8 < average.value < 9.0
    average.observe(1.0, 2.0 + DECAY_S)
    assert average.value == pytest.approx(1.0 + 8.0 * math.exp(-1.0), rel=0.02)


def test_an_average_that_nobody_adds_to_fades() -> None:
    average = PeakAverage()
    assert average.faded(5.0) is None
    average.observe(10.0, 0.0)
    assert average.faded(0.0) == 10.0
    assert average.faded(IDLE_DECAY_S) == pytest.approx(10.0 / math.e)
    assert average.value == 10.0
    assert average.faded(-1e9) == 10.0
    assert average.faded(1e12) == 0.0


def test_what_was_not_seen_to_its_end_can_only_be_bad_news() -> None:
    average = PeakAverage()
    average.raise_to(5.0, 0.0)
    average.raise_to(1.0, 0.0)
    assert average.value == 5.0
    average.raise_to(6.0, 0.0)
    assert average.value == 6.0


def test_quantiles_are_those_of_the_latest_samples() -> None:
    assert RecentSamples().quantile(0.5) is None
    samples = RecentSamples()
    rng = random.Random(7)
    drawn = [rng.random() for _ in range(3 * RECENT)]
    for number, sample in enumerate(drawn):
        samples.add(sample)
        latest = sorted(drawn[max(0, number + 1 - RECENT) : number + 1])
        assert len(samples) == len(latest)
        for q in (0.0, 0.5, 0.95, 1.0):
            assert samples.quantile(q) == latest[max(1, math.ceil(q * len(latest))) - 1]


def test_the_quantile_of_twenty_samples_is_the_nineteenth() -> None:
    samples = RecentSamples()
    for number in range(20, 0, -1):
        samples.add(float(number))
    assert samples.quantile(0.95) == 19.0
