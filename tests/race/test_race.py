"""Five hundred callers race for money and room: limits and budgets hold, nobody starves, and the books are right."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from functools import cache

import pytest

from manus.sim.determinism import Trace
from tests.race.race_judges import judged
from tests.race.race_plan import CALLERS, race_from_seed
from tests.race.race_report import RaceReport
from tests.race.race_world import run_race

FIXED = range(48)
LONG = 10_000
CHUNK = 500

MARKS = (
    *("answered", "refused", "broken", "denied", "expired", "left", "killed"),
    *("admission", "budget_exceeded", "ledger"),
    *("crash", "cancel", "refuse", "stall", "restart"),
    *("budget", "rates", "both"),
    *("openai", "azure", "anthropic", "bedrock"),
    *("waited", "over midnight", "batch let in", "two budgets", "in doubt"),
)
"""What the fixed seeds must have met: a promise that was never tempted has not been tested."""


def insist(seed: int, wrong: Sequence[str]) -> None:
    """Fail with what is needed to see a race again."""
    if wrong:
        sentences = "\n  ".join(wrong[:20])
        pytest.fail(f"race {seed} broke {len(wrong)} promises (race_from_seed({seed})):\n  {sentences}")


@cache
def race_of(seed: int) -> tuple[tuple[str, ...], Counter[str]]:
    """Run a fixed race, once for all who ask: what broke, and what was met."""
    report = run_race(race_from_seed(seed))
    return tuple(judged(report)), marks_of(report)


@pytest.mark.parametrize("seed", FIXED)
def test_every_promise_holds_in_a_fixed_race(seed: int) -> None:
    insist(seed, race_of(seed)[0])


def test_the_fixed_races_meet_everything() -> None:
    marks: Counter[str] = Counter()
    for seed in FIXED:
        marks.update(race_of(seed)[1])
    assert not [mark for mark in MARKS if not marks[mark]]


def marks_of(report: RaceReport) -> Counter[str]:
    """Count what was met."""
    plan = report.plan
    marks: Counter[str] = Counter(told.end for told in report.told)
    marks.update(told.failure.kind for told in report.told if told.failure is not None)
    marks.update(blow.kind for blow in plan.blows)
    marks.update((plan.kind, *(vendor.wire for vendor in plan.vendors)))
    marks["waited"] += sum(told.granted_at > told.asked_at for told in report.told)
    marks["batch let in"] += sum(
        told.caller.priority == "batch" and told.granted_at > told.asked_at for told in report.told
    )
    marks["two budgets"] += len(plan.policy.budgets) == 2
    marks["in doubt"] += sum(row.state == "in_doubt" for row in report.rows)
    marks["over midnight"] += len({row.created_unix_s // 86_400 for row in report.rows}) > 1
    return marks


def test_all_callers_come_to_an_end_and_the_same_seed_gives_the_same_race() -> None:
    traces = [Trace(), Trace()]
    reports = [run_race(race_from_seed(5), trace) for trace in traces]
    assert len(reports[0].told) == CALLERS
    assert traces[0].hexdigest() == traces[1].hexdigest()
    assert reports[0].rows == reports[1].rows


@pytest.mark.long
@pytest.mark.parametrize("first", range(1_000, 1_000 + LONG, CHUNK))
def test_every_promise_holds_for_ten_thousand_seeds(first: int, capsys: pytest.CaptureFixture[str]) -> None:
    began = time.process_time()
    for seed in range(first, first + CHUNK):
        insist(seed, list(judged(run_race(race_from_seed(seed)))))
    each_s = (time.process_time() - began) / CHUNK
    with capsys.disabled():
        print(f"\nraces {first} to {first + CHUNK - 1}: {each_s:.3f} s of CPU each")
