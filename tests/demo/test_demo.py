"""`manus demo` plays to its end, and its last word is that everything held."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

END_S = 120.0
"""How long it may take on a busy machine; alone it takes about fourteen seconds."""


@pytest.fixture(scope="module")
def performance() -> subprocess.CompletedProcess[str]:
    """The output of one performance, without a terminal, keys or a home directory to write to."""
    environment = {name: value for name, value in os.environ.items() if not name.endswith("API_KEY")}
    return subprocess.run(
        [sys.executable, "-m", "manus", "demo"],
        capture_output=True,
        text=True,
        timeout=END_S,
        check=False,
        env=environment | {"HOME": "/nonexistent", "MANUS_CONFIG": "/nonexistent/llm.toml"},
    )


def test_everything_held(performance: subprocess.CompletedProcess[str]) -> None:
    assert performance.returncode == 0, performance.stdout + performance.stderr
    assert performance.stderr == ""
    assert performance.stdout.rstrip().endswith("ok   everything held that must")
    assert "FAIL" not in performance.stdout


@pytest.mark.parametrize(
    "line",
    [
        r"birch  KILLED: an error is raised in the middle of its actor",
        r"birch  its actor is gone: crashed: RuntimeError: crashed on purpose",
        r"birch  the supervisor restarts it in 0\.\d\d s",
        r"birch  running again, generation 2",
        r"birch  answers by itself again",
        r"cedar  HANGS",
        r"cedar  'cedar \d\.\d+': .*timeouts\.\w+.*: answered by oak after \d\.\d\d s",
        r"cedar  answers by itself again",
        r"elder  RAVES",
        r"elder  'elder \d\.\d+': .*: answered by oak after \d\.\d\d s",
        r"elder  answers by itself again",
        r"ok   oak: 40 of 40 answers the same, to the byte, as in the quiet run",
        r"oak: \d+ ms in the median, .*: \d+\.\d\d times the quiet run's median",
        r"oak    settled, as reported +(\d+) +(\d+) +\2 +(\$[\d.]+) +\3 +equal",
        r"cedar  in doubt, upper bound .* covers",
        r"ok   settled at the providers' word: .*: equal to the bills, call by call",
        r"ok   in doubt: \d+ calls whose end nobody saw, held at an upper bound of \$[\d.]+; the bills say \$[\d.]+",
    ],
)
def test_it_shows_what_it_is_about(line: str, performance: subprocess.CompletedProcess[str]) -> None:
    assert re.search(line, performance.stdout), performance.stdout


def test_no_colour_reaches_a_pipe(performance: subprocess.CompletedProcess[str]) -> None:
    assert "\x1b" not in performance.stdout
