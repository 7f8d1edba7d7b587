"""Own the gauges of budgets: what a scope has spent in its period, is in doubt of, and holds for open attempts.

An attempt belongs to the period in which it was reserved, as its row in the ledger does, however late it ends; open
ones count with all that they may cost. Our own attempts are counted here; what other runs on the same ledger have used
is told from time to time (`learn_others`), and until it was told for a period nobody knows whether there is room in it.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from manus.actors.admission import budget_words as words
from manus.actors.admission.budget_accounts import Account, Slice, difference, least_age_s, sum_of
from manus.actors.admission.gauge import Gauge, Shortage
from manus.actors.admission.needs import Clock, Ended, bound_cost
from manus.actors.admission.periods import Period, period_of
from manus.messages.accounting import Booked, Reserve, Spent, SpentAsked
from manus.messages.failures import Failed
from manus.messages.limits import BudgetRule, BudgetState, BudgetWarned

ACCOUNTS_MAX: Final = 400
"""Periods that are remembered, the latest in use: a clock that is set back finds its day as it was left."""

SLICES: Final = 120
"""Into so many slices a rolling window is cut. A slice counts until its last moment has left the window."""

REARM: Final = 0.9
"""A rolling budget is warned of again after its use had fallen below this part of the share."""


class BudgetGauge(Gauge):
    """A bound on what one scope uses in a period. A base: what the present account is, is for the kinds to say.

    Args:
        warn_at: shares at which it is warned of, in order.
        warn: told of each.
    """

    __slots__ = ("_is_late", "_stirred", "_warn", "_warn_at", "rule", "trouble")

    def __init__(self, rule: BudgetRule, warn_at: tuple[float, ...], warn: Callable[[BudgetWarned], None]) -> None:
        super().__init__(rule.scope, rule.source)
        self.rule = rule
        self.trouble: str | None = None
        """Why the ledger could not say what others have used; None where it could."""
        self._warn_at = warn_at
        self._warn = warn
        self._is_late = False
        self._stirred = False  # whether an attempt has ended since it was asked what ours have used

    @property
    def identity(self) -> tuple[object, ...]:
        """A unit of a scope in a kind of period, whatever its amount."""
        rule = self.rule
        return (rule.unit, rule.period, rule.window_s, rule.scope)

    def adopt(self, rule: BudgetRule, warn_at: tuple[float, ...], clock: Clock) -> None:
        """Allow what `rule` does from now on; what is used and held stays. Shares are warned of anew where it grew."""
        self.rule, self.source, self._warn_at = rule, rule.source, warn_at
        account = self.present(clock)
        account.told = min(account.told, sum(account.gone >= share * rule.amount for share in warn_at))
        self.warn_of(account, clock.at)

    # -- where it is younger than the run, and our own attempts before it are known to the ledger alone

    def begin_late(self) -> None:
        """Look up what our own attempts have used so far; until that is known nobody knows whether there is room."""
        self._is_late = True

    def asks_own(self, clock: Clock) -> SpentAsked | None:
        """Say what is to be asked of the ledger about ours and others' together; None where ours are counted here."""
        if not self.is_late(clock):
            return None
        self._stirred = False
        return msgspec.structs.replace(self.asks(clock), others_only=False)

    def learn(self, told: Mapping[SpentAsked, Spent], clock: Clock) -> None:
        """Take down what the ledger says to what was asked at a moment; of ours, unless one of them has ended since."""
        asked = self.asks(clock)
        others, own = told.get(asked), told.get(msgspec.structs.replace(asked, others_only=False))
        if others is None:
            return
        self.trouble = None
        if self.is_late(clock):
            if own is None or self._stirred:
                return
            self._is_late = False
            self.learn_own(difference(own, others), clock)
        self.learn_others(asked, others, clock)

    # -- what the kinds say

    @abstractmethod
    def is_late(self, clock: Clock) -> bool:
        """Whether attempts of ours count in the present account that it has not seen."""

    @abstractmethod
    def learn_own(self, spent: Spent, clock: Clock) -> None:
        """Take down what all our ended attempts have used, in place of what was counted of them."""

    @abstractmethod
    def learn_others(self, asked: SpentAsked, spent: Spent, clock: Clock) -> None:
        """Take down what others have used."""

    @abstractmethod
    def present(self, clock: Clock) -> Account:
        """Give the account that an attempt which is reserved now counts in."""

    @abstractmethod
    def asks(self, clock: Clock) -> SpentAsked:
        """Say what is to be asked of the ledger about others."""

    @abstractmethod
    def free_in_s(self, account: Account, need: int, clock: Clock) -> float | None:
        """Tell when `need` fits beside what is gone; None where nobody knows."""

    # -- as a gauge

    def need(self, reserve: Reserve) -> int:
        """Give the most that it can cost or use; nothing where its price is unknown and that is allowed."""
        return reserve.bound.total if self.rule.unit == "tokens" else bound_cost(reserve) or 0

    def refusal(self, reserve: Reserve, need: int, clock: Clock) -> Failed | None:
        """Refuse what can never fit, and what does not fit beside what is gone for good."""
        if need > self.rule.amount:
            return words.above_budget(self.rule, reserve, need)
        account = self.present(clock)
        if not account.loaded:
            return None if self.trouble is None else words.not_known(self.rule, reserve, self.trouble)
        if account.gone + need <= self.rule.amount:
            return None
        free_in_s = self.free_in_s(account, need, clock)
        return words.used_up(self.rule, reserve, need, gone=account.gone, free_in_s=free_in_s)

    def has_room(self, reserve: Reserve, need: int, clock: Clock) -> bool:
        """Tell whether it fits beside all that is gone and held."""
        account = self.present(clock)
        return account.loaded and account.gone + account.held + need <= self.rule.amount

    def shortage(self, reserve: Reserve, need: int, clock: Clock) -> Shortage:
        """Say that open attempts hold what is left, or that nobody knows yet what is left."""
        account = self.present(clock)
        failure = words.held(self.rule, reserve, need, gone=account.gone, held=account.held)
        return Shortage(gauge=self, failure=failure, loading=not account.loaded)

    def warn_of(self, account: Account, now: float) -> None:
        """Warn of every share that is used up and was not warned of yet."""
        gone, amount = account.gone, self.rule.amount
        while account.told < len(self._warn_at) and gone >= self._warn_at[account.told] * amount:
            share = self._warn_at[account.told]
            account.told += 1
            self._warn(
                BudgetWarned(
                    at=now,
                    source=self.source,
                    scope=self.scope,
                    share=share,
                    used=gone,
                    amount=amount,
                    unit=self.rule.unit,
                    ends_unix_s=None if account.period is None else account.period.ends_unix_s,
                )
            )

    def state(self, clock: Clock, waiting: int) -> BudgetState:
        """Tell how far it is used."""
        account = self.present(clock)
        rule, others = self.rule, account.others
        return BudgetState(
            source=rule.source,
            scope=rule.scope,
            unit=rule.unit,
            period=rule.period,
            amount=rule.amount,
            spent=account.spent + others.spent,
            in_doubt=account.in_doubt + others.in_doubt,
            reserved=account.held,
            others=others.spent,
            waiting=waiting,
            ends_unix_s=None if account.period is None else account.period.ends_unix_s,
        )

    def _came_to(self, booked: Booked, need: int) -> tuple[int, int]:
        """Give what an attempt that held `need` has spent, and what it is in doubt of.

        One whose price turned out to be unknown (by what served it, or by a tool that ran) has not cost nothing: its
        bound is in doubt.
        """
        if self.rule.unit == "tokens":
            amount = booked.usage.total
        elif booked.cost_nano_usd is None:
            return 0, need
        else:
            amount = booked.cost_nano_usd
        match booked.state:
            case "settled":
                return amount, 0
            case "in_doubt":
                return 0, amount
            case "released":
                return 0, 0


