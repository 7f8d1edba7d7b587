"""Own what tests of limits at the accounting actor share: callers who wait in tasks of their own, and what is held."""

from __future__ import annotations

from typing import Any

import trio
import trio.testing

from manus.messages.accounting import Reserve
from manus.messages.limits import AdmissionPolicy, LimitRule
from tests.actors.accounting_rig import Rig
from tests.actors.books import BOUND, PRICE, make_reserve

WORST = PRICE.worst_nano_usd(input_tokens=BOUND.input_total, output_tokens=BOUND.output) or 0
"""What a call of `make_reserve` costs at most, in nano-USD."""

ONE_AT_ONCE = AdmissionPolicy(limits=(LimitRule(concurrency=1),))


def patient(name: str, **changes: Any) -> Reserve:
    return make_reserve(name, wait=True, **changes)


class Callers:
    """Ask in tasks of their own, and note what each was told and when."""

    def __init__(self, rig: Rig, nursery: trio.Nursery) -> None:
        self.rig = rig
        self.told: dict[str, Any] = {}
        self.at: dict[str, float] = {}
        self.scopes: dict[str, trio.CancelScope] = {}
        self._nursery = nursery

    async def ask(self, reserve: Reserve, *, within_s: float = 1000.0) -> None:
        self._nursery.start_soon(self._ask, reserve, within_s)
        await trio.testing.wait_all_tasks_blocked()

    def waits(self, name: str) -> bool:
        """Whether nothing was said to it yet."""
        return self.told[name] is None

    async def _ask(self, reserve: Reserve, within_s: float) -> None:
        name = reserve.request_id
        with trio.CancelScope() as scope:
            self.scopes[name] = scope
            self.told[name] = None
            self.told[name] = await self.rig.ref.ask(reserve, deadline=trio.current_time() + within_s)
            self.at[name] = trio.current_time()


def holds(rig: Rig) -> set[str]:
    return {key[0] for key in rig.books.admission.open_keys}


def is_conserved(rig: Rig) -> None:
    """What admission holds is what the books have open, to the attempt."""
    assert rig.books.admission.open_keys == frozenset(rig.books.ledger.open_keys)
    assert rig.books.ledger.totals.conserved
