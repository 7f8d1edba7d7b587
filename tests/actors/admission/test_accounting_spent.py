"""What the ledger says was spent, at the accounting actor: nothing is granted before it, and others' is seen soon."""

from __future__ import annotations

import trio
import trio.testing

from manus.actors.ledger.store import MemoryStore, Pending, Refused
from manus.messages.accounting import Denied, Granted, Spent, SpentAsked, SpentBucket
from manus.messages.limits import AdmissionPolicy, BudgetRule
from tests.actors.accounting_rig import accounting, settle
from tests.actors.admission.callers import ONE_AT_ONCE, WORST, Callers
from tests.actors.books import make_reserve


class OthersStore(MemoryStore):
    """A store that other runs write to as well, and that answers when it is told to."""

    def __init__(self) -> None:
        super().__init__(run_id="run", rows_max=1000)
        self.others = 0
        self.asked = 0
        self.holds_back = False
        self.refuses: str | None = None
        self._owed: list[tuple[Pending[tuple[Spent, ...] | Refused], tuple[SpentAsked, ...]]] = []

    def spent(self, asked: tuple[SpentAsked, ...]) -> Pending[tuple[Spent, ...] | Refused]:
        self.asked += 1
        pending: Pending[tuple[Spent, ...] | Refused] = Pending()
        if self.holds_back:
            self._owed.append((pending, asked))
        else:
            self._answer(pending, asked)
        return pending

    def answer(self) -> None:
        """Answer all that was asked."""
        self.holds_back = False
        owed, self._owed = self._owed, []
        for pending, asked in owed:
            self._answer(pending, asked)

    def _answer(self, pending: Pending[tuple[Spent, ...] | Refused], asked: tuple[SpentAsked, ...]) -> None:
        if self.refuses is not None:
            pending.resolve(Refused(self.refuses))
            return
        buckets = (SpentBucket(at_unix_s=asked[0].since_unix_s, cost_nano_usd=self.others),)
        pending.resolve(tuple(Spent(scope=one.scope, buckets=buckets) for one in asked))


async def test_nothing_is_granted_before_the_ledger_has_said_what_was_spent(
    autojump_clock: trio.testing.MockClock,
) -> None:
    store = OthersStore()
    store.holds_back = True
    store.others = 9 * WORST
    policy = AdmissionPolicy(budgets=(BudgetRule(amount=10 * WORST),))
    async with accounting(admission=policy, store=store) as rig, trio.open_nursery() as nursery:
        callers = Callers(rig, nursery)
        await callers.ask(make_reserve("a"))
        await callers.ask(make_reserve("b"))
        await trio.sleep(5.0)
        assert callers.told == {"a": None, "b": None}
        assert rig.states() == {}
        store.answer()
        await trio.sleep(0.1)
        assert isinstance(callers.told["a"], Granted)
        assert isinstance(callers.told["b"], Denied)
        await rig.ask(settle("a"))


async def test_others_are_seen_within_the_refresh(autojump_clock: trio.testing.MockClock) -> None:
    store = OthersStore()
    policy = AdmissionPolicy(budgets=(BudgetRule(amount=10 * WORST),), refresh_s=1.0)
    async with accounting(admission=policy, store=store) as rig:
        assert isinstance(await rig.ask(make_reserve("a")), Granted)
        store.others = 10 * WORST
        await trio.sleep(1.5)
        denied = await rig.ask(make_reserve("b"))
        assert denied.failure.kind == "budget_exceeded"
        store.refuses = "disk on fire"
        await trio.sleep(1.5)
        assert (await rig.ask(make_reserve("c"))).failure.kind == "budget_exceeded", "what was said before stays true"
        store.refuses, store.others = None, 0
        await trio.sleep(1.5)
        assert isinstance(await rig.ask(make_reserve("d")), Granted)
        for name in "ad":
            await rig.ask(settle(name))


async def test_the_ledger_is_not_asked_where_there_are_no_budgets(autojump_clock: trio.testing.MockClock) -> None:
    store = OthersStore()
    async with accounting(admission=ONE_AT_ONCE, store=store) as rig:
        await rig.ask(make_reserve("a"))
        await trio.sleep(60.0)
        await rig.ask(settle("a"))
    assert store.asked == 0


async def test_a_ledger_that_cannot_say_what_was_spent_refuses_calls_and_is_asked_again(
    autojump_clock: trio.testing.MockClock,
) -> None:
    store = OthersStore()
    store.refuses = "the ledger is locked"
    policy = AdmissionPolicy(budgets=(BudgetRule(amount=10 * WORST),), refresh_s=1.0)
    async with accounting(admission=policy, store=store) as rig:
        denied = await rig.ask(make_reserve("a"))
        assert denied.failure.kind == "ledger"
        assert "the ledger is locked" in denied.failure.message
        store.refuses = None
        await trio.sleep(1.5)
        assert isinstance(await rig.ask(make_reserve("b")), Granted)
        await rig.ask(settle("b"))
