"""Own accounting's side of admission: who is let in at once, who waits, and when others' spending is looked up.

It lives as long as one incarnation of the actor. What is taken lives in `Books` and survives; those in line are
answered by the runner when the actor crashes, and come back.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import trio

from manus.actors.admission.admission import Admission
from manus.actors.admission.gauge import Gauge, Shortage
from manus.actors.admission.groups import Waiter
from manus.actors.admission.line import Line, Served
from manus.actors.admission.needs import Clock
from manus.actors.ledger.records import AttemptKey
from manus.actors.ledger.store import LedgerStore, Refused
from manus.messages.accounting import Booked, Denied, Reserve, Spent, SpentAsked
from manus.messages.failures import Failed
from manus.messages.ids import DeploymentId
from manus.messages.limits import AdmissionPolicy, LimitsTold
from manus.messages.outcomes import RateLimitReading
from manus.supervisor.envelope import LATER, Envelope

LetIn = Callable[[Envelope, Reserve, bool], object]
"""Writes the intent of an attempt that was admitted, and gives its answer; the last says whether it is watched."""

Hear = Callable[[Callable[[], None]], None]
"""Has something done by the actor's own task."""


LEFT = Failed(kind="cancelled", message="Its asker left the line.", safe_to_retry=True, phase="queued")
"""The answer that nobody waits for."""


