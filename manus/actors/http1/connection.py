"""Own one connection: one exchange at a time over a byte stream, from the first byte sent to the last received.

It does not know who may use it next; that is the pool's business. Whoever holds it closes it when an
exchange did not end well: a connection in the middle of an exchange can serve no other.
"""

from __future__ import annotations

import httpx
import msgspec
import trio

from manus.actors.http1.body import Body, ChunkedBody, SizedBody, UntilCloseBody
from manus.actors.http1.encoding import ContentDecoder, decoder_for
from manus.actors.http1.head import Headers, HeadReader, framing_of
from manus.actors.http1.parser import ParserFactory
from manus.actors.http1.request import WireRequest
from manus.actors.http1.streams import ByteStream
from manus.actors.http1.waits import HeadersTimeout, NamedWaits, wait_at_most

BROKEN = (OSError, trio.BrokenResourceError, trio.ClosedResourceError)
"""What a byte stream raises when it is no more."""


_ENCODED = frozenset((b"content-encoding", b"content-length"))
"""Headers that are no longer true of a body that was decoded."""


class ResponseHead(msgspec.Struct, frozen=True, gc=False):
    """A final response's head."""

    status: int
    http_version: bytes
    reason: bytes
    headers: Headers


class Connection:
    """An open connection to the origin.

    Args:
        stream: owned from now on; `close` closes it.
        parser: makes the parser of each response.
        header_bytes_max: the bound on a response's head, and on what may come without a byte of body.
    """

    __slots__ = (
        "_answer_begun",
        "_body",
        "_body_bytes_left",
        "_body_error",
        "_decoder",
        "_early",
        "_end_seen",
        "_header_bytes_max",
        "_keep_alive",
        "_parser",
        "_reader",
        "_rest",
        "_sent_before",
        "_stream",
        "_unsent",
        "closed",
        "idle_since",
    )

    def __init__(self, stream: ByteStream, parser: ParserFactory, header_bytes_max: int) -> None:
        self._stream = stream
        self._parser = parser
        self._header_bytes_max = header_bytes_max
        self.closed = False
        self.idle_since = 0.0
        self._begin()

    def _begin(self) -> None:
        self._sent_before = self._stream.sent_bytes()
        self._unsent = True
        self._keep_alive = True
        self._answer_begun = False
        self._end_seen = False
        self._reader = HeadReader(self._header_bytes_max)
        self._early: tuple[bytes, bytes] | Exception | None = None
        self._rest = b""
        self._body: Body | None = None
        self._body_error: Exception | None = None
        self._body_bytes_left: int | None = None
        self._decoder: ContentDecoder | None = None

    # --- between exchanges -------------------------------------------------------------------------

    def is_stale(self) -> bool:
        """Say whether an idle connection has been closed by the peer, or has bytes that answer nothing."""
        return self._stream.has_news()

    def close(self) -> None:
        """Close the socket now, without a checkpoint. Idempotent."""
        self.closed = True
        self._stream.close()

    # --- sending -----------------------------------------------------------------------------------

    async def send(self, wire: WireRequest, waits: NamedWaits) -> None:
        """Send the request, or as much of it as the server wants to have.

        Not a checkpoint when the kernel takes all of it at once. A server may answer before it has read
        everything: a refusal (status 300 and above) ends the sending, any other answer does not. A send that
        fails is not an error yet: the server may have answered before it hung up, so `receive_head` decides.

        Raises:
            httpx.WriteTimeout: no byte could be written for `write_s`.
        """
        self._begin()
        self._keep_alive = wire.keep_alive
        try:
            for at, piece in enumerate(wire.pieces):
                sent = self._stream.send_now(piece)
                if sent < len(piece):
                    rest = (memoryview(piece)[sent:], *(memoryview(later) for later in wire.pieces[at + 1 :]))
                    await self._send_watching(rest, waits.write_s)
                    return
        except BROKEN:
            return
        self._unsent = False

    async def _send_watching(self, pieces: tuple[memoryview, ...], write_s: float) -> None:
        """Send while watching for an early answer: the peer's buffer is full, and it may not mean to empty it."""
        timed_out = False
        async with trio.open_nursery(strict_exception_groups=True) as nursery:
            nursery.start_soon(self._watch, nursery.cancel_scope)
            timed_out = await self._send_pieces(pieces, write_s)
            nursery.cancel_scope.cancel()
        if timed_out:
            raise httpx.WriteTimeout(f"no byte of the request could be written within {write_s:g} s")

    async def _send_pieces(self, pieces: tuple[memoryview, ...], write_s: float) -> bool:
        """Send; True where the wait ran out. Each byte of progress moves the deadline."""
        with trio.move_on_after(write_s) as scope:
            try:
                for piece in pieces:
                    rest = piece
                    while rest:
                        sent = await self._stream.send_some(rest)
                        rest = rest[sent:]
                        scope.deadline = trio.current_time() + write_s
            except BROKEN:
                return False
            self._unsent = False
        return scope.cancelled_caught

    async def _watch(self, sending: trio.CancelScope) -> None:
        """Receive until a head is there; end the sending where that is a refusal, an end or no HTTP.

        Failures are left for `receive_head` to find: raised here they would come in an exception group.
        """
        try:
            self._early = early = await self._receive_block()
        except httpx.TransportError as error:
            self._early = error
        else:
            if early[0][9:10] == b"2":
                return
        sending.cancel()

    # --- receiving ---------------------------------------------------------------------------------

    async def receive_head(self, wire: WireRequest, waits: NamedWaits, body_bytes_max: int | None) -> ResponseHead:
        """Receive the final response's head; interim responses are passed over.

        Raises:
            httpx.ReadTimeout: no head within `headers_s`.
            httpx.ReadError: the connection broke.
            httpx.RemoteProtocolError: the server closed without an answer, or its head is malformed.
        """
        early = self._early
        if isinstance(early, Exception):
            raise early
        if early is not None:
            return self._open_body(wire, *early, body_bytes_max)
        if waits.headers_s is None:
            found = await self._receive_block()
        else:
            with wait_at_most(waits.headers_s, HeadersTimeout, "the server sent no response headers"):
                found = await self._receive_block()
        return self._open_body(wire, *found, body_bytes_max)

    async def _receive_block(self) -> tuple[bytes, bytes]:
        """Receive a final head's block, and what came behind it."""
        while True:
            received = await self._receive()
            if not received:
                self._end_seen = True
                raise httpx.RemoteProtocolError("Server disconnected without sending a response.")
            self._answer_begun = True
            found = self._reader.feed(received)
            if found is not None:
                return found

    def _open_body(self, wire: WireRequest, block: bytes, rest: bytes, body_bytes_max: int | None) -> ResponseHead:
        parser = self._parser(wire.method, block)
        status = int(block[9:12])
        headers = parser.headers
        framing = framing_of(wire.method, status, block[7] - ord("0"), headers)
        self._keep_alive = self._keep_alive and framing.keep_alive and not self._unsent
        if framing.chunked:
            self._body = ChunkedBody(parser)
        elif framing.length_bytes is None:
            self._body = UntilCloseBody()
        else:
            self._body = SizedBody(framing.length_bytes)
        self._rest = rest
        self._body_bytes_left = body_bytes_max
        if framing.content_encoding:
            headers = self._expect_encoded(headers, framing.content_encoding)
        return ResponseHead(
            status=status, http_version=block[:8], reason=block[13 : block.index(b"\r")], headers=headers
        )

    def _expect_encoded(self, headers: Headers, encoding: bytes) -> Headers:
        """Prepare to undo the body's encoding; give the headers that are true of the decoded body."""
        try:
            self._decoder = decoder_for(encoding, self._body_bytes_left)
        except httpx.DecodingError as error:
            self._body_error = error
        if self._decoder is None:
            return headers
        return [header for header in headers if header[0].lower() not in _ENCODED]

    async def receive_body(self, read_s: float | None) -> bytes:
        """Receive the body bytes of one read, at least one; `b""` is the end of the body.

        Raises:
            httpx.ReadTimeout: nothing came for `read_s`.
            httpx.ReadError: the connection broke.
            httpx.RemoteProtocolError: the body is cut short, malformed or longer than the bound.
            httpx.DecodingError: it is not encoded as the head says.
        """
        body = self._body
        assert body is not None
        if self._body_error is not None:
            raise self._body_error
        fruitless_bytes = 0
        while not body.complete:
            if self._rest:
                received, self._rest = self._rest, b""
            elif read_s is None:
                received = await self._receive()
            else:
                with wait_at_most(read_s, httpx.ReadTimeout, "no byte of the response came"):
                    received = await self._receive()
            if not received:
                body.end()
                self._end_decoding()
                return b""
            data = self._take(received)
            if data:
                return data
            fruitless_bytes += len(received)
            if fruitless_bytes > self._header_bytes_max:
                raise httpx.RemoteProtocolError("the response's chunk extensions or trailers never end (header_bytes)")
        return b""

    @property
    def complete(self) -> bool:
        """Whether the whole body has been received."""
        return self._body is not None and self._body.complete

    @property
    def reusable(self) -> bool:
        """Whether the connection may serve another exchange now."""
        body = self._body
        in_step = body is not None and body.complete and not body.surplus and not self._rest
        return in_step and self._keep_alive and not self.closed

    def may_resend(self, wire: WireRequest) -> bool:
        """Say whether a request that failed on this connection may be sent again without being done twice.

        Meant for a connection that was reused: servers close idle connections when they like, and the news can
        cross a request on its way. Never when a byte of an answer came. Else it is safe when

        - the request did not leave completely: nobody acts on half a request; or
        - its method is idempotent; or
        - the connection came to its orderly end and the peer's system never acknowledged a byte of it. An end
          acknowledges all that arrived before it, so the server closed before the request was there, and its
          program cannot have read it. This is what makes a POST safe, and nothing less does: a server that
          read the request, worked, and died without a word looks the same but for that number. A reset proves
          nothing, for it acknowledges nothing.
        """
        if self._answer_begun:
            return False
        if self._unsent or wire.idempotent:
            return True
        acknowledged = self._stream.acknowledged_bytes() if self._end_seen else None
        return acknowledged is not None and acknowledged <= self._sent_before

    async def _receive(self) -> bytes:
        try:
            return await self._stream.receive()
        except BROKEN as error:
            raise httpx.ReadError(_say(error)) from error

    def _take(self, received: bytes) -> bytes:
        body = self._body
        assert body is not None
        data = body.feed(received)
        if self._decoder is not None:
            if data:
                data = self._decoder.decode(data)
            if body.complete:
                self._end_decoding()
        if self._body_bytes_left is not None:
            self._body_bytes_left -= len(data)
            if self._body_bytes_left < 0:
                raise httpx.RemoteProtocolError("the response's body is longer than the bound (response_bytes)")
        return data

    def _end_decoding(self) -> None:
        if self._decoder is not None:
            self._decoder.end()


def _say(error: Exception) -> str:
    return str(error) or type(error).__name__
