"""Own `manus explain`: how a request would be routed now, without making it."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from manus.cli import exits
from manus.cli.output import say, status_of
from manus.cli.request_arguments import add_prompt_argument, add_request_arguments, prompt_of, request_options

if TYPE_CHECKING:
    from manus.messages.limits import BudgetState
    from manus.messages.outcomes import Route


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the arguments."""
    parser = subparsers.add_parser(
        "explain",
        help="tell how a request would be routed, without making it",
        description="Tell whom a request would be asked of, in which order and why, and who is left out. Nothing is "
        "asked of a provider, nothing is booked, and no network is needed.",
        epilog=exits.MEANINGS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_prompt_argument(parser)
    add_request_arguments(parser)
    parser.add_argument("--no-stream", action="store_true", help="plan for an answer in one piece")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Explain, and give the exit status."""
    import trio

    from manus.errors import LLMError

    prompt = prompt_of(arguments)
    if prompt is None:
        return exits.BAD_INPUT
    try:
        route, small, notes = trio.run(_route, arguments, prompt)
    except LLMError as error:
        say(f"manus: {error}")
        if arguments.json:
            print(json.dumps({"error": error.to_dict()}, ensure_ascii=False))
        return status_of(error)
    for note in notes:
        say(f"[{note}]")
    if arguments.json:
        print(json.dumps(route.to_dict() | {"never_fits": [state.source for state in small]}, ensure_ascii=False))
    else:
        from manus.cli.route_view import plan_view

        print("\n".join((*plan_view(route), *(f"does not fit into {_budget(state)}" for state in small))))
    return exits.OK


def _budget(state: BudgetState) -> str:
    from manus.limit_reports import scope_text
    from manus.messages.usage import format_usd

    amount = format_usd(state.amount) if state.unit == "nano_usd" else f"{state.amount:,} tokens"
    return f"{state.source}, {amount} for {scope_text(state.scope)}: name a smaller --max-tokens, or raise the budget"


async def _route(arguments: argparse.Namespace, prompt: str) -> tuple[Route, tuple[BudgetState, ...], tuple[str, ...]]:
    """Plan the request; tell also which budgets the first candidate could never fit into."""
    from manus.opening import open_agent

    # Books in memory: a question must not leave a ledger behind.
    async with open_agent(arguments.config, keep_books=False) as agent:
        streamed = agent.enable_streaming and not arguments.no_stream
        route = await agent.explain(prompt, streamed=streamed, **request_options(arguments))
        small: tuple[BudgetState, ...] = ()
        if route.candidates and route.reservation is not None:
            limits, first = await agent.get_limits(), route.candidates[0].deployment
            small = limits.never_fits(route.reservation, deployment=first, tags=arguments.label or ())
        return route, small, agent.notes
