"""Own the actor that listens at the Unix socket, and the temporary actor of each connection to it.

A connection that crashes closes its own socket and touches no other. The listener keeps its socket over a crash of its
own: whoever knocks meanwhile waits in the kernel's line.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Final, final

import trio

from manus.ipc.descriptors import SocketPipe
from manus.ipc.dialects.json_rpc import refusal_line
from manus.ipc.drain import Drain
from manus.ipc.events import AcceptingPaused, HostRefused
from manus.ipc.methods import Methods
from manus.ipc.policy import IpcPolicy
from manus.ipc.refusals import Overloaded
from manus.ipc.served import Host, serve_host
from manus.ipc.session import Session
from manus.ipc.stdio_adapter import SPARE_S
from manus.ipc.unix_socket import BoundSocket, peer_of
from manus.supervisor.context import Context
from manus.supervisor.spec import ChildSpec
from manus.trio_agent import TrioAgent

UNIX: Final = "adapters/unix"

RETRY_AFTER_S: Final = 1.0
"""What one connection too many is told: another may close by then."""

NO_ROOM_S: Final = 0.2
"""How long to wait when the system has no descriptor to spare."""

_LEFT_AGAIN: Final = frozenset({errno.ECONNABORTED, errno.EPROTO, errno.EINTR})
_NO_ROOM: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


@final
class UnixServer:
    """What outlives the listener's incarnations: its socket, and the connections that are served.

    `policy_of` gives the bounds of a connection that begins, `redact` strikes secrets out of the texts of defects.
    """

    def __init__(
        self,
        bound: BoundSocket,
        agent: TrioAgent,
        drain: Drain,
        *,
        policy_of: Callable[[TrioAgent], IpcPolicy],
        redact: Callable[[str], str],
    ) -> None:
        self._bound = bound
        self._agent = agent
        self._drain = drain
        self._policy_of = policy_of
        self._redact = redact
        self._numbers = 0
        self._hosts: dict[str, Host] = {}
        self._gone = trio.Event()

    async def listen(self, ctx: Context) -> None:
        """Be the listener: accept until it is drained."""
        listener = trio.socket.from_stdlib_socket(self._bound.listener)
        async with trio.open_nursery(strict_exception_groups=True) as nursery:
            nursery.start_soon(self._accept_all, ctx, listener, name="accept")
            nursery.start_soon(self._stop_when_asked, nursery.cancel_scope, name="end")
            ctx.started()
            await ctx.wait_draining()
            nursery.cancel_scope.cancel(reason="draining")
        self._bound.close()

    async def wait_none(self) -> None:
        """Sleep until no connection is served."""
        while self._hosts:
            self._gone = trio.Event()
            await self._gone.wait()

    def unlink(self) -> None:
        """Remove the file of the socket, if it is still ours."""
        self._bound.unlink()

    def close(self) -> None:
        """Close what nobody serves any more."""
        self._bound.close()
        for host in self._hosts.values():
            host.close()
        self._hosts.clear()

    async def _stop_when_asked(self, listening: trio.CancelScope) -> None:
        await self._drain.wait()
        listening.cancel(reason="the server ends")

    async def _accept_all(self, ctx: Context, listener: trio.socket.SocketType) -> None:
        while True:
            try:
                connection, _ = await listener.accept()
                trouble = None
            except OSError as error:
                if error.errno not in _LEFT_AGAIN | _NO_ROOM:
                    raise
                trouble = error
            if trouble is None:
                self._admit(ctx, connection)
            elif trouble.errno in _LEFT_AGAIN:
                await trio.lowlevel.checkpoint()
            else:
                ctx.emit(AcceptingPaused(error=trouble.strerror or str(trouble)))
                await trio.sleep(NO_ROOM_S)

    def _admit(self, ctx: Context, connection: trio.socket.SocketType) -> None:
        """Serve a host, or close its socket. Synchronous: between the two nobody else knows of it."""
        pipe = SocketPipe(connection.detach())
        policy = self._policy_of(self._agent)
        peer = peer_of(pipe.socket)
        if peer is not None and peer.uid != os.geteuid():
            ctx.emit(HostRefused(reason="another user's", uid=peer.uid))
            pipe.close()
        elif self._drain.is_asked:
            pipe.close()
        elif len(self._hosts) >= policy.connections_max:
            ctx.emit(HostRefused(reason=f"ipc.connections_max = {policy.connections_max} are served"))
            _turn_away(pipe, policy)
        else:
            self._numbers += 1
            self._serve(f"{UNIX}/{self._numbers}", pipe, policy, None if peer is None else peer.pid)

    def _serve(self, name: str, pipe: SocketPipe, policy: IpcPolicy, pid: int | None) -> None:
        methods = Methods(self._agent.view())
        host = Host(Session(policy), pipe, pipe, methods, engine=True, pid=pid, redact=self._redact)
        self._hosts[name] = host

        async def start(ctx: Context) -> None:
            try:
                await serve_host(ctx, host, self._drain)
            finally:
                host.close()
                self._hosts.pop(name, None)
                self._gone.set()

        self._agent.add_adapter(
            ChildSpec(
                id=name, start=start, restart="temporary", liveness=None, drain_s=host.session.policy.drain_s + SPARE_S
            )
        )


def unix_child(server: UnixServer, policy: IpcPolicy) -> ChildSpec:
    """Describe the listener."""
    return ChildSpec(
        id=UNIX,
        start=server.listen,
        restart="transient",
        # A listener that cannot go on rests, and takes neither the connections nor the program's own host along.
        on_exhausted="quarantine",
        drain_s=policy.drain_s + SPARE_S,
    )


def _turn_away(pipe: SocketPipe, policy: IpcPolicy) -> None:
    """Say why, if there is room for it, and close."""
    line = refusal_line(
        Overloaded(
            f"{policy.connections_max} connections are served (ipc.connections_max)", retry_after_s=RETRY_AFTER_S
        )
    )
    pipe.send_last(line)
    pipe.close()
