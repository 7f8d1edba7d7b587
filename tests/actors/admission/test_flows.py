"""Limits on what flows: any sixty seconds, tokens as the vendor counts them, calls at once."""

from __future__ import annotations

import pytest

from manus.messages.limits import LimitRule, Scope, TokenCounting
from tests.actors.admission.asking import Gate, in_doubt, make_reserve, released, settled

RPM_2 = LimitRule(requests_per_minute=2)


def test_a_minute_is_any_sixty_seconds_after_a_call_was_counted_at_the_latest() -> None:
    gate = Gate(limits=(RPM_2,))
    gate.ask(make_reserve("a"))
    gate.ask(make_reserve("b"))
    gate.pass_time(50.0)
    gate.end("a", settled())
    assert gate.ask(make_reserve("c")) == "refused", "the vendor may have counted `a` just now"
    gate.pass_time(60.0)
    assert gate.ask(make_reserve("c")) == "refused"
    gate.pass_time(1.0)
    assert gate.ask(make_reserve("c")) == "granted", "`b` is open, `a` is over for a minute"
    assert gate.ask(make_reserve("d")) == "refused"


def test_a_call_counts_from_the_vendors_answer_and_not_from_the_end_of_a_long_stream() -> None:
    gate = Gate(limits=(LimitRule(requests_per_minute=1),))
    gate.ask(make_reserve("stream"))
    gate.answer("stream")
    gate.pass_time(61.0)
    assert gate.ask(make_reserve("next")) == "granted"


def test_what_never_left_costs_no_quota_and_what_was_refused_by_the_vendor_does() -> None:
    gate = Gate(limits=(RPM_2,))
    gate.ask(make_reserve("never left"))
    gate.end("never left", released())
    gate.ask(make_reserve("refused"))
    gate.send("refused")
    gate.end("refused", released())
    assert gate.ask(make_reserve("c")) == "granted"
    assert gate.ask(make_reserve("d")) == "refused", "two may have been counted: a vendor may count what it refuses"


def test_our_own_refusals_cost_no_quota() -> None:
    gate = Gate(limits=(RPM_2,))
    for name in "abcdefgh":
        gate.ask(make_reserve(name))
    assert gate.granted == ["a", "b"]
    gate.pass_time(10.0)
    for name in "ab":
        gate.end(name, released())
    assert [gate.ask(make_reserve(name)) for name in ("i", "j", "k")] == ["granted", "granted", "refused"]


def test_open_calls_hold_their_bound_of_tokens_and_ended_ones_what_they_used() -> None:
    gate = Gate(limits=(LimitRule(tokens_per_minute=300),))
    gate.ask(make_reserve("a", tokens=(100, 100)))
    assert gate.ask(make_reserve("b", tokens=(100, 100))) == "refused"
    gate.end("a", settled((60, 40)))
    assert gate.ask(make_reserve("b", tokens=(100, 100))) == "granted"
    gate.end("b", in_doubt(make_reserve(tokens=(100, 100))))
    assert gate.ask(make_reserve("c", tokens=(1, 0))) == "refused", "one in doubt keeps its bound"


@pytest.mark.parametrize(
    ("counting", "used"),
    [
        (TokenCounting(), 50 + 30 + 20),
        (TokenCounting(cache_reads=False), 50 + 20),
        (TokenCounting(output_weight=5), 50 + 30 + 100),
        (TokenCounting(asked=True), 50 + 30 + 80),
    ],
)
def test_tokens_count_as_the_vendor_counts_them(counting: TokenCounting, used: int) -> None:
    gate = Gate(limits=(LimitRule(tokens_per_minute=1000, counting=counting),))
    gate.ask(make_reserve("a", tokens=(100, 100), asked_output_tokens=80))
    gate.end("a", settled((50, 20), cache_read=30))
    [state] = gate.admission.state(gate.clock, gate.line.waiting_at).limits
    assert state.used == used


def test_input_and_output_have_limits_of_their_own() -> None:
    gate = Gate(limits=(LimitRule(input_tokens_per_minute=100, output_tokens_per_minute=50),))
    assert gate.ask(make_reserve("a", tokens=(90, 10))) == "granted"
    assert gate.ask(make_reserve("b", tokens=(20, 10))) == "refused"
    assert gate.ask(make_reserve("c", tokens=(10, 50))) == "refused"
    assert gate.ask(make_reserve("d", tokens=(10, 40))) == "granted"


def test_what_is_counted_when_a_call_comes_stays_for_a_minute_from_its_answer_whatever_it_used() -> None:
    gate = Gate(limits=(LimitRule(tokens_per_minute=200, counting=TokenCounting(asked=True)),))
    gate.ask(make_reserve("a", tokens=(100, 100), asked_output_tokens=100))
    gate.answer("a")
    gate.pass_time(30.0)
    gate.end("a", settled((40, 1)))
    [state] = gate.admission.state(gate.clock, gate.line.waiting_at).limits
    assert state.used == 140, "the prompt as it was counted, and the whole cap"
    gate.pass_time(31.0)
    [state] = gate.admission.state(gate.clock, gate.line.waiting_at).limits
    assert state.used == 0


