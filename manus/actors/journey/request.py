"""Own one request's life at the router: its plan, one attempt after another, and its one outcome.

Only when an attempt is booked does an outcome leave. Whatever cuts a request short (the caller, the deadline, a crash
of the router), the endings of its open attempts are on their way to the books before anything else happens.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec
import trio

from manus.actors.delivery import CallerChannel
from manus.actors.estimates.measure import measure
from manus.actors.health import NotBefore
from manus.actors.jitter import Jitter
from manus.actors.journey.attempt import OpenAttempt
from manus.actors.journey.attempts import Attempts
from manus.actors.journey.hedging import Race, hedge_delay_s, may_hedge
from manus.actors.journey.patience import patience_s
from manus.actors.journey.rescue import Rescue
from manus.actors.journey.retry import PlanCursor, is_alone
from manus.actors.journey.steps import Ask, GiveUp
from manus.actors.journey.story import Story
from manus.actors.router_desk import Desk
from manus.actors.routing.plan import Plan
from manus.actors.routing.standing import Standing
from manus.messages.failures import Failed
from manus.messages.outcomes import Outcome, Unfinished
from manus.messages.requests import ChatRequest, EmbedRequest
from manus.supervisor.envelope import Envelope

LAST_WORD_S = 0.02
"""How long, once a request is cut short, its outcome waits for the books. The asker is answered for at 0.05 s."""


TOO_LATE = Failed(
    kind="deadline",
    timeout="total",
    message="The request's deadline was past when it came (`timeout_s`): nobody was asked.",
    phase="queued",
)


class RequestRun:
    """One request, for the task that handles its envelope. `EmbedRun` is the other kind."""

    __slots__ = ("_attempts", "_channel", "_desk", "_env", "_hedged", "_request", "_rescue", "_story", "_table")

    def __init__(self, desk: Desk, env: Envelope, request: ChatRequest | EmbedRequest) -> None:
        self._desk = desk
        self._table = desk.table
        """What its plan was made by."""
        self._env = env
        self._request = request
        self._hedged = may_hedge(desk.spec.policy.hedge, request)
        self._story = Story(request.request_id)
        self._channel: CallerChannel | None = None
        self._rescue: Rescue | None = None
        if isinstance(request, ChatRequest) and request.stream and env.sink is not None:
            policy = desk.spec.policy
            self._channel = channel = CallerChannel(env.sink, stall_s=policy.consumer_stall_s)
            mode = request.on_interrupt or policy.on_interrupt
            self._rescue = Rescue(request, mode=mode, channel=channel, cell=desk.cell, wires=desk.spec.wires)
        on_cancel = request.on_cancel if isinstance(request, ChatRequest) else None
        self._attempts = Attempts(
            desk,
            env,
            self._story,
            channel=self._channel,
            measured=measure(request),
            on_cancel=on_cancel or desk.spec.policy.on_cancel,
        )

    async def run(self, *, first: Callable[[], Awaitable[None]] | None = None) -> Outcome:
        """Live; gives the outcome, also after the envelope's scope was cancelled.

        `first` is awaited before anything else is done, within that scope: for a request that waits for its place.
        Cancelling the actor passes through; then the runner answers, and only the books are seen to here.
        """
        outcome: Outcome | None = None
        try:
            with self._env.scope as scope:
                if first is not None:
                    await first()
                outcome = await self._journey()
            if outcome is None:
                outcome = await self._cut_short(deadline_passed=trio.current_time() >= scope.deadline)
        finally:
            self._attempts.close()
        return outcome

    # --- the journey --------------------------------------------------------------------------------

    async def _journey(self) -> Outcome:
        """Plan, and have the request answered; what follows a success is its outcome."""
        if self._env.deadline <= self._story.admitted_at:
            return self._unfinished(TOO_LATE)
        standing = self._desk.standing(self._request.request_id, self._story.admitted_at)
        plan = self._planned(standing)
        if isinstance(plan, Failed):
            return self._unfinished(plan)
        self._story.planned(plan, standing.health)
        self._attempts.alone = is_alone(plan, self._desk.spec.policy.retry)
        ended = await self._answered(plan, self._request)
        return self._unfinished(ended) if isinstance(ended, Failed) else self._finished(ended)

    def _planned(self, standing: Standing) -> Plan | Failed:
        """Make a plan by what is configured now."""
        self._table = self._desk.table
        return self._table.plan(
            self._request,
            estimated_input_tokens=self._attempts.prompt_tokens,
            standing=standing,
            measured=self._attempts.measured,
        )

    def _keep_up(self, cursor: PlanCursor) -> None:
        """Where the configuration has changed since the plan was made, go on with what there is now."""
        if self._table is not self._desk.table:
            cursor.renew(self._renewed(cursor.plan))

    def _renewed(self, plan: Plan) -> Plan | Failed:
        """Give a plan by what is configured now, in the order of `plan` as far as that is still there."""
        desk = self._desk
        standing = desk.standing(self._request.request_id, trio.current_time()).rehearsal()
        now = self._planned(standing)
        renewed = plan.renewed(None if isinstance(now, Failed) else now)
        self._story.planned(renewed, standing.health)
        if isinstance(now, Failed):
            return now
        self._attempts.alone = is_alone(renewed, desk.spec.policy.retry)
        if self._rescue is not None:
            self._rescue.adopt(desk.spec.wires)
        return renewed

    async def _answered(self, plan: Plan, request: ChatRequest | EmbedRequest) -> OpenAttempt | Failed:
        """Make attempts at `request` until one succeeds or nothing more can be done."""
        last = await self._at_once(plan, request)
        if last is not None and last.failure is None:
            return last
        cursor = self._cursor(plan)
        rescue: Rescue | None = None  # once the caller has seen a part of the answer
        if last is None:
            step = cursor.first(trio.current_time())
        else:
            cursor.begun(last.choice)
            rescue = self._rescue_of_what_was_shown()
            step = await self._following(last, rescue, cursor)
        while True:
            if isinstance(step, GiveUp):
                return self._given_up(step, last)
            asked = step.request or request
            if rescue is not None:
                self._attempts.measured = measure(asked)
            begun = await self._begin(step, asked, cursor, patient=rescue is not None)
            if begun is None:
                step = await self._gone(last, rescue, cursor)
                continue
            if isinstance(begun, NotBefore):
                step = self._not_begun(step, begun, last, rescue, cursor)
                continue
            cursor.begun(begun.choice)
            if last is not None:
                again = begun.choice.deployment == last.choice.deployment
                self._desk.cell.count("retries" if again else "failovers")
            last = begun
            if cursor.spare(last.started_at) is not None:
                self._hurry(last)
            if rescue is not None:
                last.scope = trio.CancelScope()
                rescue.prepare(last)
            race = self._race(last, cursor) if self._hedged and step.role == "first" else None
            if race is None:
                await self._attempts.carry_out(last, asked, shed=step.shed)
            else:
                last = await race.run(last, shed=step.shed)
            if last.failure is None:
                return last
            rescue = self._rescue_of_what_was_shown()
            step = await self._following(last, rescue, cursor)

    async def _at_once(self, plan: Plan, request: ChatRequest | EmbedRequest) -> OpenAttempt | None:
        """Make the first attempt where nothing stands in its way; then, mostly, no walk over the plan is needed."""
        if self._hedged or not self._desk.cell.health.all_well:
            return None
        attempt = self._attempts.begin(request, plan.choices[0], "first", trio.current_time())
        if isinstance(attempt, NotBefore):
            return None
        if len(plan.choices) > 1 and any(choice.use == "any" for choice in plan.choices[1:]):
            self._hurry(attempt)
        await self._attempts.carry_out(attempt, request, shed=True)
        return attempt

    def _hurry(self, attempt: OpenAttempt) -> None:
        """Bound the silence of an attempt after which somebody else could be asked."""
        left_s = self._env.deadline - attempt.started_at
        attempt.patience_s = patience_s(left_s, streamed=self._channel is not None)

    def _rescue_of_what_was_shown(self) -> Rescue | None:
        return self._rescue if self._channel is not None and self._channel.shown else None

    async def _following(self, last: OpenAttempt, rescue: Rescue | None, cursor: PlanCursor) -> Ask | GiveUp:
        """Decide what follows a failed attempt."""
        assert last.failure is not None
        self._keep_up(cursor)
        if rescue is None:
            return cursor.after(last.choice, last.failure, now=trio.current_time())
        return await self._rescued(rescue, last, last.failure, cursor)

    def _race(self, first: OpenAttempt, cursor: PlanCursor) -> Race | None:
        """Let a first attempt be joined by another if it is slow; None where nobody knows what slow is."""
        cell, choice = self._desk.cell, first.choice
        cell.hedge_budget.count_request(choice.provider, first.started_at)
        delay_s = hedge_delay_s(self._desk.spec.policy.hedge, cell.health, choice, streamed=self._channel is not None)
        return None if delay_s is None else Race(self._attempts, cursor, cell, self._request, delay_s, self._keep_up)

    async def _begin(
        self, step: Ask, asked: ChatRequest | EmbedRequest, cursor: PlanCursor, *, patient: bool
    ) -> OpenAttempt | NotBefore | None:
        """Wait for the turn of `step` and open its attempt, unless its deployment rests by then.

        None: it has left the configuration meanwhile. `patient`: nobody else will do, so that it is waited for as long
        as anybody waits.
        """
        policy, plan = self._desk.spec.policy.retry, cursor.plan
        wait_s = step.wait_s
        while True:
            if wait_s > 0:
                await trio.sleep(wait_s)
            self._keep_up(cursor)
            choice = step.choice if cursor.plan is plan else cursor.standing_in(step.choice)
            if choice is None:
                return None
            now = trio.current_time()
            begun = self._attempts.begin(asked, choice, step.role, now)
            if not isinstance(begun, NotBefore) or not patient:
                return begun
            wait_s = begun.at - now
            if wait_s > policy.wait_hint_max_s or begun.at >= self._env.deadline:
                return begun

    def _not_begun(
        self, step: Ask, rests: NotBefore, last: OpenAttempt | None, rescue: Rescue | None, cursor: PlanCursor
    ) -> Ask | GiveUp:
        """Decide what follows where a deployment was not ready after all."""
        if rescue is None:
            return cursor.again(trio.current_time())
        assert last is not None, "what is rescued was begun"
        assert last.failure is not None, "and has failed"
        return rescue.gives_up(last.failure, f"{step.choice.deployment} rests: {rests.why}")

    async def _gone(self, last: OpenAttempt | None, rescue: Rescue | None, cursor: PlanCursor) -> Ask | GiveUp:
        """Decide what follows where a deployment has left the configuration before it was asked."""
        if rescue is None:
            return cursor.again(trio.current_time())
        assert last is not None, "what is rescued was begun"
        assert last.failure is not None, "and has failed"
        step = rescue.follow_anew(last, last.failure, cursor)
        return step if isinstance(step, GiveUp) else await self._announced(rescue, step)

    async def _rescued(self, rescue: Rescue, attempt: OpenAttempt, failure: Failed, cursor: PlanCursor) -> Ask | GiveUp:
        """Decide what follows when the caller has seen a part of the answer, and tell it what it has to know."""
        step = rescue.follow(attempt, failure, cursor)
        if isinstance(step, GiveUp):
            return step
        return await self._announced(rescue, step)

    async def _announced(self, rescue: Rescue, step: Ask) -> Ask | GiveUp:
        if step.role == "restart":
            self._story.partial = None
        stalled = await rescue.announce(step)
        return step if stalled is None else GiveUp(reason="the caller does not read its stream", failure=stalled)

    def _given_up(self, step: GiveUp, last: OpenAttempt | None) -> Failed:
        self._story.gave_up = step.reason
        failure = step.failure or (None if last is None else last.failure)
        assert failure is not None, "who gives up says why, or an attempt has"
        return failure

    def _cursor(self, plan: Plan) -> PlanCursor:
        desk = self._desk
        return PlanCursor(
            plan,
            desk.spec.policy.retry,
            health=desk.cell.health,
            budget=desk.cell.budget,
            jitter=Jitter(desk.cell.seed, self._request.request_id),
            deadline=self._env.deadline,
            tokens=self._attempts.prompt_tokens,
        )

    # --- the end ------------------------------------------------------------------------------------

    async def _cut_short(self, *, deadline_passed: bool) -> Outcome:
        """End a request whose scope was cancelled: the caller left, cancelled it, or its deadline passed."""
        if deadline_passed:
            message = "The request's deadline passed before the answer was whole (`timeout_s`)."
            failure = Failed(kind="deadline", timeout="total", message=message)
        else:
            failure = Failed(kind="cancelled", message="The caller cancelled the request.")
        ended: OpenAttempt | None = None
        for attempt in tuple(self._attempts.open):
            await self._end_attempt(attempt, failure, deadline_passed=deadline_passed)
            if attempt.failure is None and self._completes(attempt):
                ended = attempt  # the answer was whole, and only the books had yet to confirm it
            elif attempt.scope is None or not attempt.scope.cancel_called:  # what we ended ourselves is no cause
                failure = attempt.failure or failure
        return self._unfinished(failure) if ended is None else self._finished(ended)

    async def _end_attempt(self, attempt: OpenAttempt, failure: Failed, *, deadline_passed: bool) -> None:
        """Book an attempt that was cut short, or one that was over and whose booking was cut short.

        Where the caller wants it so, one whose answer is on its way is read to its end instead, without the request.
        """
        if attempt.ended is None and attempt.failure is None:
            attempt.failure = msgspec.structs.replace(failure, phase=attempt.delivery.phase)
        if deadline_passed or not self._attempts.drain(attempt):
            await self._book(attempt, failure, deadline_passed=deadline_passed)
        self._attempts.withdraw(attempt)
        self._attempts.over(attempt)

    async def _book(self, attempt: OpenAttempt, failure: Failed, *, deadline_passed: bool) -> None:
        attempt.let_go()
        if attempt.is_open:
            if deadline_passed:
                self._attempts.tell_health(attempt, failure)
            if self._env.answered or not attempt.granted:
                attempt.close()
            else:
                limit_s = LAST_WORD_S if deadline_passed else self._desk.spec.confirm_s
                with trio.move_on_after(limit_s):
                    await attempt.book(deadline=trio.current_time() + limit_s)

    def _completes(self, attempt: OpenAttempt) -> bool:
        """Whether the success of `attempt` is that of the request."""
        return True

    def _finished(self, attempt: OpenAttempt) -> Outcome:
        ended = attempt.ended
        assert ended is not None
        request = self._request
        if isinstance(request, ChatRequest) and request.conversation_id is not None:
            affinity = self._desk.cell.affinity
            affinity.remember(request.conversation_id, attempt.choice.deployment, trio.current_time())
        answer = ended.answer if self._rescue is None else self._rescue.answer(ended.answer)
        return self._story.finished(attempt, answer)

    def _unfinished(self, failure: Failed) -> Unfinished:
        partial = self._story.partial
        if self._rescue is not None:
            partial = self._rescue.partial(partial)
        return self._story.unfinished(failure, partial)
