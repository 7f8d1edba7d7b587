"""Every example is short, runs by itself without key or network, and prints what it is about."""

from __future__ import annotations

import ast
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.rig import Terminal, simulated

EXAMPLES = Path(__file__).parent.parent / "examples"
LINES_MAX = 40
END_S = 60.0

# What each must print, in this order.
PRINTED: dict[str, list[str]] = {
    "01_quick_start.py": ["Trio is a library", r"openai/sim-large: \d+ tokens, \$0\.0000\d\d"],
    "02_streaming.py": [r"\.\n", "Only the beginning", r"cancelled: \d+ tokens .*estimated", "2 calls, 2 settled"],
    "03_tools.py": [r'temperature\({"city": "Oslo"}\) -> 4', "It is 4 degrees in Oslo."],
    "04_failover.py": [
        "Good that there is a second one.",
        "1. openai/sim-large: overloaded, released",
        "2. ollama/sim-large: ok, settled",
        "FallbackError: ",
        "after 2 attempts that cost 0 nano-USD",
    ],
    "05_events.py": ["provider/openai is gone: Crashed", "running again, generation 2"],
    "06_faults_in_your_tests.py": [
        r"429 .*rate_limited.* billed 0, in our books 0",
        r"malformed .*protocol.* billed 1, in our books 1",
        r"stall .*timeout.* billed 1, in our books 1",
        r"huge-line.*protocol.* billed 1, in our books 1",
    ],
    "07_embeddings.py": [r"16 dimensions, \d+ tokens from openai", r"1\.00 Ropes are counted twice\.", r"0\.\d\d "],
    "08_tools_across_providers.py": [r'cloud asks for time\({"zone": "UTC"}\)', r"local says: It is noon\."],
    "09_what_a_model_takes.py": [
        "A sail, and a tale of it. sim-large takes no seed; left out: seed.",
        "sampling.seed: sim-large takes no seed. Leave it out",
        "image: is image/bmp; models take PNG",
    ],
    "10_routing.py": [
        "priority: cloud/large, then home/tiny",
        "cost_aware: home/tiny, then cloud/small, then cloud/large",
        "who sees, and is able: cloud/large",
        r"left out: cloud/small \(cannot read images\) home/tiny \(cannot read images\)",
        "No model can answer this request: cloud/large: does not bear the tag 'us'; cloud/small: cannot read images; ",
    ],
    "11_rescue.py": [
        "A rope is only as good as the knot .* the hand that ties it\\.\n",
        "whole: True",
        "cloud/sim-large: first, network, settled",
        "spare/sim-large: (splice|continue), ok, settled",
        "network, after 'A rope'",
    ],
    "12_usage.py": [
        r"live: \d+ tokens, \$0\.0000\d\d cloud/sim-large",
        r"warned: 1% of budgets\.usd_per_day",
        r"tag None: 1 call, \d+ tokens\ntag team-a: 1 call, \d+ tokens",
        "left for team-a this minute: 4",
        r"left of the budget, in nano-USD: 9\d{5}\n",
        r"refused: This call to sim-large may take up to .* \(budgets\.usd_per_day",
    ],
    "13_chat.py": [
        "Ann: I am Ann.",
        "Hello, Ann.",
        "Ann: Who am I?",
        "You are Ann.",
        "4 turns in history, kept: True",
        "after a restart: user: I am Ann.",
    ],
}

FILES = sorted(EXAMPLES.glob("[0-9]*.py"))


def test_every_example_is_known_here() -> None:
    assert [file.name for file in FILES] == list(PRINTED)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_an_example_is_short_and_says_what_it_shows(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert text.count("\n") < LINES_MAX
    assert ast.get_docstring(ast.parse(text))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_an_example_prints_what_it_is_about(file: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(file)],
        capture_output=True,
        text=True,
        timeout=END_S,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "HOME": str(tmp_path), "PYTHONIOENCODING": "utf-8"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(".*".join(PRINTED[file.name]), done.stdout, re.DOTALL), done.stdout
    assert list(tmp_path.iterdir()) == []


def test_the_readmes_example_of_the_books_runs_in_a_program_and_in_a_shell(tmp_path: Path) -> None:
    text = (EXAMPLES.parent / "README.md").read_text(encoding="utf-8")
    (section,) = re.findall(r"## Books, limits and budgets\n(.*?)\n## ", text, re.DOTALL)
    (bounds,) = re.findall(r"```toml\n(.*?)```", section, re.DOTALL)
    (program,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    (shell,) = re.findall(r"```console\n(.*?)```", section, re.DOTALL)
    with simulated("--words", "5", "--gap-s", "0") as base_url:
        terminal = Terminal(tmp_path, None)
        terminal.configure(base_url, bounds)
        done = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            timeout=END_S,
            check=False,
            cwd=tmp_path,
            env=terminal.environ,
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert re.fullmatch(r"team-a 1 \d+ \$0\.0000\d\d\n599 19999\d{6}\n", done.stdout), done.stdout

        commands = [line.partition("#")[0].removeprefix("$ manus ").split() for line in shell.splitlines()]
        assert ["usage", "--watch"] in commands
        for command in commands:
            if "--watch" not in command:
                finished = terminal.run(*command)
                assert finished.returncode == 0, finished.stderr
                assert finished.stdout
        with terminal.start("usage", "--watch") as process:
            assert process.stdout is not None
            assert process.stdout.readline()
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=END_S) == 0


def test_the_readmes_example_of_routing_runs(tmp_path: Path) -> None:
    text = (EXAMPLES.parent / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"## Routing and failover\n.*?```python\n(.*?)```", text, re.DOTALL)
    with simulated("--words", "5", "--gap-s", "0") as base_url:
        found = {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": base_url, "OPENAI_MODEL": "sim-large"}
        done = subprocess.run(
            [sys.executable, "-c", example],
            capture_output=True,
            text=True,
            timeout=END_S,
            check=False,
            cwd=tmp_path,
            env={**os.environ, "HOME": str(tmp_path), **found},
        )
    assert done.returncode == 0, done.stderr
    assert re.match(r"openai/sim-large .*\n(.*\n)*openai/sim-large first ok \d+\.\d\d s\n$", done.stdout), done.stdout


def test_the_readmes_programs_without_a_trio_loop_of_their_own_run(tmp_path: Path) -> None:
    text = (EXAMPLES.parent / "README.md").read_text(encoding="utf-8")
    (section,) = re.findall(r"## In a program\n(.*?)\n## ", text, re.DOTALL)
    (example,) = [found for found in re.findall(r"```python\n(.*?)```", section, re.DOTALL) if "asyncio" in found]
    with simulated("--text", "A rope holds.", "--gap-s", "0") as base_url:
        found = {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": base_url, "OPENAI_MODEL": "sim-large"}
        done = subprocess.run(
            [sys.executable, "-c", example],
            capture_output=True,
            text=True,
            timeout=END_S,
            check=False,
            cwd=tmp_path,
            env={**os.environ, "HOME": str(tmp_path), **found},
        )
    assert (done.returncode, done.stdout) == (0, "A rope holds.\nA rope holds."), done.stderr
