"""Own what the way into the agent costs: `python -m benchmarks hosts` makes the same calls from every kind of host.

From a Trio program, from asyncio and from threads (the runtime in a thread of its own), and from a program that started
`manus serve --stdio` and speaks JSON lines with it; beside them bare httpx. All ask the same canned server, in
interleaved rounds. Wall is what a caller waits; CPU is of all that runs on the client's side, and of the subprocess it
is told apart. Host and subprocess share one core, the server has the other. Compare rows: the machine is shared.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Sequence

import msgspec

from benchmarks.hosts_start import ROW as START_ROW
from benchmarks.hosts_start import print_start
from benchmarks.processes import ContenderFailed, Worker, children_of, cpu_s, upstream
from benchmarks.upstream import BURST_CHUNKS, PACED_CHUNKS

ROW = "hosts: what the way into the agent costs"
FLOOR = "httpx_client"
IN_LOOP = "agent"
PIPED = "agent_stdio"
HOSTS = (IN_LOOP, "agent_asyncio", "agent_sync", PIPED, FLOOR)
STREAMS = 64
PIPED_ROW = f"chunk, {STREAMS} bursts at once (us)"


_HEADS = ("CPU", "host", "served", "CPU/wall", "to httpx")


class Workload(msgspec.Struct, frozen=True):
    """What is done, how many requests or chunks that is, and from which hosts."""

    order: tuple[object, ...]
    units: int
    hosts: tuple[str, ...] = HOSTS


WORKLOADS = {
    "request, one after another (us)": Workload(("one_after_another", 300), 300),
    "request, 64 in flight (us)": Workload(("at_once", 1280, 64), 1280),
    "chunk, 64 paced streams (us)": Workload(("paced_streams", STREAMS), STREAMS * PACED_CHUNKS),
    "chunk, one burst (us)": Workload(("burst_stream",), BURST_CHUNKS),
    PIPED_ROW: Workload(("bursts_at_once", STREAMS), STREAMS * BURST_CHUNKS, (IN_LOOP, PIPED)),
}
SLOW_WIDE = 8
"""So many times fewer requests go through httpx where 64 are in flight: each costs it milliseconds."""


class Sample(msgspec.Struct, frozen=True):
    """One round of one workload from one host, in microseconds per request or chunk."""

    wall_us: float
    host_us: float
    served_us: float

    @property
    def cpu_us(self) -> float:
        """Of both processes."""
        return self.host_us + self.served_us


def print_hosts(rounds: int) -> None:
    """Measure and print everything."""
    print_calls(rounds, HOSTS, tuple(WORKLOADS))
    print_start(rounds)


def print_calls(rounds: int, hosts: Sequence[str], rows: Sequence[str]) -> None:
    """Measure these rows from these hosts, and print them."""
    with upstream() as base_url:
        workers = {name: worker for name in hosts if (worker := _started(name, base_url)) is not None}
        for worker in workers.values():
            worker.order("one_after_another", 50)
            worker.order("at_once", 64, 64)
            worker.order("burst_stream")
        samples: dict[tuple[str, str], list[Sample]] = {}
        for number in range(rounds):
            for row in rows:
                for name, worker in workers.items():
                    if name not in WORKLOADS[row].hosts:
                        continue
                    print(f"\rround {number + 1}/{rounds}: {row}, {name:<20}", end="", file=sys.stderr)
                    samples.setdefault((row, name), []).append(measured(worker, WORKLOADS[row]))
        print("\r" + " " * 78 + "\r", end="", file=sys.stderr)
        for worker in workers.values():
            worker.close()
    print(ROW)
    for row in rows:
        _print_row(row, {name: samples[row, name] for name in workers if (row, name) in samples})


def measured(worker: Worker, workload: Workload) -> Sample:
    """Have it done once; the few hundred microseconds that giving an order costs are in the figures."""
    order, units = workload.order, workload.units
    if worker.name == FLOOR and order[0] == "at_once":
        units //= SLOW_WIDE
        order = (order[0], units, *order[2:])
    served = children_of(worker.pid)
    began_s, host_s, served_s = time.perf_counter(), cpu_s(worker.pid), sum(map(cpu_s, served))
    worker.order(*order)
    us = 1e6 / units
    return Sample(
        wall_us=(time.perf_counter() - began_s) * us,
        host_us=(cpu_s(worker.pid) - host_s) * us,
        served_us=(sum(map(cpu_s, served)) - served_s) * us,
    )


def _print_row(row: str, by_host: dict[str, list[Sample]]) -> None:
    print(row)
    print(f"    {'':<30}{'wall: min    median       max':>30}" + "".join(map("{:>9}".format, _HEADS)))
    floor_us = _cpu_us(by_host[FLOOR]) if FLOOR in by_host else None
    for name, samples in by_host.items():
        walls = [sample.wall_us for sample in samples]
        cpu_us = _cpu_us(samples)
        host_us, served_us = (statistics.median(getattr(one, of) for one in samples) for of in ("host_us", "served_us"))
        busy = statistics.median(sample.cpu_us / sample.wall_us for sample in samples)
        ratio = "" if floor_us is None else f"{cpu_us / floor_us:9.2f}x"
        marks = "".join(f"{mark:10.1f}" for mark in (min(walls), statistics.median(walls), max(walls)))
        print(f"    {name:<30}{marks}{cpu_us:9.1f}{host_us:9.1f}{served_us:9.1f}{busy:9.2f}{ratio:>9}")
        if row == PIPED_ROW and name == PIPED:
            print(f"    {'':<30}{1e6 / statistics.median(walls):,.0f} chunks/s through one pipe")
    sys.stdout.flush()


def _cpu_us(samples: Sequence[Sample]) -> float:
    return statistics.median(sample.cpu_us for sample in samples)


def _started(name: str, base_url: str) -> Worker | None:
    try:
        return Worker(name, base_url, sys.executable)
    except ContenderFailed as failed:
        print(f"left out: {failed}", file=sys.stderr)
        return None


def main() -> None:
    """Measure all of it, or less."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hosts", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="*", default=HOSTS, choices=HOSTS, help="hosts")
    parser.add_argument("--rows", default="", help="rows whose name contains this; 'start' is the start alone")
    options = parser.parse_args()
    rows = tuple(row for row in WORKLOADS if options.rows in row)
    if rows:
        print_calls(options.rounds, options.only, rows)
    if options.rows in START_ROW:
        print_start(options.rounds)


if __name__ == "__main__":
    main()
