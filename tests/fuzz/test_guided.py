"""The coverage-guided run finds nothing in its bounded share, and what such runs found once stays mended."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from manus.actors.codecs import CODECS
from tests.fuzz.inputs import WIRES, input_of, run_input
from tests.fuzz.seeds import Seed, all_seeds, recorded_seeds
from tests.shared_data import unavailable

ROOT = Path(__file__).resolve().parent.parent.parent
FOUND = Path(__file__).with_name("found")
RUNS = 3000
RUNS_LONG = 1_000_000
BROKEN = 77
"""How libFuzzer ends when an input broke a promise."""


def test_every_wire_has_a_number() -> None:
    assert set(WIRES) == set(CODECS)


def _corpus(directory: Path, seeds: list[Seed]) -> None:
    for seed in seeds:
        for data in (input_of(seed), input_of(seed, small=True, piece=1), input_of(seed, error=True)):
            (directory / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)


def _guided(
    directory: Path, runs: int, *, program: tuple[str, ...] = ("-m", "tests.fuzz.guided")
) -> subprocess.CompletedProcess[str]:
    try:
        import atheris  # noqa: F401
    except ImportError:
        unavailable("atheris is not installed")
    found = directory / "found"
    found.mkdir()
    corpus = directory / "corpus"
    return subprocess.run(
        [sys.executable, *program, str(runs), str(corpus), str(found), "-seed=1"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ,
        check=False,
    )


def _report(done: subprocess.CompletedProcess[str], directory: Path) -> str:
    inputs = {path.name: path.read_bytes().hex() for path in (directory / "found").iterdir()}
    return f"save under {FOUND}: {inputs}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


def test_a_bounded_guided_run_breaks_no_promise(tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    _corpus(tmp_path / "corpus", all_seeds())

    done = _guided(tmp_path, RUNS)

    assert done.returncode == 0, _report(done, tmp_path)
    assert f"Done {RUNS} runs" in done.stderr


@pytest.mark.long
def test_a_long_guided_run_from_recorded_answers_breaks_no_promise(tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    _corpus(tmp_path / "corpus", [*all_seeds(), *recorded_seeds(bytes_max=4000)])

    done = _guided(tmp_path, RUNS_LONG)

    assert done.returncode == 0, _report(done, tmp_path)


def test_the_guided_run_ends_and_saves_the_input_when_a_promise_is_broken(tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "one").write_bytes(b"\x00\x01data: {}\n\n")
    broken = (
        "import sys, tests.fuzz.inputs as inputs\n"
        "def run_input(data):\n"
        "    assert b'data' not in data, 'broken'\n"
        "inputs.run_input = run_input\n"
        "from tests.fuzz.guided import main\n"
        "main(sys.argv[1:])\n"
    )

    done = _guided(tmp_path, 100, program=("-c", broken))

    assert done.returncode == BROKEN, done.stderr[-2000:]
    assert "broken" in done.stdout
    assert [path.read_bytes() for path in (tmp_path / "found").iterdir()] == [b"\x00\x01data: {}\n\n"]


@pytest.mark.parametrize("path", sorted(FOUND.glob("*.bin")), ids=lambda path: path.name)
def test_what_was_found_once_stays_mended(path: Path) -> None:
    run_input(path.read_bytes())
