"""Own one request's life at the router: its plan, its attempts one after another, and its one outcome.

The order of every attempt: a place at accounting for its ending, the reservation, the provider's call, the ending
confirmed. Only then does an outcome leave. Whatever cuts this short (the caller, the deadline, a crash of the router),
the ending of the open attempt is on its way to the books before anything else happens.
"""

from __future__ import annotations

import msgspec
import trio

from manus.actors.attempt import OpenAttempt, failure_of_terminal
from manus.actors.delivery import CallerChannel
from manus.actors.estimate import bound_usage, estimate_prompt_tokens, expected_usage
from manus.actors.retry import Ask, GiveUp, PlanCursor
from manus.actors.router_desk import Desk
from manus.actors.routing import STRATEGY, Choice, Plan
from manus.messages.accounting import Denied, Granted, Reserve
from manus.messages.calls import Call
from manus.messages.events import FinishReason, Reset
from manus.messages.failures import Advice, Failed
from manus.messages.outcomes import Answer, Attempt, CallEnded, Finish, Finished, Outcome, Route, Unfinished
from manus.messages.requests import ChatRequest, EmbedRequest
from manus.messages.usage import NO_USAGE, Usage
from manus.supervisor.envelope import Envelope
from manus.supervisor.terminals import ActorFailed, Expired, Unavailable, Undelivered, Withdrawn

LAST_WORD_S = 0.02
"""How long, once a request is cut short, its outcome waits for the books. The asker is answered for at 0.05 s."""


ASK_AGAIN = Advice("once", "yes", False)
"""What to do when accounting crashed on a reservation: it comes back, and the next try waits for it."""


