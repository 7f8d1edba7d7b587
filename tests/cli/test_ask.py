"""`manus ask` as its users meet it: a process of its own, real sockets, real signals."""

from __future__ import annotations

import json
import os
import pty
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from manus.cli import main
from manus.config import load
from manus.config.wheels import LOCAL_WHEELS, is_installed
from tests.cli.rig import LIMIT_S, TEXT, Terminal, simulated, wait_until_working


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


def states_of(terminal: Terminal) -> list[str]:
    """Read how the ledger's rows ended, from the file, as an auditor would."""
    with sqlite3.connect(terminal.directory / "ledger.sqlite") as connection:
        rows = connection.execute("SELECT state FROM attempts ORDER BY id").fetchall()
    connection.close()
    return [state for (state,) in rows]


def test_only_the_answer_goes_to_stdout_and_the_story_to_stderr(terminal: Terminal) -> None:
    done = terminal.run("ask", "Hello")
    assert done.returncode == 0
    assert done.stdout.decode() == TEXT + "\n"
    story = done.stderr.decode()
    assert "sim/sim-large | stop | " in story
    assert "out tokens (reported) | cost $0.0000" in story
    assert states_of(terminal) == ["settled"]


@pytest.mark.parametrize("arguments", [["ask"], ["ask", "-"]])
def test_the_prompt_may_come_from_stdin(terminal: Terminal, arguments: list[str]) -> None:
    done = terminal.run(*arguments, stdin="Grüße\n".encode())
    assert (done.returncode, done.stdout.decode()) == (0, TEXT + "\n")


def test_an_answer_in_one_piece_is_the_same(terminal: Terminal) -> None:
    done = terminal.run("ask", "--no-stream", "Hello")
    assert (done.returncode, done.stdout.decode()) == (0, TEXT + "\n")


def test_json_is_one_object_with_everything(terminal: Terminal) -> None:
    done = terminal.run("ask", "--json", "--max-tokens", "50", "--temperature", "0", "--system", "Be brief.", "Hello")
    told = json.loads(done.stdout)
    assert done.returncode == 0
    assert (told["content"], told["finish_reason"], told["provider"]) == (TEXT, "stop", "sim")
    assert told["usage"]["cost_nano_usd"] > 0
    assert told["route"]["attempts"][0]["booking"] == "settled"


def test_streaming_follows_the_configuration(terminal: Terminal, quick: str) -> None:
    terminal.configure(quick, "[general]\nenable_streaming = false")
    done = terminal.run("ask", "Hello")
    assert (done.returncode, done.stdout.decode()) == (0, TEXT + "\n")


def test_a_request_that_fails_is_status_1_and_tells_what_was_booked(terminal: Terminal) -> None:
    done = terminal.run("ask", "--model", "sim-500", "Hello")
    assert done.returncode == 1
    assert done.stdout == b""
    assert "sim/sim-500: server, released" in done.stderr.decode()


def test_json_of_a_failure_is_one_object_too(terminal: Terminal) -> None:
    done = terminal.run("ask", "--json", "--model", "sim-500", "Hello")
    told = json.loads(done.stdout)
    assert done.returncode == 1
    assert told["error"]["kind"] == "server"


def test_a_broken_answer_is_shown_and_is_still_a_failure(terminal: Terminal) -> None:
    done = terminal.run("ask", "--model", "sim-cut-body", "Hello")
    assert done.returncode == 1
    assert TEXT.startswith(done.stdout.decode().strip())
    assert done.stdout
    assert b"manus: " in done.stderr


