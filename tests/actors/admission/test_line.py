"""The line: who is served next, who is not held up, and that nobody waits for ever."""

from __future__ import annotations

import random

import pytest

from manus.actors.admission.groups import KEEP_S
from manus.actors.admission.line import BATCH_BEHIND_S
from manus.messages.limits import BudgetRule, LimitRule, Scope
from tests.actors.admission.asking import Gate, make_reserve, settled, usd

ONE_AT_ONCE = LimitRule(concurrency=1)


def serve_all(gate: Gate) -> None:
    """End one call after another until nobody is left."""
    while gate.open:
        gate.end(next(iter(gate.open)), settled())


def test_who_came_first_is_served_first() -> None:
    gate = Gate(limits=(ONE_AT_ONCE,))
    for name in "abcd":
        gate.ask(make_reserve(name, wait=True))
    serve_all(gate)
    assert gate.granted == ["a", "b", "c", "d"]


def test_who_does_not_wait_is_refused_at_once_and_overtakes_nobody() -> None:
    gate = Gate(limits=(LimitRule(tokens_per_minute=400),))
    gate.ask(make_reserve("a", tokens=(300, 0)))
    assert gate.ask(make_reserve("large", tokens=(200, 100), wait=True)) == "waiting"
    assert gate.ask(make_reserve("small", tokens=(10, 0))) == "refused", "there is room, and somebody before it"
    assert gate.ask(make_reserve("patient", tokens=(10, 0), wait=True)) == "waiting"
    gate.end("a", settled((300, 0)))
    assert gate.granted == ["a"]
    gate.pass_time(61.0)
    assert gate.granted == ["a", "large", "patient"]


def test_a_tag_that_floods_a_limit_waits_for_itself() -> None:
    gate = Gate(limits=(LimitRule(scope=Scope("provider", "alpha"), concurrency=1),))
    gate.ask(make_reserve("first"))
    for number in range(500):
        gate.ask(make_reserve(f"flood{number}", tags=("flood",), wait=True))
    gate.ask(make_reserve("other", tags=("other",), wait=True))
    gate.ask(make_reserve("third", tags=("third",), wait=True))
    for _ in range(4):
        gate.end(next(iter(gate.open)), settled())
    assert {"other", "third"} <= set(gate.granted)


def test_a_tag_with_a_limit_of_its_own_that_floods_a_provider_waits_for_itself_too() -> None:
    rules = (
        LimitRule(scope=Scope("provider", "alpha"), concurrency=1),
        LimitRule(scope=Scope("tag", "flood"), concurrency=100),
    )
    gate = Gate(limits=rules)
    gate.ask(make_reserve("first"))
    for number in range(500):
        gate.ask(make_reserve(f"flood{number}", tags=("flood",), wait=True))
    gate.ask(make_reserve("other", tags=("other",), wait=True))
    for _ in range(3):
        gate.end(next(iter(gate.open)), settled())
    assert "other" in gate.granted


def test_what_waits_for_one_scope_does_not_hold_up_another() -> None:
    rules = (
        LimitRule(concurrency=10),
        LimitRule(scope=Scope("provider", "alpha"), concurrency=1),
        LimitRule(scope=Scope("provider", "beta"), concurrency=1),
    )
    gate = Gate(limits=rules)
    gate.ask(make_reserve("a"))
    for number in range(20):
        gate.ask(make_reserve(f"a{number}", wait=True))
    assert gate.ask(make_reserve("b", provider="beta", deployment="beta/m")) == "granted"
    assert gate.ask(make_reserve("c", provider="gamma", deployment="gamma/m")) == "granted"


def test_small_ones_do_not_overtake_a_large_one_for_ever() -> None:
    gate = Gate(limits=(LimitRule(tokens_per_minute=1000),))
    for number in range(10):
        gate.ask(make_reserve(f"s{number}", tokens=(100, 0)))
    gate.ask(make_reserve("large", tokens=(900, 0), wait=True))
    for number in range(100):
        gate.ask(make_reserve(f"t{number}", tokens=(100, 0), wait=True))
    for number in range(10):
        gate.end(f"s{number}", settled((0, 0)))
        if number < 8:
            assert len(gate.granted) == 10, "room is kept for the large one"
    assert gate.granted[10:12] == ["large", "t0"]


