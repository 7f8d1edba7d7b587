"""Does health say who may be asked, by whom, and when again, and is it told so?"""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manus.actors.health import Health, NotBefore, Ready, Ticket
from manus.actors.health.registry import TRACKED_MAX
from manus.actors.health.tracked import MOVES_KEPT
from manus.actors.journey.attempt import GO_ELSEWHERE
from manus.messages.failures import Failed, FailureKind
from manus.messages.ids import DeploymentId, deployment_id
from manus.messages.outcomes import BreakerState, RateLimitReading
from manus.messages.routing import DeploymentMetrics
from manus.messages.routing_policy import HealthPolicy
from manus.messages.watching import BreakerMoved

POLICY = HealthPolicy(failures=3, open_s=5.0, jitter=0.0, silent_s=10.0)
A = DeploymentId("p/a")
B = DeploymentId("p/b")


def health_of(policy: HealthPolicy = POLICY) -> Health:
    return Health(policy, random.Random(1))


def begin(health: Health, now: float, deployment: DeploymentId = A, key: str | None = None) -> Ticket:
    ticket = health.begin(deployment, provider="p", key=key, now=now)
    assert isinstance(ticket, Ticket), ticket
    return ticket


def end(
    health: Health, ticket: Ticket, now: float, kind: FailureKind | None = "server", **fields: object
) -> tuple[BreakerMoved, ...]:
    failure = None if kind is None else Failed(kind=kind, message="x", status=500, **fields)  # type: ignore[arg-type]
    return health.ended(ticket, failure=failure, now=now, first_content_s=None, latency_s=0.1)


def attempt(
    health: Health, now: float, kind: FailureKind | None = "server", deployment: DeploymentId = A, **fields: object
) -> tuple[BreakerMoved, ...]:
    return end(health, begin(health, now, deployment), now, kind, **fields)


def is_well(health: Health) -> bool:
    return health.all_well


def refusal(health: Health, now: float, deployment: DeploymentId = A, key: str | None = None) -> NotBefore:
    verdict = health.verdict(deployment, provider="p", key=key, now=now)
    assert isinstance(verdict, NotBefore), verdict
    assert verdict == health.begin(deployment, provider="p", key=key, now=now)
    return verdict


def metrics_of(health: Health, now: float, deployment: DeploymentId = A) -> DeploymentMetrics:
    return {each.deployment: each for each in health.metrics(now)}[deployment]


def opened(now: float = 1.0, policy: HealthPolicy = POLICY) -> Health:
    health = health_of(policy)
    for _ in range(policy.failures):
        attempt(health, now)
    return health


def pairs(moves: tuple[BreakerMoved, ...]) -> list[tuple[BreakerState, BreakerState]]:
    return [(move.before, move.after) for move in moves]


# --- the breaker of one deployment ----------------------------------------------------------------------


def test_failures_in_a_row_open_a_breaker_and_its_probe_closes_it() -> None:
    health = health_of()
    for _ in range(2):
        assert attempt(health, 1.0) == ()
        assert is_well(health)
    moves = attempt(health, 1.0)
    assert moves == (
        BreakerMoved(
            at=1.0,
            deployment=A,
            before="closed",
            after="open",
            reason="3 failures in a row, the last: server (HTTP 500)",
            retry_in_s=5.0,
        ),
    )
    assert not is_well(health)
    assert refusal(health, 2.0) == NotBefore(at=6.0, why=moves[0].reason, state="open")
    assert health.verdict(A, provider="p", key=None, now=6.0) == Ready(probe=True)
    probe = begin(health, 6.0)
    assert probe.probe
    waits = refusal(health, 6.1)
    assert (waits.why, waits.state) == ("a probe is under way", "half_open")
    assert waits.at > 6.1
    assert pairs(end(health, probe, 7.0, None)) == [("open", "half_open"), ("half_open", "closed")]
    assert is_well(health)
    assert not begin(health, 7.0).probe


def test_another_deployment_of_the_same_key_knows_nothing_of_it() -> None:
    health = opened()
    assert health.verdict(B, provider="p", key=None, now=1.0) == Ready(probe=False)
    assert not begin(health, 1.0, B).probe


def test_successes_of_attempts_that_began_before_it_opened_do_not_close_it() -> None:
    health = health_of()
    stragglers = [begin(health, 0.0) for _ in range(10)]
    for _ in range(3):
        attempt(health, 1.0)
    for straggler in stragglers:
        assert end(health, straggler, 2.0, None) == ()
    assert refusal(health, 2.0).at == 6.0


