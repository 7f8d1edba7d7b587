"""Own one attempt as the router sees it: its reservation, its delivery, and the ending that goes into the books.

An attempt is opened with a place booked at accounting and ends by using that place, exactly once, whatever happens:
`ending()` says how, from what the provider answered or, when it cannot answer any more, from what its delivery saw.
Synchronous but for the wait for the books; the other awaiting is that of `attempts`.
"""

from __future__ import annotations

from typing import assert_never

import msgspec
import trio

from manus.actors.delivery import CallerChannel, Delivery
from manus.actors.health import Ticket
from manus.actors.lanes import Lane
from manus.actors.metering import is_measured, usage_received
from manus.actors.routing.plan import Choice
from manus.messages.accounting import Booked, Dispatched, Doubt, Granted, Release, Settle
from manus.messages.failures import Advice, Failed, FailureKind
from manus.messages.ids import RequestId
from manus.messages.limits import Answered
from manus.messages.outcomes import Answer, Attempt, AttemptRole, CallEnded, Reservation
from manus.messages.usage import NO_USAGE, Price
from manus.messages.watching import AttemptEnded
from manus.supervisor.ref import Place, Question, Ref
from manus.supervisor.terminals import (
    ActorFailed,
    Expired,
    SupervisorTerminal,
    Unavailable,
    Undelivered,
    Withdrawn,
)

Ending = Settle | Release | Doubt

GO_ELSEWHERE = Advice("no", "yes", False)
"""What to do when an actor was stopped or is not there: others may well be."""

WAIT_OR_ELSEWHERE = Advice("after_wait", "yes", False)
"""What to do when a queue of ours is full."""


