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
    from collections.abc import Sequence

    from manus.actors.ledger.rows import LedgerRow
    from manus.messages.policy import LedgerPolicy
    from manus.reports import UsageLine, UsageReport

DAY_S = 86_400.0

IN_DOUBT_MAX = 1000
"""Calls that `--in-doubt` lists."""


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
    parser.add_argument(
        "--in-doubt", action="store_true", help=f"list the calls in doubt instead, the latest {IN_DOUBT_MAX} of them"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the books."""
    import trio

    from manus.actors.ledger.file import LedgerUnusable
    from manus.config.problems import InvalidConfig

    if arguments.days is not None and not arguments.days > 0:
        say("manus: --days: expected a number more than 0")
        return exits.BAD_INPUT
    report: UsageReport | None
    doubted: list[LedgerRow] = []
    since = None if arguments.days is None else time.time() - arguments.days * DAY_S
    try:
        policy = _policy(arguments)
        if policy.path is None or not Path(policy.path).exists():
            say(f"[no books yet at {policy.path}]" if policy.path else "[these books end with their process]")
            report = _empty(since)
        else:
            report = trio.run(_report, policy, since)
            doubted = _doubted(policy) if arguments.in_doubt else []
    except (InvalidConfig, LedgerUnusable) as error:
        say(f"manus: {error}")
        return exits.BAD_INPUT
    if report is None:
        return exits.FAILED
    if arguments.in_doubt:
        print(_doubts_as_json(doubted) if arguments.json else _table_of_doubts(doubted))
    else:
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

    from manus.actors.ledger.opening import open_ledger
    from manus.actors.ledger.store import Refused
    from manus.messages.accounting import StatsAsked, UsageStats
    from manus.reports import usage_report

    async with open_ledger(policy, now_unix_s=time.time) as store:
        told = trio.Event()
        pending = store.sums(StatsAsked(since_unix_s=since_unix_s))
        if not pending.done:
            pending.then(lambda _: told.set())
            await told.wait()
        rows = pending.value
        if isinstance(rows, Refused):
            say(f"manus: the books cannot be read: {rows.reason}")
            return None
        stats = UsageStats(rows=rows, since_unix_s=since_unix_s, recovered_in_doubt=store.recovered.in_doubt)
        return usage_report(stats)


def _doubted(policy: LedgerPolicy) -> list[LedgerRow]:
    """List the calls in doubt, once dead runs are closed."""
    import sqlite3
    from contextlib import closing

    from manus.actors.ledger.file import LedgerUnusable, open_file_to_read
    from manus.actors.ledger.sqlite import in_doubt_rows

    assert policy.path is not None
    with closing(open_file_to_read(Path(policy.path), busy_s=policy.busy_s)) as connection:
        try:
            return in_doubt_rows(connection, IN_DOUBT_MAX)
        except sqlite3.Error as error:
            raise LedgerUnusable(f"the ledger {policy.path} cannot be read: {error}") from None


def _doubts_as_json(rows: list[LedgerRow]) -> str:
    import msgspec

    return json.dumps({"in_doubt": msgspec.to_builtins(rows)})


def _table_of_doubts(rows: list[LedgerRow]) -> str:
    from datetime import UTC, datetime

    from manus.messages.usage import format_usd

    lines = [("ENDED (UTC)", "REQUEST", "DEPLOYMENT", "REASON", "INPUT <=", "OUTPUT <=", "COST <=")]
    for row in rows:
        ended = datetime.fromtimestamp(row.ended_unix_s or row.created_unix_s, UTC)
        most = (str(row.usage.input_total), str(row.usage.output), format_usd(row.cost_nano_usd))
        lines.append((f"{ended:%Y-%m-%d %H:%M:%S}", row.request_id, row.deployment, row.reason or "", *most))
    return _aligned(lines, names=4)


def _table(report: UsageReport) -> str:
    head = ("PROVIDER", "MODEL", "CALLS", "INPUT", "OUTPUT", "COST", "IN DOUBT", "UP TO")
    lines = [*report.lines, report.total] if len(report.lines) != 1 else list(report.lines)
    return _aligned([head, *(_row(line) for line in lines)], names=2)


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


def _aligned(rows: Sequence[tuple[str, ...]], *, names: int) -> str:
    """Lay out a table: the first `names` columns to the left, the others, which are numbers, to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column < names else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
