"""Own one race: 500 callers, the real accounting actor over books in memory, and vendors that count for themselves.

Callers do by hand what a request's attempts do: a place for the ending, the reservation, the call, the ending. Nothing
between them and accounting is simulated but the disk and the clock, and vendors are `manus.sim.quota` alone, so one
race costs little. Races through the whole agent are in `test_race_through_the_agent.py`.
"""

from __future__ import annotations

import math
from typing import Literal

import msgspec
import trio

from manus.actors.accounting import ACCOUNTING, accounting_child
from manus.messages.accounting import (
    Booked,
    Denied,
    Dispatched,
    Doubt,
    Granted,
    Release,
    Reserve,
    Settle,
)
from manus.messages.ids import DeploymentId, RequestId
from manus.messages.limits import Answered, LimitsAsked, LimitsTold
from manus.messages.policy import LedgerPolicy
from manus.messages.usage import Usage
from manus.sim.determinism import Trace, simulate
from manus.sim.quota import Excess, Quota, Seat
from manus.sim.wire import ChatAsked
from manus.supervisor.bus import EventBus
from manus.supervisor.ref import Place, Ref
from manus.supervisor.spec import Backoff, Intensity, SupervisorSpec
from manus.supervisor.statistics import ActorStatus
from manus.supervisor.terminals import ActorFailed, Expired, Unavailable, Undelivered, Withdrawn
from manus.supervisor.tree import Tree, open_tree
from tests.race.race_disk import FaultSwitch, RaceStore
from tests.race.race_plan import PRICE, BlowPlan, Caller, RacePlan
from tests.race.race_report import Bill, RaceReport, Told

TRIES_MAX = 8
"""How often a caller asks again whose reservation was lost in a crash of accounting."""

AGAIN_S = 0.2
BOOKED_S = 30.0


class InjectedCrash(Exception):
    """What a crash of accounting is made of."""


