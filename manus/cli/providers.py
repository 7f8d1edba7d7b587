"""Own `manus providers`: who is configured, in which order they are asked, and how they stand."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from manus.cli import exits
from manus.cli.output import say, table

if TYPE_CHECKING:
    from manus.reports import ProviderState


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the arguments."""
    parser = subparsers.add_parser("providers", help="list the configured providers and how they stand")
    parser.add_argument("--config", metavar="FILE", help="the configuration (see: manus config)")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """List them; nothing is asked of a provider."""
    import trio

    from manus.errors import ConfigurationError, LLMError

    try:
        states, notes = trio.run(_states, arguments.config)
    except ConfigurationError as error:
        say(f"manus: {error}")
        return exits.BAD_INPUT
    except LLMError as error:
        say(f"manus: {error}")
        return exits.FAILED
    for note in notes:
        say(f"[{note}]")
    if arguments.json:
        print(json.dumps({"providers": [state.to_dict() for state in states]}))
    else:
        print(states_table(states))
    return exits.OK


async def _states(path: str | None) -> tuple[list[ProviderState], tuple[str, ...]]:
    from manus.opening import open_agent

    # Books in memory: listing providers must not leave a ledger behind.
    async with open_agent(path, keep_books=False) as agent:
        states = await agent.get_provider_status()
        asked = agent.get_available_providers()
        disabled = [name for name in states if name not in asked]
        return [states[name] for name in (*asked, *disabled)], agent.notes


def states_table(states: Sequence[ProviderState]) -> str:
    """Lay out how providers stand, and below it the deployments that rest: why, and when they are asked again."""
    rows = [("PROVIDER", "TYPE", "PRIORITY", "STATE", "MODELS")]
    for state in states:
        models = ", ".join(state.models) or "any"
        rows.append((state.name, state.type, str(state.priority), state.state, models))
    resting = [each for state in states for each in state.deployments if each.resting is not None]
    rests = [(each.deployment, f"{each.ready_in_s or 0.0:.0f} s", each.resting or "") for each in resting]
    below = ["", *table([("RESTS", "FOR", "WHY"), *rests])] if rests else []
    return "\n".join([*table(rows), *below])
