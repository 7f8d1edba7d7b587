"""Own `manus serve`: the agent as a subprocess or a service, for programs that speak its protocol."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import Final

from manus.cli import exits
from manus.cli.output import say, status_of

CONFIGURED: Final = "configured"
"""What `--unix` without a path stands for."""

WINDOW_MAX: Final = 65_536

_DESCRIPTION: Final = """\
Serve the agent to a host program: JSON-RPC 2.0, one object a line, over stdin and stdout, over a Unix socket of this
user, or both. One agent serves all of them: its limits, budgets and books are shared.

It ends when stdin ends (with --stdio), when the host says `shutdown`, or by a signal: the first SIGTERM or SIGINT lets
requests in flight drain, a second ends it at once. SIGHUP reads the configuration again; what did not change is not
touched, and what is in flight goes on.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the arguments."""
    parser = subparsers.add_parser(
        "serve",
        help="serve a host program over stdin and stdout, or over a Unix socket",
        description=_DESCRIPTION,
        epilog=exits.MEANINGS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--stdio", action="store_true", help="serve the program that started this one")
    parser.add_argument(
        "--unix",
        nargs="?",
        const=CONFIGURED,
        metavar="PATH",
        help="serve at this socket (mode 0600, this user only); PATH left out, at ipc.socket_path of the configuration",
    )
    parser.add_argument(
        "--window",
        type=int,
        metavar="N",
        help="how many events of a stream may be on their way unacknowledged, where a host does not say (ipc.window)",
    )
    parser.add_argument("--config", metavar="FILE", help="the configuration (see: manus config)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve until the end, and give the exit status."""
    wrong = _wrong(arguments)
    if wrong is not None:
        say(f"manus: {wrong}")
        return exits.BAD_INPUT
    if arguments.stdio and sys.stdin is not None and sys.stdin.isatty():
        say("[this reads JSON lines from a program; for a conversation with people there is `manus chat`]")

    from manus.ipc.stdio_guard import take_stdio

    # Before anything else is imported: what prints while it is imported must not get into the channel.
    stdio = take_stdio() if arguments.stdio else False

    import trio

    from manus.errors import LLMError
    from manus.ipc.serve import serve

    unix = arguments.unix if arguments.unix in (None, CONFIGURED) else Path(arguments.unix)
    try:
        return trio.run(partial(serve, arguments.config, stdio=stdio, unix=unix, window=arguments.window))
    except LLMError as error:
        say(f"manus: {error}")
        return status_of(error)


def _wrong(arguments: argparse.Namespace) -> str | None:
    """Say what is wrong with the arguments taken together; what argparse can tell it has told."""
    if not arguments.stdio and arguments.unix is None:
        return "serve: nothing to serve at; give --stdio, --unix PATH, or both"
    if arguments.unix == "":
        return "--unix: expected the path of a socket"
    if arguments.window is not None and not 1 <= arguments.window <= WINDOW_MAX:
        return f"--window: expected a whole number from 1 to {WINDOW_MAX}"
    if arguments.stdio and (sys.stdin is None or sys.stdin.closed):
        return "--stdio: standard input is closed; start it with a pipe"
    if arguments.stdio and (sys.stdout is None or sys.stdout.closed):
        return "--stdio: standard output is closed; start it with a pipe"
    return None
