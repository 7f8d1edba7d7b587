"""The examples of the project's outline run as they stand, without key or network, and leave nothing behind."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "usage_examples.py"

PRINTED = [
    r"id: req-\w+:1\nevent: delta\ndata: {",
    r"\.\.\. \d+ events, the last one is event: final\n",
    r"ada: 2 exchanges, \d+ tokens in\n",
    r"\['openai', 'anthropic'.*\]\nanthropic/\S+ of \['anthropic', 'openai'",
    r"anthropic/claude-",
    r"completed: \d+ chunks, \d+ tokens\n",
    r"openai, anthropic\ngpt-4o-mini: 12 tokens, length\n",
    r"9 requests in the books\n",
    r"success \w+",
]
"""What it must print, in this order."""


def test_it_runs_and_prints_what_it_is_about(tmp_path: Path) -> None:
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLE)],
        capture_output=True,
        text=True,
        timeout=120.0,
        check=False,
        cwd=tmp_path,
        env={**kept, "HOME": str(tmp_path), "PYTHONIOENCODING": "utf-8", "PYTHONPATH": str(EXAMPLE.parent.parent)},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(".*".join(PRINTED), done.stdout, re.DOTALL), done.stdout
    assert list(tmp_path.iterdir()) == []


def test_every_example_says_what_it_shows() -> None:
    for node in ast.parse(EXAMPLE.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert ast.get_docstring(node), node.name
