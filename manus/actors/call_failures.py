"""Own the failures that a call finds itself: waits that ran out, ends without evidence, callers who do not read."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from manus.actors.assembly import Assembly
from manus.messages.failures import Advice, Failed, TimeoutPhase

WAITS: dict[TimeoutPhase, str] = {
    "connect": "No connection was made in time.",
    "tls": "The TLS handshake was not finished in time.",
    "write": "The request could not be written in time.",
    "pool": "No connection was free in time.",
    "headers": "The server took the request and did not answer.",
    "first_content": "The answer began and no content came.",
    "idle": "The answer stopped coming.",
    "finish": "The answer said that it was over, and its end did not come.",
    "total": "The answer took longer than one attempt may.",
}
"""What happened when a named wait ran out."""


PASSED_OVER = Advice("no", "yes", False)
"""A wait that is shorter than the configured one says nothing of its deployment, unless it was long by itself."""


def redacted(failure: Failed, redact: Callable[[str], str]) -> Failed:
    """Strike secrets out of all that a server may have said in a failure: some repeat the key they were shown."""
    words = {field: getattr(failure, field) for field in ("message", "code", "param", "vendor_request_id")}
    return msgspec.structs.replace(failure, **{field: redact(word) for field, word in words.items() if word})


def timed_out(waited_for: TimeoutPhase, *, after_s: float) -> Failed:
    """A named wait ran out, so many seconds after the attempt began."""
    return Failed(
        kind="timeout",
        timeout=waited_for,
        message=f"{WAITS[waited_for]} The attempt was given up after {after_s:.3g} s (`timeouts.{waited_for}_s`).",
    )


def passed_over(waited_for: TimeoutPhase, *, after_s: float) -> Failed:
    """It was silent for its share of the request's time, while somebody else could be asked."""
    return Failed(
        kind="timeout",
        timeout=waited_for,
        advice=PASSED_OVER,
        message=f"{WAITS[waited_for]} The attempt was given up after {after_s:.3g} s, so that another one has time "
        "within the request's (`timeout_s`).",
    )


def without_evidence() -> Failed:
    """The body is over, and nothing says that the answer is."""
    return Failed(
        kind="incomplete",
        message="The answer ended without the vendor's end marker or a finish reason: it may be cut short.",
    )


def verdict_of(assembly: Assembly | None) -> Failed | None:
    """Believe the end of an answer that has begun only on evidence; None where it is whole."""
    assert assembly is not None
    if assembly.failure is not None:
        return assembly.failure
    return without_evidence() if assembly.ended is None or assembly.ended.evidence == "none" else None


def stalled() -> Failed:
    """The caller does not read."""
    return Failed(
        kind="slow_consumer",
        message="The caller did not read its stream for longer than `consumer_stall_s`; the stream was given up.",
    )


def web_page() -> Failed:
    """Somebody else's server answered."""
    return Failed(
        kind="protocol",
        message="The server answered with a web page instead of an API response; check `base_url` and proxies.",
    )
