"""Admission against an oracle that writes down every grant, answer and end, and recounts all from that."""

from __future__ import annotations

from typing import Literal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, precondition, rule

from manus.actors.admission.line import Line
from manus.messages.accounting import Reserve
from manus.messages.ids import DeploymentId, RequestId
from manus.messages.limits import BudgetRule, LimitRule, Scope
from tests.actors.admission.asking import PRICE, UNIX_S, Gate, in_doubt, make_reserve, released, settled

MINUTE_S = 60.0
SURELY_OVER_S = 62.0
"""After so long even a bucket of a second has forgotten what was counted in it."""

DAY_S = 86_400.0

LIMITS = (
    LimitRule(source="all", requests_per_minute=7, concurrency=5),
    LimitRule(source="alpha", scope=Scope("provider", "alpha"), requests_per_minute=4, tokens_per_minute=900),
    LimitRule(source="beta", scope=Scope("provider", "beta"), output_tokens_per_minute=400),
    LimitRule(source="key", scope=Scope("key", "alpha#k"), requests_per_minute=2),
    LimitRule(source="red", scope=Scope("tag", "red"), requests_per_minute=3, concurrency=2),
    LimitRule(source="blue", scope=Scope("tag", "blue"), concurrency=1),
)
BUDGETS = (
    BudgetRule(source="day", amount=3_000_000),
    BudgetRule(source="red tokens", scope=Scope("tag", "red"), amount=1_500, unit="tokens"),
)


class Seen:
    """What the oracle knows of one attempt."""

    def __init__(self, reserve: Reserve, at: float, day: float) -> None:
        self.reserve = reserve
        self.granted_at = at
        self.day = day
        self.sent = False
        self.answered_at: float | None = None
        self.ended_at: float | None = None
        self.state: Literal["open", "settled", "released", "in_doubt"] = "open"
        self.used = (reserve.bound.input_total, reserve.bound.output)

    def falls_under(self, scope: Scope) -> bool:
        return falls_under(self.reserve, scope)


def falls_under(reserve: Reserve, scope: Scope) -> bool:
    match scope.kind:
        case "all":
            return True
        case "provider":
            return reserve.provider == scope.name
        case "deployment":
            return reserve.deployment == scope.name
        case "key":
            return f"{reserve.provider}#{reserve.key_fingerprint}" == scope.name
        case "tag":
            return scope.name in reserve.tags


def amount(rule: LimitRule, dimension: str, seen: Seen, tokens: tuple[int, int]) -> int:
    """Give what an attempt counts, where it uses so many tokens."""
    if dimension == "requests":
        return int(seen.state != "released" or seen.sent)
    if seen.state == "released":
        tokens = (seen.reserve.bound.input_total, 0) if seen.sent else (0, 0)
    return {"tokens": sum(tokens), "input_tokens": tokens[0], "output_tokens": tokens[1]}[dimension]


def bounds_of(rule: LimitRule) -> dict[str, int]:
    named = {
        "requests": rule.requests_per_minute,
        "tokens": rule.tokens_per_minute,
        "input_tokens": rule.input_tokens_per_minute,
        "output_tokens": rule.output_tokens_per_minute,
    }
    return {dimension: limit for dimension, limit in named.items() if limit is not None}


