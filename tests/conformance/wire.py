"""Own a client of the protocol that trusts nothing: every line it gets is held against the rules as it comes.

Written from the protocol's page, and shares no code with the server's side of it.
"""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable
from typing import Any, Final, Protocol, final

from tests.conformance.driver import WAIT_S, HostError, HostStream, Plain, StreamMethod, rounded

WINDOW: Final = 8
"""Events of one stream that may be on their way: small, so that every stream of the suite lives on credit."""

_CLOSED: Final = {"code": None, "message": "the connection has ended", "data": {"kind": "stopped"}}


class Link(Protocol):
    """Lines to the server and back."""

    def send(self, line: bytes) -> None:
        """Write one line, with its end. May be called from any thread."""

    def lines(self) -> Any:
        """Give every line that comes, until the other side has ended. Any: an iterator of bytes."""

    def end(self) -> None:
        """Say that nothing more will be sent, and wait for the other side's end."""


@final
class Call:
    """One request and what comes of it: events, then one reply."""

    def __init__(self, method: str) -> None:
        self.method = method
        self.seq = 0
        self.arrivals: queue.SimpleQueue[Plain] = queue.SimpleQueue()
        """Messages with `event`, then one with `result` or `error`."""

    def take(self) -> Plain:
        """Wait for what comes next."""
        try:
            return self.arrivals.get(timeout=WAIT_S)
        except queue.Empty:
            raise AssertionError(f"no answer to {self.method} within {WAIT_S:g} s") from None


@final
class WireClient:
    """JSON-RPC by lines. `violations` holds whatever the server did against the rules."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._lock = threading.Lock()
        self._number = 0
        self._calls: dict[int, Call] = {}
        self._over = False
        self.violations: list[str] = []
        self._reader = threading.Thread(target=self._read, name="reader of the protocol", daemon=True)
        self._reader.start()

    def begin(self, method: str, params: dict[str, Any]) -> tuple[int, Call]:
        """Send a request; its id, and where its answers come."""
        call = Call(method)
        with self._lock:
            self._number += 1
            number = self._number
            if self._over:
                call.arrivals.put({"error": _CLOSED})
                return number, call
            self._calls[number] = call
        self._send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        return number, call

    def ask(self, method: str, params: dict[str, Any]) -> Plain:
        """Send a request and wait for its result.

        Raises:
            HostError: it is an error.
        """
        _, call = self.begin(method, params)
        return result_of(call.take())

    def notify(self, method: str, **params: object) -> None:
        """Send a notification; to nobody, where the other side has ended."""
        if not self._over:
            self._send({"jsonrpc": "2.0", "method": method, "params": params})

    def end(self) -> None:
        """Close, wait for the other side, and see that it broke no rule.

        Raises:
            AssertionError: it did.
        """
        self._link.end()
        self._reader.join(WAIT_S)
        assert not self._reader.is_alive(), "the server did not end the connection"
        assert not self.violations, self.violations

    def _send(self, message: Plain) -> None:
        try:
            self._link.send(json.dumps(message).encode() + b"\n")
        except OSError:
            self._reader.join(WAIT_S)  # it has ended meanwhile; the reader settles what was open

    def _read(self) -> None:
        for line in self._link.lines():
            try:
                self._take(line)
            except (AssertionError, KeyError, TypeError, ValueError) as wrong:
                self.violations.append(f"{type(wrong).__name__}: {wrong}: {line[:300]!r}")
        with self._lock:
            self._over = True
            left = list(self._calls.values())
            self._calls.clear()
        for call in left:
            call.arrivals.put({"error": _CLOSED})

    def _take(self, line: bytes) -> None:
        assert line.endswith(b"\n"), "half a line"
        message = json.loads(line.decode("utf-8"))
        assert message.pop("jsonrpc") == "2.0"
        if "method" in message:
            assert message["method"] == "stream.event", "an unknown notification"
            params = message["params"]
            call = self._calls[params["id"]]
            assert params["seq"] == call.seq, f"event {call.seq} was due"
            call.seq += 1
            call.arrivals.put({"event": params["event"]})
            return
        assert set(message) in ({"id", "result"}, {"id", "error"}), "neither a result nor an error"
        with self._lock:
            call = self._calls.pop(message["id"])
        if "error" in message:
            _check_error(message["error"])
        call.arrivals.put(message)


def _check_error(error: Plain) -> None:
    assert isinstance(error["code"], int)
    assert error["message"]
    if -32019 <= error["code"] <= -32000:
        wanted = {"kind", "retryable", "retry_after_ms", "provider", "model", "attempts", "request_id"}
        assert wanted <= error["data"].keys(), f"left out: {wanted - error['data'].keys()}"
        assert isinstance(error["data"]["attempts"], int)


def result_of(message: Plain) -> Plain:
    """Give the result of a reply.

    Raises:
        HostError: it is an error.
    """
    if "result" in message:
        result: Plain = message["result"]
        return result
    error = message["error"]
    data = error.get("data") or {}
    usage = data.get("usage") or {}
    retry_after_ms = data.get("retry_after_ms")
    kind = data.get("kind")
    raise HostError(
        error["message"],
        {
            "kind": "invalid_request" if kind == "invalid_params" else kind,
            "provider": data.get("provider"),
            "model": data.get("model"),
            "attempts": data.get("attempts") or 0,
            "retry_after_s": None if retry_after_ms is None else rounded(retry_after_ms / 1000),
            "partial": data.get("partial") or "",
            "input_tokens": usage.get("input_tokens", 0),
            "output_tokens": usage.get("output_tokens", 0),
        },
    )


@final
class WireDriver:
    """A `Driver` over the protocol."""

    def __init__(self, client: WireClient, *, drain_s: float) -> None:
        self._client = client
        self._drain_s = drain_s
        self._is_down = False
        greeting = client.ask("initialize", {"protocolVersion": 1, "client": {"name": "conformance"}, "window": WINDOW})
        assert greeting["protocolVersion"] == 1
        assert greeting["server"]["name"] == "manus"
        assert {"generate", "stream", "chat", "chat_stream", "embed"} <= set(greeting["capabilities"]["methods"])

    def ask(self, method: str, **params: object) -> Plain:
        """See `Driver`."""
        return self._client.ask(method, params)

    def stream(self, method: StreamMethod, **params: object) -> HostStream:
        """See `Driver`."""
        number, call = self._client.begin(method, params)
        return WireStream(self._client.notify, number, call)

    def shut_down(self) -> None:
        """See `Driver`."""
        if not self._is_down:
            self._is_down = True
            self._client.ask("shutdown", {"deadline_ms": round(self._drain_s * 1000)})
            self._client.end()


@final
class WireStream:
    """A `HostStream` over the protocol: it reads on credit, one event granted for one that was taken."""

    def __init__(self, notify: Callable[..., None], number: int, call: Call) -> None:
        self._notify = notify
        self._number = number
        self._call = call
        self._reply: Plain | None = None

    def next(self) -> Plain | None:
        if self._reply is None:
            message = self._call.take()
            if "event" in message:
                self._notify("$/credit", id=self._number, n=1)
                event: Plain = message["event"]
                return event
            self._reply = message
        result_of(self._reply)
        return None

    def response(self) -> Plain:
        while self.next() is not None:
            pass
        assert self._reply is not None
        return result_of(self._reply)

    def cancel(self) -> Plain:
        self.abandon()
        return self.response()

    def abandon(self) -> None:
        self._notify("$/cancelRequest", id=self._number)
