"""Own plans of races for room: who comes when, wants what, and what may go wrong, all drawn from one seed.

A race is 500 callers at once before limits and budgets that are the vendors' own. Callers differ in size, in patience
and in fate; a caller who waits does so while what others have reserved stands in its way.
"""

from __future__ import annotations

import random
from typing import Literal

import msgspec

from manus.messages.limits import AdmissionPolicy, BudgetRule, LimitRule, Scope, TokenCounting
from manus.messages.requests import Priority
from manus.messages.usage import NANO_USD, Price
from manus.sim.counting import Counting
from manus.sim.quota import CHARGING, VendorLimits
from manus.sim.wire import WireName

CALLERS = 500
PATIENT_S = 50_000.0
"""Longer than any race takes."""

DAY_BEGINS_UNIX_S = 1_800_057_600.0
"""A midnight, UTC."""

TAGS = (("team", "crowd"), ("team", "crowd"), ("team", "crowd"), ("team", "crowd"), ("team",), ("team", "few"), ())
"""What callers are tagged with: most come from one crowd."""

RATE = 1_000_000_000_000
"""Nano-USD per million tokens, in and out: a token costs 1e6 nano-USD, so a dollar buys a thousand tokens."""

PRICE = Price(input=RATE, output=RATE, version="race")
TOKEN_NANO_USD = RATE // 1_000_000
DOLLAR_TOKENS = NANO_USD // TOKEN_NANO_USD

Kind = Literal["budget", "rates", "both"]
"""What there is too little of: money, room per minute, or either."""

Fate = Literal["whole", "refused", "breaks"]
"""How a call ends at its vendor: answered; an error status; broken off in the middle, and nobody knows what it cost."""

Blow = Literal["crash", "cancel", "refuse", "stall", "heal", "restart"]
"""What is done to the books: the actor crashes or is cancelled; the disk refuses, stalls and recovers; the process
ends, and the next one opens the books that it finds."""


class Vendor(msgspec.Struct, frozen=True, kw_only=True):
    """One provider and its own limits."""

    name: str
    wire: WireName
    limits: VendorLimits


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt.

    Args:
        bound_tokens: of prompt and answer; the answer's cap is `cap_tokens`.
        dispatch_s: from the grant until bytes leave; `network_s` until they arrive; `head_s` until the answer begins;
            `answer_s` until it ends.
        leaves_after_s: when it loses interest, from `at_s`.
    """

    number: int
    vendor: str
    at_s: float
    timeout_s: float
    wait: bool
    priority: Priority
    tags: tuple[str, ...]
    input_tokens: int
    cached_tokens: int
    input_bound: int
    cap_tokens: int
    output_tokens: int
    dispatch_s: float
    network_s: float
    head_s: float
    answer_s: float
    fate: Fate = "whole"
    leaves_after_s: float | None = None

    @property
    def bound_tokens(self) -> int:
        """What it may use at most."""
        return self.input_bound + self.cap_tokens


class BlowPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Something done to the books at a time."""

    at_s: float
    kind: Blow


class RacePlan(msgspec.Struct, frozen=True, kw_only=True):
    """One race. `begins_unix_s` is what the wall clock says at its beginning."""

    seed: int
    schedule_seed: int
    kind: Kind
    vendors: tuple[Vendor, ...]
    policy: AdmissionPolicy
    callers: tuple[Caller, ...]
    blows: tuple[BlowPlan, ...]
    begins_unix_s: float
    horizon_s: float = 4 * PATIENT_S

    @property
    def calm(self) -> bool:
        """Whether nothing goes wrong in it but that there is too little room."""
        return not self.blows and all(caller.leaves_after_s is None for caller in self.callers)


