"""A ledger of an older version becomes one of today's with all it holds, whole or not at all, and adds up alike."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from manus.actors.ledger import schema
from manus.actors.ledger.file import APPLICATION_ID, LedgerUnusable, open_file, open_file_to_read, transaction
from manus.actors.ledger.records import AnyRecord
from manus.actors.ledger.schema import VERSIONS
from manus.actors.ledger.sqlite import all_rows, ingest
from manus.actors.ledger.sqlite_spent import usage_spent
from manus.actors.ledger.sqlite_sums import usage_sums
from manus.actors.ledger.sums import DAY_S
from manus.messages.accounting import Spent, SpentAsked, StatsAsked, UsageDimension
from manus.messages.limits import Scope
from tests.actors.books import dispatched, doubted, released, reserved, settled
from tests.kill.old_ledgers import VERSION_1

EVERY_WAY: tuple[tuple[UsageDimension, ...], ...] = (
    (),
    ("provider", "model"),
    ("deployment", "day"),
    ("key",),
    ("tag",),
    ("conversation", "tag"),
)


def history() -> list[AnyRecord]:
    records: list[AnyRecord] = []
    for number in range(60):
        name, at = f"r{number}", number * DAY_S / 7
        records.append(
            reserved(
                name,
                at=at,
                provider=("alpha", "beta")[number % 2],
                key_fingerprint=(None, "f1")[number % 3 == 0],
                conversation_id=(None, "c1", "c2", "")[number % 4],
                tags=((), ("x",), ("x", "y"))[number % 3],
            )
        )
        records.append(dispatched(name, at=at))
        if number % 5:
            records.append((settled, released, doubted)[number % 3](name, at=at + 1))
    return records


def make_first_version(path: Path) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.executescript(VERSION_1)
    connection.execute("PRAGMA user_version = 1")
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    with transaction(connection):
        ingest(connection, "old run", history())
    connection.close()


def totals(spent: Spent) -> list[int]:
    return [
        sum(getattr(bucket, name) for bucket in spent.buckets) for name in ("cost_nano_usd", "tokens", "open_tokens")
    ]


def test_a_file_of_the_first_version_adds_up_as_one_that_was_made_today(tmp_path: Path) -> None:
    make_first_version(tmp_path / "old.db")
    old = open_file(tmp_path / "old.db", durability="process", busy_s=1.0)
    new = open_file(tmp_path / "new.db", durability="process", busy_s=1.0)
    with transaction(new):
        ingest(new, "old run", history())
    assert list(all_rows(old)) == list(all_rows(new))
    for by in EVERY_WAY:
        assert usage_sums(old, StatsAsked(by=by)) == usage_sums(new, StatsAsked(by=by))
    fine_since = old.execute("SELECT since_unix_s FROM marks WHERE name = 'fine'").fetchone()[0]
    for kept in ("sums WHERE length_s > 300", f"sums WHERE start_unix_s >= {fine_since}", "conversation_sums"):
        found = list(old.execute(f"SELECT * FROM {kept}"))
        assert found == list(new.execute(f"SELECT * FROM {kept}"))
        assert found
    for now in (8.5 * DAY_S, 3 * DAY_S):
        asked = tuple(SpentAsked(scope=Scope(), since_unix_s=now - back) for back in (100.0, 3 * DAY_S))
        spent = [usage_spent(file, asked, now_unix_s=now, own_run_id="new run") for file in (old, new)]
        assert [totals(each) for each in spent[0]] == [totals(each) for each in spent[1]]
    ending = [settled("r0"), settled("r5")]  # were open all the while
    for connection in (old, new):
        with transaction(connection):
            ingest(connection, "old run", list(ending))
    assert usage_sums(old, StatsAsked(by=())) == usage_sums(new, StatsAsked(by=()))
    old.close()
    new.close()


def test_rows_are_added_up_a_few_at_a_time_and_each_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "FILL_IDS", 7)
    make_first_version(tmp_path / "old.db")
    old = open_file(tmp_path / "old.db", durability="process", busy_s=1.0)
    (total,) = usage_sums(old, StatsAsked(by=()))
    assert (total.requests, total.open) == (60, 12)
    old.close()


def test_a_program_of_the_first_version_that_still_runs_keeps_the_sums_right(tmp_path: Path) -> None:
    """Its connection was open before; it knows of no sums, and the triggers in the file work for it all the same."""
    path = tmp_path / "old.db"
    make_first_version(path)
    still_there = sqlite3.connect(path, isolation_level=None)
    assert still_there.execute("SELECT count(*) FROM attempts").fetchone() == (60,)
    open_file(path, durability="process", busy_s=1.0).close()
    with transaction(still_there):
        ingest(still_there, "old run", [settled("r0"), reserved("another", at=5.0), settled("another")])
    still_there.close()
    connection = open_file(path, durability="process", busy_s=1.0)
    (total,) = usage_sums(connection, StatsAsked(by=()))
    assert (total.requests, total.open) == (61, 11)
    connection.close()


DIES_WHILE_UPGRADING = """
import os, signal, sys
from pathlib import Path
from manus.actors.ledger import file, schema
def dies(connection):
    fill(connection)
    if sys.argv[2] == "before the commit":
        os.kill(os.getpid(), signal.SIGKILL)
fill, schema._fill_sums = schema._fill_sums, dies
file.open_file(Path(sys.argv[1]), durability="process", busy_s=1.0)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("when", ["before the commit", "after the commit"])
def test_an_upgrade_that_is_killed_is_done_again_or_was_done(tmp_path: Path, when: str) -> None:
    path = tmp_path / "old.db"
    make_first_version(path)
    child = subprocess.run([sys.executable, "-c", DIES_WHILE_UPGRADING, str(path), when], check=False)
    assert child.returncode == -signal.SIGKILL
    reader = sqlite3.connect(path)
    assert reader.execute("PRAGMA user_version").fetchone() == (1 if when == "before the commit" else len(VERSIONS),)
    reader.close()
    connection = open_file(path, durability="process", busy_s=1.0)
    (total,) = usage_sums(connection, StatsAsked(by=()))
    assert (total.requests, total.open) == (60, 12)
    connection.close()


def test_several_may_open_an_old_file_at_once(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    make_first_version(path)
    opening = (
        "from manus.actors.ledger.file import open_file; from pathlib import Path; import sys; "
        "open_file(Path(sys.argv[1]), durability='process', busy_s=20.0).close()"
    )
    children = [subprocess.Popen([sys.executable, "-c", opening, str(path)]) for _ in range(3)]
    assert [child.wait() for child in children] == [0, 0, 0]
    connection = open_file(path, durability="process", busy_s=1.0)
    assert usage_sums(connection, StatsAsked(by=()))[0].requests == 60
    connection.close()


def test_who_only_reads_is_told_that_the_file_is_old(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    make_first_version(path)
    before = path.read_bytes()
    with pytest.raises(LedgerUnusable, match="older version"):
        open_file_to_read(path, busy_s=1.0)
    assert path.read_bytes() == before
