"""What the router does when a transport raises: whatever it is, it is a value, and the next candidate answers."""

from __future__ import annotations

import httpx
import pytest
import trio

from manus.sim.behaviour import Script
from tests.actors.rig import Rig, Upstreams, finished, open_rig

EXCEPTIONS: list[tuple[type[httpx.HTTPError], str]] = [
    (httpx.ConnectError, "network"),
    (httpx.ConnectTimeout, "timeout"),
    (httpx.PoolTimeout, "timeout"),
    (httpx.WriteError, "network"),
    (httpx.WriteTimeout, "timeout"),
    (httpx.ReadError, "network"),
    (httpx.ReadTimeout, "timeout"),
    (httpx.CloseError, "network"),
    (httpx.RemoteProtocolError, "protocol"),
    (httpx.LocalProtocolError, "invalid_request"),
    (httpx.ProxyError, "network"),
    (httpx.UnsupportedProtocol, "invalid_request"),
    (httpx.DecodingError, "protocol"),
]


@pytest.mark.parametrize(("error", "kind"), EXCEPTIONS, ids=[error.__name__ for error, _ in EXCEPTIONS])
async def test_whatever_a_transport_raises_is_a_value_and_the_next_candidate_answers(
    error: type[httpx.HTTPError], kind: str, autojump_clock: object
) -> None:
    broken = Upstreams(Script(text="never sent"))
    broken.wrap = lambda inner: Raising(inner, error)
    async with open_rig(("a", broken), ("b", Upstreams(Script(text="fine")))) as rig:
        outcome = finished(await rig.generate())

        assert outcome.provider == "b"
        failure = outcome.route.attempts[0].failure
        assert failure is not None
        assert failure.kind == kind
        assert "secret" not in failure.message
        assert crashes(rig) == []
        await rig.check()


class Raising(httpx.AsyncBaseTransport):
    """Raises instead of answering; it connects to nobody."""

    reports_phases = False

    def __init__(self, inner: httpx.AsyncBaseTransport, error: type[httpx.HTTPError]) -> None:
        self._inner = inner
        self._error = error

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await trio.lowlevel.checkpoint()
        raise self._error("a message with a secret in it")

    async def aclose(self) -> None:
        await self._inner.aclose()


def crashes(rig: Rig) -> list[object]:
    """Give the events that tell of a bug."""
    return [event for event in rig.events if type(event).__name__ in ("RequestCrashed", "ActorExited", "DeadLetter")]
