"""Own one conversation of `manus chat`: it asks, shows the answer as it comes, and tells what that cost."""

from __future__ import annotations

import argparse
import json
import select
import shlex
import sys
import threading
from typing import TYPE_CHECKING, Any, Final, final

from manus.cli import exits
from manus.cli.output import STDOUT_FD, say, status_of, story_of, story_of_failure, write_all
from manus.cli.request_arguments import request_options
from manus.cli.route_view import story_of_route
from manus.demo.screen import wants_colours
from manus.errors import ConversationNotFoundError, LLMError

if TYPE_CHECKING:
    from manus.conversations import Conversation
    from manus.hosts.sync_agent import SyncAgent
    from manus.hosts.sync_stream import SyncStream
    from manus.messages.outcomes import Route
    from manus.responses import LLMResponse, StreamChunk

PATIENCE_S: Final = 1.5
"""How long people at a prompt see nothing before they are told that something is under way."""

AT_ONCE_CHARS: Final = select.PIPE_BUF // 4
"""So much text goes into a pipe that is ready without waiting for its reader."""


@final
class ChatSession:
    """A conversation in progress. For the main thread, which is where signals interrupt it.

    Args:
        agent: whom it asks.
        arguments: those of the command line.
        at_prompt: whether people enter the messages, so that a failure or Ctrl-C is not the end.
    """

    def __init__(self, agent: SyncAgent, arguments: argparse.Namespace, *, at_prompt: bool) -> None:
        self.agent = agent
        self.conversation_id: str | None = arguments.conversation
        self.last_route: Route | None = None
        self.ended = False
        self._at_prompt = at_prompt
        self._as_json: bool = arguments.json
        self._tells_route: bool = arguments.route
        self._options = request_options(arguments)
        self._system: str | None = self._options.pop("system_prompt", None)
        # Goes with messages until one is answered: what stands in the conversation from then on need not be repeated.
        self.system_to_come = self._system

    def begin(self) -> None:
        """Tell how far the conversation is that is gone on with."""
        if self.conversation_id is None:
            return
        known = self.known()
        if known is None:
            aside(f"[the conversation {self.conversation_id} begins]")
        else:
            aside(f"[the conversation {self.conversation_id} goes on after {len(known.exchanges)} exchanges]")

    def part(self) -> None:
        """Tell how to go on another time, where the conversation outlives the program."""
        known = self.known()
        if known is not None and known.on_disk:
            aside(f"[to go on: manus chat --conversation {shlex.quote(known.id)}]")

    def known(self) -> Conversation | None:
        """Give the conversation as it is now; None where nothing was answered in it yet.

        Raises:
            LLMError: it could not be asked for.
        """
        if self.conversation_id is None:
            return None
        try:
            return self.agent.get_conversation(self.conversation_id)
        except ConversationNotFoundError:
            return None

    def start_anew(self, conversation_id: str | None) -> None:
        """Leave the conversation as it is, and go on with this one, or let the next message begin another."""
        self.conversation_id = conversation_id
        self.system_to_come = self._system if conversation_id is None else None
        self.begin()

    def instruct(self, system: str) -> None:
        """Give this conversation, and those begun later, a system prompt."""
        self._system = self.system_to_come = system

    def prefer(self, provider: str, model: str | None) -> None:
        """Ask this provider first from now on.

        Raises:
            LLMError: there is no such provider or model.
        """
        self.agent.switch_provider(provider, model)
        for name in ("provider", "model"):
            self._options.pop(name, None)

    def ask(self, text: str) -> int:
        """Ask, show the answer, and give the exit status that stands for what came of it.

        Raises:
            KeyboardInterrupt: the answer was broken off, and nobody sits at a prompt to go on.
            BrokenPipeError: nobody reads the answers any more.
        """
        options: dict[str, Any] = dict(self._options)
        if self.system_to_come is not None:
            options["system_prompt"] = self.system_to_come
        try:
            streamed = self.agent.enable_streaming
            with self.agent.begin_chat(text, self.conversation_id, streamed=streamed, **options) as stream:
                response = self._read(stream)
        except LLMError as error:
            self._tell_failure(error)
            return status_of(error)
        self._tell(response)
        return exits.OK

    def _read(self, stream: SyncStream) -> LLMResponse:
        """Show chunks until the end or Ctrl-C. A second Ctrl-C does not even wait for the books.

        Raises:
            LLMError: the request failed.
        """
        shown = Shown(stream, silent=self._as_json)
        try:
            with Patience(at_prompt=self._at_prompt) as patience:
                for chunk in stream:
                    patience.is_over()
                    shown.take(chunk)
            response = stream.response()
            shown.whole(response)
        except KeyboardInterrupt as stop:
            response = stream.cancel()
            shown.broken_off()
            if not self._at_prompt or type(stop) is not KeyboardInterrupt:
                self._tell(response)
                raise
        except LLMError:
            shown.broken_off()
            raise
        return response

    def _tell(self, response: LLMResponse) -> None:
        if response.finish_reason == "cancelled":
            aside("[broken off; the conversation is as it was before this message]")
        else:
            self.conversation_id = response.conversation_id
            self.system_to_come = None
        self.last_route = response.route
        if self._as_json:
            write_all(json.dumps(response.to_dict(), ensure_ascii=False) + "\n")
        if self._tells_route:
            self.tell_route()
        aside(story_of(response, with_attempts=not self._tells_route))

    def _tell_failure(self, error: LLMError) -> None:
        self.last_route = error.route
        say(f"manus: {error}")
        if self._tells_route:
            self.tell_route()
        story = story_of_failure(error, with_attempts=not self._tells_route)
        if story:
            aside(story)
        if self._as_json:
            write_all(json.dumps({"error": error.to_dict()}, ensure_ascii=False) + "\n")

    def tell_route(self) -> None:
        """Tell how the last answer was found."""
        if self.last_route is None:
            say("[nothing was asked yet]")
            return
        aside("\n".join(story_of_route(self.last_route)))


