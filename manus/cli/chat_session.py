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
from manus.cli.chat_signals import Answering, Signals
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

LOOK_S: Final = 0.1
"""How often somebody who waits for the reader of the answer looks whether it is still wanted."""


@final
class ChatSession:
    """A conversation in progress.

    Args:
        agent: whom it asks.
        arguments: those of the command line.
        signals: what cancels its answers.
    """

    def __init__(self, agent: SyncAgent, arguments: argparse.Namespace, signals: Signals) -> None:
        self.agent = agent
        self.conversation_id: str | None = arguments.conversation
        self.last_route: Route | None = None
        self.ended = False
        self._signals = signals
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
        """Show chunks until the end, or until a signal has the answer cancelled.

        Raises:
            LLMError: the request failed.
        """
        with self._signals.answering(stream) as answering, Patience(at_prompt=self._signals.at_prompt) as patience:
            shown = Shown(answering, silent=self._as_json)
            try:
                for chunk in stream:
                    patience.end()
                    if answering.cancelled:
                        break
                    shown.take(chunk)
                response = answering.response()
                if response.finish_reason != "cancelled":
                    shown.rest(response)
            finally:
                shown.end_line()
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

    def __init__(self, answering: Answering, *, silent: bool) -> None:
        self._answering = answering
        self._silent = silent
        self._chars = 0
        self._last = "\n"

    def take(self, chunk: StreamChunk) -> None:
        """Show what a chunk adds."""
        if self._silent:
            return
        if chunk.delta:
            self._write(chunk.delta)
            self._chars += len(chunk.delta)
        elif chunk.kind == "reset":
            self.end_line()
            self._chars = 0
            say(f"[the answer begins anew: {chunk.text}]")

    def rest(self, response: LLMResponse) -> None:
        """Show what no chunk has shown: an answer in one piece has none."""
        if not self._silent:
            self._write(response.content[self._chars :])

    def end_line(self) -> None:
        """See to it that whatever follows begins on a line of its own."""
        if self._last != "\n":
            self._write("\n")

    def _write(self, text: str) -> None:
        """Write piece by piece, none of which has to wait; a reader who keeps us waiting pauses the stream.

        Once the answer is cancelled, nobody waits for a reader who does not read.
        """
        for start in range(0, len(text), AT_ONCE_CHARS):
            if not _takes_at_once(0.0):
                self._answering.stream.pause()
                while not _takes_at_once(LOOK_S):
                    if self._answering.cancelled:
                        return
                self._answering.stream.resume()
            write_all(text[start : start + AT_ONCE_CHARS])
            self._last = text[start : start + AT_ONCE_CHARS][-1]


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
        self.end()

    def end(self) -> None:
        """Say nothing more: the answer has begun, or will not."""
        if self._timer is not None:
            self._timer.cancel()


def aside(text: str) -> None:
    """Write lines for people that are no part of the conversation, dimmed where the terminal can."""
    say(f"\x1b[2m{text}\x1b[0m" if sys.stderr is not None and wants_colours(sys.stderr) else text)


def _takes_at_once(wait_s: float) -> bool:
    """Whether stdout takes a little text without waiting, or comes to do so soon."""
    return bool(select.select([], [STDOUT_FD], [], wait_s)[1])