class Race:
    """One race. Made from a plan, run once."""

    def __init__(self, plan: RacePlan) -> None:
        self._plan = plan
        self._quotas = {each.name: Quota(each.limits, each.wire) for each in plan.vendors}
        self._bills: list[Bill] = []
        self._excesses: list[Excess] = []
        self._told = [Told(caller=caller) for caller in plan.callers]
        self._disk = FaultSwitch()
        self._store = RaceStore("run-1", self._disk)
        self._events: list[object] = []
        self._killed = False
        self._statuses: tuple[ActorStatus, ...] = ()
        self._limits_at = 0.0

    async def run(self) -> RaceReport:
        """Drive the plan to its end: one run of the program, or two where it is restarted."""
        blows = self._plan.blows
        restart = next((at for at, blow in enumerate(blows) if blow.kind == "restart"), None)
        if restart is None:
            limits = await self._life(blows, until=math.inf)
        else:
            await self._life(blows[:restart], until=blows[restart].at_s)
            self._recover()
            limits = await self._life(tuple(blow for blow in blows[restart:] if blow.kind != "restart"), until=math.inf)
        rows = list(self._store.rows.values())
        if self._store.earlier is not None:
            rows = [*self._store.earlier.rows.values(), *rows]
        return RaceReport(
            plan=self._plan,
            told=self._told,
            rows=rows,
            bills=self._bills,
            quotas=self._quotas,
            limits=limits,
            events=self._events,
            excesses=self._excesses,
            statuses=self._statuses,
            limits_at=self._limits_at,
        )

    async def _life(self, blows: tuple[BlowPlan, ...], *, until: float) -> LimitsTold:
        """Run the program until its callers are through, or it is killed."""
        bus = EventBus()
        bus.add_listener(self._events.append)
        child = accounting_child(
            self._store,
            LedgerPolicy(confirm_s=0.5, retry_s=0.25),
            now_unix_s=self._unix_s,
            admission=self._plan.policy,
        )
        child = msgspec.structs.replace(
            child,
            intensity=Intensity(max_restarts=1000, period_s=60.0),
            backoff=Backoff(min_s=0.05, max_s=0.05, jitter=0.0),
        )
        told = LimitsTold()
        async with open_tree(SupervisorSpec(id="root", children=(child,)), seed=1, bus=bus, stall=None) as tree:
            ref = tree.ref(ACCOUNTING)
            with trio.move_on_at(until) as life:
                async with trio.open_nursery(strict_exception_groups=True) as nursery:
                    nursery.start_soon(self._strike, tree, blows)
                    for each in self._told:
                        if each.end == "waiting" and each.caller.at_s < until:
                            nursery.start_soon(self._be_caller, ref, each)
            self._killed = life.cancelled_caught
            self._heal()
            if not self._killed:
                await self._come_to_rest()
                answer = await ref.ask(LimitsAsked(), deadline=trio.current_time() + 60.0)
                assert isinstance(answer, LimitsTold)
                told = answer
                self._statuses = tree.status()
                self._limits_at = trio.current_time()
        return told

    def _recover(self) -> None:
        """Open the books that the killed run left, as the ledger does: what was open is in doubt, with its bound."""
        self._killed = False
        for row in [row for row in self._store.rows.values() if row.is_open]:
            sent = row.state == "dispatched"
            self._store.rows[row.request_id, row.attempt] = msgspec.structs.replace(
                row,
                state="in_doubt" if sent else "released",
                usage=row.bound if sent else Usage(source="reported"),
                cost_nano_usd=row.bound_cost_nano_usd if sent else 0,
            )
        self._store = RaceStore("run-2", self._disk, earlier=self._store)

    # --- callers ------------------------------------------------------------------------------------

    async def _be_caller(self, ref: Ref, told: Told) -> None:
        caller = told.caller
        try:
            await trio.sleep_until(caller.at_s)
            leaves_at = math.inf if caller.leaves_after_s is None else caller.at_s + caller.leaves_after_s
            with trio.move_on_at(leaves_at) as interest:
                for _ in range(TRIES_MAX):
                    if await _Try(self, ref, told).made() == "over":
                        break
                    await trio.sleep(AGAIN_S)
            if interest.cancelled_caught:
                told.end = "left"
            elif told.end == "waiting":
                told.end = "lost"
        except trio.Cancelled:
            told.end = "killed"
            raise
        finally:
            told.ended_at = trio.current_time()

    def served_by(self, caller: Caller) -> Quota:
        """Give the limits that a caller's vendor keeps."""
        return self._quotas[caller.vendor]

    def bill(self, row: Bill) -> Bill:
        """Note a call that has reached its vendor."""
        self._bills.append(row)
        return row

    def refuse(self, excess: Excess) -> None:
        """Note a call that its vendor had no room for."""
        self._excesses.append(excess)

    # --- trouble ------------------------------------------------------------------------------------

    def _unix_s(self) -> float:
        return self._plan.begins_unix_s + trio.current_time()

    async def _strike(self, tree: Tree, blows: tuple[BlowPlan, ...]) -> None:
        for blow in blows:
            await trio.sleep_until(blow.at_s)
            match blow.kind:
                case "crash" | "cancel":
                    self._knock_down(tree, crash=blow.kind == "crash")
                case "refuse":
                    self._disk.now = "refuse"
                case "stall":
                    self._disk.now = "stall"
                case _:
                    self._heal()
        self._heal()

    def _knock_down(self, tree: Tree, *, crash: bool) -> None:
        try:
            if crash:
                tree.crash(ACCOUNTING, InjectedCrash("crash of accounting"))
            else:
                tree.cancel_incarnation(ACCOUNTING)
        except LookupError:
            return  # it is down already

    def _heal(self) -> None:
        self._disk.now = "well"
        self._store.heal()

    async def _come_to_rest(self) -> None:
        """Wait until what is owed to the books is written."""
        for _ in range(200):
            await trio.sleep(0.5)
            if not any(row.is_open for row in self._store.rows.values()):
                return


