"""`manus chaos`: replays seeds and plans, says what it saw, and ends in good order."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from manus.cli import exits, main
from manus.sim import chaos
from manus.sim.chaos import Verdict, save
from manus.sim.chaos_draw import plan_from_seed
from manus.sim.chaos_plan import Plan


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run where failing plans may be saved."""
    monkeypatch.chdir(tmp_path)


def break_seed(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Have the judge find fault with one seed."""

    def run_plan(plan: Plan) -> Verdict:
        broken = ("one_end: client 1 never came to an end",) if plan.seed == seed else ()
        return Verdict(plan=plan, broken=broken, trace="0" * 64, marks={"Finished": 1})

    monkeypatch.setattr(chaos, "run_plan", run_plan)


def test_it_replays_seeds_and_says_what_it_saw(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chaos", "--seed", "3", "--runs", "2"]) == exits.OK
    out = capsys.readouterr().out
    assert "2 plans, 0 broke a promise" in out
    assert "Finished" in out


def test_a_broken_promise_is_told_and_its_plan_is_saved(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    break_seed(monkeypatch, 4)
    assert main(["chaos", "--seed", "3", "--runs", "3", "--json"]) == exits.FAILED
    told = capsys.readouterr()
    summary = json.loads(told.out)
    assert summary["runs"] == 3
    assert summary["seen"] == {"Finished": 3}
    assert [failure["seed"] for failure in summary["broken"]] == [4]
    saved = tmp_path / summary["broken"][0]["plan"]
    assert chaos.load(saved) == plan_from_seed(4)
    assert "never came to an end" in told.err


def test_a_saved_plan_is_replayed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = save(Verdict(plan=plan_from_seed(7), broken=(), trace=""), tmp_path)
    assert main(["chaos", "--plan", str(path), "--plan", str(path)]) == exits.OK
    assert "2 plans, 0 broke" in capsys.readouterr().out


def test_a_mode_can_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    modes: list[str] = []

    def run_plan(plan: Plan) -> Verdict:
        modes.append(plan.mode)
        return Verdict(plan=plan, broken=(), trace="0" * 64)

    monkeypatch.setattr(chaos, "run_plan", run_plan)
    assert main(["chaos", "--runs", "8", "--mode", "isolation"]) == exits.OK
    assert modes == ["isolation"] * 8


@pytest.mark.parametrize("content", [None, b"no json", b'{"seed": 1}'])
def test_what_is_no_plan_is_refused_with_its_place(
    content: bytes | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "plan.json"
    if content is not None:
        path.write_bytes(content)
    assert main(["chaos", "--plan", str(path)]) == exits.BAD_INPUT
    assert str(path) in capsys.readouterr().err


def test_no_run_is_no_batch(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chaos", "--runs", "0"]) == exits.BAD_INPUT
    assert "at least 1" in capsys.readouterr().err


def test_ctrl_c_ends_a_batch_with_what_was_run_so_far(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run_plan(plan: Plan) -> Verdict:
        if plan.seed == 2:
            signal.raise_signal(signal.SIGINT)
        return Verdict(plan=plan, broken=(), trace="0" * 64)

    monkeypatch.setattr(chaos, "run_plan", run_plan)
    before = signal.getsignal(signal.SIGINT)
    assert main(["chaos", "--seed", "0", "--runs", "1000"]) == exits.INTERRUPTED
    assert signal.getsignal(signal.SIGINT) is before
    told = capsys.readouterr()
    assert "interrupted after 3 of 1000 plans" in told.err
    assert "3 plans, 0 broke a promise" in told.out


def test_ctrl_c_at_a_real_process_lets_the_run_end(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "manus", "chaos", "--runs", "100000"]
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": root}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path, env=environment, text=True
    ) as process:
        assert process.stderr is not None
        assert "plans run" in process.stderr.readline()  # it is well under way
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == exits.INTERRUPTED, err
    assert "interrupted after" in err
    assert "0 broke a promise" in out
    assert "Traceback" not in err


def test_the_schedule_is_the_same_in_both_ways_to_run_a_seed(tmp_path: Path) -> None:
    plan = plan_from_seed(12)
    path = save(Verdict(plan=plan, broken=(), trace=""), tmp_path)
    assert chaos.run_plan(chaos.load(path)).trace == chaos.run_plan(plan).trace
    assert msgspec.json.decode(path.read_bytes())["seed"] == 12