def test_failures_of_attempts_that_began_before_it_opened_do_not_extend_it() -> None:
    health = health_of()
    stragglers = [begin(health, 0.0) for _ in range(10)]
    for _ in range(3):
        attempt(health, 1.0)
    for straggler in stragglers[:5]:
        end(health, straggler, 4.0)
    assert refusal(health, 4.0).at == 6.0
    probe = begin(health, 6.0)
    end(health, stragglers[5], 6.5)
    assert metrics_of(health, 6.5).breaker == "half_open"
    end(health, probe, 7.0, None)
    for straggler in stragglers[6:]:  # nor do they open it again
        end(health, straggler, 7.5)
    assert metrics_of(health, 7.5).breaker == "closed"


@pytest.mark.parametrize("kind", ["invalid_request", "context_length", "content_policy", "cancelled", "rate_limited"])
def test_a_probe_that_learns_nothing_leaves_the_place_to_another(kind: FailureKind) -> None:
    health = opened()
    probe = begin(health, 6.0)
    end(health, probe, 6.5, kind)
    assert metrics_of(health, 6.5).breaker == "half_open"
    assert begin(health, 10.0).probe


def test_a_probe_whose_caller_leaves_frees_the_probe() -> None:
    health = opened()
    probe = begin(health, 6.0)
    health.withdrawn(probe, now=6.5)
    assert health.in_flight(A) == 0
    assert begin(health, 6.5).probe


def test_others_need_not_wait_for_the_end_of_a_probe_that_is_answered() -> None:
    health = opened()
    probe = begin(health, 6.0)
    assert pairs(health.began(probe, now=6.5)) == [("open", "half_open"), ("half_open", "closed")]
    assert health.began(probe, now=6.6) == ()
    assert not begin(health, 6.6).probe
    assert end(health, probe, 60.0, None) == ()
    assert is_well(health)


def test_until_something_succeeds_one_failure_opens_it_again_for_longer() -> None:
    health = opened()
    probe = begin(health, 6.0)
    health.began(probe, now=6.5)
    [moved] = end(health, probe, 7.0, "incomplete")
    assert (moved.before, moved.after, moved.retry_in_s) == ("closed", "open", 10.0)
    assert moved.reason == "nothing has succeeded since it was closed: incomplete (HTTP 500)"
    probe = begin(health, 17.0)
    health.began(probe, now=17.5)
    attempt(health, 18.0, None)
    assert end(health, probe, 19.0, "incomplete") == ()
    assert is_well(health)


def test_a_key_that_is_answered_is_accepted() -> None:
    health = health_of()
    attempt(health, 0.0, "auth")
    probe = begin(health, 300.0)
    health.began(probe, now=300.5)
    assert is_well(health)
    assert not begin(health, 301.0, B).probe


def test_the_beginning_of_an_answer_says_nothing_but_of_a_probe() -> None:
    health = opened()
    straggler = begin(health_of(), 0.0)
    assert health.began(straggler, now=2.0) == ()
    straggling, late = opened_with_straggler(health_of())
    assert straggling.began(late, now=2.0) == ()
    assert refusal(straggling, 2.0).at == 6.0
    lost = begin(health, 6.0)
    health.new_incarnation()
    assert health.began(lost, now=6.5) == ()
    assert metrics_of(health, 6.5).breaker == "half_open"


def test_one_bad_request_opens_nothing_however_often_it_is_sent() -> None:
    health = health_of()
    for _ in range(1000):
        assert attempt(health, 1.0, "invalid_request") == ()
        assert attempt(health, 1.0, "context_length") == ()
        assert attempt(health, 1.0, "content_policy") == ()
        assert attempt(health, 1.0, "not_found") == ()
    assert health.all_well


def test_our_own_crashes_and_full_queues_open_nothing() -> None:
    health = health_of()
    for _ in range(100):
        for kind in ("actor_crashed", "actor_hung", "unavailable", "shed", "admission", "ledger", "slow_consumer"):
            assert attempt(health, 1.0, kind) == ()
        assert attempt(health, 1.0, "overloaded", advice=GO_ELSEWHERE) == ()
    assert health.all_well


def silences(health: Health, waited_s: float, *, streamed: bool = True) -> None:
    for _ in range(3):
        ticket = begin(health, 100.0)
        failure = Failed(kind="deadline", message="")
        now = 100.0 + waited_s
        health.ended(
            ticket,
            failure=failure,
            now=now,
            first_content_s=None,
            latency_s=waited_s,
            silent=True,
            streamed=streamed,
        )


