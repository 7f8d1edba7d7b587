"""Own the two threads behind a journal: one fills SQLite from it, one syncs it to the disk.

The loop's thread hands over records and never waits. Both threads live as long as the store; they are daemons, since
what they have not done yet is in the journal and is done by the next start.
"""

from __future__ import annotations

import functools
import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from manus.actors.ledger.file import transaction
from manus.actors.ledger.journal import Journal, RunLock
from manus.actors.ledger.records import AnyRecord
from manus.actors.ledger.retention import Retention
from manus.actors.ledger.sqlite import end_run, ingest, last_id
from manus.actors.ledger.store import Pending
from manus.actors.ledger.sums import DAY_S, bucket_of
from manus.messages.policy import LedgerPolicy

Post = Callable[[Callable[[], object]], object]
"""Run a callable on the loop's thread, soon, in order (`TrioToken.run_sync_soon`)."""

BATCH_MAX = 1024
"""Records per transaction: another process waits no longer than this takes (some 20 ms)."""

FOLD_WAIT_MS = 50
"""How long folding the log in waits for readers, and makes other writers wait."""

FOLD_PAUSE_S = 1.0
"""Between two tries of it."""

LOG_OVERRUN = 4
"""A log of so many times `wal_bytes` is the end: records then wait in the journal, and soon calls are refused."""


CLEAR_PAUSE_S = 0.05
"""Between two steps of clearing away what is old, while nothing else is to do."""

CLEAR_EVERY_S = 600.0
"""How often it is looked whether something is old."""


class LedgerGone(Exception):
    """The ledger's file is not where it was opened: what is written into it would be lost with it."""


class Filler:
    """Brings the journal's records into SQLite in batches, and removes the segments it has brought in.

    When there is nothing to bring in it clears away what is old.
    """

    def __init__(
        self,
        path: Path,
        connection: sqlite3.Connection,
        journal: Journal,
        lock: RunLock,
        policy: LedgerPolicy,
        now_unix_s: Callable[[], float],
    ) -> None:
        self.trouble: str | None = None
        self.clean = False  # everything is in SQLite and every row of the run has ended
        self._path = path
        self._opened = os.stat(path)
        self._connection = connection
        self._journal = journal
        self._lock = lock
        self._run_id = lock.run_id
        self._policy = policy
        self._now_unix_s = now_unix_s
        self._retention = Retention(lock.path.parent, lock.run_id, policy.keep_days)
        self._segment = 1  # the newest one of which a record is in SQLite
        self._own_until_id = 0  # this run's rows up to this id are in no segment any more
        self._worn_on: int | None = None
        self._idle_s = CLEAR_PAUSE_S
        self._queue: deque[tuple[int, AnyRecord]] = deque()
        self._batch: list[tuple[int, AnyRecord]] = []
        self._jobs: deque[tuple[Callable[[sqlite3.Connection], None], Callable[[str], object]]] = deque()
        self._ended_at_unix_s: float | None = None
        self._fold_at = 0.0
        self._wake = threading.Event()
        self._hurry = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"manus ledger {lock.run_id}", daemon=True)

    @property
    def backlog(self) -> int:
        """How many records wait for SQLite."""
        return len(self._queue) + len(self._batch)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def put(self, number: int, record: AnyRecord) -> None:
        """Hand over a record that stands in segment `number`. Costs the loop's thread less than a microsecond."""
        self._queue.append((number, record))
        if not self._wake.is_set():
            self._wake.set()
        if self._journal.spare is None and not self._hurry.is_set():
            self._hurry.set()

    def ask(self, job: Callable[[sqlite3.Connection], None], fail: Callable[[str], object]) -> None:
        """Run `job` on the thread once all that was put before is in SQLite; else `fail` with the reason."""
        self._jobs.append((job, fail))
        self._hurry.set()
        self._wake.set()

    def end(self, at_unix_s: float, timeout_s: float) -> bool:
        """Bring in the rest, end the run's open rows and stop. Blocks; False: SQLite did not let it in time."""
        self._ended_at_unix_s = at_unix_s
        self._hurry.set()
        self._wake.set()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            if not self._wake.wait(self._idle_s):
                self._clear()
                continue
            if not self._hurry.is_set():
                self._hurry.wait(self._policy.gather_s)
            self._wake.clear()
            self._hurry.clear()
            # Looked at before the work: what was put before the end was asked for is brought in by this round.
            ended_at_unix_s = self._ended_at_unix_s
            self._round(ended_at_unix_s)
            if ended_at_unix_s is not None:
                return
            if self.trouble is not None:
                self._hurry.wait(self._policy.retry_s)
                self._wake.set()

    def _round(self, ended_at_unix_s: float | None) -> None:
        """Do all there is to do once. Whatever goes wrong is told, kept, and tried again: nothing is dropped."""
        trouble: str | None = None
        try:
            self._journal.make_spare()
        except OSError as error:
            trouble = f"there is no room for the ledger's journal: {error.strerror}"
        if not self._lock.in_place:
            trouble = (
                f"the file that says that this run lives is gone ({self._lock.path}): another process may take it for "
                "dead, and what is under way for lost; restart this one"
            )
        try:
            self._check_place()
            # Counted before the records are: a question sees all that was put before it was asked.
            asked = len(self._jobs)
            self._fill()
            self._run_jobs(asked)
            if ended_at_unix_s is not None:
                with transaction(self._connection):
                    end_run(self._connection, self._run_id, ended_at_unix_s, certain=True)
                self.clean = True
                return
        except Exception as error:
            trouble = _told(error, "SQLite does not take the ledger's rows")
            self._fail_jobs(trouble)
        self.trouble = trouble

    def _fill(self) -> None:
        waiting = len(self._queue)
        while self._batch or waiting > 0:
            while waiting > 0 and len(self._batch) < BATCH_MAX:
                self._batch.append(self._queue.popleft())
                waiting -= 1
            self._bound_log()
            number = self._batch[-1][0]
            # Rows that were there before the first record of a segment have nothing in it to make them anew.
            before = last_id(self._connection) if number > self._segment else None
            with transaction(self._connection):
                ingest(self._connection, self._run_id, [record for _, record in self._batch])
            self._batch = []
            self._journal.remove_before(number)
            if before is not None:
                self._segment, self._own_until_id = number, before

    def _run_jobs(self, asked: int) -> None:
        for _ in range(asked):
            self._jobs[0][0](self._connection)
            self._jobs.popleft()

    def _fail_jobs(self, reason: str) -> None:
        while self._jobs:
            self._jobs.popleft()[1](reason)

    def _clear(self) -> None:
        """Clear away a little of what is old. It is not urgent: what goes wrong is told, and tried again later."""
        now = self._now_unix_s()
        try:
            self._check_place()
            self._bound_log()
            more = self._retention.step(self._connection, now, own_until_id=self._own_until_id)
            self._idle_s = CLEAR_PAUSE_S if more else CLEAR_EVERY_S
            self.trouble = None
        except Exception as error:
            self._idle_s = CLEAR_EVERY_S
            self.trouble = _told(error, "the ledger's old rows cannot be cleared away")
        today = bucket_of(now, DAY_S)
        if self._policy.keep_days is not None and today != self._worn_on:
            # A quiet run would be at its first segment for weeks, and none of its rows could go.
            self._worn_on = today
            self._journal.worn = True

    def _check_place(self) -> None:
        """Make sure that what is written is found again: SQLite goes on in a file that was removed.

        Raises:
            LedgerGone: the file was removed, or replaced by another.
        """
        try:
            if os.path.samestat(os.stat(self._path), self._opened):
                return
        except OSError:
            pass  # told below: whatever the system calls it, what is written there is lost
        raise LedgerGone(
            f"{self._path} was removed or replaced while it was in use; put it back, or restart this process, which "
            "then begins a new one with what its journal has"
        )

    def _bound_log(self) -> None:
        """Keep SQLite's write-ahead log within its bound.

        Commits fold in what they can by themselves, but whoever reads at the time is in their way, and the log grows.

        Raises:
            sqlite3.OperationalError: a reader has been in the way for so long that nothing more may be written.
        """
        if self._log_bytes() <= self._policy.wal_bytes:
            return
        if time.monotonic() >= self._fold_at:
            self._fold_at = time.monotonic() + FOLD_PAUSE_S
            # Whoever writes waits while this waits for the readers, so it does not wait for long.
            self._connection.execute(f"PRAGMA busy_timeout = {FOLD_WAIT_MS}")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            self._connection.execute(f"PRAGMA busy_timeout = {int(self._policy.busy_s * 1000)}")
        if self._log_bytes() > LOG_OVERRUN * self._policy.wal_bytes:
            raise sqlite3.OperationalError("a long read keeps its log from being folded in (ledger.wal_bytes)")

    def _log_bytes(self) -> int:
        log = Path(f"{self._path}-wal")
        return log.stat().st_size if log.exists() else 0


