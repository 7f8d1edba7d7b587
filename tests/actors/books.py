"""What tests of the books share: messages and records with sensible values, and stores driven without a loop."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from manus.actors.ledger.journal import Journal, RunLock
from manus.actors.ledger.journaled import JournaledStore, open_journaled, runs_directory
from manus.actors.ledger.records import (
    AnyRecord,
    AttemptDispatched,
    AttemptDoubted,
    AttemptReleased,
    AttemptReserved,
    AttemptSettled,
    encode,
)
from manus.actors.ledger.store import Pending, T
from manus.messages.accounting import Reserve
from manus.messages.ids import DeploymentId, RequestId
from manus.messages.policy import LedgerPolicy
from manus.messages.usage import Price, Usage
from tests.patience import WAIT_S

PRICE = Price(input=1_000_000_000, output=4_000_000_000, cache_write_long=2_000_000_000, version="2026-11")
BOUND = Usage(input_uncached=1000, output=500, source="bound")
ESTIMATE = Usage(input_uncached=300, output=200, source="estimated")
REPORTED = Usage(input_uncached=250, cache_read=50, output=120, reasoning=20, source="reported")


def make_reserve(name: str = "r1", attempt: int = 1, **changes: Any) -> Reserve:
    """Make a reservation; `changes` override its fields."""
    fields: dict[str, Any] = {
        "request_id": RequestId(name),
        "attempt": attempt,
        "deployment": DeploymentId("alpha/small"),
        "provider": "alpha",
        "model": "small",
        "bound": BOUND,
        "estimate": ESTIMATE,
        "price": PRICE,
    }
    return Reserve(**(fields | changes))


def reserved(name: str = "r1", attempt: int = 1, at: float = 1.0, **changes: Any) -> AttemptReserved:
    """Make the record of an intent."""
    fields: dict[str, Any] = {
        "request_id": RequestId(name),
        "attempt": attempt,
        "at_unix_s": at,
        "provider": "alpha",
        "model": "small",
        "deployment": DeploymentId("alpha/small"),
        "bound": BOUND,
        "estimate": ESTIMATE,
        "bound_cost_nano_usd": 3_000_000,
        "estimate_cost_nano_usd": 1_100_000,
        "price_version": "2026-11",
    }
    return AttemptReserved(**(fields | changes))


def dispatched(name: str = "r1", attempt: int = 1, at: float = 2.0, key: str | None = None) -> AttemptDispatched:
    """Make the record of a dispatch, with the fingerprint of the key that was used."""
    return AttemptDispatched(request_id=RequestId(name), attempt=attempt, at_unix_s=at, key_fingerprint=key)


def settled(name: str = "r1", attempt: int = 1, at: float = 3.0, cost: int | None = 780_000) -> AttemptSettled:
    """Make the record of a settlement."""
    return AttemptSettled(
        request_id=RequestId(name), attempt=attempt, at_unix_s=at, usage=REPORTED, cost_nano_usd=cost, finish="stop"
    )


def released(name: str = "r1", attempt: int = 1, at: float = 3.0) -> AttemptReleased:
    """Make the record of a release."""
    return AttemptReleased(request_id=RequestId(name), attempt=attempt, at_unix_s=at, reason="refused")


def doubted(name: str = "r1", attempt: int = 1, at: float = 3.0) -> AttemptDoubted:
    """Make the record of a doubt."""
    return AttemptDoubted(
        request_id=RequestId(name), attempt=attempt, at_unix_s=at, usage=BOUND, cost_nano_usd=3_000_000, reason="cut"
    )


def leave_dead_run(path: Path, run_id: str, records: list[AnyRecord], *, segment_bytes: int = 65536) -> None:
    """Leave what a killed run of the ledger at `path` leaves: a lock that nobody holds, and its journal."""
    directory = runs_directory(path)
    directory.mkdir(exist_ok=True)
    lock = RunLock.claim(directory, run_id)
    journal = Journal(directory, run_id, segment_bytes, sync=False)
    for record in records:
        journal.make_spare()
        journal.append(encode(record), room_bytes=0)
    journal.close(remove=False)
    lock.release(remove=False)


class Desk:
    """A loop's thread in miniature: runs what a store's threads post, when a test waits for it."""

    def __init__(self) -> None:
        self.posted: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        self._stores: list[JournaledStore] = []

    def open(self, path: Path, *, now: float = 100.0, run_id: str | None = None, **policy: Any) -> JournaledStore:
        """Open the ledger at `path`, small and quick unless `policy` says otherwise."""
        quick: dict[str, Any] = {"path": str(path), "gather_s": 0.0, "retry_s": 0.01, "busy_s": 2.0}
        store = open_journaled(
            LedgerPolicy(**(quick | policy)), now_unix_s=lambda: now, post=self.posted.put, run_id=run_id
        )
        self._stores.append(store)
        return store

    def close(self) -> None:
        """Close every store that a test left open."""
        for store in self._stores:
            store.close()

    def wait(self, pending: Pending[T]) -> T:
        """Run what is posted until `pending` has its result."""
        while not pending.done:
            self.posted.get(timeout=WAIT_S)()
        return pending.value

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Look until `condition` holds; a store's thread has no other way to tell a test."""
        give_up_at = time.monotonic() + WAIT_S
        while not condition():
            assert time.monotonic() < give_up_at, "it never came to that"
            time.sleep(0.001)
