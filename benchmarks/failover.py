"""Own what a failover costs: CPU of one failed attempt, and the time from a refusal to the next request's arrival.

Every request meets one refusal (a 404, which no breaker counts) and is answered by the second provider. Beside it the
same agent without a refusal, and httpx with a loop by hand, with and without one. The time is taken by the server, on
another core: from the last byte of the refusal written to the next request read, so both ways over loopback are in it.
"""

from __future__ import annotations

import json
import statistics
import sys
import urllib.request

from benchmarks.processes import Worker, upstream

AGENT, AGENT_FAILOVER = "agent", "agent_failover"
HTTPX, HTTPX_FAILOVER = "httpx_client", "httpx_failover"

REQUESTS = 300
WARM_UP = 20

CPU_ROW = "request that meets one refusal and fails over (us CPU)"
GAP_ROW = "refusal written to next request read (us)"


def print_failover(rounds: int) -> None:
    """Measure in interleaved rounds, and print medians."""
    names = (AGENT, AGENT_FAILOVER, HTTPX, HTTPX_FAILOVER)
    cpu_us: dict[str, list[float]] = {name: [] for name in names}
    gaps_us: dict[str, list[float]] = {AGENT_FAILOVER: [], HTTPX_FAILOVER: []}
    with upstream() as base_url:
        workers = [Worker(name, base_url, sys.executable) for name in names]
        for worker in workers:
            worker.order("one_after_another", WARM_UP)
        for _ in range(rounds):
            for worker in workers:
                _gaps(base_url)
                cpu_us[worker.name].append(worker.order("one_after_another", REQUESTS))
                if worker.name in gaps_us:
                    gaps_us[worker.name] += _gaps(base_url)
        for worker in workers:
            worker.close()
    _print_cpu({name: statistics.median(values) for name, values in cpu_us.items()})
    _print_gaps(gaps_us)


def _gaps(base_url: str) -> list[float]:
    with urllib.request.urlopen(f"{base_url}/gaps", timeout=10) as answer:
        gaps: list[float] = json.load(answer)
    return gaps


def _print_cpu(spent_us: dict[str, float]) -> None:
    print(CPU_ROW)
    print(f"    {'':<16}{'with refusal':>14}{'without':>14}{'one refusal':>14}")
    for name, failing, plain in (("agent", AGENT_FAILOVER, AGENT), ("httpx by hand", HTTPX_FAILOVER, HTTPX)):
        more = spent_us[failing] - spent_us[plain]
        print(f"    {name:<16}{spent_us[failing]:>14.1f}{spent_us[plain]:>14.1f}{more:>14.1f}")


def _print_gaps(gaps_us: dict[str, list[float]]) -> None:
    print(GAP_ROW)
    print(f"    {'':<16}{'p50':>14}{'p95':>14}{'p99':>14}")
    for name, failing in (("agent", AGENT_FAILOVER), ("httpx by hand", HTTPX_FAILOVER)):
        cuts = statistics.quantiles(gaps_us[failing], n=100)
        print(f"    {name:<16}{cuts[49]:>14.1f}{cuts[94]:>14.1f}{cuts[98]:>14.1f}")
