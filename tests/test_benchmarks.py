"""The benchmark runs, and its contenders read the very text that was served. No figure is judged here."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
import trio
from trio.testing import MockClock

from benchmarks.estimates import print_estimates
from benchmarks.hedging import SETTINGS, USUAL_S, simulate
from manus.messages.requests import Strategy
from tests.shared_data import shared_dir

ROOT = Path(__file__).resolve().parent.parent


def run_benchmark(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done


@pytest.mark.parametrize("row", ["one after another", "64 in flight", "one burst"])
def test_the_benchmark_prints_its_rows(row: str) -> None:
    contenders = ["agent", "transport", "httptools_floor"]
    done = run_benchmark("benchmarks", "--rounds", "1", "--rows", row, "--only", *contenders)
    assert row in done.stdout
    for contender in contenders:
        assert contender in done.stdout
    assert "left out" not in done.stderr


def test_the_codecs_are_measured_beside_the_parsers_of_their_vendors() -> None:
    done = run_benchmark("benchmarks", "codecs", "--rounds", "1")
    rows = {words[0]: words[1:] for line in done.stdout.splitlines()[2:] if (words := line.split())}
    assert set(rows) == {"openai-chat", "openai-responses", "anthropic", "bedrock", "ollama"}
    for figures in rows.values():
        assert "-" not in figures


def test_a_failover_is_measured_beside_the_same_by_hand() -> None:
    done = run_benchmark("benchmarks", "failover", "--rounds", "1")
    figures = [line.split() for line in done.stdout.splitlines() if line.startswith("    ") and line.strip()[0] in "ah"]
    assert [words[0] for words in figures] == ["agent", "httpx", "agent", "httpx"]
    assert all(float(words[-1]) != 0 for words in figures)


def test_a_routing_decision_is_measured_beside_the_least_that_an_order_costs() -> None:
    done = run_benchmark("benchmarks", "routing", "--rounds", "1")
    rows = [line.split() for line in done.stdout.splitlines()[2:]]
    assert {words[0] for words in rows} >= {"sorted()", *get_args(Strategy)}
    assert all(len([word for word in words if word.endswith("x")]) == 3 for words in rows)


def test_hedging_is_simulated_with_and_without_in_one_run() -> None:
    """Deterministic, for the clock is virtual: the slow ones are overtaken, by no more hedges than are allowed."""
    requests = 300
    plain, hedged = (
        trio.run(simulate, hedge, requests, clock=MockClock(autojump_threshold=0))
        for hedge in (SETTINGS["no hedging"], SETTINGS["hedging, as by default"])
    )
    assert plain.billed.requests == requests
    assert hedged.billed.requests == requests + hedged.hedges
    assert 0 < hedged.hedges_won <= hedged.hedges <= 0.05 * requests
    assert sum(hedged.first_token_s) < 0.9 * sum(plain.first_token_s)
    assert min(hedged.first_token_s) >= USUAL_S[0]


@pytest.mark.parametrize("recordings", [True, False], ids=["with recordings", "without"])
def test_estimates_are_held_against_what_vendors_reported(
    recordings: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    print_estimates(1, shared_dir("wire") if recordings else tmp_path / "wire")
    printed = capsys.readouterr().out
    assert "texts of one kind each" in printed
    for row in ("held out", "after calibration", "records above theirs", "cost in microseconds"):
        assert (row in printed) is recordings
    assert ("../shared/wire" in printed) is not recordings


def test_the_books_are_measured_beside_books_in_memory_and_a_walk_over_all_rows() -> None:
    done = run_benchmark("benchmarks.ledger", "--rounds", "1", "--seconds", "0.1", "--rows", "2000")
    for row in ("books in memory", "journal, process, slow disk", "last day, by conversation", "a walk over all rows"):
        assert row in done.stdout


def test_every_host_is_measured_beside_bare_httpx() -> None:
    done = run_benchmark("benchmarks.hosts", "--rounds", "1", "--rows", "one burst")
    rows = {words[0]: words[1:] for line in done.stdout.splitlines()[3:] if (words := line.split())}
    assert set(rows) == {"agent", "agent_asyncio", "agent_sync", "agent_stdio", "httpx_client"}
    for name, (*figures, ratio) in rows.items():
        wall_us, cpu_us, host_us, served_us = (float(figures[at]) for at in (1, 3, 4, 5))
        assert min(wall_us, cpu_us, host_us) > 0
        assert (served_us > 0) is (name == "agent_stdio")
        assert ratio.endswith("x")
    assert "left out" not in done.stderr


def test_the_start_of_a_subprocess_is_measured_beside_the_imports_it_is_made_of() -> None:
    done = run_benchmark("benchmarks.hosts", "--rounds", "1", "--rows", "start of")
    rows = ("python -c pass", "import trio, httpx, msgspec", "serve: hands shaken, ping", "serve: the first answer")
    for row in rows:
        assert row in done.stdout
