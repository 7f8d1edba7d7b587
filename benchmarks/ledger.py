"""Own the price of durable books: `python -m benchmarks ledger` measures what they cost, carry, answer and survive.

An attempt is an intent, a dispatch and a settlement, each kept before the next. Each way to keep them runs in one loop
under the same sustained load, in interleaved rounds; CPU is per attempt, of the whole process and of the loop's thread
alone, and wall is what its task waits. A stall is how long one record takes its task (for threads: trips included).
Compare rows: the machine is shared.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import trio

from benchmarks.ledger_slow_disk import print_slow_disk
from benchmarks.ledger_totals import print_totals
from benchmarks.ledger_ways import CLIENTS, WAYS, attempt_records, percentile

ROW = "books, per attempt (us)"
PERCENTILES = (50.0, 99.0, 99.9, 100.0)
PER_SECOND = 1000.0
SECONDS = 3.0
RUSH_ATTEMPTS = 10_000
ROWS = 10_000_000


class Measured:
    """One round of one way."""

    def __init__(self) -> None:
        self.attempts = 0
        self.process_us = 0.0
        self.loop_us = 0.0
        self.stalls_us: list[float] = []


async def run_round(way: str, path: Path, seconds: float, per_second: float, first: int) -> Measured:
    """Keep `per_second` attempts a second for so long."""
    measured = Measured()
    with WAYS[way](path) as books:
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
                    await books.confirmed(books.append(record), record)
                    measured.stalls_us.append((time.perf_counter() - began) * 1e6)
                measured.attempts += 1

        async with trio.open_nursery() as nursery:
            for number in range(CLIENTS):
                nursery.start_soon(client, number)
    measured.process_us = (time.process_time() - cpu) * 1e6 / measured.attempts
    measured.loop_us = (time.thread_time() - loop) * 1e6 / measured.attempts
    return measured


async def rush(way: str, path: Path, attempts: int) -> float:
    """Keep so many attempts as fast as it goes; give rows a second, until all of them can be read by others."""
    began = time.perf_counter()
    with WAYS[way](path) as books:

        async def client(number: int) -> None:
            for each in range(number, attempts, CLIENTS):
                for record in attempt_records(each):
                    await books.confirmed(books.append(record), record)
                await trio.lowlevel.checkpoint()

        async with trio.open_nursery() as nursery:
            for number in range(CLIENTS):
                nursery.start_soon(client, number)
    return attempts / (time.perf_counter() - began)


def print_cost(rounds: int, seconds: float, per_second: float) -> None:
    """Measure what each way costs an attempt, and how many it carries."""
    measured: dict[str, list[Measured]] = {way: [] for way in WAYS}
    rushed: dict[str, list[float]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as directory:
        for number in range(rounds):
            for way in WAYS:
                path = Path(directory) / way
                first = (number + 1) << 40
                measured[way].append(trio.run(run_round, way, path, seconds, per_second, first))
                rushed[way].append(trio.run(rush, way, Path(directory) / f"{way}, rush {number}", RUSH_ATTEMPTS))
    free = statistics.median(each.process_us for each in measured["books in memory"])
    print(f"{ROW}, {per_second:g} a second, and how many go through at most")
    print(f"{'':20}{'CPU':>8}{'added':>8}{'loop':>8}{'wall':>8}{'rows/s':>9}   stalls: p50, p99, p99.9, worst")
    for way, each in measured.items():
        process = statistics.median(one.process_us for one in each)
        loop = statistics.median(one.loop_us for one in each)
        wall = statistics.median(3 * statistics.fmean(one.stalls_us) for one in each)
        stalls = [stall for one in each for stall in one.stalls_us]
        marks = "".join(f"{percentile(stalls, share):>9.0f}" for share in PERCENTILES)
        rate = statistics.median(rushed[way])
        print(f"{way:20}{process:>8.0f}{process - free:>8.0f}{loop:>8.0f}{wall:>8.0f}{rate:>9.0f}   {marks}")


def print_ledger(rounds: int) -> None:
    """Run all of it."""
    print_cost(rounds, SECONDS, PER_SECOND)
    print_slow_disk(rounds, SECONDS)
    print_totals(rounds, ROWS)


def main() -> None:
    """Run all of it, or less."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ledger", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--per-second", type=float, default=PER_SECOND, help="attempts; each is three records")
    parser.add_argument("--rows", type=int, default=ROWS, help="of the ledger whose totals are asked for")
    options = parser.parse_args()
    print_cost(options.rounds, options.seconds, options.per_second)
    print_slow_disk(options.rounds, options.seconds)
    print_totals(options.rounds, options.rows)


if __name__ == "__main__":
    main()
