"""Own the refusals of the connection itself: what it says to a host before, or in place of, an answer of the agent.

Each is an exception with the code, the kind and the further facts that a dialect puts on the wire
(`docs/ipc.md`, "Errors"). None of them holds anything of a prompt.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar


class Refusal(Exception):
    """What a connection refuses, or can no longer answer.

    Attributes:
        code: of JSON-RPC.
        kind: in one word, for programs.
        retryable: whether the same request may be made again, here or on another connection.
        retry_after_s: when, where that is known.
        facts: what else goes into `data`.
        request_id: the ledger's id, where the request had become one.
    """

    code: ClassVar[int] = -32603
    kind: ClassVar[str] = "internal"
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        retry_after_s: float | None = None,
        facts: Mapping[str, object] | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.facts: Mapping[str, object] = facts or {}
        self.request_id = request_id


class FrameTooLarge(Refusal):
    """A line is longer than it may be; it was skipped to its end."""

    code = -32700
    kind = "frame_too_large"

    def __init__(self, bytes_max: int) -> None:
        message = f"the line is longer than {bytes_max} bytes (ipc.frame_bytes_max) and was skipped to its end"
        super().__init__(message, facts={"frame_bytes_max": bytes_max})


class UnfinishedLine(Refusal):
    """The host's end of the pipe was closed in the middle of a line, which therefore was not acted upon."""

    code = -32700
    kind = "unfinished_line"

    def __init__(self) -> None:
        super().__init__("the stream ended in the middle of a line; what has no line end is not acted upon")


class DuplicateId(Refusal):
    """A request with this id is in flight on the connection."""

    code = -32600
    kind = "duplicate_id"

    def __init__(self, request_id: object) -> None:
        super().__init__("a request with this id is in flight; use each id for one request at a time")
        self.facts = {"id": request_id}


class NotInitialized(Refusal):
    """The first request of JSON-RPC must be `initialize`."""

    code = -32010
    kind = "not_initialized"

    def __init__(self) -> None:
        super().__init__("send `initialize` first")


class AlreadyInitialized(Refusal):
    """`initialize` came twice."""

    code = -32011
    kind = "already_initialized"

    def __init__(self) -> None:
        super().__init__("`initialize` was answered before on this connection")


class UnsupportedVersion(Refusal):
    """`initialize` asked for a protocol version that is not spoken here."""

    code = -32012
    kind = "unsupported_version"

    def __init__(self, asked: object, supported: tuple[int, ...]) -> None:
        listed = ", ".join(map(str, supported))
        message = f"protocol version {asked} is not spoken here; there is {listed}"
        super().__init__(message, facts={"supported": list(supported)})


class Overloaded(Refusal):
    """Too many requests are in flight on the connection, or too many connections are open; nothing was done."""

    code = -32000
    kind = "overloaded"
    retryable = True


class Stopping(Refusal):
    """The server, or this connection, is on its way out and takes nothing new."""

    code = -32013
    kind = "stopping"
    retryable = True

    def __init__(self) -> None:
        super().__init__("the server is stopping and takes no new requests")


class RequestCancelled(Refusal):
    """The request was cancelled before anything reached a provider."""

    code = -32800
    kind = "cancelled"


class CutOff(Refusal):
    """The connection came to its end before the request did, which had been cancelled for it in time."""

    code = -32009
    kind = "in_doubt"

    def __init__(self, request_id: str | None) -> None:
        super().__init__(
            "the connection ended before the request did; the books have what was sent (request.status)",
            request_id=request_id,
        )


class ConnectionCrashed(Refusal):
    """A defect of ours ended the connection's session with the request in hand. The books have what was sent."""

    code = -32009
    kind = "actor_crashed"

    def __init__(self, request_id: str | None) -> None:
        super().__init__(
            "the session crashed with the request in hand; the books have what was sent (request.status)",
            request_id=request_id,
        )
