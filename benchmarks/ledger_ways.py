"""Own the ways to keep three records per call that are compared: an intent, a dispatch and a settlement each."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Protocol

import trio

from manus.actors.ledger.file import open_file, transaction
from manus.actors.ledger.journaled import open_journaled
from manus.actors.ledger.records import AnyRecord, AttemptDispatched, AttemptReserved, AttemptSettled
from manus.actors.ledger.sqlite import ingest
from manus.actors.ledger.store import LedgerStore, MemoryStore, Pending, Refused
from manus.messages.ids import DeploymentId, RequestId
from manus.messages.policy import LedgerPolicy
from manus.messages.usage import Usage

CLIENTS = 64
"""As many tasks as a busy router has."""


class Books(Protocol):
    """One way to keep records. `append` is what the loop's thread does; what is left to wait for comes after."""

    def append(self, record: AnyRecord) -> object:
        """Begin to keep a record, or keep it."""
        ...

    async def confirmed(self, appended: object, record: AnyRecord) -> None:
        """Wait until the call may go on."""
        ...


def attempt_records(number: int) -> tuple[AnyRecord, AnyRecord, AnyRecord]:
    """Make the three records of one attempt, as the books make them."""
    name, now = RequestId(f"req-{number:016x}"), time.time()
    bound = Usage(input_uncached=1200, output=4096, source="bound")
    used = Usage(input_uncached=300, output=180, source="reported")
    intent = AttemptReserved(
        request_id=name,
        attempt=1,
        at_unix_s=now,
        provider="openai",
        model="gpt-5.4-mini",
        deployment=DeploymentId("openai/gpt-5.4-mini"),
        bound=bound,
        estimate=used,
        bound_cost_nano_usd=19_332_000,
        estimate_cost_nano_usd=1_035_000,
        price_version="2026-11",
    )
    dispatch = AttemptDispatched(request_id=name, attempt=1, at_unix_s=now)
    settle = AttemptSettled(
        request_id=name, attempt=1, at_unix_s=now, usage=used, cost_nano_usd=1_035_000, finish="stop"
    )
    return intent, dispatch, settle


class StoreBooks:
    """A store of ours."""

    def __init__(self, store: LedgerStore) -> None:
        self.store = store

    def append(self, record: AnyRecord) -> object:
        return self.store.append(record)

    async def confirmed(self, appended: object, record: AnyRecord) -> None:
        while isinstance(appended, Refused):
            await trio.sleep(0.001)
            appended = self.store.append(record)
        if isinstance(appended, Pending) and not isinstance(record, AttemptDispatched):
            confirmed = trio.Event()
            appended.then(lambda _: confirmed.set())
            await confirmed.wait()


class TransactionBooks:
    """A transaction per record, on the loop's own thread or by a trip to a worker thread."""

    def __init__(self, connection: sqlite3.Connection, *, by_thread: bool) -> None:
        self._connection = connection
        self._one_at_a_time = trio.CapacityLimiter(1) if by_thread else None

    def append(self, record: AnyRecord) -> object:
        if self._one_at_a_time is None:
            self._write(record)
        return None

    async def confirmed(self, appended: object, record: AnyRecord) -> None:
        if self._one_at_a_time is not None:
            await trio.to_thread.run_sync(self._write, record, limiter=self._one_at_a_time)

    def _write(self, record: AnyRecord) -> None:
        with transaction(self._connection):
            ingest(self._connection, "run", [record])


@contextmanager
def in_memory(_: Path) -> Iterator[Books]:
    """Keep nothing beyond the process: what the others cost above this is the price of durability."""
    yield StoreBooks(MemoryStore())


def _journal(path: Path, policy: LedgerPolicy) -> Iterator[Books]:
    token = trio.lowlevel.current_trio_token()
    store = open_journaled(policy, now_unix_s=time.time, post=token.run_sync_soon)
    try:
        yield StoreBooks(store)
    finally:
        store.close()


@contextmanager
def journal(path: Path) -> Iterator[Books]:
    """Ours: a journal on the loop, SQLite behind it. Survives kill -9."""
    yield from _journal(path, LedgerPolicy(path=str(path)))


@contextmanager
def journal_power(path: Path) -> Iterator[Books]:
    """Ours, synced in groups by a thread before the call goes on. Survives the plug."""
    yield from _journal(path, LedgerPolicy(path=str(path), durability="power"))


@contextmanager
def sqlite_on_the_loop(path: Path) -> Iterator[Books]:
    """A transaction per record, on the loop's own thread, checkpoints included."""
    with closing(open_file(path, durability="process", busy_s=5.0)) as connection:
        yield TransactionBooks(connection, by_thread=False)


@contextmanager
def sqlite_by_thread(path: Path) -> Iterator[Books]:
    """A transaction per record, by a trip to a worker thread each."""
    with closing(open_file(path, durability="process", busy_s=5.0)) as connection:
        yield TransactionBooks(connection, by_thread=True)


WAYS = {
    "books in memory": in_memory,
    "journal, process": journal,
    "journal, power": journal_power,
    "SQLite on the loop": sqlite_on_the_loop,
    "SQLite by thread": sqlite_by_thread,
}


def percentile(values: list[float], share: float) -> float:
    """Give the value below which `share` percent of `values` lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share / 100))]
