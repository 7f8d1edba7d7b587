"""Own the stream that a caller holds: an async iterator of chunks that is safe to abandon at any point.

Leaving its `async with`, `aclose()`, and losing its last reference all cancel the work upstream within a tick, and
what was used is settled in the books. Breaking out of a bare `async for` loses the last reference too.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Self, final

import trio

from manus.chunks import chunks_of, final_chunk, sse_text
from manus.errors import LLMError, RequestCancelledError, error_of, error_of_terminal
from manus.messages.content import Text
from manus.messages.events import StreamEvent
from manus.messages.failures import Failed
from manus.messages.outcomes import Answer, Finished, Unfinished
from manus.output_format import ResponseFormat, parsed_response
from manus.responses import LLMResponse, ResponseUsage, StreamChunk, cut_response_of
from manus.supervisor.dialog import Dialog
from manus.supervisor.terminals import ActorFailed, Expired, Unavailable, Undelivered, Withdrawn


@final
class LLMStream:
    """The chunks of one answer, then its response. For one reading task.

    The last chunk of a success is of kind `final`. A request that fails raises its `LLMError` out of the iteration,
    with what had come in `error.partial`; nothing that was cut short ever looks like a success.
    """

    __slots__ = (
        "__weakref__",
        "_asked",
        "_chunks",
        "_closed",
        "_dialog",
        "_error",
        "_response",
        "_shown",
        "request_id",
    )

    def __init__(self, dialog: Dialog, *, request_id: str, asked: ResponseFormat | None) -> None:
        self._dialog = dialog
        self._asked = asked
        self._chunks: deque[StreamChunk] = deque()
        self._response: LLMResponse | None = None
        self._error: LLMError | None = None
        self._closed = False
        # The texts of the answer so far: where the router itself dies, nobody else can say what had come.
        self._shown: list[str] = []
        self.request_id = request_id

    def __repr__(self) -> str:
        state = "closed" if self._closed else "open" if self._response is None and self._error is None else "ended"
        return f"<LLMStream {self.request_id} {state}>"

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> StreamChunk:
        """Give the next chunk. A checkpoint only when none has arrived; cancelled, it takes nothing.

        Raises:
            LLMError: the request failed.
            StopAsyncIteration: the stream has ended, or was closed.
        """
        while not self._chunks:
            if self._closed or self._response is not None or self._error is not None:
                raise StopAsyncIteration
            events = await self._dialog.receive()
            if events is None:
                self._end(await self._dialog.outcome())
            else:
                assert isinstance(events, list), "the router pushes lists of events"
                self._take(events)
        return self._chunks.popleft()

    async def response(self) -> LLMResponse:
        """Read to the end and give the whole answer; chunks not yet read are dropped.

        Raises:
            LLMError: the request failed, or the stream was closed before its end.
        """
        async for _ in self:
            pass
        if self._response is not None:
            return self._response
        raise self._error or RequestCancelledError("The stream was closed before its end.")

    async def cancel(self) -> LLMResponse:
        """End the request now and give what had come, with what it cost; `finish_reason` is `cancelled`.

        Waits until the books have it, for at most as long as the ledger's `confirm_s`. A stream that had ended
        already gives its own response.

        Raises:
            LLMError: the request failed before it was cancelled.
        """
        if self._response is None and self._error is None and not self._closed:
            self._dialog.cancel()
            outcome = await self._dialog.outcome()
            self._chunks.clear()
            match outcome:
                case Unfinished(failure=Failed(kind="cancelled")):
                    self._response = cut_response_of(outcome)
                case Withdrawn():  # the router had not even begun: nothing was sent
                    unsent = ResponseUsage(cost_nano_usd=0)
                    self._response = LLMResponse(
                        content="", finish_reason="cancelled", request_id=self.request_id, usage=unsent
                    )
                case _:
                    self._end(outcome)
        return await self.response()

    def pause(self) -> None:
        """Say that reading stops for a while: an unread stream then waits, instead of failing as stalled."""
        self._dialog.pause()

    def resume(self) -> None:
        """Take back `pause`."""
        self._dialog.resume()

    async def aclose(self) -> None:
        """Leave the stream: the work upstream is cancelled before this returns or is cancelled itself. A checkpoint."""
        self.close()
        await trio.lowlevel.checkpoint()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the stream, synchronously: the work upstream is cancelled. Harmless after the end, and twice."""
        self._closed = True
        self._chunks.clear()
        self._dialog.close()

    def _take(self, events: list[StreamEvent]) -> None:
        for chunk in chunks_of(events):
            self._chunks.append(chunk)
            if chunk.delta:
                self._shown.append(chunk.delta)
            elif chunk.kind == "reset":
                self._shown.clear()

    def _end(self, outcome: object) -> None:
        """Take the terminal: the final chunk of a success, or the error that is raised."""
        try:
            self._response = response_or_error(outcome, self.request_id, self._asked)
        except LLMError as error:
            if error.partial is None and self._shown:
                error.partial = Answer(parts=(Text(text="".join(self._shown)),))
            self._error = error
            raise
        self._chunks.append(final_chunk(self._response))


@final
class SSEStream:
    """The same stream as server-sent events: text, ready to be written to an HTTP response.

    Events are named like the kinds of chunks; `final` carries the whole response, and a request that fails ends with
    an event `error` instead of raising. Every event has the id `REQUEST:NUMBER`.
    """

    __slots__ = ("__weakref__", "_ended", "_number", "_stream")

    def __init__(self, stream: LLMStream) -> None:
        self._stream = stream
        self._number = 0
        self._ended = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        """Give the next event's text. Cancelled, it takes nothing."""
        if self._ended:
            raise StopAsyncIteration
        try:
            chunk = await anext(self._stream)
            if chunk.kind != "final":
                return self._event(chunk.kind, chunk.to_dict())
            response = await self._stream.response()
        except LLMError as error:
            self._ended = True
            return self._event("error", error.to_dict())
        self._ended = True
        return self._event("final", response.to_dict())

    async def aclose(self) -> None:
        """Leave the stream; see `LLMStream.aclose`."""
        self._ended = True
        await self._stream.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._ended = True
        self._stream.close()

    def _event(self, name: str, data: dict[str, Any]) -> str:
        self._number += 1
        return sse_text(name, data, event_id=f"{self._stream.request_id}:{self._number}")


def response_or_error(outcome: object, request_id: str, asked: ResponseFormat | None) -> LLMResponse:
    """Make the response out of a terminal.

    Raises:
        LLMError: the terminal is no success.
    """
    match outcome:
        case Finished():
            return parsed_response(outcome, asked)
        case Unfinished():
            raise error_of(outcome)
        case ActorFailed() | Undelivered() | Unavailable() | Expired() | Withdrawn():
            raise error_of_terminal(outcome, request_id)
        case _:
            raise AssertionError(f"the router answered with a {type(outcome).__name__}")
