"""Own the ways to a server of the protocol: a subprocess and its pipes, and a Unix socket."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, final

from tests.conformance.driver import WAIT_S

ROOT: Final = Path(__file__).parent.parent.parent
SERVE: Final = (sys.executable, "-m", "manus", "serve")


def write_config(config: dict[str, Any], path: Path) -> Path:
    """Write a configuration as the file that a server reads. Any: the shape of the file."""
    tables = (f"{key} = {_toml(value)}\n" for key, value in config.items())
    path.write_text("".join(tables), encoding="utf-8")
    return path


def _toml(value: object) -> str:
    """Write one value; JSON's words for text, numbers and truth are TOML's too."""
    match value:
        case dict():
            return "{ " + ", ".join(f"{json.dumps(key)} = {_toml(each)}" for key, each in value.items()) + " }"
        case list() | tuple():
            return "[" + ", ".join(_toml(each) for each in value) + "]"
        case _:
            return json.dumps(value, ensure_ascii=False)


@final
class Pipes:
    """A server that is our subprocess, over its stdin and stdout. What it says on stderr is kept for failures."""

    def __init__(self, config: Path, *arguments: str) -> None:
        self._lock = threading.Lock()
        self._log = config.with_suffix(".stderr")
        with self._log.open("wb") as stderr:
            self.process = subprocess.Popen(
                [*SERVE, "--stdio", "--config", str(config), *arguments],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
            )

    def send(self, line: bytes) -> None:
        """See `Link`."""
        assert self.process.stdin is not None
        with self._lock:
            if self.process.stdin.closed:
                raise BrokenPipeError("this end was closed")
            self.process.stdin.write(line)
            self.process.stdin.flush()

    def lines(self) -> Iterator[bytes]:
        """See `Link`."""
        assert self.process.stdout is not None
        yield from self.process.stdout

    def end(self) -> None:
        """See `Link`; the process has then ended well.

        Raises:
            AssertionError: it had not, or said something was wrong with itself.
        """
        assert self.process.stdin is not None
        with self._lock:
            with contextlib.suppress(BrokenPipeError):  # it ended before it was told
                self.process.stdin.close()
        status = self.process.wait(WAIT_S)
        said = self._log.read_text(encoding="utf-8")
        assert status == 0, f"exit status {status}: {said}"
        assert "Traceback" not in said, said

    def kill(self) -> None:
        """End the process, whatever became of it. For whoever cleans up."""
        self.process.kill()
        self.process.wait(WAIT_S)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None and not pipe.closed:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


@final
class UnixServer:
    """A server that listens on a Unix socket, in a process of its own."""

    def __init__(self, config: Path, path: Path) -> None:
        self.path = path
        self._log = config.with_suffix(".stderr")
        with self._log.open("wb") as stderr:
            self.process = subprocess.Popen(
                [*SERVE, "--unix", str(path), "--config", str(config)],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
            )

    def connect(self) -> Socket:
        """Connect, as soon as it listens."""
        give_up_at = time.monotonic() + WAIT_S
        while True:
            made = socket.socket(socket.AF_UNIX)
            try:
                made.connect(str(self.path))
                return Socket(made)
            except OSError:
                made.close()
                said = self._log.read_text(encoding="utf-8")
                assert self.process.poll() is None, f"the server ended: {said}"
                assert time.monotonic() < give_up_at, f"nobody listens: {said}"
                time.sleep(0.02)

    def end(self) -> None:
        """End it by a signal, if it is still there, and see that it ended well.

        Raises:
            AssertionError: it did not.
        """
        if self.process.poll() is None:
            self.process.terminate()
        status = self.process.wait(WAIT_S)
        said = self._log.read_text(encoding="utf-8")
        assert status == 0, f"exit status {status}: {said}"
        assert "Traceback" not in said, said
        assert not self.path.exists(), "the socket was left behind"

    def kill(self) -> None:
        """End the process, whatever became of it."""
        self.process.kill()
        self.process.wait(WAIT_S)


@final
class Socket:
    """One connection to a Unix socket."""

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self._lock = threading.Lock()

    def send(self, line: bytes) -> None:
        """See `Link`."""
        with self._lock:
            self.socket.sendall(line)

    def lines(self) -> Iterator[bytes]:
        """See `Link`. A reset is an end too: it came while something of ours was on its way."""
        with self.socket.makefile("rb") as reader, contextlib.suppress(ConnectionResetError):
            yield from reader

    def end(self) -> None:
        """See `Link`."""
        with contextlib.suppress(OSError):  # the other side has closed it
            self.socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close the connection at once."""
        self.socket.close()
