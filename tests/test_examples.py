"""Every example is short, runs by itself without key or network, and prints what it is about."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.rig import simulated

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
