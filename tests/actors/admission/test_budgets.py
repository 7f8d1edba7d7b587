"""Budgets: what is spent, in doubt and held; periods, clocks and what other runs spend."""

from __future__ import annotations

import msgspec
import pytest

from manus.messages.accounting import Spent, SpentBucket
from manus.messages.limits import BudgetRule, BudgetWarned, Scope, UnpricedAdmitted
from manus.messages.usage import UNKNOWN_PRICE
from tests.actors.admission.asking import UNIX_S, Gate, in_doubt, make_reserve, released, settled, usd

CALL = (5_000, 5_000)
"""Tokens of a call that may cost a cent."""

CENT = usd(0.01)
HOUR_S = 3600.0
TO_MIDNIGHT_S = 86_400.0 - UNIX_S % 86_400.0
DAY = BudgetRule(amount=10 * CENT, source="budgets.usd_per_day")


def fill(gate: Gate, calls: int, name: str = "r") -> None:
    """Have so many calls cost a cent each."""
    for number in range(calls):
        assert gate.ask(make_reserve(f"{name}{number}", tokens=CALL)) == "granted"
        gate.end(f"{name}{number}", settled(CALL))


def budget(gate: Gate, index: int = 0) -> tuple[int, int, int]:
    """Say what is spent, in doubt and held."""
    state = gate.admission.state(gate.clock, gate.line.waiting_at).budgets[index]
    return state.spent, state.in_doubt, state.reserved


