"""Own the race of a slow first attempt with a second one: when it starts, who wins, and what becomes of the loser.

Off unless the user wants it, because it costs money. A second attempt is made at the next candidate that is ready,
never at the same deployment (another key is another one), when the first has shown nothing for longer than most of the
recent ones took. Whoever has content first has the caller's channel; from that moment nothing of the other is heard,
its call is cancelled, and what it used is booked. Nothing is raced once content was shown, nor are embeddings and
requests of priority `batch`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import trio

from manus.actors.health import Health, NotBefore
from manus.actors.journey.attempt import OpenAttempt
from manus.actors.journey.attempts import Attempts
from manus.actors.journey.retry import PlanCursor
from manus.actors.router_desk import RouterCell
from manus.actors.routing.plan import Choice
from manus.messages.failures import Failed
from manus.messages.requests import ChatRequest, EmbedRequest
from manus.messages.routing_policy import HedgePolicy

OVERTAKEN = Failed(kind="cancelled", message="Another attempt was faster; this one was given up.")
"""How the loser of a race ends."""


def may_hedge(policy: HedgePolicy, request: ChatRequest | EmbedRequest) -> bool:
    """Whether a request is one that may be raced."""
    return policy.enabled and isinstance(request, ChatRequest) and request.priority != "batch"


def hedge_delay_s(policy: HedgePolicy, health: Health, choice: Choice, *, streamed: bool) -> float | None:
    """Say after how many silent seconds a first attempt at `choice` is joined by another; None: nobody knows yet.

    A stream is silent until its first content, a whole answer until it is there.
    """
    quantile = health.first_content_quantile if streamed else health.answer_quantile
    slow_s = quantile(choice.deployment, policy.quantile, samples_min=policy.samples_min)
    return None if slow_s is None else max(slow_s, policy.delay_min_s)


class Race:
    """One first attempt that another may join.

    Args:
        delay_s: for how long the first attempt may be silent.
        keep_up: makes the cursor's plan one of the present configuration.
    """

    __slots__ = (
        "_attempts",
        "_cell",
        "_cursor",
        "_decided",
        "_delay_s",
        "_ended",
        "_keep_up",
        "_racing",
        "_request",
        "_winner",
    )

    def __init__(
        self,
        attempts: Attempts,
        cursor: PlanCursor,
        cell: RouterCell,
        request: ChatRequest | EmbedRequest,
        delay_s: float,
        keep_up: Callable[[PlanCursor], None],
    ) -> None:
        self._attempts = attempts
        self._cursor = cursor
        self._cell = cell
        self._request = request
        self._delay_s = delay_s
        self._keep_up = keep_up
        self._decided = trio.Event()
        self._racing: list[OpenAttempt] = []
        self._ended: list[OpenAttempt] = []
        self._winner: OpenAttempt | None = None

    async def run(self, first: OpenAttempt, *, shed: bool) -> OpenAttempt:
        """Carry out `first`, and perhaps another; gives the one that won, or the last one that failed.

        Both are over and booked. Cancelled from elsewhere they stay open, as any attempt does.
        """
        self._enter(first)
        async with trio.open_nursery(strict_exception_groups=True) as nursery:
            nursery.start_soon(self._carry_out, first, shed)
            with trio.move_on_after(self._delay_s):
                await self._decided.wait()
            second = None if self._decided.is_set() else self._join(first)
            if second is not None:
                nursery.start_soon(self._carry_out, second, True)
        if self._winner is not None:
            return self._winner
        for failed in self._ended[:-1]:
            assert failed.failure is not None, "who succeeds wins"
            self._cursor.failed(failed.choice, failed.failure, trio.current_time())
        return self._ended[-1]

    def _join(self, first: OpenAttempt) -> OpenAttempt | None:
        """Begin the second attempt, where somebody is ready and the budget allows it."""
        now = trio.current_time()
        self._keep_up(self._cursor)
        choice = self._cursor.spare(now)
        if choice is None or not self._cell.hedge_budget.spend(first.choice.provider, now):
            return None
        second = self._attempts.begin(self._request, choice, "hedge", now)
        if isinstance(second, NotBefore):
            return None
        self._cursor.begun(choice)
        self._cell.count("hedges")
        self._enter(second)
        return second

    def _enter(self, attempt: OpenAttempt) -> None:
        attempt.scope = trio.CancelScope()
        attempt.delivery.on_first_content = partial(self._win, attempt)
        self._racing.append(attempt)

    async def _carry_out(self, attempt: OpenAttempt, shed: bool) -> None:
        await self._attempts.carry_out(attempt, self._request, shed=shed)
        if attempt.failure is None:
            self._win(attempt)
        self._ended.append(attempt)
        self._decided.set()

    def _win(self, winner: OpenAttempt) -> None:
        """Give the caller's channel to `winner`, and end the other one. Synchronous; only the first call counts."""
        self._decided.set()
        if self._winner is not None:
            return
        self._winner = winner
        self._attempts.began(winner)
        if winner.role == "hedge":
            self._cell.count("hedges_won")
        for other in self._racing:
            if other is not winner and other.ended is None and other.failure is None:
                if other.role != "hedge" and other.delivery.phase != "queued":
                    # It was slower than most, and nobody will ever know by how much: so long at least.
                    self._attempts.withdraw(other, waited_s=trio.current_time() - other.started_at)
                other.end_early(OVERTAKEN)