def _told(error: Exception, what: str) -> str:
    return f"the ledger {error}" if isinstance(error, LedgerGone) else f"{what}: {error}"


class Syncer:
    """Puts the journal on the disk, one sync for all that wait, and says so on the loop's thread."""

    def __init__(self, journal: Journal, run_id: str, policy: LedgerPolicy, post: Post) -> None:
        self.trouble: str | None = None
        self._journal = journal
        self._policy = policy
        self._post = post
        self._waiting: deque[Pending[bool]] = deque()  # of the loop's thread alone
        self._put = 0  # records put, ever; read by the thread, written by the loop's
        self._confirmed = 0
        self._ending = False
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"manus ledger sync {run_id}", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def put(self) -> Pending[bool]:
        """Promise to say when all that was appended until now is on the disk."""
        pending: Pending[bool] = Pending()
        self._waiting.append(pending)
        self._put += 1
        self._wake.set()
        return pending

    def end(self, timeout_s: float) -> bool:
        """Stop after a last sync. Blocks; False: the disk did not let it in time."""
        self._ending = True
        self._wake.set()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            ending, upto = self._ending, self._put
            try:
                self._journal.sync()
                self.trouble, kept = None, True
            except OSError as error:
                # After a failed sync the kernel forgets what was dirty, and a second try would lie. The next record
                # goes to another segment; those of this one reach the disk with SQLite's own commits.
                self.trouble, kept = f"the disk does not sync the ledger's journal: {error.strerror}", False
                self._journal.distrusted = True
            self._post(functools.partial(self._confirm, upto, kept))
            if ending:
                return

    def _confirm(self, upto: int, kept: bool) -> None:
        while self._confirmed < upto:
            self._confirmed += 1
            self._waiting.popleft().resolve(kept)
