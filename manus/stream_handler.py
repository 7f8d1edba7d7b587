"""Own `StreamHandler`: a stream that is read for its caller, who is called back, and may pause and cancel it.

Works in asyncio and in Trio, with whatever agent is usable there.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Literal, TypeAlias, TypeVar, cast, final

from manus.agent import LLMAgent
from manus.asking import AskOptions, new_request_id
from manus.errors import InvalidRequestError, LLMError, RequestCancelledError
from manus.hosts.callers import Waiter, loop_here
from manus.open_agents import the_open_agent
from manus.prompts import Prompt
from manus.responses import LLMResponse, StreamChunk
from manus.streams import LLMStream

T = TypeVar("T")

Callback: TypeAlias = Callable[[T], Awaitable[None] | None]
"""Called with what has come; a coroutine that it gives is awaited before reading goes on."""

StreamRequest: TypeAlias = Prompt | Mapping[str, Any]
"""A prompt, or a mapping with `prompt` or `messages` and options of `generate` beside it. Any: options as given."""

StreamState = Literal["created", "streaming", "paused", "completed", "failed", "cancelled"]

_PROMPT_KEYS: Final = ("prompt", "messages")


@final
class StreamContext:
    """One stream of a `StreamHandler`: how far it is, and the means to hold it.

    Attributes:
        stream_id: the handler's name for it.
        request, provider, model: what was asked, and of whom; None leaves it to the router.
        state: `created` until it is processed; in the end `completed`, `failed` or `cancelled`.
        content: the text that has come. A stream that starts over (`on_interrupt="restart"`) empties it.
        chunks: how many chunks have come.
        response: the whole answer, once there is one; of a cancelled stream what had come, with what it cost.
        error: what it failed with.
    """

    def __init__(self, request: StreamRequest, provider: str | None, model: str | None) -> None:
        self.stream_id = new_request_id().replace("req-", "stream-", 1)
        self.request = request
        self.provider = provider
        self.model = model
        self.state: StreamState = "created"
        self.content = ""
        self.chunks = 0
        self.response: LLMResponse | None = None
        self.error: Exception | None = None
        self._stream: LLMStream | None = None
        self._paused = False
        self._cancelled = False
        self._sleepers: list[Waiter] = []

    def __repr__(self) -> str:
        return f"<StreamContext {self.stream_id} {self.state}, {self.chunks} chunks>"

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        return self.state in ("completed", "failed", "cancelled")

    def pause(self) -> None:
        """Read no further for now, for as long as it takes: the provider is held back, and does not count as stalled.

        One chunk may still be on its way to the callback.
        """
        if not self.is_over:
            self._paused = True
            if self._stream is not None:
                self.state = "paused"
                self._stream.pause()

    def resume(self) -> None:
        """Take back `pause`."""
        self._paused = False
        if self.state == "paused":
            self.state = "streaming"
        if self._stream is not None:
            self._stream.resume()
        self._rouse()

    async def cancel(self) -> LLMResponse | None:
        """End the stream now. Gives what had come, with what it cost; None where nothing had been asked yet.

        Whoever processes it gets the same. A stream that is over gives its response.

        Raises:
            LLMError: the request failed before it was cancelled; or whatever a callback raised.
        """
        if not self.is_over:
            self._cancelled = True
            try:
                if self._stream is not None:
                    self.response = await self._stream.cancel()
                    whole = self.response.finish_reason != "cancelled"
                    self.state = "completed" if whole else "cancelled"
            except LLMError as error:
                self.error = error
                self.state = "failed"
                raise
            finally:
                if not self.is_over:
                    self.state = "cancelled"
                self._rouse()
        elif self.error is not None:
            raise self.error
        return self.response

    # --- for whoever processes it ---------------------------------------------------------------------

    def _begin(self, stream: LLMStream) -> None:
        self._stream = stream
        self.state = "paused" if self._paused else "streaming"
        if self._paused:
            stream.pause()

    def _take(self, chunk: StreamChunk) -> None:
        self.chunks += 1
        self.content = "" if chunk.kind == "reset" else self.content + chunk.delta

    async def _while(self, holds: Callable[[], bool]) -> None:
        while holds():
            waiter = loop_here()
            self._sleepers.append(waiter)
            try:
                if holds():
                    await waiter.wait()
            finally:
                self._sleepers.remove(waiter)

    def _rouse(self) -> None:
        for waiter in tuple(self._sleepers):
            waiter.notify()


@final
class StreamHandler:
    """Reads streams and calls back.

    Args:
        agent: whose streams; left out, the one agent that is open where the handler is first used.
        on_chunk: called with every chunk, the final one included.
        on_complete: called with the response, a cancelled one's too.
        on_error: called with what a stream failed with, before it is raised.
    """

    def __init__(
        self,
        agent: LLMAgent | None = None,
        *,
        on_chunk: Callback[StreamChunk] | None = None,
        on_complete: Callback[LLMResponse] | None = None,
        on_error: Callback[Exception] | None = None,
    ) -> None:
        self._agent = agent
        self._on_chunk = on_chunk
        self._on_complete = on_complete
        self._on_error = on_error

    async def create_stream(
        self, request: StreamRequest, provider: str | None = None, model: str | None = None
    ) -> StreamContext:
        """Prepare a stream. Nothing is sent before `process_stream`.

        Args:
            request: a prompt, or messages; or a mapping of options, as `generate` takes them, with the prompt under
                `prompt` or `messages`.
            provider, model: the first choice; None leaves it to the request's own options, and else to the router.

        Raises:
            InvalidRequestError: the mapping has no prompt, or two of them.
        """
        _split(request)
        return StreamContext(request, provider, model)

    async def process_stream(
        self, provider: str | None, request: StreamRequest | None, context: StreamContext
    ) -> LLMResponse:
        """Make the request and read its answer to the end, calling back on the way. Once per context.

        Args:
            provider: the first choice; None takes the context's.
            request: what is asked; None takes the context's.
            context: made by `create_stream`. It follows the stream, and pauses and cancels it.

        Raises:
            LLMError: the request failed; `context.error` has it too.
            InvalidRequestError: the request is wrong in itself, or the context was processed already.
            ConfigurationError: no agent was handed over, and not exactly one is open.
            Exception: whatever a callback raised; the stream is cancelled.
        """
        if context._stream is not None or context.is_over:
            raise InvalidRequestError("context: its stream has been processed, or cancelled; create another one")
        response: LLMResponse | None = None
        try:
            async with self._begun(provider, context.request if request is None else request, context) as stream:
                context._begin(stream)
                response = await self._read(stream, context)
        except Exception as error:
            if not context.is_over:
                context.state = "failed"
            context.error = error
        finally:
            if not context.is_over:
                context.state = "cancelled"  # whoever processed it was cancelled himself
        if response is None:
            assert context.error is not None, "there is a response or an error"
            await _called(self._on_error, context.error)
            raise context.error
        await _called(self._on_complete, response)
        return response

    def _begun(self, provider: str | None, request: StreamRequest, context: StreamContext) -> LLMStream:
        prompt, options = _split(request)
        for name, chosen in (("provider", provider or context.provider), ("model", context.model)):
            if chosen is not None:
                options[name] = chosen
        agent = the_open_agent() if self._agent is None else self._agent
        return agent.stream(prompt, **cast(AskOptions, options))

    async def _read(self, stream: LLMStream, context: StreamContext) -> LLMResponse:
        try:
            async for chunk in stream:
                await context._while(lambda: context._paused and not context._cancelled)
                if context._cancelled:
                    break
                context._take(chunk)
                await _called(self._on_chunk, chunk)
            if not context._cancelled:
                response = context.response = await stream.response()
                context.state = "completed"
                return response
        except LLMError:
            if not context._cancelled:
                raise
        await context._while(lambda: not context.is_over)  # `cancel` is about to have what it cost
        if context.response is None:
            raise context.error or RequestCancelledError("The stream was cancelled.")
        return context.response


def _split(request: StreamRequest) -> tuple[Prompt, dict[str, Any]]:
    """Part a request into its prompt and its options. Any: options as given; the agent checks them."""
    if not isinstance(request, Mapping) or not any(key in request for key in _PROMPT_KEYS) or "role" in request:
        return request, {}
    given = [key for key in _PROMPT_KEYS if request.get(key) is not None]
    if len(given) != 1:
        raise InvalidRequestError("request: expected one of prompt and messages beside the options")
    return request[given[0]], {str(key): value for key, value in request.items() if key not in _PROMPT_KEYS}


async def _called(callback: Callback[T] | None, value: T) -> None:
    if callback is not None:
        awaited = callback(value)
        if inspect.isawaitable(awaited):
            await awaited
