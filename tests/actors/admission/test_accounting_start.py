"""The first moments of accounting: what the store says before anybody listens is heard all the same."""

from __future__ import annotations

from collections.abc import Callable

import trio
import trio.testing

from manus.actors.accounting import ACCOUNTING
from manus.actors.ledger.store import MemoryStore, Pending, Refused, T
from manus.messages.accounting import Granted, Spent, SpentAsked
from manus.messages.limits import AdmissionPolicy, BudgetRule
from tests.actors.accounting_rig import accounting
from tests.actors.books import make_reserve

BUDGET = AdmissionPolicy(budgets=(BudgetRule(amount=10**12, source="budgets.usd_per_day"),))


class Prompt(Pending[T]):
    """A result that comes at once when somebody waits for it, and no sooner."""

    def __init__(self, result: T) -> None:
        super().__init__()
        self._result = result

    def then(self, callback: Callable[[T], None]) -> None:
        """Wait, and be answered."""
        super().then(callback)
        self.resolve(self._result)


class PromptStore(MemoryStore):
    """Books that say nothing of what was spent at first; later they say it to whoever waits, in the same breath."""

    silent = True

    def spent(self, asked: tuple[SpentAsked, ...]) -> Pending[tuple[Spent, ...] | Refused]:
        """Say it, or not."""
        return Pending() if self.silent else Prompt(super().spent(asked).value)


TRIES = 20
"""The loop draws which of two tasks goes first."""


async def test_what_is_spent_may_be_told_before_the_actors_second_task_has_taken_its_first_step(
    autojump_clock: trio.testing.MockClock,
) -> None:
    for _ in range(TRIES):
        store = PromptStore()
        async with accounting(admission=BUDGET, store=store) as rig:
            rig.tree.crash(ACCOUNTING, RuntimeError("injected"))
            store.silent = False
            with trio.fail_after(10):
                # It waits in the mailbox for the next incarnation, which takes it up before it has heard anything.
                assert isinstance(await rig.ask(make_reserve()), Granted)