def race_from_seed(seed: int, kind: Kind | None = None) -> RacePlan:
    """Draw a race. Equal seeds give equal races."""
    rng = random.Random(f"race/{seed}")
    drawn: Kind = rng.choice(("budget", "budget", "rates", "rates", "both"))
    kind = drawn if kind is None else kind
    names = ("alpha", "beta")[: rng.choice((1, 1, 2))]
    share = rng.choice((0.1, 0.1, 0.04, 0.01))
    sizes = _Sizes(rng, largest_tokens=int(DOLLAR_TOKENS * share))
    vendors = tuple(_vendor(rng, name, sizes, limited=kind != "budget") for name in names)
    trouble = rng.random() < 0.5
    callers = tuple(_caller(rng, number, names, sizes, kind, trouble=trouble) for number in range(CALLERS))
    return RacePlan(
        seed=seed,
        schedule_seed=rng.getrandbits(32),
        kind=kind,
        vendors=vendors,
        policy=AdmissionPolicy(
            limits=tuple(_rule(rng, vendor) for vendor in vendors) if kind != "budget" else (),
            budgets=_budgets(rng, names) if kind != "rates" else (),
            learn=rng.random() < 0.5,
        ),
        callers=callers,
        blows=_blows(rng, kind) if trouble else (),
        # Now and then the race runs over midnight, and what was spent is forgiven.
        begins_unix_s=DAY_BEGINS_UNIX_S - (rng.choice((1.0, 20.0)) if rng.random() < 0.2 else 40_000.0),
    )


class _Sizes:
    """How large requests are in one race, and how much of their bounds they use."""

    def __init__(self, rng: random.Random, *, largest_tokens: int) -> None:
        self.largest_tokens = max(4, largest_tokens)
        self.even = rng.random() < 0.3
        self.used = rng.choice((0.1, 0.5, 1.0))
        self.together_s = rng.choice((0.0, 0.0, 5.0, 90.0))
        self.slow_s = rng.choice((0.0, 2.0, 45.0))
        self.grid = rng.random() < 0.5


def _vendor(rng: random.Random, name: str, sizes: _Sizes, *, limited: bool) -> Vendor:
    wire: WireName = rng.choice(("openai", "azure", "anthropic", "bedrock"))
    if not limited:
        return Vendor(name=name, wire=wire, limits=VendorLimits())
    tokens = sizes.largest_tokens * rng.choice((2, 10, 50))
    countings: tuple[Counting | None, ...] = (None, "fixed", "sliding", "bucket")
    dimensions = rng.sample(("requests", "tokens", "input", "output", "concurrency"), k=rng.randint(1, 3))
    return Vendor(
        name=name,
        wire=wire,
        limits=VendorLimits(
            requests_per_minute=rng.choice((20, 60, 500)) if "requests" in dimensions else None,
            tokens_per_minute=tokens if "tokens" in dimensions else None,
            input_tokens_per_minute=tokens if "input" in dimensions else None,
            output_tokens_per_minute=tokens if "output" in dimensions else None,
            concurrency=rng.choice((1, 7, 64)) if "concurrency" in dimensions else None,
            counting=rng.choice(countings),
        ),
    )


def _rule(rng: random.Random, vendor: Vendor) -> LimitRule:
    """Write our limits: the vendor's own, to the request and the token."""
    limits = vendor.limits
    scopes = (
        Scope(kind="provider", name=vendor.name),
        Scope(kind="deployment", name=f"{vendor.name}/m"),
        Scope(kind="key", name=f"{vendor.name}#k1"),
    )
    charging = CHARGING[vendor.wire]
    return LimitRule(
        scope=rng.choice(scopes),
        source=f"providers.{vendor.name}.limits",
        requests_per_minute=limits.requests_per_minute,
        tokens_per_minute=limits.tokens_per_minute,
        input_tokens_per_minute=limits.input_tokens_per_minute,
        output_tokens_per_minute=limits.output_tokens_per_minute,
        concurrency=limits.concurrency,
        counting=TokenCounting(asked=charging == "asked", cache_reads=charging != "used"),
    )


