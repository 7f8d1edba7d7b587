"""Own the stream of a hosted agent: read in the runtime's loop by a pump, and elsewhere by the caller.

The pump never knows the caller's end of it, so that losing the last reference to that is seen, and cancels upstream.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final, final

import trio

from manus.errors import RequestCancelledError
from manus.hosts.border import Border, Relay, stopped
from manus.hosts.callers import Here
from manus.responses import LLMResponse, StreamChunk
from manus.streams import LLMStream
from manus.trio_stream import TrioStream

if TYPE_CHECKING:
    from manus.hosts.hosted_agent import HostedAgent

LEFT: Final = "The stream was closed before its end."


@final
class StreamPump:
    """The inner end of one stream: reads it in the runtime's loop, and hands on what comes."""

    def __init__(self, border: Border, opened: Callable[[], TrioStream]) -> None:
        self.relay: Relay[StreamChunk] = Relay(border)
        self.response: LLMResponse | None = None
        self.error: Exception | None = None
        self._border = border
        self._opened = opened
        self._stream: TrioStream | None = None
        self._scope = trio.CancelScope()
        self._done = trio.Event()
        self._paused = False
        self._left = False

    @property
    def finished(self) -> bool:
        """Whether the work upstream is over, one way or another."""
        return self.relay.ended

    # --- in the runtime's loop ------------------------------------------------------------------------

    def start(self) -> None:
        if not self._border.spawn(self._run):
            self.lost()

    def lost(self) -> None:
        self._end(stopped())

    def pause(self, paused: bool) -> None:
        self._paused = paused
        if self._stream is not None:
            self._tell_pause(self._stream)

    def close(self) -> None:
        """Cancel the work upstream; whoever read this has left."""
        self._left = True
        if self._stream is not None:
            self._stream.close()
        self._scope.cancel("the reader outside has left")

    async def cancel(self) -> LLMResponse:
        """Cancel the work upstream, and give what had come with what it cost."""
        self._scope.cancel("the reader outside has cancelled the stream")
        await self._done.wait()
        assert self._stream is not None, "the stream is opened before anything is awaited"
        return await self._stream.cancel()

    async def _run(self) -> None:
        try:
            if not self._left:
                await self._pass_on()
        except Exception as error:
            self._end(error)
        finally:
            self._done.set()
            self._border.leave(self)
            # Cancelled: by the reader, who knows, or with the runtime.
            self._end(None if self._left or self._scope.cancel_called else stopped())

    async def _pass_on(self) -> None:
        stream = self._stream = self._opened()
        self._tell_pause(stream)
        with self._scope:
            while chunks := await stream.some():
                if chunks[-1].kind == "final":  # whoever has read that one may ask for the response
                    self.response = await stream.response()
                await self.relay.put(chunks)
            self._end(None)

    def _tell_pause(self, stream: TrioStream) -> None:
        if self._paused:
            stream.pause()
        else:
            stream.resume()

    def _end(self, error: Exception | None) -> None:
        if not self.relay.ended:
            self.error = error
            self.relay.end(error)


@final
class HostedStream(LLMStream):
    """The stream that `HostedAgent` gives. Reading suspends only when no chunk has arrived.

    It may be read in another loop than the one that began it, by one reader at a time.
    """

    __slots__ = ("_agent", "_border", "_closed", "_here", "_pump", "_response")

    def __init__(self, agent: HostedAgent, border: Border, here: Here, pump: StreamPump, request_id: str) -> None:
        self._pump = pump
        self._border = border
        self._here = here
        self._agent = agent  # held, so that the runtime lives as long as there is something to read
        self._closed = False
        self._response: LLMResponse | None = None
        self.request_id = request_id

    def __repr__(self) -> str:
        state = "closed" if self._closed else "ended" if self._pump.finished else "open"
        return f"<HostedStream {self.request_id} {state}>"

    async def __anext__(self) -> StreamChunk:
        if self._closed:
            raise StopAsyncIteration
        chunk = await self._pump.relay.get(self._here)
        if chunk.kind == "final":
            self._response = self._pump.response
        return chunk

    async def response(self) -> LLMResponse:
        async for _ in self:
            pass
        if self._response is not None:
            return self._response
        raise self._pump.error or RequestCancelledError(LEFT)

    async def cancel(self) -> LLMResponse:
        if not (self._closed or self._pump.finished):
            self._response = await self._border.call(self._here(), self._pump.cancel)
            self.close()
        return await self.response()

    def pause(self) -> None:
        self._border.post_quietly(self._pump.pause, True)

    def resume(self) -> None:
        self._border.post_quietly(self._pump.pause, False)

    def close(self) -> None:
        self._closed = True
        self._pump.relay.clear()
        self._leave()

    async def aclose(self) -> None:
        self.close()
        with suppress(RequestCancelledError):  # the whole runtime has ended
            await self._border.call(self._here(), trio.lowlevel.checkpoint)

    def __del__(self) -> None:
        # The collector may call this in any thread, in the middle of any line of this package.
        self._leave()

    def _leave(self) -> None:
        if not self._pump.finished:
            self._border.post_quietly(self._pump.close)
