"""`manus usage --watch`: another process's books, looked at again and again, until Ctrl-C."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from manus.cli import exits, main
from tests.cli.rig import LIMIT_S, TEXT, Terminal, simulated, wait_until_working

BOUNDS = """\
[limits]
requests_per_minute = 60
tokens_per_minute = 200000
concurrency = 5
[limits.tags.team]
requests_per_minute = 30
[budgets]
usd_per_day = 1.0
rolling = [{ hours = 5, tokens = 300000 }]
[budgets.tags.team]
usd_per_month = 2.0
"""


@pytest.fixture(scope="module")
def quick() -> Iterator[str]:
    with simulated("--text", TEXT, "--gap-s", "0") as base_url:
        yield base_url


def watched(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    """Read the next look of `--watch --json`."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.stderr.read() if process.stderr else b""
    look: dict[str, Any] = json.loads(line)
    return look


def test_totals_limits_and_budgets_follow_what_another_process_does(tmp_path: Path, quick: str) -> None:
    terminal = Terminal(tmp_path, None)
    terminal.configure(quick, BOUNDS)
    terminal.run("ask", "--label", "team", "--max-tokens", "50", "Hello")

    with terminal.start("usage", "--watch", "0.2", "--json", "--by", "tag") as process:
        before = watched(process)
        usage = json.loads(terminal.run("ask", "--json", "--max-tokens", "50", "Hello").stdout)["usage"]
        while (after := watched(process))["spans"]["today"]["settled"] < 2:
            pass
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=LIMIT_S) == 0

    assert before["spans"]["last minute"]["requests"] == 1
    assert {line["tag"]: line["requests"] for line in after["usage"]["lines"]} == {None: 1, "team": 1}
    assert after["usage"]["total"]["cost_nano_usd"] == 2 * usage["cost_nano_usd"]
    flows = {(each["scope"]["name"], each["dimension"]): (each["used"], each["limit"]) for each in after["limits"]}
    assert flows == {
        ("", "requests"): (2, 60),
        ("", "tokens"): (2 * usage["total_tokens"], 200_000),
        ("", "concurrency"): (0, 5),
        ("team", "requests"): (1, 30),
    }
    budgets = {each["source"]: (each["spent"], each["amount"] - each["remaining"]) for each in after["budgets"]}
    assert budgets == {
        "budgets.usd_per_day": (2 * usage["cost_nano_usd"],) * 2,
        "budgets.rolling[0].tokens": (2 * usage["total_tokens"],) * 2,
        "budgets.tags.team.usd_per_month": (usage["cost_nano_usd"],) * 2,
    }


def test_a_living_run_is_not_taken_for_dead_and_its_open_call_is_seen(tmp_path: Path, quick: str) -> None:
    terminal = Terminal(tmp_path, None)
    terminal.configure(quick, BOUNDS)
    stalled = ("--model", "sim-stall:where=headers", "--max-tokens", "50", "Hello")
    with terminal.start("ask", *stalled) as asking:
        wait_until_working(quick, asking)
        with terminal.start("usage", "--watch", "0.2", "--json") as process:
            while (look := watched(process))["spans"]["today"]["open"] == 0:
                pass
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=LIMIT_S) == 0
        asking.send_signal(signal.SIGINT)
        asking.wait(timeout=LIMIT_S)

    (budget,) = [each for each in look["budgets"] if each["source"] == "budgets.usd_per_day"]
    assert budget["spent"] == 0
    assert budget["reserved"] > 0
    assert (look["spans"]["today"]["in_doubt"], look["usage"]["recovered_in_doubt"]) == (0, 0)


def test_a_run_that_died_is_left_for_the_next_agent_to_close(tmp_path: Path, quick: str) -> None:
    terminal = Terminal(tmp_path, None)
    terminal.configure(quick, BOUNDS)
    with terminal.start("ask", "--model", "sim-stall:where=headers", "--max-tokens", "50", "Hello") as asking:
        wait_until_working(quick, asking)
        os.kill(asking.pid, signal.SIGKILL)
        asking.wait(timeout=LIMIT_S)
    kept = sorted(path.name for path in tmp_path.rglob("*") if path.is_file())

    with terminal.start("usage", "--watch", "0.2", "--json") as process:
        looks = [watched(process) for _ in range(2)]
        process.send_signal(signal.SIGINT)
        process.wait(timeout=LIMIT_S)

    assert all(look["spans"]["today"]["in_doubt"] == 0 for look in looks)
    assert {"ledger.sqlite"} <= set(kept) <= {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert json.loads(terminal.run("usage", "--json").stdout)["total"]["in_doubt"] == 1


def test_on_a_pipe_it_writes_a_block_per_look_and_ctrl_c_is_a_good_end(tmp_path: Path, quick: str) -> None:
    terminal = Terminal(tmp_path, None)
    terminal.configure(quick, BOUNDS)
    terminal.run("ask", "--max-tokens", "50", "Hello")
    with terminal.start("usage", "--watch", "0.2") as process:
        assert process.stdout is not None
        read = b""
        while read.count(b"Ctrl-C ends it") < 3:
            read += process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest, said = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0
    assert said == b""
    assert b"\x1b" not in read + rest
    text = read.decode()
    assert "last minute      1" in text
    assert "budgets.rolling[0].tokens" in text


def test_on_a_terminal_each_look_takes_the_place_of_the_last(tmp_path: Path, quick: str) -> None:
    terminal = Terminal(tmp_path, quick)
    terminal.run("ask", "--max-tokens", "50", "Hello")
    ours, theirs = pty.openpty()
    terminal.environ["TERM"] = "xterm"
    with terminal.start("usage", "--watch", "0.2", stdout=theirs) as process:
        os.close(theirs)
        seen = b""
        while seen.count(b"\x1b[H\x1b[2J") < 2:
            ready, _, _ = select.select([ours], [], [], LIMIT_S)
            assert ready, seen
            seen += os.read(ours, 4096)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=LIMIT_S) == 0
    os.close(ours)


def test_it_waits_for_books_that_are_not_there_yet(tmp_path: Path, quick: str) -> None:
    terminal = Terminal(tmp_path, quick)
    with terminal.start("usage", "--watch", "0.2", "--json") as process:
        assert process.stderr is not None
        assert b"no books yet at" in process.stderr.readline()
        terminal.run("ask", "Hello")
        while watched(process)["spans"]["today"]["settled"] == 0:
            pass
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0


def test_a_reader_that_leaves_ends_it(tmp_path: Path, quick: str) -> None:
    terminal = Terminal(tmp_path, quick)
    terminal.run("ask", "Hello")
    with terminal.start("usage", "--watch", "0.1") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(timeout=LIMIT_S) == exits.BROKEN_PIPE


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--watch", "0"], "--watch: expected seconds, from 0.1 to 3600"),
        (["--watch", "nan"], "--watch: expected seconds"),
        (["--watch", "--csv"], "--watch: goes with --by"),
        (["--watch", "--in-doubt"], "--watch: goes with --by"),
        (["--watch", "--until", "1h"], "--watch: goes with --by"),
        (["--watch", "--ledger", "prose.txt"], "prose.txt"),
    ],
)
def test_what_cannot_be_watched_is_status_2(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "llm.toml").write_text("[providers.ollama]\n[ledger]\npath = 'none.sqlite'\n")
    (tmp_path / "prose.txt").write_text("This is no ledger, however long it is. " * 100)
    assert main(["usage", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
