"""Own a host's bare end of a socket: bytes in any portions, messages where that is meant, and nothing checked."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, final

from tests.conformance.driver import WAIT_S

HELLO: Final = {"protocolVersion": 1, "client": {"name": "a rough one"}}


@final
class RawHost:
    """One connection. For one thread."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(WAIT_S)
        self.socket.connect(str(path))
        self._left = b""

    def write(self, data: bytes) -> None:
        """Write bytes as they are."""
        self.socket.sendall(data)

    def write_while_it_goes(self, data: bytes) -> int:
        """Write as much as the other side takes without our reading anything; give how much that was."""
        self.socket.settimeout(0.5)
        gone = 0
        view = memoryview(data)
        try:
            while gone < len(data):
                gone += self.socket.send(view[gone : gone + 65_536])
        except TimeoutError:
            pass
        finally:
            self.socket.settimeout(WAIT_S)
        return gone

    def ask(self, number: object, method: str, **params: object) -> None:
        """Send one request."""
        self.write(line({"jsonrpc": "2.0", "id": number, "method": method, "params": params}))

    def tell(self, method: str, **params: object) -> None:
        """Send one notification."""
        self.write(line({"jsonrpc": "2.0", "method": method, "params": params}))

    def greet(self, **params: object) -> None:
        """Shake hands."""
        self.ask("hello", "initialize", **HELLO | params)
        assert self.reply("hello")["result"]["protocolVersion"] == 1

    def messages(self) -> Iterator[dict[str, Any]]:  # Any: JSON
        """Give every message that comes, until the other side ends the connection."""
        while True:
            while b"\n" in self._left:
                first, self._left = self._left.split(b"\n", 1)
                yield json.loads(first)
            chunk = self.socket.recv(1 << 20)
            if not chunk:
                assert not self._left, "the connection ended within a line"
                return
            self._left += chunk

    def reply(self, number: object) -> dict[str, Any]:  # Any: JSON
        """Read until the reply of this id, whatever comes before."""
        for message in self.messages():
            if message.get("id") == number and "method" not in message:
                return message
        raise AssertionError(f"the connection ended without an answer to {number}")

    def half_close(self) -> None:
        """Say that nothing more will come."""
        self.socket.shutdown(socket.SHUT_WR)

    def vanish(self) -> None:
        """Be gone at once, with whatever was on its way."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def line(message: object) -> bytes:
    """Write a message as a line."""
    return json.dumps(message).encode() + b"\n"


@contextmanager
def raw_host(path: Path, *, greeted: bool = True) -> Iterator[RawHost]:
    """Connect for as long as the block lasts."""
    host = RawHost(path)
    try:
        if greeted:
            host.greet()
        yield host
    finally:
        host.socket.close()
