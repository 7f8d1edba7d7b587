"""Own the answers of one JSON-RPC request."""

from __future__ import annotations

from typing import final

from manus.ipc.protocol.errors import error_object
from manus.ipc.protocol.frames import Id
from manus.ipc.protocol.lines import error_line, event_json, event_prefix, reply_line
from manus.ipc.protocol.methods import param_names
from manus.ipc.refusals import DuplicateId, Refusal
from manus.responses import StreamChunk


@final
class JsonRpcVoice:
    """Writes for the request of one id."""

    __slots__ = ("_id", "_method", "_prefix")

    needs_greeting = True

    def __init__(self, request_id: Id, method: str = "") -> None:
        self._id = request_id
        self._method = method
        self._prefix: bytes | None = None

    def result(self, result: object) -> bytes:
        """Write the reply."""
        return reply_line(self._id, result)

    def failure(self, error: Exception) -> bytes:
        """Write the error. That of a second request with an id in flight bears none: the first one's reply does."""
        made = error_object(error, names=param_names(self._method))
        return error_line(None if isinstance(error, DuplicateId) else self._id, made)

    def event(self, seq: int, chunk: StreamChunk) -> bytes:
        """Write one event."""
        if self._prefix is None:
            self._prefix = event_prefix(self._id)
        return b'%b%d,"event":%b}}\n' % (self._prefix, seq, event_json(chunk))


def refusal_line(refusal: Refusal) -> bytes:
    """Write the error of a line that was not even read, or of the connection itself."""
    return error_line(None, error_object(refusal))
