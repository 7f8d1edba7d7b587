"""Own the chaos engine's front: run a plan, judge it, save what failed, replay it.

`python -m manus.sim.chaos --seed N` replays one seed exactly, `--runs M` goes on from there, `--plan FILE` replays a
saved plan. It exits with 1 where a promise was broken.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import get_args

import msgspec

from manus.messages.outcomes import Finished, Unfinished
from manus.sim.chaos_invariants import INVARIANTS, isolated
from manus.sim.chaos_plan import Mode, Plan, plan_from_seed, without_faults_of
from manus.sim.chaos_world import ChaosWorld, Report
from manus.sim.determinism import HorizonReached, TooManySteps, Trace, simulate

PLANS_DIRECTORY = Path(".chaos")
"""Where failing plans are saved, below the working directory."""

LAST_EVENTS = 50
"""How many supervision events a failure shows."""

FAULTY = "alpha"
HEALTHY = "beta"


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one plan.

    Args:
        broken: sentences, each after the name of the promise that it is about.
        trace: names the schedule; equal for equal plans.
        marks: how often each kind of outcome and event was seen.
        last: the last events before the end.
    """

    plan: Plan
    broken: tuple[str, ...]
    trace: str
    marks: dict[str, int] = {}
    last: tuple[str, ...] = ()


def run_plan(plan: Plan) -> Verdict:
    """Run one plan and judge it. A plan of mode `isolation` is run twice, with the faults and without."""
    trace = Trace()
    try:
        report = _simulate(plan, trace)
        broken = [f"{check.__name__}: {sentence}" for check in INVARIANTS for sentence in check(report)]
        if plan.mode == "isolation":
            calm = _simulate(without_faults_of(plan, FAULTY), Trace())
            broken += [f"isolated: {sentence}" for sentence in isolated(report, calm, HEALTHY)]
    except (HorizonReached, TooManySteps) as error:
        return Verdict(plan=plan, broken=(f"no_hang: {error}",), trace=trace.hexdigest())
    return Verdict(
        plan=plan,
        broken=tuple(broken),
        trace=trace.hexdigest(),
        marks=marks_of(report),
        last=tuple(_told(event) for event in report.events[-LAST_EVENTS:]),
    )


def marks_of(report: Report) -> dict[str, int]:
    """Count what was seen: a batch that never sees a kind of outcome or event proves nothing about it."""
    marks: Counter[str] = Counter(type(event).__name__ for event in report.events)
    wires = {each.name: each.wire for each in report.plan.providers}
    for seen in report.seen:
        outcome = seen.outcome
        if isinstance(outcome, Unfinished):
            marks[f"failed:{outcome.failure.kind}"] += 1
            marks["partial"] += outcome.partial is not None
        elif outcome is not None:
            marks[type(outcome).__name__] += 1
        if isinstance(outcome, Finished | Unfinished):
            asked = list(dict.fromkeys(attempt.provider for attempt in outcome.route.attempts))
            marks["failover"] += len(asked) > 1
            for name in asked[:-1]:
                marks[f"{wires[name]}:failed over from"] += 1
            marks["not_durable"] += not outcome.durable
        if isinstance(outcome, Finished):
            marks[f"{wires[outcome.provider]}:finished"] += 1
        marks["walked_away"] += seen.walked_away
        marks["reset"] += seen.resets
    for row in report.rows:
        marks[f"row:{row.state}"] += 1
        marks[f"usage:{row.usage.source}"] += row.state == "settled"
    for each in report.plan.providers:
        marks[f"several {each.proof} shown"] += len(report.doors[each.name].shown) > 1
    for name, bills in report.bills.items():
        for bill in bills:
            marks[f"fault:{bill.fault or 'none'}"] += 1
            marks[f"{wires[name]}:billed"] += bill.billed
            marks[f"{wires[name]}:cached"] += bill.cached_tokens + bill.cache_write_tokens > 0
    return dict(+marks)


def save(verdict: Verdict, directory: Path = PLANS_DIRECTORY) -> Path:
    """Write a failing plan down, so that it can be replayed after the generator has changed."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"seed-{verdict.plan.seed}-{verdict.plan.mode}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(verdict.plan), indent=1))
    return path


def load(path: Path) -> Plan:
    """Read a saved plan.

    Raises:
        msgspec.ValidationError: the file holds no plan of this version.
    """
    return msgspec.json.decode(path.read_bytes(), type=Plan)


def explain(verdict: Verdict, path: Path) -> str:
    """Say what broke and how to see it again."""
    plan = verdict.plan
    return "\n".join(
        (
            f"seed {plan.seed} ({plan.mode}) broke {len(verdict.broken)} promises; trace {verdict.trace[:16]}",
            *(f"  {sentence}" for sentence in verdict.broken[:20]),
            "the last events:",
            *(f"  {event}" for event in verdict.last),
            f"the plan: {path}",
            f"replay:   make chaos SEED={plan.seed}   or   python -m manus.sim.chaos --plan {path}",
        )
    )


def main(argv: list[str] | None = None) -> int:
    """Run plans from the command line."""
    parser = argparse.ArgumentParser(prog="python -m manus.sim.chaos", description="Break things, from a seed.")
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--runs", type=int, default=1, help="how many seeds, from the first on")
    parser.add_argument("--mode", choices=get_args(Mode), help="draw plans of this mode only")
    parser.add_argument("--plan", type=Path, action="append", help="replay a saved plan instead (may be repeated)")
    arguments = parser.parse_args(argv)
    plans: Iterable[Plan] = (
        map(load, arguments.plan)
        if arguments.plan
        else (plan_from_seed(arguments.seed + run, arguments.mode) for run in range(arguments.runs))
    )
    return _run_all(plans)


def _run_all(plans: Iterable[Plan]) -> int:
    marks: Counter[str] = Counter()
    failed = total = 0
    for plan in plans:
        verdict = run_plan(plan)
        total += 1
        marks.update(verdict.marks)
        if verdict.broken:
            failed += 1
            print(explain(verdict, save(verdict)), file=sys.stderr)
    for mark, count in sorted(marks.items()):
        print(f"{count:8} {mark}")
    print(f"{total} plans, {failed} broke a promise")
    return 1 if failed else 0


def _simulate(plan: Plan, trace: Trace) -> Report:
    return simulate(ChaosWorld(plan).run, schedule_seed=plan.schedule_seed, horizon_s=plan.horizon_s, trace=trace)


def _told(event: object) -> str:
    at = getattr(event, "at", None)
    when = f"{at:9.3f} " if isinstance(at, float) else ""
    return f"{when}{getattr(event, 'actor', '')}#{getattr(event, 'generation', '')} {event!r}"[:400]


if __name__ == "__main__":
    sys.exit(main())