def test_interactive_goes_before_batch_until_batch_has_waited_its_time() -> None:
    gate = Gate(limits=(ONE_AT_ONCE,))
    gate.ask(make_reserve("open"))
    gate.ask(make_reserve("batch", wait=True, priority="batch"))
    gate.pass_time(BATCH_BEHIND_S - 1.0)
    gate.ask(make_reserve("quick", wait=True))
    gate.pass_time(2.0)
    gate.ask(make_reserve("late", wait=True))
    serve_all(gate)
    assert gate.granted == ["open", "quick", "batch", "late"]


def test_batch_is_not_starved_by_interactive_traffic_without_end() -> None:
    gate = Gate(limits=(ONE_AT_ONCE,))
    gate.ask(make_reserve("open"))
    gate.ask(make_reserve("batch", wait=True, priority="batch"))
    for number in range(60):
        gate.ask(make_reserve(f"r{number}", wait=True))
        gate.pass_time(1.0)
        gate.end(next(iter(gate.open)), settled())
    assert "batch" in gate.granted
    assert gate.granted.index("batch") >= BATCH_BEHIND_S, "and it did give way"


def test_who_leaves_takes_nothing_and_holds_up_nobody() -> None:
    gate = Gate(limits=(LimitRule(tokens_per_minute=400),))
    gate.ask(make_reserve("a", tokens=(300, 0)))
    gate.ask(make_reserve("large", tokens=(200, 200), wait=True))
    gate.ask(make_reserve("small", tokens=(50, 0), wait=True))
    gate.leave("large")
    assert gate.granted == ["a", "small"]
    assert len(gate.line) == 0


def test_one_whose_asker_left_without_a_word_is_passed_over() -> None:
    gate = Gate(limits=(ONE_AT_ONCE,))
    for name in "abc":
        gate.ask(make_reserve(name, wait=True))
    gate.askers["b"].answered = True
    gate.end("a", settled())
    assert gate.granted == ["a", "c"]
    assert len(gate.line) == 0


def test_time_alone_lets_on_whoever_fits_then() -> None:
    gate = Gate(limits=(LimitRule(requests_per_minute=2),))
    for name in "abcd":
        gate.ask(make_reserve(name, wait=True))
    gate.answer("a")
    gate.pass_time(10.0)
    gate.answer("b")
    gate.pass_time(50.9)
    assert gate.granted == ["a", "b"]
    gate.pass_time(0.2)
    assert gate.granted == ["a", "b", "c"]
    gate.pass_time(10.0)
    assert gate.granted == ["a", "b", "c", "d"]


def test_who_cannot_be_served_before_its_deadline_is_refused_at_once() -> None:
    gate = Gate(limits=(LimitRule(requests_per_minute=1),))
    gate.ask(make_reserve("a"))
    gate.answer("a")
    assert gate.ask(make_reserve("soon", wait=True), deadline=60.0) == "refused"
    failure = gate.refused["soon"]
    assert failure.kind == "admission"
    assert failure.retry_after_s == pytest.approx(61.0)
    assert failure.what_to_do.retry_here == "no", "it would only be refused again"
    assert gate.ask(make_reserve("later", wait=True), deadline=62.0) == "waiting"


def test_who_is_in_line_is_refused_once_it_is_known_to_come_too_late() -> None:
    gate = Gate(limits=(LimitRule(requests_per_minute=1),))
    gate.ask(make_reserve("a"))
    assert gate.ask(make_reserve("b", wait=True), deadline=50.0) == "waiting", "nobody knows when `a` is counted"
    gate.pass_time(5.0)
    gate.answer("a")
    assert gate.refused["b"].kind == "admission"


def test_so_many_may_wait_and_one_more_is_told_to_come_back() -> None:
    gate = Gate(limits=(ONE_AT_ONCE,), waiting_max=3)
    for number in range(4):
        gate.ask(make_reserve(f"r{number}", wait=True))
    assert gate.ask(make_reserve("beyond", wait=True)) == "refused"
    assert "waiting_max" in gate.refused["beyond"].message
    assert gate.refused["beyond"].retry_after_s is not None
    gate.askers["r2"].answered = True
    assert gate.ask(make_reserve("again", wait=True)) == "waiting", "who left counts no more"


