"""Own what a sync agent hands out: streams and subscriptions that are read with a plain `for`."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Self, TypeVar, final

from manus.agent import AgentEvents
from manus.responses import LLMResponse, StreamChunk
from manus.streams import LLMStream, SSEStream

T = TypeVar("T")


def finish(work: Coroutine[Any, Any, T]) -> T:  # Any: it neither yields nor is sent anything
    """Run a coroutine whose waits all block this thread, and give its result."""
    try:
        work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    finally:
        work.close()
    raise AssertionError("a sync agent's waits never suspend")


def _next(work: Coroutine[Any, Any, T]) -> T:  # Any: as above
    try:
        return finish(work)
    except StopAsyncIteration:
        raise StopIteration from None


@final
class SyncStream:
    """The chunks of one answer, then its response: `LLMStream` for a plain `for`. For one reading thread.

    Leaving its `with`, `close`, and losing its last reference cancel the work upstream. So does Ctrl-C, since it
    leaves the loop that reads. `cancel`, `pause` and `close` may be called from other threads.
    """

    __slots__ = ("__weakref__", "_stream")

    def __init__(self, stream: LLMStream) -> None:
        self._stream = stream

    def __repr__(self) -> str:
        return repr(self._stream).replace("HostedStream", "SyncStream")

    @property
    def request_id(self) -> str:
        """The request's id in the ledger."""
        return self._stream.request_id

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> StreamChunk:
        """Give the next chunk, blocking until there is one; `LLMStream.__anext__` tells the rest."""
        return _next(self._stream.__anext__())

    def response(self) -> LLMResponse:
        """Read to the end and give the whole answer; see `LLMStream.response`."""
        return finish(self._stream.response())

    def cancel(self) -> LLMResponse:
        """End the request now and give what had come, with what it cost; see `LLMStream.cancel`."""
        return finish(self._stream.cancel())

    def pause(self) -> None:
        """Say that reading stops for a while; see `LLMStream.pause`."""
        self._stream.pause()

    def resume(self) -> None:
        """Take back `pause`."""
        self._stream.resume()

    def close(self) -> None:
        """Leave the stream: the work upstream is cancelled. Harmless after the end, and twice."""
        self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@final
class SyncSSEStream:
    """The same stream as server-sent events, for a plain `for`; see `SSEStream`."""

    __slots__ = ("__weakref__", "_stream")

    def __init__(self, stream: SSEStream) -> None:
        self._stream = stream

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        """Give the next event's text, blocking until there is one."""
        return _next(self._stream.__anext__())

    def close(self) -> None:
        """Leave the stream; see `LLMStream.close`."""
        self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@final
class SyncEvents:
    """What `SyncAgent.events` gives: an iterator over events, and a context manager that closes it."""

    __slots__ = ("__weakref__", "_events")

    def __init__(self, events: AgentEvents) -> None:
        self._events = events

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> object:
        """Give the next event, blocking until there is one."""
        return _next(self._events.__anext__())

    def close(self) -> None:
        """Stop collecting; what has come can still be read. Closing twice is fine."""
        self._events.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
