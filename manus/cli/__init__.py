"""Own the command `manus`: the table of its subcommands, and the way in and out.

Start-up stays lean: a subcommand's file describes its arguments with nothing but argparse and imports what it works
with when it runs, so that `--version` and `--help` load neither a loop nor HTTP.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Final

from manus._version import __version__
from manus.cli import exits

COMMANDS: Final = (
    "ask",
    "chat",
    "explain",
    "tokens",
    "embed",
    "providers",
    "models",
    "doctor",
    "health",
    "usage",
    "config",
    "serve",
    "schema",
    "sim",
    "demo",
    "chaos",
)
"""The subcommands, in the order of `--help`; each is a file here with `add_parser(subparsers)`, which sets `run`."""

_DESCRIPTION: Final = "An LLM agent layer: one question to the best of many models, with exact books."


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and give the exit status."""
    _hold_standard_descriptors()
    try:
        return _run(argv)
    except KeyboardInterrupt:
        return exits.INTERRUPTED
    except BrokenPipeError:
        # Python would flush stdout once more at exit and complain; nobody is left to complain to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exits.BROKEN_PIPE


def _run(argv: Sequence[str] | None) -> int:
    parser = make_parser()
    try:
        arguments = parser.parse_args(argv)
    except SystemExit as stop:  # argparse has said what is wrong, or shown its help
        return stop.code if isinstance(stop.code, int) else exits.BAD_INPUT
    status: int = arguments.run(arguments)
    if sys.stdout is not None:
        sys.stdout.flush()
    return status


def _hold_standard_descriptors() -> None:
    """Keep 0, 1 and 2 from being given to a file that is opened later: where one is closed, we would write into it."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free, which is this one


def make_parser() -> argparse.ArgumentParser:
    """Describe the whole command line."""
    parser = argparse.ArgumentParser(
        prog="manus",
        description=_DESCRIPTION,
        epilog=exits.MEANINGS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"manus {__version__}")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    for name in COMMANDS:
        importlib.import_module(f"manus.cli.{name}").add_parser(subparsers)
    return parser