def test_open_calls_hold_their_bound_and_ended_ones_what_they_cost() -> None:
    gate = Gate(budgets=(DAY,))
    for name in "abc":
        gate.ask(make_reserve(name, tokens=CALL))
    assert budget(gate) == (0, 0, 3 * CENT)
    gate.end("a", settled((1_000, 0)))
    gate.end("b", in_doubt(make_reserve(tokens=CALL)))
    gate.end("c", released())
    assert budget(gate) == (CENT // 10, CENT, 0)


@pytest.mark.parametrize("rule", [DAY, BudgetRule(amount=10 * CENT, period="rolling", window_s=HOUR_S)])
def test_a_call_whose_price_turned_out_unknown_is_in_doubt_of_its_bound(rule: BudgetRule) -> None:
    gate = Gate(budgets=(rule,))
    gate.ask(make_reserve("a", tokens=CALL))
    gate.end("a", settled((1, 1), cost=None))
    assert budget(gate) == (0, CENT, 0)
    gate.ask(make_reserve("b", tokens=CALL, price=UNKNOWN_PRICE))
    gate.end("b", settled((1, 1), cost=None))
    assert budget(gate) == (0, CENT, 0), "of a call that never had a price there is no bound"


def test_where_open_calls_stand_in_the_way_it_is_waited_and_where_money_is_gone_it_is_refused() -> None:
    gate = Gate(budgets=(DAY,))
    for number in range(10):
        gate.ask(make_reserve(f"r{number}", tokens=CALL))
    assert gate.ask(make_reserve("impatient", tokens=CALL)) == "refused"
    assert gate.refused["impatient"].kind == "admission"
    assert gate.ask(make_reserve("patient", tokens=CALL, wait=True)) == "waiting"
    assert gate.ask(make_reserve("second", tokens=CALL, wait=True)) == "waiting"
    for number in range(9):
        gate.end(f"r{number}", settled(CALL))
    assert gate.waiting("patient")
    gate.end("r9", settled((2_500, 2_500)))
    assert "patient" not in gate.granted
    failure = gate.refused["patient"]
    assert failure.kind == "budget_exceeded"
    assert failure.retry_after_s == pytest.approx(TO_MIDNIGHT_S)
    assert failure.what_to_do.retry_here == "no"
    for word in ("budgets.usd_per_day", "$0.095", "$0.10 per day", "$0.01", "max_tokens", "all requests"):
        assert word in failure.message
    assert "second" in gate.refused
    assert gate.ask(make_reserve("cheap", tokens=(2_500, 2_500))) == "granted", "what fits is let through"


def test_a_call_above_the_whole_budget_is_refused_with_both_numbers() -> None:
    gate = Gate(budgets=(DAY,))
    assert gate.ask(make_reserve("huge", tokens=(50_000, 60_000), wait=True)) == "refused"
    failure = gate.refused["huge"]
    assert failure.kind == "budget_exceeded"
    assert failure.retry_after_s is None
    for word in ("$0.11", "$0.10 per day", "max_tokens", "budgets.usd_per_day"):
        assert word in failure.message


def test_one_call_may_cost_so_much() -> None:
    gate = Gate(usd_per_request=CENT)
    assert gate.ask(make_reserve("a", tokens=CALL)) == "granted"
    assert gate.ask(make_reserve("b", tokens=(5_000, 5_001), wait=True)) == "refused"
    assert "usd_per_request" in gate.refused["b"].message
    assert "max_tokens" in gate.refused["b"].message


def test_a_call_without_a_price_is_refused_where_that_is_wanted() -> None:
    gate = Gate(on_unknown_price="refuse")
    assert gate.ask(make_reserve("a", price=UNKNOWN_PRICE, model="mystery", wait=True)) == "refused"
    for word in ("mystery", "alpha", "cost_per_input", "cost_per_output"):
        assert word in gate.refused["a"].message
    assert gate.refused["a"].what_to_do.elsewhere == "yes", "a model with a price may do"
    assert gate.ask(make_reserve("b")) == "granted"


def test_a_call_without_a_price_is_warned_of_once_per_deployment_under_a_budget_in_usd() -> None:
    gate = Gate(budgets=(DAY,))
    for number in range(3):
        gate.ask(make_reserve(f"r{number}", price=UNKNOWN_PRICE))
        gate.end(f"r{number}", settled(CALL, cost=None))
    gate.ask(make_reserve("other", price=UNKNOWN_PRICE, deployment="alpha/other"))
    told = [event for event in gate.admission.told if isinstance(event, UnpricedAdmitted)]
    assert [event.deployment for event in told] == ["alpha/small", "alpha/other"]
    assert budget(gate) == (0, 0, 0)


def test_budgets_of_tokens_count_tokens_whatever_they_cost() -> None:
    gate = Gate(budgets=(BudgetRule(amount=1_000, unit="tokens"),))
    gate.ask(make_reserve("a", tokens=(600, 300), price=UNKNOWN_PRICE))
    gate.end("a", settled((500, 300), cost=None))
    assert budget(gate) == (800, 0, 0)
    assert not gate.admission.told or not isinstance(gate.admission.told[-1], UnpricedAdmitted)
    gate.ask(make_reserve("b", tokens=(200, 1)))
    assert "800 tokens" in gate.refused["b"].message


def test_shares_are_warned_of_once_and_open_calls_do_not_count() -> None:
    gate = Gate(budgets=(DAY,))
    for number in range(10):
        gate.ask(make_reserve(f"r{number}", tokens=CALL))
    assert gate.admission.told == []
    for number in range(10):
        gate.end(f"r{number}", settled(CALL))
    warned = [(event.share, event.used) for event in gate.admission.told if isinstance(event, BudgetWarned)]
    assert warned == [(0.5, 5 * CENT), (0.8, 8 * CENT), (1.0, 10 * CENT)]


def test_a_new_day_begins_at_midnight_with_the_whole_budget_and_warns_anew() -> None:
    gate = Gate(budgets=(DAY,))
    fill(gate, 9)
    gate.ask(make_reserve("late", tokens=CALL))
    gate.pass_time(TO_MIDNIGHT_S)
    assert gate.ask(make_reserve("early", tokens=CALL)) == "waiting", "until others were asked about the new day"
    gate.tell_others()
    gate.end("late", settled(CALL))
    assert budget(gate) == (0, 0, CENT), "`late` belongs to the day of its reservation"
    gate.admission.told.clear()
    fill(gate, 5)
    assert [type(event) for event in gate.admission.told] == [BudgetWarned]


def test_months_are_utcs() -> None:
    gate = Gate(budgets=(BudgetRule(amount=10 * CENT, period="month"),))
    fill(gate, 10)
    gate.pass_time(16 * 86_400.0)  # 2023-11-30
    gate.tell_others()
    gate.ask(make_reserve("a", tokens=CALL))
    assert gate.refused["a"].retry_after_s == pytest.approx(TO_MIDNIGHT_S)
    gate.pass_time(TO_MIDNIGHT_S)
    gate.tell_others()
    assert gate.ask(make_reserve("b", tokens=CALL)) == "granted"


def test_weeks_go_by_and_every_day_has_its_budget() -> None:
    gate = Gate(budgets=(DAY,))
    for day in range(40):
        fill(gate, 10, f"d{day}-")
        assert gate.ask(make_reserve(f"over{day}", tokens=CALL)) == "refused"
        gate.pass_time(86_400.0)
        gate.tell_others()
    assert len(gate.granted) == 400


@pytest.mark.parametrize("hours", [-1, -23, -5])
def test_a_clock_that_is_set_back_resets_nothing_and_blocks_nobody_for_ever(hours: int) -> None:
    gate = Gate(budgets=(DAY,))
    gate.pass_time(TO_MIDNIGHT_S + 60.0)
    gate.tell_others()
    fill(gate, 10)
    gate.skew_s = hours * HOUR_S  # yesterday again
    gate.tell_others()
    fill(gate, 10, "yesterday")
    gate.skew_s = 0.0
    gate.tell_others()
    assert gate.ask(make_reserve("a", tokens=CALL, wait=True)) == "refused", "today is spent, as it was before"
    gate.pass_time(86_400.0)
    gate.tell_others()
    assert gate.ask(make_reserve("b", tokens=CALL)) == "granted"


def test_a_clock_that_is_set_forward_within_the_day_resets_nothing() -> None:
    gate = Gate(budgets=(DAY, BudgetRule(amount=10 * CENT, period="rolling", window_s=5 * HOUR_S)))
    gate.skew_s = -12 * HOUR_S
    gate.tell_others()
    fill(gate, 10)
    gate.skew_s = -3 * HOUR_S
    gate.tell_others()
    assert gate.ask(make_reserve("a", tokens=CALL)) == "refused"


def test_a_rolling_window_goes_by_time_that_passes_and_not_by_the_walls_clock() -> None:
    gate = Gate(budgets=(BudgetRule(amount=10 * CENT, period="rolling", window_s=5 * HOUR_S),))
    fill(gate, 5)
    gate.pass_time(3 * HOUR_S)
    fill(gate, 5, "later")
    for hours in (-100, 0, 100):
        gate.skew_s = hours * HOUR_S
        gate.tell_others()
        assert gate.ask(make_reserve(f"a{hours}", tokens=CALL)) == "refused"
    assert gate.refused["a100"].retry_after_s == pytest.approx(2 * HOUR_S, rel=0.1)
    gate.pass_time(2 * HOUR_S - 1.0)
    assert gate.ask(make_reserve("b", tokens=CALL)) == "refused", "a slice is over when its last moment is"
    gate.pass_time(200.0)
    assert budget(gate) == (5 * CENT, 0, 0)
    fill(gate, 5, "again")


def test_a_call_that_outlives_its_window_is_held_to_its_end_and_counts_nowhere_then() -> None:
    gate = Gate(budgets=(BudgetRule(amount=2 * CENT, period="rolling", window_s=HOUR_S),))
    gate.ask(make_reserve("long", tokens=CALL))
    gate.pass_time(2 * HOUR_S)
    assert budget(gate) == (0, 0, CENT)
    gate.end("long", settled(CALL))
    assert budget(gate) == (0, 0, 0)


def test_a_rolling_budget_warns_again_after_it_had_recovered() -> None:
    gate = Gate(budgets=(BudgetRule(amount=10 * CENT, period="rolling", window_s=HOUR_S),), warn_at=(0.5,))
    fill(gate, 6)
    fill(gate, 1, "more")
    gate.pass_time(2 * HOUR_S)
    fill(gate, 5, "again")
    assert len(gate.admission.told) == 2


def test_nothing_is_granted_before_it_is_known_what_others_spent_and_nobody_is_turned_away_for_that() -> None:
    gate = Gate(budgets=(DAY,), told=False)
    assert gate.ask(make_reserve("a", tokens=CALL)) == "waiting"
    assert gate.ask(make_reserve("b", tokens=CALL, wait=True)) == "waiting"
    told = SpentBucket(at_unix_s=UNIX_S, cost_nano_usd=8 * CENT, open_cost_nano_usd=CENT)
    gate.tell_others(**{"": Spent(scope=Scope(), buckets=(told,))})
    assert gate.granted == ["a"]
    assert gate.waiting("b"), "it may yet fit, once what others hold has ended"
    assert budget(gate) == (8 * CENT, 0, 2 * CENT)


def test_who_would_not_wait_is_refused_once_it_is_known_that_there_is_no_room() -> None:
    gate = Gate(budgets=(DAY,), told=False)
    gate.ask(make_reserve("a", tokens=CALL))
    held = SpentBucket(at_unix_s=UNIX_S, open_cost_nano_usd=10 * CENT)
    gate.tell_others(**{"": Spent(scope=Scope(), buckets=(held,))})
    assert gate.refused["a"].kind == "admission"


def test_who_would_not_wait_is_refused_then_behind_one_that_does_wait_too() -> None:
    gate = Gate(budgets=(DAY,), told=False)
    assert gate.ask(make_reserve("patient", tokens=CALL, wait=True)) == "waiting"
    assert gate.ask(make_reserve("impatient", tokens=CALL)) == "waiting"
    assert gate.ask(make_reserve("elsewhere", tokens=CALL, deployment="alpha/large")) == "waiting"
    held = SpentBucket(at_unix_s=UNIX_S, open_cost_nano_usd=10 * CENT)
    gate.tell_others(**{"": Spent(scope=Scope(), buckets=(held,))})
    assert gate.waiting("patient")
    assert gate.refused["impatient"].kind == "admission"
    assert gate.refused["elsewhere"].kind == "admission"
    assert len(gate.line) == 1
    gate.tell_others()
    assert gate.granted == ["patient"]


def test_what_the_ledger_cannot_say_refuses_and_what_it_said_before_stays() -> None:
    gate = Gate(budgets=(DAY,), told=False)
    gate.ask(make_reserve("a", tokens=CALL))
    gate._after(gate.line.refill(gate.admission.others_not_told("disk on fire"), gate.clock))
    assert gate.refused["a"].kind == "ledger"
    assert "disk on fire" in gate.refused["a"].message
    gate.tell_others()
    gate.admission.others_not_told("disk on fire again")
    assert gate.ask(make_reserve("b", tokens=CALL)) == "granted"


def test_others_count_as_they_last_told_and_only_within_the_period() -> None:
    gate = Gate(budgets=(DAY,))
    buckets = (
        SpentBucket(at_unix_s=UNIX_S - 86_400.0, cost_nano_usd=100 * CENT),
        SpentBucket(at_unix_s=UNIX_S - 600.0, cost_nano_usd=2 * CENT, in_doubt_cost_nano_usd=3 * CENT),
        SpentBucket(at_unix_s=UNIX_S, open_cost_nano_usd=CENT),
        SpentBucket(at_unix_s=UNIX_S + 86_400.0, cost_nano_usd=100 * CENT),
    )
    gate.tell_others(**{"": Spent(scope=Scope(), buckets=buckets)})
    assert budget(gate) == (2 * CENT, 3 * CENT, CENT)
    gate.tell_others()
    assert budget(gate) == (0, 0, 0)


def test_scopes_of_budgets_are_those_of_limits() -> None:
    team = msgspec.structs.replace(DAY, scope=Scope("tag", "team"), source="budgets.tags.team.usd_per_day")
    gate = Gate(budgets=(team,))
    for number in range(10):
        gate.ask(make_reserve(f"r{number}", tokens=CALL, tags=("team", "other")))
    assert gate.ask(make_reserve("more", tokens=CALL, tags=("team",))) == "refused"
    assert "tag team" in gate.refused["more"].message
    assert gate.ask(make_reserve("free", tokens=CALL, tags=("other",))) == "granted"


def test_questions_for_one_scope_and_time_are_asked_once() -> None:
    gate = Gate(budgets=(DAY, BudgetRule(amount=5, unit="tokens"), BudgetRule(amount=5, period="month")))
    assert len(gate.asked()) == 2
    assert all(asked.others_only for asked in gate.asked())
