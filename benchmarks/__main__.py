"""Own the run: `python -m benchmarks` measures every row of the budgets that exists, in interleaved rounds.

Every contender is a process of its own on one core; the server they ask is on the other. Medians are printed, with
their ratio to the whole agent: compare rows, for absolute numbers are those of a shared machine.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.admission import ROW as ADMISSION_ROW
from benchmarks.admission import print_admission
from benchmarks.codecs import ROW as CODECS_ROW
from benchmarks.codecs import print_codecs
from benchmarks.estimates import print_estimates
from benchmarks.failover import CPU_ROW as FAILOVER_ROW
from benchmarks.failover import print_failover
from benchmarks.hedging import ROW as HEDGING_ROW
from benchmarks.hedging import print_hedging
from benchmarks.hosts import print_hosts
from benchmarks.imports import OUR_DEPENDENCIES, OURS, import_ms
from benchmarks.ledger import print_ledger
from benchmarks.processes import ContenderFailed, Worker, upstream
from benchmarks.routing import ROW as ROUTING_ROW
from benchmarks.routing import print_routing

AGENT = "agent"
HERE = (AGENT, "agent_50_providers", "transport", "transport_h11", "httptools_floor", "h11_floor", "httpx_client")
PEERS = ("tensorzero_embedded", "openai_sdk", "litellm_router")
PEER_IMPORTS = ("tensorzero", "openai", "litellm")

ROWS: dict[str, tuple[object, ...]] = {
    "request, one after another (us)": ("one_after_another", 300),
    "request, 64 in flight (us)": ("at_once", 1280, 64),
    "request, 1000 in flight (us)": ("at_once", 2000, 1000),
    "chunk, 64 paced streams (us)": ("paced_streams", 64),
    "chunk, one burst (us)": ("burst_stream",),
}
SLOW = {"litellm_router": 8, "httpx_client": 4, "openai_sdk": 4}
"""How many times fewer requests go through contenders that would take all day."""
CROWDED = "request, 1000 in flight (us)"
NOT_CROWDED = frozenset(PEERS) | {"httpx_client", "agent_50_providers"}
HELD_STREAMS = 500
RESTARTS = 3

ALONE: dict[str, Callable[[int], None]] = {
    "admission": print_admission,
    "codecs": print_codecs,
    "estimates": print_estimates,
    "failover": print_failover,
    "hedging": print_hedging,
    "hosts": print_hosts,
    "ledger": print_ledger,
    "routing": print_routing,
}
"""What can be measured by itself, by its name on the command line."""


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("what", nargs="?", choices=["all", *ALONE], default="all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="*", default=None, help="contenders, by module name")
    parser.add_argument("--rows", default="", help="rows whose name contains this")
    parser.add_argument("--peers", metavar="PYTHON", help="the interpreter of the environment that has the peers")
    options = parser.parse_args()
    if options.what in ALONE:
        ALONE[options.what](options.rounds)
        return
    names = [name for name in (*HERE, *(PEERS if options.peers else ())) if not options.only or name in options.only]
    with upstream() as base_url:
        _loop_rows(names, base_url, options.peers, options.rounds, options.rows)
        if options.rows in "memory per live stream":
            _memory_row(names, base_url, options.peers)
        if AGENT in names and options.rows in "restart of a provider actor":
            _restart_row(base_url)
    if options.rows in "import":
        _import_row(options.peers)
    if options.rows in ADMISSION_ROW and not options.only:
        print_admission(options.rounds)
    if options.rows in CODECS_ROW and not options.only:
        print_codecs(options.rounds)
    if options.rows in FAILOVER_ROW and not options.only:
        print_failover(options.rounds)
    if options.rows in HEDGING_ROW and not options.only:
        print_hedging(options.rounds)
    if options.rows in ROUTING_ROW and not options.only:
        print_routing(options.rounds)


def _loop_rows(names: Sequence[str], base_url: str, peers: str | None, rounds: int, wanted: str) -> None:
    rows = {row: order for row, order in ROWS.items() if wanted in row}
    if not rows:
        return
    workers = [worker for name in names if (worker := _start(name, base_url, peers)) is not None]
    for worker in workers:
        _warm_up(worker)
    measured: dict[str, dict[str, list[float]]] = {row: {} for row in rows}
    for round_number in range(rounds):
        for row, order in rows.items():
            for worker in workers:
                if row == CROWDED and worker.name in NOT_CROWDED:
                    continue
                print(f"\rround {round_number + 1}/{rounds}: {row}, {worker.name:<30}", end="", file=sys.stderr)
                measured[row].setdefault(worker.name, []).append(worker.order(*_scaled(order, worker.name)))
    print("\r" + " " * 78 + "\r", end="", file=sys.stderr)
    for worker in workers:
        worker.close()
    for row, by_name in measured.items():
        _print_row(row, {name: statistics.median(values) for name, values in by_name.items()})


def _warm_up(worker: Worker) -> None:
    worker.order("one_after_another", 20)
    worker.order("at_once", 64, 64)
    worker.order("burst_stream")


def _scaled(order: tuple[object, ...], name: str) -> tuple[object, ...]:
    if isinstance(order[-1], int) and order[0] == "one_after_another":
        return (order[0], order[-1] // SLOW.get(name, 1))
    if order[0] == "at_once" and isinstance(order[1], int):
        return (order[0], order[1] // SLOW.get(name, 1), *order[2:])
    return order


def _memory_row(names: Sequence[str], base_url: str, peers: str | None) -> None:
    """Weigh each in a fresh process: what was freed before would hide what is taken now."""
    weighed: dict[str, float] = {}
    for name in names:
        worker = _start(name, base_url, peers)
        if worker is None:
            continue
        worker.order("one_after_another", 20)
        weighed[name] = worker.order("held_streams", HELD_STREAMS)
        worker.close()
    _print_row(f"memory per live stream, {HELD_STREAMS} of them (KB)", weighed)


def _restart_row(base_url: str) -> None:
    worker = _start(AGENT, base_url, None)
    if worker is not None:
        spent = [worker.order("restart") for _ in range(RESTARTS)]
        worker.close()
        _print_row("restart of a provider actor, crash to serving (ms)", {AGENT: statistics.median(spent)})


def _import_row(peers: str | None) -> None:
    taken = {"manus.opening": import_ms(OURS), "its dependencies alone": import_ms(OUR_DEPENDENCIES)}
    for module in PEER_IMPORTS if peers else ():
        assert peers is not None
        taken[module] = import_ms(module, python=peers, rounds=3)
    _print_row("import (ms)", taken)


def _start(name: str, base_url: str, peers: str | None) -> Worker | None:
    python = peers if name in PEERS else sys.executable
    assert python is not None
    try:
        return Worker(name, base_url, str(Path(python).absolute()))
    except ContenderFailed as failed:
        print(f"left out: {failed}", file=sys.stderr)
        return None


def _print_row(row: str, values: dict[str, float]) -> None:
    print(row)
    ours = next(iter(values.values()), 0.0)
    for name, value in values.items():
        ratio = f"{value / ours:8.2f}x" if ours else ""
        print(f"    {name:<28}{value:10.1f}{ratio}")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
