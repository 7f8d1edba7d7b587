"""The ledger's file is opened or refused, and what is refused is left as it is."""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
from pathlib import Path

import pytest

from manus.actors.ledger.file import (
    APPLICATION_ID,
    LedgerUnusable,
    open_file,
    open_file_to_read,
    transaction,
)
from manus.actors.ledger.schema import VERSIONS
from manus.actors.ledger.sqlite import all_rows, ingest
from tests.actors.books import reserved, settled


def test_a_new_ledger_is_private_and_marked_as_ours(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "ledger.db"
    connection = open_file(path, durability="process", busy_s=1.0)
    assert path.stat().st_mode & 0o777 == 0o600
    assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
    assert connection.execute("PRAGMA user_version").fetchone() == (len(VERSIONS),)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


@pytest.mark.parametrize(("durability", "level"), [("process", 1), ("power", 2)])
def test_power_durability_syncs_every_commit(tmp_path: Path, durability: str, level: int) -> None:
    connection = open_file(tmp_path / "ledger.db", durability=durability, busy_s=1.0)  # type: ignore[arg-type]
    assert connection.execute("PRAGMA synchronous").fetchone() == (level,)
    connection.close()


def test_a_ledger_opened_again_keeps_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    for run_id in ("one", "two"):
        connection = open_file(path, durability="process", busy_s=1.0)
        with transaction(connection):
            ingest(connection, run_id, [reserved(), settled()])
        connection.close()
    connection = open_file_to_read(path, busy_s=1.0)
    assert [row.run_id for row in all_rows(connection)] == ["one", "two"]
    connection.close()


def refusal(path: Path) -> str:
    before = path.read_bytes()
    with pytest.raises(LedgerUnusable) as refused:
        open_file(path, durability="process", busy_s=0.1)
    assert path.read_bytes() == before, "what is refused is left as it is"
    assert str(path) in str(refused.value)
    with pytest.raises(LedgerUnusable):
        open_file_to_read(path, busy_s=0.1)
    return str(refused.value)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(b"this is a letter to my aunt\n" * 100)
    assert "not a database" in refusal(path)


def test_the_database_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE cats (name TEXT)")
    other.close()
    assert "another program" in refusal(path)


def test_a_newer_ledger_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    connection = open_file(path, durability="process", busy_s=1.0)
    connection.execute(f"PRAGMA user_version = {len(VERSIONS) + 1}")
    connection.close()
    assert "update the program" in refusal(path)


def test_a_cut_ledger_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    connection = open_file(path, durability="process", busy_s=1.0)
    with transaction(connection):
        ingest(connection, "run", [reserved(f"r{number}") for number in range(500)])
    connection.close()
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert "malformed" in refusal(path)


def test_a_directory_in_the_place_of_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LedgerUnusable, match=r"ledger\.path"):
        open_file(tmp_path, durability="process", busy_s=0.1)


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS, errno.ENOSPC])
def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def refuse(*_: object) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "open", refuse)  # root, as whom tests may run, may write everywhere
    with pytest.raises(LedgerUnusable, match=r"ledger\.path") as refused:
        open_file(tmp_path / "ledger.db", durability="process", busy_s=0.1)
    assert os.strerror(code) in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_reading_makes_no_ledger_where_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(LedgerUnusable):
        open_file_to_read(tmp_path / "ledger.db", busy_s=0.1)
    assert list(tmp_path.iterdir()) == []


def test_a_file_locked_for_too_long_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    holder = open_file(path, durability="process", busy_s=1.0)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(LedgerUnusable, match="locked"):
        open_file(path, durability="process", busy_s=0.05)
    holder.close()


def test_several_processes_may_begin_the_same_ledger_at_once(tmp_path: Path) -> None:
    # Threads with connections of their own contend for the file as processes do.
    path = tmp_path / "ledger.db"
    outcomes: list[str] = []

    def open_and_write(run_id: str) -> None:
        try:
            connection = open_file(path, durability="process", busy_s=20.0)
            for number in range(20):
                with transaction(connection):
                    ingest(connection, run_id, [reserved(f"r{number}"), settled(f"r{number}")])
            connection.close()
            outcomes.append("ok")
        except (LedgerUnusable, sqlite3.Error) as error:
            outcomes.append(str(error))

    threads = [threading.Thread(target=open_and_write, args=(f"run{number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == ["ok"] * 6
    connection = open_file_to_read(path, busy_s=1.0)
    assert sum(1 for _ in all_rows(connection)) == 120
    connection.close()


def test_a_failed_transaction_leaves_nothing(tmp_path: Path) -> None:
    connection = open_file(tmp_path / "ledger.db", durability="process", busy_s=1.0)

    def write_and_fail() -> None:
        with transaction(connection):
            ingest(connection, "run", [reserved()])
            raise KeyError("in the middle")

    with pytest.raises(KeyError):
        write_and_fail()
    assert list(all_rows(connection)) == []
    with transaction(connection):
        ingest(connection, "run", [reserved()])
    connection.close()