@pytest.mark.parametrize("streamed", [True, False])
def test_a_deadline_that_passed_in_silence_counts_when_it_had_waited_long_enough(streamed: bool) -> None:
    for waited_s, counts in ((9.9, False), (10.0, True)):
        health = health_of()
        silences(health, waited_s, streamed=streamed)
        assert health.all_well is not counts


@pytest.mark.parametrize("streamed", [True, False])
def test_a_silence_that_is_usual_for_a_deployment_is_not_held_against_it(streamed: bool) -> None:
    for waited_s, counts in ((39.0, False), (41.0, True)):
        health = health_of()
        for _ in range(5):
            ticket = begin(health, 0.0)
            health.ended(ticket, failure=None, now=0.0, first_content_s=20.0, latency_s=20.0, streamed=streamed)
        silences(health, waited_s, streamed=streamed)
        assert health.all_well is not counts


def test_being_passed_over_in_silence_counts_as_a_deadline_does() -> None:
    for waited_s, counts in ((9.9, False), (10.0, True)):
        health = health_of()
        for _ in range(3):
            ticket = begin(health, 100.0)
            passed_over = Failed(kind="timeout", timeout="first_content", message="", advice=GO_ELSEWHERE)
            now = 100.0 + waited_s
            health.ended(ticket, failure=passed_over, now=now, first_content_s=None, latency_s=waited_s, silent=True)
        assert health.all_well is not counts


# --- patience ---------------------------------------------------------------------------------------------


def test_a_429_rests_the_deployment_until_its_time_and_is_no_failure() -> None:
    health = health_of()
    for ticket in [begin(health, 0.0) for _ in range(20)]:
        assert end(health, ticket, 0.0, "rate_limited", retry_after_s=5.0) == ()
    assert refusal(health, 0.0).at == 5.0
    attempt(health, 5.0, "rate_limited", retry_after_s=25.0)
    assert not health.all_well
    waits = refusal(health, 6.0)
    assert (waits.at, waits.state) == (30.0, "closed")
    assert "fewer requests" in waits.why
    assert metrics_of(health, 6.0).ready_in_s == 24.0
    assert not begin(health, 30.0).probe
    assert health.all_well


def test_limits_used_up_rest_it_also_after_a_success() -> None:
    health = health_of()
    readings = (RateLimitReading(dimension="requests", limit=60, remaining=0, reset_s=12.0),)
    ticket = begin(health, 0.0)
    health.ended(ticket, failure=None, now=1.0, first_content_s=0.1, latency_s=1.0, rate_limits=readings)
    assert refusal(health, 1.0).at == 13.0
    assert refusal(health, 1.0).why == "its limit of requests is used up"


def test_the_later_of_two_rests_wins_and_says_why() -> None:
    health = opened(now=1.0)
    assert refusal(health, 1.0).at == 6.0
    straggler = opened_with_straggler(health_of())
    assert refusal(straggler[0], 1.0).at == 6.0
    end(straggler[0], straggler[1], 2.0, "rate_limited", retry_after_s=30.0)
    waits = refusal(straggler[0], 2.0)
    assert waits.at == 32.0
    assert "fewer requests" in waits.why
    assert waits.state == "open"


def opened_with_straggler(health: Health) -> tuple[Health, Ticket]:
    straggler = begin(health, 0.0)
    for _ in range(3):
        attempt(health, 1.0)
    return health, straggler


def test_an_overload_that_names_a_time_counts_and_is_waited_for() -> None:
    health = health_of()
    attempt(health, 0.0, "overloaded", retry_after_s=20.0)
    assert refusal(health, 0.0).at == 20.0
    attempt(health, 20.0, "overloaded")
    attempt(health, 20.0, "overloaded")
    assert metrics_of(health, 20.0).breaker == "open"


# --- refused keys -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["auth", "permission", "quota_exhausted"])
def test_a_refused_key_rests_all_its_deployments_and_each_shows_it(kind: FailureKind) -> None:
    health = health_of()
    attempt(health, 0.0, "invalid_request", B)
    moves = attempt(health, 0.0, kind)
    assert sorted(move.deployment for move in moves) == [A, B]
    for deployment in (A, B, DeploymentId("p/never-asked")):
        waits = refusal(health, 1.0, deployment)
        why = f"the vendor refuses the key: {kind} (HTTP 500)"
        assert waits == NotBefore(at=300.0, why=why, state="open", refused=kind)
    for deployment in (A, B):
        metrics = metrics_of(health, 1.0, deployment)
        assert (metrics.breaker, metrics.ready_in_s, len(metrics.moves)) == ("open", 299.0, 1)


