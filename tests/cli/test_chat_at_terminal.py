"""`manus chat` at a real terminal: keys, Ctrl-C in the middle of an answer, signals, and the terminal going away."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.rig import TEXT, Terminal, simulated, wait_until_working
from tests.cli.terminal_rig import CTRL_D, ENTER, TAB, UP, Screen, at_terminal
from tests.cli.test_ask import states_of


@pytest.fixture(scope="module")
def quick() -> Iterator[str]:
    with simulated("--text", TEXT, "--gap-s", "0") as base_url:
        yield base_url


@pytest.fixture(scope="module")
def endless() -> Iterator[str]:
    with simulated("--words", "100000", "--gap-s", "0.02") as base_url:
        yield base_url


def chat_terminal(directory: Path, base_url: str) -> Terminal:
    terminal = Terminal(directory, base_url)
    terminal.environ |= {"TERM": "xterm"}
    return terminal


def answered(screen: Screen, question: str) -> str:
    """Ask, wait for the answer, its story and the next prompt, and give all that was shown."""
    screen.type(question + ENTER)
    return screen.wait_for(" | req-") + screen.wait_for("> ")


def prompted(screen: Screen) -> None:
    screen.wait_for("/help lists the commands")
    screen.wait_for("> ")


def test_ctrl_c_ends_the_answer_and_not_the_program(tmp_path: Path, endless: str) -> None:
    terminal = chat_terminal(tmp_path, endless)
    with at_terminal(terminal, "chat") as screen:
        prompted(screen)
        screen.type("Tell me everything" + ENTER)
        screen.wait_for("Tell me everything")
        wait_until_working(endless, screen.process)
        screen.wait_for(" ")
        screen.press_ctrl_c()
        screen.wait_for("the conversation is as it was before this message")
        screen.wait_for("sim/sim-large | cancelled | ")
        screen.wait_for("(estimated) | cost $")
        screen.wait_for("> ")
        screen.type("/history" + ENTER)
        screen.wait_for("nothing was said in this conversation yet")
        screen.wait_for("> ")
        screen.type(CTRL_D)
        assert screen.end() == 0
    assert states_of(terminal) == ["settled"]


def test_ctrl_c_ends_the_waiting_for_an_answer_too(tmp_path: Path, quick: str) -> None:
    terminal = chat_terminal(tmp_path, quick)
    with at_terminal(terminal, "chat", "--model", "sim-stall:where=headers") as screen:
        prompted(screen)
        screen.type("Hello" + ENTER)
        wait_until_working(quick, screen.process)
        screen.wait_for("[waiting for the answer to begin; Ctrl-C ends it]")
        screen.press_ctrl_c()
        screen.wait_for(" | cancelled | ")
        screen.wait_for("> ")
        screen.type("/switch sim sim-large" + ENTER)
        assert TEXT in answered(screen, "Hello again")
        screen.type(CTRL_D)
        assert screen.end() == 0
    assert states_of(terminal) == ["in_doubt", "settled"]


def test_ctrl_c_clears_a_line_and_twice_at_an_empty_prompt_ends(tmp_path: Path, quick: str) -> None:
    terminal = chat_terminal(tmp_path, quick)
    with at_terminal(terminal, "chat") as screen:
        prompted(screen)
        screen.type("never sent")
        screen.wait_for("never sent")
        screen.press_ctrl_c()
        screen.wait_for("> ")
        screen.press_ctrl_c()
        screen.wait_for("[Ctrl-C once more, Ctrl-D or /quit ends the conversation]")
        screen.wait_for("> ")
        assert TEXT in answered(screen, "sent")
        screen.type("/history" + ENTER)
        history = screen.wait_for("[sim/sim-large]")
        assert "sent" in history
        assert "never" not in history
        screen.wait_for("> ")
        screen.press_ctrl_c()
        screen.wait_for("[Ctrl-C once more")
        screen.wait_for("> ")
        screen.press_ctrl_c()
        assert screen.end() == 0
    assert states_of(terminal) == ["settled"]


def test_lines_are_edited_completed_and_remembered(tmp_path: Path, quick: str) -> None:
    with at_terminal(chat_terminal(tmp_path, quick), "chat") as screen:
        prompted(screen)
        screen.type("/sw" + TAB)
        screen.wait_for("/switch ")
        screen.type("si" + TAB)
        screen.wait_for("sim ")
        screen.type(ENTER)
        screen.wait_for("[sim is asked first from now on]")
        screen.wait_for("> ")
        screen.type(UP)
        screen.wait_for("/switch sim")
        screen.press_ctrl_c()
        screen.wait_for("> ")
        screen.type('"""' + ENTER)
        screen.wait_for(". ")
        screen.type("first line" + ENTER)
        screen.wait_for(". ")
        screen.type('second line"""' + ENTER)
        screen.wait_for(" | req-")
        screen.wait_for("> ")
        screen.type("/history" + ENTER)
        screen.wait_for("first line\r\nsecond line")
        screen.wait_for("> ")
        screen.type("/quit" + ENTER)
        assert screen.end() == 0


@pytest.mark.parametrize(("environment", "dim"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_what_is_no_answer_is_dimmed_unless_nobody_wants_colours(
    tmp_path: Path, quick: str, environment: dict[str, str], dim: bool
) -> None:
    terminal = chat_terminal(tmp_path, quick)
    terminal.environ |= environment
    with at_terminal(terminal, "chat") as screen:
        prompted(screen)
        assert ("\x1b[2m[sim/sim-large" in answered(screen, "Hello")) is dim
        screen.type(CTRL_D)
        assert screen.end() == 0


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_the_program_and_the_use_is_told_and_booked(
    tmp_path: Path, endless: str, number: signal.Signals, status: int
) -> None:
    terminal = chat_terminal(tmp_path, endless)
    with at_terminal(terminal, "chat") as screen:
        prompted(screen)
        screen.type("Tell me everything" + ENTER)
        screen.wait_for("everything")
        wait_until_working(endless, screen.process)
        screen.wait_for(" ")
        screen.process.send_signal(number)
        screen.wait_for("sim/sim-large | cancelled | ")
        assert screen.end() == status
    assert states_of(terminal) == ["settled"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_at_the_prompt_ends_the_program(tmp_path: Path, quick: str, number: signal.Signals) -> None:
    with at_terminal(chat_terminal(tmp_path, quick), "chat") as screen:
        prompted(screen)
        screen.wait_until_asleep()
        screen.process.send_signal(number)
        assert screen.end() == 128 + number


def test_answers_that_go_to_a_file_leave_prompts_and_stories_at_the_terminal(tmp_path: Path, quick: str) -> None:
    answers = tmp_path / "answers.txt"
    with (
        answers.open("wb") as file,
        at_terminal(chat_terminal(tmp_path, quick), "chat", stdout=file.fileno()) as screen,
    ):
        screen.wait_for("> ")
        screen.type("Hello" + ENTER)
        screen.wait_for(" | req-")
        screen.wait_for("> ")
        screen.press_ctrl_c()
        screen.wait_for("[Ctrl-C once more")
        screen.wait_for("> ")
        screen.type(CTRL_D)
        assert screen.end() == 0
    assert answers.read_text() == TEXT + "\n"
    assert TEXT not in screen.shown
