"""The coverage-guided run over lines of the protocol finds nothing in its bounded share."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ipc.fuzz_lines import Lines
from tests.shared_data import unavailable

ROOT = Path(__file__).resolve().parent.parent.parent
RUNS = 1000
RUNS_LONG = 1_000_000


@pytest.mark.parametrize("runs", [RUNS, pytest.param(RUNS_LONG, marks=pytest.mark.long)])
def test_a_guided_run_breaks_no_promise_of_a_line(runs: int, tmp_path: Path) -> None:
    try:
        import atheris  # noqa: F401
    except ImportError:
        unavailable("atheris is not installed")
    corpus, found = tmp_path / "corpus", tmp_path / "found"
    corpus.mkdir()
    found.mkdir()
    for number, expected in enumerate(itertools.islice(Lines(1, asks=0.5, engine=True), 200)):
        (corpus / f"{number}").write_bytes(expected.line[:2048])
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.guided_lines", str(runs), str(corpus), str(found), "-seed=1"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    inputs = {path.name: path.read_bytes() for path in found.iterdir()}
    assert done.returncode == 0, f"{inputs}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    assert "number_of_executed_units" in done.stderr
