"""Own the price of durable books: `python -m benchmarks.ledger` compares ways to keep three records per call.

An attempt is an intent, a dispatch and a settlement, each kept before the next. Each way runs in one loop under the
same sustained load, in interleaved rounds; CPU is per attempt, of the whole process and of the loop's thread alone. A
stall is how long one record holds the loop (for threads: how long its task waits). Compare rows: the machine is shared.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import trio

from manus.actors.ledger.file import open_file, transaction
from manus.actors.ledger.journaled import open_journaled
from manus.actors.ledger.records import AnyRecord, AttemptDispatched, AttemptReserved, AttemptSettled
from manus.actors.ledger.sqlite import ingest
from manus.actors.ledger.store import MemoryStore, Pending, Refused
from manus.messages.ids import DeploymentId, RequestId
from manus.messages.policy import LedgerPolicy
from manus.messages.usage import Usage

Keep = Callable[[AnyRecord], Awaitable[None]]
PERCENTILES = (50.0, 99.0, 99.9, 100.0)
CLIENTS = 64


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


@contextmanager
def in_memory(_: Path) -> Iterator[Keep]:
    """Keep nothing beyond the process: what the others cost above this is the price of durability."""
    store = MemoryStore()

    async def keep(record: AnyRecord) -> None:
        store.append(record)

    yield keep


def _journal(path: Path, policy: LedgerPolicy) -> Iterator[Keep]:
    token = trio.lowlevel.current_trio_token()
    store = open_journaled(policy, now_unix_s=time.time, post=token.run_sync_soon)

    async def keep(record: AnyRecord) -> None:
        appended = store.append(record)
        while isinstance(appended, Refused):
            await trio.sleep(0.001)
            appended = store.append(record)
        if isinstance(appended, Pending) and not isinstance(record, AttemptDispatched):
            confirmed = trio.Event()
            appended.then(lambda _: confirmed.set())
            await confirmed.wait()

    try:
        yield keep
    finally:
        store.close()


@contextmanager
def journal(path: Path) -> Iterator[Keep]:
    """Ours: a journal on the loop, SQLite behind it. Survives kill -9."""
    yield from _journal(path, LedgerPolicy(path=str(path)))


@contextmanager
def journal_power(path: Path) -> Iterator[Keep]:
    """Ours, synced in groups by a thread before the call goes on. Survives the plug."""
    yield from _journal(path, LedgerPolicy(path=str(path), durability="power"))


@contextmanager
def sqlite_on_the_loop(path: Path) -> Iterator[Keep]:
    """A transaction per record, on the loop's own thread, checkpoints included."""
    connection = open_file(path, durability="process", busy_s=5.0)

    async def keep(record: AnyRecord) -> None:
        with transaction(connection):
            ingest(connection, "run", [record])

    try:
        yield keep
    finally:
        connection.close()


@contextmanager
def sqlite_by_thread(path: Path) -> Iterator[Keep]:
    """A transaction per record, by a trip to a worker thread each."""
    connection = open_file(path, durability="process", busy_s=5.0)
    one_at_a_time = trio.CapacityLimiter(1)

    def write(record: AnyRecord) -> None:
        with transaction(connection):
            ingest(connection, "run", [record])

    async def keep(record: AnyRecord) -> None:
        await trio.to_thread.run_sync(write, record, limiter=one_at_a_time)

    try:
        yield keep
    finally:
        connection.close()


WAYS = {
    "books in memory": in_memory,
    "journal, process": journal,
    "journal, power": journal_power,
    "SQLite on the loop": sqlite_on_the_loop,
    "SQLite by thread": sqlite_by_thread,
}


class Measured:
    """One round of one way."""

    def __init__(self) -> None:
        self.attempts = 0
        self.process_us = 0.0
        self.loop_us = 0.0
        self.stalls_us: list[float] = []


async def run_round(way: str, path: Path, seconds: float, per_second: float, first: int) -> Measured:
    """Keep `per_second` attempts a second for so long, from as many tasks as a busy router has."""
    measured = Measured()
    with WAYS[way](path) as keep:
        cpu, loop = time.process_time(), time.thread_time()
        ends_at = trio.current_time() + seconds

        async def client(number: int) -> None:
            due = trio.current_time() + number / per_second
            while due < ends_at:
                await trio.sleep_until(due)
                due += CLIENTS / per_second
                number += CLIENTS
                for record in attempt_records(first + number):
                    began = time.perf_counter()
                    await keep(record)
                    measured.stalls_us.append((time.perf_counter() - began) * 1e6)
                measured.attempts += 1

        async with trio.open_nursery() as nursery:
            for number in range(CLIENTS):
                nursery.start_soon(client, number)
    measured.process_us = (time.process_time() - cpu) * 1e6 / measured.attempts
    measured.loop_us = (time.thread_time() - loop) * 1e6 / measured.attempts
    return measured


def percentile(values: list[float], share: float) -> float:
    """Give the value below which `share` percent of `values` lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share / 100))]


def fill(path: Path, rows: int) -> None:
    """Put so many settled rows into the ledger first."""
    connection = open_file(path, durability="process", busy_s=5.0)
    for start in range(0, rows, 10_000):
        records = [record for number in range(start, start + 10_000) for record in attempt_records(number)]
        with transaction(connection):
            ingest(connection, "filled", records)
    connection.close()


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ledger", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--per-second", type=float, default=1000.0, help="attempts; each is three records")
    parser.add_argument("--rows", type=int, default=0, help="that are in the ledger already")
    options = parser.parse_args()
    rounds: dict[str, list[Measured]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as directory:
        for way in WAYS:
            if options.rows and way != "books in memory":
                fill(Path(directory) / way, options.rows)
        for number in range(options.rounds):
            for way in WAYS:
                first = (number + 1) << 40
                path = Path(directory) / way
                rounds[way].append(trio.run(run_round, way, path, options.seconds, options.per_second, first))
    ours = statistics.median(each.process_us for each in rounds["journal, process"])
    print(f"{'':20}{'CPU us':>10}{'ratio':>8}{'loop us':>10}   stall us: p50, p99, p99.9, worst")
    for way, measured in rounds.items():
        process = statistics.median(each.process_us for each in measured)
        loop = statistics.median(each.loop_us for each in measured)
        stalls = [stall for each in measured for stall in each.stalls_us]
        marks = "".join(f"{percentile(stalls, share):>10.0f}" for share in PERCENTILES)
        print(f"{way:20}{process:>10.0f}{process / ours:>8.2f}{loop:>10.0f}   {marks}")


if __name__ == "__main__":
    main()
