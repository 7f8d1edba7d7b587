"""Own `python -m tests.scenarios`: every scenario at full length, as users meet it, and a table of what came.

Each has providers and a program of its own, all of them processes; several are under way at once, for most of them do
nothing but wait. `seen` is how many requests the primary and the fallback saw. The exit status is 1 if one promise was
broken.
"""

from __future__ import annotations

import argparse
import sys

import trio

from tests.scenarios.full_length import HEADING, SLACK_S, Verdict, Way, line_of, prove, ways_of
from tests.scenarios.table import SCENARIOS, named
from tests.scenarios.vocabulary import Scenario

AT_ONCE = 4
"""How many scenarios are under way at once."""


async def prove_all(scenarios: tuple[Scenario, ...], slack_s: float) -> list[Verdict]:
    """Play them, several at once, and print each as it ends."""
    verdicts: list[Verdict] = []
    places = trio.CapacityLimiter(AT_ONCE)

    async def run(scenario: Scenario, way: Way) -> None:
        async with places:
            verdict = await prove(scenario, way, slack_s=slack_s)
        verdicts.append(verdict)
        print(line_of(verdict), flush=True)

    print(HEADING, flush=True)
    async with trio.open_nursery(strict_exception_groups=True) as nursery:
        for scenario in scenarios:
            for way in ways_of(scenario):
                nursery.start_soon(run, scenario, way)
    return verdicts


def main() -> int:
    """Play those that are named, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.scenarios", description=__doc__)
    parser.add_argument("names", nargs="*", help="scenarios, by name (default: all)")
    parser.add_argument(
        "--slack-s",
        type=float,
        default=SLACK_S,
        metavar="S",
        help=f"how much longer than its own times a request may take (default: {SLACK_S:g}); more on a busy machine",
    )
    parser.add_argument("--list", action="store_true", help="say what there is, and end")
    options = parser.parse_args()
    if options.list:
        for scenario in SCENARIOS:
            print(f"{scenario.name:<28}{scenario.says}")
        return 0
    verdicts = trio.run(prove_all, tuple(map(named, options.names)) or SCENARIOS, options.slack_s)
    broken = [verdict for verdict in verdicts if verdict.wrong]
    print(f"\n{len(verdicts) - len(broken)} of {len(verdicts)} promises kept")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