def test_an_unreachable_provider_is_named_with_what_to_check(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        terminal = Terminal(tmp_path, f"http://127.0.0.1:{closed.getsockname()[1]}/v1")
        done = terminal.run("ask", "Hello")
    assert done.returncode == 1
    assert "base_url" in done.stderr.decode()
    assert set(states_of(terminal)) == {"released"}


@pytest.mark.parametrize(
    ("arguments", "stdin", "message"),
    [
        (["ask", ""], b"", "empty prompt"),
        (["ask"], b"", "empty prompt"),
        (["ask"], b" \n \n", "empty prompt"),
        (["ask"], b"a\0b", "prompt: holds a NUL character at position 1; remove it"),
        (["ask"], b"ok \xff", "standard input is not UTF-8 at byte 3"),
        (["ask"], b"x" * 10_000_000, "standard input holds more than 8388608 bytes"),
        (["ask", "half \udcff of it"], b"", "prompt: holds a lone surrogate at position 5"),
        (["ask", "--provider", "smi", "Hello"], b"", "No provider is called 'smi'"),
        (["ask", "--model", "sim-larg", "Hello"], b"", "No enabled provider lists the model 'sim-larg'"),
        (["ask", "--model", "", "Hello"], b"", "model: expected 1 to 256 characters"),
        (["ask", "--temperature", "9", "Hello"], b"", "temperature: expected a number"),
        (["ask", "--temperature", "hot", "Hello"], b"", "invalid float value"),
        (["ask", "--max-tokens", "0", "Hello"], b"", "max_tokens: expected a whole number from 1"),
        (["ask", "--timeout", "-1", "Hello"], b"", "timeout_s: expected a number, more than 0"),
        (["ask", "--config", "none.toml", "Hello"], b"", "none.toml: does not exist"),
        (["ask", "--config", ".", "Hello"], b"", "is a directory"),
    ],
    ids=lambda value: None if isinstance(value, bytes) else " ".join(value)[:40] if isinstance(value, list) else "",
)
def test_bad_input_is_status_2_and_names_the_place(
    terminal: Terminal, arguments: list[str], stdin: bytes, message: str
) -> None:
    done = terminal.run(*arguments, stdin=stdin)
    assert done.returncode == 2
    assert done.stdout == b""
    assert message in done.stderr.decode()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[providers\n", "llm.toml:1:11: is not TOML"),
        ("[providers.sim]\ntype = 'openai'\nbase = 1\n", "llm.toml:3: providers.sim.base: unknown key"),
        ("[providers.sim]\ntype = 'openai'\napi_key = '${NOPE}'\n", "the environment variable NOPE is not set"),
        ("[providers.ollama]\nbase_url = 'localhost'\n", "llm.toml:2: providers.ollama.base_url: expected a URL"),
        ("[providers.openai]\napi_key = 'k'\nca_file = 'none.pem'\n", "its certificates cannot be read"),
        ("[providers.ollama]\n[ledger]\npath = '/proc/none/l.db'\n", "cannot be opened"),
    ],
    ids=lambda value: value[-30:],
)
def test_a_bad_configuration_is_status_2_and_names_the_line(terminal: Terminal, text: str, message: str) -> None:
    (terminal.directory / "llm.toml").write_text(text)
    done = terminal.run("ask", "Hello")
    assert done.returncode == 2
    assert done.stdout == b""
    assert message in done.stderr.decode()


def test_without_any_configuration_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setattr(load, "is_installed", set[str]().__contains__)
    assert main(["ask", "Hello"]) == 2
    told = capsys.readouterr().err
    for way_out in ("OPENAI_API_KEY", "OLLAMA_HOST", "make setup", "manus config init"):
        assert way_out in told


def read_some(process: subprocess.Popen[bytes]) -> bytes:
    """Wait for the first bytes of the answer."""
    assert process.stdout is not None
    return os.read(process.stdout.fileno(), 1)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_request_and_the_use_is_still_told_and_booked(
    tmp_path: Path, endless: str, number: signal.Signals, status: int
) -> None:
    terminal = Terminal(tmp_path, endless)
    with terminal.start("ask", "Hello") as process:
        assert read_some(process)
        process.send_signal(number)
        _, told = process.communicate(timeout=LIMIT_S)
    assert process.returncode == status
    assert "sim/sim-large | cancelled | " in told.decode()
    assert "(estimated) | cost $" in told.decode()
    assert states_of(terminal) == ["settled"]


