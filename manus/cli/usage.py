"""Own `manus usage`: the books by provider and model, read from the ledger; runs that died are closed first."""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from manus.cli import exits
from manus.cli.output import say

if TYPE_CHECKING:
    from manus.messages.policy import LedgerPolicy
    from manus.reports import UsageLine, UsageReport

DAY_S = 86_400.0


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the arguments."""
    parser = subparsers.add_parser(
        "usage",
        help="the books: tokens and cost by provider and model, and what is in doubt",
        description="What was used and what it cost, over all runs. A call in doubt is one whose end nobody saw: its "
        "cost is an upper bound, beside the cost of what is settled.",
    )
    parser.add_argument("--days", type=float, metavar="N", help="only the last N days")
    parser.add_argument("--ledger", metavar="FILE", help="the ledger; left out, the one of the configuration")
    parser.add_argument("--config", metavar="FILE", help="the configuration (see: manus config)")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the books."""
    import trio

    from manus.actors.ledger_file import LedgerUnusable
    from manus.config.problems import InvalidConfig

    if arguments.days is not None and not arguments.days > 0:
        say("manus: --days: expected a number more than 0")
        return exits.BAD_INPUT
    report: UsageReport | None
    since = None if arguments.days is None else time.time() - arguments.days * DAY_S
    try:
        policy = _policy(arguments)
        if policy.path is None or not Path(policy.path).exists():
            say(f"[no books yet at {policy.path}]" if policy.path else "[these books end with their process]")
            report = _empty(since)
        else:
            report = trio.run(_report, policy, since)
    except (InvalidConfig, LedgerUnusable) as error:
        say(f"manus: {error}")
        return exits.BAD_INPUT
    if report is None:
        return exits.FAILED
    print(json.dumps(report.to_dict()) if arguments.json else _table(report))
    return exits.OK


def _policy(arguments: argparse.Namespace) -> LedgerPolicy:
    from manus.config.load import load, state_directory
    from manus.config.policies import ledger_policy
    from manus.messages.policy import LedgerPolicy

    if arguments.ledger is not None:
        return LedgerPolicy(path=str(Path(arguments.ledger).absolute()))
    loaded = load(arguments.config)
    base = Path() if loaded.path is None else loaded.path.parent
    return ledger_policy(loaded.config, base=base, state=state_directory(os.environ))


def _empty(since_unix_s: float | None) -> UsageReport:
    from manus.reports import UsageReport

    return UsageReport(since_unix_s=since_unix_s)


async def _report(policy: LedgerPolicy, since_unix_s: float | None) -> UsageReport | None:
    """Add the books up; None, and a word on stderr, where the ledger cannot be read."""
    import trio

    from manus.actors.ledger_opening import open_ledger
    from manus.actors.ledger_store import Refused
    from manus.messages.accounting import UsageStats
    from manus.reports import usage_report

    async with open_ledger(policy, now_unix_s=time.time) as store:
        told = trio.Event()
        pending = store.totals(since_unix_s)
        if not pending.done:
            pending.then(lambda _: told.set())
            await told.wait()
        rows = pending.value
        if isinstance(rows, Refused):
            say(f"manus: the books cannot be read: {rows.reason}")
            return None
        stats = UsageStats(rows=rows, since_unix_s=since_unix_s, recovered_in_doubt=store.recovered.in_doubt)
        return usage_report(stats)


def _table(report: UsageReport) -> str:
    head = ("PROVIDER", "MODEL", "CALLS", "INPUT", "OUTPUT", "COST", "IN DOUBT", "UP TO")
    lines = [*report.lines, report.total] if len(report.lines) != 1 else list(report.lines)
    rows = [head, *(_row(line) for line in lines)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    return "\n".join("  ".join(map(_fit, row, widths, range(len(head)))).rstrip() for row in rows)


def _row(line: UsageLine) -> tuple[str, ...]:
    from manus.messages.usage import format_usd

    cost = format_usd(line.cost_nano_usd) + (f" + {line.unpriced} unpriced" if line.unpriced else "")
    doubt = (str(line.in_doubt), format_usd(line.in_doubt_cost_nano_usd)) if line.in_doubt else ("0", "")
    return (
        line.provider,
        line.model,
        str(line.requests),
        str(line.input_tokens),
        str(line.output_tokens),
        cost,
        *doubt,
    )


def _fit(cell: str, width: int, column: int) -> str:
    """Names to the left, numbers to the right."""
    return cell.ljust(width) if column < 2 else cell.rjust(width)
