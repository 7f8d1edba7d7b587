"""The whole agent under faults drawn from seeds: every promise holds, and the batch has seen everything it should."""

from __future__ import annotations

import random
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from manus.messages.content import Text
from manus.messages.outcomes import Finished, Unfinished
from manus.sim import chaos_world
from manus.sim.chaos import Verdict, explain, load, run_plan, save
from manus.sim.chaos_clients import Seen
from manus.sim.chaos_draw import FAULT_NAMES, plan_from_seed
from manus.sim.chaos_invariants import (
    exact_books,
    fresh_credentials,
    no_lie,
    no_secret_leaves,
    one_end,
    whole_streams,
)
from manus.sim.chaos_keys import SECRET, Doorkeeper
from manus.sim.chaos_plan import Plan
from manus.sim.provider import WIRES

FIXED = range(160)
SLICE = 20
"""Seeds in one test: the lies told to our code are tried with one slice each."""

FRESH = 60
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
)


def insist(verdict: Verdict, tmp_path: Path) -> None:
    """Fail with everything that is needed to see the run again."""
    if verdict.broken:
        pytest.fail(explain(verdict, save(verdict, tmp_path)))


@cache
def verdict_on(seed: int) -> Verdict:
    """Run a fixed seed, once for all who ask."""
    return run_plan(plan_from_seed(seed))


@pytest.mark.parametrize("first", FIXED[::SLICE])
def test_every_promise_holds_for_the_fixed_seeds(first: int, tmp_path: Path) -> None:
    for seed in range(first, first + SLICE):
        insist(verdict_on(seed), tmp_path)


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


def test_the_first_seeds_draw_every_wire() -> None:
    drawn = {provider.wire for seed in FIXED for provider in plan_from_seed(seed).providers}
    assert drawn == WIRES.keys()


def test_a_plan_survives_being_saved(tmp_path: Path) -> None:
    plan = plan_from_seed(7)
    path = save(Verdict(plan=plan, broken=(), trace=""), tmp_path)
    assert load(path) == plan


# --- the judges can tell -----------------------------------------------------------------------------


def report_of(seed: int, mode: Any = "safety") -> chaos_world.Report:
    from manus.sim.chaos import _simulate
    from manus.sim.determinism import Trace

    return _simulate(plan_from_seed(seed, mode), Trace())


def finished_report() -> tuple[chaos_world.Report, Seen, Finished]:
    for seed in range(100):
        report = report_of(seed)
        for seen in report.seen:
            if seen.client.stream and isinstance(seen.outcome, Finished) and len(seen.text) > 1:
                return report, seen, seen.outcome
    raise AssertionError("no stream finished in a hundred plans")


def test_a_lost_terminal_is_noticed() -> None:
    report, seen, _ = finished_report()
    seen.outcome = None
    assert one_end(report)


def test_a_shortened_answer_is_noticed() -> None:
    report, seen, outcome = finished_report()
    parts = tuple(Text(text=part.text[:-1]) for part in outcome.answer.parts if isinstance(part, Text))
    seen.outcome = msgspec.structs.replace(outcome, answer=msgspec.structs.replace(outcome.answer, parts=parts))
    assert no_lie(report)
    assert whole_streams(report)


def test_a_duplicated_delta_is_noticed() -> None:
    report, seen, _ = finished_report()
    seen.text += seen.text[-1]
    assert whole_streams(report)


def test_a_missing_row_and_a_wrong_count_are_noticed() -> None:
    report, _, outcome = finished_report()
    row = next(row for row in report.rows if row.request_id == outcome.request_id and row.state == "settled")
    report.rows.remove(row)
    assert exact_books(report)
    usage = msgspec.structs.replace(row.usage, output=row.usage.output + 1)
    report.rows.append(msgspec.structs.replace(row, usage=usage))
    assert exact_books(report)


def test_a_stale_token_and_a_secret_that_got_out_are_noticed() -> None:
    report, seen, outcome = finished_report()
    assert not fresh_credentials(report)
    assert not no_secret_leaves(report)
    door = Doorkeeper("alpha", "tokens", now_unix_s=trio.current_time, seed=1)
    door.stale = 1
    report.doors["alpha"] = door
    assert fresh_credentials(report)
    seen.outcome = msgspec.structs.replace(outcome, model=f"{SECRET}-alpha-key-0")
    assert no_secret_leaves(report)


def test_an_unfinished_outcome_is_a_terminal_too() -> None:
    report = report_of(1)
    assert any(isinstance(seen.outcome, Unfinished) for seen in report.seen)
    assert not one_end(report)


def test_the_same_seed_draws_the_same_plan() -> None:
    assert plan_from_seed(11) == plan_from_seed(11)
    assert isinstance(plan_from_seed(11), Plan)
