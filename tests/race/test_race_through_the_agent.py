"""The same races through the whole tree: router, provider actors, accounting and their crashes, over simulated vendors.

What is between a caller and accounting is real here, so a race costs seconds; hence few of them. Bounds are what the
agent itself computes for a short prompt without a cap on the answer.
"""

from __future__ import annotations

import random
from collections import Counter

import msgspec
import pytest

from manus.messages.limits import AdmissionPolicy, BudgetRule, LimitRule, Scope, TokenCounting
from manus.messages.outcomes import Finished, Unfinished
from manus.messages.routing_policy import RetryPolicy
from manus.sim.behaviour import Script
from manus.sim.chaos import simulated
from manus.sim.chaos_books_draw import BOUND_NANO_USD, BOUND_TOKENS
from manus.sim.chaos_invariants import INVARIANTS
from manus.sim.chaos_plan import BlowPlan, ClientPlan, Meeting, Plan, ProviderPlan
from manus.sim.chaos_world import Report
from manus.sim.quota import CHARGING, VendorLimits
from manus.sim.wire import WireName

CALLERS = 500
SEEDS = range(4)
LONG_SEEDS = range(100, 300)
WIRES: tuple[WireName, ...] = ("openai", "azure", "anthropic", "bedrock")


def race(seed: int, kind: str) -> Plan:
    """Draw a race: everybody comes within a second, and there is room or money for few of them at a time."""
    rng = random.Random(f"agent race/{seed}/{kind}")
    wire = rng.choice(WIRES)
    limits = VendorLimits(
        requests_per_minute=rng.choice((120, 240)),
        tokens_per_minute=BOUND_TOKENS * rng.choice((40, 200)),
        uncapped_tokens=256,
    )
    provider = ProviderPlan(
        name="alpha", wire=wire, concurrency=64, queue=1024, limits=limits if kind == "rates" else None
    )
    rule = LimitRule(
        scope=Scope(kind="provider", name="alpha"),
        source="providers.alpha.limits",
        requests_per_minute=limits.requests_per_minute,
        tokens_per_minute=limits.tokens_per_minute,
        counting=TokenCounting(asked=CHARGING[wire] == "asked", cache_reads=CHARGING[wire] != "used"),
    )
    budget = BudgetRule(amount=12 * BOUND_NANO_USD, scope=Scope(kind="tag", name="crowd"))
    blows = tuple(
        BlowPlan(
            at_s=round(rng.uniform(0.1, 5.0 if kind == "budget" else 150.0), 2),
            kind=rng.choice(("crash", "cancel")),
            target=rng.choice(("router", "provider/alpha", "accounting")),
        )
        for _ in range(rng.choice((0, 2, 4)))
    )
    return Plan(
        seed=seed,
        schedule_seed=rng.getrandbits(32),
        mode="safety",
        providers=(provider,),
        clients=tuple(_caller(rng, number) for number in range(CALLERS)),
        blows=tuple(sorted(blows, key=lambda blow: blow.at_s)),
        total_s=30.0,
        headers_s=20.0,
        retry=RetryPolicy(attempts_max=8, budget_ratio=1.0, budget_min=100),
        admission=AdmissionPolicy(limits=(rule,)) if kind == "rates" else AdmissionPolicy(budgets=(budget,)),
    )


def _caller(rng: random.Random, number: int) -> ClientPlan:
    script = Script(
        words=rng.choice((3, 12, 40)),
        chunk_tokens=3,
        latency_s=rng.choice((0.0, 0.3, 8.0)),
        gap_s=rng.choice((0.0, 0.1)),
    )
    return ClientPlan(
        number=number,
        at_s=round(rng.random(), 2),
        timeout_s=3000.0,
        stream=rng.random() < 0.3,
        leaves_after_s=round(rng.uniform(0.0, 60.0), 2) if rng.random() < 0.1 else None,
        tags=("crowd",),
        meets={"alpha": (Meeting(script=script),)},
    )


def insist(plan: Plan) -> Report:
    """Run it, and fail where a promise broke."""
    report = simulated(plan)
    wrong = [f"{check.__name__}: {sentence}" for check in INVARIANTS for sentence in check(report)]
    if wrong:
        pytest.fail(f"agent race {plan.seed} broke {len(wrong)} promises:\n  " + "\n  ".join(wrong[:20]))
    return report


def told(report: Report) -> Counter[str]:
    """Count what callers were told."""
    counts: Counter[str] = Counter()
    for seen in report.seen:
        if isinstance(seen.outcome, Unfinished):
            counts[seen.outcome.failure.kind] += 1
        else:
            counts["answered" if isinstance(seen.outcome, Finished) else "other"] += 1
    return counts


def money_is_used_before_it_is_refused(report: Report) -> None:
    """Hold the first refusal against what was spent and in doubt when it was given."""
    (rule,) = report.plan.admission.budgets
    refused_at = [
        seen.ended_at
        for seen in report.seen
        if isinstance(seen.outcome, Unfinished) and seen.outcome.failure.kind == "budget_exceeded"
    ]
    spent = sum(row.cost_nano_usd or 0 for row in report.rows)
    if not refused_at:
        return
    by_then = sum(
        row.cost_nano_usd or 0
        for row in report.rows
        if row.ended_unix_s is not None and row.ended_unix_s - 1_800_000_000.0 <= min(refused_at) + 1e-3
    )
    assert by_then >= 0.9 * rule.amount, (by_then, spent, rule.amount)


def check_race(seed: int, kind: str) -> None:
    report = insist(race(seed, kind))
    counts = told(report)
    if kind == "budget":
        money_is_used_before_it_is_refused(report)
        assert counts["answered"], counts
        return
    assert not any(row.fault for rows in report.bills.values() for row in rows)
    disturbed = bool(report.plan.blows)
    assert counts["admission"] == 0, counts
    if not disturbed:
        leaving = sum(seen.client.leaves_after_s is not None for seen in report.seen)
        assert counts["answered"] >= CALLERS - leaving, counts


@pytest.mark.parametrize("kind", ["rates", "budget"])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_race_through_the_agent_keeps_every_promise(seed: int, kind: str) -> None:
    check_race(seed, kind)


@pytest.mark.long
@pytest.mark.parametrize("kind", ["rates", "budget"])
@pytest.mark.parametrize("seed", LONG_SEEDS)
def test_hundreds_of_races_through_the_agent_keep_every_promise(seed: int, kind: str) -> None:
    check_race(seed, kind)


def test_a_race_is_the_same_for_the_same_seed() -> None:
    assert race(1, "rates") == race(1, "rates")
    assert msgspec.json.encode(race(1, "rates")) != msgspec.json.encode(race(2, "rates"))
