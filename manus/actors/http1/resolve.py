"""Own the way from a host's name to its addresses, and how long that is remembered."""

from __future__ import annotations

import ipaddress
import socket

import trio

from manus.actors.http1.sockets import SocketAddress, SocketStream, connect_tcp


class TcpConnector:
    """Connects to host and port: the default of the transport's `connect` seam.

    Literal addresses and `localhost` need no resolver, hence no thread. Other names are resolved through
    trio's thread, one look-up at a time, and remembered for `addresses_kept_s`, since 64 requests that
    start together need one answer, and a name that moved must be noticed.
    """

    __slots__ = ("_addresses", "_addresses_kept_s", "_known_until", "_resolving")

    def __init__(self, addresses_kept_s: float) -> None:
        self._addresses_kept_s = addresses_kept_s
        self._addresses: dict[tuple[str, int], tuple[SocketAddress, ...]] = {}
        self._known_until = 0.0
        self._resolving: trio.Lock | None = None

    async def __call__(self, host: str, port: int) -> SocketStream:
        """Connect; `OSError` when the name has no address or none answers."""
        addresses = addresses_without_resolver(host, port) or await self._resolve(host, port)
        return await connect_tcp(addresses)

    async def _resolve(self, host: str, port: int) -> tuple[SocketAddress, ...]:
        if self._resolving is None:
            self._resolving = trio.Lock()
        async with self._resolving:
            now = trio.current_time()
            known = self._addresses.get((host, port)) if now < self._known_until else None
            if known is None:
                found = await trio.socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
                known = tuple(SocketAddress(family, sockaddr) for family, _, _, _, sockaddr in found)  # type: ignore[arg-type]
                self._addresses = {(host, port): known}
                self._known_until = now + self._addresses_kept_s
            return known


def addresses_without_resolver(host: str, port: int) -> tuple[SocketAddress, ...]:
    """Give the addresses of a literal IP or of `localhost`; nothing for any other name."""
    if host == "localhost":
        return (
            SocketAddress(socket.AF_INET, ("127.0.0.1", port)),
            SocketAddress(socket.AF_INET6, ("::1", port, 0, 0)),
        )
    try:
        literal = ipaddress.ip_address(host)
    except ValueError:
        return ()
    if isinstance(literal, ipaddress.IPv4Address):
        return (SocketAddress(socket.AF_INET, (host, port)),)
    if literal.scope_id:
        # Only the resolver turns an interface's name into its number.
        return ()
    return (SocketAddress(socket.AF_INET6, (host, port, 0, 0)),)
