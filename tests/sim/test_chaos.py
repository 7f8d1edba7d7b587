"""The whole agent under faults drawn from seeds: every promise holds, and the batch has seen everything it should."""

from __future__ import annotations

import random
from collections import Counter
from functools import cache
from pathlib import Path
from typing import get_args

import pytest

from manus.messages.outcomes import AttemptRole
from manus.messages.requests import Strategy
from manus.sim.chaos import Verdict, explain, load, run_plan, save
from manus.sim.chaos_draw import FAULT_NAMES, plan_from_seed
from manus.sim.chaos_marks import COUNTED
from manus.sim.chaos_plan import Mode, Plan
from manus.sim.chaos_rests import MOVES
from manus.sim.provider import WIRES

FIXED = range(160)
"""Lies told to our code are tried with single seeds of these (`tests/mutants/chaos_mutants.py`)."""

FRESH = 40
PLANS = Path(__file__).parent / "plans"

# What the fixed batch must have seen at least once. A promise that was never tempted has not been tested.
MARKS = (
    *("Finished", "ActorFailed", "walked_away", "reset", "partial", "failover", "not_durable"),
    *("ActorExited", "RestartScheduled", "Quarantined", "RequestCrashed", "LateReply", "Wedged", "ShutdownOverran"),
    *("row:settled", "row:released", "row:in_doubt", "usage:reported", "usage:estimated"),
    *(
        f"failed:{kind}"
        for kind in ("deadline", "cancelled", "shed", "slow_consumer", "timeout", "network", "incomplete", "protocol")
    ),
    *(f"failed:{kind}" for kind in ("actor_crashed", "unavailable", "ledger", "server", "overloaded", "auth")),
    *(f"fault:{name}" for name in FAULT_NAMES),
    *("several keys shown", "several tokens shown"),
    *(f"{wire}:{what}" for wire in WIRES for what in ("finished", "failed over from", "billed", "cached")),
    *(f"role:{role}" for role in get_args(AttemptRole)),
    *(f"{role}:ok" for role in get_args(AttemptRole)),
    *(f"counted:{what}" for what in COUNTED),
    *(f"strategy:{strategy}" for strategy in get_args(Strategy)),
    *(f"breaker:{before} to {after}" for before, after in MOVES),
    *("denied:admission", "denied:budget_exceeded", "failed:admission", "failed:budget_exceeded"),
    *("answered after a denial", "BudgetWarned", "told as open", "fault:limit:requests"),
    *(f"weather:{kind}" for kind in ("outage", "flapping", "brown_out", "storm", "dripping", "clog", "clock jump")),
)


def insist(verdict: Verdict, tmp_path: Path) -> None:
    """Fail with everything that is needed to see the run again."""
    if verdict.broken:
        pytest.fail(explain(verdict, save(verdict, tmp_path)))


@cache
def verdict_on(seed: int) -> Verdict:
    """Run a fixed seed, once for all who ask."""
    return run_plan(plan_from_seed(seed))


@pytest.mark.parametrize("seed", FIXED)
def test_every_promise_holds_for_a_fixed_seed(seed: int, tmp_path: Path) -> None:
    insist(verdict_on(seed), tmp_path)


@pytest.mark.parametrize("seed", range(20))
def test_whoever_can_be_answered_is_answered(seed: int, tmp_path: Path) -> None:
    insist(run_plan(plan_from_seed(seed, "failover")), tmp_path)


def test_the_fixed_seeds_meet_everything() -> None:
    marks: Counter[str] = Counter()
    for seed in FIXED:
        marks.update(verdict_on(seed).marks)
    assert not [mark for mark in MARKS if not marks[mark]]


def test_every_promise_holds_for_fresh_seeds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = random.SystemRandom().randrange(10**6, 10**9)
    with capsys.disabled():
        print(f"\nfresh chaos seeds: {first} to {first + FRESH - 1}")
    for seed in range(first, first + FRESH):
        insist(run_plan(plan_from_seed(seed)), tmp_path)


@pytest.mark.parametrize("path", sorted(PLANS.glob("*.json")), ids=lambda path: path.stem)
def test_plans_that_broke_something_once_hold_now(path: Path, tmp_path: Path) -> None:
    insist(run_plan(load(path)), tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("first", range(10_000, 15_000, 500))
def test_every_promise_holds_for_thousands_of_seeds(first: int, tmp_path: Path) -> None:
    for seed in range(first, first + 500):
        insist(run_plan(plan_from_seed(seed)), tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("mode", get_args(Mode))
def test_every_promise_holds_in_every_mode_for_hundreds_of_seeds(mode: Mode, tmp_path: Path) -> None:
    for seed in range(20_000, 20_500):
        insist(run_plan(plan_from_seed(seed, mode)), tmp_path)


def test_the_first_seeds_draw_every_wire() -> None:
    drawn = {provider.wire for seed in FIXED for provider in plan_from_seed(seed).providers}
    assert drawn == WIRES.keys()


def test_a_plan_survives_being_saved(tmp_path: Path) -> None:
    plan = plan_from_seed(7)
    path = save(Verdict(plan=plan, broken=(), trace=""), tmp_path)
    assert load(path) == plan


def test_the_same_seed_draws_the_same_plan() -> None:
    assert plan_from_seed(11) == plan_from_seed(11)
    assert isinstance(plan_from_seed(11), Plan)
