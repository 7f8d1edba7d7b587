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
from manus.cli.output import say, status_of, story_of, story_of_failure, write_all
from manus.cli.request_arguments import add_prompt_argument, add_request_arguments, prompt_of, request_options

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import trio

    from manus.agent import LLMAgent
    from manus.errors import LLMError
    from manus.messages.outcomes import Route
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
    add_prompt_argument(parser)
    add_request_arguments(parser)
    parser.add_argument("--no-stream", action="store_true", help="ask for the answer in one piece")
    parser.add_argument(
        "--on-interrupt",
        choices=("auto", "restart", "error"),
        help="a stream that breaks off is taken up where it was (auto), begun anew after a word on stderr (restart), "
        "or ends in failure (error)",
    )
    parser.add_argument("-v", "--route", action="store_true", help="tell on stderr how the answer was found")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the text")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Ask, and give the exit status."""
    import trio

    prompt = prompt_of(arguments)
    return exits.BAD_INPUT if prompt is None else trio.run(Ask(arguments, prompt).run)


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
        from manus.errors import LLMError
        from manus.opening import open_agent

        try:
            try:
                async with open_agent(self._arguments.config) as agent:
                    for note in agent.notes:
                        say(f"[{note}]")
                    try:
                        return await self._ask(agent)
                    except BrokenPipeError:
                        # A reader who leaves is no reason to end in a hurry: a call may have to be read to its end.
                        return exits.BROKEN_PIPE
            except LLMError as error:
                self._tell(error)
                return status_of(error)
        except BrokenPipeError:
            return exits.BROKEN_PIPE

    async def _ask(self, agent: LLMAgent) -> int:
        async with agent.begin(self._prompt, streamed=self._streams(agent), **self._options()) as stream:
            response = await self._read(stream)
        if self._arguments.json:
            await self._write(json.dumps(response.to_dict(), ensure_ascii=False) + "\n")
        if self._arguments.route:
            self._tell_route(response.route)
        say(story_of(response, with_attempts=not self._arguments.route))
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
                elif chunk.kind == "reset" and not self._arguments.json:
                    await self._write("\n" if last not in ("", "\n") else "")
                    say(f"[the answer begins anew: {chunk.text}]")
                    last = ""
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
        given = request_options(self._arguments)
        if self._arguments.on_interrupt is not None:
            given["on_interrupt"] = self._arguments.on_interrupt
        return given

    def _tell_route(self, route: Route) -> None:
        from manus.cli.route_view import story_of_route

        for line in story_of_route(route):
            say(line)

    def _tell(self, error: LLMError) -> None:
        say(f"manus: {error}")
        if self._arguments.route:
            self._tell_route(error.route)
        story = story_of_failure(error, with_attempts=not self._arguments.route)
        if story:
            say(story)
        if self._arguments.json:
            write_all(json.dumps({"error": error.to_dict()}, ensure_ascii=False) + "\n")
