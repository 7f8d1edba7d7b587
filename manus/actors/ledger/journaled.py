"""Own the durable store: a journal written on the loop, SQLite filled from it by a thread.

Measured (`python -m benchmarks ledger`, 1,000 calls a second, CPU of the whole process above books in memory): the
three records of a call cost 36 us here, 162 as transactions on the loop, 518 by a thread trip each. One record of a
thousand holds the loop for 0.08 ms here, however slow the disk is; where SQLite commits on the loop it is 3.6 ms, for
everybody. The journal's write is a copy into the page cache: it survives `kill -9` as it stands. With
`durability = "power"` a second thread syncs it, one sync for all that wait, and an append is confirmed later.

What the disk refuses is refused here, and never lost silently: an intent that cannot be written is a refused call; an
ending that cannot is kept by the asker and appended again.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from manus.actors.ledger.file import LedgerUnusable, open_file, unusable
from manus.actors.ledger.journal import Journal, RunLock
from manus.actors.ledger.records import (
    ENDING_BYTES_MAX,
    RESERVED_BYTES_MAX,
    AnyRecord,
    AttemptDispatched,
    AttemptKey,
    AttemptReserved,
    encode,
)
from manus.actors.ledger.recovery import recover
from manus.actors.ledger.sqlite import last_id, request_status
from manus.actors.ledger.sqlite_spent import OthersSpent
from manus.actors.ledger.sqlite_sums import usage_sums
from manus.actors.ledger.store import Appended, Pending, Recovery, Refused, T
from manus.actors.ledger.threads import Filler, Post, Syncer
from manus.messages.accounting import RequestStatus, Spent, SpentAsked, StatsAsked, UsageRow
from manus.messages.ids import RequestKey
from manus.messages.policy import LedgerPolicy

CLAIMS_MAX = 8
"""Names that a start tries for its run, where others that start at the same time get in its way."""


class JournaledStore:
    """The ledger of one run on disk. Appending is for the loop's thread; `close` may be called from any."""

    def __init__(
        self,
        *,
        connection: sqlite3.Connection,
        lock: RunLock,
        journal: Journal,
        recovered: Recovery,
        path: Path,
        policy: LedgerPolicy,
        post: Post,
        now_unix_s: Callable[[], float],
    ) -> None:
        self.run_id = lock.run_id
        self.recovered = recovered
        self._connection = connection
        self._lock = lock
        self._journal = journal
        self._policy = policy
        self._post = post
        self._now_unix_s = now_unix_s
        self._others = OthersSpent(self.run_id, last_id(connection))
        self._open: set[AttemptKey] = set()
        self._write_trouble: str | None = None
        self._closed = False
        self._filler = Filler(path, connection, journal, lock, policy, now_unix_s)
        self._syncer = Syncer(journal, self.run_id, policy, post) if policy.durability == "power" else None
        self._filler.start()
        if self._syncer is not None:
            self._syncer.start()

    def __repr__(self) -> str:
        return f"<JournaledStore {self.run_id}: {len(self._open)} open, {self._filler.backlog} waiting for SQLite>"

    @property
    def trouble(self) -> str | None:
        """Why the store is behind or refuses, for people; None while all is well."""
        sync_trouble = None if self._syncer is None else self._syncer.trouble
        return self._write_trouble or sync_trouble or self._filler.trouble

    def append(self, record: AnyRecord) -> Appended:
        """Write `record` to the journal. Never blocks on the disk's own pace, only on a full page cache."""
        assert not self._closed, "the ledger is closed"
        room_bytes = 0
        if isinstance(record, AttemptReserved):
            room_bytes = (len(self._open) + 1) * ENDING_BYTES_MAX
            if self._filler.backlog >= self._policy.backlog_max:
                return Refused(self._filler.trouble or "SQLite is behind with the ledger's rows; try again in a moment")
        try:
            payload = encode(record)
            if room_bytes and len(payload) > RESERVED_BYTES_MAX:
                return Refused(f"the tags and names of this request take more than {RESERVED_BYTES_MAX} bytes")
            number = self._journal.append(payload, room_bytes=room_bytes)
        except UnicodeEncodeError:
            return Refused("a tag or name of this request holds a lone surrogate")
        except OSError as error:
            self._write_trouble = f"the ledger's journal cannot be written: {error.strerror}"
            return Refused(self._write_trouble)
        self._write_trouble = None
        self._note(record)
        self._filler.put(number, record)
        return None if self._syncer is None else self._syncer.put()

    def sums(self, asked: StatsAsked) -> Pending[tuple[UsageRow, ...] | Refused]:
        """Sum up on the filler's thread, what was appended until now included."""
        return self._ask(lambda connection: usage_sums(connection, asked))

    def spent(self, asked: tuple[SpentAsked, ...]) -> Pending[tuple[Spent, ...] | Refused]:
        """Say it on the filler's thread, what was appended until now included."""
        now = self._now_unix_s()
        return self._ask(lambda connection: self._others.read(connection, asked, now))

    def status(self, request_key: RequestKey) -> Pending[RequestStatus | Refused]:
        """Look it up on the filler's thread, what was appended until now included."""
        return self._ask(lambda connection: request_status(connection, request_key))

    def close(self) -> None:
        """Bring everything into SQLite, end what is open and delete the journal; within `close_s` for each thread.

        Where SQLite does not let it, the journal stays and the next start recovers it. A second call does nothing.
        """
        if self._closed:
            return
        self._closed = True
        synced = self._syncer is None or self._syncer.end(self._policy.close_s)
        filled = self._filler.end(self._now_unix_s(), self._policy.close_s)
        if not (synced and filled):
            return  # a thread still holds the files: they, and the lock, go with the process
        self._connection.close()
        self._journal.close(remove=self._filler.clean)
        self._lock.release(remove=self._filler.clean)

    def _note(self, record: AnyRecord) -> None:
        if isinstance(record, AttemptReserved):
            self._open.add(record.key)
        elif not isinstance(record, AttemptDispatched):
            self._open.discard(record.key)

    def _ask(self, question: Callable[[sqlite3.Connection], T]) -> Pending[T | Refused]:
        pending: Pending[T | Refused] = Pending()

        def job(connection: sqlite3.Connection) -> None:
            answer = question(connection)
            self._post(lambda: pending.resolve(answer))

        self._filler.ask(job, lambda reason: self._post(lambda: pending.resolve(Refused(reason))))
        return pending


