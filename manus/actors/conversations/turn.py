"""Own one turn's life: its place in line, the router's answer, and whether it becomes history.

An exchange becomes history in the step in which its answer is given to its caller, and in no other: a turn that failed,
was cancelled, came too late, or whose actor died leaves the conversation as it was. Where the store is durable the
exchange is put there first, and taken back if the caller is gone by the time the disk has it.
"""

from __future__ import annotations

from typing import Final

import msgspec
import trio

from manus.actors.conversations.desk import Desk, Ticket
from manus.actors.conversations.fitting import Fitting
from manus.actors.conversations.history import History, bytes_of, opened, parted, problem_of_turns, prompt_of, sound
from manus.actors.ledger.store import Pending
from manus.messages.content import Turn
from manus.messages.conversations import ChatAsked, Exchange
from manus.messages.failures import Failed, FailureKind
from manus.messages.ids import RequestId
from manus.messages.outcomes import Finished, Unfinished
from manus.messages.requests import ChatRequest
from manus.messages.routing import TokensAsked
from manus.messages.usage import NO_USAGE
from manus.supervisor.envelope import Envelope
from manus.supervisor.phase import Phase
from manus.supervisor.ref import Question

MEASURE_S: Final = 5.0
"""How long the router has to say how long a prompt is; a router that is being restarted takes a moment."""

DELETED: Final = "The conversation was deleted."


