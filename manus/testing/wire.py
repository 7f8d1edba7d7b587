"""Own the command that replays recorded exchanges through the codecs: `python -m manus.testing.wire DIR`.

Each exchange file (the format is that of the recordings: `id`, `provider`, `api`, `request`, `response`, and what
the answer is expected to say in `expect`) is decoded whole, one byte at a time and at random splits, and gives one
JSON line per exchange and split on stdout. Token numbers are the provider's own, null where it gave none, so that a
line can be compared with the recording's `expect`; `usage` beside them is our normal form. On stderr stands a
summary: counts by provider and feature, what is unsupported and why, and every mismatch.

Exit codes: 0 all exchanges were replayed and say what was expected; 1 some do not, the splits of one disagree, or a
file is no exchange; 2 the command line is wrong.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from manus.testing.wire_replay import NotAnExchange, passes, replay
from manus.testing.wire_tally import Tally

__all__ = ["NotAnExchange", "main", "replay"]


def main(arguments: list[str] | None = None) -> int:
    """Run the command; gives the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m manus.testing.wire",
        description="Replay recorded provider exchanges through the codecs, one JSON line per exchange and split.",
    )
    parser.add_argument("directory", type=Path, metavar="DIR", help="directory of exchange files (*.json)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the random splits (default 0)")
    parser.add_argument("--splits", type=int, default=2, metavar="N", help="random splits per exchange (default 2)")
    asked = parser.parse_args(arguments)
    if asked.splits < 0:
        parser.error(f"--splits must be 0 or more, not {asked.splits}")
    if not asked.directory.is_dir():
        parser.error(f"{asked.directory} is no directory")
    paths = sorted(asked.directory.glob("*.json"))
    if not paths:
        parser.error(f"{asked.directory} holds no exchange files (*.json)")
    return _replay_all(paths, seed=asked.seed, splits=asked.splits)


def _replay_all(paths: list[Path], *, seed: int, splits: int) -> int:
    tally = Tally()
    for path in paths:
        try:
            exchange = json.loads(path.read_bytes())
            passed = list(passes(exchange, seed=seed, splits=splits))
        except (NotAnExchange, ValueError, TypeError) as error:
            tally.unreadable(path.name, error)
            continue
        for each in passed:
            print(json.dumps(each.line, ensure_ascii=True, separators=(",", ":")))
        tally.count(path.name, exchange, passed)
    for line in tally.report():
        print(line, file=sys.stderr)
    return 1 if tally.faults else 0


if __name__ == "__main__":
    sys.exit(main())
