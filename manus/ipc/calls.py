"""Own the work on each request in flight: the agent is asked, events go out as the host takes them, one reply ends it.

A defect in one request ends that request, which is told so; several in short order crash the session, whose own state
is suspect then.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import msgspec
import trio

from manus.errors import LLMError
from manus.ipc.events import RequestFailedInside
from manus.ipc.flow import Flow
from manus.ipc.methods import STREAMED, WHOLE, Methods, time_of, window_of
from manus.ipc.refusals import Refusal, RequestCancelled
from manus.ipc.session import Call, Session
from manus.ipc.stalls import Stalled, slow_consumer
from manus.messages.outcomes import Attempt
from manus.responses import LLMResponse
from manus.streams import LLMStream
from manus.supervisor.context import DEFAULT_FAULT_BUDGET
from manus.supervisor.exits import describe_error
from manus.supervisor.fault_budget import FaultCount


@final
class Calls:
    """The requests of one incarnation. `name` is the connection's, for events."""

    def __init__(
        self,
        session: Session,
        methods: Methods,
        nursery: trio.Nursery,
        *,
        name: str,
        emit: Callable[[msgspec.Struct], None],
        redact: Callable[[str], str],
    ) -> None:
        self._session = session
        self._methods = methods
        self._nursery = nursery
        self._name = name
        self._emit = emit
        self._redact = redact
        self._faults = FaultCount(DEFAULT_FAULT_BUDGET)

    def begin(self, call: Call, params: msgspec.Struct) -> None:
        """Work on a request that the session has taken in. Synchronous.

        What a host says of it from its next line on, credit or a pause, holds.
        """
        if call.method in STREAMED:
            policy = self._session.policy
            # Only JSON-RPC has words for credit.
            window = (window_of(params) or self._session.window) if call.voice.needs_greeting else None
            call.flow = Flow(call.voice, window=window, join_max=policy.event_bytes_max, now=trio.current_time())
        self._nursery.start_soon(self._work, call, params, name=f"{call.method} on {self._name}")

    def hold(self, call: Call, reply: bytes) -> None:
        """Keep the reply to a request until its turn. Synchronous."""
        self._nursery.start_soon(self._answer_in_turn, call, reply, name=f"{call.method} on {self._name}")

    async def _work(self, call: Call, params: msgspec.Struct) -> None:
        defect: Exception | None = None
        try:
            reply = await self._answered(call, params)
        except (LLMError, Refusal) as error:
            reply = call.voice.failure(error)
        except Exception as error:
            reply, defect = call.voice.failure(error), error
        await self._answer_in_turn(call, reply)
        if defect is not None:
            self.count_defect(call.method, defect)

    async def _answer_in_turn(self, call: Call, reply: bytes) -> None:
        if call.turn is not None:
            await call.turn.wait()
        await self._session.outbox.wait_room()
        self._session.settle(call, reply)

    async def _answered(self, call: Call, params: msgspec.Struct) -> bytes:
        """Do what was asked, and give the reply of a success."""
        if call.method in STREAMED or call.method in WHOLE:
            if call.turn is not None and call.method in STREAMED:
                await call.turn.wait()
            if call.scope.cancel_called:
                raise RequestCancelled("the request was cancelled before it was begun")
            stream = self._methods.begin(call.method, params)
            call.request_id = stream.request_id
            async with stream:
                return call.voice.result(await self._read(call, stream, params))
        with call.scope:
            return call.voice.result(await self._methods.answer(call.method, params))
        raise RequestCancelled("the request was cancelled")

    # --- streams ----------------------------------------------------------------------------------

    async def _read(self, call: Call, stream: LLMStream, params: msgspec.Struct) -> LLMResponse:
        """Read an answer to its end, or until it is cancelled: either way the response says what was used."""
        with call.scope:
            flow = call.flow
            if flow is None:
                return await stream.response()
            deadline = trio.current_time() + (time_of(params) or self._session.policy.request_s)
            failure: LLMError | None = None
            try:
                try:
                    await self._pump(stream, flow, deadline)
                except LLMError as error:
                    failure = error
                await self._until(flow, 0, deadline)  # what came before a failure goes out before it is told
            except Stalled as stalled:
                flow.drop()
                raise failure or slow_consumer(await stream.cancel(), stalled) from None
            if failure is not None:
                raise failure
            return await stream.response()
        if call.flow is not None:
            call.flow.drop()
        response = await stream.cancel()
        if not any(_has_left(attempt) for attempt in response.route.attempts):
            raise RequestCancelled("the request was cancelled before anything was sent", request_id=stream.request_id)
        return response

    async def _pump(self, stream: LLMStream, flow: Flow, deadline: float) -> None:
        """Let every chunk wait for the host, and the provider while too much of it does."""
        outbox, bytes_max = self._session.outbox, self._session.policy.stream_bytes_max
        async for chunk in stream:
            if chunk.kind == "final":
                continue
            flow.put(chunk)
            outbox.flow_moves(flow)
            if flow.waiting_bytes > bytes_max:
                # Whoever waits here is timed here; the router must not take it for an abandoned stream meanwhile.
                stream.pause()
                await self._until(flow, bytes_max, deadline)
                stream.resume()

    async def _until(self, flow: Flow, bytes_max: int, deadline: float) -> None:
        """Wait until no more than so much of a stream waits for its host.

        Raises:
            Stalled: the host took nothing for `consumer_stall_s`, or paused the stream beyond its request's deadline.
        """
        outbox, stall_s = self._session.outbox, self._session.policy.consumer_stall_s
        since = trio.current_time()
        while flow.waiting_bytes > bytes_max and not outbox.abandoned:
            if flow.paused:
                until = deadline
            elif flow.has_credit:
                # It waits for the pipe, on which others may go before it: a slow reader is no stalled one.
                until = max(since, flow.moved_at, outbox.wrote_at) + stall_s
            else:
                until = max(since, flow.moved_at) + stall_s
            if until <= trio.current_time():
                raise Stalled(stall_s, paused=flow.paused)
            with trio.move_on_at(until):
                await flow.moved.wait()

    # --- defects ----------------------------------------------------------------------------------

    def count_defect(self, method: str, defect: Exception) -> None:
        """Publish a defect that ended one request; too many in short order are raised."""
        text, trace = describe_error(defect, self._redact)
        self._emit(RequestFailedInside(connection=self._name, method=method, error=text, traceback=trace))
        if not self._faults.spend(trio.current_time()):
            raise defect


def _has_left(attempt: Attempt) -> bool:
    """Tell whether anything of an attempt may have reached its provider."""
    failure = attempt.failure
    return attempt.booking != "released" or failure is None or failure.phase not in ("queued", "connecting")