class _Try:
    """One attempt of a caller: what `OpenAttempt` and its call are in a request."""

    def __init__(self, race: Race, ref: Ref, told: Told) -> None:
        told.attempt += 1
        self._race = race
        self._ref = ref
        self._told = told
        self._caller = told.caller
        self._key = (RequestId(f"caller-{self._caller.number}"), told.attempt)
        self._place: Place | None = None
        self._seat: Seat | None = None
        self._granted: Granted | None = None
        self._bill: Bill | None = None
        self._answered = False
        self._ended = False

    async def made(self) -> Literal["over", "again"]:
        """Make it; `again` where accounting crashed on its reservation. Cancelled, it is ended as far as it came."""
        self._place = self._ref.place()
        if self._place is None:
            return "again"
        try:
            answer = await self._asked()
            match answer:
                case Granted():
                    self._granted = answer
                    self._told.granted_at = trio.current_time()
                    await self._called(answer)
                    return "over"
                case Denied(failure=failure):
                    self._place.free()
                    self._ended = True
                    self._told.failure, self._told.end = failure, "denied"
                    return "again" if failure.kind == "ledger" else "over"
                case Expired():
                    self._told.end = "expired"
                    return "over"
                case ActorFailed() | Undelivered() | Unavailable() | Withdrawn():
                    return "again"
                case other:
                    raise AssertionError(f"accounting answered {other!r}")
        finally:
            if self._seat is not None:
                self._seat.leave(trio.current_time())
            if not self._ended and not self._race._killed:
                self._place.cast(self._ending())

    async def _asked(self) -> object:
        caller, (request_id, attempt) = self._caller, self._key
        reserve = Reserve(
            request_id=request_id,
            attempt=attempt,
            deployment=DeploymentId(f"{caller.vendor}/m"),
            provider=caller.vendor,
            model="m",
            bound=Usage(input_uncached=caller.input_bound, output=caller.cap_tokens, source="bound"),
            estimate=Usage(input_uncached=caller.input_tokens, output=caller.output_tokens, source="estimated"),
            price=PRICE,
            key_fingerprint="k1",
            tags=caller.tags,
            wait=caller.wait,
            priority=caller.priority,
            asked_output_tokens=caller.cap_tokens,
        )
        told = self._told
        told.asked_at, told.answered_at = trio.current_time(), math.nan
        answer = await self._ref.ask(reserve, deadline=caller.at_s + caller.timeout_s)
        told.answered_at = trio.current_time()
        return answer

    async def _called(self, granted: Granted) -> None:
        """Call the vendor, and end."""
        caller, (request_id, attempt) = self._caller, self._key
        await trio.sleep(caller.dispatch_s)
        self._ref.cast(Dispatched(request_id=request_id, attempt=attempt))
        await trio.sleep(caller.network_s)
        asked = ChatAsked(model="m", stream=True, input_tokens=caller.input_tokens, max_output_tokens=caller.cap_tokens)
        now = trio.current_time()
        taken = self._race.served_by(caller).take(asked, cached_tokens=caller.cached_tokens, now_s=now)
        self._told.arrived_at = now
        if isinstance(taken, Excess):
            self._race.refuse(taken)
            self._told.end = "refused"
            await self._book(Release(request_id=request_id, attempt=attempt, reason="rate_limited"))
            return
        self._seat = taken
        if caller.fate != "refused":
            bill = Bill(caller=caller.number, attempt=attempt, vendor=caller.vendor, input_tokens=caller.input_tokens)
            self._bill = self._race.bill(bill)
        await trio.sleep(caller.head_s)
        if granted.watched:
            self._ref.cast(Answered(request_id=request_id, attempt=attempt))
        if self._bill is None:
            self._told.end = "refused"
            await self._book(Release(request_id=request_id, attempt=attempt, reason="server"))
            return
        self._answered = True
        await self._generate(taken, self._bill)
        seat, self._seat = self._seat, None
        seat.leave(trio.current_time())
        if caller.fate == "breaks":
            self._told.end = "broken"
            await self._book(self._ending())
            return
        self._told.end = "answered"
        await self._book(Settle(request_id=request_id, attempt=attempt, usage=self._used("reported"), finish="stop"))

    async def _generate(self, seat: Seat, bill: Bill) -> None:
        """Write the answer in two halves, or break off after the first."""
        caller = self._caller
        first = caller.output_tokens // 2
        for tokens in (first, caller.output_tokens - first):
            await trio.sleep(caller.answer_s / 2)
            seat.generated(tokens, trio.current_time())
            bill.output_tokens += tokens
            if caller.fate == "breaks":
                return

    def _used(self, source: Literal["reported", "estimated"]) -> Usage:
        assert self._bill is not None
        caller = self._caller
        return Usage(
            input_uncached=caller.input_tokens - caller.cached_tokens,
            cache_read=caller.cached_tokens,
            output=self._bill.output_tokens,
            source=source,
        )

    def _ending(self) -> Release | Settle | Doubt:
        """Say how the books are to have it when it ends before its time."""
        request_id, attempt = self._key
        if self._bill is None:
            return Release(request_id=request_id, attempt=attempt, reason="not sent")
        if self._answered and self._bill.output_tokens and self._caller.number % 2:
            return Settle(request_id=request_id, attempt=attempt, usage=self._used("estimated"), finish="incomplete")
        return Doubt(request_id=request_id, attempt=attempt, reason="cut")

    async def _book(self, ending: Release | Settle | Doubt) -> None:
        assert self._place is not None
        self._ended = True
        answer = await self._place.ask(ending, deadline=trio.current_time() + BOOKED_S)
        assert isinstance(answer, Booked | ActorFailed | Expired), answer


class StepCount(Trace):
    """Counts the steps of a race and hashes nothing: ten thousand races have better things to do."""

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        """Count."""
        self.steps += 1


def run_race(plan: RacePlan, trace: Trace | None = None) -> RaceReport:
    """Run one race in virtual time.

    Raises:
        HorizonReached: somebody waits for what never comes.
    """
    trace = StepCount() if trace is None else trace
    return simulate(Race(plan).run, schedule_seed=plan.schedule_seed, horizon_s=plan.horizon_s, trace=trace)
