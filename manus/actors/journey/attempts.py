"""Own the making of one request's attempts: each reserved, called, judged and booked, and told to its story.

The order of every attempt: a place at accounting for its ending, the reservation, the provider's call, the word to
health, the ending confirmed. Several may be open at once; whatever cuts the request short, `close` puts the endings
of all of them on their way to the books.
"""

from __future__ import annotations

from functools import partial
from typing import Final

import msgspec
import trio

from manus.actors.delivery import CallerChannel
from manus.actors.estimates.bound import bound_of, worst_cost_nano_usd
from manus.actors.estimates.measure import Measured
from manus.actors.estimates.prompt import expected_usage, prompt_tokens
from manus.actors.health import NotBefore
from manus.actors.journey.attempt import OpenAttempt
from manus.actors.journey.learning import learn
from manus.actors.journey.story import Story
from manus.actors.router_desk import Desk
from manus.actors.routing.plan import Choice
from manus.messages.accounting import Denied, Granted, Reserve
from manus.messages.calls import Call
from manus.messages.failures import Advice, Failed
from manus.messages.outcomes import AttemptRole, Reservation
from manus.messages.requests import ChatRequest, EmbedRequest, OnCancel
from manus.supervisor.envelope import Envelope
from manus.supervisor.terminals import ActorFailed, Expired, Unavailable, Undelivered, Withdrawn

AGAIN: Final = ("retry", "wait")
"""Roles of attempts that return to a deployment: what they may take is a share of the others."""

ASK_AGAIN = Advice("once", "yes", False)
"""What to do when accounting crashed on a reservation: it comes back, and the next try waits for it."""


