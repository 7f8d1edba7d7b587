"""Own the drawing of what concerns the books: limits and budgets, who is tagged how, what becomes of cancelled calls.

Drawn apart from the rest of a plan, so that a plan is what it was but for this.
"""

from __future__ import annotations

import random

import msgspec

from manus.messages.limits import AdmissionPolicy, BudgetRule, LimitRule, Scope, TokenCounting
from manus.messages.requests import OnCancel
from manus.sim.chaos_plan import Plan, ProviderPlan
from manus.sim.counting import Counting
from manus.sim.memory import GRID_S
from manus.sim.quota import CHARGING, VendorLimits

BOUND_TOKENS = 900
"""About what a request of a chaos plan may use at most, prompt and answer."""

BOUND_NANO_USD = 1_400_000
"""About what that costs, by the prices of this world."""

TAGS = ((), ("crowd",), ("crowd",), ("crowd", "few"))


def with_books(plan: Plan) -> Plan:
    """Give a plan its limits, budgets and drains. Where everything must come right in the end, there is room for it."""
    rng = random.Random(f"books/{plan.seed}")
    if rng.random() < 0.4:
        plan = _with_drains(rng, plan)
    if plan.mode != "safety" or rng.random() < 0.6:
        return plan
    return _with_limits(rng, plan)


def _with_drains(rng: random.Random, plan: Plan) -> Plan:
    choices: tuple[OnCancel | None, ...] = (None, "abort", "drain", "drain")
    # Whoever leaves cancels, and hears the last word: only then is anything known of what is read without him.
    clients = tuple(
        msgspec.structs.replace(
            client,
            on_cancel=rng.choice(choices),
            leaves=client.leaves if client.leaves_after_s is None else "cancel",
        )
        for client in plan.clients
    )
    return msgspec.structs.replace(
        plan,
        clients=clients,
        on_cancel=rng.choice(("abort", "drain")),
        drain_s=rng.choice((GRID_S, 1.0, 60.0, 60.0)),
        drains_max=rng.choice((0, 64, 64)),
    )


def _with_limits(rng: random.Random, plan: Plan) -> Plan:
    """Draw limits that vendors keep, of which we mostly know, and budgets of our own."""
    providers: list[ProviderPlan] = []
    rules: list[LimitRule] = []
    for each in plan.providers:
        if rng.random() < 0.3:
            providers.append(each)
            continue
        limits = _vendor_limits(rng, plan)
        providers.append(msgspec.structs.replace(each, limits=limits))
        if rng.random() < 0.7:
            rules.append(_rule(each, limits))
    budgets = tuple(_budget(rng, plan, number) for number in range(rng.choice((0, 0, 1, 2))))
    return msgspec.structs.replace(
        plan,
        providers=tuple(providers),
        clients=tuple(msgspec.structs.replace(client, tags=rng.choice(TAGS)) for client in plan.clients),
        admission=AdmissionPolicy(
            limits=tuple(rules),
            budgets=budgets,
            learn=rng.random() < 0.7,
            waiting_max=rng.choice((0, 2, 1024)),
        ),
    )


def _vendor_limits(rng: random.Random, plan: Plan) -> VendorLimits:
    tokens = BOUND_TOKENS * rng.choice((1, 3, 20))
    countings: tuple[Counting | None, ...] = (None, "fixed", "sliding", "bucket")
    chosen = rng.sample(("requests", "tokens", "input", "output", "concurrency"), k=rng.randint(1, 3))
    # A bug of ours that holds on to a connection has no attempt any more that would count.
    wedges = any(met.bug for client in plan.clients for meets in client.meets.values() for met in meets)
    return VendorLimits(
        requests_per_minute=rng.choice((1, 3, 10)) if "requests" in chosen else None,
        tokens_per_minute=tokens if "tokens" in chosen else None,
        input_tokens_per_minute=tokens if "input" in chosen else None,
        output_tokens_per_minute=tokens if "output" in chosen else None,
        concurrency=rng.choice((1, 2, 8)) if "concurrency" in chosen and not wedges else None,
        counting=rng.choice(countings),
        uncapped_tokens=256,
    )


def _rule(provider: ProviderPlan, limits: VendorLimits) -> LimitRule:
    """Write our limits: the vendor's own, to the request and the token."""
    charging = CHARGING[provider.wire]
    return LimitRule(
        scope=Scope(kind="provider", name=provider.name),
        source=f"providers.{provider.name}.limits",
        requests_per_minute=limits.requests_per_minute,
        tokens_per_minute=limits.tokens_per_minute,
        input_tokens_per_minute=limits.input_tokens_per_minute,
        output_tokens_per_minute=limits.output_tokens_per_minute,
        concurrency=limits.concurrency,
        counting=TokenCounting(asked=charging == "asked", cache_reads=charging != "used"),
    )


def _budget(rng: random.Random, plan: Plan, number: int) -> BudgetRule:
    scopes = (Scope(), Scope(kind="tag", name="crowd"), Scope(kind="provider", name=plan.providers[0].name))
    dollars = rng.random() < 0.6
    most = (BOUND_NANO_USD if dollars else BOUND_TOKENS) * rng.choice((1, 2, 4, 40))
    return BudgetRule(
        amount=most,
        unit="nano_usd" if dollars else "tokens",
        # A rolling window is not the same to who judges by rows that a wall clock dated that was set meanwhile.
        period="day" if plan.jumps else rng.choice(("day", "month", "rolling")),
        window_s=3600.0,
        scope=rng.choice(scopes),
        source=f"budgets[{number}]",
    )