def test_a_refused_key_leaves_other_keys_and_providers_alone() -> None:
    health = health_of()
    first, second = deployment_id("p", "a", "k1"), deployment_id("p", "a", "k2")
    elsewhere = deployment_id("q", "a")
    end(health, begin(health, 0.0, first, "k1"), 0.0, "auth")
    assert isinstance(health.begin(first, provider="p", key="k1", now=0.0), NotBefore)
    assert isinstance(health.begin(second, provider="p", key="k2", now=0.0), Ticket)
    assert isinstance(health.begin(elsewhere, provider="q", key=None, now=0.0), Ticket)


def test_one_probe_under_a_refused_key_speaks_for_all_its_deployments() -> None:
    health = health_of()
    attempt(health, 0.0, None, B)
    attempt(health, 0.0, "auth")
    probe = begin(health, 300.0, B)
    assert probe.probe
    assert refusal(health, 300.0, A).why == "a probe is under way"
    moves = end(health, probe, 301.0, None)
    assert {move.deployment for move in moves if move.after == "closed"} == {A, B}
    assert not begin(health, 301.0, A).probe


def test_a_key_that_stays_refused_rests_again() -> None:
    health = health_of()
    attempt(health, 0.0, "auth")
    end(health, begin(health, 300.0), 301.0, "auth")
    assert refusal(health, 301.0).at == 601.0


def test_a_failure_that_is_not_the_keys_frees_its_probe_and_counts_where_it_belongs() -> None:
    health = health_of(HealthPolicy(failures=1, open_s=5.0, jitter=0.0))
    attempt(health, 0.0, None, B)
    attempt(health, 0.0, "auth")
    end(health, begin(health, 300.0, A), 301.0, "server")
    assert refusal(health, 301.0, A).at == 306.0
    assert begin(health, 301.0, B).probe


def test_quota_that_returns_in_days_rests_for_days_and_tells_so() -> None:
    health = health_of()
    attempt(health, 0.0, "quota_exhausted", retry_after_s=3 * 86_400.0)
    assert metrics_of(health, 0.0).ready_in_s == 3 * 86_400.0
    health = health_of()
    attempt(health, 0.0, "quota_exhausted", retry_after_s=1.0)
    assert refusal(health, 0.0).at == 300.0


def test_what_our_own_credentials_say_is_exact() -> None:
    health = health_of()
    failure = Failed(kind="auth", message="no token", retry_after_s=7.0)
    health.ended(begin(health, 0.0), failure=failure, now=0.0, first_content_s=None, latency_s=None)
    assert refusal(health, 0.0).at == 7.0


def test_a_refusal_that_the_credentials_can_answer_rests_nothing() -> None:
    health = health_of()
    assert attempt(health, 0.0, "auth", advice=GO_ELSEWHERE) == ()
    assert health.all_well


def test_a_key_that_works_elsewhere_is_refused_for_this_model_alone() -> None:
    health = health_of()
    attempt(health, 0.0, None, B)
    moves = attempt(health, 1.0, "permission")
    assert [move.deployment for move in moves] == [A]
    assert refusal(health, 1.0).at == 301.0
    assert "for this model" in refusal(health, 1.0).why
    assert not begin(health, 1.0, B).probe
    end(health, begin(health, 301.0), 301.0, "permission")
    assert refusal(health, 301.0).at == 601.0


def test_evidence_that_a_key_works_grows_old() -> None:
    health = health_of()
    attempt(health, 0.0, None, B)
    attempt(health, 400.0, "permission")
    assert isinstance(health.begin(B, provider="p", key=None, now=400.0), NotBefore)


# --- tickets and incarnations -------------------------------------------------------------------------------


def test_a_ticket_counts_once() -> None:
    health = health_of(HealthPolicy(failures=2))
    ticket = begin(health, 0.0)
    for _ in range(5):
        end(health, ticket, 0.0)
        health.withdrawn(ticket, now=0.0)
    assert health.in_flight(A) == 0
    assert health.all_well


