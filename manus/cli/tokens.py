"""Own `manus tokens`: how many tokens a text has, for a model or for none, without asking anybody."""

from __future__ import annotations

import argparse
import json
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from manus.cli import exits
from manus.cli.output import say

if TYPE_CHECKING:
    from collections.abc import Callable

    from manus.actors.estimates.counting import Counted


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the arguments."""
    parser = subparsers.add_parser(
        "tokens",
        help="count the tokens of a text",
        description="Count the tokens of a file or of stdin: exactly where a model's vocabulary is published and the "
        "extra `manus-llm[tokens]` is installed, else by classes of characters. Nothing is asked of a provider and no "
        "configuration is read. With --model, what the vendor puts around one prompt is counted too.",
        epilog=exits.MEANINGS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", nargs="?", default="-", help="a text file; left out or '-', stdin")
    parser.add_argument("--model", metavar="NAME", default="", help="for whom: any vendor's name for a model")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--exact", action="store_true", help="fail where no exact count can be had")
    how.add_argument("--estimate", action="store_true", help="by classes of characters, however exactly it could be")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Count, and give the exit status."""
    try:
        data = sys.stdin.buffer.read() if arguments.file == "-" else Path(arguments.file).read_bytes()
        text = data.decode("utf-8-sig")
    except OSError as error:
        say(f"manus: {arguments.file} cannot be read: {error.strerror}")
        return exits.BAD_INPUT
    except UnicodeDecodeError:
        say("manus: the text is no UTF-8; convert it first")
        return exits.BAD_INPUT
    counted = _of_model(arguments, text) if arguments.model else _of_text(arguments, text)
    if isinstance(counted, str):
        say(f"manus: {counted}")
        return exits.BAD_INPUT
    print(json.dumps(counted, ensure_ascii=False) if arguments.json else _line(counted))
    return exits.OK


def _of_model(arguments: argparse.Namespace, text: str) -> dict[str, Any] | str:
    """Count a text as a prompt of one turn, for a model; or say why that cannot be."""
    import msgspec

    from manus.actors.estimates.bound import bound_usage
    from manus.actors.estimates.counting import count_exactly, roughly
    from manus.actors.estimates.families import family_of
    from manus.actors.estimates.measure import measure
    from manus.actors.estimates.prompt import prompt_tokens
    from manus.messages.content import text_turn
    from manus.messages.ids import RequestId
    from manus.messages.policy import ModelCard
    from manus.messages.requests import ChatRequest

    model: str = arguments.model
    family = family_of(model)
    request = ChatRequest(request_id=RequestId("tokens"), turns=(text_turn("user", text),))
    counted = _exactly(arguments, partial(count_exactly, request, family))
    if isinstance(counted, str):
        return counted
    if arguments.exact and counted is not None and counted.kind != "exact":
        return f"nobody publishes how {model} is counted; leave out --exact for an estimate"
    told = counted or roughly(prompt_tokens(measure(request), family), family)
    bound = bound_usage(request, ModelCard(name=model)).input_total
    return {"model": model, "family": family.name, **msgspec.to_builtins(told), "bound": bound}


def _of_text(arguments: argparse.Namespace, text: str) -> dict[str, Any] | str:
    """Count a text alone, by the vocabulary that most are alike to; or say why that cannot be."""
    import msgspec

    from manus.actors.estimates.counting import count_text, roughly_text
    from manus.actors.estimates.text import bound_tokens

    counted = _exactly(arguments, partial(count_text, text))
    if isinstance(counted, str):
        return counted
    told = counted or roughly_text(text)
    return {"model": None, "family": None, **msgspec.to_builtins(told), "bound": bound_tokens(text)}


def _exactly(arguments: argparse.Namespace, count: Callable[[], Counted | None]) -> Counted | str | None:
    """Count by a vocabulary, where that is wanted and can be had; give what is wrong where it has to be."""
    from manus.actors.estimates.tokenizer import NoTokenizer, is_installed

    if arguments.estimate or not (arguments.exact or is_installed()):
        return None
    try:
        counted = count()
    except NoTokenizer as missing:
        return str(missing)
    return "the text is too long to be counted exactly" if counted is None and arguments.exact else counted


def _line(told: dict[str, Any]) -> str:
    whose = f" for {told['model']}" if told["model"] else ""
    if told["kind"] == "exact":
        how = f"exact, {told['vocabulary']}"
    else:
        by = f"counted by {told['vocabulary']}" if told["vocabulary"] else "by classes of characters"
        how = f"estimated {by}, mostly within {round(100 * told['likely_error'])} %"
    return f"{told['tokens']} tokens{whose} ({how}; at most {told['bound']})"
