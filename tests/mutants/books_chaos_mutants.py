"""Lies about the books that chaos must find out by itself: in rows, in sums, in limits and budgets."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

CHAOS = "tests/sim/test_chaos.py::test_every_promise_holds_for_a_fixed_seed"

BOOKS_CHAOS_MUTANTS = [
    Mutant(
        name="a cut stream is two thirds of what came (chaos)",
        file="manus/actors/metering.py",
        original="    pieces, estimated = len(said),",
        mutated="    pieces, estimated = len(said) * 2 // 3,",
        killers=(f"{CHAOS}[0]",),
        rule="an estimate is off by at most the chunk that was under way",
    ),
    Mutant(
        name="what is estimated is called reported (chaos)",
        file="manus/actors/metering.py",
        original='        output=output,\n        source="estimated",\n',
        mutated='        output=output,\n        source="reported",\n',
        killers=(f"{CHAOS}[8]",),
        rule="what is reported equals the bill to the token",
    ),
    Mutant(
        name="sums leave out what is in doubt (chaos)",
        file="manus/actors/ledger/sums.py",
        original="in_doubt=1, in_doubt_bound=bound, in_doubt_cost_nano_usd=cost, unpriced=unpriced",
        mutated="in_doubt=1, in_doubt_bound=bound, in_doubt_cost_nano_usd=0, unpriced=unpriced",
        killers=(f"{CHAOS}[1]",),
        rule="ledger sums are the sums of rows",
    ),
    Mutant(
        name="what was estimated is not told apart in sums (chaos)",
        file="manus/actors/ledger/sums.py",
        original='            estimated = int(row.usage.source == "estimated")\n',
        mutated="            estimated = 0\n",
        killers=(f"{CHAOS}[8]",),
        rule="estimates are labelled",
    ),
    Mutant(
        name="a minute is over at once (chaos)",
        file="manus/actors/admission/windows.py",
        original="KEPT_S: Final = MINUTE_S + 1\n",
        mutated="KEPT_S: Final = 1\n",
        killers=(f"{CHAOS}[23]",),
        rule="a vendor whose limits are known never has to refuse",
    ),
    Mutant(
        name="a budget holds half of what is open (chaos)",
        file="manus/actors/admission/budgets.py",
        original='return reserve.bound.total if self.rule.unit == "tokens" else bound_cost(reserve) or 0',
        mutated='return (reserve.bound.total if self.rule.unit == "tokens" else bound_cost(reserve) or 0) // 2',
        killers=(f"{CHAOS}[7]",),
        rule="a budget is never overrun",
    ),
]
"""Each with the seed that tells."""
