"""Own the contract of the stream that a caller holds: an async iterator of chunks that is safe to abandon at any point.

Leaving its `async with`, `aclose()`, and losing its last reference all cancel the work upstream within a tick, and
what was used is settled in the books. Breaking out of a bare `async for` loses the last reference too.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Self, final

from manus.chunks import sse_text
from manus.errors import LLMError
from manus.responses import LLMResponse, StreamChunk


class LLMStream(ABC):
    """The chunks of one answer, then its response. For one reading task.

    The last chunk of a success is of kind `final`. A request that fails raises its `LLMError` out of the iteration,
    with what had come in `error.partial`; nothing that was cut short ever looks like a success.
    """

    __slots__ = ("__weakref__", "request_id")

    request_id: str

    def __aiter__(self) -> Self:
        return self

    @abstractmethod
    async def __anext__(self) -> StreamChunk:
        """Give the next chunk. Cancelled, it takes nothing.

        Raises:
            LLMError: the request failed.
            StopAsyncIteration: the stream has ended, or was closed.
        """

    @abstractmethod
    async def response(self) -> LLMResponse:
        """Read to the end and give the whole answer; chunks not yet read are dropped.

        Raises:
            LLMError: the request failed, or the stream was closed before its end.
        """

    @abstractmethod
    async def cancel(self) -> LLMResponse:
        """End the request now and give what had come, with what it cost; `finish_reason` is `cancelled`.

        Waits until the books have it, for at most as long as the ledger's `confirm_s`. A stream that had ended
        already gives its own response.

        Raises:
            LLMError: the request failed before it was cancelled.
        """

    @abstractmethod
    def pause(self) -> None:
        """Say that reading stops for a while: an unread stream then waits, instead of failing as stalled."""

    @abstractmethod
    def resume(self) -> None:
        """Take back `pause`."""

    @abstractmethod
    def close(self) -> None:
        """Leave the stream, synchronously: the work upstream is cancelled. Harmless after the end, and twice."""

    @abstractmethod
    async def aclose(self) -> None:
        """Leave the stream: the work upstream is cancelled before this returns or is cancelled itself. A checkpoint."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()


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
        self.close()

    def close(self) -> None:
        """Leave the stream, synchronously; see `LLMStream.close`."""
        self._ended = True
        self._stream.close()

    def _event(self, name: str, data: dict[str, Any]) -> str:
        self._number += 1
        return sse_text(name, data, event_id=f"{self._stream.request_id}:{self._number}")
