"""Own what hedging buys and costs: time to first token with and without it, while one request in twenty is slow.

A simulation under a virtual clock, not a measurement: the same for the same seed on every machine. Two providers answer
alike; the first word of a request takes some 0.5 s, and of 5 % of them twenty times as long, at either of them. The
whole agent is asked through its public face, a request every quarter of a second, with and without `[hedge]` in the
same run; tokens are those of the providers' own bills.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable
from typing import Any

import msgspec
import trio
from trio.testing import MockClock

from manus.actors.upstream import TransportFactory
from manus.agent import LLMAgent
from manus.opening import open_agent
from manus.sim.behaviour import Responder, Script
from manus.sim.bill import BillTotals
from manus.sim.memory import SimTransport
from manus.sim.provider import SimProvider
from manus.sim.wire import ChatAsked
from manus.testing.agents import sim_config

SEED = 20
REQUESTS = 4000
EVERY_S = 0.25
USUAL_S = (0.35, 0.65)
SLOW_SHARE = 0.05
SLOWNESS = 20
ANSWER_TOKENS = 40
GAP_S = 0.02
MAX_TOKENS = 64

ROW = "time to first token, one request in twenty 20x slow (s, simulated)"

SETTINGS: dict[str, dict[str, Any]] = {
    "no hedging": {},
    "hedging, as by default": {"enabled": True},
    "after p90": {"enabled": True, "quantile": 0.9},
}

WIDTHS = (8, 8, 8, 9, 10, 9, 9, 18)


class Simulated(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one setting: times to first token, what the providers bill, and what the books know of."""

    first_token_s: list[float]
    billed: BillTotals
    hedges: int
    hedges_won: int
    settled_nano_usd: int
    in_doubt_nano_usd: int


def print_hedging(_rounds: int) -> None:
    """Simulate every setting and print it. Rounds change nothing: there is no noise to be averaged out."""
    outcomes = {
        name: trio.run(simulate, hedge, REQUESTS, clock=MockClock(autojump_threshold=0))
        for name, hedge in SETTINGS.items()
    }
    plain = outcomes["no hedging"]
    print(ROW)
    print(
        f"    {'':<26}{'p50':>8}{'p95':>8}{'p99':>8}{'calls':>9}{'won':>7}{'tokens':>9}{'settled':>9}{'in doubt':>10}"
    )
    for name, outcome in outcomes.items():
        cuts = statistics.quantiles(outcome.first_token_s, n=100)
        calls = _more(outcome.billed.requests, plain.billed.requests)
        tokens = _more(_tokens(outcome), _tokens(plain))
        settled = _more(outcome.settled_nano_usd, plain.settled_nano_usd)
        in_doubt = f"{outcome.in_doubt_nano_usd / plain.settled_nano_usd:.1%}"
        won = f"{outcome.hedges_won}/{outcome.hedges}"
        times = [f"{cuts[at]:.2f}" for at in (49, 94, 98)]
        print(f"    {name:<26}" + "".join(map(str.rjust, (*times, calls, won, tokens, settled, in_doubt), WIDTHS)))


async def simulate(hedge: dict[str, Any], requests: int) -> Simulated:
    """Ask so many times, under whatever clock the loop has."""
    sims = {name: SimProvider("openai", _slow_at_times(name), models=("sim-large",)) for name in ("first", "second")}
    transports: dict[str, TransportFactory] = {name: _to(sim) for name, sim in sims.items()}
    config = sim_config(sims, ledger={"path": ":memory:"}, hedge=hedge, general={"enable_logging": False})
    first_token_s: list[float] = []
    async with open_agent(config, transports=transports, seed=SEED) as agent:
        async with trio.open_nursery(strict_exception_groups=True) as nursery:
            for _ in range(requests):
                nursery.start_soon(_ask, agent, first_token_s)
                await trio.sleep(EVERY_S)
        total = (await agent.get_usage_stats()).total
        metrics = await agent.get_routing_metrics()
    return Simulated(
        first_token_s=first_token_s,
        billed=sims["first"].bill.totals() + sims["second"].bill.totals(),
        hedges=metrics.hedges,
        hedges_won=metrics.hedges_won,
        settled_nano_usd=total.cost_nano_usd,
        in_doubt_nano_usd=total.in_doubt_cost_nano_usd,
    )


async def _ask(agent: LLMAgent, first_token_s: list[float]) -> None:
    began = trio.current_time()
    async with agent.stream("How is the sea today?", max_tokens=MAX_TOKENS) as stream:
        await anext(stream)
        first_token_s.append(trio.current_time() - began)
        await stream.response()


def _slow_at_times(name: str) -> Responder:
    """Let a provider draw, for each request by its number, how long its first word takes."""
    rng = random.Random(f"{SEED}/{name}")

    def answer(_: ChatAsked) -> Script:
        first_s = rng.uniform(*USUAL_S) * (SLOWNESS if rng.random() < SLOW_SHARE else 1)
        return Script(words=ANSWER_TOKENS, first_token_s=first_s, gap_s=GAP_S)

    return answer


def _to(sim: SimProvider) -> Callable[[str], SimTransport]:
    def connect(base_url: str) -> SimTransport:
        return SimTransport(sim)

    return connect


def _tokens(outcome: Simulated) -> int:
    return outcome.billed.input_tokens + outcome.billed.output_tokens


def _more(amount: float, than: float) -> str:
    return f"{amount / than - 1:+.1%}"
