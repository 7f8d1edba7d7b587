"""Own what a sync agent hands out: streams and subscriptions that are read with a plain `for`."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Generic, Protocol, Self, TypeVar, final

from manus.responses import LLMResponse, StreamChunk
from manus.streams import LLMStream

T = TypeVar("T")
Item = TypeVar("Item", covariant=True)


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


class Awaited(Protocol[Item]):
    """What an agent of a loop hands out: items that are waited for, until it is closed."""

    async def __anext__(self) -> Item:
        """Give the next item."""

    def close(self) -> None:
        """Want no more of them."""


class Blocking(Generic[Item]):
    """The items of `source` for a plain `for`, and a context manager that closes it."""

    __slots__ = ("__weakref__", "_source")

    def __init__(self, source: Awaited[Item]) -> None:
        self._source = source

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Item:
        """Give the next item, blocking until there is one; the source's `__anext__` tells the rest."""
        return _next(self._source.__anext__())

    def close(self) -> None:
        """Want no more: of an answer, the work upstream is cancelled. Harmless after the end, and twice."""
        self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@final
class SyncStream(Blocking[StreamChunk]):
    """The chunks of one answer, then its response: `LLMStream` for a plain `for`. For one reading thread.

    Leaving its `with`, `close`, and losing its last reference cancel the work upstream. So does Ctrl-C, since it
    leaves the loop that reads. `cancel`, `pause` and `close` may be called from other threads.
    """

    __slots__ = ("_stream",)

    def __init__(self, stream: LLMStream) -> None:
        super().__init__(stream)
        self._stream = stream

    def __repr__(self) -> str:
        return repr(self._stream).replace("HostedStream", "SyncStream")

    @property
    def request_id(self) -> str:
        """The request's id in the ledger."""
        return self._stream.request_id

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


@final
class SyncSSEStream(Blocking[str]):
    """The same stream as server-sent events; see `SSEStream`."""

    __slots__ = ()


@final
class SyncEvents(Blocking[object]):
    """What `SyncAgent.events` gives; see `AgentEvents`."""

    __slots__ = ()
