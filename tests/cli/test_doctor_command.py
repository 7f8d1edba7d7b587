"""`manus doctor`: what it prints, its exit status, and that it ends when it is told to."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.actors.loopback_http import answering
from tests.cli.rig import KEY, LIMIT_S, Terminal

MODELS = json.dumps({"object": "list", "data": [{"id": "sim-large"}, {"id": "sim-500"}]}).encode()
KNOWN = """\
[providers.well]
type = "openai"
base_url = "{url}"
api_key = "${{MY_KEY}}"
models = [{{ name = "sim-large" }}]
"""


def listing(method: str, path: str, body: bytes) -> tuple[int, bytes]:
    return 200, MODELS


def configured(tmp_path: Path, text: str) -> Terminal:
    terminal = Terminal(tmp_path, None)
    (tmp_path / "llm.toml").write_text(text)
    return terminal


def test_well_providers_end_with_0_and_a_line_for_each_check(tmp_path: Path) -> None:
    with answering(listing) as server:
        done = configured(tmp_path, KNOWN.format(url=server.origin)).run("doctor")
    lines = done.stdout.decode().splitlines()
    assert done.returncode == 0, done.stdout
    assert lines[0] == f"well (openai) {server.origin}"
    assert [line.split()[:2] for line in lines[1:]] == [
        ["ok", "configuration"],
        ["ok", "credentials"],
        ["ok", "reachable"],
        ["ok", "clock"],
        ["ok", "authenticated"],
        ["ok", "model"],
    ]
    assert "api_key from ${MY_KEY}" in lines[2]


def test_what_is_to_be_mended_ends_with_1_and_says_how(tmp_path: Path) -> None:
    with answering(listing) as server:
        done = configured(tmp_path, KNOWN.format(url=server.origin).replace("sim-large", "sim-larg")).run("doctor")
    out = done.stdout.decode()
    assert done.returncode == 1
    assert "FAIL  model sim-larg" in out
    assert "-> correct its name in `models`" in out


def test_json_holds_the_same(tmp_path: Path) -> None:
    with answering(lambda method, path, body: (401, b"{}")) as server:
        done = configured(tmp_path, KNOWN.format(url=server.origin)).run("doctor", "--json")
    told = json.loads(done.stdout)
    assert done.returncode == 1
    (provider,) = told["providers"]
    assert (provider["provider"], provider["type"], provider["state"]) == ("well", "openai", "failed")
    assert {check["name"] for check in provider["checks"]} >= {"credentials", "authenticated"}


def test_machine_without_names_is_said_to_be_offline(tmp_path: Path) -> None:
    near = '[providers.ollama]\nbase_url = "http://127.0.0.1:1"\n'
    done = configured(tmp_path, KNOWN.format(url="https://no-such-host.invalid") + near).run("doctor")
    assert done.returncode == 1
    assert b"seems to be offline" in done.stderr


def test_configuration_that_cannot_be_used_ends_with_2(tmp_path: Path) -> None:
    done = configured(tmp_path, "[providers.openai]\n").run("doctor")
    assert done.returncode == 2
    assert b"providers.openai.api_key" in done.stderr


@pytest.mark.parametrize("seconds", ["0", "-1", "4000", "soon", "nan"])
def test_time_that_is_none_is_refused(seconds: str, tmp_path: Path) -> None:
    done = configured(tmp_path, "").run("doctor", f"--timeout={seconds}")
    assert done.returncode == 2
    assert b"--timeout" in done.stderr


INTERRUPTIBLE = (
    "import signal, sys; from manus.cli import main; "
    "signal.signal(signal.SIGINT, signal.default_int_handler); sys.exit(main())"
)
"""The command as at a terminal: whoever is started in the background inherits that SIGINT is ignored."""


def test_ctrl_c_ends_it_at_once(tmp_path: Path) -> None:
    asked, released = threading.Event(), threading.Event()

    def hang(method: str, path: str, body: bytes) -> tuple[int, bytes]:
        asked.set()
        released.wait(LIMIT_S)
        return 200, MODELS

    with answering(hang) as server:
        terminal = configured(tmp_path, KNOWN.format(url=server.origin))
        process = subprocess.Popen(
            [sys.executable, "-c", INTERRUPTIBLE, "doctor", "--timeout", "3000"],
            cwd=tmp_path,
            env=terminal.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        try:
            assert asked.wait(LIMIT_S)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=LIMIT_S)
        finally:
            released.set()
            process.kill()
            process.wait()
    assert process.returncode == 130
    assert b"Traceback" not in err
    assert KEY.encode() not in out + err