class CalendarBudget(BudgetGauge):
    """A budget of a day or a month, by the wall's clock.

    A clock that is set back over midnight finds the day as it was left, and one that is set forward finds a new one:
    what is counted where is never more than one look at the clock, and nothing waits for it.
    """

    __slots__ = ("_account", "_accounts", "_late_from", "_period")

    def __init__(self, rule: BudgetRule, warn_at: tuple[float, ...], warn: Callable[[BudgetWarned], None]) -> None:
        super().__init__(rule, warn_at, warn)
        self._accounts: dict[float, Account] = {}  # by when their periods begin, the latest use last
        self._account: Account | None = None
        self._late_from: float | None = None
        self._period = Period(0.0, 0.0)

    def is_late(self, clock: Clock) -> bool:
        """Whether the period is still the one in which it began late."""
        if not self._is_late:
            return False
        self.present(clock)
        if self._late_from is None:
            self._late_from = self._period.begins_unix_s
        return self._period.begins_unix_s <= self._late_from

    def learn_own(self, spent: Spent, clock: Clock) -> None:
        """Take down what ours have used in the present period."""
        account = self.present(clock)
        used = sum_of(spent, self.rule.unit, account.period)
        account.spent, account.in_doubt = used.spent, used.in_doubt

    def present(self, clock: Clock) -> Account:
        """Give the account of the period that it is now."""
        if self._account is not None and self._period.holds(clock.unix_s):
            return self._account
        self._period = period = period_of(self.rule.period, clock.unix_s)
        self._account = account = self._accounts.pop(period.begins_unix_s, None) or Account(period)
        self._accounts[period.begins_unix_s] = account
        if len(self._accounts) > ACCOUNTS_MAX:
            del self._accounts[next(iter(self._accounts))]
        return account

    def asks(self, clock: Clock) -> SpentAsked:
        """Ask from the beginning of the period on."""
        self.present(clock)
        return SpentAsked(scope=self.scope, since_unix_s=self._period.begins_unix_s, others_only=True)

    def learn_others(self, asked: SpentAsked, spent: Spent, clock: Clock) -> None:
        """Take down what others have used in the period that was asked about."""
        account = self._accounts.get(asked.since_unix_s)
        if account is None:
            return
        account.others = sum_of(spent, self.rule.unit, account.period)
        account.loaded = True
        self.warn_of(account, clock.at)

    def free_in_s(self, account: Account, need: int, clock: Clock) -> float | None:
        """Tell when the period ends."""
        return None if account.period is None else account.period.ends_unix_s - clock.unix_s

    def take(self, need: int, clock: Clock) -> object:
        """Hold it in the present period; the mark is its account."""
        account = self.present(clock)
        account.reserved += need
        return account

    def end(self, reserve: Reserve, mark: object, need: int, ended: Ended) -> None:
        """Book it in the period in which it was reserved."""
        assert isinstance(mark, Account)
        self._stirred = True
        mark.reserved -= need
        spent, in_doubt = self._came_to(ended.booked, need)
        mark.spent += spent
        mark.in_doubt += in_doubt
        self.warn_of(mark, ended.at)

    def put_back(self, mark: object, need: int) -> None:
        """Hold it no more."""
        assert isinstance(mark, Account)
        mark.reserved -= need


