"""Own what adapters publish on the event bus: frozen facts, without prompts and without secrets."""

from __future__ import annotations

import msgspec

from manus.ipc.session import Why


class HostConnected(msgspec.Struct, frozen=True, kw_only=True):
    """A host is served. `pid` is its process, where the kernel tells."""

    connection: str
    pid: int | None = None


class HostLeft(msgspec.Struct, frozen=True, kw_only=True):
    """A connection came to its end; every request on it was answered."""

    connection: str
    why: Why
    served: int


class HostRefused(msgspec.Struct, frozen=True, kw_only=True):
    """A connection was closed at once: another user's, or one too many."""

    reason: str
    uid: int | None = None


class SessionBuried(msgspec.Struct, frozen=True, kw_only=True):
    """A session crashed; its successor has answered for the requests that it left open."""

    requests: int


class RequestFailedInside(msgspec.Struct, frozen=True, kw_only=True):
    """A defect of ours ended one request, which was told so; the connection goes on."""

    connection: str
    method: str
    error: str
    traceback: str


class NotificationIgnored(msgspec.Struct, frozen=True, kw_only=True):
    """A notification could not be acted upon. Said once per connection and method."""

    connection: str
    method: str
    reason: str


class AcceptingPaused(msgspec.Struct, frozen=True, kw_only=True):
    """The system has no room for another connection at present; it is tried again."""

    error: str