class ChatTurn:
    """One turn, for the task that handles its envelope."""

    __slots__ = (
        "_asked",
        "_desk",
        "_env",
        "_fitting",
        "_id",
        "_opening",
        "_question",
        "_request",
        "_system",
        "_ticket",
        "_warnings",
    )

    def __init__(self, desk: Desk, env: Envelope, chat: ChatAsked) -> None:
        request = chat.request
        assert request.conversation_id is not None, "whoever asks for a chat names its conversation"
        self._desk = desk
        self._env = env
        self._request = request
        self._id = request.conversation_id
        self._ticket = Ticket(env.id)
        self._opening = chat.opening
        self._system, self._asked = parted(request.turns)
        self._question: Question | None = None
        self._fitting: Fitting | None = None
        self._warnings: list[str] = []

    async def run(self) -> object:
        """Live; gives the outcome, also after the envelope's scope was cancelled.

        Cancelling the actor passes through; then the runner answers, and nothing becomes history.
        """
        if self._desk.is_deleted(self._id, self._ticket.number):
            return self._failed("cancelled", DELETED)
        line = self._desk.line_of(self._id)
        if not line.has_room:
            why = (
                f"{len(line)} turns run or wait in this conversation, the most that may (`conversations.waiting_max`)."
            )
            return self._failed("shed", why)
        line.join(self._ticket)
        try:
            outcome: object = None
            with self._env.scope as scope, self._ticket.scope:
                # Whoever asked before has joined after this, in whatever order the tasks of one moment run.
                await trio.lowlevel.checkpoint()
                if not line.take(self._ticket):
                    await self._ticket.called.wait()
                outcome = await self._answered()
            if outcome is None:
                outcome = await self._cut_short(deadline_passed=trio.current_time() >= scope.deadline)
            return await self._kept(outcome) if isinstance(outcome, Finished) else outcome
        finally:
            if self._question is not None:
                self._question.leave()
            self._desk.leave(self._id, line, self._ticket)

    # --- before the answer --------------------------------------------------------------------------

    async def _answered(self) -> object:
        """Ask for the answer, with as much of the history as there is room for."""
        refusal = self._refusal()
        if refusal is not None:
            return refusal
        history = self._history()
        self._fitting = fitting = Fitting(
            history,
            self._asked,
            bytes_of(self._asked),
            request=self._request,
            policy=self._desk.policy,
            remembered=self._desk.shelf.remembered_cuts.get(self._id),
        )
        if history.exchanges:
            while fitting.next(await self._measured(history, fitting.cut)):
                pass
        outcome = await self._ask(self._with(history, fitting.cut))
        match outcome:
            case Unfinished(failure=Failed(kind="context_length"), partial=None) if fitting.halve():
                return await self._ask_again(outcome, history, fitting.cut)
            case _:
                return outcome

    def _history(self) -> History:
        """Give the conversation as this turn finds it, with the system turns that hold from now on."""
        history = self._desk.shelf.get(self._id)
        if history is None:
            return opened(self._system or self._opening, 0.0)
        return history.spoken(self._system) if self._system else history

    def _refusal(self) -> Unfinished | None:
        """Say why nothing is sent at all, if so."""
        desk = self._desk
        if not self._asked:
            return self._failed("invalid_request", "turns: hold no question: give at least one user's turn.")
        problem = problem_of_turns((*self._system, *self._opening, *self._asked))
        if problem is not None:
            return self._failed("invalid_request", f"turns: {problem}")
        if desk.is_full_for(self._id):
            return self._failed(
                "shed",
                f"{len(desk.shelf)} conversations of {desk.shelf.size_bytes} bytes are kept, the most there may be; "
                "delete some (`conversations.conversations_max`, `conversations.bytes_max`).",
            )
        store = desk.shelf.store
        if store.backlog > desk.policy.backlog_max:
            return self._failed("unavailable", f"Conversations cannot be kept: {store.trouble}. Nothing was sent.")
        return None

    async def _measured(self, history: History, cut: int) -> object:
        question = TokensAsked(request=self._with(history, cut))
        deadline = min(self._env.deadline, trio.current_time() + MEASURE_S)
        return await self._desk.router.ask(question, deadline=deadline, shed=True)

    def _with(self, history: History, cut: int) -> ChatRequest:
        return msgspec.structs.replace(self._request, turns=prompt_of(history, cut, self._asked))

    async def _ask(self, request: ChatRequest) -> object:
        env = self._env
        env.phase = Phase.SENT  # from here on the books know, not we
        self._question = self._desk.router.put(request, deadline=env.deadline, sink=env.sink, trace_id=env.trace_id)
        return await self._question.answer()

    async def _ask_again(self, refused: Unfinished, history: History, cut: int) -> object:
        """Ask with less, once: the estimate was wrong, or nobody knew the window. It is a request of its own."""
        again = msgspec.structs.replace(self._with(history, cut), request_id=_second(refused.request_id))
        self._warnings.append(f"{refused.request_id} was longer than the model takes, and was sent again shorter.")
        outcome = await self._ask(again)
        if not isinstance(outcome, Finished | Unfinished) or refused.usage == NO_USAGE:
            return outcome
        costs = (refused.cost_nano_usd, outcome.cost_nano_usd)
        known = [cost for cost in costs if cost is not None]
        return msgspec.structs.replace(
            outcome,
            usage=refused.usage + outcome.usage,
            cost_nano_usd=sum(known) if len(known) == len(costs) else None,
        )

    # --- after it -----------------------------------------------------------------------------------

    async def _cut_short(self, *, deadline_passed: bool) -> object:
        """End a turn whose scope was cancelled: its caller left or cancelled it, it expired, or all was deleted."""
        question = self._question
        outcome: object = None
        if question is not None and not self._env.answered:
            question.cancel()
            outcome = await question.answer()
        if self._ticket.deleted:
            if isinstance(outcome, Finished):
                return outcome  # the answer was whole already
            gone = self._failed("cancelled", DELETED)
            if isinstance(outcome, Unfinished):
                return msgspec.structs.replace(outcome, failure=gone.failure)
            return gone
        if outcome is not None:
            return outcome
        if deadline_passed:
            return self._failed("deadline", "The request's deadline passed before its turn came (`timeout_s`).")
        return self._failed("cancelled", "The caller cancelled the request.")

    async def _kept(self, finished: Finished) -> Finished:
        """Make the exchange history, unless nobody is there to be told; give the answer with what is to be said."""
        if self._fitting is not None and self._fitting.cut:
            count = self._fitting.cut
            left_out = "exchange was" if count == 1 else f"{count} exchanges were"
            self._warnings.append(
                f"The conversation is longer than what {finished.model} can read at once: its oldest {left_out} left "
                "out of the prompt."
            )
        if not self._ticket.deleted and not self._env.answered:
            await self._remember(finished)
        if self._ticket.deleted:
            self._warnings.append(f"{DELETED} This turn is not kept.")
        if not self._warnings:
            return finished
        answer = msgspec.structs.replace(finished.answer, warnings=(*finished.answer.warnings, *self._warnings))
        return msgspec.structs.replace(finished, answer=answer)

    async def _remember(self, finished: Finished) -> None:
        shelf = self._desk.shelf
        before = shelf.get(self._id)
        exchange = self._exchange(finished)
        number = shelf.append(self._id, exchange, self._history().system)
        pending = shelf.store.kept(number)
        if pending is not None:
            told = False
            try:
                await self._wait_for_disk(pending)
                told = not self._env.answered
            finally:
                if not told and not self._ticket.deleted:
                    shelf.retract(self._id, exchange, before)
        after = shelf.get(self._id)
        if after is None:
            return
        self._note_cut()
        forgotten = after.first - (0 if before is None else before.first)
        if forgotten:
            self._warnings.append(
                "The conversation holds more than it may (`conversations.conversation_bytes_max`): its oldest "
                f"{'exchange was' if forgotten == 1 else f'{forgotten} exchanges were'} forgotten."
            )
        self._desk.tidy()

    def _note_cut(self) -> None:
        """Remember where the conversation was cut, for the turns to come."""
        cuts, fitting = self._desk.shelf.remembered_cuts, self._fitting
        if fitting is None or not fitting.cut or fitting.limit is None:
            cuts.pop(self._id, None)
        else:
            cuts[self._id] = (fitting.oldest_sent, fitting.limit)

    async def _wait_for_disk(self, pending: Pending[bool]) -> None:
        kept = trio.Event()
        if not pending.done:
            pending.then(lambda _: kept.set())
            with trio.move_on_at(min(self._env.deadline, trio.current_time() + self._desk.policy.confirm_s)):
                await kept.wait()
        if not (pending.done and pending.value):
            why = self._desk.shelf.store.trouble or "the disk is slow"
            self._warnings.append(f"This turn is not on the disk yet: {why}.")

    def _exchange(self, finished: Finished) -> Exchange:
        said = finished.answer.turn or Turn(role="assistant", parts=finished.answer.parts)
        kept = sound(said)
        if kept is not said:
            self._warnings.append("A part of the answer is no JSON, though it should be; it is kept without that.")
        return Exchange(
            asked=self._asked,
            answer=kept,
            at_unix_s=self._desk.now_unix_s(),
            request_id=finished.request_id,
            provider=finished.provider,
            model=finished.model,
        )

    def _failed(self, kind: FailureKind, message: str) -> Unfinished:
        return unsent(self._request.request_id, kind, message)


def unsent(request_id: RequestId, kind: FailureKind, message: str) -> Unfinished:
    """Say that a request ended before anything was asked of anybody."""
    failure = Failed(kind=kind, message=message, safe_to_retry=True, phase="queued")
    return Unfinished(request_id=request_id, failure=failure, cost_nano_usd=0)


def _second(request_id: RequestId) -> RequestId:
    return RequestId(f"{request_id}-shorter")
