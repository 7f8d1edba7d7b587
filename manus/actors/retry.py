"""Own what follows a failed attempt: the same deployment again, another one, a wait, or the end.

Pure: `now` and the source of jitter are arguments. It acts on a failure's *advice*, never on a status code. The plan
was fixed at admission; the cursor walks it and every walk ends, because each deployment is entered once, returned to
only by advice, and all attempts together are bounded.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from manus.actors.jitter import Jitter
from manus.actors.plan import Choice, Plan
from manus.messages.failures import Advice, Failed
from manus.messages.outcomes import AttemptRole
from manus.messages.requests import ChatRequest
from manus.messages.routing_policy import RetryPolicy

WINDOW_S = 60.0
"""The traffic that a retry budget is a share of is that of the last minute..."""

SLOTS = 12
"""...counted in slots of five seconds, so that old traffic is forgotten in steps too small to matter."""

_SLOT_S = WINDOW_S / SLOTS


class RetryBudget:
    """Retries as a share of recent traffic, so that an outage is not answered with a storm.

    Lives in the router's durable cell; each method is one synchronous, total mutation.
    """

    __slots__ = ("_current", "_minimum", "_ratio", "_requests", "_retries")

    def __init__(self, policy: RetryPolicy) -> None:
        self._ratio = policy.budget_ratio
        self._minimum = policy.budget_min
        self._requests = [0] * SLOTS
        self._retries = [0] * SLOTS
        self._current = -SLOTS

    def count_request(self, now: float) -> None:
        """Note one admitted request: it earns its share of a retry."""
        self._requests[self._slot(now)] += 1

    def spend(self, now: float) -> bool:
        """Take one retry, if the budget allows it."""
        slot = self._slot(now)
        if sum(self._retries) >= self._minimum + self._ratio * sum(self._requests):
            return False
        self._retries[slot] += 1
        return True

    def _slot(self, now: float) -> int:
        """Find the slot of `now` and forget the slots that time has left behind."""
        current = int(now // _SLOT_S)
        for passed in range(max(self._current + 1, current - SLOTS + 1), current + 1):
            self._requests[passed % SLOTS] = 0
            self._retries[passed % SLOTS] = 0
        self._current = max(current, self._current)
        return self._current % SLOTS


Wanted = Callable[[Choice], bool]
"""Says whether a deployment is one that is looked for."""


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """Ask `choice` after `wait_s`.

    Args:
        role: why, for the story of the route.
        shed: False where nobody else is left: then wait for room in its queue.
        request: what to ask, where it is not the caller's own request.
    """

    choice: Choice
    role: AttemptRole = "first"
    wait_s: float = 0.0
    shed: bool = True
    request: ChatRequest | None = None


class GiveUp(msgspec.Struct, frozen=True, kw_only=True):
    """No attempt follows; `reason` goes into the route. `failure` ends the request in place of the last one."""

    reason: str
    failure: Failed | None = None


class _Wait(msgspec.Struct, frozen=True):
    """A deployment that asked for patience: not before `ready_at`."""

    ready_at: float
    choice: Choice
    shed: bool


class PlanCursor:
    """Walks one request's plan. Made per request, kept by its task alone.

    Args:
        budget: what retries of one deployment are taken from.
        jitter: of the request's own.
        deadline: the request's, on the loop's clock; nothing is started that could not begin before it.
        tokens: about how long the prompt is, for larger windows.
    """

    __slots__ = (
        "_attempts",
        "_budget",
        "_coming",
        "_deadline",
        "_jitter",
        "_plan",
        "_policy",
        "_tokens",
        "_tries",
        "_waits",
    )

    def __init__(
        self,
        plan: Plan,
        policy: RetryPolicy,
        *,
        budget: RetryBudget,
        jitter: Jitter,
        deadline: float,
        tokens: int,
    ) -> None:
        self._plan = plan
        self._policy = policy
        self._budget = budget
        self._jitter = jitter
        self._deadline = deadline
        self._tokens = tokens
        self._coming: list[Choice] | None = None
        self._tries: dict[str, int] = {}
        self._waits: list[_Wait] = []
        self._attempts = 0

    def first(self) -> Choice:
        """Begin with the plan's first choice."""
        self._attempts = 1
        return self._plan.choices[0]

    def after(
        self,
        choice: Choice,
        failure: Failed,
        *,
        now: float,
        want: Wanted | None = None,
        insist: bool = False,
    ) -> Ask | GiveUp:
        """Decide what follows `failure` of `choice`.

        Args:
            choice: who failed.
            failure: how; only its advice, its hint, and whether it was our own queue are read.
            now: the loop's clock.
            want: prefers, among those that may be asked at once, the first one that it is true of, also `choice`
                itself where the advice allows to return to it.
            insist: only such a one will do.
        """
        if self._coming is None:
            self._coming = list(self._plan.choices[1:])
        if self._attempts >= self._policy.attempts_max:
            return GiveUp(reason=f"{self._attempts} attempts were made, the most one request may take")
        step = self._next(choice, failure, now, want, insist)
        if isinstance(step, Ask):
            self._attempts += 1
        return step

    def _next(self, choice: Choice, failure: Failed, now: float, want: Wanted | None, insist: bool) -> Ask | GiveUp:
        advice = failure.what_to_do
        tries = self._tries[choice.deployment] = self._tries.get(choice.deployment, 0) + 1
        hint = failure.retry_after_s
        pause = self._backoff(tries)
        may_return = False
        if advice.retry_here == "after_wait" or (advice.retry_here == "once" and hint is not None):
            # Others come first; a vendor that named a time is worth returning to when nobody else is left.
            full = _is_full(failure)
            ready_at = now if full else now + max(hint or 0.0, pause)
            if ready_at - now <= self._policy.wait_hint_max_s and (
                advice.retry_here == "after_wait" or tries <= self._policy.same_deployment
            ):
                self._waits.append(_Wait(ready_at, choice, not full))
        else:
            may_return = (
                advice.retry_here == "once" and tries <= self._policy.same_deployment and now + pause < self._deadline
            )
        least_window = self._least_window(choice, advice)
        if want is not None:
            if may_return and want(choice) and self._budget.spend(now):
                return Ask(choice=choice, role="retry", wait_s=pause)
            wanted = None if least_window is None else self._take_other(least_window, want)
            if wanted is not None:
                return Ask(choice=wanted, role="failover")
            if insist:
                return GiveUp(reason="no candidate is left that could go on with it")
        if may_return and self._budget.spend(now):
            return Ask(choice=choice, role="retry", wait_s=pause)
        if least_window is not None:
            other = self._take_other(least_window, None)
            if other is not None:
                return Ask(choice=other, role="failover")
        elif advice.retry_here == "no":
            return GiveUp(reason=f"{failure.kind} is not answered by asking again")
        return self._earliest_wait(now, least_window=least_window or 0)

    def _least_window(self, choice: Choice, advice: Advice) -> int | None:
        """Say what others must have more tokens than, 0 for any; None where nobody else may be asked."""
        if advice.elsewhere == "larger_window":
            return choice.card.context_tokens or self._tokens
        return 0 if advice.elsewhere == "yes" else None

    def _take_other(self, least_window: int, want: Wanted | None) -> Choice | None:
        """Take the next deployment that may be asked; only one with a larger window, where that is what is needed."""
        assert self._coming is not None
        for place, other in enumerate(self._coming):
            usable = _is_larger(other, least_window) if least_window else other.use == "any"
            if usable and (want is None or want(other)):
                del self._coming[place]
                return other
        return None

    def _earliest_wait(self, now: float, *, least_window: int) -> Ask | GiveUp:
        """Return to whoever asked for patience and may be asked soonest."""
        waits = [wait for wait in self._waits if not least_window or _is_larger(wait.choice, least_window)]
        if not waits:
            return GiveUp(reason="no candidate is left")
        earliest = min(waits, key=_ready_at)
        if earliest.ready_at >= self._deadline:
            return GiveUp(reason="no candidate is left, and waiting would take longer than the deadline")
        self._waits.remove(earliest)
        wait_s = max(0.0, earliest.ready_at - now)
        return Ask(choice=earliest.choice, role="wait", wait_s=wait_s, shed=earliest.shed)

    def _backoff(self, tries: int) -> float:
        """Draw an exponential back-off with full jitter, never zero: a reset is seldom over at once."""
        ceiling = min(self._policy.max_s, self._policy.base_s * 2.0 ** (tries - 1))
        return ceiling * (0.1 + 0.9 * self._jitter.draw())


def _is_full(failure: Failed) -> bool:
    """Whether it was our own queue for a deployment that had no room; no vendor said anything."""
    return failure.kind == "overloaded" and failure.status is None and failure.phase == "queued"


def _is_larger(choice: Choice, window: int) -> bool:
    return (choice.card.context_tokens or 0) > window


def _ready_at(wait: _Wait) -> float:
    return wait.ready_at
