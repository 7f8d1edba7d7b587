"""Own the serving on sockets: listeners on loopback, one task per connection, a door that can be shut.

For the command `manus sim`, the demo and users' tests. A server lives inside `serve_sim` and ends with
it: no task, thread or socket is left behind.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from manus.sim.connection import Connection
from manus.sim.provider import SimProvider

LOOPBACK = "127.0.0.1"

CONNECTIONS_MAX = 4096
"""Connections served at once; one more is closed as soon as it is accepted."""

BACKLOG = 1024


class SimServer:
    """A simulated provider on a port. Made by `serve_sim`.

    `base_url` is what a provider entry of a config takes; the control endpoint stands under `origin`.
    """

    __slots__ = ("_accepting", "_changed", "_connections", "_listener", "_nursery", "_port", "_reopen_at", "provider")

    def __init__(self, provider: SimProvider, nursery: trio.Nursery, listener: trio.SocketListener) -> None:
        self.provider = provider
        self._nursery = nursery
        self._listener = listener
        self._port: int = listener.socket.getsockname()[1]
        self._connections: set[trio.CancelScope] = set()
        self._accepting = trio.CancelScope()
        self._changed = trio.Event()
        self._reopen_at = -math.inf

    def __repr__(self) -> str:
        door = "open" if self._reopen_at == -math.inf else "shut"
        return f"<SimServer {self.origin} ({door}), {len(self._connections)} connections, {self.provider!r}>"

    @property
    def port(self) -> int:
        """The port it listens on; the same after `refuse` and `accept`."""
        return self._port

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"http://{LOOPBACK}:{self._port}"

    @property
    def base_url(self) -> str:
        """What a provider entry of a config takes as its `base_url`."""
        return self.origin + self.provider.wire.base_path

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._connections)

    def refuse(self, for_s: float | None = None) -> None:
        """Shut the door at once: refuse new connections, drop the open ones. `for_s` None: until `accept`."""
        self._reopen_at = math.inf if for_s is None else trio.current_time() + for_s
        self._wake()
        self._accepting.cancel("the door was shut")
        self._listener.socket.close()
        for scope in self._connections:
            scope.cancel("the door was shut")

    async def accept(self) -> None:
        """Open the door again. On return the port is bound and connections are accepted."""
        if self._reopen_at == -math.inf:
            return
        self._reopen_at = -math.inf
        self._wake()
        while self._accepting.cancel_called:
            await self._changed.wait()

    def close(self) -> None:
        """Close the listener. Connections end with the nursery."""
        self._listener.socket.close()

    async def run(self) -> None:
        """Accept connections until cancelled, except while the door is shut."""
        while True:
            with self._accepting:
                await self._accept_until_shut()
            await self._until_reopened()
            (self._listener,) = await trio.open_tcp_listeners(self._port, host=LOOPBACK, backlog=BACKLOG)
            self._reopen_at = -math.inf
            self._accepting = trio.CancelScope()
            self._wake()

    async def _accept_until_shut(self) -> None:
        try:
            await trio.serve_listeners(self._serve, [self._listener], handler_nursery=self._nursery)
        except trio.ClosedResourceError:
            # `refuse` closes the listener in the same step in which it cancels us: either may be seen first.
            await trio.lowlevel.checkpoint()

    async def _until_reopened(self) -> None:
        while trio.current_time() < self._reopen_at:
            with trio.move_on_at(self._reopen_at):
                await self._changed.wait()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    async def _serve(self, stream: trio.SocketStream) -> None:
        """Serve one client; nothing it does can reach another."""
        with trio.CancelScope() as scope:
            self._connections.add(scope)
            try:
                if len(self._connections) <= CONNECTIONS_MAX:
                    await Connection(stream, self.provider, self.refuse).serve()
            finally:
                self._connections.discard(scope)
                stream.socket.close()


@asynccontextmanager
async def serve_sim(provider: SimProvider, *, port: int = 0) -> AsyncIterator[SimServer]:
    """Serve `provider` on loopback for as long as the context lasts; port 0 takes a free one.

    On leaving, the listener and all connections are closed and their exchanges are on the bill. An exception of the
    block leaves as it is, in no group.
    """
    raised: Exception | None = None
    (listener,) = await trio.open_tcp_listeners(port, host=LOOPBACK, backlog=BACKLOG)
    async with trio.open_nursery(strict_exception_groups=True) as nursery:
        server = SimServer(provider, nursery, listener)
        nursery.start_soon(server.run)
        try:
            yield server
        except Exception as error:
            raised = error
        finally:
            server.close()
            nursery.cancel_scope.cancel("the simulated server ends")
    if raised is not None:
        raise raised
