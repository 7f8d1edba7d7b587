"""`manus health`: what a probe learns of a server that is well, limps, is gone, hangs or is somebody else's."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from manus.cli import main
from tests.cli.rig import Terminal, simulated
from tests.cli.serve_rig import connected, serving, wait_until_it_says

DRIPS, DRIP_S = 60, 0.02


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "llm.toml").write_text('[providers.ollama]\n[ledger]\npath = "ledger.sqlite"\n')
    return tmp_path


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with simulated("--text", "Well.", "--gap-s", "0") as base_url:
        yield base_url


@contextmanager
def listening(path: Path, answer: bytes, *, hang_up: bool = True, drips: bool = False) -> Iterator[None]:
    """Listen as somebody who gives this answer to the first who connects, perhaps again and again, and then leaves."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        over = threading.Event()

        def answer_once() -> None:
            connection, _ = listener.accept()
            with connection, suppress(ConnectionError):  # whoever asked may have had enough
                connection.recv(4096)
                connection.sendall(answer)
                for _ in range(DRIPS if drips else 0):
                    over.wait(DRIP_S)
                    connection.sendall(answer)
                if not hang_up:
                    over.wait()

        thread = threading.Thread(target=answer_once)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def line(**members: object) -> bytes:
    return json.dumps({"jsonrpc": "2.0"} | members).encode() + b"\n"


GREETING = line(id=1, result={"protocolVersion": 1})


def of(status: str) -> bytes:
    return GREETING + line(id=2, result={"status": status, "reasons": ["a reason"]})


def test_a_running_server_is_asked_over_its_socket(tmp_path: Path, server: str) -> None:
    terminal = Terminal(tmp_path, server)
    path = os.path.relpath(tmp_path / "s.sock", tmp_path)
    with serving(terminal, "--unix", path) as process:
        wait_until_it_says(process, "Serving")
        with connected(Path(os.path.relpath(tmp_path / "s.sock"))) as host:
            host.ask("generate", {"prompt": "Hello"})
        told = terminal.run("health", "--unix", path)
        as_json = terminal.run("health", "--unix", path, "--json")
        process.send_signal(signal.SIGTERM)
    assert (told.returncode, as_json.returncode) == (0, 0)
    first, _, head, row = told.stdout.decode().splitlines()
    assert first.startswith("ok | manus ")
    assert head.split() == ["PROVIDER", "STATUS", "ACTOR", "IN", "FLIGHT", "RESTARTS", "LAST", "FAILURE"]
    assert row.split() == ["sim", "ok", "running", "0", "0", "-"]
    health = json.loads(as_json.stdout)
    assert (health["status"], [each["name"] for each in health["providers"]]) == ("ok", ["sim"])


@pytest.mark.parametrize(
    ("status", "arguments", "expected"),
    [
        ("ok", [], 0),
        ("ok", ["--strict"], 0),
        ("degraded", [], 0),
        ("degraded", ["--strict"], 4),
        ("unavailable", [], 1),
        ("unavailable", ["--strict"], 1),
        ("of a later version", [], 1),
    ],
)
def test_the_exit_status_tells_a_probe_whether_to_act(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], status: str, arguments: list[str], expected: int
) -> None:
    path = tmp_path / "s.sock"
    with listening(path, of(status)):
        assert main(["health", "--unix", str(path), *arguments]) == expected
    assert capsys.readouterr().out == f"{status}\n  a reason\n"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "the server closed the connection without an answer"),
        (GREETING, "the server closed the connection without an answer"),
        (line(id=None, error={"code": -32000, "message": "too many connections"}), "refused: too many connections"),
        (GREETING + line(id=2, error={"code": -32013, "message": "it is stopping"}), "refused: it is stopping"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak our protocol"),
        (GREETING + line(id=2, result={"status": 7}), "does not speak our protocol"),
        (GREETING + b"[" * 100_000 + b"\n", "does not speak our protocol"),
        (b"x" * (5 * 1024 * 1024), "the server's answer is longer than 4194304 bytes"),
    ],
    ids=["nothing", "half", "overloaded", "stopping", "somebody else", "no health", "nested", "endless"],
)
def test_whoever_does_not_answer_as_a_server_does_is_unavailable(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], answer: bytes, reason: str
) -> None:
    path = tmp_path / "s.sock"
    with listening(path, answer):
        assert main(["health", "--unix", str(path), "--json"]) == 1
    health = json.loads(capsys.readouterr().out)
    assert health["status"] == "unavailable"
    assert reason in health["reasons"][0]


@pytest.mark.parametrize("answer", [b"", GREETING, b"half a li"], ids=["nothing", "a greeting", "half a line"])
def test_a_server_that_hangs_is_given_up_in_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], answer: bytes
) -> None:
    path = tmp_path / "s.sock"
    with listening(path, answer, hang_up=False):
        assert main(["health", "--unix", str(path), "--timeout", "0.05"]) == 1
    assert "did not answer within 0.05 s" in capsys.readouterr().out


def test_a_server_that_drips_is_given_up_in_time_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each word comes in time, and the answer never does."""
    path = tmp_path / "s.sock"
    with listening(path, line(method="news", params={}), drips=True):
        assert main(["health", "--unix", str(path), "--timeout", "0.2"]) == 1
    assert "did not answer within 0.2 s" in capsys.readouterr().out


def test_notifications_before_the_answer_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "s.sock"
    with listening(path, GREETING + line(method="news", params={}) + of("ok").removeprefix(GREETING)):
        assert main(["health", "--unix", str(path)]) == 0


@pytest.mark.parametrize("left_behind", [True, False], ids=["a socket without a server", "nothing there"])
def test_a_server_that_is_gone_is_unavailable(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], left_behind: bool
) -> None:
    path = tmp_path / "s.sock"
    if left_behind:
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(path))
    assert main(["health", "--unix", str(path)]) == 1
    assert f"nobody listens at {path}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--unix", "x" * 200], "is no socket that can be asked: AF_UNIX path too long"),
        (["--unix", "s.sock", "--config", "llm.toml"], "leave out one of --unix and --config"),
        (["--timeout", "0"], "expected seconds, more than 0"),
        (["--timeout", "nan"], "expected seconds, more than 0"),
        (["--config", "none.toml"], "none.toml: does not exist"),
    ],
)
def test_what_cannot_be_asked_is_status_2(
    configured: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(["health", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err


def test_without_a_server_it_tells_whether_an_agent_could_be_opened_and_leaves_nothing_behind(
    configured: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["health", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["status"] == "ok"
    assert [path.name for path in configured.iterdir()] == ["llm.toml"]
