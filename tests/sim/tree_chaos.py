"""Own the running and judging of tree plans: run, judge, save what failed, replay it.

`python -m tests.sim.tree_chaos --seed N` replays one seed exactly, `--runs M` goes on from there, `--plan FILE`
replays a saved plan. It exits with 1 where a rule was broken.
"""

from __future__ import annotations

import argparse
import sys
import traceback
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec

from manus.sim.determinism import HorizonReached, TooManySteps, Trace, simulate
from manus.supervisor import events
from tests.sim.tree_invariants import MESSAGE_RULES
from tests.sim.tree_order import DECISION_RULES
from tests.sim.tree_plan import Plan, plan_from_seed
from tests.sim.tree_report import Report
from tests.sim.tree_world import TreeWorld

PLANS = Path(__file__).parent / "tree_plans"
"""Plans that broke a rule once. A new one is first saved below `.chaos` in the working directory."""

FRESH_PLANS = Path(".chaos")
LAST_EVENTS = 50
RULES = (*MESSAGE_RULES, *DECISION_RULES)
STEPS_MAX = 200_000


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one plan: the rules it broke, the name of its schedule, and how often each thing was seen."""

    plan: Plan
    broken: tuple[str, ...]
    trace: str
    marks: dict[str, int] = {}
    last: tuple[str, ...] = ()


def run_plan(plan: Plan) -> Verdict:
    """Run one plan and judge it."""
    trace = Trace(steps_max=STEPS_MAX)
    world = TreeWorld(plan)
    broken: tuple[str, ...]
    try:
        report = simulate(world.run, schedule_seed=plan.schedule_seed, horizon_s=plan.horizon_s, trace=trace)
        broken = tuple(f"{rule.__name__}: {sentence}" for rule in RULES for sentence in rule(report))
    except (HorizonReached, TooManySteps) as error:
        report, broken = world.report, (f"nothing hangs: {error}",)
    except Exception as error:
        # Whatever an honest tree lets out of itself is a broken rule, and the plan that brought it is to be kept.
        report, broken = world.report, (f"nothing falls: {''.join(traceback.format_exception(error))[-2000:]}",)
    return Verdict(
        plan=plan,
        broken=broken,
        trace=trace.hexdigest(),
        marks=marks_of(report),
        last=tuple(str(event)[:300] for event in report.events[-LAST_EVENTS:]),
    )


def shrink(plan: Plan) -> Plan:
    """Leave out messages and blows, one after another, for as long as the same rule is still broken."""
    rule = _rule_of(run_plan(plan))
    while True:
        for smaller in _smaller(plan):
            if _rule_of(run_plan(smaller)) == rule:
                plan = smaller
                break
        else:
            return plan


def _smaller(plan: Plan) -> Iterator[Plan]:
    for index in range(len(plan.messages)):
        yield msgspec.structs.replace(plan, messages=plan.messages[:index] + plan.messages[index + 1 :])
    for index in range(len(plan.blows)):
        yield msgspec.structs.replace(plan, blows=plan.blows[:index] + plan.blows[index + 1 :])


def _rule_of(verdict: Verdict) -> str:
    return verdict.broken[0].partition(":")[0] if verdict.broken else ""


def marks_of(report: Report) -> dict[str, int]:
    """Count what was seen: a batch that never met a thing proves nothing about it."""
    marks: Counter[str] = Counter()
    for event in report.events:
        marks[type(event).__name__] += 1
        if isinstance(event, events.ActorExited | events.StartFailed):
            marks[f"reason:{type(event.reason).__name__}"] += 1
        if isinstance(event, events.DeadLetter):
            marks[f"dead:{event.why}"] += 1
        if isinstance(event, events.ShutdownOverran):
            marks[f"overran:{event.phase}"] += 1
        if isinstance(event, events.ActorStarted):
            marks["probation"] += event.probation
    for sent in report.sent.values():
        for answer in sent.answers[:1]:
            detail = getattr(answer, "kind", None) or getattr(answer, "reason", None) or getattr(answer, "where", "")
            marks[f"end:{type(answer).__name__}{':' if detail else ''}{detail}"] += 1
        marks[f"way:{sent.plan.way}"] += sent.order >= 0
        marks["left"] += sent.left_at is not None
        marks["no place"] += sent.plan.way in ("place", "place_cast") and sent.order < 0
    for mailbox in report.mailboxes.values():
        marks["late replies"] += mailbox.late_replies
    marks["the tree fell"] += bool(report.failure)
    marks["added"] += len(report.added)
    marks["removed"] += len(report.removed)
    return dict(+marks)


def save(verdict: Verdict, directory: Path = FRESH_PLANS) -> Path:
    """Write a failing plan down, so that it can be replayed after the generator has changed."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"tree-{verdict.plan.seed}-{verdict.plan.mode}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(verdict.plan), indent=1))
    return path


def load(path: Path) -> Plan:
    """Read a saved plan."""
    return msgspec.json.decode(path.read_bytes(), type=Plan)


def explain(verdict: Verdict, path: Path) -> str:
    """Say what broke and how to see it again."""
    return "\n".join(
        (
            f"tree seed {verdict.plan.seed} ({verdict.plan.mode}), trace {verdict.trace[:16]}, broke:",
            *(f"  {sentence}" for sentence in verdict.broken[:20]),
            "the last events:",
            *(f"  {event}" for event in verdict.last),
            f"replay: python -m tests.sim.tree_chaos --plan {path}",
        )
    )


def main(argv: list[str] | None = None) -> int:
    """Run plans from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.sim.tree_chaos", description="Break trees, from a seed.")
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--runs", type=int, default=1, help="how many seeds, from the first on")
    parser.add_argument("--plan", type=Path, action="append", help="replay a saved plan instead (may be repeated)")
    parser.add_argument("--shrink", action="store_true", help="save the smallest plan that breaks the same rule")
    arguments = parser.parse_args(argv)
    seeds = range(arguments.seed, arguments.seed + arguments.runs)
    plans = [load(path) for path in arguments.plan] if arguments.plan else map(plan_from_seed, seeds)
    marks: Counter[str] = Counter()
    total = failed = 0
    for plan in plans:
        verdict = run_plan(plan)
        total += 1
        marks.update(verdict.marks)
        if verdict.broken:
            failed += 1
            verdict = run_plan(shrink(plan)) if arguments.shrink else verdict
            print(explain(verdict, save(verdict)), file=sys.stderr)
    for mark, count in sorted(marks.items()):
        print(f"{count:8} {mark}")
    print(f"{total} plans, {failed} broke a rule")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
