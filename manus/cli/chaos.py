"""Own `manus chaos`: break things from a seed, and tell which promise broke."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from manus.cli import exits
from manus.cli.output import say

if TYPE_CHECKING:
    from manus.sim.chaos import Verdict
    from manus.sim.chaos_plan import Mode, Plan

MODES: tuple[Mode, ...] = ("safety", "liveness", "isolation", "failover")

TOLD_EVERY = 20
"""Runs after which progress is told."""

_DESCRIPTION = """\
Run the whole agent against simulated providers that fail in every way, crash its own actors, let its disk refuse,
and set the clock: all of it drawn from a seed, in virtual time, with no network and no key. The same seed gives the
same run. Then check every promise: one outcome per request, whole streams, exact books,
limits and budgets that hold, isolation, no hang.

  safety      faults all along
  liveness    faults for a while, then everything must come right
  isolation   faults at one provider alone; compared with the same run without them
  failover    faults at all providers but one; whoever that one may answer is answered
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the arguments."""
    parser = subparsers.add_parser(
        "chaos",
        help="break simulated providers from a seed and check every promise",
        description=_DESCRIPTION,
        epilog="Exit status 1: a promise broke. The plan that broke it is saved below .chaos; --plan replays it.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="the first seed (default: 0)")
    parser.add_argument(
        "--runs", type=_count, default=1, metavar="M", help="how many seeds, from the first on (default: 1)"
    )
    parser.add_argument("--mode", choices=MODES, help="draw plans of this mode only (default: by the seed)")
    parser.add_argument(
        "--plan", type=Path, action="append", metavar="FILE", help="replay a saved plan instead; may be repeated"
    )
    parser.add_argument("--json", action="store_true", help="tell what was run and seen as one JSON object")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the plans one after another. Ctrl-C ends it in good order: what was run so far is told."""
    from manus.sim.chaos import explain, run_plan, save

    try:
        plans = _plans(arguments)
    except ValueError as error:
        say(f"manus chaos: {error}")
        return exits.BAD_INPUT
    total = len(arguments.plan) if arguments.plan else arguments.runs
    batch = _Batch()
    with _interruptible() as interrupted:
        for plan in plans:
            if interrupted:
                break
            verdict = run_plan(plan)
            saved = save(verdict) if verdict.broken else None
            batch.add(verdict, saved)
            if saved is not None:
                say(explain(verdict, saved))
            if batch.runs % TOLD_EVERY == 0 and batch.runs < total:
                say(f"{batch.runs} of {total} plans run, {len(batch.failures)} broke a promise")
    if interrupted:
        say(f"interrupted after {batch.runs} of {total} plans")
    batch.tell(as_json=arguments.json)
    if batch.failures:
        return exits.FAILED
    return exits.INTERRUPTED if interrupted else exits.OK


@contextmanager
def _interruptible() -> Iterator[list[int]]:
    """Let Ctrl-C end the batch after the run that is on, which takes a moment; a second one ends the process.

    Gives a list that holds the signal once it came. A run itself must not be interrupted: what it raises then would
    have to come through actors whose business is to survive exceptions.
    """
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield received
        return

    def note(number: int, _frame: object) -> None:
        received.append(number)
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield received
    finally:
        signal.signal(signal.SIGINT, before)


class _Batch:
    """What has been run so far, and what was seen in it."""

    def __init__(self) -> None:
        self.runs = 0
        self.marks: Counter[str] = Counter()
        self.failures: list[dict[str, object]] = []

    def add(self, verdict: Verdict, saved: Path | None) -> None:
        """Note one run."""
        self.runs += 1
        self.marks.update(verdict.marks)
        if saved is not None:
            self.failures.append(
                {
                    "seed": verdict.plan.seed,
                    "mode": verdict.plan.mode,
                    "broken": list(verdict.broken),
                    "plan": str(saved),
                }
            )

    def tell(self, *, as_json: bool) -> None:
        """Write the summary to stdout."""
        if as_json:
            import msgspec

            seen = dict(sorted(self.marks.items()))
            summary = {"runs": self.runs, "broken": self.failures, "seen": seen}
            sys.stdout.write(msgspec.json.encode(summary).decode() + "\n")
            return
        for mark, count in sorted(self.marks.items()):
            print(f"{count:8} {mark}")
        print(f"{self.runs} plans, {len(self.failures)} broke a promise")


def _plans(arguments: argparse.Namespace) -> Iterator[Plan]:
    """Give the plans to run.

    Raises:
        ValueError: a saved plan cannot be read.
    """
    from manus.sim.chaos_draw import plan_from_seed

    if arguments.plan:
        return iter([_load(path) for path in arguments.plan])
    return (plan_from_seed(arguments.seed + run, arguments.mode) for run in range(arguments.runs))


def _load(path: Path) -> Plan:
    import msgspec

    from manus.sim.chaos import load

    try:
        return load(path)
    except OSError as error:
        raise ValueError(f"cannot read the plan {path}: {error.strerror}") from None
    except msgspec.MsgspecError as error:
        raise ValueError(f"{path} holds no plan of this version: {error}") from None


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return count
