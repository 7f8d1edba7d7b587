"""Own `manus ask`: one prompt, its answer on stdout as it comes, route, usage and cost on stderr.

Ctrl-C ends the request, not the program: what had come stays, and what it cost is still printed.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import sys
from typing import TYPE_CHECKING, Any, final

from manus.cli import exits
from manus.cli.output import say, story_of, story_of_failure, write_all

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import trio

    from manus.agent import LLMAgent
    from manus.errors import LLMError
    from manus.responses import LLMResponse
    from manus.streams import LLMStream

LAST_WRITE_S = 0.2
"""How long the last write may take after a signal."""

PATIENCE_S = 1.5
"""How long people at a terminal see nothing before they are told that something is under way."""

EXIT_OF_SIGNAL = {signal.SIGINT: exits.INTERRUPTED, signal.SIGTERM: exits.TERMINATED}


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the arguments."""
    parser = subparsers.add_parser(
        "ask",
        help="ask a question, and read the answer as it comes",
        description="Ask, and read the answer as it comes. Only the answer goes to stdout.",
        epilog=exits.MEANINGS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("prompt", nargs="?", help="the question; left out or '-', it is read from stdin")
    parser.add_argument("--provider", help="ask this one first")
    parser.add_argument("--model", help="ask this model first")
    parser.add_argument("--system", metavar="TEXT", help="a system prompt")
    parser.add_argument("--max-tokens", type=int, metavar="N", help="upper bound of the answer")
    parser.add_argument("--temperature", type=float, metavar="X", help="0 is the most predictable")
    parser.add_argument("--timeout", type=float, metavar="S", help="seconds for the whole request")
    parser.add_argument("--config", metavar="FILE", help="the configuration (see: manus config)")
    parser.add_argument("--no-stream", action="store_true", help="ask for the answer in one piece")
    parser.add_argument("--no-fallback", action="store_true", help="ask nobody else if the first choice fails")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the text")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Ask, and give the exit status."""
    import trio

    prompt = arguments.prompt
    if prompt is None or prompt == "-":
        prompt = _read_prompt()
        if prompt is None:
            return exits.BAD_INPUT
    return trio.run(Ask(arguments, prompt).run)


@final
class Ask:
    """One question from its start to the exit status."""

    def __init__(self, arguments: argparse.Namespace, prompt: str) -> None:
        import trio

        self._arguments = arguments
        self._prompt = prompt
        self._signal: signal.Signals | None = None
        self._reading: trio.CancelScope | None = None
        self._begun = trio.Event()

    async def run(self) -> int:
        """Ask under the eye of the signals; nothing but the reading is cancelled by the first of them."""
        import trio

        status = exits.FAILED
        with trio.open_signal_receiver(*EXIT_OF_SIGNAL) as signals:
            async with trio.open_nursery(strict_exception_groups=True) as nursery:
                nursery.start_soon(self._watch, signals, nursery.cancel_scope)
                if sys.stderr.isatty():
                    nursery.start_soon(self._say_that_it_waits)
                status = await self._with_agent()
                nursery.cancel_scope.cancel(reason="done")
        return status if self._signal is None else EXIT_OF_SIGNAL[self._signal]

    async def _watch(self, signals: AsyncIterator[int], whole: trio.CancelScope) -> None:
        async for number in signals:
            if self._signal is not None:
                os._exit(EXIT_OF_SIGNAL[self._signal])  # a second signal is immediate; the ledger survives it
            self._signal = signal.Signals(number)
            (self._reading or whole).cancel(reason="signal")

    async def _say_that_it_waits(self) -> None:
        import trio

        with trio.move_on_after(PATIENCE_S):
            await self._begun.wait()
            return
        say("[waiting for the answer to begin; Ctrl-C ends it]")

    async def _with_agent(self) -> int:
        from manus.agent import open_agent
        from manus.errors import ConfigurationError, InvalidRequestError, LLMError

        try:
            try:
                async with open_agent(self._arguments.config) as agent:
                    for note in agent.notes:
                        say(f"[{note}]")
                    return await self._ask(agent)
            except LLMError as error:
                self._tell(error)
                is_input = isinstance(error, ConfigurationError | InvalidRequestError)
                return exits.BAD_INPUT if is_input else exits.FAILED
        except BrokenPipeError:
            return exits.BROKEN_PIPE

    async def _ask(self, agent: LLMAgent) -> int:
        async with agent.begin(self._prompt, streamed=self._streams(agent), **self._options()) as stream:
            response = await self._read(stream)
        if self._arguments.json:
            await self._write(json.dumps(response.to_dict(), ensure_ascii=False) + "\n")
        say(story_of(response))
        return exits.OK

    async def _read(self, stream: LLMStream) -> LLMResponse:
        """Print chunks until the end, or until a signal; either way the response says what was used."""
        import trio

        last = ""
        with trio.CancelScope() as self._reading:
            async for chunk in stream:
                self._begun.set()
                if chunk.delta and not self._arguments.json:
                    # While the terminal or pipe takes its time, the stream must not count as abandoned.
                    stream.pause()
                    await self._write(chunk.delta)
                    stream.resume()
                    last = chunk.delta[-1]
        self._begun.set()
        self._reading = None
        response = await stream.cancel()
        if not self._arguments.json:
            rest = "" if last else response.content  # an answer in one piece makes no chunks
            last = rest[-1:] or last
            rest += "" if last in ("", "\n") else "\n"
            # After a signal nobody waits for a reader that does not read.
            with trio.move_on_after(math.inf if self._signal is None else LAST_WRITE_S):
                await self._write(rest)
        return response

    async def _write(self, text: str) -> None:
        import trio

        await trio.to_thread.run_sync(write_all, text, abandon_on_cancel=True)

    def _streams(self, agent: LLMAgent) -> bool:
        return agent.enable_streaming and not self._arguments.no_stream

    def _options(self) -> dict[str, Any]:
        arguments = self._arguments
        given = {
            "provider": arguments.provider,
            "model": arguments.model,
            "system_prompt": arguments.system,
            "max_tokens": arguments.max_tokens,
            "temperature": arguments.temperature,
            "timeout_s": arguments.timeout,
            "fallback_providers": [] if arguments.no_fallback else None,
        }
        return {name: value for name, value in given.items() if value is not None}

    def _tell(self, error: LLMError) -> None:
        say(f"manus: {error}")
        story = story_of_failure(error)
        if story:
            say(story)
        if self._arguments.json:
            write_all(json.dumps({"error": error.to_dict()}, ensure_ascii=False) + "\n")


def _read_prompt() -> str | None:
    """Read the prompt from stdin, as far as a prompt may go; None, and a word on stderr, where it is no text."""
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