class Attempts:
    """One request's attempts. Made per request, kept by its task.

    Args:
        env: the request's own envelope; its deadline is that of every attempt.
        story: told of every attempt that is over.
        channel: the caller's, of a request that streams.
        on_cancel: what becomes of a call that nobody waits for any more.
        measured: what the prompt holds; set anew where the next attempt has another one.
        alone: set where nobody but the first can be asked: then it waits for room at once.
    """

    __slots__ = ("_channel", "_desk", "_drains", "_env", "_numbered", "alone", "measured", "open", "story")

    def __init__(
        self,
        desk: Desk,
        env: Envelope,
        story: Story,
        *,
        channel: CallerChannel | None,
        measured: Measured,
        on_cancel: OnCancel,
    ) -> None:
        self._desk = desk
        self._drains = on_cancel == "drain"
        self._env = env
        self._channel = channel
        self._numbered = 0
        self.alone = False
        self.measured = measured
        self.story = story
        self.open: list[OpenAttempt] = []

    @property
    def prompt_tokens(self) -> int:
        """About how long the prompt is, whoever reads it."""
        return prompt_tokens(self.measured)

    def begin(
        self, request: ChatRequest | EmbedRequest, choice: Choice, role: AttemptRole, now: float
    ) -> OpenAttempt | NotBefore:
        """Open an attempt, unless its deployment rests. Whoever begins one must carry it out or `close`."""
        ticket = self._desk.cell.health.begin(choice.deployment, provider=choice.provider, key=choice.key, now=now)
        if isinstance(ticket, NotBefore):
            return ticket
        if role not in AGAIN:
            self._desk.cell.budget.count_request(choice.provider, now)
        self._numbered += 1
        calibration, base = self._desk.cell.calibration, choice.card.vendor_name
        attempt = OpenAttempt(
            request.request_id,
            self._numbered,
            choice,
            role=role,
            ticket=ticket,
            started_at=now,
            accounting=self._desk.accounting,
            lane=self._desk.lane(choice.provider),
            channel=self._channel,
            input_tokens=calibration.prompt_tokens(choice.provider, choice.model, base, self.measured),
            output_ratio=calibration.output_ratio(choice.provider, choice.model, base),
        )
        if ticket.probe:
            attempt.delivery.on_first_content = partial(self.began, attempt)
        self.open.append(attempt)
        return attempt

    def began(self, attempt: OpenAttempt) -> None:
        """Tell health that an attempt is answered, which lets others follow a probe. Synchronous."""
        for moved in self._desk.cell.health.began(attempt.ticket, now=trio.current_time()):
            self._desk.emit(moved)

    async def carry_out(self, attempt: OpenAttempt, request: ChatRequest | EmbedRequest, *, shed: bool) -> None:
        """Reserve, call, book. Without a failure the answer is whole.

        With `attempt.scope` it can be ended before its time, by `attempt.end_early`; then it is booked by what came.
        Cancelled from elsewhere it stays open.
        """
        scope = attempt.scope
        if scope is None:
            failure = await self._called(attempt, request, shed=shed)
        else:
            with scope:
                failure = await self._called(attempt, request, shed=shed)
            if attempt.failure is not None:
                failure = msgspec.structs.replace(attempt.failure, phase=attempt.delivery.phase)
        attempt.failure = failure
        self.tell_health(attempt, failure)
        if failure is None:
            learn(self._desk.cell.calibration, attempt, self.measured)
        if attempt.is_open and not self.drain(attempt):
            attempt.let_go()
            confirm_by = trio.current_time() + self._desk.spec.confirm_s
            await attempt.book(deadline=min(confirm_by, self._env.deadline))
        self.over(attempt)

    def drain(self, attempt: OpenAttempt) -> bool:
        """Have the answer of an attempt that nobody waits for read to its end; False where that is not to be."""
        return attempt.drainable and self._desk.drains.take(attempt)

    def over(self, attempt: OpenAttempt) -> None:
        """Tell the story of an attempt that is booked, or will be when its answer has been read, and count it."""
        self.open.remove(attempt)
        now = trio.current_time()
        told = self.story.add(attempt, now)
        if not attempt.draining:
            attempt.leave_lane()
            self._desk.emit(attempt.reported(now))
        self._desk.cell.count_attempt(attempt.choice.deployment, told.result)

    def tell_health(self, attempt: OpenAttempt, failure: Failed | None) -> None:
        """Tell what came of an attempt whose call is over. Once: later calls change nothing."""
        health, now, delivery = self._desk.cell.health, trio.current_time(), attempt.delivery
        first, ended = delivery.first_content_at, attempt.ended
        began_at = attempt.started_at + attempt.waited_s  # the deployment is not slower for that
        moves = health.ended(
            attempt.ticket,
            failure=failure,
            now=now,
            first_content_s=None if first is None else first - began_at,
            latency_s=now - began_at - delivery.reader_s,
            rate_limits=() if ended is None else ended.rate_limits,
            silent=first is None and delivery.phase != "queued",
            streamed=self._channel is not None,
        )
        for moved in moves:
            self._desk.emit(moved)

    def withdraw(self, attempt: OpenAttempt, *, waited_s: float | None = None) -> None:
        """Tell health to learn nothing from an attempt but how long it was waited for. Harmless when it was told."""
        health, now = self._desk.cell.health, trio.current_time()
        health.withdrawn(attempt.ticket, now=now, waited_s=waited_s, streamed=self._channel is not None)

    def close(self) -> None:
        """Put the endings of all open attempts on their way to the books. Synchronous; harmless when all is over."""
        for attempt in self.open:
            attempt.close()
            attempt.leave_lane()
            self.withdraw(attempt)

    async def _called(self, attempt: OpenAttempt, request: ChatRequest | EmbedRequest, *, shed: bool) -> Failed | None:
        """Reserve and call; gives the failure, if any."""
        failure = await self._reserve(attempt, request, wait=not shed or self.alone)
        if failure is not None:
            return failure
        env, choice = self._env, attempt.choice
        call = Call(
            request=request,
            model=choice.model,
            deployment=choice.deployment,
            attempt=attempt.number,
            key=choice.key,
            patience_s=attempt.patience_s,
            estimated_input_tokens=attempt.input_tokens,
            output_ratio=attempt.output_ratio,
            output_max=attempt.output_max,
        )
        assert attempt.lane is not None, "it is not over"
        provider, sink = attempt.lane.ref, attempt.delivery
        if self._drains:
            attempt.question = provider.put(call, deadline=env.deadline, sink=sink, trace_id=env.trace_id, shed=shed)
            answered = await attempt.question.answer()
        else:
            answered = await provider.ask(call, deadline=env.deadline, sink=sink, trace_id=env.trace_id, shed=shed)
        sink.fence()
        return attempt.judge(answered)

    async def _reserve(self, attempt: OpenAttempt, request: ChatRequest | EmbedRequest, *, wait: bool) -> Failed | None:
        """Have the attempt admitted and its intent written. A refusal leaves nothing to end.

        `wait`: nobody else is left to ask, so it is waited for room in limits and budgets.
        """
        desk, choice = self._desk, attempt.choice
        if not attempt.take_place():
            return Failed(kind="shed", message="The books have no room for another call.", safe_to_retry=True)
        bound = bound_of(self.measured, request, choice.card)
        estimate = expected_usage(attempt.input_tokens, bound)
        # What is estimated in the vendor's place is never more than was set aside for it.
        attempt.input_tokens, attempt.output_max = estimate.input_uncached, bound.output
        price = attempt.price = choice.card.price_at(request.service_tier if isinstance(request, ChatRequest) else None)
        attempt.reservation = Reservation(
            estimate=estimate,
            bound=bound,
            estimate_nano_usd=price.cost_nano_usd(estimate),
            bound_nano_usd=worst_cost_nano_usd(price, bound),
        )
        reserve = Reserve(
            request_id=request.request_id,
            attempt=attempt.number,
            deployment=choice.deployment,
            provider=choice.provider,
            model=choice.model,
            bound=bound,
            estimate=estimate,
            price=price,
            request_key=request.request_key,
            conversation_id=request.conversation_id if isinstance(request, ChatRequest) else None,
            key_fingerprint=choice.key or desk.spec.fingerprints.get(choice.provider),
            tags=request.tags,
            wait=wait,
            priority=request.priority if isinstance(request, ChatRequest) else "interactive",
            asked_output_tokens=request.max_output_tokens if isinstance(request, ChatRequest) else 0,
            bound_cost_nano_usd=attempt.reservation.bound_nano_usd,
            estimate_cost_nano_usd=attempt.reservation.estimate_nano_usd,
        )
        asked_at = trio.current_time()
        answer = await desk.accounting.ask(reserve, deadline=self._env.deadline)
        attempt.waited_s = trio.current_time() - asked_at
        match answer:
            case Granted() as granted:
                attempt.admit(granted)
                return None
            case Denied(failure=failure):
                attempt.free()
                return failure
            case Expired():
                return Failed(kind="deadline", message="The deadline passed before the books had room for the call.")
            case ActorFailed():
                # It may have been granted, and the word lost: the place is used to take it back.
                message = "The books were interrupted, and nothing is called unbooked."
                return Failed(kind="ledger", message=message, advice=ASK_AGAIN)
            case Undelivered() | Unavailable() | Withdrawn():
                return Failed(kind="ledger", message="The books are closed, and nothing is called unbooked.")
            case other:
                raise TypeError(f"accounting answered a reservation with a {type(other).__name__}")
