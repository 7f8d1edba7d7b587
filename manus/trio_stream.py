"""Own the stream of a Trio program: a dialog with the router, read in the loop that began it."""

from __future__ import annotations

from collections import deque
from typing import final

import msgspec
import trio

from manus.chunks import chunks_of, final_chunk
from manus.errors import LLMError, RequestCancelledError, error_of, error_of_terminal
from manus.messages.content import Text
from manus.messages.events import StreamEvent
from manus.messages.failures import Failed
from manus.messages.outcomes import Answer, Finished, Unfinished
from manus.output_format import ResponseFormat, parsed_response
from manus.responses import LLMResponse, ResponseUsage, StreamChunk, cut_response_of
from manus.streams import LLMStream
from manus.supervisor.dialog import Dialog
from manus.supervisor.terminals import ActorFailed, Expired, Unavailable, Undelivered, Withdrawn


@final
class TrioStream(LLMStream):
    """The stream that `TrioAgent` gives. Reading is a checkpoint only when no chunk has arrived."""

    __slots__ = (
        "_asked",
        "_chunks",
        "_closed",
        "_conversation_id",
        "_dialog",
        "_error",
        "_response",
        "_shown",
    )

    def __init__(
        self, dialog: Dialog, *, request_id: str, asked: ResponseFormat | None, conversation_id: str | None = None
    ) -> None:
        self._dialog = dialog
        self._conversation_id = conversation_id
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
        return f"<TrioStream {self.request_id} {state}>"

    async def __anext__(self) -> StreamChunk:
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

    async def some(self) -> list[StreamChunk]:
        """Give all chunks that have arrived, but at least one: what one read of the socket brought. Empty at the end.

        Raises:
            LLMError: the request failed.
        """
        try:
            some = [await anext(self)]
        except StopAsyncIteration:
            return []
        some += self._chunks
        self._chunks.clear()
        return some

    async def response(self) -> LLMResponse:
        async for _ in self:
            pass
        if self._response is not None:
            return self._response
        raise self._error or RequestCancelledError("The stream was closed before its end.")

    async def cancel(self) -> LLMResponse:
        if self._response is None and self._error is None and not self._closed:
            self._dialog.cancel()
            outcome = await self._dialog.outcome()
            self._chunks.clear()
            match outcome:
                case Unfinished(failure=Failed(kind="cancelled")):
                    self._response = self._named(cut_response_of(outcome))
                case Withdrawn():  # the router had not even begun: nothing was sent
                    unsent = ResponseUsage(cost_nano_usd=0)
                    self._response = self._named(
                        LLMResponse(content="", finish_reason="cancelled", request_id=self.request_id, usage=unsent)
                    )
                case _:
                    self._end(outcome)
        return await self.response()

    def pause(self) -> None:
        self._dialog.pause()

    def resume(self) -> None:
        self._dialog.resume()

    async def aclose(self) -> None:
        self.close()
        await trio.lowlevel.checkpoint()

    def close(self) -> None:
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
            self._response = self._named(response_or_error(outcome, self.request_id, self._asked))
        except LLMError as error:
            if error.partial is None and self._shown:
                error.partial = Answer(parts=(Text(text="".join(self._shown)),))
            self._error = error
            raise
        self._chunks.append(final_chunk(self._response))

    def _named(self, response: LLMResponse) -> LLMResponse:
        if self._conversation_id is None:
            return response
        return msgspec.structs.replace(response, conversation_id=self._conversation_id)


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
