"""Own what follows when a stream breaks off after the caller has seen a part of the answer.

`restart` tells the caller to forget what it saw, and asks anew; `error` gives up. `auto` takes the answer up so that
the caller notices nothing: who goes on from a partial answer is asked to (`continue`); else the next one answers
anew, and what it says is held, to the byte, against what was shown (`splice`). Nobody takes up an answer of which a
tool call, signed thinking, a refusal or a part of the vendor's own was shown. Where nothing helps, the request ends
with the failure that broke it off, and with what the caller has.

How `router_request.RequestRun` uses it. One `Rescue` is made per streamed chat, before its first attempt:

1. `follow(attempt, failure, cursor)` is called, synchronously, each time an attempt ended with a failure while
   `channel.shown` holds, also for attempts that this object asked for itself. `GiveUp.failure` is what the request then
   ends with; None means the failure of the last attempt.
2. `announce(ask)` is awaited before the wait that `ask` may ask for. A failure it gives ends the request.
3. `prepare(attempt)` is called, synchronously, for each attempt that such an `Ask` led to, after it was opened and
   before anything happens. Such attempts have `attempt.scope`, so that one whose answer differs ends at once.
4. At the end `answer(ended)` gives the request's answer from that of the last attempt, and `partial(last)` what the
   caller was shown, where the request fails.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import trio

from manus.actors.assembly import Assembly, Outlined
from manus.actors.delivery import CallerChannel
from manus.actors.journey.attempt import OpenAttempt
from manus.actors.journey.joints import Continued, Retold
from manus.actors.journey.prefill import accepts_prefill, continued
from manus.actors.journey.retry import PlanCursor
from manus.actors.journey.splice import Splice
from manus.actors.journey.steps import Ask, GiveUp
from manus.actors.router_desk import RouterCell
from manus.actors.routing.plan import Choice
from manus.messages.events import (
    OpaqueAdded,
    ReasoningDelta,
    RefusalDelta,
    Reset,
    StreamEvent,
    TextDelta,
    ToolCallStarted,
)
from manus.messages.failures import Advice, Failed
from manus.messages.outcomes import Answer
from manus.messages.requests import ChatRequest, OnInterrupt

ELSEWHERE = Advice("no", "yes", False)
"""What to do where an attempt could not go on from what was shown. It says nothing of its deployment's health."""

ANEW_HERE = Advice("once", "yes", False)
"""What to do where a beginning of the answer was refused: without it, the same deployment may answer."""

OWN_WORD = ("slow_consumer", "deadline", "cancelled", "stopped")
"""Failures of a rescue that are not its own: they end the request as they are."""

CALLERS_FAULT = ("invalid_request", "unsupported")
"""What a vendor says of a request that another one had taken already: then the beginning of the answer is at fault, or
a taste that others do not share."""


