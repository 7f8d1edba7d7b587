"""Measure the CPU time of admission: `python -m benchmarks admission`.

One attempt asks, is sent, answered and ends, at an accounting actor over books in memory: with no rules, with 5 that it
falls under, and with 50. Beside it, the pure part alone: weighed, taken, ended. And what one ending costs while 1,000
wait in line, all for the same or each for its own. Medians; compare rows, for absolute numbers are those of a shared
machine.
"""

from __future__ import annotations

import gc
import statistics
import sys
import time
from collections.abc import Callable

import trio

from manus.actors.accounting import ACCOUNTING, accounting_child
from manus.actors.admission.admission import Admission, Fit
from manus.actors.admission.gauge import Shortage
from manus.actors.admission.line import Line
from manus.actors.admission.needs import Clock
from manus.actors.ledger.store import MemoryStore
from manus.messages.accounting import Booked, Reserve, Settle
from manus.messages.ids import DeploymentId, RequestId
from manus.messages.limits import AdmissionPolicy, BudgetRule, LimitRule, Scope
from manus.messages.policy import LedgerPolicy
from manus.messages.usage import NANO_USD, Price, Usage
from manus.supervisor.spec import SupervisorSpec
from manus.supervisor.tree import open_tree

ROW = "admission of one attempt (us)"
SIZES = (0, 5, 50)
CALLS = 2_000
WAITING = 1_000
PLENTY = 1_000_000_000

_PRICE = Price(input=1_000_000_000, output=4_000_000_000, version="bench")
_BOUND = Usage(input_uncached=1000, output=500, source="bound")
_USED = Usage(input_uncached=250, output=120, source="reported")
_BOOKED = Booked(state="settled", usage=_USED, cost_nano_usd=_PRICE.cost_nano_usd(_USED))


class _Asker:
    answered = False


def print_admission(rounds: int) -> None:
    """Print the table."""
    print(ROW)
    rows: dict[str, list[float]] = {}
    for _ in range(rounds):
        for size in SIZES:
            _note(rows, f"{size} rules, weighed, taken, ended", _pure(size))
            _note(rows, f"{size} rules, reserved and settled at the actor", trio.run(_at_the_actor, size))
        _note(rows, f"ending, {WAITING} wait for the same", _ending(one_scope=True))
        _note(rows, f"ending, {WAITING} wait, each with its own tag's rule", _ending(one_scope=False))
    for row, values in rows.items():
        print(f"    {row:<52}{statistics.median(values):10.2f}")
    sys.stdout.flush()


def _note(rows: dict[str, list[float]], row: str, value: float) -> None:
    rows.setdefault(row, []).append(value)


def policy_of(size: int) -> AdmissionPolicy:
    """Make so many rules that the attempt falls under: limits of every kind, and a budget for every fourth of them."""
    scopes = (Scope(), Scope("provider", "alpha"), Scope("deployment", "alpha/small"), Scope("tag", "team"))
    limits: list[LimitRule] = []
    budgets: list[BudgetRule] = []
    for number in range(size):
        scope = scopes[number % len(scopes)]
        match number % 4:
            case 0:
                limits.append(LimitRule(scope=scope, requests_per_minute=PLENTY))
            case 1:
                limits.append(LimitRule(scope=scope, tokens_per_minute=PLENTY))
            case 2:
                limits.append(LimitRule(scope=scope, concurrency=PLENTY))
            case _:
                budgets.append(BudgetRule(scope=scope, amount=PLENTY * NANO_USD))
    return AdmissionPolicy(limits=tuple(limits), budgets=tuple(budgets), refresh_s=3600.0)


def _reserve(number: int, tag: str = "team", *, wait: bool = False) -> Reserve:
    return Reserve(
        request_id=RequestId(f"r{number}"),
        attempt=1,
        deployment=DeploymentId("alpha/small"),
        provider="alpha",
        model="small",
        bound=_BOUND,
        estimate=_USED,
        price=_PRICE,
        tags=(tag,),
        wait=wait,
        bound_cost_nano_usd=3_000_000,
    )


def _us(work: Callable[[], None], times: int) -> float:
    gc.collect()
    gc.disable()
    try:
        began = time.process_time()
        work()
        return (time.process_time() - began) / times * 1e6
    finally:
        gc.enable()


def _pure(size: int) -> float:
    admission = Admission(policy_of(size))
    line = Line(admission, WAITING)
    clock = Clock(1.0, 1_000_000.0)
    _tell(admission, clock)
    reserves = [_reserve(number) for number in range(CALLS)]

    def work() -> None:
        for reserve in reserves:
            if not admission.is_idle(clock.at):
                weighed = admission.weigh(reserve, clock, line.seniority("interactive", clock.at))
                assert isinstance(weighed, Fit)
                admission.take(reserve, weighed, clock)
            admission.end((reserve.request_id, reserve.attempt), _BOOKED, clock.at)

    return _us(work, CALLS)


async def _at_the_actor(size: int) -> float:
    child = accounting_child(MemoryStore(), LedgerPolicy(), now_unix_s=time.time, admission=policy_of(size))
    async with open_tree(SupervisorSpec(id="root", children=(child,))) as tree:
        ref, deadline = tree.ref(ACCOUNTING), trio.current_time() + 3600.0
        pairs = [
            (_reserve(number), Settle(request_id=RequestId(f"r{number}"), attempt=1, usage=_USED, finish="stop"))
            for number in range(CALLS)
        ]
        gc.collect()
        began = time.process_time()
        for reserve, settle in pairs:
            await ref.ask(reserve, deadline=deadline)
            await ref.ask(settle, deadline=deadline)
        return (time.process_time() - began) / CALLS * 1e6


def _ending(*, one_scope: bool) -> float:
    """Let 1,000 wait behind one that is open, and end one after another."""
    tags = () if one_scope else tuple(LimitRule(scope=Scope("tag", f"t{n}"), concurrency=1) for n in range(WAITING))
    admission = Admission(AdmissionPolicy(limits=(LimitRule(concurrency=1), *tags)))
    line = Line(admission, WAITING)
    clock = Clock(1.0, 1_000_000.0)
    first = _reserve(WAITING)
    weighed = admission.weigh(first, clock, line.seniority("interactive", clock.at))
    assert isinstance(weighed, Fit)
    admission.take(first, weighed, clock)
    for number in range(WAITING):
        reserve = _reserve(number, f"t{number}", wait=True)
        seniority = line.seniority("interactive", clock.at)
        short = admission.weigh(reserve, clock, seniority)
        assert isinstance(short, Shortage)
        line.join(reserve, _Asker(), short, seniority, deadline=1e9)

    def work() -> None:
        open_one = first
        while True:
            key = (open_one.request_id, open_one.attempt)
            served = line.refill(admission.end(key, _BOOKED, clock.at), clock)
            if not served:
                break
            open_one = served[0].waiter.reserve

    return _us(work, WAITING)


def _tell(admission: Admission, clock: Clock) -> None:
    """Say that others have spent nothing."""
    asked = tuple(admission.others_asked(clock))
    told = MemoryStore().spent(asked).value
    assert isinstance(told, tuple)
    admission.learn_others(dict(zip(asked, told, strict=True)), clock)