@final
class Shown:
    """What of an answer is on stdout."""

    def __init__(self, stream: SyncStream, *, silent: bool) -> None:
        self._stream = stream
        self._silent = silent
        self._last = "\n"
        self._any = False

    def take(self, chunk: StreamChunk) -> None:
        """Show what a chunk adds."""
        if self._silent:
            return
        if chunk.delta:
            self._write(chunk.delta)
        elif chunk.kind == "reset":
            self._end_line()
            say(f"[the answer begins anew: {chunk.text}]")

    def whole(self, response: LLMResponse) -> None:
        """Show what no chunk showed: an answer in one piece has none."""
        if not self._silent:
            if not self._any:
                self._write(response.content)
            self._end_line()

    def broken_off(self) -> None:
        """End the line, unless that had to wait for a reader who does not read."""
        if self._any and _takes_at_once():
            self._end_line()

    def _end_line(self) -> None:
        if self._last != "\n":
            self._write("\n")

    def _write(self, text: str) -> None:
        """Write; while the reader keeps us waiting, the stream must not count as abandoned."""
        takes_time = len(text) > AT_ONCE_CHARS or not _takes_at_once()
        if takes_time:
            self._stream.pause()
        write_all(text)
        if takes_time:
            self._stream.resume()
        self._any = True
        self._last = text[-1:] or self._last


@final
class Patience:
    """Tells people at a terminal, once, that an answer takes long to begin."""

    def __init__(self, *, at_prompt: bool) -> None:
        self._timer: threading.Timer | None = None
        if at_prompt and sys.stderr is not None and sys.stderr.isatty():
            self._timer = threading.Timer(PATIENCE_S, say, ["[waiting for the answer to begin; Ctrl-C ends it]"])
            self._timer.daemon = True

    def __enter__(self) -> Patience:
        if self._timer is not None:
            self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.is_over()

    def is_over(self) -> None:
        """The answer has begun, or will not."""
        if self._timer is not None:
            self._timer.cancel()


def aside(text: str) -> None:
    """Write lines for people that are no part of the conversation, dimmed where the terminal can."""
    say(f"\x1b[2m{text}\x1b[0m" if sys.stderr is not None and wants_colours(sys.stderr) else text)


def _takes_at_once() -> bool:
    """Whether stdout takes a little text without waiting."""
    return bool(select.select([], [STDOUT_FD], [], 0)[1])
