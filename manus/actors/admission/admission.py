"""Own the decision who may call now: everything an attempt falls under is taken, or nothing is.

An attempt is weighed (`weigh`), then taken (`take`) in the same step; its end (`end`) counts what came of it and names
the gauges that may have room again. Whoever finds none may stand in the line (`line.Line`), which asks again when one
of them is named. All methods are synchronous and total, so that a crash of their caller falls between whole steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from manus.actors.admission import budget_words as words
from manus.actors.admission.gauge import Gauge, Seniority, Shortage
from manus.actors.admission.learning import Learnt
from manus.actors.admission.needs import Clock, Ended, bound_cost
from manus.actors.admission.rules import Path, PathName, Rules
from manus.actors.admission.succession import budget_gauges, flow_gauges, successors
from manus.messages.accounting import Booked, Reserve, Spent, SpentAsked
from manus.messages.failures import Failed
from manus.messages.ids import DeploymentId, RequestId
from manus.messages.limits import (
    AdmissionPolicy,
    BudgetWarned,
    LimitState,
    LimitsTold,
    UnpricedAdmitted,
)
from manus.messages.outcomes import RateLimitReading

AttemptKey = tuple[RequestId, int]

UNPRICED_MAX: Final = 1024
"""Of so many deployments it is remembered that they were warned of."""

Told = BudgetWarned | UnpricedAdmitted


class Fit(NamedTuple):
    """There is room: what an attempt takes of which gauges."""

    gauges: tuple[Gauge, ...]
    needs: tuple[int, ...]


class Hold:
    """What one open attempt holds."""

    __slots__ = ("answered_at", "gauges", "marks", "needs", "reserve", "sent")

    def __init__(self, reserve: Reserve, fit: Fit, marks: list[object]) -> None:
        self.reserve = reserve
        self.gauges = fit.gauges
        self.needs = fit.needs
        self.marks = marks
        self.sent = False
        self.answered_at: float | None = None


class Admission:
    """Limits and budgets of one run, and what its open attempts hold of them."""

    __slots__ = ("_holds", "_learnt", "_priced", "_rules", "_unpriced", "policy", "told")

    def __init__(self, policy: AdmissionPolicy) -> None:
        self.told: list[Told] = []
        """Events that are due; whoever emits them clears the list."""
        self.policy = policy
        self._rules = Rules(flow_gauges(policy), budget_gauges(policy, self.told.append))
        self._priced = _is_priced(policy)
        self._holds: dict[AttemptKey, Hold] = {}
        self._learnt = Learnt()
        self._unpriced: set[DeploymentId] = set()

    def __repr__(self) -> str:
        return f"<Admission: {len(self._holds)} open under {len(self._rules.flows)} limits>"

    # -- before the call

    def is_idle(self, now: float) -> bool:
        """Whether nothing is configured and nothing learnt that could hold anybody back: then nothing needs asking."""
        return not self._rules and not self._priced and self._learnt.is_empty(now)

    def path_name(self, reserve: Reserve) -> PathName:
        """Name what an attempt passes: those with the same name pass the same."""
        return self._rules.path_of(reserve).name

    def weigh(self, reserve: Reserve, clock: Clock, seniority: Seniority) -> Fit | Shortage | Failed:
        """Say whether an attempt may be made now: what it takes, what is missing, or why it never may.

        It takes nothing. Where others who stand before `seniority` wait for the same, there is no room either.
        """
        path = self._rules.path_of(reserve)
        if self._priced or path.usd is not None:
            failure = self._price_refused(reserve, path)
            if failure is not None:
                return failure
        gauges = path.gauges
        if not self._learnt.is_empty(clock.at):
            gauges = (*gauges, *self._learnt.gauges(reserve.deployment, clock.at))
        needs: list[int] = []
        short: Shortage | None = None
        for gauge in gauges:
            need = gauge.need(reserve)
            needs.append(need)
            line = gauge.line
            if gauge.has_room(reserve, need, clock) and not (line and line[0].seniority < seniority):
                continue
            failure = gauge.refusal(reserve, need, clock)
            if failure is not None:
                return failure
            short = _worse(short, gauge.shortage(reserve, need, clock))
        return Fit(gauges, tuple(needs)) if short is None else short

    def take(self, reserve: Reserve, fit: Fit, clock: Clock) -> bool:
        """Take all that was found to fit, in the step in which it was. Gives whether it is watched (`Granted`)."""
        key = (reserve.request_id, reserve.attempt)
        assert key not in self._holds, "an attempt is admitted once"
        marks = [gauge.take(need, clock) for gauge, need in zip(fit.gauges, fit.needs, strict=True)]
        self._holds[key] = Hold(reserve, fit, marks)
        return self.is_watched(key)

    def is_watched(self, key: AttemptKey) -> bool:
        """Whether it is to be told when the vendor begins to answer an open attempt."""
        return any(gauge.watches for gauge in self._holds[key].gauges)

    def holds(self, key: AttemptKey) -> bool:
        """Whether an attempt is admitted and has not ended."""
        return key in self._holds

    def put_back(self, key: AttemptKey) -> tuple[Gauge, ...]:
        """Take back an attempt that was not made after all; gives the gauges that have room again."""
        hold = self._holds.pop(key, None)
        if hold is None:
            return ()
        for gauge, mark, need in zip(hold.gauges, hold.marks, hold.needs, strict=True):
            gauge.put_back(mark, need)
        return hold.gauges

    # -- the call

    def sent(self, key: AttemptKey) -> None:
        """Note that bytes of an attempt leave: from here on a vendor may count it."""
        hold = self._holds.get(key)
        if hold is not None:
            hold.sent = True

    def presume_sent(self) -> None:
        """Take every open attempt for sent: for a while nobody will note it."""
        for hold in self._holds.values():
            hold.sent = True

    def answered(self, key: AttemptKey, now: float) -> tuple[Gauge, ...]:
        """Note that the vendor begins to answer; gives the gauges of which is known now when they have room."""
        hold = self._holds.get(key)
        if hold is None or hold.answered_at is not None:
            return ()
        hold.sent = True
        hold.answered_at = now
        hold.marks = [
            gauge.answered(hold.reserve, mark, need, now)
            for gauge, mark, need in zip(hold.gauges, hold.marks, hold.needs, strict=True)
        ]
        return hold.gauges

    # -- after the call

    def end(self, key: AttemptKey, booked: Booked, now: float) -> tuple[Gauge, ...]:
        """Count what came of an attempt; gives the gauges that may have room again. A second end changes nothing."""
        hold = self._holds.pop(key, None)
        if hold is None:
            return ()
        ended = Ended(booked, hold.sent or booked.state != "released", now)
        for gauge, mark, need in zip(hold.gauges, hold.marks, hold.needs, strict=True):
            gauge.end(hold.reserve, mark, need, ended)
        return hold.gauges

    def answer_time(self, key: AttemptKey, now: float) -> float:
        """Give when the vendor answered an open attempt, as far as that was told; else `now`."""
        hold = self._holds.get(key)
        return now if hold is None or hold.answered_at is None else hold.answered_at

    def learn(
        self, deployment: DeploymentId, readings: Iterable[RateLimitReading], *, answered_at: float, now: float
    ) -> list[Gauge]:
        """Take down what the vendor's headers say, after the end of the attempt that they came with."""
        if not self.policy.learn:
            return []
        return self._learnt.learn(deployment, readings, answered_at=answered_at, now=now)

    # -- what others spend

    @property
    def has_budgets(self) -> bool:
        """Whether it matters what other runs on the same ledger spend."""
        return bool(self._rules.budgets)

    def others_asked(self, clock: Clock) -> dict[SpentAsked, None]:
        """Say what is to be asked of the ledger, each question once."""
        own = (budget.asks_own(clock) for budget in self._rules.budgets)
        return dict.fromkeys((*(budget.asks(clock) for budget in self._rules.budgets), *filter(None, own)))

    def others_unknown(self, clock: Clock) -> bool:
        """Whether a budget waits for the ledger to say what others have spent in the present period."""
        return any(not budget.present(clock).loaded for budget in self._rules.budgets)

    def learn_others(self, told: dict[SpentAsked, Spent], asked_at: Clock) -> tuple[Gauge, ...]:
        """Take down what others have spent, by what was asked at a moment; gives the gauges that may have room now."""
        for budget in self._rules.budgets:
            budget.learn(told, asked_at)
        return self._rules.budgets

    def others_not_told(self, reason: str) -> tuple[Gauge, ...]:
        """Note why the ledger could not say; what it said before stays true."""
        for budget in self._rules.budgets:
            budget.trouble = reason
        return self._rules.budgets

    # -- another configuration

    def adopt(self, policy: AdmissionPolicy, open_attempts: Iterable[tuple[Reserve, bool]], clock: Clock) -> None:
        """Go by another policy from now on, in one step; nothing that is used or held is forgotten.

        A bound that was there before keeps what it has counted, whatever it allows now. A new one begins with what is
        open, and a new budget looks up in the ledger what was spent before. Whoever is in line has to ask again.

        Args:
            policy: what holds from now on.
            open_attempts: all that are open by the books, each with whether any of it was sent.
            clock: now.
        """
        self.forget_line()  # also at those that go: open attempts still end on them, and must let nobody on there
        self.policy = policy
        self._priced = _is_priced(policy)
        self._rules = successors(self._rules, policy, self.told.append, clock)
        if not policy.learn:
            self._learnt.forget()
        if not self._rules:
            return
        for reserve, sent in open_attempts:
            key = (reserve.request_id, reserve.attempt)
            if key not in self._holds:
                self._holds[key] = Hold(reserve, Fit((), ()), [])
                self._holds[key].sent = sent
        for hold in self._holds.values():
            self._extend(hold, clock)

    def _extend(self, hold: Hold, clock: Clock) -> None:
        """Have an open attempt hold its part of bounds that are younger than it."""
        reserve = hold.reserve
        for gauge in self._rules.path_of(reserve).gauges:
            if gauge in hold.gauges:
                continue
            need = gauge.need(reserve)
            mark = gauge.take(need, clock)
            if hold.answered_at is not None:
                mark = gauge.answered(reserve, mark, need, clock.at)
            hold.gauges, hold.needs = (*hold.gauges, gauge), (*hold.needs, need)
            hold.marks.append(mark)

    # -- around a crash, and reading

    def reconcile(self, open_attempts: Iterable[AttemptKey]) -> None:
        """Hold nothing for attempts that the books do not have open: a crash fell between the two."""
        for key in self._holds.keys() - set(open_attempts):
            self.put_back(key)

    def forget_line(self) -> None:
        """Nobody stands in line any more: whoever did was answered otherwise."""
        for gauge in (*self._rules.flows, *self._rules.budgets, *self._learnt.all()):
            gauge.line.clear()

    @property
    def open_keys(self) -> frozenset[AttemptKey]:
        """The attempts that hold something."""
        return frozenset(self._holds)

    def state(self, clock: Clock, waiting: Callable[[Gauge], int]) -> LimitsTold:
        """Tell how far everything is used; `waiting` says how many stand in line at a gauge."""
        limits: list[LimitState] = []
        for gauge in self._rules.flows:
            limits.append(
                LimitState(
                    source=gauge.source,
                    scope=gauge.scope,
                    dimension=gauge.dimension,
                    limit=gauge.limit,
                    used=gauge.used(clock.at),
                    waiting=waiting(gauge),
                    free_in_s=gauge.free_in_s(clock.at),
                )
            )
        if not self._learnt.is_empty(clock.at):
            limits += [each.state(clock.at, waiting(each)) for each in self._learnt.all() if each.holds(clock.at)]
        budgets = tuple(budget.state(clock, waiting(budget)) for budget in self._rules.budgets)
        return LimitsTold(limits=tuple(limits), budgets=budgets)

    # -- inside

    def _price_refused(self, reserve: Reserve, path: Path) -> Failed | None:
        """Say why its price forbids an attempt; where it is merely unknown under a budget in USD, warn of it once."""
        policy, bound = self.policy, bound_cost(reserve)
        if bound is None:
            if policy.on_unknown_price == "refuse":
                return words.unpriced(reserve)
            if path.usd is not None:
                self._warn_of_unpriced(reserve, path.usd)
            return None
        cap = policy.usd_per_request
        return None if cap is None or bound <= cap else words.above_request_cap(reserve, bound, cap)

    def _warn_of_unpriced(self, reserve: Reserve, budget: Gauge) -> None:
        deployment = reserve.deployment
        if deployment in self._unpriced or len(self._unpriced) >= UNPRICED_MAX:
            return
        self._unpriced.add(deployment)
        self.told.append(
            UnpricedAdmitted(
                deployment=deployment, provider=reserve.provider, model=reserve.model, source=budget.source
            )
        )


def _is_priced(policy: AdmissionPolicy) -> bool:
    return policy.usd_per_request is not None or policy.on_unknown_price == "refuse"


def _worse(one: Shortage | None, other: Shortage) -> Shortage:
    """Give the shortage that lasts longer, as far as is known."""
    if one is None:
        return other
    if one.loading != other.loading:
        return one if one.loading else other
    return other if (other.free_at or 0.0) > (one.free_at or 0.0) else one
