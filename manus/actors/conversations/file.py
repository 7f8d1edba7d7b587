"""Own the SQLite file of conversations: how it is opened, what is refused, its tables and how changes become rows.

One process has the file at a time, for it holds all of it in memory. A file that is not ours, damaged, held by another
process, or newer than this program is refused and left as it is. Nothing here runs on the loop's thread.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final, assert_never

import msgspec

from manus.actors.conversations.history import History
from manus.actors.conversations.store import Change, ConversationKept, ConversationRemoved
from manus.actors.ledger.file import transaction
from manus.messages.content import Turn
from manus.messages.conversations import Exchange

APPLICATION_ID: Final = 0x4D43766E
"""Marks the file as ours ("MCvn"), so that a ledger or another program's database is not taken for one."""

VERSION_1: Final = (
    """
    CREATE TABLE conversations (
        id TEXT PRIMARY KEY,
        system BLOB NOT NULL,
        created_unix_s REAL NOT NULL,
        used_unix_s REAL NOT NULL,
        first INTEGER NOT NULL
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE exchanges (
        conversation_id TEXT NOT NULL REFERENCES conversations (id),
        number INTEGER NOT NULL,
        body BLOB NOT NULL,
        PRIMARY KEY (conversation_id, number)
    ) WITHOUT ROWID
    """,
)

VERSIONS: Final = (VERSION_1,)
"""What turns a file of version n into one of version n + 1. Only ever appended to."""

_KEEP = (
    "INSERT INTO conversations (id, system, created_unix_s, used_unix_s, first) VALUES (?, ?, ?, ?, ?) "
    "ON CONFLICT (id) DO UPDATE SET system = excluded.system, created_unix_s = excluded.created_unix_s, "
    "used_unix_s = excluded.used_unix_s, first = excluded.first"
)
_SAY = (
    "INSERT INTO exchanges (conversation_id, number, body) VALUES (?, ?, ?) "
    "ON CONFLICT (conversation_id, number) DO UPDATE SET body = excluded.body"
)
_FORGET = "DELETE FROM exchanges WHERE conversation_id = ? AND (number < ? OR number >= ?)"

MOVE_ASIDE: Final = "restore the file or move it aside, and a new one is begun"

_turns = msgspec.json.Decoder(tuple[Turn, ...])
_exchange = msgspec.json.Decoder(Exchange)


class ConversationsUnusable(Exception):
    """The file cannot be used; the text names it, the reason and the mend. The file is left as it is."""


def open_file(path: Path, *, busy_s: float) -> sqlite3.Connection:
    """Open the file at `path`, made and brought up to date if need be. Blocks; the connection may change threads.

    Raises:
        ConversationsUnusable: it is no such file, a newer one, damaged, held by another process, or not writable.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        connection = sqlite3.connect(path, timeout=busy_s, isolation_level=None, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise _unusable(path, f"cannot be opened: {error}", "set conversations.path to a writable place") from None
    with contextlib.ExitStack() as undo:
        undo.callback(connection.close)
        try:
            # Before anything is read: the lock that the first access takes is then held for as long as the file is.
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("COMMIT")
            _check(connection, path)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA secure_delete = ON")  # what was deleted is gone from the file too
            _migrate(connection)
        except sqlite3.Error as error:
            raise trouble_with(path, error) from None
        undo.pop_all()
    return connection


def trouble_with(path: Path, error: sqlite3.Error) -> ConversationsUnusable:
    """Say what is wrong with the file at `path`, and what to do about it."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # without what is specific to one operation
    match code:
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return _unusable(path, f"are damaged: {error}", MOVE_ASIDE)
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            mend = "end that one, or give each process a conversations.path of its own"
            return _unusable(path, "are held by another process", mend)
        case sqlite3.SQLITE_FULL:
            mend = "make room on its disk, or set conversations.path"
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
            mend = "set conversations.path to a writable place"
        case _:
            mend = MOVE_ASIDE
    return _unusable(path, f"cannot be used: {error}", mend)