def test_one_whose_bound_is_above_the_limit_is_let_through_alone_and_one_that_is_expected_to_be_is_not() -> None:
    gate = Gate(limits=(LimitRule(tokens_per_minute=150),))
    assert gate.ask(make_reserve("small", tokens=(10, 0))) == "granted"
    assert gate.ask(make_reserve("large", tokens=(100, 100), wait=True)) == "waiting"
    gate.end("small", settled((0, 0)))
    assert gate.granted == ["small", "large"]
    assert gate.ask(make_reserve("next", tokens=(1, 0))) == "refused"
    assert gate.ask(make_reserve("huge", tokens=(200, 200), wait=True)) == "refused"
    failure = gate.refused["huge"]
    assert failure.kind == "admission"
    assert failure.what_to_do.retry_here == "no"
    for word in ("limits", "all requests", "150", "200", "max_tokens"):
        assert word in failure.message


def test_so_many_are_there_at_once() -> None:
    gate = Gate(limits=(LimitRule(concurrency=2, scope=Scope("provider", "alpha"), source="providers.alpha.limits"),))
    assert [gate.ask(make_reserve(name)) for name in "abc"] == ["granted", "granted", "refused"]
    assert "providers.alpha.limits" in gate.refused["c"].message
    gate.answer("a")
    assert gate.ask(make_reserve("d")) == "refused", "until its end"
    gate.end("a", settled())
    assert gate.ask(make_reserve("e")) == "granted"


def test_scopes_hold_for_whom_they_name() -> None:
    rules = (
        LimitRule(scope=Scope("provider", "alpha"), requests_per_minute=3),
        LimitRule(scope=Scope("deployment", "alpha/small"), requests_per_minute=2),
        LimitRule(scope=Scope("key", "alpha#k1"), requests_per_minute=1),
        LimitRule(scope=Scope("tag", "team"), concurrency=1),
    )
    gate = Gate(limits=rules)
    assert gate.ask(make_reserve("a", key_fingerprint="k1")) == "granted"
    assert gate.ask(make_reserve("b", key_fingerprint="k1")) == "refused", "the key"
    assert gate.ask(make_reserve("c", key_fingerprint="k2", tags=("x", "team"))) == "granted"
    assert gate.ask(make_reserve("d", provider="beta", deployment="beta/small", tags=("team",))) == "refused", "the tag"
    assert gate.ask(make_reserve("e", key_fingerprint="k2")) == "refused", "the deployment"
    assert gate.ask(make_reserve("f", deployment="alpha/large", model="large")) == "granted"
    assert gate.ask(make_reserve("g", deployment="alpha/other", model="other")) == "refused", "the provider"
    assert gate.ask(make_reserve("h", provider="beta", deployment="beta/small")) == "granted"


def test_all_is_taken_or_nothing() -> None:
    gate = Gate(limits=(LimitRule(requests_per_minute=5), LimitRule(scope=Scope("tag", "full"), concurrency=0)))
    for number in range(20):
        assert gate.ask(make_reserve(f"r{number}", tags=("full",))) == "refused"
    [requests, _] = gate.admission.state(gate.clock, gate.line.waiting_at).limits
    assert requests.used == 0


def test_who_is_refused_is_told_when_to_come_back_and_what_helps() -> None:
    gate = Gate(limits=(RPM_2,))
    for name in "ab":
        gate.ask(make_reserve(name))
        gate.answer(name)
    gate.pass_time(20.5)
    gate.ask(make_reserve("c"))
    failure = gate.refused["c"]
    assert failure.retry_after_s == pytest.approx(40.5)
    assert failure.safe_to_retry
    assert failure.what_to_do.elsewhere == "yes"
    for word in ("limits", "2 requests per minute", "2 are used"):
        assert word in failure.message


def test_an_attempt_is_put_back_whose_intent_could_not_be_written() -> None:
    gate = Gate(limits=(LimitRule(requests_per_minute=1, tokens_per_minute=200, concurrency=1),))
    gate.ask(make_reserve("a"))
    gate.put_back("a")
    assert gate.ask(make_reserve("b")) == "granted"


def test_a_second_end_changes_nothing() -> None:
    gate = Gate(limits=(LimitRule(concurrency=1),))
    gate.ask(make_reserve("a"))
    gate.end("a", settled())
    assert gate.admission.end(("a", 1), settled(), gate.now) == ()  # type: ignore[arg-type]
    assert [gate.ask(make_reserve(name)) for name in "bc"] == ["granted", "refused"]
