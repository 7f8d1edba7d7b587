"""Colours are shown to terminals that want them, and to nobody else; tables line up."""

from __future__ import annotations

import io

import pytest

from manus.demo.screen import Screen, wants_colours


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("out", "environment", "wanted"),
    [
        (Terminal(), {}, True),
        (Terminal(), {"NO_COLOR": ""}, True),
        (Terminal(), {"NO_COLOR": "1"}, False),
        (Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {}, False),
    ],
)
def test_colours_are_for_terminals_whose_users_want_them(
    out: io.StringIO, environment: dict[str, str], wanted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert wants_colours(out) is wanted
    Screen(out).heading("Act 1")
    assert ("\x1b[" in out.getvalue()) is wanted


def test_a_table_lines_up() -> None:
    out = io.StringIO()
    Screen(out, colours=False).table(["who", "calls"], [["oak", "1"], ["blackthorn", "1234"]])
    assert out.getvalue() == "  who         calls\n  oak             1\n  blackthorn   1234\n"


def test_a_verdict_says_ok_or_fail() -> None:
    out = io.StringIO()
    screen = Screen(out, colours=False)
    screen.verdict(True, "this held")
    screen.verdict(False, "this did not")
    assert out.getvalue() == "  ok   this held\n  FAIL this did not\n"
