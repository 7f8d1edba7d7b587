"""`manus usage`: the books as they stand in the file, whoever wrote them."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from manus.cli import main
from tests.cli.rig import LIMIT_S, TEXT, Terminal, simulated, wait_until_working


@pytest.fixture(scope="module")
def quick() -> Iterator[str]:
    with simulated("--text", TEXT, "--gap-s", "0") as base_url:
        yield base_url


def test_the_books_add_up_what_was_asked(tmp_path: Path, quick: str) -> None:
    terminal = Terminal(tmp_path, quick)
    told = [json.loads(terminal.run("ask", "--json", "Hello").stdout)["usage"] for _ in range(2)]

    done = terminal.run("usage", "--json")

    assert done.returncode == 0
    (line,) = json.loads(done.stdout)["lines"]
    assert (line["provider"], line["model"], line["requests"], line["settled"]) == ("sim", "sim-large", 2, 2)
    assert line["output_tokens"] == sum(usage["output_tokens"] for usage in told)
    assert line["cost_nano_usd"] == sum(usage["cost_nano_usd"] for usage in told)


def test_a_run_that_was_killed_is_closed_and_its_call_is_in_doubt(tmp_path: Path, quick: str) -> None:
    terminal = Terminal(tmp_path, quick)
    with terminal.start("ask", "--model", "sim-stall:where=headers", "Hello") as process:
        wait_until_working(quick, process)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(timeout=LIMIT_S)

    told = json.loads(terminal.run("usage", "--json").stdout)

    assert told["recovered_in_doubt"] == 1
    assert (told["total"]["in_doubt"], told["total"]["open"]) == (1, 0)
    assert told["total"]["in_doubt_cost_nano_usd"] > 0

    (doubted,) = json.loads(terminal.run("usage", "--in-doubt", "--json").stdout)["in_doubt"]

    assert (doubted["state"], doubted["usage"]["source"]) == ("in_doubt", "bound")
    assert doubted["cost_nano_usd"] == told["total"]["in_doubt_cost_nano_usd"]

    head, line = terminal.run("usage", "--in-doubt").stdout.decode().splitlines()

    assert head.split()[-6:] == ["INPUT", "<=", "OUTPUT", "<=", "COST", "<="]
    assert doubted["request_id"] in line
    assert line.split()[-1].startswith("$0.")


def test_the_table_has_a_line_per_model_and_a_total(tmp_path: Path, quick: str) -> None:
    terminal = Terminal(tmp_path, quick)
    terminal.run("ask", "Hello")
    terminal.run("ask", "--model", "sim-500", "Hello")

    lines = terminal.run("usage", "--days", "1").stdout.decode().splitlines()

    assert lines[0].split()[:5] == ["PROVIDER", "MODEL", "CALLS", "INPUT", "OUTPUT"]
    assert [line.split()[:2] for line in lines[1:]] == [["sim", "sim-500"], ["sim", "sim-large"], ["*", "*"]]
    assert "$0.0000" in lines[2]


def test_the_books_are_split_as_asked_and_written_as_asked(tmp_path: Path, quick: str) -> None:
    terminal = Terminal(tmp_path, quick)
    terminal.run("ask", "--label", "team-a", "--label", "night", "Hello")
    terminal.run("ask", "--label", "team-a", "Hello")
    terminal.run("ask", "Hello")

    by_tag = terminal.run("usage", "--by", "tag").stdout.decode().splitlines()
    told = json.loads(terminal.run("usage", "--by", "day,tag", "--since", "24h", "--json").stdout)
    head, *rows = csv.reader(io.StringIO(terminal.run("usage", "--by", "tag,model", "--csv").stdout.decode()))
    (key,) = json.loads(terminal.run("usage", "--by", "key", "--json").stdout)["lines"]
    nothing = json.loads(terminal.run("usage", "--until", "1h", "--json").stdout)

    assert [line.split()[:2] for line in by_tag] == [
        ["TAG", "CALLS"],
        ["-", "1"],
        ["night", "1"],
        ["team-a", "2"],
        ["*", "3"],
    ]
    assert told["by"] == ["day", "tag"]
    assert told["total"]["requests"] == 3
    assert {line["tag"]: line["requests"] for line in told["lines"]} == {None: 1, "night": 1, "team-a": 2}
    assert head[:3] == ["tag", "model", "requests"]
    assert [row[:3] for row in rows] == [
        ["", "sim-large", "1"],
        ["night", "sim-large", "1"],
        ["team-a", "sim-large", "2"],
    ]
    assert key["key"].startswith("sim#")
    assert nothing["total"]["requests"] == 0


def test_calls_in_doubt_are_written_as_csv_and_by_their_time(tmp_path: Path, quick: str) -> None:
    terminal = Terminal(tmp_path, quick)
    with terminal.start("ask", "--model", "sim-stall:where=headers", "Hello") as process:
        wait_until_working(quick, process)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(timeout=LIMIT_S)

    head, row = csv.reader(io.StringIO(terminal.run("usage", "--in-doubt", "--csv").stdout.decode()))
    earlier = terminal.run("usage", "--in-doubt", "--until", "1h", "--json").stdout

    assert dict(zip(head, row, strict=True))["deployment"] == "sim/sim-stall:where=headers"
    assert int(dict(zip(head, row, strict=True))["cost_nano_usd_max"]) > 0
    assert json.loads(earlier) == {"in_doubt": []}


def test_json_and_csv_are_not_both(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["usage", "--json", "--csv"]) == 2
    assert "not allowed with argument" in capsys.readouterr().err


def test_no_books_are_no_failure_and_none_are_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "llm.toml").write_text("[providers.ollama]\n[ledger]\npath = 'none.sqlite'\n")
    assert main(["usage"]) == 0
    assert "no books yet at" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["llm.toml"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--days", "0"], "--days: expected a number more than 0"),
        (["--days", "nan"], "--days: expected a number more than 0"),
        (["--days", "inf"], "and at most 36500"),
        (["--days", "1", "--since", "7d"], "--days: contradicts --since"),
        (["--since", "lately"], "--since: expected a time ago such as 90m, 24h, 7d or 4w"),
        (["--since", "999999999w"], "--since: is longer ago than a hundred years"),
        (["--since", "2100-01-01"], "--since: is not before now"),
        (["--since", "1h", "--until", "2h"], "--since: is not before --until"),
        (["--until", "soon"], "--until: expected a time ago"),
        (["--by", "colour"], "--by: expected provider, model, deployment"),
        (["--by", "modle"], "did you mean 'model'?"),
        (["--by", "model,model"], "--by: names model twice"),
        (["--config", "none.toml"], "does not exist"),
        (["--ledger", "prose.txt"], "prose.txt"),
    ],
)
def test_bad_input_is_status_2(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prose.txt").write_text("This is no ledger, however long it is. " * 100)
    assert main(["usage", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