def read_all(connection: sqlite3.Connection, path: Path) -> dict[str, History]:
    """Read every conversation, longest unused first.

    Raises:
        ConversationsUnusable: a page or a row makes no sense; nothing was changed.
    """
    found: dict[str, History] = {}
    try:
        said: dict[str, list[tuple[int, bytes]]] = {}
        for conversation_id, number, body in connection.execute(
            "SELECT conversation_id, number, body FROM exchanges ORDER BY conversation_id, number"
        ):
            said.setdefault(conversation_id, []).append((number, body))
        for conversation_id, system, created, used, first in connection.execute(
            "SELECT id, system, created_unix_s, used_unix_s, first FROM conversations ORDER BY used_unix_s, id"
        ):
            found[conversation_id] = _history(said.pop(conversation_id, []), system, created, used, first)
        if said:
            raise ValueError("exchanges without a conversation")
    except sqlite3.Error as error:
        raise trouble_with(path, error) from None
    except (msgspec.MsgspecError, ValueError, TypeError) as error:
        told = f"are damaged: a row makes no sense ({type(error).__name__})"
        raise _unusable(path, told, MOVE_ASIDE) from None
    return found


def write(connection: sqlite3.Connection, changes: list[Change], redact: Callable[[str], str]) -> None:
    """Make `changes`, all or none; each text is passed through `redact` on its way."""
    with transaction(connection):
        for change in changes:
            match change:
                case ConversationKept():
                    _keep(connection, change, redact)
                case ConversationRemoved(conversation_id=conversation_id):
                    connection.execute("DELETE FROM exchanges WHERE conversation_id = ?", (conversation_id,))
                    connection.execute("DELETE FROM conversations WHERE id = ?", (conversation_id,))
                case _:
                    assert_never(change)


def _keep(connection: sqlite3.Connection, change: ConversationKept, redact: Callable[[str], str]) -> None:
    name = change.conversation_id
    system = _cleaned(msgspec.json.encode(change.system), redact)
    connection.execute(_KEEP, (name, system, change.created_unix_s, change.used_unix_s, change.first))
    if change.exchange is not None:
        connection.execute(_SAY, (name, change.next_number - 1, _cleaned(change.exchange, redact)))
    connection.execute(_FORGET, (name, change.first, change.next_number))


def _cleaned(body: bytes, redact: Callable[[str], str]) -> bytes:
    """Strike secrets out of JSON; almost always there is none, and then nothing is parsed."""
    text = body.decode()
    return body if redact(text) == text else msgspec.json.encode(_struck(msgspec.json.decode(body), redact))


def _struck(value: object, redact: Callable[[str], str]) -> object:
    match value:
        case str():
            return redact(value)
        case list():
            return [_struck(each, redact) for each in value]
        case dict():
            return {redact(key): _struck(each, redact) for key, each in value.items()}
        case _:
            return value


def _history(said: list[tuple[int, bytes]], system: bytes, created: float, used: float, first: int) -> History:
    if [number for number, _ in said] != list(range(first, first + len(said))):
        raise ValueError("exchanges are missing")
    bodies = [bytes(body) for _, body in said]
    turns = _turns.decode(system)
    return History(
        system=turns,
        exchanges=tuple(_exchange.decode(body) for body in bodies),
        sizes=tuple(map(len, bodies)),
        system_bytes=len(system) if turns else 0,
        first=first,
        created_unix_s=float(created),
        used_unix_s=float(used),
    )


def _check(connection: sqlite3.Connection, path: Path) -> None:
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    if tables and application != APPLICATION_ID:
        raise ConversationsUnusable(
            f"{path} is a database of another kind; set conversations.path to a place of its own"
        )
    version = _version(connection)
    if version > len(VERSIONS):
        known = f"version {version}, and this program knows {len(VERSIONS)}"
        raise _unusable(path, f"are of {known}", "update the program")
    # All of it is read in a moment anyway; and what is damaged has to be found out before anything is written.
    for (verdict,) in connection.execute("PRAGMA quick_check(1)"):
        if verdict != "ok":
            raise _unusable(path, f"are damaged: {verdict}", MOVE_ASIDE)


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _migrate(connection: sqlite3.Connection) -> None:
    if _version(connection) == len(VERSIONS):
        return
    with transaction(connection):
        for older in range(_version(connection), len(VERSIONS)):
            for statement in VERSIONS[older]:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {older + 1}")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def _unusable(path: Path, what: str, mend: str) -> ConversationsUnusable:
    return ConversationsUnusable(f"the conversations in {path} {what}; {mend}")
