"""From a host's name to a socket: which addresses, in which order, for how long, and with what time."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest
import trio
import trio.testing

from manus.actors.http1.resolve import TcpConnector, addresses_without_resolver
from manus.actors.http1.sockets import SocketAddress, SocketStream, connect_tcp

LITERALS: dict[str, list[tuple[int, tuple[object, ...]]]] = {
    "127.0.0.1": [(socket.AF_INET, ("127.0.0.1", 80))],
    "::1": [(socket.AF_INET6, ("::1", 80, 0, 0))],
    "localhost": [(socket.AF_INET, ("127.0.0.1", 80)), (socket.AF_INET6, ("::1", 80, 0, 0))],
    "fe80::1%eth0": [],
    "api.test": [],
    "127.1": [],
}


@pytest.mark.parametrize("host", LITERALS)
def test_literal_addresses_and_localhost_need_no_resolver(host: str) -> None:
    found = [(address.family, address.sockaddr) for address in addresses_without_resolver(host, 80)]
    assert found == LITERALS[host]


class Resolver(trio.abc.HostnameResolver):
    """Knows one name, and counts who asks."""

    def __init__(self, port: int) -> None:
        self.asked = 0
        self._port = port

    async def getaddrinfo(  # type: ignore[override]  # this one gives what it likes
        self,
        host: object,
        port: object,
        family: int = 0,
        type: int = 0,  # noqa: A002  # trio's name for it
        proto: int = 0,
        flags: int = 0,
    ) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        self.asked += 1
        await trio.sleep(1)
        if host != b"api.test" and host != "api.test":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", self._port))]

    async def getnameinfo(self, sockaddr: object, flags: int) -> tuple[str, str]:
        raise NotImplementedError


@contextmanager
def _listening(backlog: int = 64) -> Iterator[SocketAddress]:
    with socket.create_server(("127.0.0.1", 0), backlog=backlog) as listener:
        yield SocketAddress(socket.AF_INET, listener.getsockname())


@contextmanager
def _swallowing() -> Iterator[SocketAddress]:
    """An address that answers nothing: a listener whose queue is full."""
    with _listening(backlog=0) as address, ExitStack() as closing:
        for _ in range(4):
            filler = closing.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(address.sockaddr)
        yield address


def _refusing() -> SocketAddress:
    with _listening() as address:
        return address


async def test_a_name_is_looked_up_once_for_all_and_again_when_it_is_old(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with _listening() as address:
        port = address.sockaddr[1]
        resolver = Resolver(port)
        trio.socket.set_custom_hostname_resolver(resolver)
        connector = TcpConnector(addresses_kept_s=60.0)

        async def connect() -> None:
            (await connector("api.test", port)).close()

        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(connect)
        assert resolver.asked == 1
        await trio.sleep(58)
        await connect()
        assert resolver.asked == 1
        await trio.sleep(2)
        await connect()
        assert resolver.asked == 2


async def test_a_look_up_that_is_cancelled_leaves_the_next_one_free(autojump_clock: trio.testing.MockClock) -> None:
    with _listening() as address:
        port = address.sockaddr[1]
        trio.socket.set_custom_hostname_resolver(Resolver(port))
        connector = TcpConnector(addresses_kept_s=60.0)
        with trio.move_on_after(0.5) as scope:
            await connector("api.test", port)
        assert scope.cancelled_caught
        (await connector("api.test", port)).close()


async def test_a_name_that_does_not_exist_is_an_error_and_not_remembered(
    autojump_clock: trio.testing.MockClock,
) -> None:
    resolver = Resolver(80)
    trio.socket.set_custom_hostname_resolver(resolver)
    connector = TcpConnector(addresses_kept_s=60.0)
    for _ in range(2):
        with pytest.raises(socket.gaierror):
            await connector("elsewhere.test", 80)
    assert resolver.asked == 2


async def test_the_next_address_is_tried_where_one_refuses() -> None:
    with _listening() as answering:
        stream = await connect_tcp([_refusing(), answering])
        stream.close()


async def test_an_address_that_swallows_packets_does_not_use_up_the_time_of_the_next(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with _swallowing() as silent, _listening() as answering, trio.fail_after(6):
        stream = await connect_tcp([silent, silent, answering])
        stream.close()
    assert trio.current_time() == pytest.approx(4.0)


async def test_the_last_error_is_told_where_no_address_answers() -> None:
    with pytest.raises(ConnectionRefusedError):
        await connect_tcp([_refusing(), _refusing()])


async def test_a_name_without_an_address_is_an_error() -> None:
    with pytest.raises(OSError, match="no address"):
        await connect_tcp([])


async def test_a_socket_that_reached_itself_is_a_refused_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dialling a free port of the ephemeral range, the kernel may pick that port as ours: nobody else is there."""
    free = _refusing()
    plain_socket = socket.socket

    def socket_on_the_dialled_port(family: int, kind: int) -> socket.socket:
        made = plain_socket(family, kind)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(free.sockaddr)
        return made

    monkeypatch.setattr("socket.socket", socket_on_the_dialled_port)
    with pytest.raises(ConnectionRefusedError) as refused:
        await connect_tcp([free])
    assert refused.value.errno == errno.ECONNREFUSED


async def test_a_fast_sender_leaves_other_tasks_their_turn() -> None:
    near, far = socket.socketpair()
    near.setblocking(False)
    far.setblocking(False)
    stream = SocketStream(near)
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    with near, far:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(others)
            reads = 0
            while reads < 50:
                with suppress(BlockingIOError):
                    while True:
                        far.send(b"x" * 65536)
                await stream.receive()
                reads += 1
            assert turns >= 50 // 10
            nursery.cancel_scope.cancel()
        stream.close()


async def test_a_stream_closed_under_its_reader_wakes_it() -> None:
    near, far = socket.socketpair()
    near.setblocking(False)
    stream = SocketStream(near)
    with near, far:
        async with trio.open_nursery() as nursery:

            async def read() -> None:
                with pytest.raises(trio.ClosedResourceError):
                    await stream.receive()

            nursery.start_soon(read)
            await trio.testing.wait_all_tasks_blocked()
            stream.close()
            stream.close()
    assert near.fileno() == -1