class OpenAttempt:
    """One attempt from its reservation to its booking.

    Whoever drops an attempt must have booked, closed or freed it.
    """

    __slots__ = (
        "_accounting",
        "_place",
        "booked",
        "choice",
        "delivery",
        "draining",
        "ended",
        "failure",
        "granted",
        "input_tokens",
        "lane",
        "number",
        "output_max",
        "output_ratio",
        "patience_s",
        "price",
        "question",
        "request_id",
        "reservation",
        "role",
        "scope",
        "started_at",
        "ticket",
        "waited_s",
    )

    def __init__(
        self,
        request_id: RequestId,
        number: int,
        choice: Choice,
        *,
        role: AttemptRole,
        ticket: Ticket,
        started_at: float,
        accounting: Ref,
        lane: Lane,
        channel: CallerChannel | None,
        input_tokens: int,
        output_ratio: float,
    ) -> None:
        self.request_id = request_id
        self.number = number
        self.choice = choice
        self.role = role
        self.ticket = ticket
        self.delivery = Delivery(channel, on_sending=self._dispatched)
        self.started_at = started_at
        self.waited_s = 0.0
        """How long it stood in line for room in limits and budgets; nobody it asks is slower for that."""
        self.granted = False
        self.patience_s: float | None = None
        """How long it may be silent, where somebody else could be asked."""
        self.reservation: Reservation | None = None
        self.price = choice.card.price
        self.ended: CallEnded | None = None
        self.failure: Failed | None = None
        self.booked: Booked | None = None
        self.scope: trio.CancelScope | None = None
        """Covers its reservation and its call, where it may have to be ended before its time."""
        self.question: Question | None = None
        """Its call, where that may go on when nobody waits for it any more (`on_cancel = "drain"`)."""
        self.draining = False
        """Whether its request is over while its answer is read to the end, for the vendor's own count."""
        self.lane: Lane | None = lane
        """The way to the actor that it keeps to; None once it needs none."""
        lane.attempts += 1
        self._place: Place | None = None
        self._accounting = accounting
        self.input_tokens = input_tokens
        """How long its prompt is expected to be at its model, as far as that is learnt."""
        self.output_ratio = output_ratio
        """What an answer counts there for each token that we estimate."""
        self.output_max = 0
        """What was set aside for its answer, once that is known."""

    @property
    def is_open(self) -> bool:
        """Whether the books may wait for its ending."""
        return self._place is not None and not self._place.used

    @property
    def drainable(self) -> bool:
        """Whether the vendor is at work on a call that may go on without its caller."""
        question = self.question
        return question is not None and not question.answered and self.delivery.phase in ("sent", "streaming")

    @property
    def has_content(self) -> bool:
        """Whether any of an answer came."""
        assembly = self.delivery.assembly
        return assembly is not None and assembly.has_content

    def take_place(self) -> bool:
        """Book room at accounting for the ending; False where there is none, and then nothing may be reserved."""
        self._place = self._accounting.place()
        return self._place is not None

    def admit(self, granted: Granted) -> None:
        """Take down that the call may be made, and tell admission what it wants to be told."""
        self.granted = True
        if granted.watched:
            self.delivery.on_answered = self._answered

    async def book(self, *, deadline: float) -> None:
        """End it in the books, and wait for the word that it is durable; at most until `deadline`.

        The ending is on its way before the first checkpoint, and nothing takes it back.
        """
        assert self._place is not None
        ending = self.ending()
        self.booked = self._as_booked(ending)
        answer = await self._place.ask(ending, deadline=deadline)
        if isinstance(answer, Booked):
            self.booked = answer
        elif isinstance(answer, Failed) and not self.granted:
            # The books know nothing of it: it was taken back before it was reserved, and nothing has to be kept.
            self.booked = msgspec.structs.replace(self.booked, durable=True)

    def end_early(self, failure: Failed) -> None:
        """Have it end with `failure`: nothing more of it is heard, and nobody waits for its call. Synchronous."""
        assert self.scope is not None, "only an attempt with a scope can be ended before its time"
        if self.drainable:
            self.delivery.mute()
        else:
            self.delivery.fence()
        self.failure = failure
        self.scope.cancel()

    def detach(self) -> None:
        """Part it from its request: until its answer has been read, it stands as it is known by now. Synchronous."""
        self.draining = True
        self.delivery.mute()
        # Nothing is the matter with its row, which is simply not ended yet.
        self.booked = msgspec.structs.replace(self._as_booked(self.ending()), durable=True)

    def let_go(self) -> None:
        """Hear nothing more of it; a call that still runs is cancelled. Synchronous, and harmless when repeated."""
        self.delivery.fence()
        if self.question is not None:
            self.question.leave()

    def leave_lane(self) -> None:
        """Need its actor no more. Synchronous, and harmless when repeated."""
        lane, self.lane = self.lane, None
        if lane is not None:
            lane.leave()

    def close(self) -> None:
        """End it in the books without waiting. Synchronous; harmless when it has ended."""
        self.let_go()
        if self._place is not None and not self._place.used:
            ending = self.ending()
            self.booked = self._as_booked(ending)
            self._place.cast(ending)

    def free(self) -> None:
        """Give the place back: nothing was reserved, so nothing has to end."""
        assert self._place is not None
        self._place.free()

    def received(self) -> Answer | None:
        """Give what came of an answer, None where nothing did."""
        assembly = self.delivery.assembly
        return assembly.answer() if assembly is not None and assembly.has_content else None

    def judge(self, answered: object) -> Failed | None:
        """Take down what the provider, or the supervisor in its place, says of the call; gives the failure, if any."""
        match answered:
            case CallEnded() as ended:
                self.ended = ended
                return ended.failure
            case ActorFailed() | Undelivered() | Unavailable() | Expired() | Withdrawn() as terminal:
                failure = failure_of_terminal(terminal, provider=self.choice.provider, model=self.choice.model)
                return msgspec.structs.replace(failure, phase=self.delivery.phase)
            case other:
                raise TypeError(f"a provider answered a call with a {type(other).__name__}")

    def ending(self) -> Ending:
        """Say what the books are to hold: by the provider's word, else by what was seen to be sent and received."""
        request_id, attempt = self.request_id, self.number
        if not self.granted:
            return Release(request_id=request_id, attempt=attempt, reason="not granted in time")
        ended = self.ended
        reason = self.failure.kind if self.failure is not None else "the caller left"
        if ended is not None:
            limits = ended.rate_limits
            if ended.billed in ("reported", "estimated"):
                answer = ended.answer
                return Settle(
                    request_id=request_id,
                    attempt=attempt,
                    usage=answer.usage,
                    finish=answer.finish.reason,
                    price=self._price_served(answer.service_tier),
                    rate_limits=limits,
                )
            if ended.billed == "no":
                return Release(request_id=request_id, attempt=attempt, reason=reason, rate_limits=limits)
            return Doubt(request_id=request_id, attempt=attempt, reason=reason, rate_limits=limits)
        delivery = self.delivery
        if delivery.assembly is not None and is_measured(delivery.assembly):
            usage = usage_received(
                delivery.assembly,
                estimated_input_tokens=self.input_tokens,
                output_ratio=self.output_ratio,
                output_max=self.output_max,
            )
            return Settle(request_id=request_id, attempt=attempt, usage=usage, finish="incomplete")
        if delivery.phase in ("queued", "connecting", "sending"):
            return Release(request_id=request_id, attempt=attempt, reason=reason)
        return Doubt(request_id=request_id, attempt=attempt, reason=reason)

    def told(self, admitted_at: float, now: float) -> Attempt:
        """Tell its story for the route."""
        booked = self.booked
        first = self.delivery.first_content_at
        failure = self.failure
        return Attempt(
            number=self.number,
            deployment=self.choice.deployment,
            provider=self.choice.provider,
            model=self.choice.model,
            result="ok" if failure is None else failure.kind,
            started_s=self.started_at - admitted_at,
            ended_s=now - admitted_at,
            role=self.role,
            first_content_s=None if first is None else first - admitted_at,
            failure=failure,
            reservation=self.reservation,
            usage=NO_USAGE if booked is None else booked.usage,
            cost_nano_usd=None if booked is None else booked.cost_nano_usd,
            booking="open" if self.draining else "released" if booked is None else booked.state,
            vendor_request_id=None if self.ended is None else self.ended.answer.vendor_request_id,
        )

    def reported(self, now: float) -> AttemptEnded:
        """Tell it to whoever watches, once it is over."""
        booked, ended, failure, choice = self.booked, self.ended, self.failure, self.choice
        return AttemptEnded(
            at=now,
            request_id=self.request_id,
            attempt=self.number,
            deployment=choice.deployment,
            provider=choice.provider,
            model=choice.model,
            result="ok" if failure is None else failure.kind,
            booking="released" if booked is None else booked.state,
            status=None if failure is None else failure.status,
            vendor_request_id=None if ended is None else ended.answer.vendor_request_id,
            usage=NO_USAGE if booked is None else booked.usage,
            cost_nano_usd=None if booked is None else booked.cost_nano_usd,
            rate_limits=() if ended is None else ended.rate_limits,
        )

    def _price_served(self, served: str | None) -> Price | None:
        """Give the price of the service tier that the vendor says it served; None for the one that was reserved.

        The price of a tier that nobody has priced is unknown, whatever was asked for. `auto` is no word on what was
        served.
        """
        if served is None or served == "auto":
            return None
        price = self.choice.card.price_at(served)
        return None if price is self.price or price == self.price else price

    def _as_booked(self, ending: Ending) -> Booked:
        """Say how `ending` stands until the books confirm it."""
        price = self.price
        match ending:
            case Settle(usage=usage):
                cost = (ending.price or price).cost_nano_usd(usage)
                return Booked(state="settled", usage=usage, cost_nano_usd=cost, durable=False)
            case Release():
                return Booked(state="released", usage=NO_USAGE, cost_nano_usd=0, durable=False)
            case Doubt():
                assert self.reservation is not None, "only what was reserved can be in doubt"
                bound, cost = self.reservation.bound, self.reservation.bound_nano_usd
                return Booked(state="in_doubt", usage=bound, cost_nano_usd=cost, durable=False)
            case _:
                assert_never(ending)

    def _answered(self) -> None:
        self._accounting.cast(Answered(request_id=self.request_id, attempt=self.number))

    def _dispatched(self) -> None:
        key = self.delivery.key_fingerprint
        self._accounting.cast(Dispatched(request_id=self.request_id, attempt=self.number, key_fingerprint=key))