class Entrance:
    """Where reservations come in.

    Args:
        admission: limits, budgets and what is taken of them.
        store: says what other runs have spent.
        let_in: called for each that was in line and is admitted.
        hear: takes what the store says later.
        emit: publishes an event.
    """

    __slots__ = (
        "_admission",
        "_emit",
        "_freed",
        "_hear",
        "_let_in",
        "_line",
        "_look_at",
        "_looking",
        "_now_unix_s",
        "_policy",
        "_store",
        "stirred",
    )

    def __init__(
        self,
        admission: Admission,
        policy: AdmissionPolicy,
        store: LedgerStore,
        *,
        now_unix_s: Callable[[], float],
        let_in: LetIn,
        hear: Hear,
        emit: Callable[[object], None],
    ) -> None:
        self._admission = admission
        self._policy = policy
        self._store = store
        self._now_unix_s = now_unix_s
        self._let_in = let_in
        self._hear = hear
        self._emit = emit
        self._line: Line = Line(admission, policy.waiting_max)
        self._freed: list[Gauge] = []
        self.stirred = False
        """Whether something has changed that `go_on` has yet to act on; mostly nothing has."""
        self._looking = False
        self._look_at = -math.inf if admission.has_budgets else math.inf

    @property
    def next_at(self) -> float:
        """When it is to be `tend`ed, on the loop's clock."""
        return self._line.next_at if self._looking else min(self._line.next_at, self._look_at)

    def decide(self, envelope: Envelope, reserve: Reserve) -> object:
        """Say whether an attempt is let in now: a bool (it is, and whether it is watched), `Denied`, or `LATER`."""
        key = (reserve.request_id, reserve.attempt)
        admission, clock = self._admission, self._clock()
        self.stirred = True
        if admission.holds(key):
            return admission.is_watched(key)  # asked again: nothing is taken twice
        self.left(key)
        seniority = self._line.seniority(reserve.priority, clock.at)
        weighed = admission.weigh(reserve, clock, seniority)
        if isinstance(weighed, Shortage) and weighed.loading and not self._looking:
            self._look_up_others()
            weighed = admission.weigh(reserve, clock, seniority)
        if isinstance(weighed, Failed):
            return Denied(failure=weighed)
        if not isinstance(weighed, Shortage):
            return admission.take(reserve, weighed, clock)
        if not reserve.wait and not weighed.loading:
            return Denied(failure=weighed.failure)
        failure = self._line.join(reserve, envelope, weighed, seniority, deadline=envelope.deadline)
        self._let_on(())
        return LATER if failure is None else Denied(failure=failure)

    def adopt(self, policy: AdmissionPolicy) -> None:
        """Have all who wait ask again, in their order, after admission has adopted another policy."""
        former, clock = self._line, self._clock()
        self._policy = policy
        self._line = Line(self._admission, policy.waiting_max)
        self._look_at = -math.inf if self._admission.has_budgets else math.inf
        self._freed.clear()  # those gauges may not even be there any more, and everybody asks again
        self._gone(former)
        for seniority, waiter in former.everybody():
            if waiter.asker.answered:
                _reply(waiter, Denied(failure=LEFT))  # nobody hears it, but nothing stays in hand
                continue
            served = self._line.rejoin(waiter, seniority, clock)
            if served is not None:
                self._let_on((served,))
        self.stirred = True

    # -- what changes what there is room for

    def put_back(self, key: AttemptKey) -> None:
        """Take back an attempt that was admitted and not made after all."""
        self._free(self._admission.put_back(key))

    def left(self, key: AttemptKey) -> None:
        """Let an attempt go that stands in line: its asker has left. Nothing where it does not."""
        self.stirred = True
        self._let_on(self._line.leave(key, self._clock()))

    def answered(self, key: AttemptKey) -> None:
        """Note that the vendor begins to answer."""
        self._free(self._admission.answered(key, trio.current_time()))

    def ended(
        self, key: AttemptKey, booked: Booked, deployment: DeploymentId | None, readings: tuple[RateLimitReading, ...]
    ) -> None:
        """Note how an attempt ended, and what the vendor said of its limits with it."""
        admission, now = self._admission, trio.current_time()
        answered_at = admission.answer_time(key, now)
        self._free(admission.end(key, booked, now))
        if deployment is not None:
            self._free(admission.learn(deployment, readings, answered_at=answered_at, now=now))

    def go_on(self) -> None:
        """Let on whom the turn that ends has made room for, and publish what is to be told."""
        while self._freed or self._line.stirred:
            freed, self._freed = self._freed, []
            if len(self._line) or self._line.stirred:
                self._let_on(self._line.refill(dict.fromkeys(freed), self._clock()))
        if self._admission.told:
            for event in self._admission.told:
                self._emit(event)
            self._admission.told.clear()
        self.stirred = False

    def tend(self) -> None:
        """Do what time has come for."""
        now = trio.current_time()
        if self._look_at <= now and not self._looking:
            self._look_up_others()
        if self._line.next_at <= now:
            self._let_on(self._line.due(self._clock()))
        self.go_on()

    def told(self) -> LimitsTold:
        """Tell how far limits and budgets are used."""
        return self._admission.state(self._clock(), self._line.waiting_at)

    # -- inside

    def _let_on(self, served: Iterable[Served]) -> None:
        for waiter, failure, watched in served:
            envelope = waiter.asker
            assert isinstance(envelope, Envelope), "only envelopes are put in line"
            answer = Denied(failure=failure) if failure else self._let_in(envelope, waiter.reserve, watched)
            if answer is not LATER:
                envelope.reply(answer)
        self._gone(self._line)

    def _gone(self, line: Line) -> None:
        for waiter in line.gone:
            _reply(waiter, Denied(failure=LEFT))  # nobody hears it, but nothing stays in hand
        line.gone.clear()

    def _look_up_others(self) -> None:
        """Ask the ledger what other runs have spent; it may answer at once."""
        asked_at = self._clock()
        asked = tuple(self._admission.others_asked(asked_at))
        self._looking = True
        self._look_at = asked_at.at + self._policy.refresh_s
        pending = self._store.spent(asked)
        if pending.done:
            self._others_told(asked, pending.value, asked_at)
        else:
            pending.then(lambda told: self._hear(lambda: self._others_told(asked, told, asked_at)))

    def _others_told(self, asked: tuple[SpentAsked, ...], told: tuple[Spent, ...] | Refused, asked_at: Clock) -> None:
        self._looking = False
        if isinstance(told, Refused):
            self._free(self._admission.others_not_told(told.reason))
            return
        self._free(self._admission.learn_others(dict(zip(asked, told, strict=True)), asked_at))
        if self._admission.others_unknown(self._clock()):
            self._look_at = -math.inf  # it was asked before a budget was there, or while one of ours ended

    def _free(self, gauges: Sequence[Gauge]) -> None:
        if gauges:
            self._freed += gauges
            self.stirred = True

    def _clock(self) -> Clock:
        return Clock(trio.current_time(), self._now_unix_s())


def _reply(waiter: Waiter, answer: Denied) -> None:
    envelope = waiter.asker
    assert isinstance(envelope, Envelope), "only envelopes are put in line"
    envelope.reply(answer)
