"""The page on deployment says what works: its unit is good in systemd's own eyes, and its commands are commands."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from manus.cli import make_parser

PAGE = (Path(__file__).parents[1] / "docs" / "deployment.md").read_text(encoding="utf-8")
EXECUTABLE = "/opt/manus/bin/manus"


def block(language: str) -> str:
    """Give the page's only block in this language."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


def commands() -> list[list[str]]:
    """Give every command line of ours that the page has."""
    (starts,) = re.findall(r"^ExecStart=(.*)$", block("ini"), re.MULTILINE)
    listed = re.findall(r"(?:CMD|ENTRYPOINT) \[(.*)\]", block("dockerfile"))
    (of_the_engine,) = re.findall(r"options.command = \{(.*)\};", block("cpp"))
    shown = re.findall(r"^\$ (?:.*\| )?(manus .*?)(?: 2>.*)?$", PAGE, re.MULTILINE)
    lines = [starts, *(line.replace('", "', '" "') for line in (*listed, of_the_engine)), *shown]
    return [shlex.split(line) for line in lines]


def test_every_command_of_the_page_is_one() -> None:
    found = commands()
    assert len(found) >= 5
    for program, *arguments in found:
        assert Path(program).name == "manus"
        make_parser().parse_args(arguments)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_the_unit_is_good_in_the_eyes_of_systemd(tmp_path: Path) -> None:
    unit = tmp_path / "manus.service"
    # It looks for the executable and the user, which are the reader's.
    unit.write_text(block("ini").replace(EXECUTABLE, sys.executable).replace("User=engine", "User=root"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", unit],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
