"""What the page about the books shows in a shell and in a program is run as it stands there."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.cli.rig import LIMIT_S, Terminal, simulated

PAGE = (Path(__file__).parents[1] / "docs" / "usage.md").read_text(encoding="utf-8")
SHELL = [
    line.partition("#")[0].partition(">")[0].removeprefix("$ manus ").split()
    for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
    for line in block.splitlines()
]
PROGRAM = """\
import manus, trio
async def main():
    async with manus.open_agent() as agent:
        await agent.generate("Hello", tags=["team-a"], max_tokens=50)
{}
        print(remaining, left, wait)
trio.run(main)
"""


def test_the_page_shows_commands() -> None:
    assert len(SHELL) >= 7
    assert all(command[0] == "usage" for command in SHELL)


@pytest.mark.parametrize("command", SHELL, ids=" ".join)
def test_a_command_of_the_page_is_understood(tmp_path: Path, command: list[str]) -> None:
    terminal = Terminal(tmp_path, "http://127.0.0.1:9/v1")  # nobody is asked
    if "--watch" in command:
        command = [*command, "0"]  # so that it ends: what it is given is all that is wrong with it
    done = terminal.run(*command)
    assert done.returncode == (2 if "--watch" in command else 0), done.stderr
    assert (b"--watch: expected seconds" in done.stderr) is ("--watch" in command)


def test_the_program_of_the_page_runs(tmp_path: Path) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    for name, call in (("remaining", "limits.remaining"), ("left", "limits.budget_left"), ("wait", "limits.wait_s")):
        block = block.replace(f"\n{call}", f"\n{name} = {call}")
    (bounds,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    with simulated("--words", "5", "--gap-s", "0") as base_url:
        terminal = Terminal(tmp_path, None)
        terminal.configure(base_url, bounds)
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", PROGRAM.format(textwrap.indent(block, " " * 8))],
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
            cwd=tmp_path,
            env=terminal.environ,
        )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d team-a 1 \d+ [\d.e-]+ 0", lines[0])
    assert re.fullmatch(r"\d+ [\d.e-]+ {'sim': TokenTotals\(attempts=1, .*\)} {'sim/sim-large': .*", lines[-2])
    assert re.fullmatch(r"599 19999\d{6} 0\.0", lines[-1])
