"""Own the rig of the tests of `manus serve`: a host that is as simple as can be, over pipes or over the socket."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from tests.cli.rig import LIMIT_S, Terminal

SHAKE = ("initialize", {"protocolVersion": 1})


class Host:
    """Speaks JSON lines over a pair of files. What comes while something else is waited for is kept, in order."""

    def __init__(self, to_server: IO[bytes], from_server: IO[bytes]) -> None:
        self._to_server = to_server
        self._from_server = from_server
        self._last_id = 0
        self.lines: list[dict[str, Any]] = []

    def send(self, method: str, params: dict[str, Any] | None = None) -> int:
        """Send a request; give its id."""
        self._last_id += 1
        call = {"jsonrpc": "2.0", "id": self._last_id, "method": method, "params": params or {}}
        self._to_server.write(json.dumps(call).encode() + b"\n")
        self._to_server.flush()
        return self._last_id

    def reply(self, number: int) -> dict[str, Any]:
        """Read until this reply."""
        while True:
            for line in self.lines:
                if line.get("id") == number:
                    return line
            assert self.read() is not None, f"no reply to {number}: {self.lines}"

    def read(self) -> dict[str, Any] | None:
        """Read one line; None at the end."""
        content = self._from_server.readline()
        if not content:
            return None
        line: dict[str, Any] = json.loads(content)
        self.lines.append(line)
        return line

    def ask(self, method: str, params: dict[str, Any] | None = None) -> Any:
        """Send a request, and give its result."""
        reply = self.reply(self.send(method, params))
        assert "result" in reply, reply
        return reply["result"]

    def begin_stream(self, params: dict[str, Any]) -> int:
        """Ask for a stream, and wait until its first event is here."""
        number = self.send("stream", params)
        while not any(line.get("params", {}).get("id") == number for line in self.lines):
            assert self.read() is not None, self.lines
        return number


@contextmanager
def serving(terminal: Terminal, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run `manus serve`; it is killed should it hang, so that what reads of it comes to an end."""
    with terminal.start("serve", *arguments, stdin=subprocess.PIPE) as process:
        watchdog = threading.Timer(LIMIT_S, process.kill)
        watchdog.start()
        try:
            yield process
        finally:
            watchdog.cancel()


def host_of(process: subprocess.Popen[bytes]) -> Host:
    """Shake hands over the pipes of a process."""
    assert process.stdin is not None
    assert process.stdout is not None
    host = Host(process.stdin, process.stdout)
    host.ask(*SHAKE)
    return host


def wait_until_it_says(process: subprocess.Popen[bytes], event: str) -> dict[str, Any]:
    """Read log lines on stderr until one tells of this event."""
    assert process.stderr is not None
    for content in process.stderr:
        line: dict[str, Any] = json.loads(content)
        if line["event"] == event:
            return line
    raise AssertionError(f"it ended and never said {event}")


@contextmanager
def connected(path: Path) -> Iterator[Host]:
    """Connect to the socket, and shake hands."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(LIMIT_S)
        connection.connect(str(path))
        with connection.makefile("wb") as to_server, connection.makefile("rb") as from_server:
            host = Host(to_server, from_server)
            host.ask(*SHAKE)
            yield host
