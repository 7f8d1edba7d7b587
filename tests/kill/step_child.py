"""Processes that are killed at their first step, at their second, at their third, until one of them gets to its end.

    python -m tests.kill.step_child OPERATION TEMPLATE PLACES

For each number from 1 on a copy of the directory TEMPLATE is made, PLACES/NUMBER, and a process does the operation
there which kills itself at that step. A step is a statement of SQL, or a call that makes, locks, fills, writes, renames
or removes a file: so the kills fall between any two things that outlive a process. On stdout comes how many there were.

    open     open the ledger, which recovers what dead runs left and brings the file up to date
    close    open it, append some records, noting each in `notes`, and close it
"""

from __future__ import annotations

import os
import queue
import shutil
import signal
import sqlite3
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from manus.actors.ledger.journaled import open_journaled
from manus.messages.policy import LedgerPolicy
from tests.actors.books import dispatched, doubted, released, reserved, settled
from tests.kill.notes import Notes

STEPS_MAX: Final = 2000
"""An operation that takes more is not what is meant here."""

_CALLS: Final = frozenset({"open", "os.remove", "os.rename", "os.mkdir", "fcntl.flock"})
_PATCHED: Final = ("pwrite", "posix_fallocate", "fdatasync", "fsync")


class Steps:
    """Counts what this process does to the outside, and kills it at step `last`."""

    def __init__(self, last: int, directory: Path) -> None:
        self._left = last
        self._directory = str(directory)
        self._lock = threading.Lock()

    def watch(self) -> None:
        """Begin to count. For the rest of the process's life: nobody can take a hook back."""
        sys.addaudithook(self._hear)
        for name in _PATCHED:
            setattr(os, name, self._counted(getattr(os, name)))
        connect = sqlite3.connect

        def traced(*arguments: Any, **options: Any) -> sqlite3.Connection:
            connection: sqlite3.Connection = connect(*arguments, **options)
            connection.set_trace_callback(self._take_statement)
            return connection

        sqlite3.connect = traced  # type: ignore[assignment]

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in _CALLS and (event == "fcntl.flock" or str(arguments[0]).startswith(self._directory)):
            self._take(event)

    def _take_statement(self, statement: str) -> None:
        if not statement.startswith("--"):  # what a trigger does is a part of the statement that pulled it
            self._take(statement)

    def _take(self, what: str) -> None:
        with self._lock:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def _counted(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any) -> Any:
            self._take(call.__name__)
            return call(*arguments)

        return counted


def do(operation: str, directory: Path) -> None:
    """Do it. The process holds threads afterwards and is good for nothing more."""
    posted: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
    policy = LedgerPolicy(path=str(directory / "ledger.sqlite"), segment_bytes=64 * 1024, open_max=16, gather_s=0.0)
    store = open_journaled(policy, now_unix_s=lambda: 50.0, post=posted.put, run_id=f"run-{operation}")
    if operation == "open":
        return
    notes = Notes(str(directory / "notes"))
    steps = (
        *(reserved("settled"), dispatched("settled"), settled("settled")),
        *(reserved("released"), dispatched("released"), released("released")),
        *(reserved("doubted"), dispatched("doubted"), doubted("doubted")),
        *(reserved("sent"), dispatched("sent"), reserved("unsent")),
    )
    for step in steps:
        assert store.append(step) is None
        notes.write(type(step).__name__, step.request_id)
    store.close()


def main(operation: str, template: Path, places: Path) -> None:
    """Kill one process after another, each a step later."""
    for last in range(1, STEPS_MAX):
        place = places / str(last)
        shutil.copytree(template, place)
        child = os.fork()
        if child == 0:
            Steps(last, place).watch()
            do(operation, place)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            assert os.WEXITSTATUS(status) == 0, f"{operation} failed by itself at {place}"
            print(last)
            return
        assert os.WTERMSIG(status) == signal.SIGKILL, status
    raise AssertionError(f"{operation} takes more than {STEPS_MAX} steps")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
