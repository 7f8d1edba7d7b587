"""Own the commands of `manus chat`: what begins with a slash is for the program, and what it tells goes to stderr."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from manus.cli import exits
from manus.cli.chat_session import ChatSession, aside
from manus.cli.output import say, status_of, table
from manus.cli.providers import states_table
from manus.cli.usage_table import usage_table
from manus.config.did_you_mean import suggestion
from manus.errors import LLMError
from manus.messages.content import text_of
from manus.reports import UsageLine, UsageReport

if TYPE_CHECKING:
    from manus.conversations import Conversation


_COUNTED: Final = tuple(field.name for field in msgspec.structs.fields(UsageLine) if isinstance(field.default, int))
"""What lines of the books count, which is everything but what they are split by."""


class Refused(Exception):
    """A command was given something that it cannot take; the text tells what, and what to do."""


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """One command: how it is written, what it does, and what does it."""

    takes: str = ""
    does: str
    run: Callable[[ChatSession, str], None]


def obey(session: ChatSession, line: str) -> int:
    """Do what a line without its slash says, and give the exit status that stands for it. Nothing it says is fatal."""
    name, _, rest = line.partition(" ")
    command = COMMANDS.get(ALIASES.get(name, name))
    try:
        if command is None:
            raise Refused(f"there is no command /{name}{suggestion(name, [*COMMANDS, *ALIASES])}; /help lists them")
        if rest.strip() and not command.takes:
            raise Refused(f"/{name} takes nothing")
        command.run(session, rest.strip())
    except Refused as refused:
        say(f"manus: {refused}")
        return exits.BAD_INPUT
    except LLMError as error:
        say(f"manus: {error}")
        return status_of(error)
    return exits.OK


def completions(session: ChatSession, begun: str) -> Sequence[str]:
    """Give what may stand where the user is: commands at the beginning of a line, providers behind /switch."""
    if begun.startswith("/switch "):
        return session.agent.get_available_providers()
    return [f"/{name}" for name in COMMANDS] if begun.startswith("/") and " " not in begun else ()


def _help(session: ChatSession, _: str) -> None:
    rows = [(f"/{name} {command.takes}".rstrip(), command.does) for name, command in COMMANDS.items()]
    rows.append(('"""', "begins and ends a message of several lines; so does a backslash at the end of each"))
    rows.append(("//TEXT", "a message that begins with a slash"))
    say("\n".join(table(rows)))


def _switch(session: ChatSession, rest: str) -> None:
    names = rest.split()
    if not 1 <= len(names) <= 2:
        known = ", ".join(session.agent.get_available_providers())
        raise Refused(f"/switch takes the name of a provider, and of a model if need be; there is {known}")
    session.prefer(names[0], names[1] if len(names) == 2 else None)
    aside(f"[{'/'.join(names)} is asked first from now on]")


def _providers(session: ChatSession, _: str) -> None:
    states = session.agent.get_provider_status()
    asked = session.agent.get_available_providers()
    say(states_table([states[name] for name in (*asked, *(name for name in states if name not in asked))]))


def _usage(session: ChatSession, _: str) -> None:
    if session.conversation_id is None:
        aside("[nothing was answered in this conversation yet]")
        return
    everything = session.agent.get_usage_stats(by=("conversation", "provider", "model"))
    lines = tuple(line for line in everything.lines if line.conversation == session.conversation_id)
    total = UsageLine(**{name: sum(getattr(line, name) for line in lines) for name in _COUNTED})
    say(usage_table(UsageReport(lines=lines, total=total, by=("provider", "model"))))


def _history(session: ChatSession, rest: str) -> None:
    if rest and not (rest.isascii() and rest.isdigit() and int(rest)):
        raise Refused("/history takes how many of the last exchanges to show, 1 or more")
    known = session.known()
    if known is None:
        aside("[nothing was said in this conversation yet]")
        return
    say(_as_text(known, last=int(rest) if rest else None))


def _new(session: ChatSession, rest: str) -> None:
    left = session.conversation_id
    aside("[a new conversation begins]" if not rest else f"[on to {rest}]")
    if left is not None:
        aside(f"[the one before was {left}]")
    session.start_anew(rest or None)


def _system(session: ChatSession, rest: str) -> None:
    if rest:
        session.instruct(rest)
        aside("[goes with the next message]")
        return
    known = session.known()
    told = session.system_to_come or ("\n".join(text_of(turn.parts) for turn in known.system) if known else "")
    aside(told or "[there is no system prompt; /system TEXT gives one]")


def _route(session: ChatSession, _: str) -> None:
    session.tell_route()


def _save(session: ChatSession, rest: str) -> None:
    if not rest:
        raise Refused("/save takes a file: NAME.json for everything about the conversation, another name for its text")
    known = session.known()
    if known is None:
        raise Refused("there is nothing to save yet")
    path = Path(rest).expanduser()
    text = json.dumps(known.to_dict(), ensure_ascii=False, indent=2) if path.suffix == ".json" else _as_text(known)
    try:
        # Nobody else may read it, and nothing is written over.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "w", encoding="utf-8", errors="replace") as file:
            file.write(text + "\n")
    except FileExistsError:
        raise Refused(f"{path} is there already; name another file") from None
    except OSError as error:
        raise Refused(f"{path} cannot be written: {error.strerror}") from None
    aside(f"[saved to {path}]")


def _quit(session: ChatSession, _: str) -> None:
    session.ended = True


def _as_text(known: Conversation, *, last: int | None = None) -> str:
    """Write a conversation as people read it: who said what, and, where exchanges are left out, how many."""
    exchanges = known.exchanges if last is None else known.exchanges[-last:]
    before = len(known.exchanges) - len(exchanges) + known.forgotten
    parts = [f"[system]\n{text_of(turn.parts)}" for turn in known.system]
    if before:
        parts.append(f"[{before} exchanges before]")
    for exchange in exchanges:
        parts += [f"[{turn.role}]\n{text_of(turn.parts)}" for turn in exchange.asked]
        parts.append(f"[{exchange.provider}/{exchange.model}]\n{text_of(exchange.answer.parts)}")
    return "\n\n".join(parts)


COMMANDS: Final[dict[str, Command]] = {
    "help": Command(does="list the commands", run=_help),
    "switch": Command(takes="NAME [MODEL]", does="ask this provider (and model) first from now on", run=_switch),
    "providers": Command(does="who there is, and how they stand", run=_providers),
    "usage": Command(does="what this conversation has used and cost, from the books", run=_usage),
    "route": Command(does="how the last answer was found", run=_route),
    "history": Command(takes="[N]", does="what was said, or the last N exchanges of it", run=_history),
    "system": Command(takes="[TEXT]", does="give the conversation a system prompt, or show its own", run=_system),
    "new": Command(takes="[ID]", does="begin a new conversation, or go on with this one", run=_new),
    "save": Command(takes="FILE", does="write the conversation to a file", run=_save),
    "quit": Command(does="end; so do Ctrl-D, and Ctrl-C twice", run=_quit),
}

ALIASES: Final = {
    "exit": "quit",
    "q": "quit",
    "bye": "quit",
    "clear": "new",
    "?": "help",
    "h": "help",
}
