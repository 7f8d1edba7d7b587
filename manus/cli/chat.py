"""Own `manus chat`: the arguments of a conversation at a terminal or over a pipe, and how it is set up and ended."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Final

from manus.cli import exits
from manus.cli.output import say, status_of
from manus.cli.request_arguments import add_request_arguments

if TYPE_CHECKING:
    from manus.cli.chat_lines import Entries
    from manus.cli.chat_session import ChatSession
    from manus.cli.chat_signals import Signals

_DESCRIPTION: Final = """\
Converse with a model. At a terminal lines can be edited, Ctrl-C ends an answer and not the program, and Ctrl-D ends the
conversation; from a pipe every line is a message. Only answers go to stdout.

A line that ends in a backslash goes on with the next one; \"\"\" begins and ends a message of several lines; what is
pasted is one message. Lines that begin with a slash are commands; /help lists them.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the arguments."""
    parser = subparsers.add_parser(
        "chat",
        help="converse with a model at the terminal",
        description=_DESCRIPTION,
        epilog=exits.MEANINGS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--conversation", metavar="ID", help="go on with this conversation, or begin it")
    add_request_arguments(parser)
    parser.add_argument("-v", "--route", action="store_true", help="tell on stderr how each answer was found")
    parser.add_argument("--json", action="store_true", help="print a JSON object per answer, on a line each")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Converse, and give the exit status."""
    if sys.stdin is None or sys.stdin.closed:
        say("manus: there is no standard input to read messages from")
        return exits.BAD_INPUT
    from manus.cli.chat_signals import Ended

    try:
        return _converse(arguments)
    except Ended as ended:
        return ended.status


def _converse(arguments: argparse.Namespace) -> int:
    from manus.cli.chat_session import ChatSession
    from manus.cli.chat_signals import Signals
    from manus.errors import LLMError
    from manus.hosts.sync_agent import open_sync

    try:
        with open_sync(arguments.config) as agent, Signals(at_prompt=sys.stdin.isatty()) as signals:
            for note in agent.notes:
                say(f"[{note}]")
            session = ChatSession(agent, arguments, signals)
            session.begin()
            status = go_on(session, _entries(session, signals))
            session.part()
            return exits.OK if signals.at_prompt else status
    except LLMError as error:
        say(f"manus: {error}")
        return status_of(error)


def go_on(session: ChatSession, entries: Entries) -> int:
    """Take one entry after the other, to the end; give the status of the first failure."""
    from manus.cli.chat_commands import obey
    from manus.cli.chat_lines import BadEntry

    status = exits.OK
    while not session.ended:
        try:
            entered = entries.next()
        except BadEntry as error:
            say(f"manus: {error}")
            status = status or exits.BAD_INPUT
            continue
        if entered is None:
            break
        came = obey(session, entered.text) if entered.is_command else session.ask(entered.text)
        status = status or came
    return status


def _entries(session: ChatSession, signals: Signals) -> Entries:
    from manus.cli.chat_commands import completions
    from manus.cli.chat_lines import EditedLines, Entries, Lines, PipedLines

    lines: Lines
    if signals.at_prompt and sys.stdout is not None and sys.stdout.isatty():
        lines = EditedLines(lambda begun: completions(session, begun))
        say("[/help lists the commands; Ctrl-C ends an answer, Ctrl-D the conversation]")
    else:
        lines = PipedLines(sys.stdin.buffer, _show_prompt if signals.at_prompt else None)
    return Entries(lines, signals.reading, at_prompt=signals.at_prompt, say=say)


def _show_prompt(prompt: str) -> None:
    print(prompt, end="", file=sys.stderr, flush=True)
