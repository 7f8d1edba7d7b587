"""Own the driving of the C++ client, by lines, through the executable that stands for a program of its users'."""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
from pathlib import Path
from typing import Any, Final, final

from tests.conformance.driver import WAIT_S, HostStream, Plain, StreamMethod
from tests.conformance.links import ROOT, SERVE
from tests.conformance.wire import WINDOW, Call, result_of

_OVER: Final = {"code": 0, "message": "the client was shut down", "data": {"kind": "stopped"}}


@final
class CppDriver:
    """A `Driver` over the C++ client, whose server is its own subprocess."""

    def __init__(self, executable: Path, config: Path, *, drain_s: float) -> None:
        self._drain_s = drain_s
        self._lock = threading.Lock()
        self._number = 0
        self._calls: dict[int, Call] = {}
        self.process = subprocess.Popen(
            [str(executable), *SERVE, "--stdio", "--config", str(config)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.violations: list[str] = []
        self._reader = threading.Thread(target=self._read, name="reader of the C++ client", daemon=True)
        self._reader.start()

    def ask(self, method: str, **params: object) -> Plain:
        """See `Driver`."""
        return result_of(self._begin({"op": method, "params": params})[1].take())

    def stream(self, method: StreamMethod, **params: object) -> HostStream:
        """See `Driver`."""
        number, call = self._begin({"op": method, "params": params, "window": WINDOW})
        return _CppStream(self, number, call)

    def shut_down(self) -> None:
        """See `Driver`."""
        self.ask("shutdown", deadline_ms=round(self._drain_s * 1000))

    def cancel(self, number: int) -> None:
        """Take a call back."""
        result_of(self._begin({"op": "cancel", "target": number})[1].take())

    def end(self) -> None:
        """Destroy the client, and see that it ended well and broke no rule.

        Raises:
            AssertionError: it did not.
        """
        assert self.process.stdin is not None
        self.process.stdin.close()
        assert self.process.wait(WAIT_S) == 0
        self._reader.join(WAIT_S)
        assert not self.violations, self.violations
        assert not self._calls, f"no end was ever told of {sorted(self._calls)}"

    def kill(self) -> None:
        """End the process, whatever became of it."""
        self.process.kill()
        self.process.wait(WAIT_S)
        self._reader.join(WAIT_S)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None and not pipe.closed:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()

    def _begin(self, message: dict[str, Any]) -> tuple[int, Call]:  # Any: JSON
        call = Call(message["op"])
        assert self.process.stdin is not None
        with self._lock:
            self._number += 1
            number = self._number
            self._calls[number] = call
            self.process.stdin.write(json.dumps({"call": number, **message}).encode() + b"\n")
            self.process.stdin.flush()
        return number, call

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            try:
                self._take(json.loads(line))
            except (KeyError, TypeError, ValueError) as wrong:
                self.violations.append(f"{type(wrong).__name__}: {wrong}: {line[:300]!r}")
        with self._lock:
            left = list(self._calls.values())
        for call in left:
            call.arrivals.put({"error": _OVER})

    def _take(self, message: Plain) -> None:
        number = message["call"]
        if "event" in message:
            self._calls[number].arrivals.put({"event": message["event"]})
            return
        with self._lock:
            call = self._calls.pop(number)
        error = message.get("error")
        if error is not None and error["data"]["kind"] == "closed":  # the client's own word for what it does not send
            message = {"error": {**error, "data": {**error["data"], "kind": "stopped"}}}
        call.arrivals.put(message)


@final
class _CppStream:
    """A `HostStream` over the C++ client's callbacks."""

    def __init__(self, driver: CppDriver, number: int, call: Call) -> None:
        self._driver = driver
        self._number = number
        self._call = call
        self._end: Plain | None = None

    def next(self) -> Plain | None:
        if self._end is None:
            message = self._call.take()
            if "event" in message:
                event: Plain = message["event"]
                return event
            self._end = message
        result_of(self._end)
        return None

    def response(self) -> Plain:
        while self.next() is not None:
            pass
        assert self._end is not None
        return result_of(self._end)

    def cancel(self) -> Plain:
        self.abandon()
        return self.response()

    def abandon(self) -> None:
        self._driver.cancel(self._number)
