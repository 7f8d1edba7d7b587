"""What a transport raises, as a value that says what may be done: for ours and for httpx's own alike."""

from __future__ import annotations

import socket
import ssl

import httpx
import pytest
import trio

from manus.actors.http1.waits import HeadersTimeout, TlsTimeout
from manus.actors.transport_errors import failure_of
from manus.messages.failures import FailureKind, Phase, TimeoutPhase

TIMEOUTS: dict[str, tuple[Exception, Phase, TimeoutPhase, bool]] = {
    "line": (httpx.PoolTimeout(""), "queued", "pool", True),
    "connect": (httpx.ConnectTimeout(""), "connecting", "connect", True),
    "tls": (TlsTimeout(""), "connecting", "tls", True),
    "write": (httpx.WriteTimeout(""), "sending", "write", True),
    "headers": (HeadersTimeout(""), "sent", "headers", False),
    "headers, stock": (httpx.ReadTimeout(""), "sent", "headers", False),
    "headers of an error": (HeadersTimeout(""), "streaming", "headers", False),
    "idle": (httpx.ReadTimeout(""), "streaming", "idle", False),
}


@pytest.mark.parametrize("name", TIMEOUTS)
def test_a_timeout_names_the_wait_that_ran_out(name: str) -> None:
    error, phase, waited_for, safe = TIMEOUTS[name]
    failure = failure_of(error, phase=phase)
    assert (failure.kind, failure.timeout, failure.phase, failure.safe_to_retry) == ("timeout", waited_for, phase, safe)


def _caused(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error


REFUSED = ConnectionRefusedError(111, "Connection refused")
NO_NAME = socket.gaierror(-2, "Name or service not known")
NO_TLS = ssl.SSLError(1, "wrong version number")
RESET = ConnectionResetError(104, "Connection reset by peer")
SILENT_END = "Server disconnected without sending a response."
CUT = "peer closed connection without sending complete message body (received 1 bytes, expected 2)"
SEVERAL = ExceptionGroup("", [REFUSED])

OTHERS: dict[str, tuple[Exception, Phase, FailureKind, bool, str]] = {
    "refused": (_caused(httpx.ConnectError(""), REFUSED), "connecting", "network", True, "Connection refused"),
    "all refused": (_caused(httpx.ConnectError(""), SEVERAL), "connecting", "network", True, "Connection refused"),
    "no such host": (_caused(httpx.ConnectError(""), NO_NAME), "connecting", "network", True, "resolved"),
    "no tls there": (_caused(httpx.ConnectError(""), NO_TLS), "connecting", "network", True, "https"),
    "proxy": (httpx.ProxyError("407"), "connecting", "network", True, "proxy"),
    "reset while sending": (httpx.WriteError(""), "sending", "network", True, "broke"),
    "reset while reading": (_caused(httpx.ReadError(""), RESET), "sent", "network", False, "reset by peer"),
    "hung up without a word": (httpx.RemoteProtocolError(SILENT_END), "sent", "network", False, "closed"),
    "hung up in the middle": (httpx.RemoteProtocolError(CUT), "streaming", "network", False, "middle"),
    "nonsense": (httpx.RemoteProtocolError("illegal status line"), "sent", "protocol", False, "valid HTTP"),
    "encoding": (httpx.DecodingError("zlib"), "streaming", "protocol", False, "encoding"),
    "illegal header": (httpx.LocalProtocolError("value b'k'"), "sending", "invalid_request", True, "headers"),
    "another scheme": (httpx.UnsupportedProtocol("ftp"), "connecting", "invalid_request", True, "base_url"),
    "closed under us": (trio.ClosedResourceError(), "streaming", "network", False, "broke"),
    "broken stream": (trio.BrokenResourceError(), "sending", "network", True, "broke"),
    "naked system error": (OSError(101, "Network is unreachable"), "connecting", "network", True, "unreachable"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_failure_says_what_happened_and_whether_it_can_have_been_billed(name: str) -> None:
    error, phase, kind, safe, said = OTHERS[name]
    failure = failure_of(error, phase=phase)
    assert (failure.kind, failure.safe_to_retry) == (kind, safe)
    assert said in failure.message


def test_no_failure_quotes_what_may_be_a_key() -> None:
    for error in (
        httpx.LocalProtocolError("Illegal header value b'Bearer sk-canary'"),
        httpx.RemoteProtocolError("illegal header line: b'x: sk-canary\\x00'"),
        httpx.ProxyError("http://user:sk-canary@proxy"),
        httpx.ConnectError("sk-canary"),
        httpx.ReadError("sk-canary"),
    ):
        assert "canary" not in repr(failure_of(error, phase="sending"))


@pytest.mark.parametrize("error", [ValueError("x"), KeyError("x"), RuntimeError("x"), httpx.StreamClosed()])
def test_a_bug_does_not_pass_for_a_failed_call(error: Exception) -> None:
    with pytest.raises(TypeError, match=type(error).__name__):
        failure_of(error, phase="sent")