def test_a_signal_while_nothing_has_come_yet_ends_the_request_too(tmp_path: Path, quick: str) -> None:
    terminal = Terminal(tmp_path, quick)
    with terminal.start("ask", "--model", "sim-stall:where=headers", "Hello") as process:
        wait_until_working(quick, process)
        process.send_signal(signal.SIGINT)
        out, told = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 130
    assert out == b""
    assert "| cancelled |" in told.decode()
    assert states_of(terminal) == ["in_doubt"]


def test_people_at_a_terminal_are_told_when_it_takes_long(tmp_path: Path, quick: str) -> None:
    terminal = Terminal(tmp_path, quick)
    ours, theirs = pty.openpty()
    try:
        with terminal.start("ask", "--model", "sim-stall:where=headers", "Hello", stderr=theirs) as process:
            assert b"[waiting for the answer to begin" in os.read(ours, 4096)
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=LIMIT_S) == 130
    finally:
        os.close(ours)
        os.close(theirs)


def test_json_of_an_interrupted_request_has_what_had_come(tmp_path: Path, endless: str) -> None:
    terminal = Terminal(tmp_path, endless)
    with terminal.start("ask", "--json", "--timeout", "50", "Hello") as process:
        wait_until_working(endless, process)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 130
    assert json.loads(out)["finish_reason"] == "cancelled"


def test_a_reader_that_leaves_ends_the_request_quietly(tmp_path: Path, endless: str) -> None:
    terminal = Terminal(tmp_path, endless)
    with terminal.start("ask", "Hello") as process:
        assert read_some(process)
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        told = process.stderr.read()
        assert process.wait(timeout=LIMIT_S) == 141
    assert told == b""
    assert states_of(terminal) == ["settled"]


def test_a_stdout_that_is_closed_from_the_start_is_not_taken_for_the_ledger(terminal: Terminal) -> None:
    """The first file that is opened would get its number, and the answer."""
    with terminal.start_command(["/bin/sh", "-c", 'exec "$0" -m manus ask Hello >&-', sys.executable]) as process:
        _, told = process.communicate(timeout=LIMIT_S)
    assert (process.returncode, b"Traceback" in told) == (0, False), told.decode()
    assert states_of(terminal) == ["settled"]


@pytest.mark.parametrize("model", ["sim-500", "sim-large"])
def test_json_for_a_reader_that_has_left_is_quiet_too(terminal: Terminal, model: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        with terminal.start("ask", "--json", "--model", model, "Hello", stdout=writing) as process:
            _, told = process.communicate(timeout=LIMIT_S)
    finally:
        os.close(writing)
    assert process.returncode == 141
    assert b"Traceback" not in told


def test_a_signal_ends_it_although_nobody_reads_its_output(tmp_path: Path, endless: str) -> None:
    """The pipe is full and a thread is stuck in writing to it: that must not keep the process."""
    terminal = Terminal(tmp_path, endless)
    reading, writing = os.pipe()
    try:
        filler = b"x" * 4096
        os.set_blocking(writing, False)
        try:
            while True:
                os.write(writing, filler)
        except BlockingIOError:
            os.set_blocking(writing, True)
        with terminal.start("ask", "Hello", stdout=writing) as process:
            wait_until_working(endless, process)
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=LIMIT_S) == 130
    finally:
        os.close(reading)
        os.close(writing)


def embedded_model_is_here() -> bool:
    return all(map(is_installed, LOCAL_WHEELS))


@pytest.mark.skipif(not embedded_model_is_here(), reason="the wheels of the embedded model are not installed")
def test_without_any_configuration_the_embedded_model_answers(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, None)

    done = terminal.run("ask", "--max-tokens", "16", "Say hello.")

    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.strip()
    told = done.stderr.decode()
    assert "the embedded model smollm2-135m-instruct, run on this machine" in told
    assert "local/smollm2-135m-instruct | " in told
    assert "(reported) | cost $0.00 |" in told
