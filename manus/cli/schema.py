"""Own `manus schema`: the JSON Schema of the protocol that `manus serve` speaks, for clients in any language."""

from __future__ import annotations

import argparse
import json

from manus.cli import exits


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command's arguments."""
    parser = subparsers.add_parser(
        "schema",
        help="print the JSON Schema of the protocol of `manus serve`",
        description=(
            "Print the JSON Schema (draft 2020-12) of every line that a host and `manus serve` exchange: requests, "
            "replies, events, errors, the short form and the engine's envelope. docs/ipc.md tells what they mean."
        ),
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print it."""
    # Only this command works with it.
    from manus.ipc.protocol.schema import protocol_schema

    print(json.dumps(protocol_schema(), indent=2, ensure_ascii=False))
    return exits.OK
