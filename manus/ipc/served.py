"""Own one connection as an actor: what every adapter does around a `Connection`, whatever its pipes are."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import trio

from manus.ipc.connection import Connection
from manus.ipc.drain import Drain
from manus.ipc.events import HostConnected, HostLeft
from manus.ipc.methods import Methods
from manus.ipc.pipes import Sink, Source
from manus.ipc.session import Ending, Session
from manus.supervisor.context import Context


@final
class Host:
    """What is known of a host from its first incarnation to its last: the durable cell of its adapter.

    Args:
        session: the state of the connection.
        source, sink: its pipes; closed by `close`.
        methods: what it may ask of the agent.
        engine: whether the Atomic Engine's envelope is spoken.
        pid: its process, where the kernel tells.
        redact: strikes secrets out of the texts of defects.
    """

    __slots__ = ("_closed", "_connected", "engine", "methods", "pid", "redact", "session", "sink", "source")

    def __init__(
        self,
        session: Session,
        source: Source,
        sink: Sink,
        methods: Methods,
        *,
        engine: bool,
        pid: int | None = None,
        redact: Callable[[str], str] = str,
    ) -> None:
        self.session = session
        self.source = source
        self.sink = sink
        self.methods = methods
        self.engine = engine
        self.pid = pid
        self.redact = redact
        self._connected = False
        self._closed = False

    def connected(self) -> bool:
        """Say that it is served; True the first time."""
        first, self._connected = not self._connected, True
        return first

    def close(self) -> None:
        """Close its pipes. Harmless twice."""
        if not self._closed:
            self._closed = True
            self.source.close()
            self.sink.close()


async def serve_host(ctx: Context, host: Host, drain: Drain) -> Ending:
    """Serve a host until its connection has come to its end, or the actor or the whole server is asked to drain.

    The pipes stay open: whether another incarnation follows is the adapter's to know.
    """
    if host.connected():
        ctx.emit(HostConnected(connection=ctx.id, pid=host.pid))
    connection = Connection(
        host.session,
        host.source,
        host.sink,
        methods=host.methods,
        name=ctx.id,
        engine=host.engine,
        emit=ctx.emit,
        redact=host.redact,
    )
    async with trio.open_nursery(strict_exception_groups=True) as watching:
        watching.start_soon(_end_when_drained, ctx, connection, host.session, name=f"drain of {ctx.id}")
        watching.start_soon(_end_when_asked, drain, connection, name=f"end of {ctx.id}")
        ctx.started()
        ending = await connection.run()
        watching.cancel_scope.cancel(reason="the connection is at its end")
    ctx.emit(HostLeft(connection=ctx.id, why=ending.why, served=host.session.served))
    return ending


async def _end_when_drained(ctx: Context, connection: Connection, session: Session) -> None:
    await ctx.wait_draining()
    connection.end("stopping", session.policy.drain_s)


async def _end_when_asked(drain: Drain, connection: Connection) -> None:
    await drain.wait()
    connection.end("stopping", drain.deadline - trio.current_time())
