"""A hostile HTTP server on a real loopback socket: it says what a script says, to the byte, and hangs up as told."""

from __future__ import annotations

import socket
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import msgspec
import trio

_HEAD_END = b"\r\n\r\n"


class Say(msgspec.Struct, frozen=True):
    """Send these bytes, in one piece."""

    data: bytes


class Read(msgspec.Struct, frozen=True):
    """Read the request, head and body, to its end."""


class ReadHead(msgspec.Struct, frozen=True):
    """Read the request's head, and as little of its body as may be."""


class AwaitReader(msgspec.Struct, frozen=True):
    """Wait until the client has read something of the body."""


class HangUp(msgspec.Struct, frozen=True):
    """Close in an orderly manner."""


class HalfClose(msgspec.Struct, frozen=True):
    """Say no more, but go on listening."""


class Reset(msgspec.Struct, frozen=True):
    """Close with a reset."""


class Hold(msgspec.Struct, frozen=True):
    """Say and read nothing more, and keep the connection open until `let_go`."""


Step = Say | Read | ReadHead | AwaitReader | HangUp | HalfClose | Reset | Hold
Script = Sequence[Step]
"""What the server does about one request. The connection stays open after it unless a step ends it."""


class HostileServer:
    """Plays one script per request, in order, whatever connection the request comes on.

    `settled` tells that a script has been played to its end: what it sent or closed has then reached the client's
    kernel, for loopback delivers within the system call.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}/path?query"
        self.scripts: list[Script] = []
        self.requests: list[bytes] = []
        self.played = 0
        self.connections = 0
        self.reader_has_begun = trio.Event()
        self.sockets = 0
        self._settled = trio.Condition()
        self._held = trio.Event()
        self._streams: set[trio.SocketStream] = set()

    def close_connections(self) -> None:
        """Close every connection, now."""
        for stream in self._streams:
            stream.socket.close()

    def let_go(self) -> None:
        """End every hold, and its connection."""
        self._held.set()
        self._held = trio.Event()

    async def settled(self, scripts: int) -> None:
        """Wait until so many scripts have been played."""
        async with self._settled:
            while self.played < scripts:
                await self._settled.wait()

    async def serve(self, stream: trio.SocketStream) -> None:
        """Serve one connection until a script ends it or the client leaves."""
        self.connections += 1
        self.sockets += 1
        self._streams.add(stream)
        try:
            await self._converse(stream)
        except trio.ClosedResourceError:
            return
        finally:
            stream.socket.close()
            self._streams.discard(stream)
            self.sockets -= 1

    async def _converse(self, stream: trio.SocketStream) -> None:
        unread = bytearray()
        while True:
            try:
                if not unread:
                    data = await stream.receive_some()
                    if not data:
                        return
                    unread += data
            except trio.BrokenResourceError:
                return
            if not self.scripts:
                return
            script = self.scripts.pop(0)
            try:
                alive = await self._play(script, stream, unread)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                alive = False
            if not alive:
                # Whoever waits for the script to be over relies on the end having been sent.
                stream.socket.close()
            async with self._settled:
                self.played += 1
                self._settled.notify_all()
            if not alive:
                return

    async def _play(self, script: Script, stream: trio.SocketStream, unread: bytearray) -> bool:
        for step in script:
            match step:
                case Say(data):
                    await stream.send_all(data)
                case Read():
                    self.requests.append(await _read_request(stream, unread))
                case ReadHead():
                    while _HEAD_END not in unread:
                        unread += await stream.receive_some(1024)
                case AwaitReader():
                    await self.reader_has_begun.wait()
                case HangUp():
                    return False
                case HalfClose():
                    await stream.send_eof()
                case Reset():
                    stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return False
                case Hold():
                    await self._held.wait()
                    return False
        return True


async def _read_request(stream: trio.SocketStream, unread: bytearray) -> bytes:
    while _HEAD_END not in unread:
        unread += await _some(stream)
    end = unread.index(_HEAD_END) + 4
    head = bytes(unread[:end]).lower()
    length = 0
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name == b"content-length":
            length = int(value)
    while len(unread) < end + length:
        unread += await _some(stream)
    request = bytes(unread[: end + length])
    del unread[: end + length]
    return request


async def _some(stream: trio.SocketStream) -> bytes:
    data = await stream.receive_some()
    if not data:
        raise trio.BrokenResourceError("the client left in the middle of its request")
    return bytes(data)


@asynccontextmanager
async def hostile_server() -> AsyncIterator[HostileServer]:
    """Listen on loopback for as long as the context lasts."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    server = HostileServer(listener.getsockname()[1])
    with trio.socket.from_stdlib_socket(listener) as listening:
        listeners = [trio.SocketListener(listening)]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.serve_listeners, server.serve, listeners)
            yield server
            nursery.cancel_scope.cancel()
