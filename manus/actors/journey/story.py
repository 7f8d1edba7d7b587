"""Own what has happened to one request so far: the attempts it took, what they cost, and what came of an answer.

Synchronous; it decides nothing. What a request ends with is put together here, from what was told.
"""

from __future__ import annotations

import msgspec
import trio

from manus.actors.journey.attempt import OpenAttempt
from manus.actors.routing.candidates import candidates_of
from manus.actors.routing.plan import Plan
from manus.actors.routing.standing import Readings
from manus.messages.events import FinishReason
from manus.messages.failures import Failed
from manus.messages.ids import RequestId
from manus.messages.outcomes import Answer, Attempt, Candidate, Finish, Finished, Route, Unfinished
from manus.messages.usage import NO_USAGE, Usage


class Story:
    """One request's, from its admission, which is when it is made."""

    __slots__ = (
        "_candidates",
        "_in_doubt",
        "_request_id",
        "_settled",
        "admitted_at",
        "attempts",
        "cost_nano_usd",
        "durable",
        "gave_up",
        "partial",
        "plan",
    )

    def __init__(self, request_id: RequestId) -> None:
        self._request_id = request_id
        self._settled: Usage | None = None
        self._in_doubt = False
        self._candidates: tuple[Candidate, ...] | None = None
        self.admitted_at = trio.current_time()
        self.plan = _NO_PLAN
        self.attempts: list[Attempt] = []
        """Those that are over, in the order of their numbers."""
        self.cost_nano_usd: int | None = 0
        self.durable = True
        self.partial: Answer | None = None
        """What the last attempt that brought content and failed had brought."""
        self.gave_up: str | None = None
        """Why no attempt followed the last one, where it failed."""

    def planned(self, plan: Plan, health: Readings) -> None:
        """Take down the plan, and how its candidates stand at admission."""
        self.plan = plan
        if not health.all_well:
            self._candidates = candidates_of(plan, health, self.admitted_at)

    @property
    def usage(self) -> Usage:
        """What all settled attempts used."""
        return self._settled or NO_USAGE

    @property
    def latency_s(self) -> float:
        """How long the request has taken so far."""
        return trio.current_time() - self.admitted_at

    def add(self, attempt: OpenAttempt, now: float) -> Attempt:
        """Take down an attempt that is booked, and add it to the sums; gives what is told of it."""
        booked = attempt.booked
        if booked is not None:
            self.durable = self.durable and booked.durable
            self._in_doubt = self._in_doubt or booked.state == "in_doubt"
            if booked.state == "settled":
                self._settled = booked.usage if self._settled is None else self._settled + booked.usage
                cost = booked.cost_nano_usd
                self.cost_nano_usd = None if cost is None or self.cost_nano_usd is None else self.cost_nano_usd + cost
        if attempt.failure is not None and attempt.has_content:
            self.partial = attempt.received()
        told = attempt.told(self.admitted_at, now)
        attempts = self.attempts
        attempts.append(told)
        if len(attempts) > 1 and attempts[-2].number > told.number:
            attempts.sort(key=_number_of)  # of two that ran beside each other the later one was over first
        return told

    def finished(self, attempt: OpenAttempt, answer: Answer) -> Finished:
        """Make the outcome of a chat that `attempt` brought to its end."""
        return Finished(
            request_id=self._request_id,
            answer=answer,
            provider=attempt.choice.provider,
            model=attempt.choice.model,
            usage=self.usage,
            cost_nano_usd=self.cost_nano_usd,
            durable=self.durable,
            latency_s=self.latency_s,
            route=self.route(),
        )

    def unfinished(self, failure: Failed, partial: Answer | None) -> Unfinished:
        """Make the outcome of a request that nobody could answer; `partial` is what came of it."""
        told = self.attempts
        if partial is not None:
            reason: FinishReason = "cancelled" if failure.kind == "cancelled" else "incomplete"
            partial = msgspec.structs.replace(partial, finish=Finish(reason=reason, raw=partial.finish.raw))
        last = told[-1].failure if told else None
        # Where another failure than the last one decides, it says itself what was tried after it.
        if len(told) > 1 and last is failure and failure.kind not in ("cancelled", "deadline"):
            others = "; ".join(f"{each.deployment}: {each.result}" for each in told[:-1])
            failure = msgspec.structs.replace(failure, message=f"{failure.message} Before that: {others}.")
        return Unfinished(
            request_id=self._request_id,
            failure=msgspec.structs.replace(failure, safe_to_retry=all(each.booking == "released" for each in told)),
            partial=partial,
            usage=self.usage,
            # Of a bill that is only in doubt nothing is known, and that is not zero.
            cost_nano_usd=None if self._settled is None and self._in_doubt else self.cost_nano_usd,
            durable=self.durable,
            latency_s=self.latency_s,
            route=self.route(),
        )

    def route(self) -> Route:
        """Tell how the request was routed, and what became of it."""
        plan = self.plan
        return Route(
            strategy=plan.strategy,
            candidates=plan.candidates if self._candidates is None else self._candidates,
            left_out=plan.left_out,
            attempts=tuple(self.attempts),
            gave_up=self.gave_up,
        )


def _number_of(attempt: Attempt) -> int:
    return attempt.number


_NO_PLAN = Plan(choices=())
