"""Own the way to drive the C++ client from Python: lines to its driver, and every call's one end back."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import queue
import secrets
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

PATIENCE_S: Final = 60.0
"""What takes longer is hung."""

MARK: Final = "MANUS_TEST_MARK"
"""A variable of the environment by which a driver's descendants are found, whoever their parent is by then."""


class End(msgspec.Struct, frozen=True, kw_only=True):
    """How a call ended. Any: JSON."""

    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None

    @property
    def data(self) -> dict[str, Any]:
        """Give what the error says of itself."""
        assert self.error is not None, f"there was a result: {self.result}"
        data: dict[str, Any] = self.error["data"]
        return data


class Driver:
    """A driver at work. Its methods belong to one thread."""

    def __init__(self, process: subprocess.Popen[str], mark: str) -> None:
        self.process = process
        self._mark = mark
        self._numbers = itertools.count(1)
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.ends: dict[int, End] = {}
        self.events: dict[int, list[dict[str, Any]]] = {}
        threading.Thread(target=self._read, name="driver's lines", daemon=True).start()

    def call(self, op: str, *, target: int | None = None, window: int | None = None, **params: Any) -> int:
        """Begin a call, and give its number. Any: the method's own parameters."""
        number = next(self._numbers)
        line: dict[str, Any] = {"call": number, "op": op, "params": params}
        line |= {name: value for name, value in (("target", target), ("window", window)) if value is not None}
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(line) + "\n")
        self.process.stdin.flush()
        return number

    def end_of(self, number: int) -> End:
        """Wait for the call's end."""
        self.wait_until(lambda: number in self.ends, f"the end of call {number}")
        return self.ends[number]

    def ask(self, op: str, **params: Any) -> End:
        """Make a call and wait for its end."""
        return self.end_of(self.call(op, **params))

    def wait_until(self, condition: Any, what: str) -> None:  # Any: a function of nothing, mostly a lambda
        """Take in lines until something is so."""
        give_up_at = time.monotonic() + PATIENCE_S
        while not condition():
            with contextlib.suppress(queue.Empty):
                self._take(self._lines.get(timeout=1.0))
            assert time.monotonic() < give_up_at, f"never came about: {what}"

    def server_pid(self) -> int:
        """Wait for a server, and give its process."""
        while True:
            self.ask("ping")
            result = self.ask("pid").result
            assert result is not None
            if result["pid"] > 0:
                return int(result["pid"])

    def descendants(self) -> dict[int, str]:
        """Give the state of every process that began under this driver, whoever its parent is now; Z is a zombie."""
        found = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal() and int(entry.name) != self.process.pid:
                with contextlib.suppress(OSError):  # it ended, or is not ours to see
                    state, parent = _state_of(entry)
                    if parent == self.process.pid or self._is_marked(entry):  # a zombie has no environment
                        found[int(entry.name)] = state
        return found

    def _is_marked(self, entry: Path) -> bool:
        return f"{MARK}={self._mark}".encode() in (entry / "environ").read_bytes()

    def close(self) -> int:
        """End its input, wait for its end, take in what it still says; give its exit status."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        status = self.process.wait(PATIENCE_S)
        self.wait_until(lambda: self._ended, "the end of its output")
        return status

    _ended = False

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put("")

    def _take(self, line: str) -> None:
        if not line:
            self._ended = True
            return
        said = json.loads(line)
        number = said["call"]
        if "event" in said:
            assert number not in self.ends, "an event after the end"
            self.events.setdefault(number, []).append(said["event"])
            return
        assert number not in self.ends, f"call {number} ended twice"
        self.ends[number] = End(result=said.get("result"), error=said.get("error"))


@contextmanager
def driving(driver: Path, *arguments: str, log: Path) -> Iterator[Driver]:
    """Start a driver whose server writes its log to a file; at the end both are gone, whatever happened."""
    mark = secrets.token_hex(8)
    with log.open("a") as stderr:
        process = subprocess.Popen(
            [str(driver), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env=os.environ | {MARK: mark},
        )
    driven = Driver(process, mark)
    try:
        yield driven
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(PATIENCE_S)
        for stream in (process.stdin, process.stdout):
            assert stream is not None
            with contextlib.suppress(BrokenPipeError):
                stream.close()


def _state_of(entry: Path) -> tuple[str, int]:
    """Read a process's state and its parent."""
    after_name = (entry / "stat").read_text().rpartition(")")[2].split()
    return after_name[0], int(after_name[1])
