"""`manus serve` before it serves: what it is given must make sense, and is refused on one line where it does not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from manus.cli import main
from tests.cli.rig import LIMIT_S


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing to serve at; give --stdio, --unix PATH, or both"),
        (["--unix", ""], "--unix: expected the path of a socket"),
        (["--stdio", "--window", "0"], "--window: expected a whole number from 1 to 65536"),
        (["--stdio", "--window", "65537"], "--window: expected a whole number from 1 to 65536"),
    ],
)
def test_arguments_that_make_no_sense_are_refused_on_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert message in captured.err


def test_a_window_that_is_no_number_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--stdio", "--window", "wide"]) == 2
    assert "--window: invalid int value: 'wide'" in capsys.readouterr().err


@pytest.mark.parametrize(("closed", "name"), [("<&-", "input"), (">&-", "output")])
def test_a_pipe_that_is_closed_from_the_start_is_refused(tmp_path: Path, closed: str, name: str) -> None:
    """Whoever is started without one must not take the first file that it opens for it."""
    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "$0" -m manus serve --stdio {closed}', sys.executable],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        cwd=tmp_path,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == b""
    assert done.stderr.decode() == f"manus: --stdio: standard {name} is closed; start it with a pipe\n"
