"""A user whose ledger cannot be used is told so at once, by `manus` and by a program: what, where, and the mend.

In each case nothing is sent, and what lies there stays as it is, byte for byte.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

import manus
from manus.actors.ledger.file import open_file
from manus.opening import open_agent
from tests.cli.rig import LIMIT_S, Terminal, simulated
from tests.face.rig import Rig, config


@pytest.fixture(scope="module")
def sim() -> Iterator[str]:
    with simulated("--text", "It is answered.", "--gap-s", "0") as base_url:
        yield base_url


def a_text(place: Path) -> Path:
    path = place / "ledger.sqlite"
    path.write_text("these are my notes of Tuesday, and not a database at all\n" * 40)
    return path


def a_cut_ledger(place: Path) -> Path:
    path = a_ledger(place)
    path.write_bytes(path.read_bytes()[:1500])
    return path


def a_ledger_with_damaged_pages(place: Path) -> Path:
    """Make one whose beginning is whole, so that only reading on finds out."""
    path = a_ledger(place)
    data = bytearray(path.read_bytes())
    for page in range(1, len(data) // 4096):
        data[page * 4096 : page * 4096 + 200] = b"\xff" * 200
    path.write_bytes(data)
    return path


def a_newer_ledger(place: Path) -> Path:
    path = a_ledger(place)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    return path


def anothers_database(place: Path) -> Path:
    path = place / "ledger.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE songs (title TEXT)")
        connection.execute("INSERT INTO songs VALUES ('Harbour lights')")
        connection.commit()
    return path


def a_directory(place: Path) -> Path:
    (place / "ledger.sqlite").mkdir()
    (place / "ledger.sqlite" / "kept").write_text("kept")
    return place / "ledger.sqlite" / "kept"


def a_ledger(place: Path) -> Path:
    """Make a ledger as a first start does."""
    path = place / "ledger.sqlite"
    open_file(path, durability="process", busy_s=1.0).close()
    return path


TROUBLES: dict[Callable[[Path], Path], tuple[str, str]] = {
    a_text: ("file is not a database", "move it aside"),
    a_cut_ledger: ("malformed", "move it aside"),
    a_ledger_with_damaged_pages: ("malformed", "move it aside"),
    a_newer_ledger: ("is of version 99", "update the program"),
    anothers_database: ("is a database of another program", "set ledger.path"),
    a_directory: ("cannot be opened", "set ledger.path"),
}
"""What may lie where the ledger should be, what is said of it, and the mend."""


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.__name__)
def test_what_is_no_ledger_of_ours_is_refused_by_name_and_left_as_it_is(
    tmp_path: Path, sim: str, trouble: Callable[[Path], Path]
) -> None:
    terminal = Terminal(tmp_path, sim)
    found = trouble(tmp_path)
    before = found.read_bytes()
    what, mend = TROUBLES[trouble]

    for command in (("ask", "Hello"), ("usage",)):
        done = terminal.run(*command)

        said = done.stderr.decode()
        assert done.returncode == 2, said
        assert done.stdout == b""
        assert str(tmp_path / "ledger.sqlite") in said
        assert what in said
        assert mend in said
        assert len(said.splitlines()) == 1, "one error, in one line"
    assert found.read_bytes() == before


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.__name__)
async def test_a_program_is_told_the_same_before_anything_is_sent(
    tmp_path: Path, trouble: Callable[[Path], Path]
) -> None:
    found = trouble(tmp_path)
    before = found.read_bytes()
    rig = Rig()
    what, _ = TROUBLES[trouble]
    tables = config(ledger={"path": str(tmp_path / "ledger.sqlite")})
    with pytest.raises(manus.ConfigurationError, match=what):
        async with open_agent(tables, transports=rig.transports()) as agent:
            await agent.generate("Hello")
    assert len(rig.first.bill) == 0
    assert found.read_bytes() == before


# -- places that cannot be written


BOUND_BY_PERMISSIONS = (
    "import ctypes, os, sys; "
    "assert os.geteuid() != 0 or ctypes.CDLL(None).prctl(24, 1, 0, 0, 0) == 0; "  # PR_CAPBSET_DROP, CAP_DAC_OVERRIDE
    "os.execv(sys.argv[1], sys.argv[1:])"
)
"""Runs a command as somebody whom permissions bind, root too."""


def run_through(launcher: str, terminal: Terminal, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run `manus` after a launcher has taken something away from the process."""
    done = subprocess.run(
        [sys.executable, "-c", launcher, sys.executable, "-m", "manus", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        cwd=terminal.directory,
        env=terminal.environ,
        timeout=LIMIT_S,
        check=False,
    )
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    return done


def test_a_directory_that_may_not_be_written_is_refused_by_name(tmp_path: Path, sim: str) -> None:
    terminal = Terminal(tmp_path, sim)
    tmp_path.chmod(0o555)
    try:
        done = run_through(BOUND_BY_PERMISSIONS, terminal, "ask", "Hello")
    finally:
        tmp_path.chmod(0o755)

    said = done.stderr.decode()
    assert done.returncode == 2, said
    assert f"the ledger {tmp_path / 'ledger.sqlite'} cannot be opened: [Errno 13] Permission denied" in said
    assert "set ledger.path to a writable place" in said
    assert done.stdout == b""
    assert [path.name for path in tmp_path.iterdir()] == ["llm.toml"]


def test_a_ledger_that_may_only_be_read_is_refused_and_left_as_it_is(tmp_path: Path, sim: str) -> None:
    terminal = Terminal(tmp_path, sim)
    path = a_ledger(tmp_path)
    path.chmod(0o444)
    before = path.read_bytes()

    done = run_through(BOUND_BY_PERMISSIONS, terminal, "ask", "Hello")

    said = done.stderr.decode()
    assert done.returncode == 2, said
    assert f"the ledger {path} cannot be opened: [Errno 13] Permission denied" in said
    assert path.read_bytes() == before


def test_a_file_in_the_place_of_a_directory_is_refused_by_name(tmp_path: Path, sim: str) -> None:
    (tmp_path / "llm.toml").write_text("")
    terminal = Terminal(tmp_path, sim)
    text = (tmp_path / "llm.toml").read_text().replace("ledger.sqlite", "books/of/mine.sqlite")
    (tmp_path / "llm.toml").write_text(text)
    (tmp_path / "books").write_text("a file, and not a directory")

    done = terminal.run("ask", "Hello")

    said = done.stderr.decode()
    assert done.returncode == 2, said
    assert f"the ledger {tmp_path / 'books/of/mine.sqlite'} cannot be opened" in said
    assert "Not a directory" in said or "File exists" in said
    assert "set ledger.path to a writable place" in said
    assert (tmp_path / "books").read_text() == "a file, and not a directory"


def test_a_directory_on_the_way_is_made(tmp_path: Path, sim: str) -> None:
    terminal = Terminal(tmp_path, sim)
    text = (tmp_path / "llm.toml").read_text().replace("ledger.sqlite", "books/of/mine.sqlite")
    (tmp_path / "llm.toml").write_text(text)
    assert terminal.run("ask", "Hello").returncode == 0
    assert (tmp_path / "books/of/mine.sqlite").stat().st_mode & 0o777 == 0o600


FULL_AT_BYTES = 1024 * 1024
"""Less than one segment of the journal takes."""

WITH_LITTLE_ROOM = (
    "import os, resource, sys; "
    f"resource.setrlimit(resource.RLIMIT_FSIZE, ({FULL_AT_BYTES}, {FULL_AT_BYTES})); "
    "os.execv(sys.argv[1], sys.argv[1:])"
)


def test_a_disk_without_room_for_the_journal_is_refused_and_nothing_is_left(tmp_path: Path, sim: str) -> None:
    terminal = Terminal(tmp_path, sim)

    done = run_through(WITH_LITTLE_ROOM, terminal, "ask", "Hello")

    said = done.stderr.decode()
    assert done.returncode == 2, said
    assert f"{tmp_path / 'ledger.sqlite'}" in said
    assert "File too large" in said
    assert "make room, or set ledger.path" in said
    assert done.stdout == b""
    assert list((tmp_path / "ledger.sqlite.runs").iterdir()) == [], "what was begun was taken away again"
    assert terminal.run("ask", "Hello").returncode == 0, "with room again it goes on"


def test_a_ledger_that_somebody_holds_for_long_is_refused_in_time(tmp_path: Path, sim: str) -> None:
    terminal = Terminal(tmp_path, sim)
    path = a_ledger(tmp_path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")

        done = terminal.run("ask", "Hello")

        said = done.stderr.decode()
        assert done.returncode == 2, said
        assert f"the ledger {path} cannot be used: database is locked" in said
        assert done.stdout == b""
        connection.execute("ROLLBACK")
    assert terminal.run("ask", "Hello").returncode == 0


# -- configurations that would make wrong books

WRONG: dict[str, tuple[str, str]] = {
    "models = [{ name = 'sim-large', cost_per_input = -1.0, cost_per_output = 2.0 }]": (
        "providers.sim.models[0].cost_per_input",
        "-1",
    ),
    "models = [{ name = 'sim-large', cost_per_input = 1.0, cost_per_output = '2 EUR' }]": (
        "providers.sim.models[0].cost_per_output",
        "USD per million tokens",
    ),
    "[budgets]\nusd_per_day = -5": ("budgets.usd_per_day", "-5"),
    "[budgets]\nusd_per_day = '5 EUR'": ("budgets.usd_per_day", "an amount of USD"),
    "[budgets]\neur_per_day = 5": ("budgets.eur_per_day", "usd_per_day"),
    "[ledger]\ndurability = 'always'": ("ledger.durability", "power"),
    "[ledger]\nkeep_days = -1": ("ledger.keep_days", "days"),
}
"""What is written, the place that is named, and a word of what is said of it."""


@pytest.mark.parametrize("wrong", WRONG)
def test_a_configuration_that_would_make_wrong_books_is_refused_by_file_and_field(
    tmp_path: Path, sim: str, wrong: str
) -> None:
    terminal = Terminal(tmp_path, None)
    models = "" if wrong.startswith("models") else "models = [{ name = 'sim-large' }]\n"
    provider = f"[providers.sim]\ntype = 'openai'\nbase_url = '{sim}'\napi_key = 'none'\n"
    (tmp_path / "llm.toml").write_text(f"{provider}{models}{wrong}\n")
    field, word = WRONG[wrong]

    for command in (("ask", "Hello"), ("usage",), ("config", "check")):
        done = terminal.run(*command)

        said = (done.stderr + done.stdout).decode()
        assert done.returncode == 2, said
        (line,) = [line for line in said.splitlines() if field in line]
        assert "llm.toml" in line
        assert word in line
    assert [path.name for path in tmp_path.iterdir()] == ["llm.toml"]


@pytest.mark.parametrize("field", ["usd_per_request", "usd_per_day", "usd_per_month", "tokens_per_day"])
def test_a_budget_that_no_request_fits_into_is_warned_of_and_refuses_by_name(
    tmp_path: Path, sim: str, field: str
) -> None:
    terminal = Terminal(tmp_path, None)
    terminal.configure(sim, more=f"[budgets]\n{field} = {10 if field.startswith('tokens') else 0.0000001}\n")

    done = terminal.run("ask", "Hello")

    warning, refusal, *rest = done.stderr.decode().splitlines()
    assert done.returncode == 3
    assert f"budgets.{field}" in warning
    assert "llm.toml" in warning
    assert f"(budgets.{field}" in refusal
    assert "Set a lower max_tokens, or raise" in refusal
    assert any("nothing was sent" in line for line in rest)
    assert done.stdout == b""
    told = json.loads(terminal.run("usage", "--json").stdout)["total"]
    assert (told["settled"], told["in_doubt"], told["cost_nano_usd"]) == (0, 0, 0)
