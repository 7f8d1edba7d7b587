"""Own the thread that writes conversations to their file: the loop's thread hands changes over and never waits.

What the disk refuses is kept and tried again, in order, until it takes it or the process ends.
"""

from __future__ import annotations

import functools
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

from manus.actors.conversations.file import write
from manus.actors.conversations.history import History
from manus.actors.conversations.store import Change
from manus.actors.ledger.store import Pending
from manus.actors.ledger.threads import Post
from manus.messages.conversations import ConversationPolicy

BATCH_MAX: Final = 256
"""Changes per transaction."""


class SqliteStore:
    """Keeps conversations in a file. See `ConversationStore` for what it promises.

    Args:
        connection: the open file, which is this store's alone from now on.
        loaded: what it had.
        redact: strikes configured secrets out of what is written.
        post: runs a callable on the loop's thread, soon.
    """

    durable = True

    def __init__(
        self,
        path: Path,
        connection: sqlite3.Connection,
        loaded: dict[str, History],
        policy: ConversationPolicy,
        *,
        redact: Callable[[str], str],
        post: Post,
    ) -> None:
        self.confirmed = 0
        self.trouble: str | None = None
        self._path = path
        self._connection = connection
        self._loaded = loaded
        self._policy = policy
        self._redact = redact
        self._post = post
        self._put = 0
        self._waiting: deque[tuple[int, Pending[bool]]] = deque()  # of the loop's thread alone
        self._queue: deque[Change] = deque()
        self._ending = False
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="manus conversations", daemon=True)
        self._thread.start()

    @property
    def backlog(self) -> int:
        """How many changes wait."""
        return self._put - self.confirmed

    def loaded(self) -> dict[str, History]:
        """Give what the file had when it was opened."""
        loaded, self._loaded = self._loaded, {}
        return loaded

    def put(self, change: Change) -> int:
        """Take a change, and give its number."""
        self._put += 1
        self._queue.append(change)
        self._wake.set()
        return self._put

    def kept(self, number: int) -> Pending[bool] | None:
        """Promise to say when the change of this number is on the disk, or was refused once."""
        if number <= self.confirmed:
            return None
        pending: Pending[bool] = Pending()
        self._waiting.append((number, pending))
        return pending

    def close(self) -> bool:
        """Write the rest and let go of the file. Blocks; False: the disk did not let it in time, or not at all."""
        self._ending = True
        self._wake.set()
        self._thread.join(self._policy.close_s)
        return not self._thread.is_alive() and not self._queue

    # --- the thread ---------------------------------------------------------------------------------

    def _run(self) -> None:
        ending = False
        while not ending:
            self._wake.wait()
            self._wake.clear()
            ending = self._ending  # looked at before the work: what was put before the end is in this round
            while self._queue:
                if self._write_some():
                    continue
                if ending:
                    break
                self._wake.wait(self._policy.retry_s)
                self._wake.clear()
                ending = self._ending
        self._connection.close()

    def _write_some(self) -> bool:
        batch = [self._queue[index] for index in range(min(len(self._queue), BATCH_MAX))]
        try:
            write(self._connection, batch, self._redact)
        except Exception as error:  # whatever it is, it is told, and nothing is dropped
            self._post(functools.partial(self._refused, f"{self._path} does not take them: {error}"))
            return False
        for _ in batch:
            self._queue.popleft()
        self._post(functools.partial(self._took, len(batch)))
        return True

    # --- what the thread says, on the loop's thread -------------------------------------------------

    def _took(self, count: int) -> None:
        self.confirmed += count
        self.trouble = None
        while self._waiting and self._waiting[0][0] <= self.confirmed:
            self._waiting.popleft()[1].resolve(True)

    def _refused(self, trouble: str) -> None:
        self.trouble = trouble
        waiting, self._waiting = self._waiting, deque()
        for _, pending in waiting:
            pending.resolve(False)
