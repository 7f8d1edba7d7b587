"""`manus chat` over a pipe: a message a line, answers alone on stdout, and a bad line that is not the end."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.rig import LIMIT_S, TEXT, Terminal, simulated, wait_until_working
from tests.cli.test_ask import states_of


@pytest.fixture(scope="module")
def quick() -> Iterator[str]:
    with simulated("--text", TEXT, "--gap-s", "0") as base_url:
        yield base_url


@pytest.fixture(scope="module")
def endless() -> Iterator[str]:
    with simulated("--words", "100000", "--gap-s", "0.02") as base_url:
        yield base_url


@pytest.fixture
def terminal(tmp_path: Path, quick: str) -> Terminal:
    return Terminal(tmp_path, quick)


def chat(terminal: Terminal, *lines: str, arguments: tuple[str, ...] = ()) -> subprocess.CompletedProcess[bytes]:
    return terminal.run("chat", *arguments, stdin="\n".join((*lines, "")).encode())


def test_every_line_is_a_message_and_only_answers_go_to_stdout(terminal: Terminal) -> None:
    done = chat(terminal, "Hello", "", "And then?", "/history")
    assert done.returncode == 0
    assert done.stdout.decode() == f"{TEXT}\n{TEXT}\n"
    said = done.stderr.decode()
    assert said.count("sim/sim-large | stop | ") == 2
    assert "to go on" not in said  # it ends with the process
    assert said.count("[user]\nHello\n") == said.count("[user]\nAnd then?\n") == 1
    assert states_of(terminal) == ["settled", "settled"]


def test_an_answer_in_one_piece_is_the_same(terminal: Terminal, quick: str) -> None:
    terminal.configure(quick, "[general]\nenable_streaming = false")
    done = chat(terminal, "Hello")
    assert (done.returncode, done.stdout.decode()) == (0, TEXT + "\n")


def test_json_is_an_object_a_line_failures_included(terminal: Terminal) -> None:
    done = chat(terminal, "Hello", "/switch sim sim-500", "Fails", arguments=("--json",))
    answer, failure = map(json.loads, done.stdout.splitlines())
    assert done.returncode == 1
    assert (answer["content"], answer["finish_reason"]) == (TEXT, "stop")
    assert answer["conversation_id"]
    assert failure["error"]["kind"] == "server"


def test_a_failure_is_told_and_booked_and_the_next_line_goes_on_without_it(terminal: Terminal) -> None:
    done = chat(terminal, "/switch sim sim-500", "Fails", "/switch sim sim-large", "Works", "/history", "/usage")
    assert done.returncode == 1
    assert done.stdout.decode() == TEXT + "\n"
    said = done.stderr.decode()
    assert "manus: " in said
    assert "sim/sim-500: server, released" in said
    assert "[user]\nWorks" in said
    assert "[user]\nFails" not in said
    assert said.splitlines()[-1].split()[:3] == ["sim", "sim-large", "1"]


BAD_LINES = {
    b"ok \xff no": "line 1: is not UTF-8 at byte 3",
    b"a\0b": "holds a NUL character",
    b"/switch smi": "there is sim; did you mean 'sim'?",
    b"/switch": "/switch takes the name of a provider, and of a model if need be; there is sim",
    b"/switch sim sim-larg": "did you mean 'sim-large'?",
    b"/histroy": "there is no command /histroy; did you mean 'history'?; /help lists them",
    b"/history 0": "/history takes how many of the last exchanges to show, 1 or more",
    b"/route now": "/route takes nothing",
    b"/save": "/save takes a file",
    b"/save x.json": "there is nothing to save yet",
    b"/new bad\x01name": "conversation_id",
}


def test_bad_lines_are_named_one_by_one_and_the_next_one_is_asked(terminal: Terminal) -> None:
    done = terminal.run("chat", stdin=b"\n".join((*BAD_LINES, b"/new", b"Hello", b"")))
    assert (done.returncode, done.stdout.decode()) == (2, TEXT + "\n")
    complaints = [line for line in done.stderr.decode().splitlines() if line.startswith("manus: ")]
    assert len(complaints) == len(BAD_LINES)
    for complaint, message in zip(complaints, BAD_LINES.values(), strict=True):
        assert message in complaint


def test_every_command_that_needs_no_answer_works_before_one(terminal: Terminal) -> None:
    commands = ("/", "/help", "/?", "/providers", "/usage", "/route", "/history", "/system", "/new", "/clear")
    done = chat(terminal, *commands, "/quit", "never asked")
    assert (done.returncode, done.stdout) == (0, b"")
    assert states_of(terminal) == []


def test_the_system_prompt_stands_in_this_conversation_and_in_those_begun_later(terminal: Terminal) -> None:
    arguments = ("--system", "Be brief.", "--conversation", "first")
    lines = ("Hello", "/system Be kind.", "/new", "Hello", "/history", "/new first", "/history")
    done = chat(terminal, *lines, arguments=arguments)
    assert done.returncode == 0
    second, first = done.stderr.decode().split("[on to first]")
    assert "[system]\nBe kind." in second
    assert "[system]\nBe brief." in first
    assert "goes on after 1 exchanges" in first


def test_a_conversation_is_saved_for_its_user_alone_and_writes_nothing_over(terminal: Terminal) -> None:
    done = chat(terminal, "Hello", "/save talk.json", "/save talk.txt", "/save talk.txt", "/save none/talk.txt")
    assert done.returncode == 2
    as_json, as_text = (terminal.directory / name for name in ("talk.json", "talk.txt"))
    assert [stat.S_IMODE(path.stat().st_mode) for path in (as_json, as_text)] == [0o600, 0o600]
    assert [turn["content"] for turn in json.loads(as_json.read_text())["messages"]] == ["Hello", TEXT]
    assert as_text.read_text() == f"[user]\nHello\n\n[sim/sim-large]\n{TEXT}\n"
    said = done.stderr.decode()
    assert "talk.txt is there already; name another file" in said
    assert "none/talk.txt cannot be written: No such file or directory" in said


def test_a_conversation_that_is_kept_is_gone_on_with_by_another_process(terminal: Terminal, quick: str) -> None:
    terminal.configure(quick, '[conversations]\npath = "talks.sqlite"')
    begun = chat(terminal, "Hello", arguments=("--conversation", "ours"))
    assert "[the conversation ours begins]" in begun.stderr.decode()
    assert "[to go on: manus chat --conversation ours]" in begun.stderr.decode()
    went_on = chat(terminal, "/history", arguments=("--conversation", "ours"))
    assert "[the conversation ours goes on after 1 exchanges]" in went_on.stderr.decode()
    assert "[user]\nHello" in went_on.stderr.decode()


def test_the_route_is_told_where_it_is_wanted(terminal: Terminal) -> None:
    done = chat(terminal, "Hello", arguments=("-v",))
    assert "[route by priority: " in done.stderr.decode()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_where_nobody_sits_at_a_prompt_and_the_use_is_told(
    tmp_path: Path, endless: str, number: signal.Signals, status: int
) -> None:
    terminal = Terminal(tmp_path, endless)
    with terminal.start("chat", stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"Hello\nnever asked\n")
        process.stdin.flush()
        assert os.read(process.stdout.fileno(), 1)
        process.send_signal(number)
        _, told = process.communicate(timeout=LIMIT_S)
    assert process.returncode == status
    assert "sim/sim-large | cancelled | " in told.decode()
    assert states_of(terminal) == ["settled"]


def test_a_signal_ends_it_although_nobody_reads_its_output(tmp_path: Path, endless: str) -> None:
    terminal = Terminal(tmp_path, endless)
    reading, writing = os.pipe()
    try:
        os.set_blocking(writing, False)
        try:
            while True:
                os.write(writing, b"x" * 4096)
        except BlockingIOError:
            os.set_blocking(writing, True)
        with terminal.start("chat", stdin=subprocess.PIPE, stdout=writing) as process:
            assert process.stdin is not None
            process.stdin.write(b"Hello\n")
            process.stdin.flush()
            wait_until_working(endless, process)
            process.send_signal(signal.SIGTERM)
            assert process.wait(LIMIT_S) == 143
    finally:
        os.close(reading)
        os.close(writing)
    assert len(states_of(terminal)) == 1


def test_a_reader_that_leaves_ends_it_quietly(tmp_path: Path, endless: str) -> None:
    terminal = Terminal(tmp_path, endless)
    with terminal.start("chat", stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(b"Hello\n")
        process.stdin.flush()
        wait_until_working(endless, process)
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()
        assert process.wait(LIMIT_S) == 141
    assert states_of(terminal) == ["settled"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--config", "none.toml"), "none.toml: does not exist"),
        (("--conversation", ""), "conversation_id"),
        (("--max-tokens", "many"), "invalid int value"),
    ],
)
def test_bad_arguments_are_status_2(terminal: Terminal, arguments: tuple[str, ...], message: str) -> None:
    done = chat(terminal, "Hello", arguments=arguments)
    assert (done.returncode, done.stdout) == (2, b"")
    assert message in done.stderr.decode()


def test_a_standard_input_that_is_closed_is_refused(terminal: Terminal) -> None:
    command = ["/bin/sh", "-c", 'exec "$0" -m manus chat <&-', sys.executable]
    with terminal.start_command(command) as process:
        out, told = process.communicate(timeout=LIMIT_S)
    assert (process.returncode, out) == (2, b"")
    assert told == b"manus: there is no standard input to read messages from\n"
