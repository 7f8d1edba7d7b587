"""What is entered in `manus chat`: lines of a pipe become messages and commands, and a bad one spoils itself alone."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import nullcontext

import pytest

from manus.cli.chat_lines import BadEntry, Entered, Entries, PipedLines
from manus.prompts import PROMPT_BYTES_MAX


class Typed:
    """A user at a prompt: each entry is a line, or what Ctrl-C does while the given text stands in the line."""

    def __init__(self, *entries: str | KeyboardInterrupt) -> None:
        self._entries = list(entries)
        self._unsent = ""

    def line(self, prompt: str) -> str:
        if not self._entries:
            raise EOFError
        entry = self._entries.pop(0)
        if isinstance(entry, KeyboardInterrupt):
            self._unsent = str(entry)
            raise entry
        return entry

    def unsent(self) -> str:
        return self._unsent


def ctrl_c(unsent: str = "") -> KeyboardInterrupt:
    return KeyboardInterrupt(unsent)


def all_of(content: bytes) -> list[Entered | str]:
    """Read everything; a bad entry stands in it as its text."""
    entries = Entries(PipedLines(io.BytesIO(content)), nullcontext, at_prompt=False, say=said_nothing)
    found: list[Entered | str] = []
    while True:
        try:
            entered = entries.next()
        except BadEntry as error:
            found.append(str(error))
            continue
        if entered is None:
            return found
        found.append(entered)


def said_nothing(text: str) -> None:
    raise AssertionError(f"said {text!r}")


@pytest.mark.parametrize(
    ("content", "messages"),
    [
        (b"", []),
        (b"\n \n\t\n", []),
        (b"one\ntwo\n", ["one", "two"]),
        (b"no line end", ["no line end"]),
        (b"from another system\r\nstill\r\n", ["from another system", "still"]),
        (b"one \\\ntwo\\\nthree\nfour\n", ["one \ntwo\nthree", "four"]),
        (b"goes on\\\n", ["goes on"]),
        (b'"""\nfirst\n\n  second\n"""\nthen\n', ["first\n\n  second", "then"]),
        (b'"""first\nsecond"""\nthen\n', ["first\nsecond", "then"]),
        (b'"""all on one line"""\nthen\n', ["all on one line", "then"]),
        (b'""""""\nthen\n', ["then"]),
        (b'"""\nnever closed\n', ["never closed"]),
        (b'"""\n/quit\n"""\n', ["/quit"]),
        (b"//etc is a directory\n", ["/etc is a directory"]),
        ("Grüße, 世界\n".encode(), ["Grüße, 世界"]),
    ],
)
def test_lines_become_messages(content: bytes, messages: list[str]) -> None:
    assert all_of(content) == [Entered(text) for text in messages]


@pytest.mark.parametrize(("line", "command"), [(b"/quit", "quit"), (b"/switch a b ", "switch a b"), (b"/", "help")])
def test_a_line_with_a_slash_is_a_command(line: bytes, command: str) -> None:
    assert all_of(line + b"\nnext\n") == [Entered(command, is_command=True), Entered("next")]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (b"ok \xff no\n", "line 2: is not UTF-8 at byte 3"),
        (b"x" * (2 * PROMPT_BYTES_MAX + 10) + b"\n", f"line 2: holds more than {PROMPT_BYTES_MAX} bytes"),
        (b'"""\nok\n\xff\nok\n"""\n', "line 4: is not UTF-8 at byte 0"),
        (b"goes on\\\n\xff\n", "line 3: is not UTF-8 at byte 0"),
        (
            b'"""\n' + 3 * (b"x" * (PROMPT_BYTES_MAX // 2) + b"\n") + b'"""\n',
            f"a message of several lines holds more than {PROMPT_BYTES_MAX} bytes",
        ),
    ],
    ids=["no UTF-8", "too long", "in a block", "behind a backslash", "a block too long"],
)
def test_a_bad_entry_is_named_and_the_next_one_is_read(bad: bytes, message: str) -> None:
    before, refused, after = all_of(b"before\n" + bad + b"after\n")
    assert (before, after) == (Entered("before"), Entered("after"))
    assert isinstance(refused, str)
    assert refused.startswith(message)


def at_prompt(*entries: str | KeyboardInterrupt) -> tuple[Callable[[], Entered | None], list[str]]:
    said: list[str] = []
    return Entries(Typed(*entries), nullcontext, at_prompt=True, say=said.append).next, said


def test_ctrl_c_twice_at_an_empty_prompt_is_the_end_and_the_first_says_so() -> None:
    following, said = at_prompt(ctrl_c(), ctrl_c(), "never read")
    assert following() is None
    assert "Ctrl-C once more" in said[0]


@pytest.mark.parametrize(
    "between",
    [ctrl_c("half a line"), ""],
    ids=["what was begun is broken off", "an empty line"],
)
def test_only_two_in_a_row_count(between: str | KeyboardInterrupt) -> None:
    following, _ = at_prompt(ctrl_c(), between, ctrl_c(), "still here")
    assert following() == Entered("still here")


def test_ctrl_c_leaves_a_message_of_several_lines_and_nothing_else() -> None:
    following, _ = at_prompt('"""', "begun", ctrl_c(), "another")
    assert following() == Entered("another")


def test_ctrl_c_after_an_answer_counts_anew() -> None:
    following, _ = at_prompt(ctrl_c(), "a question", ctrl_c(), "another")
    assert following() == Entered("a question")
    assert following() == Entered("another")


def test_ctrl_c_where_nobody_sits_at_a_prompt_is_the_end() -> None:
    with pytest.raises(KeyboardInterrupt):
        Entries(Typed(ctrl_c(), "never read"), nullcontext, at_prompt=False, say=said_nothing).next()


def test_a_signal_that_ends_the_program_is_not_taken_for_ctrl_c() -> None:
    class Ended(KeyboardInterrupt):
        pass

    following, _ = at_prompt(Ended(), "never read")
    with pytest.raises(Ended):
        following()
