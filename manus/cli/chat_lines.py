"""Own what a user of `manus chat` enters: lines edited at a terminal or read from a pipe, put together to messages.

A line that ends in a backslash goes on with the next one; what stands between lines of three quotes is one message. A
line that begins with a slash is a command; two slashes stand for a message that begins with one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import BinaryIO, Final, Protocol, final

import msgspec

from manus.prompts import PROMPT_BYTES_MAX

PROMPT: Final = "> "
MORE: Final = ". "
QUOTES: Final = '"""'
CTRL_C_ENDS: Final = 2
"""So many Ctrl-C at an empty prompt, one after the other, end the program."""


class Entered(msgspec.Struct, frozen=True):
    """What was entered: a message to be asked, or a command without its slash."""

    text: str
    is_command: bool = False


class BadEntry(Exception):
    """What was entered cannot be used; the next entry can."""


class Lines(Protocol):
    """Where lines come from."""

    def line(self, prompt: str) -> str:
        """Give the next line without its end.

        Raises:
            EOFError: there is none any more.
            BadEntry: the line cannot be used.
            KeyboardInterrupt: Ctrl-C.
        """
        ...

    def unsent(self) -> str:
        """Tell what stood in the line that Ctrl-C has just broken off."""
        ...


@final
class PipedLines:
    """Lines of a file or pipe, or of a terminal whose output goes elsewhere; prompts are not shown in a pipe."""

    def __init__(self, stdin: BinaryIO, say_prompt: Callable[[str], object] | None = None) -> None:
        self._stdin = stdin
        self._say_prompt = say_prompt
        self._number = 0

    def line(self, prompt: str) -> str:
        """Give the next line; one that is too long or no UTF-8 is read to its end."""
        if self._say_prompt is not None:
            self._say_prompt(prompt)
        content = self._stdin.readline(PROMPT_BYTES_MAX + 1)
        if not content:
            raise EOFError
        self._number += 1
        if len(content) > PROMPT_BYTES_MAX:
            while content and not content.endswith(b"\n"):
                content = self._stdin.readline(PROMPT_BYTES_MAX)
            raise BadEntry(f"line {self._number}: holds more than {PROMPT_BYTES_MAX} bytes; shorten it")
        try:
            return content.decode("utf-8").removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError as error:
            raise BadEntry(f"line {self._number}: is not UTF-8 at byte {error.start}") from None

    def unsent(self) -> str:
        """Nobody knows: it is the terminal that holds it."""
        return ""


@final
class EditedLines:
    """Lines edited at a terminal, with those entered before at the arrow keys, and names completed by the tabulator."""

    def __init__(self, completions: Callable[[str], Sequence[str]]) -> None:
        self._completions = completions
        self._found: list[str] = []
        self._line_buffer: Callable[[], str] = str
        try:
            import readline
        except ImportError:  # a Python built without it still reads lines, as the terminal gives them
            return
        self._line_buffer = readline.get_line_buffer
        readline.set_completer_delims(" ")
        readline.set_completer(self._complete)
        readline.parse_and_bind("tab: complete")

    def line(self, prompt: str) -> str:
        """Let the user edit a line."""
        return input(prompt)

    def unsent(self) -> str:
        """Tell what stood in the line that Ctrl-C has just broken off."""
        return self._line_buffer()

    def _complete(self, word: str, state: int) -> str | None:
        if state == 0:
            begun = self._line_buffer()
            self._found = [f"{name} " for name in self._completions(begun) if name.startswith(word)]
        return self._found[state] if state < len(self._found) else None


@final
class Entries:
    """Puts lines together to what is asked, one entry after the other.

    Args:
        lines: where they come from.
        reading: surrounds the reading of a line: what lets signals raise there.
        at_prompt: whether Ctrl-C breaks off what is being entered, and nothing else, as at a prompt.
        say: writes a line for people.
    """

    def __init__(
        self,
        lines: Lines,
        reading: Callable[[], AbstractContextManager[None]],
        *,
        at_prompt: bool,
        say: Callable[[str], None],
    ) -> None:
        self._lines = lines
        self._reading = reading
        self._at_prompt = at_prompt
        self._say = say
        self._gathering = False

    def next(self) -> Entered | None:
        """Give the next entry that is not empty; None at the end of input, or after Ctrl-C twice at an empty prompt.

        Raises:
            BadEntry: what was entered cannot be used; it has been read to its end.
            KeyboardInterrupt: Ctrl-C, where nobody sits at a prompt.
        """
        in_a_row = 0
        while in_a_row < CTRL_C_ENDS:
            try:
                self._gathering = False
                entered = self._entry()
                if entered.text:
                    return entered
                in_a_row = 0
            except EOFError:
                if self._at_prompt:
                    self._say("")  # the shell's prompt shall not stand behind ours
                return None
            except KeyboardInterrupt as stop:
                if not self._at_prompt or type(stop) is not KeyboardInterrupt:
                    raise
                in_a_row = 0 if self._gathering or self._lines.unsent() else in_a_row + 1
                self._say("\n[Ctrl-C once more, Ctrl-D or /quit ends the conversation]" if in_a_row == 1 else "")
        return None

    def _line(self, prompt: str) -> str:
        with self._reading():
            return self._lines.line(prompt)

    def _entry(self) -> Entered:
        first = self._line(PROMPT)
        if first.startswith(QUOTES):
            return Entered(self._block(first.removeprefix(QUOTES)))
        if first.startswith("/") and not first.startswith("//"):
            return Entered(first[1:].strip() or "help", is_command=True)
        if first.startswith("//"):
            first = first[1:]
        if not first.endswith("\\"):
            return Entered(first.strip())
        return Entered(self._gathered(first, ends=_ends_without_backslash, of=_without_backslash).strip())

    def _block(self, first: str) -> str:
        return self._gathered(first, ends=_ends_in_quotes, of=_without_quotes).strip("\n")

    def _gathered(self, first: str, *, ends: Callable[[str], bool], of: Callable[[str], str]) -> str:
        """Read lines until one ends the entry, or input ends; a bad one spoils this entry, and not the next one."""
        self._gathering = True
        held = [of(first)]
        size = len(held[0])
        line = first
        bad: BadEntry | None = None
        while not ends(line):
            try:
                line = self._line(MORE)
            except EOFError:
                break
            except BadEntry as error:
                bad, line = error, ""
                continue
            size += len(line) + 1
            if size > PROMPT_BYTES_MAX:
                bad = BadEntry(f"a message of several lines holds more than {PROMPT_BYTES_MAX} bytes; shorten it")
                held.clear()
            else:
                held.append(of(line))
        if bad is not None:
            raise bad
        return "\n".join(held)


def _ends_without_backslash(line: str) -> bool:
    return not line.endswith("\\")


def _without_backslash(line: str) -> str:
    return line.removesuffix("\\")


def _ends_in_quotes(line: str) -> bool:
    return line.rstrip().endswith(QUOTES)


def _without_quotes(line: str) -> str:
    return line.rstrip().removesuffix(QUOTES) if _ends_in_quotes(line) else line
