"""Who is asked when deployments rest, and what the caller is told when all of them do."""

from __future__ import annotations

import pytest

from manus.actors.journey.retry import SPREAD
from manus.messages.failures import Advice, Failed
from manus.messages.routing_policy import HealthPolicy, RetryPolicy
from tests.actors.walks import POLICY, Walk, asked, choice, given_up, walk_of

OPEN_S = HealthPolicy().open_s


def test_deployment_that_rests_is_passed_over() -> None:
    walk = Walk(choice("a"), choice("b"))
    walk.break_("a")

    step = asked(walk.begin())

    assert (step.choice.provider, step.role, step.wait_s) == ("b", "first", 0.0)


def test_deployment_that_was_passed_over_is_asked_once_it_is_ready() -> None:
    walk = Walk(choice("a"), choice("b"))
    walk.rest("a", 3.0)
    walk.begin()

    step = asked(walk.fail("auth"))

    assert (step.choice.provider, step.role) == ("a", "failover")
    assert 3.0 <= step.wait_s <= 3.0 * (1 + SPREAD)


def test_where_all_rest_the_one_that_is_back_first_is_waited_for() -> None:
    walk = Walk(choice("a"), choice("b"), choice("c"))
    for provider, rest_s in (("a", 9.0), ("b", 4.0), ("c", 6.0)):
        walk.rest(provider, rest_s)

    step = asked(walk.begin())

    assert (step.choice.provider, step.role) == ("b", "first")
    assert 4.0 <= step.wait_s <= 4.0 * (1 + SPREAD)


def test_those_who_wait_for_the_same_deployment_do_not_come_back_together() -> None:
    waits = set()
    for seed in range(5):
        walk = Walk(choice("a"), seed=seed)
        walk.rest("a", 4.0)
        waits.add(asked(walk.begin()).wait_s)

    assert len(waits) == 5


def test_those_who_return_to_a_deployment_that_rests_do_not_come_back_together_either() -> None:
    waits = set()
    for seed in range(5):
        walk = Walk(choice("a"), seed=seed)
        walk.begin()
        walk.rest("a", 4.0)
        waits.add(asked(walk.fail("rate_limited", retry_after_s=1.0)).wait_s)

    assert len(waits) == 5
    assert all(4.0 <= wait_s <= 4.0 * (1 + SPREAD) for wait_s in waits)


@pytest.mark.parametrize("hint_s", [1.0, 10.0], ids=["waited for at once", "waited for when nobody else is left"])
def test_a_return_is_paid_for_once_however_often_it_has_to_wait(hint_s: float) -> None:
    walk = walk_of(choice("a"), policy=RetryPolicy(budget_ratio=0.0, budget_min=1))
    failure = Failed(kind="rate_limited", message="", retry_after_s=hint_s)
    asked(walk.cursor.after(walk.current, failure, now=walk.now))

    walk.rest("a", 2 * hint_s)
    for _ in range(3):
        assert asked(walk.cursor.again(walk.now)).role == "wait"


def test_a_retry_that_was_due_when_others_broke_its_deployment_waits_for_it() -> None:
    walk = walk_of(choice("a"))
    assert asked(walk.cursor.after(walk.current, Failed(kind="network", message=""), now=walk.now)).role == "retry"

    walk.break_("a")
    step = asked(walk.cursor.again(walk.now))

    assert (step.choice.provider, step.role) == ("a", "wait")


@pytest.mark.parametrize(("deadline", "rest_s"), [(4.0, 5.0), (1e6, POLICY.wait_hint_max_s + 1.0)])
def test_where_waiting_is_not_worth_it_the_caller_is_told_who_rests_and_when_to_come_back(
    deadline: float, rest_s: float
) -> None:
    walk = Walk(choice("a"), choice("b"), deadline=deadline)
    walk.rest("a", rest_s + 3.0)
    walk.rest("b", rest_s)

    failure = given_up(walk.begin()).failure

    assert failure is not None
    assert (failure.kind, failure.retry_after_s, failure.safe_to_retry) == ("rate_limited", rest_s, True)
    assert f"a/m for {rest_s + 3.0:g} s" in failure.message
    assert f"b/m for {rest_s:g} s" in failure.message


def test_open_breakers_are_told_as_unavailable_with_their_reason() -> None:
    walk = Walk(choice("a"), deadline=1.0)
    walk.break_("a")

    failure = given_up(walk.begin()).failure

    assert failure is not None
    assert (failure.kind, failure.retry_after_s) == ("unavailable", OPEN_S)
    assert "server" in failure.message


def test_where_the_one_that_was_waited_for_is_not_ready_after_all_others_may_be_by_then() -> None:
    walk = Walk(choice("a"), choice("b"))
    walk.rest("a", 2.0)
    walk.rest("b", 3.0)
    assert asked(walk.cursor.first(0.0)).choice.provider == "a"
    walk.now = 2.0
    walk.rest("a", 10.0)

    step = asked(walk.cursor.again(3.5))

    assert (step.choice.provider, step.wait_s) == ("b", 0.0)


