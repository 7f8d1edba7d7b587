"""`manus ask` when the first choice fails: where the question goes, and how that is told."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.rig import TEXT, Terminal, simulated


@pytest.fixture(scope="module")
def quick() -> Iterator[str]:
    with simulated("--text", TEXT, "--gap-s", "0") as base_url:
        yield base_url


@pytest.fixture
def terminal(tmp_path: Path, quick: str) -> Terminal:
    made = Terminal(tmp_path, quick)
    made.configure(quick, "[retry]\nsame_deployment = 0\n")
    return made


FAILING = ("--model", "sim-500", "--fallback", "sim/sim-large")
CUT = ("--model", "sim-cut-body", "--fallback", "sim/sim-large")


def test_the_route_is_told_where_it_is_asked_for(terminal: Terminal) -> None:
    done = terminal.run("ask", "-v", *FAILING, "Hello")
    assert (done.returncode, done.stdout.decode()) == (0, TEXT + "\n")
    story = done.stderr.decode()
    assert re.search(
        r"^\[route by priority: 2 candidates, 0 left out\]\n"
        r"\[1\. +sim/sim-500 +asked first +0\.00 to \d+\.\d\d s +server +released +cost .*\]\n"
        r"\[2\. +sim/sim-large +asked next +\d+\.\d\d to \d+\.\d\d s +first word \d+\.\d\d s +ok +settled +cost \$0\.0",
        story,
        re.MULTILINE,
    ), story
    assert "sim/sim-large | stop | " in story


def test_what_was_set_aside_and_what_of_it_was_used_is_told(terminal: Terminal) -> None:
    story = terminal.run("ask", "-v", "--max-tokens", "50", *FAILING, "Hello").stderr.decode()
    failed, answered = re.findall(r"^\[\d\. set aside (.*)\]$", story, re.MULTILINE)
    assert re.fullmatch(r"\d+ in \+ \d+ out tokens \(\S+\), at most \d+ in .*; nothing was billed", failed)
    assert re.fullmatch(r".*; used \d+ in \+ \d+ out tokens \(\$0\.0000\d+\), reported", answered)


@pytest.mark.parametrize(
    ("bounds", "error"),
    [
        ("[budgets]\ntokens_per_day = 100\n", "BudgetExceededError"),
        ("[limits]\ntokens_per_minute = 60\n", "RateLimitError"),
    ],
)
def test_what_a_bound_of_ones_own_refuses_is_status_3_and_says_so(
    terminal: Terminal, quick: str, bounds: str, error: str
) -> None:
    terminal.configure(quick, bounds)
    arguments = ("ask", "--json", "--no-fallback", "--timeout", "1")
    done = terminal.run(*arguments, "--max-tokens", "90", "Hello")
    assert done.returncode == 3
    assert json.loads(done.stdout)["error"]["type"] == error
    assert b"[nothing was sent | req-" in done.stderr


def test_without_asking_only_those_who_failed_are_told(terminal: Terminal) -> None:
    story = terminal.run("ask", *FAILING, "Hello").stderr.decode()
    assert "[sim/sim-500: server]" in story
    assert "route by" not in story


def test_the_route_of_a_failure_is_told_too_and_why_it_ended(terminal: Terminal) -> None:
    done = terminal.run("ask", "--route", "--model", "sim-500", "--no-fallback", "Hello")
    assert (done.returncode, done.stdout) == (1, b"")
    story = done.stderr.decode()
    assert re.search(r"\[1\. +sim/sim-500 +asked first", story)
    assert "[then no more: no candidate is left]" in story


def test_json_holds_the_whole_route(terminal: Terminal) -> None:
    told = json.loads(terminal.run("ask", "--json", *FAILING, "Hello").stdout)
    assert [each["deployment"] for each in told["route"]["candidates"]] == ["sim/sim-500", "sim/sim-large"]
    assert [each["result"] for each in told["route"]["attempts"]] == ["server", "ok"]
    assert told["route"]["attempts"][1]["role"] == "failover"


def test_json_of_a_failure_holds_the_route_and_the_error(terminal: Terminal) -> None:
    done = terminal.run("ask", "--json", "--model", "sim-500", "--no-fallback", "Hello")
    told = json.loads(done.stdout)["error"]
    assert done.returncode == 1
    assert (told["kind"], told["attempts"]) == ("server", 1)
    assert told["route"]["attempts"][0]["failure"]["status"] == 500
    assert told["route"]["gave_up"]


def test_a_stream_that_breaks_off_is_taken_up_and_the_reader_does_not_notice(terminal: Terminal) -> None:
    done = terminal.run("ask", "-v", *CUT, "Hello")
    assert (done.returncode, done.stdout.decode()) == (0, TEXT + "\n"), done.stderr.decode()
    assert re.search(r"\[2\. +sim/sim-large +(continued the stream|answered anew, spliced in)", done.stderr.decode())


def test_an_answer_that_begins_anew_begins_on_a_line_of_its_own(terminal: Terminal) -> None:
    done = terminal.run("ask", "--on-interrupt", "restart", *CUT, "Hello")
    begun, whole = done.stdout.decode().splitlines()
    assert done.returncode == 0
    assert begun
    assert TEXT.startswith(begun)
    assert whole == TEXT
    assert "[the answer begins anew: " in done.stderr.decode()


def test_an_interruption_may_be_the_end(terminal: Terminal) -> None:
    done = terminal.run("ask", "--on-interrupt", "error", *CUT, "Hello")
    assert done.returncode == 1
    assert done.stdout
    assert TEXT.startswith(done.stdout.decode().strip())
