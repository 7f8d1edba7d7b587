"""Own the loop's stalls while the disk is slow: every write of SQLite and every sync takes long, or nearly for ever.

What is slow is what threads wait for: a sync of the journal takes `SYNC_S` more, and a transaction of SQLite
`COMMIT_S`, its lock held. The journal's own writes stay copies into the page cache, as they are while that has room. A
stall is how long one record holds the loop; the heartbeat is how late a task that sleeps for a millisecond comes back,
which the machine's other work makes late too: compare rows.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from unittest import mock

import trio

from benchmarks.ledger_ways import CLIENTS, WAYS, attempt_records, percentile
from manus.actors.ledger import sqlite
from manus.actors.ledger.records import AttemptEnded

SYNC_S = 0.1
COMMIT_S = 0.5
BEAT_S = 0.001
PER_SECOND = 500.0
DURABLE = ("journal, process", "journal, power")
MARKS = (50.0, 99.0, 99.9, 100.0)


@contextlib.contextmanager
def slow_disk() -> Iterator[None]:
    """Make syncs and transactions slow for as long as the block lasts."""
    sync, fill = os.fdatasync, sqlite.end_rows

    def slow_sync(fd: int) -> None:
        time.sleep(SYNC_S)
        sync(fd)

    def slow_fill(connection: sqlite3.Connection, run_id: str, endings: Iterable[AttemptEnded]) -> None:
        time.sleep(COMMIT_S)
        fill(connection, run_id, endings)

    with mock.patch.object(os, "fdatasync", slow_sync), mock.patch.object(sqlite, "end_rows", slow_fill):
        yield


class Stalls:
    """What one round has seen, in microseconds."""

    def __init__(self) -> None:
        self.held: list[float] = []
        self.late: list[float] = []
        self.attempts = 0


async def measure(way: str, path: Path, seconds: float, stalls: Stalls) -> None:
    """Book calls for so long, and watch the loop."""
    with WAYS[way](path) as books:
        ends_at = trio.current_time() + seconds

        async def client(number: int) -> None:
            due = trio.current_time() + number / PER_SECOND
            while due < ends_at:
                await trio.sleep_until(due)
                due += CLIENTS / PER_SECOND
                number += CLIENTS
                for record in attempt_records(number):
                    began = time.perf_counter()
                    appended = books.append(record)
                    stalls.held.append((time.perf_counter() - began) * 1e6)
                    await books.confirmed(appended, record)
                stalls.attempts += 1

        async def heartbeat() -> None:
            while trio.current_time() < ends_at:
                due = time.perf_counter() + BEAT_S
                await trio.sleep(BEAT_S)
                stalls.late.append((time.perf_counter() - due) * 1e6)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(heartbeat)
            for number in range(CLIENTS):
                nursery.start_soon(client, number)


def print_slow_disk(rounds: int, seconds: float) -> None:
    """Measure books in memory, and both kinds of durable ones on a sound and on a slow disk, in turn."""
    cases = [("books in memory", False), *((way, slow) for way in DURABLE for slow in (False, True))]
    seen: dict[tuple[str, bool], Stalls] = {case: Stalls() for case in cases}
    with tempfile.TemporaryDirectory() as directory:
        for number in range(rounds):
            for way, slow in cases:
                path = Path(directory) / f"{way} {slow} {number}.db"
                with slow_disk() if slow else contextlib.nullcontext():
                    trio.run(measure, way, path, seconds, seen[way, slow])
    print(
        f"\nwhile a sync takes {SYNC_S:g} s more and a transaction {COMMIT_S:g} s, {PER_SECOND:g} calls a second (us):"
    )
    print(f"{'':30}{'calls':>8}   a record holds the loop: p50, p99, p99.9, worst; a heartbeat is late: the same")
    for (way, slow), stalls in seen.items():
        held = "".join(f"{percentile(stalls.held, share):>9.0f}" for share in MARKS)
        late = "".join(f"{percentile(stalls.late, share):>9.0f}" for share in MARKS)
        print(f"{way + (', slow disk' if slow else ''):30}{stalls.attempts:>8} {held}   {late}")