def _budgets(rng: random.Random, names: tuple[str, ...]) -> tuple[BudgetRule, ...]:
    scopes = (Scope(), Scope(kind="tag", name="team"), *(Scope(kind="provider", name=name) for name in names))
    dollar = rng.random() < 0.7
    first = BudgetRule(
        amount=NANO_USD if dollar else DOLLAR_TOKENS,
        unit="nano_usd" if dollar else "tokens",
        period=rng.choice(("day", "month")),
        scope=rng.choice(scopes),
    )
    if rng.random() < 0.5:
        return (first,)
    second = BudgetRule(
        amount=NANO_USD * rng.choice((1, 2)),
        period=rng.choice(("day", "rolling")),
        window_s=3600.0,
        scope=rng.choice(scopes),
        source="budgets.second",
    )
    return (first, second)


def _caller(
    rng: random.Random, number: int, names: tuple[str, ...], sizes: _Sizes, kind: Kind, *, trouble: bool
) -> Caller:
    bound = sizes.largest_tokens if sizes.even else rng.randint(4, sizes.largest_tokens)
    input_bound = rng.randint(1, bound - 2)
    cap = bound - input_bound
    input_tokens = max(1, round(input_bound * min(1.0, sizes.used * rng.uniform(0.5, 1.0))))
    fates: tuple[Fate, ...] = ("whole", "whole", "whole", "whole", "whole", "refused", "breaks")
    at_s = rng.uniform(0.0, sizes.together_s)
    leaves = trouble and rng.random() < 0.2
    times = [_time(rng, sizes) for _ in range(4)]
    return Caller(
        number=number,
        vendor=rng.choice(names),
        at_s=round(at_s / 0.05) * 0.05 if sizes.grid else at_s,
        timeout_s=rng.choice((0.5, 30.0, 600.0)) if trouble and rng.random() < 0.3 else PATIENT_S,
        wait=not (trouble and rng.random() < 0.1),
        priority="batch" if rng.random() < 0.2 else "interactive",
        tags=rng.choice(TAGS),
        input_tokens=input_tokens,
        cached_tokens=rng.choice((0, 0, input_tokens // 2)),
        input_bound=input_bound,
        cap_tokens=cap,
        output_tokens=max(1, round(cap * min(1.0, sizes.used * rng.uniform(0.5, 1.0)))),
        dispatch_s=times[0] if trouble else 0.0,
        network_s=times[1],
        head_s=times[2],
        answer_s=times[3] + (sizes.slow_s if rng.random() < 0.1 else 0.0),
        fate=rng.choice(fates) if trouble else "whole",
        leaves_after_s=round(rng.choice((0.0, 0.5, 5.0, 100.0)) * rng.random(), 2) if leaves else None,
    )


def _time(rng: random.Random, sizes: _Sizes) -> float:
    seconds = rng.choice((0.0, 0.05, 0.3, 1.0)) * rng.random()
    return round(seconds / 0.05) * 0.05 if sizes.grid else seconds


def _blows(rng: random.Random, kind: Kind) -> tuple[BlowPlan, ...]:
    blows: list[BlowPlan] = []
    for _ in range(rng.choice((0, 1, 3, 6))):
        at_s = round(rng.uniform(0.0, 3.0 if kind == "budget" else 120.0), 2)
        blow: Blow = rng.choice(("crash", "crash", "cancel", "refuse", "stall"))
        blows.append(BlowPlan(at_s=at_s, kind=blow))
        if blow in ("refuse", "stall"):
            blows.append(BlowPlan(at_s=at_s + rng.choice((0.1, 2.0)), kind="heal"))
    if kind == "budget" and rng.random() < 0.4:
        # What vendors have counted in the last minute is not in the books, so only money survives a restart.
        blows.append(BlowPlan(at_s=round(rng.uniform(0.5, 5.0), 2), kind="restart"))
        # A real journal keeps room for the steps of what is open, so a disk that takes none of them is one trouble, and
        # a killed process another.
        blows = [blow for blow in blows if blow.kind != "refuse"]
    return tuple(sorted(blows, key=_at))


def _at(blow: BlowPlan) -> float:
    return blow.at_s
