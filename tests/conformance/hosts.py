"""Own the list of hosts: how each comes to have an agent, and how it ends."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec
import uvloop

import manus
from tests.conformance.cpp import CppDriver
from tests.conformance.driver import Driver
from tests.conformance.links import Pipes, UnixServer, write_config
from tests.conformance.loops import AsyncioLoop, LoopDriver, NewLoop, TrioLoop
from tests.conformance.threads import SyncDriver
from tests.conformance.wire import WireClient, WireDriver
from tests.cpp.building import built

Open = Callable[[dict[str, Any], float], AbstractContextManager[Driver]]
"""Opens a host with an agent of this configuration, whose requests in flight have so many seconds at its end.
Any: the configuration in the shape of the file."""


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """A way to have an agent, and how many threads play every shared case at once."""

    opens: Open
    callers: int = 1


@contextmanager
def in_trio(config: dict[str, Any], drain_s: float) -> Iterator[Driver]:
    """Run a Trio program with `open_agent`: the same loop, no thread between."""
    loop = TrioLoop(config, drain_s=drain_s)
    try:
        yield LoopDriver(loop)
    finally:
        loop.close()


@contextmanager
def in_asyncio(
    config: dict[str, Any], drain_s: float, *, new_loop: NewLoop = asyncio.new_event_loop
) -> Iterator[Driver]:
    """Run an asyncio program with `create_agent`."""
    loop = AsyncioLoop(config, drain_s=drain_s, new_loop=new_loop)
    try:
        yield LoopDriver(loop)
    finally:
        loop.close()


@contextmanager
def in_asyncio_again(config: dict[str, Any], drain_s: float) -> Iterator[Driver]:
    """Run a second asyncio program in this process, after a first one that asked something and ended."""
    with in_asyncio(config, drain_s) as first:
        first.ask("explain", prompt="is anybody there?")
    with in_asyncio(config, drain_s) as second:
        yield second


@contextmanager
def in_threads(config: dict[str, Any], drain_s: float) -> Iterator[Driver]:
    """Have an agent for threads that have no loop."""
    with manus.open_sync(config, drain_s=drain_s) as agent:
        yield SyncDriver(agent)


@contextmanager
def over_pipes(config: dict[str, Any], drain_s: float) -> Iterator[Driver]:
    """Start `manus serve --stdio`, and speak the protocol with it."""
    with tempfile.TemporaryDirectory() as directory:
        pipes = Pipes(write_config(config, Path(directory) / "llm.toml"))
        try:
            client = WireClient(pipes)
            driver = WireDriver(client, drain_s=drain_s)
            yield driver
            driver.shut_down()
        finally:
            pipes.kill()


@contextmanager
def over_a_socket(config: dict[str, Any], drain_s: float) -> Iterator[Driver]:
    """Start `manus serve --unix`, and speak the protocol with it over a connection."""
    with tempfile.TemporaryDirectory() as directory:
        server = UnixServer(write_config(config, Path(directory) / "llm.toml"), Path(directory) / "manus.sock")
        try:
            connection = server.connect()
            try:
                driver = WireDriver(WireClient(connection), drain_s=drain_s)
                yield driver
                driver.shut_down()
            finally:
                connection.close()
            server.end()
        finally:
            server.kill()


@contextmanager
def through_cpp(config: dict[str, Any], drain_s: float) -> Iterator[Driver]:
    """Have the C++ client start a server and speak with it."""
    executable = built("plain", "manus_driver") / "manus_driver"
    with tempfile.TemporaryDirectory() as directory:
        driver = CppDriver(executable, write_config(config, Path(directory) / "llm.toml"), drain_s=drain_s)
        try:
            yield driver
            driver.end()
        finally:
            driver.kill()


REFERENCE: Final = "trio"
"""The host that every other one is held against: nothing stands between its caller and the agent."""

HOSTS: Final[dict[str, Host]] = {
    REFERENCE: Host(opens=in_trio),
    "asyncio": Host(opens=in_asyncio),
    "asyncio, a second time": Host(opens=in_asyncio_again),
    "asyncio on uvloop": Host(opens=partial(in_asyncio, new_loop=uvloop.new_event_loop)),
    "threads": Host(opens=in_threads, callers=32),
    "stdio": Host(opens=over_pipes),
    "unix": Host(opens=over_a_socket),
    "C++": Host(opens=through_cpp),
}