class Rescue:
    """One streamed request's.

    Args:
        request: as the caller wants it.
        mode: what the caller, or the router's policy, wants to happen.
        channel: the caller's.
        cell: where it is counted (`restarts`, `continued`, `spliced`).
        wires: per entry, the wire it speaks.
    """

    __slots__ = (
        "_cause",
        "_cell",
        "_channel",
        "_joining",
        "_mode",
        "_refused",
        "_request",
        "_reset",
        "_shown",
        "_text",
        "_tried",
        "_wires",
    )

    def __init__(
        self,
        request: ChatRequest,
        *,
        mode: OnInterrupt,
        channel: CallerChannel,
        cell: RouterCell,
        wires: Mapping[str, str],
    ) -> None:
        self._request = request
        self._mode = mode
        self._channel = channel
        self._cell = cell
        self._wires = wires
        self._reset: Reset | None = None
        # What the caller was shown, from the first interruption on, and its text as it stood at the last one.
        self._shown: Assembly | None = None
        self._text = ""
        self._cause: Failed | None = None
        self._joining: _Joining | None = None
        self._refused: set[str] = set()
        self._tried: list[str] = []

    def adopt(self, wires: Mapping[str, str]) -> None:
        """Go by the wires of another configuration from now on."""
        self._wires = wires

    # --- what follows -------------------------------------------------------------------------------

    def follow(self, attempt: OpenAttempt, failure: Failed, cursor: PlanCursor) -> Ask | GiveUp:
        """Decide what follows `failure` of `attempt`, when the caller has seen a part of an answer."""
        match self._mode:
            case "error":
                return GiveUp(reason="the caller has seen a part of the answer, and wants to be told (`on_interrupt`)")
            case "restart":
                return self._start_over(attempt, failure, cursor)
            case "auto":
                return self._take_up(attempt, failure, cursor)

    def follow_anew(self, attempt: OpenAttempt, failure: Failed, cursor: PlanCursor) -> Ask | GiveUp:
        """Decide once more what follows `failure`: who was to be asked next has left the configuration meanwhile."""
        match self._mode:
            case "error":
                return GiveUp(reason="the caller wants to be told (`on_interrupt`)")
            case "restart":
                return self._start_over(attempt, failure, cursor)
            case "auto":
                return self._taken_up(attempt, failure, cursor, differs=False)

    def _start_over(self, attempt: OpenAttempt, failure: Failed, cursor: PlanCursor) -> Ask | GiveUp:
        step = cursor.after(attempt.choice, failure, now=trio.current_time())
        if isinstance(step, GiveUp):
            return step
        choice = step.choice
        self._reset = Reset(reason=failure.kind, provider=choice.provider, model=choice.model)
        return msgspec.structs.replace(step, role="restart")

    def _take_up(self, attempt: OpenAttempt, failure: Failed, cursor: PlanCursor) -> Ask | GiveUp:
        return self._taken_up(attempt, failure, cursor, differs=self._note(attempt, failure))

    def _taken_up(self, attempt: OpenAttempt, failure: Failed, cursor: PlanCursor, *, differs: bool) -> Ask | GiveUp:
        assert self._shown is not None
        obstacle = _obstacle(self._shown.outline())
        if obstacle is not None:
            return GiveUp(reason=obstacle, failure=self._as_it_broke_off(failure, differs=differs))
        self._text = self._shown.text_so_far
        goes_on = self._goes_on if self._text.rstrip() else None
        step = cursor.after(
            attempt.choice,
            self._advised(attempt, failure, differs=differs),
            now=trio.current_time(),
            want=goes_on or _nobody,
            insist=differs and attempt.role == "splice",
        )
        if isinstance(step, GiveUp):
            return msgspec.structs.replace(step, failure=self._as_it_broke_off(failure, differs=differs))
        if goes_on is None or not goes_on(step.choice):
            return msgspec.structs.replace(step, role="splice")
        thoughts = self._shown.reasoning_so_far
        request = continued(self._request, self._text.rstrip(), spent=thoughts)
        return msgspec.structs.replace(step, role="continue", request=request)

    def _note(self, attempt: OpenAttempt, failure: Failed) -> bool:
        """Take down what has become of `attempt`; tells whether it was ended because it did not join."""
        joining, self._joining = self._joining, None
        if joining is None:
            shown = attempt.delivery.assembly
            assert shown is not None, "something was shown"
            shown.hand_over()
            self._shown, self._cause = shown, failure
            return False
        self._count(joining)
        differs = joining.splice.differs
        self._tried.append(f"{attempt.choice.deployment}: {differs or failure.kind}")
        if attempt.role == "continue" and (differs is not None or failure.kind in CALLERS_FAULT):
            self._refused.add(attempt.choice.deployment)
        return differs is not None

    def _advised(self, attempt: OpenAttempt, failure: Failed, *, differs: bool) -> Failed:
        """Say what may follow a failed rescue: a request that one vendor had taken is not at fault by itself."""
        if attempt.role not in ("continue", "splice") or differs or failure.kind not in CALLERS_FAULT:
            return failure
        advice = ANEW_HERE if attempt.role == "continue" else ELSEWHERE
        return msgspec.structs.replace(failure, advice=advice)

    def _goes_on(self, choice: Choice) -> bool:
        """Whether a deployment goes on from a partial answer, as far as that is known and was not denied already."""
        wire = self._wires.get(choice.provider)
        return choice.deployment not in self._refused and accepts_prefill(
            self._request, choice.card, wire, choice.provider
        )

    def gives_up(self, failure: Failed, reason: str) -> GiveUp:
        """End it after all, because the deployment that it asked for could not be asked."""
        # What led to an `Ask` was no word of the request's own end, whatever its kind.
        return GiveUp(reason=reason, failure=self._cause and self._as_it_broke_off(failure, differs=True))

    def _as_it_broke_off(self, failure: Failed, *, differs: bool) -> Failed:
        """Give the failure that the request ends with: what broke the answer off, and what was tried since."""
        cause = self._cause
        assert cause is not None
        if not self._tried or (failure.kind in OWN_WORD and not differs):
            return failure
        message = f"{cause.message} Nobody could take the answer up ({'; '.join(self._tried)})."
        return msgspec.structs.replace(cause, message=message)

    async def announce(self, ask: Ask) -> Failed | None:
        """Tell the caller to forget what it has seen, where it has to; gives a failure where it does not read."""
        reset, self._reset = self._reset, None
        if reset is None:
            return None
        self._cell.count("restarts")
        if self._channel.start_over(reset) or await self._channel.wait_room():
            return None
        return Failed(kind="slow_consumer", message="The caller did not read its stream, not even that it starts over.")

    # --- the attempt --------------------------------------------------------------------------------

    def prepare(self, attempt: OpenAttempt) -> None:
        """Make ready an attempt that this object asked for. One that starts over needs nothing."""
        shown = self._shown
        if shown is None:
            return
        text = self._text
        kept = text.rstrip()
        joint = Continued(kept, text[len(kept) :]) if attempt.role == "continue" else Retold(text)
        splice = Splice(shown.outline(), shown.warnings, joint)
        self._joining = _Joining(attempt, splice, shown)
        attempt.delivery.pass_through(self._joining)

    def answer(self, ended: Answer) -> Answer:
        """Give the whole answer, as the caller received it, from that of the attempt which brought it to its end."""
        shown, joining = self._shown, self._joining
        if shown is None or joining is None:
            return ended
        self._count(joining)
        whole = shown.answer()
        return msgspec.structs.replace(
            whole,
            id=ended.id,
            model=ended.model,
            vendor_request_id=ended.vendor_request_id,
            usage=ended.usage,
            finish=ended.finish,
        )

    def partial(self, last: Answer | None) -> Answer | None:
        """Give what the caller was shown of an answer that failed; `last` is what one attempt alone had brought."""
        return last if self._shown is None else self._shown.answer()

    def _count(self, joining: _Joining) -> None:
        if joining.splice.took_up:
            self._cell.count("continued" if joining.attempt.role == "continue" else "spliced")


