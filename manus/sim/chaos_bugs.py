"""Own the bugs of ours that a chaos plan injects between the tree and the simulated network."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import httpx
import trio

from manus.sim.chaos_plan import Bug
from manus.sim.memory import SimTransport
from manus.supervisor.shield import bounded_shield

WEDGE_S = 3.0
"""How long a wedged request ignores its cancellation: longer than `shutdown_s`, so that it is fenced."""

BugOf = Callable[[httpx.Request], Bug | None]
"""Tells which bug, if any, the request that is about to be sent meets."""


class InjectedBug(Exception):
    """What an injected bug of ours raises: never caught by name, as a real one would not be."""


class BuggyTransport(httpx.AsyncBaseTransport):
    """A transport with a bug of ours where the plan says so; else the simulated one."""

    reports_phases = True

    def __init__(self, inner: SimTransport, bug_of: BugOf) -> None:
        self._inner = inner
        self._bug_of = bug_of

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send, unless a bug comes first.

        Raises:
            InjectedBug: where the plan says so.
        """
        bug = self._bug_of(request)
        if bug == "raise_connecting":
            raise InjectedBug("while connecting")
        response = await self._inner.handle_async_request(request)
        if bug == "raise_sent":
            await response.aclose()
            raise InjectedBug("after the request had been sent")
        if bug == "wedge":
            with bounded_shield(WEDGE_S):
                await trio.sleep(WEDGE_S)
        if bug == "raise_body":
            assert isinstance(response.stream, httpx.AsyncByteStream)
            response.stream = BuggyBody(response.stream)
        return response

    async def aclose(self) -> None:
        """Close the simulated transport."""
        await self._inner.aclose()


class BuggyBody(httpx.AsyncByteStream):
    """A body that raises after its first piece."""

    def __init__(self, inner: httpx.AsyncByteStream) -> None:
        self._inner = inner
        self._body = aiter(inner)
        self._given = 0

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        """Give the first piece, then raise."""
        if self._given:
            raise InjectedBug("in the middle of the body")
        self._given += 1
        return await anext(self._body)

    async def aclose(self) -> None:
        """Close the body beneath."""
        await self._inner.aclose()
