"""What follows a failed attempt."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manus.actors.journey.steps import Ask, GiveUp
from manus.actors.journey.traffic_share import WINDOW_S, TrafficShare, TrafficShares
from manus.messages.failures import ADVICE, Advice, Failed, FailureKind
from manus.messages.routing_policy import RetryPolicy
from tests.actors.walks import POLICY, choice, walk_of


@pytest.mark.parametrize("kind", ["network", "server", "protocol", "incomplete", "overloaded"])
def test_reset_or_5xx_is_retried_once_here_with_jitter_then_elsewhere(kind: FailureKind) -> None:
    walk = walk_of(choice("a"), choice("b"))

    again, other = walk.fail(kind), walk.fail(kind)

    assert isinstance(again, Ask)
    assert again.choice.provider == "a"
    assert 0.0 < again.wait_s <= POLICY.base_s
    assert isinstance(other, Ask)
    assert (other.choice.provider, other.wait_s) == ("b", 0.0)


@pytest.mark.parametrize("kind", ["timeout", "auth", "quota_exhausted", "not_found", "actor_crashed", "unavailable"])
def test_silent_or_unable_route_is_failed_over_at_once(kind: FailureKind) -> None:
    walk = walk_of(choice("a"), choice("b"))

    step = walk.fail(kind)

    assert isinstance(step, Ask)
    assert (step.choice.provider, step.wait_s) == ("b", 0.0)
    assert isinstance(walk.fail(kind), GiveUp)


@pytest.mark.parametrize("kind", ["invalid_request", "slow_consumer", "cancelled", "deadline", "ledger"])
def test_fault_that_asking_again_cannot_mend_ends_the_request(kind: FailureKind) -> None:
    assert isinstance(walk_of(choice("a"), choice("b")).fail(kind), GiveUp)


def test_content_policy_never_goes_to_just_anybody() -> None:
    assert isinstance(walk_of(choice("a"), choice("b")).fail("content_policy"), GiveUp)


def test_context_length_goes_to_a_larger_window_only_and_may_use_the_reserve() -> None:
    walk = walk_of(
        choice("a", window=1000),
        choice("b", window=1000),
        choice("c"),
        choice("d", window=5000),
        choice("e", window=9000, use="larger_window"),
    )

    first, second, third = walk.fail("context_length"), walk.fail("context_length"), walk.fail("context_length")

    assert isinstance(first, Ask)
    assert isinstance(second, Ask)
    assert (first.choice.provider, second.choice.provider) == ("d", "e")
    assert isinstance(third, GiveUp)


def test_window_that_nobody_knows_is_tried_after_the_larger_ones_but_never_that_of_a_model_that_was_too_small() -> None:
    walk = walk_of(
        choice("a", model="small"),
        choice("b", model="small"),
        choice("c", model="unknown"),
        choice("d", model="large", window=5000),
        choice("e", model="tiny", window=10),
    )

    first, second, third = walk.fail("context_length"), walk.fail("context_length"), walk.fail("context_length")

    assert isinstance(first, Ask)
    assert isinstance(second, Ask)
    assert (first.choice.provider, second.choice.provider) == ("d", "c")
    assert isinstance(third, GiveUp)


def test_who_asked_to_wait_is_not_returned_to_for_a_prompt_too_long_for_another() -> None:
    walk = walk_of(choice("a"), choice("b"))
    walk.fail("rate_limited", retry_after_s=1.0)

    assert isinstance(walk.fail("context_length"), GiveUp)


def test_reserve_is_not_used_for_any_other_failure() -> None:
    walk = walk_of(choice("a", window=1000), choice("a2", window=5000, use="larger_window"))

    assert isinstance(walk.fail("auth"), GiveUp)


def test_429_goes_elsewhere_first() -> None:
    step = walk_of(choice("a"), choice("b")).fail("rate_limited", retry_after_s=POLICY.wait_here_s + 1.0)

    assert isinstance(step, Ask)
    assert (step.choice.provider, step.wait_s) == ("b", 0.0)


@pytest.mark.parametrize("kind", ["rate_limited", "overloaded"])
def test_short_wait_that_a_vendor_names_is_waited_out_once_before_others_are_asked(kind: FailureKind) -> None:
    walk = walk_of(choice("a"), choice("b"))

    here, elsewhere = walk.fail(kind, retry_after_s=2.0), walk.fail(kind, retry_after_s=2.0)

    assert isinstance(here, Ask)
    assert (here.choice.provider, here.role) == ("a", "wait")
    assert 2.0 < here.wait_s <= 2.2, "no sooner than the vendor said, and not all at once"
    assert isinstance(elsewhere, Ask)
    assert elsewhere.choice.provider == "b"


@pytest.mark.parametrize("policy", [RetryPolicy(wait_here_s=0.0), RetryPolicy(same_deployment=0)])
def test_who_wants_no_wait_or_no_second_try_goes_elsewhere_at_once(policy: RetryPolicy) -> None:
    step = walk_of(choice("a"), choice("b"), policy=policy).fail("rate_limited", retry_after_s=1.0)

    assert isinstance(step, Ask)
    assert (step.choice.provider, step.wait_s) == ("b", 0.0)


def test_429_waits_its_hint_where_nobody_else_is_left() -> None:
    step = walk_of(choice("a")).fail("rate_limited", retry_after_s=7.0)

    assert isinstance(step, Ask)
    assert (step.choice.provider, step.wait_s) == ("a", 7.0)


def test_429_whose_hint_does_not_fit_the_deadline_ends_the_request() -> None:
    assert isinstance(walk_of(choice("a"), deadline=5.0).fail("rate_limited", retry_after_s=7.0), GiveUp)


def test_429_whose_hint_is_beyond_the_cap_is_not_waited_for() -> None:
    assert isinstance(walk_of(choice("a"), deadline=1e6).fail("rate_limited", retry_after_s=61.0), GiveUp)


def test_429_without_a_hint_backs_off_and_is_bounded_by_the_attempts_of_one_request() -> None:
    walk = walk_of(choice("a"), deadline=1e6)
    steps = [walk.fail("rate_limited") for _ in range(POLICY.attempts_max)]

    assert all(isinstance(step, Ask) for step in steps[:-1])
    assert isinstance(steps[-1], GiveUp)


def test_who_asked_to_wait_is_returned_to_when_the_others_have_failed() -> None:
    walk = walk_of(choice("a"), choice("b"))
    walk.fail("rate_limited", retry_after_s=4.0)
    walk.now = 1.0

    step = walk.fail("auth")

    assert isinstance(step, Ask)
    assert (step.choice.provider, step.wait_s) == ("a", 3.0)


def test_503_with_a_hint_lets_others_go_first_and_is_returned_to_once() -> None:
    walk = walk_of(choice("a"), choice("b"))

    other = walk.fail("overloaded", retry_after_s=4.0)
    back = walk.fail("auth")
    end = walk.fail("overloaded", retry_after_s=4.0)

    assert isinstance(other, Ask)
    assert isinstance(back, Ask)
    assert (other.choice.provider, back.choice.provider) == ("b", "a")
    assert isinstance(end, GiveUp)


def test_full_queue_goes_elsewhere_and_waits_for_room_only_where_nobody_is_left() -> None:
    full = Failed(kind="overloaded", message="", phase="queued", advice=Advice("after_wait", "yes", False))
    walk = walk_of(choice("a"), choice("b"))

    other = walk.fail_with(full)
    patient = walk.fail_with(full)

    assert isinstance(other, Ask)
    assert (other.choice.provider, other.shed) == ("b", True)
    assert isinstance(patient, Ask)
    assert (patient.choice.provider, patient.wait_s, patient.shed) == ("a", 0.0, False)


def test_retries_here_stop_when_the_budget_is_spent() -> None:
    policy = RetryPolicy(budget_ratio=0.0, budget_min=1)
    walk = walk_of(choice("a"), choice("b"), policy=policy)
    assert walk.budget.spend("a", 0.0)

    step = walk.fail("network")

    assert isinstance(step, Ask)
    assert step.choice.provider == "b"


def test_budget_is_a_share_of_the_last_minutes_traffic() -> None:
    budget = TrafficShare(0.1, 2)
    for _ in range(50):
        budget.count_request(0.0)

    assert [budget.spend(1.0) for _ in range(8)] == [True] * 7 + [False]
    assert [budget.spend(WINDOW_S * 2) for _ in range(3)] == [True, True, False]


def test_a_provider_that_is_down_uses_up_no_budget_but_its_own() -> None:
    budgets = TrafficShares(0.5, 1)
    for provider in ("down", "well"):
        budgets.count_request(provider, 0.0)
        budgets.count_request(provider, 0.0)
    assert [budgets.spend("down", 0.0) for _ in range(3)] == [True, True, False]
    assert [budgets.spend("well", 0.0) for _ in range(3)] == [True, True, False]


def test_budget_does_not_forget_when_the_clock_stands_or_steps_back() -> None:
    budget = TrafficShare(0.0, 1)

    assert [budget.spend(now) for now in (50.0, 50.0, 10.0, 50.0)] == [True, False, False, False]


KINDS = st.sampled_from(get_args(FailureKind))


@settings(max_examples=200)
@given(
    kinds=st.lists(st.tuples(KINDS, st.none() | st.floats(0.0, 90.0)), min_size=20, max_size=20),
    windows=st.lists(st.none() | st.integers(100, 10_000), min_size=1, max_size=5),
    deadline=st.floats(0.0, 200.0),
)
def test_every_walk_ends_and_never_starts_after_the_deadline(
    kinds: list[tuple[FailureKind, float | None]], windows: list[int | None], deadline: float
) -> None:
    walk = walk_of(*(choice(f"p{n}", window=w) for n, w in enumerate(windows)), deadline=deadline)
    asked = 1
    for kind, hint in kinds:
        before = walk.now
        step = walk.fail(kind, retry_after_s=hint)
        if isinstance(step, GiveUp):
            assert step.reason
            return
        asked += 1
        if step.wait_s:
            assert before + step.wait_s < max(deadline, before)
            assert ADVICE[kind].retry_here != "no" or ADVICE[kind].elsewhere in ("yes", "larger_window")
    assert asked <= POLICY.attempts_max
    pytest.fail("the walk did not end")