def test_nobody_waits_for_ever_in_small_pieces() -> None:
    walk = Walk(choice("a"), deadline=1e6)
    waited_s, rounds = 0.0, 0
    walk.rest("a", 20.0)
    step = walk.cursor.first(0.0)
    while rounds < 100 and not hasattr(step, "reason"):
        waited_s += asked(step).wait_s
        rounds += 1
        walk.now = waited_s
        walk.rest("a", 20.0)
        step = walk.cursor.again(waited_s)

    assert POLICY.wait_hint_max_s - 20.0 < waited_s <= POLICY.wait_hint_max_s


def test_deployment_whose_breaker_opened_on_this_failure_is_not_retried_at_once() -> None:
    walk = walk_of(choice("a"), choice("b"))
    walk.break_("a")

    step = asked(walk.fail("server"))

    assert (step.choice.provider, step.role) == ("b", "failover")


def test_lone_deployment_whose_breaker_opened_is_returned_to_when_it_may_be_probed() -> None:
    walk = walk_of(choice("a"))
    walk.break_("a")

    step = asked(walk.fail("server"))

    assert (step.choice.provider, step.role) == ("a", "wait")
    assert OPEN_S <= step.wait_s <= OPEN_S * (1 + SPREAD)


def test_returning_to_who_asked_for_patience_takes_from_the_retry_budget() -> None:
    policy = RetryPolicy(budget_ratio=0.0, budget_min=2)
    walk = walk_of(choice("a"), policy=policy, deadline=1e6)

    roles = [asked(walk.fail("rate_limited", retry_after_s=1.0)).role for _ in range(2)]
    end = given_up(walk.fail("rate_limited", retry_after_s=1.0))

    assert roles == ["wait", "wait"]
    assert "budget" in end.reason


def test_end_after_failures_says_when_the_first_of_all_is_back() -> None:
    walk = walk_of(choice("a"), choice("b"), deadline=5.0)
    walk.rest("a", 30.0)
    walk.fail("rate_limited", retry_after_s=30.0)
    walk.rest("b", 20.0)

    end = given_up(walk.fail("rate_limited", retry_after_s=40.0))

    assert end.failure is not None
    assert (end.failure.kind, end.failure.retry_after_s) == ("rate_limited", 20.0)


def test_end_where_somebody_may_be_asked_at_once_promises_no_time() -> None:
    walk = walk_of(choice("a"), choice("b"))
    walk.break_("a")
    walk.fail("timeout")

    assert given_up(walk.fail("not_found")).failure is None


def test_spare_deployment_is_one_that_is_well() -> None:
    walk = walk_of(choice("a"), choice("b"), choice("c"))
    walk.break_("b")

    # Once its rest is over the next request is its probe, which no race may be.
    spares = [walk.cursor.spare(now) for now in (0.0, OPEN_S)]

    assert [None if spare is None else spare.provider for spare in spares] == ["c", "c"]


# --- what a failure said stays true -------------------------------------------------------------------------------


def test_what_a_policy_refused_is_asked_of_those_named_for_it_and_of_nobody_else() -> None:
    walk = walk_of(
        choice("a"), choice("b"), choice("c", after_policy=True), choice("d", use="policy", after_policy=True)
    )

    steps = [asked(walk.fail("content_policy")), asked(walk.fail("auth"))]

    assert [step.choice.provider for step in steps] == ["c", "d"]
    given_up(walk.fail("not_found"))


def test_policy_fallback_is_not_asked_after_other_failures() -> None:
    given_up(walk_of(choice("a"), choice("d", use="policy", after_policy=True)).fail("auth"))


def test_policy_fallback_is_not_asked_after_a_prompt_that_was_too_long_either() -> None:
    larger = choice("d", window=9000, use="policy", after_policy=True)

    given_up(walk_of(choice("a", window=1000), larger).fail("context_length"))


def test_prompt_too_long_stays_too_long_after_another_failure() -> None:
    walk = walk_of(choice("a", window=1000), choice("b", window=800), choice("c", window=5000))

    assert asked(walk.fail("context_length")).choice.provider == "c"
    given_up(walk.fail("auth"))


# --- what a rescue asks for -----------------------------------------------------------------------------------------


def test_wanted_deployment_is_preferred_among_those_that_may_be_asked() -> None:
    walk = walk_of(choice("a"), choice("b"), choice("c"), choice("d"))
    walk.break_("c")
    failure = Failed(kind="timeout", message="")

    step = asked(walk.fail_with(failure, want=lambda each: each.provider in "cd"))

    assert step.choice.provider == "d"


def test_who_failed_may_be_the_one_that_is_wanted() -> None:
    walk = walk_of(choice("a"), choice("b"))

    step = asked(walk.fail_with(Failed(kind="network", message=""), want=lambda each: each.provider == "a"))

    assert (step.choice.provider, step.role) == ("a", "retry")


def test_where_nobody_is_wanted_the_next_one_follows_unless_the_caller_insists() -> None:
    elsewhere = Advice("no", "yes", False)
    first = Failed(kind="incomplete", message="", advice=elsewhere)
    second = Failed(kind="incomplete", message="", advice=elsewhere)
    walk = walk_of(choice("a"), choice("b"), choice("c"))

    assert asked(walk.fail_with(first, want=lambda each: False)).choice.provider == "b"
    given_up(walk.fail_with(second, want=lambda each: False, insist=True))