class RollingBudget(BudgetGauge):
    """A budget of any so many seconds, by the loop's clock: setting the wall's clock moves nothing.

    While a machine sleeps that clock may stand still; then a window lasts longer, and never shorter.
    """

    __slots__ = ("_account", "_others_over_at", "_slice_s", "_slices")

    def __init__(self, rule: BudgetRule, warn_at: tuple[float, ...], warn: Callable[[BudgetWarned], None]) -> None:
        super().__init__(rule, warn_at, warn)
        self._account = Account(None)
        self._slices: deque[Slice] = deque()
        self._slice_s = rule.window_s / SLICES
        self._others_over_at: tuple[tuple[float, int], ...] = ()
        """When the buckets of others leave the window, and with how much."""

    def present(self, clock: Clock) -> Account:
        """Give the account of the window that ends now."""
        account, slices = self._account, self._slices
        over = clock.at - self.rule.window_s - self._slice_s
        while slices and slices[0].begins_at <= over:
            first = slices.popleft()
            first.is_over = True
            account.spent -= first.spent
            account.in_doubt -= first.in_doubt
        while account.told and account.gone < REARM * self._warn_at[account.told - 1] * self.rule.amount:
            account.told -= 1
        return account

    def is_late(self, clock: Clock) -> bool:
        """Whether nobody has said yet what ours had used before."""
        return self._is_late

    def learn_own(self, spent: Spent, clock: Clock) -> None:
        """Take down what ours have used in the window; a bucket counts as if all of it were of its last moment."""
        account = self.present(clock)
        for known in self._slices:
            known.spent = known.in_doubt = 0  # of what has ended; attempts that are open end on these
        account.spent = account.in_doubt = 0
        latest = self._slices[0].begins_at if self._slices else clock.at
        for bucket in reversed(spent.buckets):
            old = Slice(min(latest, clock.at - least_age_s(bucket, clock.unix_s)))
            used = sum_of(bucket, self.rule.unit)
            old.spent, old.in_doubt = used.spent, used.in_doubt
            account.spent += used.spent
            account.in_doubt += used.in_doubt
            self._slices.appendleft(old)
            latest = old.begins_at

    def asks(self, clock: Clock) -> SpentAsked:
        """Ask for the window that ends now."""
        return SpentAsked(scope=self.scope, since_unix_s=clock.unix_s - self.rule.window_s, others_only=True)

    def learn_others(self, asked: SpentAsked, spent: Spent, clock: Clock) -> None:
        """Take down what others have used in the window."""
        account = self.present(clock)
        account.others = sum_of(spent, self.rule.unit)
        account.loaded = True
        ages = [max(0.0, clock.unix_s - one.at_unix_s) for one in spent.buckets]
        amounts = [sum(sum_of(one, self.rule.unit)[:2]) for one in spent.buckets]
        self._others_over_at = tuple(
            (clock.at - age + self.rule.window_s, amount) for age, amount in zip(ages, amounts, strict=True)
        )
        self.warn_of(account, clock.at)

    def free_in_s(self, account: Account, need: int, clock: Clock) -> float | None:
        """Tell when enough has left the window, as far as that is known."""
        excess = account.gone + need - self.rule.amount
        kept_s = self.rule.window_s + self._slice_s
        leaving = [(one.begins_at + kept_s, one.spent + one.in_doubt) for one in self._slices]
        for over_at, amount in sorted((*leaving, *self._others_over_at)):
            excess -= amount
            if excess <= 0:
                return max(0.0, over_at - clock.at)
        return None

    def take(self, need: int, clock: Clock) -> object:
        """Hold it; the mark is the slice in which it was reserved."""
        self.present(clock).reserved += need
        slices = self._slices
        if not slices or slices[-1].begins_at + self._slice_s <= clock.at:
            slices.append(Slice(clock.at))
        return slices[-1]

    def end(self, reserve: Reserve, mark: object, need: int, ended: Ended) -> None:
        """Book it at the time at which it was reserved; where that has left the window, nowhere."""
        assert isinstance(mark, Slice)
        self._stirred = True
        account = self._account
        account.reserved -= need
        if mark.is_over:
            return
        spent, in_doubt = self._came_to(ended.booked, need)
        mark.spent += spent
        mark.in_doubt += in_doubt
        account.spent += spent
        account.in_doubt += in_doubt
        self.warn_of(account, ended.at)

    def put_back(self, mark: object, need: int) -> None:
        """Hold it no more."""
        self._account.reserved -= need


def budget_gauge(
    rule: BudgetRule, warn_at: tuple[float, ...], warn: Callable[[BudgetWarned], None]
) -> CalendarBudget | RollingBudget:
    """Make the gauge of one budget."""
    return (RollingBudget if rule.period == "rolling" else CalendarBudget)(rule, warn_at, warn)