class _Joining:
    """Stands between an attempt and the caller, and ends the attempt where it does not join. A delivery's `Filter`."""

    __slots__ = ("_shown", "attempt", "splice")

    def __init__(self, attempt: OpenAttempt, splice: Splice, shown: Assembly) -> None:
        self.attempt = attempt
        self.splice = splice
        self._shown = shown

    def feed(self, events: list[StreamEvent]) -> list[StreamEvent]:
        """Give what the caller gets, and keep a record of it."""
        attempt, splice = self.attempt, self.splice
        passed = splice.feed(events)
        if splice.differs is not None:
            choice = attempt.choice
            message = f"{choice.deployment} could not take up the answer that broke off: {splice.differs}."
            attempt.end_early(
                Failed(
                    kind="cancelled",
                    message=message,
                    advice=ELSEWHERE,
                    provider=choice.provider,
                    model=choice.model,
                )
            )
            return []
        if passed:
            own = attempt.delivery.assembly
            assert own is not None, "what delivers has begun"
            self._shown.credit(own.origin)
            self._shown.add(passed)
        return passed


def _obstacle(shown: list[Outlined]) -> str | None:
    """Say why an answer of which so much was shown cannot be taken up by anybody; None where it can."""
    for part in shown:
        if part.sealed:
            return "thinking was shown that its vendor has signed: only the same answer could follow it"
        if part.kind is ToolCallStarted:
            return "a tool call was shown, which another answer need not make"
        if part.kind is RefusalDelta:
            return "the model was refusing"
        if part.kind is OpaqueAdded:
            return "a part was shown that only its vendor can read"
        assert part.kind in (TextDelta, ReasoningDelta), f"an answer cannot consist of {part.kind.__name__}"
    return None


def _nobody(choice: Choice) -> bool:
    """Nothing was shown from which one could go on."""
    return False
