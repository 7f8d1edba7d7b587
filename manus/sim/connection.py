"""Own one client's connection to a simulated provider on sockets: HTTP/1.1 by h11, steps played to it.

While an answer is played a second task watches the socket, so that a client that leaves stops the
generation at once, also in the middle of a wait. Trouble that a client makes (a reset, garbage instead of
HTTP, a body without end) ends its own connection and nothing else.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from typing import assert_never

import h11
import trio

from manus.sim.control import control
from manus.sim.plan import reply_steps
from manus.sim.provider import Exchange, SimProvider
from manus.sim.steps import Accept, End, Generate, Hangup, Head, Planned, Refuse, Send, Silence, Wait
from manus.sim.wire import REQUEST_BYTES_MAX, Reply, SimRequest

RECEIVE_BYTES = 64 * 1024
"""How much is read from a socket at once."""

READ_AHEAD_BYTES_MAX = 64 * 1024
"""What a client may send while its answer is under way (pipelined requests); more ends the connection."""

REQUEST_S = 120.0
"""How long a connection may take to bring its next request, idle time included."""

EXCHANGE_S = 3600.0
"""How long one answer may take; what stalls "for ever" ends here."""

CLOSE_S = 1.0
"""How long a polite close may take."""


class ClientGone(Exception):
    """The client has left, or made it impossible to go on."""


class Connection:
    """Serve request after request of one client until it leaves or the provider hangs up.

    Args:
        stream: the accepted socket; closed by whoever calls `serve`.
        refuse: told to close the door for some seconds.
    """

    __slots__ = ("_http", "_provider", "_refuse", "_stream", "_unsent")

    def __init__(self, stream: trio.SocketStream, provider: SimProvider, refuse: Callable[[float], None]) -> None:
        self._stream = stream
        self._provider = provider
        self._refuse = refuse
        self._http = h11.Connection(h11.SERVER)
        self._unsent = b""

    async def serve(self) -> None:
        """Serve until the connection is over. Returns for everything a client can do."""
        try:
            while True:
                request = None
                with trio.move_on_after(REQUEST_S):
                    request = await self._read_request()
                if request is None or not await self._answer(request):
                    return
                if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
                    return
                self._http.start_next_cycle()
        except ClientGone:
            return
        except h11.RemoteProtocolError as error:
            await self._complain(error.error_status_hint, str(error))

    async def _read_request(self) -> SimRequest | None:
        """Read one request whole; None where the client closed instead of sending one."""
        head: h11.Request | None = None
        body = bytearray()
        while True:
            event = self._http.next_event()
            match event:
                case h11.NEED_DATA:
                    if self._http.they_are_waiting_for_100_continue:
                        self._write(h11.InformationalResponse(status_code=100, headers=[]))
                        await self._flush()
                    self._http.receive_data(await self._receive())
                case h11.Request():
                    head = event
                case h11.Data():
                    # What is too much is read and dropped, so that the 413 reaches a client still sending.
                    body += event.data[: REQUEST_BYTES_MAX + 1 - len(body)]
                case h11.EndOfMessage():
                    assert head is not None
                    return _sim_request(head, bytes(body))
                case _:
                    return None

    async def _answer(self, request: SimRequest) -> bool:
        """Play the answer; True where the connection may serve another request."""
        managed = control(self._provider, request)
        if managed is not None:
            for planned in reply_steps(managed):
                if not await self._play_step(planned):
                    return False
            return True
        exchange = self._provider.answer(request)
        finished = False
        try:
            async with trio.open_nursery(strict_exception_groups=True) as nursery:
                nursery.cancel_scope.deadline = trio.current_time() + EXCHANGE_S
                nursery.start_soon(self._watch, nursery.cancel_scope)
                finished = await self._play(exchange)
                nursery.cancel_scope.cancel("answered")
        finally:
            exchange.leave()
        return finished

    async def _play(self, exchange: Exchange) -> bool:
        """Play to the end; False where the connection ended before. Lets no error into the nursery."""
        try:
            while (step := exchange.next_step()) is not None:
                if not await self._play_step(step):
                    return False
        except ClientGone:
            return False
        return True

    async def _play_step(self, step: Planned) -> bool:
        """Play one step; False where the connection is over with it."""
        match step:
            case Wait():
                await self._flush()
                await trio.sleep(step.seconds)
            case Head():
                # It leaves with the first bytes of the body, or before a wait: most answers are one write.
                self._write(h11.Response(status_code=step.status, headers=list(step.headers)))
            case Send():
                self._write(h11.Data(data=step.data))
                await self._flush()
            case End():
                self._write(h11.EndOfMessage())
                await self._flush()
            case Silence():
                await self._flush()
                await trio.sleep_forever()
            case Hangup():
                await self._flush()
                if step.reset:
                    self._reset()
                return False
            case Refuse():
                self._refuse(step.for_s)
                self._reset()
                return False
            case Accept() | Generate():
                raise AssertionError(f"{step!r} is no step of a serving")
            case _:
                assert_never(step)
        return True

    async def _watch(self, playing: trio.CancelScope) -> None:
        """Keep what the client sends meanwhile, and stop playing when it leaves."""
        ahead_bytes = 0
        while True:
            try:
                data = await self._receive()
            except ClientGone:
                playing.cancel("the client left")
                return
            ahead_bytes += len(data)
            if not data or ahead_bytes > READ_AHEAD_BYTES_MAX:
                playing.cancel("the client left")
                return
            self._http.receive_data(data)

    async def _complain(self, status: int, text: str) -> None:
        """Answer garbage with an error where HTTP still allows it."""
        if self._http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        reply = Reply(
            status=status,
            body=f"{text}\n".encode(),
            headers=(("content-type", "text/plain; charset=utf-8"), ("connection", "close")),
        )
        with trio.move_on_after(CLOSE_S):
            try:
                for step in reply_steps(reply):
                    await self._play_step(step)
                await self._see_off()
            except ClientGone:
                return

    async def _see_off(self) -> None:
        """Read what is still on its way: closing a socket with unread bytes would reset it and lose the reply."""
        try:
            await self._stream.send_eof()
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise ClientGone from error
        while await self._receive():
            pass

    async def _receive(self) -> bytes:
        try:
            return bytes(await self._stream.receive_some(RECEIVE_BYTES))
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise ClientGone from error

    def _write(self, event: h11.Event) -> None:
        """Turn an event into bytes that the next `_flush` sends."""
        self._unsent += self._http.send(event) or b""

    async def _flush(self) -> None:
        """Send what has been written. A checkpoint only if there is anything."""
        data, self._unsent = self._unsent, b""
        if not data:
            return
        try:
            await self._stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise ClientGone from error

    def _reset(self) -> None:
        """Make the close that follows an RST instead of a FIN."""
        linger = struct.pack("ii", 1, 0)
        self._stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


def _sim_request(head: h11.Request, body: bytes) -> SimRequest:
    path, _, query = head.target.decode("latin-1").partition("?")
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
    return SimRequest(method=head.method.decode("latin-1"), path=path, query=query, headers=headers, body=body)