def test_a_line_of_those_who_left_is_no_line() -> None:
    gate = Gate(limits=(ONE_AT_ONCE,), waiting_max=3)
    for number in range(4):
        gate.ask(make_reserve(f"r{number}", wait=True, deployment=f"alpha/m{number}"))
    for number in range(1, 4):
        gate.askers[f"r{number}"].answered = True
    assert gate.ask(make_reserve("again", wait=True)) == "waiting"
    gate.end("r0", settled())
    assert gate.granted == ["r0", "again"]
    assert len(gate.line) == 0


TAG_AND_PROVIDER = (
    LimitRule(scope=Scope("tag", "t"), concurrency=1),
    LimitRule(scope=Scope("provider", "alpha"), concurrency=1),
)


def crossing() -> Gate:
    """Have `both` wait for a tag and a provider, each of which is taken, and others for one of them, who came later."""
    gate = Gate(limits=TAG_AND_PROVIDER)
    gate.ask(make_reserve("tag0", provider="x", deployment="x/m", tags=("t",)))
    gate.ask(make_reserve("provider0"))
    gate.ask(make_reserve("both", tags=("t",), wait=True))
    for number in range(1, 60):
        gate.ask(make_reserve(f"tag{number}", provider="x", deployment="x/m", tags=("t",), wait=True))
        gate.ask(make_reserve(f"provider{number}", wait=True))
    return gate


@pytest.mark.parametrize("call_s", [0.0, 1.0, 30.0])
def test_where_tags_and_providers_cross_nobody_finds_the_other_door_closed_for_ever(call_s: float) -> None:
    gate = crossing()
    for _ in range(50):
        for provider in ("x", "alpha"):
            for name in [name for name, one in gate.open.items() if one.provider == provider]:
                gate.end(name, settled())
            gate.pass_time(call_s)
    assert "both" in gate.granted


def test_a_place_that_leads_nowhere_is_not_kept_from_others_for_long() -> None:
    gate = crossing()
    for provider in ("x", "alpha", "x", "alpha", "x"):
        for name in [name for name, one in gate.open.items() if one.provider == provider]:
            gate.end(name, settled())
    assert "tag3" not in gate.granted, "its place is kept for `both`, for which the other door has been closed so often"
    gate.pass_time(KEEP_S - 0.1)
    assert "tag3" not in gate.granted
    gate.pass_time(0.2)  # the call at the provider hangs
    assert "tag3" in gate.granted


def test_an_ending_looks_at_few_of_those_who_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate(limits=(ONE_AT_ONCE, *(LimitRule(scope=Scope("tag", f"t{n}"), concurrency=1) for n in range(1000))))
    gate.ask(make_reserve("open"))
    for number in range(1000):
        gate.ask(make_reserve(f"r{number}", tags=(f"t{number}",), wait=True))
    looked, weigh = 0, type(gate.admission).weigh

    def counted(*args: object) -> object:
        nonlocal looked
        looked += 1
        return weigh(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(type(gate.admission), "weigh", counted)
    for _ in range(10):
        gate.end(next(iter(gate.open)), settled())
    assert len(gate.granted) == 11
    assert looked <= 2 * 10


def test_everybody_is_served_whatever_crosses_whatever() -> None:
    """Nobody is left, whoever came in whatever order with whatever needs."""
    rules = (
        LimitRule(concurrency=3),
        LimitRule(scope=Scope("provider", "alpha"), concurrency=2, tokens_per_minute=1000),
        LimitRule(scope=Scope("provider", "beta"), requests_per_minute=5),
        LimitRule(scope=Scope("tag", "t"), concurrency=1),
        LimitRule(scope=Scope("tag", "u"), tokens_per_minute=500),
    )
    for seed in range(20):
        rng = random.Random(seed)
        gate = Gate(limits=rules, budgets=(BudgetRule(amount=usd(1)),))
        for number in range(60):
            provider = rng.choice(["alpha", "beta", "gamma"])
            gate.ask(
                make_reserve(
                    f"r{number}",
                    provider=provider,
                    deployment=f"{provider}/m",
                    tags=rng.choice([(), ("t",), ("u",), ("t", "u"), ("v",)]),
                    tokens=(rng.randrange(1, 400), rng.randrange(100)),
                    wait=True,
                    priority=rng.choice(["interactive", "batch"]),
                )
            )
        for _ in range(400):
            for name in list(gate.open):
                if rng.random() < 0.5:
                    gate.end(name, settled((1, 1)))
            gate.pass_time(rng.choice([0.5, 10.0, 61.0]))
        assert sorted(gate.granted) == sorted(f"r{number}" for number in range(60))
