"""Own the named timeouts of one exchange: where they come from, and the one way to wait under one.

Each wait that can block gets a scope of its own, and only when it does block: a request that goes out at
once on an idle connection enters none, unless its caller leaves the wait for headers to the transport.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import msgspec
import trio

from manus.messages.policy import Timeouts


class TlsTimeout(httpx.ConnectTimeout):
    """The TLS handshake was not finished in time."""


class HeadersTimeout(httpx.ReadTimeout):
    """The request was sent, and no status line and headers came in time."""


class NamedWaits(msgspec.Struct, frozen=True, gc=False):
    """The waits of one exchange, in seconds. None, for `headers_s` and `read_s` only: the caller's own scope decides.

    Args:
        pool_s: until a connection is free.
        connect_s: name resolution and TCP connection together.
        tls_s: TLS handshake.
        write_s: no byte of the request could be written for so long.
        headers_s: from the last byte sent to the last byte of the response's head.
        read_s: no byte of the body came for so long.
    """

    pool_s: float
    connect_s: float
    tls_s: float
    write_s: float
    headers_s: float | None
    read_s: float | None


def waits_by_default(timeouts: Timeouts) -> NamedWaits:
    """Give the waits of a request that names none."""
    return NamedWaits(
        pool_s=timeouts.connect_s,
        connect_s=timeouts.connect_s,
        tls_s=timeouts.tls_s,
        write_s=timeouts.write_s,
        headers_s=timeouts.headers_s,
        read_s=timeouts.idle_s,
    )


def waits_of(request: httpx.Request, default: NamedWaits) -> NamedWaits:
    """Read `extensions["timeout"]`: httpx's keys, and ours, `tls` and `headers`.

    As in httpx, `connect` covers the handshake and `read` the headers where these are not named. None
    means no limit for `headers` and `read`; the other waits are never infinite.
    """
    given = request.extensions.get("timeout")
    if given is None:
        return default
    connect_s = _bounded(given.get("connect"), default.connect_s)
    read_s = given.get("read", default.read_s)
    return NamedWaits(
        pool_s=_bounded(given.get("pool"), default.pool_s),
        connect_s=connect_s,
        tls_s=_bounded(given.get("tls", given.get("connect")), default.tls_s),
        write_s=_bounded(given.get("write"), default.write_s),
        headers_s=given.get("headers", read_s),
        read_s=read_s,
    )


def _bounded(given: float | None, default: float) -> float:
    return default if given is None else given


@contextmanager
def wait_at_most(seconds: float, timed_out: type[httpx.TimeoutException], message: str) -> Iterator[None]:
    """Run the body under one named wait.

    Raises:
        httpx.TimeoutException: of the given class, when the wait ran out.
    """
    with trio.move_on_after(seconds) as scope:
        yield
    if scope.cancelled_caught:
        raise timed_out(f"{message} within {seconds:g} s")
