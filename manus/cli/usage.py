"""Own `manus usage`: the books split as asked, read from the ledger; runs that died are closed first.

With `--watch` nothing is closed: it only looks, again and again (`usage_watch`).
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from manus.cli import exits
from manus.cli.output import say
from manus.cli.time_spans import BadMoment, moment
from manus.durations import DAY_S

if TYPE_CHECKING:
    from manus.config.schema import LLMConfig
    from manus.messages.accounting import StatsAsked
    from manus.messages.policy import LedgerPolicy

IN_DOUBT_MAX: Final = 1000
"""Calls that `--in-doubt` lists."""

DAYS_MAX: Final = 36_500
"""A century, as for `--since`."""

WATCH_S: Final = 2.0
WATCH_S_MIN: Final = 0.1
WATCH_S_MAX: Final = 3600.0


class BadArgument(Exception):
    """An argument that cannot be; the text names it and what was expected."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the arguments."""
    parser = subparsers.add_parser(
        "usage",
        help="the books: tokens and cost, split as you like, and what is in doubt",
        description="What was used and what it cost, over all runs. A call in doubt is one whose end nobody saw: its "
        "cost is an upper bound, beside the cost of what is settled. A call belongs to the moment it was made at.",
        epilog=exits.MEANINGS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--by",
        metavar="NAMES",
        default="provider,model",
        help="what it is split by: provider, model, deployment, key, tag, conversation, day; several with commas "
        "between; '' is the total alone (default: provider,model)",
    )
    parser.add_argument("--since", metavar="WHEN", help="from then on: 24h, 7d, 2026-11-01, 2026-11-01T12:00:00+01:00")
    parser.add_argument("--until", metavar="WHEN", help="until before then")
    parser.add_argument("--days", type=float, metavar="N", help="only the last N days")
    parser.add_argument("--ledger", metavar="FILE", help="the ledger; left out, the one of the configuration")
    parser.add_argument("--config", metavar="FILE", help="the configuration (see: manus config)")
    parser.add_argument(
        "--in-doubt", action="store_true", help=f"list the calls in doubt instead, the latest {IN_DOUBT_MAX} of them"
    )
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="one JSON object; with --watch one a line")
    shape.add_argument("--csv", action="store_true", help="comma-separated values, every count exact")
    parser.add_argument(
        "--watch",
        nargs="?",
        type=float,
        const=WATCH_S,
        metavar="SECONDS",
        help=f"look again every so many seconds (default: {WATCH_S:g}): totals, rates, limits and budgets; "
        "Ctrl-C ends it",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the books."""
    from manus.actors.ledger.file import LedgerUnusable
    from manus.cli.usage_reading import LedgerSilent
    from manus.config.problems import InvalidConfig

    try:
        asked = _asked(arguments)
        config, policy = _books(arguments)
        if arguments.watch is not None:
            from manus.cli.usage_watch import watch

            return watch(config, policy, asked, every_s=arguments.watch, as_json=arguments.json)
        return _show(arguments, policy, asked)
    except (InvalidConfig, LedgerUnusable, BadArgument) as error:
        say(f"manus: {error}")
        return exits.BAD_INPUT
    except LedgerSilent as error:
        say(f"manus: {error}")
        return exits.FAILED


def _asked(arguments: argparse.Namespace) -> StatsAsked:
    """Read what is asked for, before anything is opened.

    Raises:
        BadArgument: it cannot be.
    """
    from manus.books import dimensions_of
    from manus.errors import InvalidRequestError
    from manus.messages.accounting import StatsAsked

    now = time.time()
    if arguments.watch is not None:
        if arguments.csv or arguments.in_doubt or arguments.until is not None:
            raise BadArgument("--watch: goes with --by, --since, --days and --json only")
        if not WATCH_S_MIN <= arguments.watch <= WATCH_S_MAX:
            raise BadArgument(f"--watch: expected seconds, from {WATCH_S_MIN:g} to {WATCH_S_MAX:g}")
    if arguments.days is not None:
        if arguments.since is not None:
            raise BadArgument("--days: contradicts --since; give one of the two")
        if not 0 < arguments.days <= DAYS_MAX:
            raise BadArgument(f"--days: expected a number more than 0, and at most {DAYS_MAX}")
    since = now - arguments.days * DAY_S if arguments.days is not None else _moment(arguments.since, "--since", now)
    until = _moment(arguments.until, "--until", now)
    if since is not None and since >= (now if until is None else until):
        raise BadArgument("--since: is not before " + ("now" if until is None else "--until"))
    try:
        return StatsAsked(since_unix_s=since, until_unix_s=until, by=dimensions_of(arguments.by))
    except InvalidRequestError as error:
        raise BadArgument(f"--{error}") from None


def _moment(text: str | None, argument: str, now_unix_s: float) -> float | None:
    try:
        return None if text is None else moment(text, now_unix_s)
    except BadMoment as error:
        raise BadArgument(f"{argument}: {error}") from None


def _books(arguments: argparse.Namespace) -> tuple[LLMConfig | None, LedgerPolicy]:
    """Say where the books are, and under which configuration, where that is known.

    Raises:
        InvalidConfig: the configuration cannot be used.
    """
    from manus.config.load import load, state_directory
    from manus.config.policies import ledger_policy
    from manus.messages.policy import LedgerPolicy

    if arguments.ledger is not None and arguments.config is None:
        return None, LedgerPolicy(path=str(Path(arguments.ledger).absolute()))
    loaded = load(arguments.config)
    if arguments.ledger is not None:
        return loaded.config, LedgerPolicy(path=str(Path(arguments.ledger).absolute()))
    base = Path() if loaded.path is None else loaded.path.parent
    return loaded.config, ledger_policy(loaded.config, base=base, state=state_directory(os.environ))


def _show(arguments: argparse.Namespace, policy: LedgerPolicy, asked: StatsAsked) -> int:
    from manus.cli.usage_reading import closed_report, doubted_calls, no_report
    from manus.cli.usage_table import doubt_csv, doubt_json, doubt_table, usage_csv, usage_table

    if policy.path is None or not Path(policy.path).exists():
        say(f"[no books yet at {policy.path}]" if policy.path else "[these books end with their process]")
        report, doubted = no_report(asked), []
    else:
        report = closed_report(policy, asked)
        doubted = doubted_calls(policy, asked, IN_DOUBT_MAX) if arguments.in_doubt else []
    if arguments.in_doubt:
        as_text = doubt_json if arguments.json else doubt_csv if arguments.csv else doubt_table
        print(as_text(doubted))
    elif arguments.json:
        print(json.dumps(report.to_dict()))
    else:
        print(usage_csv(report) if arguments.csv else usage_table(report))
    return exits.OK
