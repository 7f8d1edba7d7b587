"""Do the tests bite? Each lie told to a copy of our code must be found out by the tests named for it."""

from __future__ import annotations

import faulthandler
import os
import zlib

import pytest

from tests.mutants.admission_mutants import ADMISSION_MUTANTS
from tests.mutants.books_chaos_mutants import BOOKS_CHAOS_MUTANTS
from tests.mutants.bounds_mutants import BOUNDS_MUTANTS
from tests.mutants.catalogue_mutants import CATALOGUE_MUTANTS
from tests.mutants.chaos_mutants import AGENT_MUTANTS, CHAOS_MUTANTS, FOUND_BY_CHAOS, ROUTING_LIES
from tests.mutants.command_mutants import COMMAND_MUTANTS
from tests.mutants.config_mutants import CONFIG_MUTANTS
from tests.mutants.conversation_mutants import CONVERSATION_MUTANTS
from tests.mutants.core_mutants import CORE_MUTANTS
from tests.mutants.credentials_mutants import CREDENTIALS_MUTANTS
from tests.mutants.ends_mutants import ENDS_MUTANTS
from tests.mutants.estimate_mutants import ESTIMATE_MUTANTS
from tests.mutants.failover_mutants import FAILOVER_MUTANTS
from tests.mutants.health_mutants import HEALTH_MUTANTS
from tests.mutants.hosts_mutants import HOSTS_MUTANTS
from tests.mutants.ipc_mutants import IPC_MUTANTS
from tests.mutants.journey_mutants import JOURNEY_MUTANTS
from tests.mutants.kill_mutants import KILL_MUTANTS
from tests.mutants.ledger_mutants import LEDGER_MUTANTS
from tests.mutants.ledger_sums_mutants import LEDGER_SUMS_MUTANTS
from tests.mutants.limits_mutants import LIMITS_MUTANTS
from tests.mutants.mutant import Mutant, Verdict
from tests.mutants.openai_mutants import OPENAI_MUTANTS
from tests.mutants.price_mutants import PRICE_MUTANTS
from tests.mutants.protocol_mutants import PROTOCOL_MUTANTS
from tests.mutants.race_mutants import RACE_MUTANTS
from tests.mutants.reload_mutants import RELOAD_MUTANTS
from tests.mutants.rescue_mutants import RESCUE_MUTANTS
from tests.mutants.routing_mutants import ROUTING_MUTANTS
from tests.mutants.runner import REPOSITORY, Job, mutate, run_jobs
from tests.mutants.runtime_mutants import RUNTIME_MUTANTS
from tests.mutants.shell_mutants import SHELL_MUTANTS
from tests.mutants.transport_mutants import TRANSPORT_MUTANTS

pytestmark = pytest.mark.mutants

MUTANTS: list[Mutant] = [
    *CORE_MUTANTS,
    *SHELL_MUTANTS,
    *RUNTIME_MUTANTS,
    *HEALTH_MUTANTS,
    *JOURNEY_MUTANTS,
    *ENDS_MUTANTS,
    *RESCUE_MUTANTS,
    *FAILOVER_MUTANTS,
    *KILL_MUTANTS,
    *LEDGER_MUTANTS,
    *LEDGER_SUMS_MUTANTS,
    *TRANSPORT_MUTANTS,
    *CHAOS_MUTANTS,
    *AGENT_MUTANTS,
    *ROUTING_LIES,
    *CATALOGUE_MUTANTS,
    *PRICE_MUTANTS,
    *CREDENTIALS_MUTANTS,
    *ADMISSION_MUTANTS,
    *RACE_MUTANTS,
    *BOOKS_CHAOS_MUTANTS,
    *LIMITS_MUTANTS,
    *OPENAI_MUTANTS,
    *ROUTING_MUTANTS,
    *CONFIG_MUTANTS,
    *BOUNDS_MUTANTS,
    *ESTIMATE_MUTANTS,
    *HOSTS_MUTANTS,
    *CONVERSATION_MUTANTS,
    *COMMAND_MUTANTS,
    *IPC_MUTANTS,
    *PROTOCOL_MUTANTS,
    *RELOAD_MUTANTS,
]
TURNS = 3
TURN = int(os.environ.get("MANUS_MUTANTS_TURN", "0")) % TURNS
"""Whose turn it is; `.ci/run` sets it by the day. All of them are judged by `pytest -m mutants`."""

UNMUTATED = "unmutated"
TESTS_FAILED = 1
"""Pytest's exit code when tests ran and failed. Any other one means that they did not get to run."""


@pytest.fixture(scope="module")
def verdicts(request: pytest.FixtureRequest) -> dict[str, Verdict]:
    """Run all mutants that are to be judged in this session together, and one killer of each file on the honest code.

    That one passes shows that its file can be run where mutants are. That all of them pass on the honest code is what
    the rest of the suite is for, and is seen there.
    """
    chosen = {item.name for item in request.session.items}
    mutants = [mutant for mutant in MUTANTS if f"{test_mutant_is_killed.__name__}[{mutant.name}]" in chosen]
    killers = {test.partition("::")[0]: test for mutant in mutants for test in mutant.killers}
    jobs = [Job(name=mutant.name, tests=mutant.killers, mutant=mutant) for mutant in mutants]
    # Every run has a bound of its own. That of a single test, which pytest has set, would end them all in their midst.
    faulthandler.cancel_dump_traceback_later()
    return run_jobs([Job(name=UNMUTATED, tests=tuple(killers.values())), *jobs])


@pytest.mark.long
def test_all_killers_pass_on_the_honest_code_where_mutants_are_run() -> None:
    killers = tuple(sorted({test for mutant in MUTANTS for test in mutant.killers}))
    faulthandler.cancel_dump_traceback_later()
    honest = run_jobs([Job(name=UNMUTATED, tests=killers)])[UNMUTATED]
    assert honest.exit_code == 0, honest.output


def _in_turn(mutant: Mutant) -> object:
    """Leave two thirds of the mutants to the long lane: which third is judged at once takes turns from day to day."""
    marks = () if zlib.crc32(mutant.name.encode()) % TURNS == TURN else (pytest.mark.long,)
    return pytest.param(mutant, id=mutant.name, marks=marks)


@pytest.mark.parametrize("mutant", [_in_turn(mutant) for mutant in MUTANTS])
def test_mutant_is_killed(mutant: Mutant, verdicts: dict[str, Verdict]) -> None:
    honest = verdicts[UNMUTATED]
    assert honest.exit_code == 0, f"the killers fail on the honest code:\n{honest.output}"
    verdict = verdicts[mutant.name]
    assert verdict.exit_code == TESTS_FAILED, (
        f"'{mutant.rule}' can be broken in {mutant.file}: {mutant.killers} ended with {verdict.exit_code}"
        f" after {verdict.seconds:.1f} s\n{verdict.output}"
    )


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_mutant_still_fits_the_code(mutant: Mutant) -> None:
    source = (REPOSITORY / mutant.file).read_text(encoding="utf-8")
    compile(mutate(mutant, source), mutant.file, "exec")


def test_mutants_have_names_of_their_own() -> None:
    names = [mutant.name for mutant in MUTANTS]
    assert len(set(names)) == len(names)


def test_chaos_is_tried_with_every_lie_that_is_listed_for_it() -> None:
    assert len(CHAOS_MUTANTS) == len(FOUND_BY_CHAOS)


def test_a_snippet_that_is_not_there_once_is_refused() -> None:
    mutant = Mutant(name="m", file="f", original="x", mutated="y", killers=(), rule="r")
    with pytest.raises(ValueError, match="occurs 2 times"):
        mutate(mutant, "x x")