def test_a_new_incarnation_frees_places_and_probes_and_old_tickets_are_void() -> None:
    health = opened()
    straggler = begin(health, 1.0, B)
    probe = begin(health, 6.0)
    health.new_incarnation()
    assert (health.in_flight(A), health.in_flight(B)) == (0, 0)
    assert end(health, probe, 7.0, None) == ()
    health.withdrawn(straggler, now=7.0)
    assert (health.in_flight(A), health.in_flight(B)) == (0, 0)
    assert metrics_of(health, 7.0).breaker == "half_open"
    again = begin(health, 7.0)
    assert again.probe
    assert pairs(end(health, again, 8.0, None))[-1] == ("half_open", "closed")


def test_a_probe_of_a_key_lost_with_its_router_is_free_again() -> None:
    health = health_of()
    attempt(health, 0.0, "auth")
    begin(health, 300.0)
    health.new_incarnation()
    assert begin(health, 300.0).probe


# --- speed ----------------------------------------------------------------------------------------------------


def timed(health: Health, now: float, first_s: float | None, latency_s: float, failure: Failed | None = None) -> None:
    ticket = begin(health, now)
    health.ended(ticket, failure=failure, now=now, first_content_s=first_s, latency_s=latency_s)


def test_cost_is_latency_times_those_that_would_run() -> None:
    health = health_of()
    assert health.latency_cost(A, 0.0) == 0.0
    assert health.latency(A, 0.0) is None
    first = begin(health, 0.0)
    assert health.latency_cost(A, 0.0) > 0.0  # not everybody tries who is unknown
    health.ended(first, failure=None, now=0.0, first_content_s=0.5, latency_s=2.0)
    assert health.latency_cost(A, 0.0) == 2.0
    begin(health, 0.0)
    begin(health, 0.0)
    assert health.latency_cost(A, 0.0) == 6.0
    assert health.latency(A, 0.0) == 2.0


def test_failing_fast_is_not_being_fast_and_running_out_of_time_is_being_slow() -> None:
    health = health_of()
    timed(health, 0.0, 1.0, 4.0)
    timed(health, 100.0, None, 0.001, Failed(kind="server", message=""))
    timed(health, 100.0, None, 0.001, Failed(kind="rate_limited", message="", retry_after_s=1.0))
    metrics = metrics_of(health, 100.0)
    assert (metrics.latency_s, metrics.first_content_s) == (4.0, 1.0)
    timed(health, 200.0, None, 30.0, Failed(kind="timeout", timeout="first_content", message=""))
    metrics = metrics_of(health, 200.0)
    assert (metrics.latency_s, metrics.first_content_s) == (30.0, 30.0)


def test_the_quantile_is_known_when_enough_were_seen() -> None:
    health = health_of()
    assert health.first_content_quantile(A, 0.95) is None
    for number in range(1, 20):
        timed(health, 0.0, float(number), 1.0)
    assert health.first_content_quantile(A, 0.95, samples_min=20) is None
    timed(health, 0.0, 20.0, 20.0)
    assert health.first_content_quantile(A, 0.95, samples_min=20) == 19.0
    assert metrics_of(health, 0.0).first_content_p95_s == 19.0


def test_a_stream_that_stalls_had_begun_in_time() -> None:
    health = health_of()
    timed(health, 0.0, 1.0, 40.0, Failed(kind="timeout", timeout="idle", message=""))
    assert health.first_content_quantile(A, 1.0) == 1.0
    assert health.latency(A, 0.0) == 40.0


def test_a_short_wait_in_vain_makes_nobody_look_fast_and_a_long_one_slow() -> None:
    health = health_of()
    failure = Failed(kind="deadline", message="")

    def give_up_after(waited_s: float) -> None:
        ticket = begin(health, 0.0)
        health.ended(ticket, failure=failure, now=waited_s, first_content_s=None, latency_s=waited_s, silent=True)

    give_up_after(0.2)
    assert health.first_content_quantile(A, 1.0) is None
    timed(health, 1.0, 2.0, 4.0)
    give_up_after(1.9)
    assert health.first_content_quantile(A, 0.0) == 2.0
    give_up_after(5.0)  # not long enough to be held against it, and longer than it is ever waited for here
    assert health.first_content_quantile(A, 1.0) == 5.0
    assert metrics_of(health, 5.0).first_content_s == 5.0
    assert health.all_well


def test_losers_of_a_hedge_are_not_missing_from_what_slow_is_measured_by() -> None:
    health = health_of()
    for _ in range(20):
        timed(health, 0.0, 1.0, 1.0)
    for _ in range(20):
        health.withdrawn(begin(health, 0.0), now=0.0, waited_s=8.0)
    assert health.first_content_quantile(A, 0.95) == 8.0
    assert health.in_flight(A) == 0