def open_journaled(
    policy: LedgerPolicy, *, now_unix_s: Callable[[], float], post: Post, run_id: str | None = None
) -> JournaledStore:
    """Open the ledger at `policy.path`, recovering what dead runs left. Blocks: call it off the loop's thread.

    Args:
        now_unix_s: the wall clock.
        post: runs a callable on the loop's thread; answers and confirmations come that way.
        run_id: this run's name, unique for ever; made up where None.

    Raises:
        LedgerUnusable: there is no writing there, or the file is no ledger that this program knows.
    """
    assert policy.path is not None
    if policy.segment_bytes < 2 * policy.open_max * ENDING_BYTES_MAX:
        raise LedgerUnusable("ledger.segment_bytes is too small for ledger.open_max attempts; raise it")
    path = Path(policy.path)
    with contextlib.ExitStack() as undo:
        connection = open_file(path, durability=policy.durability, busy_s=policy.busy_s)
        undo.callback(connection.close)
        directory = runs_directory(path)
        try:
            directory.mkdir(exist_ok=True, mode=0o700)
            lock = _claim(directory, run_id)
            undo.callback(lock.release, remove=True)
            recovered = recover(connection, directory, own_run_id=lock.run_id, at_unix_s=now_unix_s())
            journal = Journal(directory, lock.run_id, policy.segment_bytes, sync=policy.durability == "power")
            undo.callback(journal.close, remove=True)
            journal.make_spare()
        except sqlite3.Error as error:
            raise unusable(path, error) from None
        except OSError as error:
            raise LedgerUnusable(
                f"the ledger's journal in {directory} cannot be written: {error}; make room, or set ledger.path"
            ) from None
        undo.pop_all()
    return JournaledStore(
        connection=connection,
        lock=lock,
        journal=journal,
        recovered=recovered,
        path=path,
        policy=policy,
        post=post,
        now_unix_s=now_unix_s,
    )


def runs_directory(path: Path) -> Path:
    """Name the directory in which the runs of the ledger at `path` keep their locks and journals."""
    return path.with_name(f"{path.name}.runs")


def _claim(directory: Path, run_id: str | None) -> RunLock:
    """Declare a run alive; one without a name of its own tries others.

    Between the making of a lock file and its locking, another start may take it for a dead run's.
    """
    if run_id is not None:
        return RunLock.claim(directory, run_id)
    for _ in range(CLAIMS_MAX - 1):
        with contextlib.suppress(FileExistsError):
            return RunLock.claim(directory, _new_run_id())
    return RunLock.claim(directory, _new_run_id())


def _new_run_id() -> str:
    return f"{time.time_ns() // 1_000_000:012x}-{os.getpid()}-{os.urandom(4).hex()}"
