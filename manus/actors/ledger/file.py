"""Own the ledger's SQLite file: how it is opened, what is refused, and when it is brought up to date.

Several processes use one file: WAL, `BEGIN IMMEDIATE`, and a bounded wait for each other. A file that is not
ours, damaged, or newer than this program is refused and left as it is. Nothing here runs on the loop's thread.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from manus.actors.ledger.schema import VERSIONS, upgrade

APPLICATION_ID = 0x4D616E75
"""Marks the file as ours ("Manu"), so that another program's database is not taken for a ledger."""


class LedgerUnusable(Exception):
    """The ledger cannot be opened; the text names the file, the reason and the mend. The file is left as it is."""


def unusable(path: Path, error: sqlite3.Error) -> LedgerUnusable:
    """Say what is wrong with the ledger at `path`, and what to do about it."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # without what is specific to one operation
    match code:
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            mend = "restore it or move it aside, and a new one is begun"
            return LedgerUnusable(f"the ledger {path} is damaged: {error}; {mend}")
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            mend = "another program holds it for longer than ledger.busy_s; end that, and try again"
        case sqlite3.SQLITE_FULL:
            mend = "make room on its disk, or set ledger.path"
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
            mend = "set ledger.path to a writable place"
        case _:
            mend = "restore it or move it aside, and a new one is begun"
    return LedgerUnusable(f"the ledger {path} cannot be used: {error}; {mend}")


def open_file(path: Path, *, durability: Literal["process", "power"], busy_s: float) -> sqlite3.Connection:
    """Open the ledger at `path`, made and brought up to date if need be. Blocks; the connection may change threads.

    Raises:
        LedgerUnusable: it is no ledger, a newer one, damaged, locked for longer than `busy_s`, or not writable.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        connection = sqlite3.connect(path, timeout=busy_s, isolation_level=None, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise LedgerUnusable(
            f"the ledger {path} cannot be opened: {error}; set ledger.path to a writable place"
        ) from None
    with contextlib.ExitStack() as undo:
        undo.callback(connection.close)
        try:
            _check(connection, path)
            _use_wal(connection, busy_s)
            connection.execute(f"PRAGMA synchronous = {'FULL' if durability == 'power' else 'NORMAL'}")
            _migrate(connection)
        except sqlite3.Error as error:
            raise unusable(path, error) from None
        undo.pop_all()
    return connection


def open_file_to_read(path: Path, *, busy_s: float) -> sqlite3.Connection:
    """Open the ledger at `path` to read only: nothing is made, changed or locked.

    Raises:
        LedgerUnusable: there is none, or it is not one that this version can read.
    """
    with contextlib.ExitStack() as undo:
        try:
            uri = f"{path.absolute().as_uri()}?mode=ro"
            connection = sqlite3.connect(uri, uri=True, timeout=busy_s, isolation_level=None)
            undo.callback(connection.close)
            _check(connection, path)
            if _version(connection) < len(VERSIONS):
                raise LedgerUnusable(f"the ledger {path} is of an older version; the next run of the agent updates it")
        except sqlite3.Error as error:
            raise LedgerUnusable(f"the ledger {path} cannot be read: {error}") from None
        undo.pop_all()
    return connection


def _check(connection: sqlite3.Connection, path: Path) -> None:
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    if tables and application != APPLICATION_ID:
        raise LedgerUnusable(f"{path} is a database of another program; set ledger.path to a place of its own")
    if _version(connection) > len(VERSIONS):
        known = f"version {_version(connection)}, and this program knows {len(VERSIONS)}"
        raise LedgerUnusable(f"the ledger {path} is of {known}; update the program")


def _use_wal(connection: sqlite3.Connection, busy_s: float) -> None:
    # Changing the journal mode does not wait for the lock by itself, and several processes may start at once.
    give_up_at = time.monotonic() + busy_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > give_up_at:
                raise
            time.sleep(0.02)


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _migrate(connection: sqlite3.Connection) -> None:
    # Begun even if there is nothing to do: who cannot write is told so now. Then nothing is written either.
    with transaction(connection):
        version = _version(connection)
        if version == len(VERSIONS):
            return
        for older in range(version, len(VERSIONS)):
            upgrade(connection, older)
            connection.execute(f"PRAGMA user_version = {older + 1}")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Do the block whole or not at all, as the only writer of the file."""
    with _between(connection, "BEGIN IMMEDIATE"):
        yield


@contextlib.contextmanager
def one_state(connection: sqlite3.Connection) -> Iterator[None]:
    """See one state of the file for as long as the block lasts; what it writes is of temporary tables alone."""
    with _between(connection, "BEGIN"):
        yield


@contextlib.contextmanager
def _between(connection: sqlite3.Connection, begin: str) -> Iterator[None]:
    connection.execute(begin)
    done = False
    try:
        yield
        connection.execute("COMMIT")
        done = True
    finally:
        if not done:
            with contextlib.suppress(sqlite3.Error):  # the first error tells; there may be nothing left to undo
                connection.execute("ROLLBACK")