class AdmissionMachine(RuleBasedStateMachine):
    """Callers come, wait, leave, are answered and end, as the drawn rules say; the oracle writes everything down."""

    waiting = Bundle("waiting")

    def __init__(self) -> None:
        super().__init__()
        self.gate = Gate(limits=LIMITS, budgets=BUDGETS, waiting_max=12)
        self.seen: dict[str, Seen] = {}
        self.asked: dict[str, Reserve] = {}
        self.read = 0
        self.number = 0

    # -- what happens

    @rule(
        target=waiting,
        provider=st.sampled_from(["alpha", "alpha", "beta", "gamma"]),
        key=st.sampled_from([None, "k", "other"]),
        tags=st.sampled_from([(), ("red",), ("blue",), ("red", "blue"), ("green",)]),
        tokens=st.tuples(st.integers(1, 400), st.integers(0, 400)),
        wait=st.booleans(),
        batch=st.booleans(),
    )
    def ask(
        self, provider: str, key: str | None, tags: tuple[str, ...], tokens: tuple[int, int], wait: bool, batch: bool
    ) -> object:
        self.number += 1
        reserve = make_reserve(
            f"r{self.number}",
            tokens=tokens,
            provider=provider,
            deployment=DeploymentId(f"{provider}/m"),
            key_fingerprint=key,
            tags=tags,
            wait=wait,
            priority="batch" if batch else "interactive",
        )
        self.asked[reserve.request_id] = reserve
        said = self.gate.ask(reserve)
        if said == "refused" and not wait:
            assert self.gate.refused[reserve.request_id].kind in ("admission", "budget_exceeded")
        self.write_down()
        return reserve.request_id if said == "waiting" else multiple()

    @rule(name=consumes(waiting))
    def leave(self, name: str) -> None:
        if self.gate.waiting(name):
            self.gate.leave(name)
            self.write_down()
            assert name not in self.gate.granted

    @precondition(lambda self: self.gate.open)
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.gate.open)))
        self.gate.answer(name)
        one = self.seen[name]
        one.sent = True
        if one.answered_at is None:
            one.answered_at = self.gate.now
        self.write_down()

    @precondition(lambda self: self.gate.open)
    @rule(data=st.data(), how=st.sampled_from(["settled", "settled", "released", "refused", "in_doubt"]))
    def end(self, data: st.DataObject, how: str) -> None:
        name = data.draw(st.sampled_from(sorted(self.gate.open)))
        one = self.seen[name]
        one.ended_at = self.gate.now
        bound = one.reserve.bound
        match how:
            case "settled":
                one.state, one.sent = "settled", True
                one.used = (
                    data.draw(st.integers(0, bound.input_total)),
                    data.draw(st.integers(0, bound.output)),
                )
                self.gate.end(name, settled(one.used))
            case "in_doubt":
                one.state, one.sent = "in_doubt", True
                self.gate.end(name, in_doubt(one.reserve))
            case _:
                if how == "refused":
                    self.gate.send(name)
                    one.sent = True
                one.state, one.used = "released", (0, 0)
                self.gate.end(name, released())
        self.write_down()

    @rule(seconds=st.sampled_from([0.1, 0.9, 5.0, 30.0, 60.0, 61.0, 200.0]))
    def pass_time(self, seconds: float) -> None:
        self.gate.pass_time(seconds)
        self.gate.tell_others()
        self.write_down()

    @rule(hours=st.sampled_from([-30, -3, 3, 30]))
    def set_the_clock(self, hours: int) -> None:
        self.gate.skew_s = max(-1e6, min(1e6, self.gate.skew_s + hours * 3600.0))
        self.gate.tell_others()
        self.write_down()

    @rule()
    def crash(self) -> None:
        """Those in line are answered otherwise, and what is open stays open."""
        for asker in self.gate.askers.values():
            asker.answered = True
        self.gate.line = Line(self.gate.admission, 12)
        self.gate.admission.reconcile([(RequestId(name), 1) for name in self.gate.open])
        self.write_down()

    def write_down(self) -> None:
        for name in self.gate.granted[self.read :]:
            day = (UNIX_S + self.gate.now + self.gate.skew_s) // DAY_S
            self.seen[name] = Seen(self.asked[name], self.gate.now, day)
        self.read = len(self.gate.granted)

    # -- what must hold

    @invariant()
    def no_sixty_seconds_can_hold_more_than_the_limit(self) -> None:
        for limited in LIMITS:
            mine = [one for one in self.seen.values() if one.falls_under(limited.scope)]
            for dimension, limit in bounds_of(limited).items():
                for window in {one.granted_at for one in mine}:
                    counted = [
                        amount(limited, dimension, one, one.used)
                        for one in mine
                        if one.granted_at < window + MINUTE_S and self.counted_until(one, dimension) >= window
                    ]
                    alone = len([each for each in counted if each]) <= 1
                    assert sum(counted) <= limit or alone, (limited.source, dimension, window, counted)

    @invariant()
    def no_more_are_there_at_once_than_may_be(self) -> None:
        for limited in LIMITS:
            if limited.concurrency is not None:
                mine = [one for one in self.seen.values() if one.state == "open" and one.falls_under(limited.scope)]
                assert len(mine) <= limited.concurrency

    @invariant()
    def no_budget_is_exceeded_by_what_is_spent_in_doubt_and_open(self) -> None:
        for budget in BUDGETS:
            days = {one.day for one in self.seen.values()}
            for day in days:
                assert self.spent(budget, day) <= budget.amount

    @invariant()
    def what_is_held_is_what_is_open(self) -> None:
        assert {key[0] for key in self.gate.admission.open_keys} == set(self.gate.open)
        [day, red] = self.gate.admission.state(self.gate.clock, self.gate.line.waiting_at).budgets
        today = (UNIX_S + self.gate.now + self.gate.skew_s) // DAY_S
        assert day.spent + day.in_doubt + day.reserved == self.spent(BUDGETS[0], today)
        assert red.spent + red.in_doubt + red.reserved == self.spent(BUDGETS[1], today)

    @invariant()
    def whoever_shares_nothing_with_others_in_line_waits_only_for_what_is_really_taken(self) -> None:
        line = [self.asked[name] for name in self.asked if self.gate.waiting(name)]
        for reserve in line:
            rules = [each for each in (*LIMITS, *BUDGETS) if falls_under(reserve, each.scope)]
            shared = [
                other
                for other in line
                if other is not reserve and any(falls_under(other, each.scope) for each in rules)
            ]
            if not shared:
                assert any(self.is_short(each, reserve) for each in rules), reserve

    def teardown(self) -> None:
        """Let everything end: everybody who waits is served or refused in time."""
        for _ in range(40):
            for name in list(self.gate.open):
                self.seen[name].ended_at, self.seen[name].state = self.gate.now, "settled"
                self.seen[name].used = (1, 0)
                self.gate.end(name, settled((1, 0)))
                self.write_down()
            self.gate.pass_time(SURELY_OVER_S)
            self.gate.tell_others()
            self.write_down()
        assert not [name for name in self.asked if self.gate.waiting(name)]
        assert len(self.gate.line) == 0

    # -- the naive counts

    def counted_until(self, one: Seen, dimension: str) -> float:
        """Give until when the vendor may still count an attempt."""
        if dimension == "requests" and one.answered_at is not None:
            return one.answered_at
        return self.gate.now if one.ended_at is None else one.ended_at

    def spent(self, budget: BudgetRule, day: float) -> int:
        mine = [one for one in self.seen.values() if one.day == day and one.falls_under(budget.scope)]
        return sum(need(budget, one.used) for one in mine)

    def is_short(self, bound: LimitRule | BudgetRule, reserve: Reserve) -> bool:
        tokens = (reserve.bound.input_total, reserve.bound.output)
        now = self.gate.now
        if isinstance(bound, BudgetRule):
            today = (UNIX_S + now + self.gate.skew_s) // DAY_S
            return self.spent(bound, today) + need(bound, tokens) > bound.amount
        mine = [one for one in self.seen.values() if one.falls_under(bound.scope)]
        if bound.concurrency is not None and len([one for one in mine if one.state == "open"]) >= bound.concurrency:
            return True
        probe = Seen(reserve, now, 0.0)
        for dimension, limit in bounds_of(bound).items():
            used = sum(
                amount(bound, dimension, one, one.used)
                for one in mine
                if self.counted_until(one, dimension) + SURELY_OVER_S >= now
            )
            if used + amount(bound, dimension, probe, tokens) > limit:
                return True
        return False


def need(budget: BudgetRule, tokens: tuple[int, int]) -> int:
    assert PRICE.input is not None
    return sum(tokens) * (1 if budget.unit == "tokens" else PRICE.input // 1_000_000)


class LongAdmissionMachine(AdmissionMachine):
    """The same, for as long as there is time."""


AdmissionMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)
test_admission_is_what_the_oracle_says = AdmissionMachine.TestCase

LongAdmissionMachine.TestCase.settings = settings(max_examples=5_000, stateful_step_count=100, deadline=None)
test_admission_is_what_the_oracle_says_again_and_again = pytest.mark.long(LongAdmissionMachine.TestCase)