def test_reliability_is_the_share_that_did_not_fail_and_forgets_in_ten_minutes() -> None:
    health = health_of()
    assert health.success_rate(A, 0.0) is None
    kinds: tuple[FailureKind | None, ...] = (None, None, None, "server", "invalid_request", "rate_limited")
    for kind in kinds:
        attempt(health, 0.0, kind)
    assert health.success_rate(A, 0.0) == 0.75
    assert health.success_rate(A, 1000.0) is None


# --- bounds -----------------------------------------------------------------------------------------------------


def test_deployments_that_anybody_can_invent_stay_bounded_and_do_not_push_out_what_rests_or_runs() -> None:
    health = opened()
    running = begin(health, 1.0, B)
    for number in range(5 * TRACKED_MAX):
        attempt(health, 2.0, "not_found", DeploymentId(f"p/invented-{number}"))
    told = {each.deployment for each in health.metrics(2.0)}
    assert len(told) == TRACKED_MAX
    assert {A, B} <= told
    assert refusal(health, 2.0).at == 6.0
    assert health.in_flight(B) == 1
    end(health, running, 2.0, None)
    newcomer = DeploymentId("p/newcomer")
    attempt(health, 3.0, None, newcomer)
    assert newcomer in {each.deployment for each in health.metrics(3.0)}


def test_what_is_not_tracked_is_served_all_the_same() -> None:
    health = health_of()
    running = [begin(health, 0.0, DeploymentId(f"p/{number}")) for number in range(TRACKED_MAX)]
    stranger = DeploymentId("p/one-too-many")
    for _ in range(10):
        assert attempt(health, 0.0, "server", stranger) == ()
    assert health.in_flight(stranger) == 0
    assert health.all_well
    assert len(running) == TRACKED_MAX
    end(health, running[0], 0.0, "auth")
    assert refusal(health, 1.0, stranger).at == 300.0  # its key is known to be refused


def test_the_trace_keeps_the_latest_moves() -> None:
    health = health_of(HealthPolicy(failures=1, open_s=5.0, open_max_s=5.0, jitter=0.0))
    attempt(health, 0.0)
    for number in range(1, 100):
        end(health, begin(health, 10.0 * number), 10.0 * number)
    moves = metrics_of(health, 1000.0).moves
    assert len(moves) == MOVES_KEPT
    assert (moves[-1].at, moves[-1].after) == (990.0, "open")
    assert moves[-1].reason == "the probe failed: server (HTTP 500)"


def test_nothing_a_vendor_wrote_gets_into_a_reason() -> None:
    health = health_of(HealthPolicy(failures=1))
    failure = Failed(kind="auth", message="sk-secret is wrong", code="sk-secret", param="sk-secret", status=401)
    moves = health.ended(begin(health, 0.0), failure=failure, now=0.0, first_content_s=None, latency_s=None)
    assert moves
    assert "sk-secret" not in repr(moves) + repr(list(health.metrics(0.0))) + repr(refusal(health, 0.0))


# --- clocks -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("leap_s", [-1e9, -3600.0, 1e9, 1e15])
def test_no_leap_of_the_clock_shuts_a_deployment_for_good(leap_s: float) -> None:
    health = opened(now=1e10)
    attempt(health, 1e10, "rate_limited", B, retry_after_s=86_400.0)
    now = 1e10 + leap_s
    assert begin(health, now).probe
    assert isinstance(health.begin(B, provider="p", key=None, now=now), Ticket)
    list(health.metrics(now))
    for deployment in (A, B):
        assert health.latency_cost(deployment, now) >= 0.0
        health.success_rate(deployment, now)


# --- isolation --------------------------------------------------------------------------------------------------


@given(st.lists(st.sampled_from(("server", "auth", "rate_limited", "quota_exhausted", "timeout")), max_size=12))
def test_whatever_befalls_one_provider_another_rests_for_exactly_as_long(faults: list[FailureKind]) -> None:
    policy = HealthPolicy(failures=2, jitter=0.5)
    alone, beside = health_of(policy), health_of(policy)
    elsewhere = DeploymentId("q/m")
    now = 0.0
    for kind in faults:
        now += 1000.0
        ticket = beside.begin(elsewhere, provider="q", key=None, now=now)
        if isinstance(ticket, Ticket):
            end(beside, ticket, now, kind)
        for health in (alone, beside):
            attempt(health, now, "server")
        mine = [health.verdict(A, provider="p", key=None, now=now) for health in (alone, beside)]
        assert mine[0] == mine[1]