def failure_of_terminal(terminal: SupervisorTerminal, *, provider: str, model: str) -> Failed:
    """Turn what the supervisor says in a provider actor's place into a failure to route on."""
    match terminal:
        case ActorFailed(kind="stopped"):
            return _failed("stopped", f"The actor of {provider} was stopped.", provider, model, advice=GO_ELSEWHERE)
        case ActorFailed(kind="actor_hung" | "actor_wedged"):
            return _failed("actor_hung", f"The actor of {provider} hung and was restarted.", provider, model)
        case ActorFailed():
            return _failed("actor_crashed", f"The actor of {provider} crashed on this call.", provider, model)
        case Undelivered(reason="full"):
            message = f"All places of {provider} are taken and its queue is full (`concurrency`)."
            return _failed("overloaded", message, provider, model, advice=WAIT_OR_ELSEWHERE)
        case Undelivered():
            return _failed("unavailable", f"The actor of {provider} is not running.", provider, model)
        case Unavailable(retry_after_s=retry_after_s):
            message = f"The actor of {provider} crashed too often and rests."
            return _failed("unavailable", message, provider, model, retry_after_s=retry_after_s)
        case Expired():
            return _failed("deadline", "The request's deadline passed.", provider, model)
        case Withdrawn():
            return _failed("cancelled", "The caller left.", provider, model)
        case _:
            assert_never(terminal)


def _failed(
    kind: FailureKind,
    message: str,
    provider: str,
    model: str,
    *,
    advice: Advice | None = None,
    retry_after_s: float | None = None,
) -> Failed:
    return Failed(
        kind=kind, message=message, provider=provider, model=model, advice=advice, retry_after_s=retry_after_s
    )
