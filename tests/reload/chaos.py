"""Own runs in which a whole agent is reloaded at random moments under load, drawn from a seed; and what must hold.

A calm run has reloads and nothing else that could go wrong, so that every request must be answered: whatever is not
was dropped because of a reload. A rough one has crashes of any actor and faults of the servers as well. Every
configuration has at least one entry that can answer; which entries there are, where they lead, under which key, with
which limits, is drawn anew for each.

By hand: `python -m tests.reload.chaos --seeds 2000`.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from contextlib import suppress
from typing import Any

import msgspec
import trio

import manus
from manus.sim.behaviour import Behaviour, Script
from manus.sim.determinism import simulate
from manus.sim.faults import Cut, Rejected
from manus.trio_agent import TrioAgent
from tests.reload.rig import ANY_NAME, Servers, config, entry, opened

GRID_S = 0.05
HOSTS = ("a", "b", "c", "d")
TEXT = "{}: one two three four five."
REQUEST_S = 60.0

EXPLAINED = frozenset({"actor_crashed", "actor_hung", "server", "overloaded", "network", "incomplete", "ledger"})
"""Kinds of failures that crashes and faults bring about. Reloads bring about none."""


class Seen(msgspec.Struct, kw_only=True):
    """What one client saw: its answer or the error that it got, and when."""

    number: int
    began_at: float
    ended_at: float = 0.0
    text: str | None = None
    streamed: str | None = None
    kind: str | None = None
    error: str = ""


class Report(msgspec.Struct, kw_only=True):
    """One run, over."""

    calm: bool
    seen: list[Seen]
    asked: int
    reloads: int = 0
    reloads_refused: list[str] = []
    crashes: int = 0
    in_force: bool = False
    actors: frozenset[str] = frozenset()
    actors_wanted: frozenset[str] = frozenset()
    limits_used: tuple[int, ...] = ()
    limits: tuple[int, ...] = ()
    limits_wanted: tuple[int, ...] = ()
    rows: tuple[int, ...] = ()
    open_rows: int = 0
    booked_tokens: int = 0
    billed_tokens: int = 0
    open_exchanges: int = 0


def drawn_config(rng: random.Random, *, calm: bool) -> dict[str, Any]:
    """Draw a configuration. In a calm run nothing in it can refuse a request that may wait."""
    names = rng.sample(ANY_NAME, rng.randint(1, len(ANY_NAME)))
    entries = {
        name: entry(
            rng.choice(HOSTS),
            api_key=f"sk-canary-{rng.randint(0, 3)}-0123456789",
            priority=rng.randint(1, 3),
            concurrency=rng.choice((1, 2, 64)),
            weight=rng.choice((1.0, 2.0)),
        )
        for name in names
    }
    limits = rng.choice(({}, {"concurrency": rng.randint(2, 6)}, {"concurrency": 9, "requests_per_minute": 5000}))
    budgets = rng.choice(({}, {"usd_per_day": rng.randint(5, 9)}, {"rolling": [{"hours": 1, "tokens": 10**8}]}))
    tables: dict[str, object] = {"limits": limits, "budgets": budgets, "retry": {"budget_min": 1000}}
    if rng.random() < 0.3:
        tables["hedge"] = {"enabled": True, "samples_min": 1, "delay_min_s": 0.5, "budget_ratio": 1.0}
    if not calm:
        tables["health"] = {"open_s": 1.0, "open_max_s": 2.0}
    return config(entries, **tables)


class World:
    """One run."""

    def __init__(self, seed: int, *, calm: bool) -> None:
        self._rng = random.Random(f"reloads of {seed}")
        self._calm = calm
        self._servers = Servers(**{host: self._behaviour(host) for host in HOSTS})
        self._report = Report(calm=calm, seen=[], asked=0)
        self._latest: dict[str, Any] = {}

    async def run(self) -> Report:
        """Play it."""
        rng, report = self._rng, self._report
        self._latest = drawn_config(rng, calm=self._calm)
        now = trio.current_time
        async with opened(self._servers, self._latest, now_unix_s=lambda: 1_800_000_000.0 + now()) as agent:
            async with trio.open_nursery() as nursery:
                for number in range(rng.randint(10, 30)):
                    nursery.start_soon(self._client, agent, number, self._grid(4.0), rng.random() < 0.5)
                for _ in range(rng.randint(1, 6)):
                    nursery.start_soon(self._reload, agent, self._grid(5.0), drawn_config(rng, calm=self._calm))
                for _ in range(0 if self._calm else rng.randint(1, 4)):
                    nursery.start_soon(self._crash, agent, self._grid(5.0), rng.random())
            await trio.sleep(120)
            await self._look(agent)
        report.open_exchanges = self._servers.open_exchanges
        report.billed_tokens = sum(
            each.bill.totals().input_tokens + each.bill.totals().output_tokens
            for each in self._servers.by_host.values()
        )
        return report

    def _behaviour(self, host: str) -> Behaviour:
        rng = self._rng
        script = Script(
            text=TEXT.format(host),
            latency_s=self._grid(1.0),
            gap_s=rng.choice((0.0, GRID_S, 4 * GRID_S)),
        )
        if self._calm:
            return Behaviour(script=script)
        faults = (Rejected(status=503), Cut(where="body", after_chunks=2), Cut(where="headers"))
        return Behaviour(script=script, fault_rate=rng.choice((0.0, 0.1)), faults=faults, seed=rng.randint(0, 99))

    def _grid(self, most_s: float) -> float:
        return round(self._rng.randint(0, round(most_s / GRID_S)) * GRID_S, 6)

    async def _client(self, agent: TrioAgent, number: int, at: float, stream: bool) -> None:
        await trio.sleep(at)
        self._report.asked += 1
        seen = Seen(number=number, began_at=trio.current_time())
        try:
            if stream:
                seen.streamed = ""
                async with agent.stream("Who?", timeout_s=REQUEST_S, max_tokens=50) as chunks:
                    async for chunk in chunks:
                        seen.streamed += chunk.delta
                    seen.text = (await chunks.response()).content
            else:
                seen.text = (await agent.generate("Who?", timeout_s=REQUEST_S, max_tokens=50)).content
        except manus.LLMError as error:
            seen.kind = error.kind or type(error).__name__
            seen.error = str(error)
        seen.ended_at = trio.current_time()
        self._report.seen.append(seen)

    async def _reload(self, agent: TrioAgent, at: float, source: dict[str, Any]) -> None:
        await trio.sleep(at)
        try:
            reloaded = await agent.reload(source)
        except manus.LLMError as error:
            self._report.reloads_refused.append(str(error))
        else:
            self._report.reloads += 1
            if reloaded.reloads == self._report.reloads:
                self._latest = source

    async def _crash(self, agent: TrioAgent, at: float, chance: float) -> None:
        await trio.sleep(at)
        actors = [each.id for each in agent._tree.status() if each.supervisor != "manus" or each.id == "router"]
        actors += ["accounting", "conversations"]
        with suppress(LookupError):  # it is down at present
            agent._tree.crash(actors[int(chance * len(actors))], RuntimeError("on purpose"))
            self._report.crashes += 1

    async def _look(self, agent: TrioAgent) -> None:
        report, wanted = self._report, self._latest
        report.in_force = set(agent.config.providers) == set(wanted["providers"])
        report.actors = frozenset(each.id for each in agent._tree.status() if each.supervisor == "providers")
        report.actors_wanted = frozenset(agent._wiring.actor_of(name) for name in wanted["providers"])
        told = await agent.get_limits()
        report.limits_used = tuple(limit.used for limit in told.limits if limit.dimension == "concurrency")
        report.limits = tuple(limit.limit for limit in told.limits)
        report.limits_wanted = tuple(
            wanted["limits"][key] for key in ("concurrency", "requests_per_minute") if key in wanted["limits"]
        )
        total = (await agent.get_usage_stats()).total
        report.rows = (total.requests, total.settled, total.released, total.in_doubt)
        report.open_rows = total.open
        report.booked_tokens = total.total_tokens + total.in_doubt_input_tokens + total.in_doubt_output_tokens


def broken(report: Report) -> list[str]:
    """Say what does not hold of a run."""
    found = [line for seen in report.seen for line in _broken_for(seen, report)]
    if len(report.seen) != report.asked or len({seen.number for seen in report.seen}) != report.asked:
        found.append(f"{report.asked} requests have {len(report.seen)} ends")
    requests, *ended = report.rows
    if report.open_rows or requests != sum(ended):
        found.append(f"rows are not conserved: {report.rows}, open {report.open_rows}")
    if report.booked_tokens < report.billed_tokens:
        found.append(f"{report.billed_tokens} tokens were billed and {report.booked_tokens} booked")
    doubted = report.rows[3]  # the losers of races
    if report.calm and not doubted and report.booked_tokens != report.billed_tokens:
        found.append(f"in a calm run {report.billed_tokens} tokens were billed and {report.booked_tokens} booked")
    if report.calm and report.reloads_refused:
        found.append(f"reloads did not come about: {report.reloads_refused}")
    if not report.in_force:
        found.append("the configuration in force is not the latest")
    if report.actors != report.actors_wanted:
        found.append(f"there are {sorted(report.actors)}, wanted {sorted(report.actors_wanted)}")
    if any(report.limits_used):
        found.append(f"limits hold something of nobody: {report.limits_used}")
    if report.limits != report.limits_wanted:
        found.append(f"limits are {report.limits}, wanted {report.limits_wanted}")
    if report.open_exchanges:
        found.append(f"{report.open_exchanges} exchanges are open")
    return found


def _broken_for(seen: Seen, report: Report) -> list[str]:
    found = []
    if seen.ended_at > seen.began_at + REQUEST_S + 0.1:
        found.append(f"request {seen.number} ended {seen.ended_at - seen.began_at - REQUEST_S:.2f} s late")
    if seen.kind is not None:
        if report.calm or seen.kind not in EXPLAINED:
            found.append(f"request {seen.number} was dropped: {seen.kind}: {seen.error}")
    elif seen.text not in [TEXT.format(host) for host in HOSTS]:
        found.append(f"request {seen.number} was answered {seen.text!r}")
    if seen.kind is None and seen.streamed is not None and seen.streamed != seen.text:
        found.append(f"request {seen.number} was streamed {seen.streamed!r} of {seen.text!r}")
    return found


def play(seed: int) -> Report:
    """Run one seed; even ones are calm."""
    world = World(seed, calm=seed % 2 == 0)
    return simulate(world.run, schedule_seed=seed, horizon_s=10_000.0)


def main() -> None:
    """Run many seeds, and print what they did and what broke."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--first", type=int, default=0)
    arguments = parser.parse_args()
    done: Counter[str] = Counter()
    for seed in range(arguments.first, arguments.first + arguments.seeds):
        report = play(seed)
        done["requests"] += report.asked
        done["answered"] += sum(seen.kind is None for seen in report.seen)
        done["reloads"] += report.reloads
        done["reloads that did not come about"] += len(report.reloads_refused)
        done["crashes"] += report.crashes
        for line in broken(report):
            done["broken"] += 1
            print(f"seed {seed}: {line}")
    print(f"{arguments.seeds} seeds: {', '.join(f'{count} {what}' for what, count in done.items())}")


if __name__ == "__main__":
    main()