class RequestRun:
    """One request, for the task that handles its envelope. `EmbedRun` is the other kind."""

    __slots__ = (
        "_admitted_at",
        "_attempt",
        "_channel",
        "_cost",
        "_desk",
        "_durable",
        "_env",
        "_in_doubt",
        "_partial",
        "_plan",
        "_prompt_tokens",
        "_request",
        "_told",
        "_usage",
    )

    def __init__(self, desk: Desk, env: Envelope, request: ChatRequest | EmbedRequest) -> None:
        self._desk = desk
        self._env = env
        self._request = request
        self._admitted_at = trio.current_time()
        self._prompt_tokens = estimate_prompt_tokens(request)
        self._plan: Plan = _NO_PLAN
        self._attempt: OpenAttempt | None = None
        self._told: list[Attempt] = []
        self._usage: Usage | None = None
        self._cost: int | None = 0
        self._durable = True
        self._in_doubt = False
        self._partial: Answer | None = None
        self._channel: CallerChannel | None = None
        if isinstance(request, ChatRequest) and request.stream and env.sink is not None:
            self._channel = CallerChannel(env.sink, stall_s=desk.spec.policy.consumer_stall_s)

    async def run(self) -> Outcome:
        """Live; gives the outcome, also after the envelope's scope was cancelled.

        Cancelling the actor passes through; then the runner answers, and only the books are seen to here.
        """
        outcome: Outcome | None = None
        try:
            with self._env.scope as scope:
                outcome = await self._journey()
            if outcome is None:
                outcome = await self._cut_short(deadline_passed=trio.current_time() >= scope.deadline)
        finally:
            if self._attempt is not None:
                self._attempt.close()
        return outcome

    # --- the journey --------------------------------------------------------------------------------

    async def _journey(self) -> Outcome:
        """Plan, and have the request answered; what follows a success is its outcome."""
        plan = self._desk.table.plan(self._request, estimated_input_tokens=self._prompt_tokens)
        if isinstance(plan, Failed):
            return self._unfinished(plan)
        self._plan = plan
        ended = await self._answered(plan, self._request)
        return self._unfinished(ended) if isinstance(ended, Failed) else self._finished(ended)

    async def _answered(self, plan: Plan, request: ChatRequest | EmbedRequest) -> OpenAttempt | Failed:
        """Make attempts at `request` until one succeeds or nothing more can be done."""
        desk = self._desk
        cursor = PlanCursor(plan, desk.spec.policy.retry)
        step = Ask(choice=cursor.first())
        while True:
            choice = step.choice
            attempt = await self._make_attempt(request, choice, shed=step.shed)
            failure = attempt.failure
            if failure is None:
                return attempt
            following = self._on_failure(cursor, choice, failure)
            if isinstance(following, GiveUp):
                return failure
            if self._channel is not None and self._channel.shown:
                stalled = await self._start_over(following.choice, failure)
                if stalled is not None:
                    return stalled
            desk.cell.count("retries" if following.choice is choice else "failovers")
            if following.wait_s > 0:
                await trio.sleep(following.wait_s)
            step = following

    def _on_failure(self, cursor: PlanCursor, choice: Choice, failure: Failed) -> Ask | GiveUp:
        """Decide what follows a failed attempt."""
        if self._channel is not None and self._channel.shown and not self._may_go_on_after_interrupt():
            return GiveUp(reason="the caller has seen a part of the answer")
        desk = self._desk
        return cursor.after(
            choice,
            failure,
            now=trio.current_time(),
            deadline=self._env.deadline,
            tokens=self._prompt_tokens,
            budget=desk.cell.budget,
            rng=desk.cell.rng,
            full=failure.kind == "overloaded" and failure.status is None and failure.phase == "queued",
        )

    def _may_go_on_after_interrupt(self) -> bool:
        """Whether a stream of which the caller has seen a part may be taken up elsewhere.

        The seam of mid-stream rescue: today only an answer that starts over, for callers who say they handle it.
        """
        if not isinstance(self._request, ChatRequest):
            return False
        return (self._request.on_interrupt or self._desk.spec.policy.on_interrupt) == "restart"

    async def _start_over(self, choice: Choice, failure: Failed) -> Failed | None:
        """Tell the caller to forget what it has seen; gives a failure where it does not read."""
        channel = self._channel
        assert channel is not None
        self._partial = None
        self._desk.cell.count("restarts")
        reset = Reset(reason=failure.kind, provider=choice.provider, model=choice.model)
        if channel.start_over(reset) or await channel.wait_room():
            return None
        return Failed(kind="slow_consumer", message="The caller did not read its stream, not even that it starts over.")

    # --- one attempt --------------------------------------------------------------------------------

    async def _make_attempt(self, request: ChatRequest | EmbedRequest, choice: Choice, *, shed: bool) -> OpenAttempt:
        """Reserve, call, book. Without a failure the answer is whole."""
        desk, env = self._desk, self._env
        attempt = self._attempt = OpenAttempt(
            self._request.request_id,
            len(self._told) + 1,
            choice,
            accounting=desk.accounting,
            channel=self._channel,
            input_tokens=self._prompt_tokens,
        )
        failure = await self._reserve(attempt, request)
        if failure is None:
            call = Call(
                request=request,
                model=choice.model,
                deployment=choice.deployment,
                attempt=attempt.number,
                estimated_input_tokens=self._prompt_tokens,
            )
            answered = await desk.provider(choice.provider).ask(
                call, deadline=env.deadline, sink=attempt.delivery, trace_id=env.trace_id, shed=shed
            )
            attempt.delivery.fence()
            failure = self._judge(attempt, answered)
        attempt.failure = failure
        if attempt.is_open:
            confirm_by = trio.current_time() + desk.spec.confirm_s
            await attempt.book(deadline=min(confirm_by, env.deadline))
        self._close_attempt(attempt)
        return attempt

    async def _reserve(self, attempt: OpenAttempt, request: ChatRequest | EmbedRequest) -> Failed | None:
        """Have the attempt admitted and its intent written. A refusal leaves nothing to end."""
        desk, choice = self._desk, attempt.choice
        if not attempt.take_place():
            return Failed(kind="shed", message="The books have no room for another call.", safe_to_retry=True)
        bound = bound_usage(request, choice.card)
        if isinstance(request, ChatRequest):
            attempt.price = choice.card.price_at(request.service_tier)
        reserve = Reserve(
            request_id=request.request_id,
            attempt=attempt.number,
            deployment=choice.deployment,
            provider=choice.provider,
            model=choice.model,
            bound=bound,
            estimate=expected_usage(self._prompt_tokens, bound),
            price=attempt.price,
            request_key=request.request_key,
            conversation_id=request.conversation_id if isinstance(request, ChatRequest) else None,
            key_fingerprint=desk.spec.fingerprints.get(choice.provider),
            tags=request.tags,
        )
        answer = await desk.accounting.ask(reserve, deadline=self._env.deadline)
        match answer:
            case Granted():
                attempt.granted = True
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

    def _judge(self, attempt: OpenAttempt, answered: object) -> Failed | None:
        """Take down what the provider, or the supervisor in its place, says of the attempt."""
        choice = attempt.choice
        match answered:
            case CallEnded() as ended:
                attempt.ended = ended
                return ended.failure
            case ActorFailed() | Undelivered() | Unavailable() | Expired() | Withdrawn() as terminal:
                failure = failure_of_terminal(terminal, provider=choice.provider, model=choice.model)
                return msgspec.structs.replace(failure, phase=attempt.delivery.phase)
            case other:
                raise TypeError(f"a provider answered a call with a {type(other).__name__}")

    def _close_attempt(self, attempt: OpenAttempt) -> None:
        """Add a booked attempt to the story and to the sums."""
        self._attempt = None
        booked = attempt.booked
        if booked is not None:
            self._durable = self._durable and booked.durable
            self._in_doubt = self._in_doubt or booked.state == "in_doubt"
            if booked.state == "settled":
                self._usage = booked.usage if self._usage is None else self._usage + booked.usage
                cost = booked.cost_nano_usd
                self._cost = None if cost is None or self._cost is None else self._cost + cost
        if attempt.failure is not None and attempt.has_content:
            self._partial = attempt.received()
        told = attempt.told(self._admitted_at)
        self._told.append(told)
        self._desk.emit(attempt.reported(told))
        failure = attempt.failure
        self._desk.cell.count_attempt(attempt.choice.deployment, "ok" if failure is None else failure.kind)

    # --- the end ------------------------------------------------------------------------------------

    async def _cut_short(self, *, deadline_passed: bool) -> Outcome:
        """End a request whose scope was cancelled: the caller left, cancelled it, or its deadline passed."""
        if deadline_passed:
            message = "The request's deadline passed before the answer was whole (`timeout_s`)."
            failure = Failed(kind="deadline", timeout="total", message=message)
        else:
            failure = Failed(kind="cancelled", message="The caller cancelled the request.")
        attempt = self._attempt
        if attempt is None:
            return self._unfinished(failure)
        attempt.delivery.fence()
        if attempt.is_open:
            attempt.failure = msgspec.structs.replace(failure, phase=attempt.delivery.phase)
            if self._env.answered or not attempt.granted:
                attempt.close()
            else:
                limit_s = LAST_WORD_S if deadline_passed else self._desk.spec.confirm_s
                with trio.move_on_after(limit_s):
                    await attempt.book(deadline=trio.current_time() + limit_s)
        self._close_attempt(attempt)
        if attempt.failure is None and self._completes(attempt):
            return self._finished(attempt)  # the answer was whole, and only the books had yet to confirm it
        return self._unfinished(attempt.failure or failure)

    def _completes(self, attempt: OpenAttempt) -> bool:
        """Whether the success of `attempt` is that of the request."""
        return True

    def _finished(self, attempt: OpenAttempt) -> Outcome:
        ended = attempt.ended
        assert ended is not None
        return Finished(
            request_id=self._request.request_id,
            answer=ended.answer,
            provider=attempt.choice.provider,
            model=attempt.choice.model,
            usage=self._usage or NO_USAGE,
            cost_nano_usd=self._cost,
            durable=self._durable,
            latency_s=trio.current_time() - self._admitted_at,
            route=self._route(),
        )

    def _unfinished(self, failure: Failed) -> Unfinished:
        told = self._told
        partial = self._partial
        if partial is not None:
            reason: FinishReason = "cancelled" if failure.kind == "cancelled" else "incomplete"
            partial = msgspec.structs.replace(partial, finish=Finish(reason=reason, raw=partial.finish.raw))
        if len(told) > 1 and failure.kind not in ("cancelled", "deadline"):
            others = "; ".join(f"{each.deployment}: {each.result}" for each in told[:-1])
            failure = msgspec.structs.replace(failure, message=f"{failure.message} Before that: {others}.")
        return Unfinished(
            request_id=self._request.request_id,
            failure=msgspec.structs.replace(failure, safe_to_retry=all(each.booking == "released" for each in told)),
            partial=partial,
            usage=self._usage or NO_USAGE,
            # Of a bill that is only in doubt nothing is known, and that is not zero.
            cost_nano_usd=None if self._usage is None and self._in_doubt else self._cost,
            durable=self._durable,
            latency_s=trio.current_time() - self._admitted_at,
            route=self._route(),
        )

    def _route(self) -> Route:
        plan = self._plan
        return Route(
            strategy=STRATEGY,
            candidates=plan.candidates,
            left_out=plan.left_out,
            attempts=tuple(self._told),
        )


_NO_PLAN = Plan(choices=())
