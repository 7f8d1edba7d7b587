"""Lies that the chaos of random trees must find out by itself: the harness bites, and not only single tests do."""

from __future__ import annotations

import msgspec

from tests.mutants.mutant import Mutant
from tests.mutants.shell_mutants import SHELL_MUTANTS

CHAOS = "tests/sim/test_supervisor_chaos.py::test_every_rule_holds_for_the_fixed_seeds_and_everything_was_met"

FOUND_BY_CHAOS = (
    "the mailbox dies with its actor",
    "no drain at the stop",
    "the in-hand is not answered on a crash",
    "a checkpoint between receiving and registering",
    "the newest waits least",
    "work for nobody is begun",
    "a sent request is safe to retry",
    "the outcome overtakes unread items",
)

CHAOS_MUTANTS: list[Mutant] = [
    msgspec.structs.replace(mutant, name=f"{mutant.name} (chaos)", killers=(CHAOS,))
    for mutant in SHELL_MUTANTS
    if mutant.name in FOUND_BY_CHAOS
]
