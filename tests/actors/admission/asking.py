"""Own what tests of admission share: reservations with sensible values, the line without a loop, and how calls end."""

from __future__ import annotations

from typing import Any

from manus.actors.admission.admission import Admission, Fit
from manus.actors.admission.gauge import Shortage
from manus.actors.admission.line import Line, Served
from manus.actors.admission.needs import Clock
from manus.messages.accounting import Booked, Reserve, Spent, SpentAsked
from manus.messages.failures import Failed
from manus.messages.ids import DeploymentId, RequestId
from manus.messages.limits import AdmissionPolicy, BudgetRule, LimitRule
from manus.messages.usage import NANO_USD, Price, Usage

UNIX_S = 1_700_000_000.0
"""Wall time at second 0 of the loop's clock: 2023-11-14 22:13:20 UTC."""

PRICE = Price(input=1_000_000_000, output=1_000_000_000, version="test")
"""USD 1 per million tokens, so one token costs 1,000 nano-USD."""


def make_reserve(name: str = "r1", *, tokens: tuple[int, int] = (100, 100), **changes: Any) -> Reserve:
    """Make a reservation that may use `tokens` of input and of output, and is expected to use half of them."""
    fields: dict[str, Any] = {
        "request_id": RequestId(name),
        "attempt": 1,
        "deployment": DeploymentId("alpha/small"),
        "provider": "alpha",
        "model": "small",
        "bound": Usage(input_uncached=tokens[0], output=tokens[1], source="bound"),
        "estimate": Usage(input_uncached=tokens[0] // 2, output=tokens[1] // 2, source="estimated"),
        "price": PRICE,
    }
    return Reserve(**(fields | changes))


def settled(tokens: tuple[int, int] = (50, 50), *, cache_read: int = 0, cost: int | None = -1) -> Booked:
    """Say that a call used so much."""
    usage = Usage(input_uncached=tokens[0], cache_read=cache_read, output=tokens[1], source="reported")
    return Booked(state="settled", usage=usage, cost_nano_usd=PRICE.cost_nano_usd(usage) if cost == -1 else cost)


def released() -> Booked:
    """Say that a call used nothing."""
    return Booked(state="released", usage=Usage(source="reported"), cost_nano_usd=0)


def in_doubt(reserve: Reserve) -> Booked:
    """Say that nobody knows what a call used."""
    return Booked(state="in_doubt", usage=reserve.bound, cost_nano_usd=PRICE.cost_nano_usd(reserve.bound))


def usd(amount: float) -> int:
    """Give nano-USD."""
    return int(amount * NANO_USD)


class Asker:
    """Somebody who waits, and may leave."""

    def __init__(self) -> None:
        self.answered = False


class Gate:
    """Admission and its line on a clock that tests move; keeps what became of everybody."""

    def __init__(
        self,
        *,
        limits: tuple[LimitRule, ...] = (),
        budgets: tuple[BudgetRule, ...] = (),
        told: bool = True,
        **policy: Any,
    ) -> None:
        self.admission = Admission(AdmissionPolicy(limits=limits, budgets=budgets, **policy))
        self.line = Line(self.admission, policy.get("waiting_max", 1024))
        self.now = 0.0
        self.skew_s = 0.0
        self.granted: list[str] = []
        self.refused: dict[str, Failed] = {}
        self.askers: dict[str, Asker] = {}
        self.open: dict[str, Reserve] = {}
        if told:
            self.tell_others()

    @property
    def clock(self) -> Clock:
        """Both clocks; `skew_s` is by how much somebody has set the wall's."""
        return Clock(self.now, UNIX_S + self.now + self.skew_s)

    def tell_others(self, **by_source: Spent) -> None:
        """Tell what others have spent: nothing, but for the scopes named by tag."""
        clock = self.clock
        told = {asked: by_source.get(asked.scope.name, Spent(scope=asked.scope)) for asked in self.asked()}
        self._after(self.line.refill(self.admission.learn_others(told, clock), clock))

    def asked(self) -> tuple[SpentAsked, ...]:
        """Give what admission wants to know of the ledger now."""
        return tuple(self.admission.others_asked(self.clock))

    def ask(self, reserve: Reserve, *, deadline: float = 1e9) -> str:
        """Ask for an attempt: `granted`, `waiting` or `refused`."""
        name = reserve.request_id
        seniority = self.line.seniority(reserve.priority, self.now)
        weighed = self.admission.weigh(reserve, self.clock, seniority)
        if isinstance(weighed, Fit):
            self.admission.take(reserve, weighed, self.clock)
            self._granted(reserve)
            return "granted"
        if isinstance(weighed, Shortage) and (reserve.wait or weighed.loading):
            asker = self.askers[name] = Asker()
            failure = self.line.join(reserve, asker, weighed, seniority, deadline=deadline)
            self._after(self.line.refill((), self.clock))
            if failure is None:
                return "waiting"
            asker.answered = True
            self.refused[name] = failure
            return "refused"
        self.refused[name] = weighed.failure if isinstance(weighed, Shortage) else weighed
        return "refused"

    def send(self, name: str) -> None:
        """Let bytes leave."""
        self.admission.sent(self._key(name))

    def answer(self, name: str) -> None:
        """Let the vendor begin to answer."""
        self._after(self.line.refill(self.admission.answered(self._key(name), self.now), self.clock))

    def end(self, name: str, booked: Booked) -> None:
        """End a call."""
        self.open.pop(name)
        self._after(self.line.refill(self.admission.end(self._key(name), booked, self.now), self.clock))

    def put_back(self, name: str) -> None:
        """Take a call back whose intent could not be written."""
        self.open.pop(name)
        self._after(self.line.refill(self.admission.put_back(self._key(name)), self.clock))

    def leave(self, name: str) -> None:
        """Let one that waits go."""
        self.askers[name].answered = True
        self._after(self.line.leave(self._key(name), self.clock))

    def pass_time(self, seconds: float) -> None:
        """Let time pass, and wake the line whenever it wants to be woken."""
        until = self.now + seconds
        while self.line.next_at <= until:
            self.now = max(self.now, self.line.next_at)
            self._after(self.line.due(self.clock))
        self.now = until

    def waiting(self, name: str) -> bool:
        """Whether somebody still stands in line."""
        asker = self.askers.get(name)
        return asker is not None and not asker.answered

    def _after(self, served: list[Served]) -> None:
        for waiter, failure, _ in served:
            waiter.asker.answered = True  # type: ignore[misc]
            if failure is None:
                self._granted(waiter.reserve)
            else:
                self.refused[waiter.reserve.request_id] = failure

    def _granted(self, reserve: Reserve) -> None:
        self.granted.append(reserve.request_id)
        self.open[reserve.request_id] = reserve

    def _key(self, name: str) -> tuple[RequestId, int]:
        return (RequestId(name), 1)
