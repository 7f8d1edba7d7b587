"""Own the chaos engine's front: run a plan, judge it, save what failed, replay it. `manus chaos` is its command."""

from __future__ import annotations

from pathlib import Path

import msgspec

from manus.sim.chaos_invariants import INVARIANTS
from manus.sim.chaos_isolation import isolated
from manus.sim.chaos_marks import marks_of
from manus.sim.chaos_plan import Plan, without_faults_of
from manus.sim.chaos_world import ChaosWorld, Report
from manus.sim.determinism import HorizonReached, TooManySteps, Trace, simulate
from manus.supervisor.tree import RuntimeFailed

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
        report = simulated(plan, trace)
        broken = [f"{check.__name__}: {sentence}" for check in INVARIANTS for sentence in check(report)]
        if plan.mode == "isolation":
            calm = simulated(without_faults_of(plan, FAULTY), Trace())
            broken += [f"isolated: {sentence}" for sentence in isolated(report, calm, HEALTHY)]
    except (HorizonReached, TooManySteps) as error:
        return Verdict(plan=plan, broken=(f"no_hang: {error}",), trace=trace.hexdigest())
    except RuntimeFailed as error:
        return Verdict(plan=plan, broken=(f"restarts: {error}",), trace=trace.hexdigest())
    return Verdict(
        plan=plan,
        broken=tuple(broken),
        trace=trace.hexdigest(),
        marks=marks_of(report),
        last=tuple(_told(event) for event in report.events[-LAST_EVENTS:]),
    )


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
            f"replay:   manus chaos --plan {path}   or   manus chaos --seed {plan.seed} --mode {plan.mode}",
        )
    )


def simulated(plan: Plan, trace: Trace | None = None) -> Report:
    """Run one plan, unjudged.

    Raises:
        HorizonReached, TooManySteps, RuntimeFailed: it did not come to its end.
    """
    return simulate(ChaosWorld(plan).run, schedule_seed=plan.schedule_seed, horizon_s=plan.horizon_s, trace=trace)


def _told(event: object) -> str:
    at = getattr(event, "at", None)
    when = f"{at:9.3f} " if isinstance(at, float) else ""
    return f"{when}{getattr(event, 'actor', '')}#{getattr(event, 'generation', '')} {event!r}"[:400]
