"""Own the driving of an agent that lives in an event loop, from threads that have none."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, final

import trio

import manus
from manus.errors import LLMError
from tests.conformance.driver import WAIT_S, HostStream, Plain, StreamMethod, error_told, plain
from tests.conformance.face import at_once, begun, shown, told

NewLoop = Callable[[], asyncio.AbstractEventLoop]


class Loop(Protocol):
    """An event loop with an agent, in a thread of its own."""

    agent: Any  # Any: what each opener gives; only public methods are called

    def run(self, make: Callable[[], Awaitable[Any]]) -> Any:  # Any: the call's own result
        """Run it in the loop and wait for its end, for `WAIT_S` at most."""

    def finish(self) -> None:
        """End the agent; later calls still reach it."""


@final
class LoopDriver:
    """A `Driver` over a loop."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop

    def ask(self, method: str, **params: object) -> Plain:
        """See `Driver`."""
        answer = at_once(self._loop.agent, method)
        return answer if answer is not None else self._answer(method, params)

    def stream(self, method: StreamMethod, **params: object) -> HostStream:
        """See `Driver`."""

        async def begin() -> Any:
            return begun(self._loop.agent, method, params)

        return _LoopStream(self._loop, _caught(self._loop, begin))

    def shut_down(self) -> None:
        """See `Driver`."""
        self._loop.finish()

    def _answer(self, method: str, params: dict[str, Any]) -> Plain:
        async def call() -> Any:
            return await begun(self._loop.agent, method, params)

        return told(method, params, _caught(self._loop, call))


@final
class _LoopStream:
    """A `HostStream` over an asynchronous stream. Any: the stream of either face."""

    def __init__(self, loop: Loop, stream: Any) -> None:
        self._loop = loop
        self._stream = stream

    def next(self) -> Plain | None:
        async def step() -> Any:
            try:
                return await anext(self._stream)
            except StopAsyncIteration:
                return None

        chunk = _caught(self._loop, step)
        return None if chunk is None else shown(chunk)

    def response(self) -> Plain:
        return plain(_caught(self._loop, self._stream.response))

    def cancel(self) -> Plain:
        return plain(_caught(self._loop, self._stream.cancel))

    def abandon(self) -> None:
        _caught(self._loop, self._stream.aclose)


def _caught(loop: Loop, make: Callable[[], Awaitable[Any]]) -> Any:
    try:
        return loop.run(make)
    except LLMError as error:
        raise error_told(error) from error


@final
class AsyncioLoop:
    """An agent that an asyncio program made with `create_agent`."""

    agent: Any

    def __init__(self, config: dict[str, Any], *, drain_s: float, new_loop: NewLoop = asyncio.new_event_loop) -> None:
        self._config = config
        self._drain_s = drain_s
        self._new_loop = new_loop
        self._ready: concurrent.futures.Future[asyncio.AbstractEventLoop] = concurrent.futures.Future()
        self._thread = threading.Thread(target=self._run, name="an asyncio program", daemon=True)
        self._thread.start()
        self._loop = self._ready.result(WAIT_S)

    def run(self, make: Callable[[], Awaitable[Any]]) -> Any:
        async def call() -> Any:
            return await make()

        return asyncio.run_coroutine_threadsafe(call(), self._loop).result(WAIT_S)

    def finish(self) -> None:
        self.run(self.agent.shutdown)

    def close(self) -> None:
        """End the program."""
        self.finish()
        self._loop.call_soon_threadsafe(self._finish.set)
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive(), "the asyncio program did not end"

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=self._new_loop) as runner:
                runner.run(self._main())
        except Exception as error:
            if not self._ready.done():
                self._ready.set_exception(error)

    async def _main(self) -> None:
        self._finish = asyncio.Event()
        self.agent = await manus.create_agent(self._config, drain_s=self._drain_s)
        self._ready.set_result(asyncio.get_running_loop())
        await self._finish.wait()


@final
class TrioLoop:
    """An agent in the caller's own Trio loop."""

    agent: Any

    def __init__(self, config: dict[str, Any], *, drain_s: float) -> None:
        self._config = config
        self._drain_s = drain_s
        self._ready: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._finished: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._thread = threading.Thread(target=self._run, name="a Trio program", daemon=True)
        self._thread.start()
        self._ready.result(WAIT_S)

    def run(self, make: Callable[[], Awaitable[Any]]) -> Any:
        done: concurrent.futures.Future[Any] = concurrent.futures.Future()
        self._token.run_sync_soon(self._nursery.start_soon, _settle, make, done)
        return done.result(WAIT_S)

    def finish(self) -> None:
        self._token.run_sync_soon(self._finish.set)
        self._finished.result(WAIT_S)

    def close(self) -> None:
        """End the program."""
        self.finish()
        self._token.run_sync_soon(self._nursery.cancel_scope.cancel)
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive(), "the Trio program did not end"

    def _run(self) -> None:
        try:
            trio.run(self._main)
        except Exception as error:
            for told_to in (self._ready, self._finished):
                if not told_to.done():
                    told_to.set_exception(error)

    async def _main(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        self._finish = trio.Event()
        async with trio.open_nursery(strict_exception_groups=True) as self._nursery:
            self._nursery.start_soon(trio.sleep_forever)  # calls may come after the agent's end
            async with manus.open_agent(self._config, drain_s=self._drain_s) as self.agent:
                self._ready.set_result(None)
                await self._finish.wait()
            self._finished.set_result(None)


async def _settle(make: Callable[[], Awaitable[Any]], done: concurrent.futures.Future[Any]) -> None:
    """Carry the result of a call, or what it raised, to the thread that waits for it."""
    try:
        done.set_result(await make())
    except Exception as error:
        done.set_exception(error)
