"""Own a transport that answers by script, step by step, and knows whether its response was let go properly."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Literal, Self

import httpx
import trio

Piece = bytes | float | Exception
"""Bytes to give, seconds to wait, or an exception to raise."""


class Reply:
    """One response: a status, headers, and a body in pieces."""

    def __init__(
        self,
        *pieces: Piece,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        before: Iterable[float | Exception] = (),
        completes: bool = True,
    ) -> None:
        self.pieces = pieces
        self.status = status
        self.headers = dict(headers or {"content-type": "application/json"})
        self.before = tuple(before)
        self.completes = completes


class ScriptedTransport(httpx.AsyncBaseTransport):
    """Answers every request with the same reply. `left` tells how each response was let go.

    `complete` is a response that was read to its end, `broken` one that was closed before it.
    """

    def __init__(self, reply: Reply, *, reports_phases: bool = True) -> None:
        self.reply = reply
        self.reports_phases = reports_phases
        self.requests: list[httpx.Request] = []
        self.left: list[Literal["complete", "broken"]] = []
        self.read_bytes = 0
        self.closed = False
        self.on_sent: Callable[[], None] | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        self.requests.append(request)
        report: Callable[[str], None] = request.extensions["manus_phase"] if self.reports_phases else _nobody
        for phase in ("connecting", "sending", "sent"):
            report(phase)
            await trio.lowlevel.checkpoint()
        if self.on_sent is not None:
            self.on_sent()
        for step in self.reply.before:
            await _play(step)
        body = ScriptedBody(self, self.reply)
        return httpx.Response(self.reply.status, headers=self.reply.headers, stream=body)

    async def aclose(self) -> None:
        self.closed = True


class ScriptedBody(httpx.AsyncByteStream):
    """The body of one response."""

    def __init__(self, transport: ScriptedTransport, reply: Reply) -> None:
        self._transport = transport
        self._pieces = iter(reply.pieces)
        self._completes = reply.completes
        self._over = False

    @property
    def complete(self) -> bool:
        """Whether the end was read."""
        return self._over

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        await trio.lowlevel.checkpoint()
        for piece in self._pieces:
            if isinstance(piece, bytes):
                self._transport.read_bytes += len(piece)
                return piece
            await _play(piece)
        if not self._completes:
            await trio.sleep_forever()
        self._end("complete")
        raise StopAsyncIteration

    async def aclose(self) -> None:
        self._end("broken")

    def _end(self, how: Literal["complete", "broken"]) -> None:
        if not self._over:
            self._over = True
            self._transport.left.append(how)


async def _play(step: float | Exception) -> None:
    if isinstance(step, Exception):
        raise step
    await trio.sleep(step)


def _nobody(phase: str) -> None:
    """Take the place of the phase listener."""
