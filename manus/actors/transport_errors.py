"""Own the one mapping from what a transport raises to a `Failed`, for our transport and for httpx's alike.

Messages are our own words and a system's error text. An exception's own text is not passed on where it could quote
a header: h11 does, and the header may be the key.
"""

from __future__ import annotations

import socket
import ssl

import httpx
import trio

from manus.actors.http1.waits import HeadersTimeout, TlsTimeout
from manus.messages.failures import Advice, Failed, FailureKind, Phase, TimeoutPhase

_UNSENT: frozenset[Phase] = frozenset(("queued", "connecting", "sending"))
"""Phases in which nobody can have acted on the request: it had not left completely."""

_CUT_SHORT = ("Server disconnected", "peer closed connection", "Connection closed")
"""How httpcore, h11 and we begin the message of a RemoteProtocolError that is a hang-up rather than nonsense."""

_NOT_HERE = Advice("no", "yes", True)

_ANOTHER_ENTRY = Advice("no", "yes", False)

_WAITS: dict[TimeoutPhase, str] = {
    "connect": "No connection was made in time (`timeouts.connect_s`): is the address right, is a proxy needed?",
    "tls": "The TLS handshake was not finished in time (`timeouts.tls_s`).",
    "write": "The request could not be written in time (`timeouts.write_s`): the server does not read.",
    "headers": "The server did not begin to answer in time (`timeouts.headers_s`).",
    "idle": "The answer stopped coming (`timeouts.idle_s`).",
    "pool": "No connection was free in time.",
    "first_content": "The answer began and no content came (`timeouts.first_content_s`).",
    "finish": "The end of the answer did not come (`timeouts.finish_s`).",
    "total": "The attempt took too long (`timeouts.total_s`).",
}


def failure_of(error: Exception, *, phase: Phase) -> Failed:
    """Say what an exception of a transport means, and what may be done about it.

    Args:
        error: an `httpx.HTTPError`, or what lies beneath it: an OSError (`ssl.SSLError` is one) or an error
            of a trio stream.
        phase: how far the attempt had come; until the request has left, it cannot have been billed.

    Raises:
        TypeError: the exception is none of a network's; it is a bug and must not pass for a failed call.
    """
    match error:
        case httpx.TimeoutException():
            return _timed_out(error, phase)
        case httpx.ProxyError():
            return _failed("network", "The proxy refused the connection; check `proxy` and its credentials.", phase)
        case httpx.ConnectError():
            return _unconnected(error)
        case httpx.LocalProtocolError() | httpx.UnsupportedProtocol():
            # The entry's address, headers or key are at fault, never the prompt: another entry may well do.
            return Failed(
                kind="invalid_request",
                message="The request cannot be sent over HTTP: check `base_url`, headers and keys.",
                advice=_ANOTHER_ENTRY,
                phase=phase,
                safe_to_retry=True,
            )
        case httpx.RemoteProtocolError():
            return _broken_off(error, phase)
        case httpx.DecodingError():
            return _failed("protocol", "The response's content encoding could not be undone.", phase)
        case httpx.TransportError() | OSError() | trio.BrokenResourceError() | trio.ClosedResourceError():
            return _failed("network", f"The connection broke{_system_text(error)}.", phase)
        case _:
            raise TypeError(f"{type(error).__name__} is no failure of a transport") from error


def _timed_out(error: httpx.TimeoutException, phase: Phase) -> Failed:
    waited_for: TimeoutPhase
    match error:
        case TlsTimeout():
            waited_for = "tls"
        case httpx.ConnectTimeout():
            waited_for = "connect"
        case httpx.PoolTimeout():
            waited_for = "pool"
        case httpx.WriteTimeout():
            waited_for = "write"
        case HeadersTimeout():
            waited_for = "headers"
        case _:
            # The stock transport has one read timeout for both.
            waited_for = "idle" if phase == "streaming" else "headers"
    safe = waited_for in ("pool", "connect", "tls", "write") or phase in _UNSENT
    return Failed(kind="timeout", message=_WAITS[waited_for], timeout=waited_for, phase=phase, safe_to_retry=safe)


def _unconnected(error: httpx.ConnectError) -> Failed:
    cause = _system_error(error)
    advice: Advice | None = None
    match cause:
        case ssl.SSLCertVerificationError():
            advice = _NOT_HERE
            message = (
                f"The server's certificate is not trusted ({cause.verify_message}); check `base_url` and `verify`."
            )
        case ssl.SSLError():
            message = f"The TLS handshake failed{_system_text(error)}; does the server speak https?"
        case socket.gaierror():
            message = "The host's name could not be resolved; check `base_url` and the network."
        case _:
            message = f"No connection could be made{_system_text(error)}; is the server running, is `base_url` right?"
    return Failed(kind="network", message=message, advice=advice, phase="connecting", safe_to_retry=True)


def _broken_off(error: httpx.RemoteProtocolError, phase: Phase) -> Failed:
    if not str(error).startswith(_CUT_SHORT):
        return _failed("protocol", "The server's response is not valid HTTP, or exceeds a bound.", phase)
    if phase == "streaming":
        return _failed("network", "The server closed the connection in the middle of its answer.", phase)
    return _failed("network", "The server closed the connection without a whole answer.", phase)


def _failed(kind: FailureKind, message: str, phase: Phase) -> Failed:
    return Failed(kind=kind, message=message, phase=phase, safe_to_retry=phase in _UNSENT)


def _system_error(error: BaseException) -> OSError | None:
    """Find the operating system's error beneath a transport's."""
    seen: BaseException | None = error
    for _ in range(8):
        if seen is None or isinstance(seen, OSError):
            return seen
        # trio gathers the errors of several addresses in a group.
        seen = seen.exceptions[0] if isinstance(seen, BaseExceptionGroup) else seen.__cause__ or seen.__context__
    return None


def _system_text(error: Exception) -> str:
    cause = _system_error(error)
    if cause is None or not cause.strerror:
        return ""
    return f" ({cause.strerror})"
