"""`manus tokens`: counts of a file or of stdin, with how they are known, and no configuration read."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from manus.actors.estimates.tokenizer import is_installed
from tests.cli.rig import Terminal
from tests.shared_data import unavailable

TEXT = "The harbour master keeps a ledger of every boat that leaves before dawn.\n"


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    made = Terminal(tmp_path, None)
    (tmp_path / "llm.toml").write_text("nothing = that could be read")
    (tmp_path / "told.txt").write_text(TEXT)
    return made


@pytest.fixture
def installed() -> None:
    if not is_installed():
        unavailable("the extra `manus-llm[tokens]` is not installed")


def test_an_estimate_says_by_what_and_how_near(terminal: Terminal) -> None:
    done = terminal.run("tokens", "--estimate", "told.txt")
    assert (done.returncode, done.stderr) == (0, b"")
    line = done.stdout.decode()
    told = re.fullmatch(
        r"(\d+) tokens \(estimated by classes of characters, mostly within (\d+) %; at most (\d+)\)\n", line
    )
    assert told is not None, line
    assert 12 <= int(told[1]) <= 20
    assert int(told[3]) == len(TEXT)


@pytest.mark.usefixtures("installed")
def test_a_model_of_openai_is_counted_exactly_with_its_template(terminal: Terminal) -> None:
    alone = json.loads(terminal.run("tokens", "--json", stdin=TEXT.encode()).stdout)
    done = terminal.run("tokens", "-", "--model", "gpt-4o", "--exact", "--json", stdin=TEXT.encode())
    told = json.loads(done.stdout)
    assert (done.returncode, told["kind"], told["vocabulary"]) == (0, "exact", "o200k_base")
    assert (alone["kind"], alone["model"], told["model"]) == ("exact", None, "gpt-4o")
    assert told["tokens"] == alone["tokens"] + 7, "three for the conversation, four for its turn"
    assert told["bound"] > len(TEXT)


@pytest.mark.usefixtures("installed")
def test_what_nobody_publishes_is_estimated_and_refused_where_exact_is_asked_for(terminal: Terminal) -> None:
    told = json.loads(terminal.run("tokens", "--model", "claude-sonnet-4-6", "--json", "told.txt").stdout)
    assert (told["kind"], told["family"], told["vocabulary"]) == ("estimated", "claude 4.5 and 4.6", "o200k_base")
    done = terminal.run("tokens", "--model", "claude-sonnet-4-6", "--exact", "told.txt")
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"leave out --exact" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "stdin", "words"),
    [
        (("nowhere.txt",), b"", b"cannot be read"),
        (("-",), b"\xff\xfe\x00", b"no UTF-8"),
        (("--exact", "--estimate"), b"", b"not allowed"),
    ],
    ids=["no file", "no text", "both"],
)
def test_bad_input_is_named(terminal: Terminal, arguments: tuple[str, ...], stdin: bytes, words: bytes) -> None:
    done = terminal.run("tokens", *arguments, stdin=stdin)
    assert (done.returncode, done.stdout) == (2, b"")
    assert words in done.stderr


def test_nothing_at_all_has_no_tokens(terminal: Terminal) -> None:
    assert json.loads(terminal.run("tokens", "--estimate", "--json", stdin=b"").stdout)["tokens"] == 0
