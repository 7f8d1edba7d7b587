"""Hosts that misbehave in every way get what they deserve; the one beside them gets what it always gets.

After each of them the server holds no more files than before, and its books are as the providers' bills say.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest

from tests.conformance import cases
from tests.conformance.books import check_books
from tests.conformance.links import UnixServer, write_config
from tests.conformance.test_conformance import expected
from tests.conformance.vendors import Vendors, served
from tests.conformance.wire import WireClient, WireDriver
from tests.ipc.hostile.behaviours import BEHAVIOURS, Behaviour, Scene
from tests.ipc.hostile.measured import MIB, footprint, wait_for_connections

IPC: Final = {
    "frame_bytes_max": 1 * MIB,
    "outbox_bytes_max": 1 * MIB,
    "in_flight_max": 128,
    "consumer_stall_s": 2.0,
    "drain_s": 60.0,
}
GROWTH_MAX_BYTES: Final = 64 * MIB
"""How much a server may grow by all of them together: a few times the bounds above, and a cold allocator's waste."""

PLACES: Final = 1_000

POOLED_MAX: Final = 300
"""Connections to providers that may be kept for the next call."""

BESIDE: Final = (cases.generates, cases.streams, cases.streams_much, cases.gives_data, cases.cancels_midway)
"""What the well-behaved host does all the while."""


class Server:
    """A server, and the host that behaves."""

    def __init__(self, stack: ExitStack, directory: Path) -> None:
        self.vendors: Vendors = stack.enter_context(served())
        configuration = self.vendors.configuration(ipc=IPC)
        for entry in configuration["providers"].values():
            entry["concurrency"] = PLACES  # who takes all places of a provider is another matter: see docs/overload.md
        config = write_config(configuration, directory / "llm.toml")
        self.unix = UnixServer(config, directory / "manus.sock")
        stack.callback(self.unix.kill)
        connection = self.unix.connect()
        stack.callback(connection.close)
        self.good = WireDriver(WireClient(connection), drain_s=2.0)
        for case in BESIDE:
            assert case(self.good, self.vendors) == expected(case)
        self.before = footprint(self.unix.process.pid)

    def scene(self, name: str) -> Scene:
        return Scene(path=self.unix.path, vendors=self.vendors, name=name)

    def check(self) -> None:
        """See that nothing is left of whoever was there."""
        wait_for_connections(self.unix.process.pid, self.unix.path, 2)  # the one that listens, and the good host's
        now = footprint(self.unix.process.pid)
        assert now.threads == self.before.threads
        assert now.files <= self.before.files + POOLED_MAX, (self.before, now)
        assert now.peak_bytes - self.before.peak_bytes < GROWTH_MAX_BYTES, (self.before, now)
        check_books(self.good, self.vendors)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with ExitStack() as stack:
        made = Server(stack, tmp_path_factory.mktemp("unix"))
        yield made
        made.good.shut_down()
        made.unix.end()


@pytest.mark.parametrize("behaviour", BEHAVIOURS, ids=lambda each: each.__name__)
def test_a_hostile_host_harms_nobody(server: Server, behaviour: Behaviour) -> None:
    with behaving_well_meanwhile(server):
        behaviour(server.scene(behaviour.__name__))
    server.check()


def test_hostile_hosts_of_all_kinds_at_once_harm_nobody(server: Server) -> None:
    with behaving_well_meanwhile(server), ThreadPoolExecutor(len(BEHAVIOURS)) as threads:
        under_way = [threads.submit(each, server.scene(f"{each.__name__}-at-once")) for each in BEHAVIOURS]
        for each in under_way:
            each.result()
    server.check()


class behaving_well_meanwhile:  # noqa: N801  # it reads as a part of the sentence
    """Have the good host go on asking, and hold each outcome against what it always is; at least one of each."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._over = threading.Event()
        self._threads = ThreadPoolExecutor(1)

    def __enter__(self) -> None:
        self._work = self._threads.submit(self._go_on)

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._threads.shutdown()
        self._work.result()

    def _go_on(self) -> None:
        while True:
            for case in BESIDE:
                assert case(self._server.good, self._server.vendors) == expected(case)
            if self._over.is_set():
                return
