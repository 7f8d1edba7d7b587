"""`manus serve` as hosts meet it: a process of its own with real pipes, a real socket and real signals."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from manus.cli import main
from tests.cli.rig import LIMIT_S, TEXT, Terminal, simulated
from tests.cli.serve_rig import connected, host_of, serving, wait_until_it_says

WORDS = 40


@pytest.fixture(scope="module")
def quick() -> Iterator[str]:
    with simulated("--text", TEXT, "--gap-s", "0") as base_url:
        yield base_url


@pytest.fixture(scope="module")
def slow() -> Iterator[str]:
    """A server whose answers take a second or so: long enough to be interrupted, short enough to be drained."""
    with simulated("--words", str(WORDS), "--gap-s", "0.03") as base_url:
        yield base_url


@pytest.fixture(scope="module")
def endless() -> Iterator[str]:
    with simulated("--words", "100000", "--gap-s", "0.02") as base_url:
        yield base_url


def socket_in(directory: Path) -> Path:
    """Name a socket so that the name fits, wherever temporary files are."""
    return Path(os.path.relpath(directory / "s.sock")) if len(str(directory)) > 90 else directory / "s.sock"


def test_a_host_is_answered_and_the_end_of_its_pipe_is_the_end(tmp_path: Path, quick: str) -> None:
    with serving(Terminal(tmp_path, quick), "--stdio") as process:
        host = host_of(process)
        assert host.ask("generate", {"prompt": "Hello"})["content"] == TEXT
        assert process.stdin is not None
        process.stdin.close()
        assert host.read() is None
        assert process.wait(LIMIT_S) == 0


def test_a_script_that_pipes_a_line_into_it_gets_its_answer(tmp_path: Path, quick: str) -> None:
    line = json.dumps({"command": "generate", "params": {"prompt": "Hello"}})
    done = Terminal(tmp_path, quick).run("serve", "--stdio", stdin=line.encode() + b"\n")
    reply = json.loads(done.stdout)
    assert done.returncode == 0
    assert (reply["status"], reply["response"]["content"]) == ("success", TEXT)


def test_the_window_of_the_command_line_is_the_one_hosts_are_told(tmp_path: Path, quick: str) -> None:
    with serving(Terminal(tmp_path, quick), "--stdio", "--window", "7") as process:
        greeting = host_of(process).lines[0]["result"]
    assert greeting["limits"]["window"] == 7


def test_a_socket_is_this_users_alone_and_gone_in_the_end(tmp_path: Path, quick: str) -> None:
    path = socket_in(tmp_path)
    with serving(Terminal(tmp_path, quick), "--unix", str(path)) as process:
        told = wait_until_it_says(process, "Serving")
        assert (told["unix"], told["stdio"]) == (str(path), False)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with connected(path) as host:
            assert host.ask("generate", {"prompt": "Hello"})["content"] == TEXT
        process.send_signal(signal.SIGTERM)
        assert process.wait(LIMIT_S) == 0
    assert not path.exists()


def test_one_agent_serves_the_pipe_and_the_socket(tmp_path: Path, quick: str) -> None:
    path = socket_in(tmp_path)
    with serving(Terminal(tmp_path, quick), "--stdio", "--unix", str(path)) as process:
        owner = host_of(process)
        with connected(path) as guest:
            guest.ask("generate", {"prompt": "Hello", "request_key": "guest"})
            assert owner.ask("request.status", {"request_key": "guest"})["state"] == "settled"


def test_the_path_of_the_configuration_is_used_where_none_is_named(tmp_path: Path, quick: str) -> None:
    terminal = Terminal(tmp_path, None)
    terminal.configure(quick, '[ipc]\nsocket_path = "of-the-file.sock"\n')
    with serving(terminal, "--unix") as process:
        told = wait_until_it_says(process, "Serving")
        assert Path(told["unix"]).name == "of-the-file.sock"
        assert (tmp_path / "of-the-file.sock").is_socket()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_lets_what_is_in_flight_come_to_its_end(
    tmp_path: Path, slow: str, number: signal.Signals
) -> None:
    with serving(Terminal(tmp_path, slow), "--stdio") as process:
        host = host_of(process)
        stream = host.begin_stream({"prompt": "Hello"})
        process.send_signal(number)
        result = host.reply(stream)["result"]
        assert result["finish_reason"] == "stop"
        assert len(result["content"].split()) == WORDS
        assert host.read() is None
        assert process.wait(LIMIT_S) == 0


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_the_second_signal_ends_it_on_the_spot_and_the_books_know_of_the_call(
    tmp_path: Path, endless: str, number: signal.Signals, status: int
) -> None:
    terminal = Terminal(tmp_path, endless)
    with serving(terminal, "--stdio") as process:
        host = host_of(process)
        host.begin_stream({"prompt": "Hello", "request_key": "cut"})
        process.send_signal(number)
        wait_until_it_says(process, "Ending")
        process.send_signal(number)
        assert process.wait(LIMIT_S) == status
    with serving(terminal, "--stdio") as process:
        assert host_of(process).ask("request.status", {"request_key": "cut"})["state"] == "in_doubt"


def test_people_who_start_it_at_a_terminal_are_told_what_it_is_for(tmp_path: Path, quick: str) -> None:
    ours, theirs = pty.openpty()
    try:
        with Terminal(tmp_path, quick).start("serve", "--stdio", stdin=theirs) as process:
            assert process.stderr is not None
            assert b"[this reads JSON lines from a program; for a conversation" in process.stderr.readline()
            wait_until_it_says(process, "Serving")
            process.terminate()
            assert process.wait(LIMIT_S) == 0
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--unix", "s.sock", "--config", "none.toml"], "none.toml: does not exist"),
        (["--unix"], "There is no path for the socket"),
        (["--unix", "none/s.sock"], "none/s.sock"),
        (["--unix", "x" * 200], "x" * 200),
        (["--unix", "."], "."),
    ],
    ids=["no configuration", "no path", "no directory", "too long a path", "a directory"],
)
def test_what_cannot_be_served_is_status_2_and_names_the_place(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "llm.toml").write_text('[providers.ollama]\n[ledger]\npath = "ledger.sqlite"\n')
    assert main(["serve", *arguments]) == 2
    captured = capfd.readouterr()
    assert captured.out == ""
    said = captured.err.splitlines()[-1]
    assert said.startswith("manus: ")
    assert message in said


def test_a_socket_that_another_server_listens_on_is_left_to_it(tmp_path: Path, quick: str) -> None:
    path = socket_in(tmp_path)
    with serving(Terminal(tmp_path, quick), "--unix", str(path)) as process:
        wait_until_it_says(process, "Serving")
        other = Terminal(tmp_path, quick).run("serve", "--unix", str(path))
        assert other.returncode == 2
        assert str(path) in other.stderr.decode()
        with connected(path) as host:
            assert host.ask("ping") == {}


def test_a_socket_whose_server_was_killed_is_taken_over(tmp_path: Path, quick: str) -> None:
    path = socket_in(tmp_path)
    with serving(Terminal(tmp_path, quick), "--unix", str(path)) as process:
        wait_until_it_says(process, "Serving")
        process.kill()
        process.wait(LIMIT_S)
    assert path.is_socket()
    with serving(Terminal(tmp_path, quick), "--unix", str(path)) as process:
        wait_until_it_says(process, "Serving")
        with connected(path) as host:
            assert host.ask("ping") == {}


IN_A_CONTAINER = ("unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc")


def containers_can_be_made() -> bool:
    return shutil.which("unshare") is not None and not subprocess.run([*IN_A_CONTAINER, "true"], check=False).returncode


@pytest.mark.skipif(not containers_can_be_made(), reason="this user may make no namespaces here")
def test_as_the_first_process_of_a_container_it_drains_too(tmp_path: Path, slow: str) -> None:
    """The kernel gives the first process only those signals that it handles, and it has no parent to look at."""
    terminal = Terminal(tmp_path, slow)
    command = [*IN_A_CONTAINER, sys.executable, "-m", "manus", "serve", "--stdio"]
    with terminal.start_command(command, stdin=subprocess.PIPE) as process:
        host = host_of(process)
        stream = host.begin_stream({"prompt": "Hello"})
        (first_process,) = children_of(process.pid)
        os.kill(first_process, signal.SIGTERM)
        assert host.reply(stream)["result"]["finish_reason"] == "stop"
        assert process.wait(LIMIT_S) == 0


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
