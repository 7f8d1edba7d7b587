"""The way into the command line: lean, and clear about wrong usage."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from manus._version import __version__
from manus.cli import COMMANDS, main

HEAVY = ("trio", "httpx", "httpcore", "msgspec", "anyio", "h11", "httptools", "tomli", "ssl", "sqlite3", "asyncio")

PROBE = """\
import sys
from manus.cli import main
status = main(sys.argv[1:])
print("LOADED", *sorted(set(%r) & set(sys.modules)))
sys.exit(status)
"""


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], [], ["no-such-command"]])
def test_what_needs_no_request_loads_neither_loop_nor_http(arguments: list[str]) -> None:
    done = subprocess.run(  # our own interpreter, our own text
        [sys.executable, "-c", PROBE % (HEAVY,), *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.splitlines()[-1] == "LOADED", done.stdout + done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_every_command_loads_neither_loop_nor_http(command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROBE % (HEAVY,), command, "--help"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "LOADED", done.stdout + done.stderr


def test_importing_the_package_loads_nothing_heavy() -> None:
    text = f"import sys, manus; print(*sorted(set({HEAVY!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == ""


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"manus {__version__}\n"


def test_help_tells_every_command_and_the_exit_status(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(command in out for command in COMMANDS)
    assert "interrupted by Ctrl-C" in out


@pytest.mark.parametrize("arguments", [[], ["no-such-command"], ["config"], ["config", "check", "--nonsense"]])
def test_wrong_usage_is_status_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("usage: manus")


def test_python_m_manus_is_the_command_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "manus", "--version"], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == f"manus {__version__}\n"


def test_a_reader_that_leaves_ends_the_command_quietly(tmp_path: Path) -> None:
    """The pipe is closed before anything is written, which is the worst a reader can do."""
    (tmp_path / "llm.toml").write_text("[providers.ollama]\n")
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "manus", "config", "show", "llm.toml"],
            stdout=writing,
            stderr=subprocess.PIPE,
            cwd=tmp_path,
            timeout=60,
            check=False,
        )
    finally:
        os.close(writing)
    assert done.returncode == 141
    assert done.stderr == b""
