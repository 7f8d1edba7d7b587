"""Own `manus embed`: one text per line on stdin, one vector per line on stdout, usage and cost on stderr."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from manus.cli import exits
from manus.cli.output import say, status_of, story_of_failure, write_all

if TYPE_CHECKING:
    from manus.embedding import EmbeddingResponse

INPUT_BYTES_MAX = 64 * 1024 * 1024
"""What is read of stdin: all that one request may hold."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the arguments."""
    parser = subparsers.add_parser(
        "embed",
        help="turn lines of text into vectors",
        description='Turn texts into vectors: a line {"index": 0, "embedding": [...]} for each, in their order.',
        epilog=exits.MEANINGS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("text", nargs="*", help="a text; without any, every line of stdin is one")
    parser.add_argument("--provider", help="ask this one first")
    parser.add_argument("--model", help="ask this model first")
    parser.add_argument("--dimensions", type=int, metavar="N", help="shorten the vectors, where the model can")
    parser.add_argument("--purpose", choices=("document", "query", "classification", "clustering"))
    parser.add_argument("--timeout", type=float, metavar="S", help="seconds for the whole request")
    parser.add_argument("--config", metavar="FILE", help="the configuration (see: manus config)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Embed, and give the exit status."""
    import trio

    texts = arguments.text or _read_lines()
    if texts is None:
        return exits.BAD_INPUT
    return trio.run(_embed, arguments, texts)


async def _embed(arguments: argparse.Namespace, texts: list[str]) -> int:
    import trio

    from manus.errors import LLMError
    from manus.opening import open_agent

    try:
        async with open_agent(arguments.config) as agent:
            response = await agent.embed(
                texts,
                provider=arguments.provider,
                model=arguments.model,
                dimensions=arguments.dimensions,
                purpose=arguments.purpose,
                timeout_s=arguments.timeout,
            )
            for index, vector in enumerate(response.vectors):
                line = json.dumps({"index": index, "embedding": vector.tolist()})
                await trio.to_thread.run_sync(write_all, line + "\n", abandon_on_cancel=True)
            say(_story_of(response))
            return exits.OK
    except LLMError as error:
        say(f"manus: {error}")
        story = story_of_failure(error)
        if story:
            say(story)
        return status_of(error)
    except BrokenPipeError:
        return exits.BROKEN_PIPE


def _story_of(response: EmbeddingResponse) -> str:
    from manus.messages.usage import format_usd

    usage = response.usage
    facts = (
        f"{response.provider}/{response.model}",
        f"{len(response.vectors)} vectors of {response.dimensions} dimensions",
        f"{usage.input_tokens} tokens ({usage.source})",
        f"cost {format_usd(usage.cost_nano_usd)}",
        response.request_id,
    )
    return f"[{' | '.join(facts)}]"


def _read_lines() -> list[str] | None:
    """Read the texts from stdin, empty lines left out; None, and a word on stderr, where there are none."""
    if sys.stdin is None or sys.stdin.closed:
        say("manus: there is no text and no standard input; give texts as arguments")
        return None
    if sys.stdin.isatty():
        say("[type a text per line, and end them with Ctrl-D]")
    content = sys.stdin.buffer.read(INPUT_BYTES_MAX + 1)
    if len(content) > INPUT_BYTES_MAX:
        say(f"manus: standard input holds more than {INPUT_BYTES_MAX} bytes; send it in parts")
        return None
    try:
        lines = content.decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        say(f"manus: standard input is not UTF-8 at byte {error.start}; save it in that encoding")
        return None
    texts = [line.removesuffix("\r") for line in lines if line.strip()]
    if not texts:
        say("manus: standard input holds no text; give one per line")
        return None
    return texts
