"""Own one request's life at the router: its plan, one attempt after another, and its one outcome.

Only when an attempt is booked does an outcome leave. Whatever cuts a request short (the caller, the deadline, a crash
of the router), the endings of its open attempts are on their way to the books before anything else happens.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec
import trio

from manus.actors.attempt import OpenAttempt
from manus.actors.attempts import Attempts
from manus.actors.delivery import CallerChannel
from manus.actors.estimate import estimate_prompt_tokens
from manus.actors.jitter import Jitter
from manus.actors.plan import Plan
from manus.actors.rescue import Rescue
from manus.actors.retry import Ask, GiveUp, PlanCursor
from manus.actors.router_desk import Desk
from manus.actors.story import Story
from manus.messages.failures import Failed
from manus.messages.outcomes import Outcome, Unfinished
from manus.messages.requests import ChatRequest, EmbedRequest
from manus.supervisor.envelope import Envelope

LAST_WORD_S = 0.02
"""How long, once a request is cut short, its outcome waits for the books. The asker is answered for at 0.05 s."""


class RequestRun:
    """One request, for the task that handles its envelope. `EmbedRun` is the other kind."""

    __slots__ = ("_attempts", "_channel", "_desk", "_env", "_request", "_rescue", "_story")

    def __init__(self, desk: Desk, env: Envelope, request: ChatRequest | EmbedRequest) -> None:
        self._desk = desk
        self._env = env
        self._request = request
        self._story = Story(request.request_id)
        self._channel: CallerChannel | None = None
        self._rescue: Rescue | None = None
        if isinstance(request, ChatRequest) and request.stream and env.sink is not None:
            policy = desk.spec.policy
            self._channel = channel = CallerChannel(env.sink, stall_s=policy.consumer_stall_s)
            mode = request.on_interrupt or policy.on_interrupt
            self._rescue = Rescue(request, mode=mode, channel=channel, cell=desk.cell)
        tokens = estimate_prompt_tokens(request)
        self._attempts = Attempts(desk, env, self._story, channel=self._channel, prompt_tokens=tokens)

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
        standing = self._desk.standing(self._request.request_id, self._story.admitted_at)
        plan = self._desk.table.plan(
            self._request, estimated_input_tokens=self._attempts.prompt_tokens, standing=standing
        )
        if isinstance(plan, Failed):
            return self._unfinished(plan)
        self._story.planned(plan, standing.health)
        ended = await self._answered(plan, self._request)
        return self._unfinished(ended) if isinstance(ended, Failed) else self._finished(ended)

    async def _answered(self, plan: Plan, request: ChatRequest | EmbedRequest) -> OpenAttempt | Failed:
        """Make attempts at `request` until one succeeds or nothing more can be done."""
        desk, attempts, rescue = self._desk, self._attempts, self._rescue
        cursor = self._cursor(plan)
        step = Ask(choice=cursor.first())
        rescued = False
        while True:
            asked = step.request or request
            attempt = attempts.begin(asked, step.choice, step.role)
            if rescued and rescue is not None:
                attempt.scope = trio.CancelScope()
                rescue.prepare(attempt)
            await attempts.carry_out(attempt, asked, shed=step.shed)
            failure = attempt.failure
            if failure is None:
                return attempt
            rescued = self._channel is not None and self._channel.shown
            if rescued and rescue is not None:
                following = rescue.follow(attempt, failure, cursor)
            else:
                following = cursor.after(step.choice, failure, now=trio.current_time())
            if isinstance(following, GiveUp):
                self._story.gave_up = following.reason
                return following.failure or failure
            if rescued and rescue is not None:
                if following.role == "restart":
                    self._story.partial = None
                stalled = await rescue.announce(following)
                if stalled is not None:
                    return stalled
            desk.cell.count("retries" if following.choice is step.choice else "failovers")
            if following.wait_s > 0:
                await trio.sleep(following.wait_s)
            step = following

    def _cursor(self, plan: Plan) -> PlanCursor:
        desk = self._desk
        return PlanCursor(
            plan,
            desk.spec.policy.retry,
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
            else:
                failure = attempt.failure or failure
        return self._unfinished(failure) if ended is None else self._finished(ended)

    async def _end_attempt(self, attempt: OpenAttempt, failure: Failed, *, deadline_passed: bool) -> None:
        """Book an attempt that was cut short, or one that was over and whose booking was cut short."""
        attempt.delivery.fence()
        if attempt.is_open:
            attempt.failure = msgspec.structs.replace(failure, phase=attempt.delivery.phase)
            if self._env.answered or not attempt.granted:
                attempt.close()
            else:
                limit_s = LAST_WORD_S if deadline_passed else self._desk.spec.confirm_s
                with trio.move_on_after(limit_s):
                    await attempt.book(deadline=trio.current_time() + limit_s)
        self._attempts.over(attempt)

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
