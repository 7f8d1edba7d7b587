"""Own the lies that only a process that dies can find out, and the kills that must."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

ACCOUNTING = "manus/actors/accounting.py"
JOURNALED = "manus/actors/ledger/journaled.py"

KILLED = "tests/kill/test_books_survive.py::test_books_survive_being_killed[process-6]"
AT_ONCE = "tests/kill/test_starts_at_once.py::test_a_start_that_another_takes_for_dead_goes_on_under_another_name"

KILL_MUTANTS = [
    Mutant(
        name="nobody writes down that a call is sent",
        file=ACCOUNTING,
        original="        if record is not None:\n            self._write(record)\n\n    def _end(",
        mutated="\n    def _end(",
        killers=(KILLED,),
        rule="what was sent and not settled is in doubt after a kill (P8)",
    ),
    Mutant(
        name="a start that was taken for dead gives up",
        file=JOURNALED,
        original="CLAIMS_MAX = 8\n",
        mutated="CLAIMS_MAX = 1\n",
        killers=(AT_ONCE,),
        rule="several processes begin one ledger at once",
    ),
]
