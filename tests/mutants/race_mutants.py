"""Lies about limits, budgets and the line before them, which races and chaos must find out by themselves."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

ADMISSION = "manus/actors/admission"
RACE = "tests/race/test_race.py::test_every_promise_holds_in_a_fixed_race"

RACE_MUTANTS = [
    Mutant(
        name="a minute has fifty-nine seconds (race)",
        file=f"{ADMISSION}/windows.py",
        original="KEPT_S: Final = MINUTE_S + 1\n",
        mutated="KEPT_S: Final = MINUTE_S - 1\n",
        killers=(f"{RACE}[10]",),
        rule="what a vendor may count never exceeds its limit in any sixty seconds",
    ),
    Mutant(
        name="what was not used is not given back (race)",
        file=f"{ADMISSION}/budgets.py",
        original="        self._stirred = True\n        mark.reserved -= need\n        spent, in_doubt",
        mutated="        self._stirred = True\n        spent, in_doubt",
        killers=(f"{RACE}[4]",),
        rule="settled or refunded exactly",
    ),
    Mutant(
        name="a caller who leaves keeps what it held (race)",
        file=f"{ADMISSION}/admission.py",
        original="        if hold is None:\n            return ()\n        ended = Ended(",
        mutated='        if hold is None or booked.state == "released":\n            return ()\n        ended = Ended(',
        killers=(f"{RACE}[6]",),
        rule="rejects and cancelled calls give everything back",
    ),
    Mutant(
        name="a new run knows nothing of what was spent before (race)",
        file=f"{ADMISSION}/budgets.py",
        original="        account.others = sum_of(spent, self.rule.unit, account.period)\n",
        mutated="        account.others = sum_of(Spent(scope=spent.scope), self.rule.unit, account.period)\n",
        killers=(f"{RACE}[26]",),
        rule="budgets survive restarts",
    ),
    Mutant(
        name="whoever asks when there is room goes first (race)",
        file=f"{ADMISSION}/admission.py",
        original="if gauge.has_room(reserve, need, clock) and not (line and line[0].seniority < seniority):",
        mutated="if gauge.has_room(reserve, need, clock):",
        killers=(f"{RACE}[1]",),
        rule="who came first is let in first",
    ),
    Mutant(
        name="one limit with room is room enough (race)",
        file=f"{ADMISSION}/admission.py",
        original="        return Fit(gauges, tuple(needs)) if short is None else short\n",
        mutated="        return Fit(gauges, tuple(needs)) if short is None or len(gauges) > 1 else short\n",
        killers=(f"{RACE}[1]",),
        rule="all or none",
    ),
    Mutant(
        name="batch waits for as long as anybody else comes (race)",
        file=f"{ADMISSION}/line.py",
        original="BATCH_BEHIND_S: Final = 10.0\n",
        mutated="BATCH_BEHIND_S: Final = 1e9\n",
        killers=(f"{RACE}[1]",),
        rule="nobody starves",
    ),
    Mutant(
        name="a crowd keeps its turn (race)",
        file=f"{ADMISSION}/groups.py",
        original="            self._flows.move_to_end(tags)\n",
        mutated="            pass\n",
        killers=(f"{RACE}[1]",),
        rule="tags take turns",
    ),
    Mutant(
        name="who left the line is never answered (race)",
        file=f"{ADMISSION}/groups.py",
        original="        self.remove(waiter)\n        self._gone.append(waiter)\n",
        mutated="        self.remove(waiter)\n",
        killers=(f"{RACE}[5]",),
        rule="nothing stays in hand",
    ),
    Mutant(
        name="what is in doubt was free (race)",
        file=f"{ADMISSION}/budgets.py",
        original='            case "in_doubt":\n                return 0, amount\n',
        mutated='            case "in_doubt":\n                return 0, 0\n',
        killers=(f"{RACE}[5]",),
        rule="in doubt counts with its bound",
    ),
    Mutant(
        name="a budget counts what is expected (race)",
        file=f"{ADMISSION}/budgets.py",
        original='return reserve.bound.total if self.rule.unit == "tokens" else bound_cost(reserve) or 0',
        mutated='return reserve.estimate.total if self.rule.unit == "tokens" else (bound_cost(reserve) or 0) // 2',
        killers=(f"{RACE}[4]",),
        rule="an overshoot is impossible while usage keeps to its bound",
    ),
    Mutant(
        name="a place is never given back (race)",
        file=f"{ADMISSION}/flows.py",
        original='        """Count one less."""\n        self.open -= 1\n\n    def put_back',
        mutated='        """Count one less."""\n\n    def put_back',
        killers=(f"{RACE}[4]",),
        rule="concurrency counts attempts until their end",
    ),
    Mutant(
        name="a refused call counted nothing (race)",
        file=f"{ADMISSION}/flows.py",
        original="                if self._counting.asked:\n                    return need\n                return",
        mutated="                if not self._counting.asked:\n                    return 0\n                return",
        killers=(f"{RACE}[11]",),
        rule="what reached a vendor may have been counted",
    ),
    Mutant(
        name="nobody looks when a minute is over (race)",
        file=f"{ADMISSION}/line.py",
        original="        return self._timers[0][0] if self._timers else math.inf\n",
        mutated="        return math.inf\n",
        killers=(f"{RACE}[3]",),
        rule="what fits is not blocked",
    ),
    Mutant(
        name="a budget is used up while others may give back (race)",
        file=f"{ADMISSION}/budgets.py",
        original="        if account.gone + need <= self.rule.amount:\n",
        mutated="        if account.gone + account.held + need <= self.rule.amount:\n",
        killers=(f"{RACE}[2]",),
        rule="utilisation before the first refusal",
    ),
    Mutant(
        name="a call that is open counts as little as was expected of it (race)",
        file=f"{ADMISSION}/flows.py",
        original="min(self._tokens(reserve, reserve.bound, ended=False), self.limit)\n",
        mutated="min(self._tokens(reserve, reserve.estimate, ended=False) // 2, self.limit)\n",
        killers=(f"{RACE}[3]",),
        rule="tokens count with their bound while a call is open",
    ),
]
"""Each with the race that tells."""
