"""Own what `manus ask`, `explain` and `chat` have in common: the arguments of a request, and where a prompt is."""

from __future__ import annotations

import argparse
import sys
from typing import Any, Final

from manus.cli.output import say

NEEDS: Final = {
    "vision": "requires_vision",
    "tools": "requires_functions",
    "json-schema": "requires_json_schema",
    "reasoning": "requires_reasoning",
}
"""Abilities that can be asked for, and the criterion of each."""

PREFERENCES: Final = ("cheap", "fast", "reliable")


def add_prompt_argument(parser: argparse.ArgumentParser) -> None:
    """Describe where the prompt is."""
    parser.add_argument("prompt", nargs="?", help="the question; left out or '-', it is read from stdin")


def add_request_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments of a request. Which names there are (strategies, entries, models) its check tells."""
    parser.add_argument("--system", metavar="TEXT", help="a system prompt")
    parser.add_argument("--max-tokens", type=int, metavar="N", help="upper bound of the answer")
    parser.add_argument("--temperature", type=float, metavar="X", help="0 is the most predictable")
    parser.add_argument("--timeout", type=float, metavar="S", help="seconds for the whole request")
    parser.add_argument(
        "--label",
        action="append",
        metavar="TAG",
        help="tag it in the books; limits and budgets of the tag hold for it; may be repeated",
    )
    parser.add_argument("--config", metavar="FILE", help="the configuration (see: manus config)")
    routing = parser.add_argument_group("routing")
    routing.add_argument("--provider", metavar="NAME", help="ask this one first")
    routing.add_argument("--model", metavar="NAME", help="ask this model first")
    others = routing.add_mutually_exclusive_group()
    others.add_argument(
        "--fallback", action="append", metavar="NAME", help="whom to ask next: ENTRY or ENTRY/MODEL; may be repeated"
    )
    others.add_argument("--no-fallback", action="store_true", help="ask nobody else if the first choice fails")
    routing.add_argument("--strategy", metavar="NAME", help="priority, cost_aware, latency ... (see: docs/routing.md)")
    routing.add_argument(
        "--needs", action="append", choices=tuple(NEEDS), help="only models that are not known to lack it"
    )
    routing.add_argument("--prefer", action="append", choices=PREFERENCES, help="may be repeated")
    routing.add_argument(
        "--complexity", type=int, metavar="1..10", help="how hard the task is: the cheapest able model"
    )
    routing.add_argument(
        "--max-cost", type=float, metavar="USD", help="only where the request is expected to cost less"
    )
    routing.add_argument("--tag", action="append", metavar="TAG", help="only deployments that bear it; may be repeated")
    routing.add_argument("--priority", choices=("interactive", "batch"), help="batch gives way to interactive")


def request_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Give the options of the request, as `generate` takes them; what was not given is not among them."""
    given = {
        "provider": arguments.provider,
        "model": arguments.model,
        "system_prompt": arguments.system,
        "max_tokens": arguments.max_tokens,
        "temperature": arguments.temperature,
        "timeout_s": arguments.timeout,
        "fallback_providers": [] if arguments.no_fallback else arguments.fallback,
        "routing_strategy": arguments.strategy,
        "priority": arguments.priority,
        "tags": arguments.label,
        "criteria": _criteria(arguments),
    }
    return {name: value for name, value in given.items() if value is not None}


def prompt_of(arguments: argparse.Namespace) -> str | None:
    """Give the prompt, read from stdin where it is not an argument; None, and a word on stderr, where it is no text."""
    prompt: str | None = arguments.prompt
    return _read_prompt() if prompt is None or prompt == "-" else prompt


def _criteria(arguments: argparse.Namespace) -> object:
    given: dict[str, Any] = {NEEDS[need]: True for need in arguments.needs or ()}
    given |= {f"prefer_{preference}": True for preference in arguments.prefer or ()}
    named = {"task_complexity": arguments.complexity, "max_cost_usd": arguments.max_cost, "tags": arguments.tag}
    given |= {name: value for name, value in named.items() if value is not None}
    if not given:
        return None
    from manus.messages.requests import RoutingCriteria

    return RoutingCriteria(**given)


def _read_prompt() -> str | None:
    from manus.prompts import PROMPT_BYTES_MAX

    if sys.stdin is None or sys.stdin.closed:
        say("manus: there is no prompt and no standard input; give the prompt as an argument")
        return None
    if sys.stdin.isatty():
        say("[type the prompt, and end it with Ctrl-D]")
    content = sys.stdin.buffer.read(PROMPT_BYTES_MAX + 1)
    if len(content) > PROMPT_BYTES_MAX:
        say(f"manus: standard input holds more than {PROMPT_BYTES_MAX} bytes; shorten the prompt, or send it in parts")
        return None
    try:
        return content.decode("utf-8").removesuffix("\n")
    except UnicodeDecodeError as error:
        say(f"manus: standard input is not UTF-8 at byte {error.start}; save it in that encoding")
        return None
