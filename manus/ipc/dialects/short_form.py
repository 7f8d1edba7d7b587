"""Own the short form: `{"command": "generate", "params": {...}}`, for a host that wants an answer and no more.

`{"status": "success", "response": {...}}` or `{"status": "error", "error": {...}}` comes back, and for `stream` before
it a line `{"status": "chunk", "chunk": {...}}` for each piece. An `id` is echoed if there was one; requests without it
are answered in their order. There is no handshake, no cancelling and no credit; a host that wants them speaks JSON-RPC.
"""

from __future__ import annotations

from typing import Final, final

from msgspec import UNSET, UnsetType

from manus.config.did_you_mean import closest, listing
from manus.ipc.protocol.errors import UnknownMethod, error_object
from manus.ipc.protocol.frames import Id
from manus.ipc.protocol.lines import encode, event_json
from manus.ipc.protocol.methods import param_names
from manus.ipc.protocol.plain_words import shown
from manus.ipc.protocol.results import wire_result
from manus.ipc.refusals import DuplicateId
from manus.responses import StreamChunk

COMMANDS: Final = {
    "generate": "generate",
    "stream": "stream",
    "chat": "chat",
    "providers": "providers.list",
    "switch": "providers.switch",
    "stats": "usage.stats",
    "health": "health",
}
"""The method behind each command; its params and its response are the method's params and result."""


@final
class ShortVoice:
    """Writes for one command."""

    __slots__ = ("_method", "_tail")

    needs_greeting = False

    def __init__(self, request_id: Id | UnsetType = UNSET, method: str = "") -> None:
        self._method = method
        self._tail = b"}\n" if request_id is UNSET else b',"id":%b}\n' % encode(request_id)

    def result(self, result: object) -> bytes:
        """Write the response."""
        return b'{"status":"success","response":%b%b' % (encode(wire_result(result)), self._tail)

    def failure(self, error: Exception) -> bytes:
        """Write the error. That of a second command with an id in flight bears none: the first one's response does."""
        tail = b"}\n" if isinstance(error, DuplicateId) else self._tail
        made = error_object(error, names=param_names(self._method))
        return b'{"status":"error","error":%b%b' % (encode(made), tail)

    def event(self, seq: int, chunk: StreamChunk) -> bytes:  # the short form numbers nothing
        """Write one piece; nothing is numbered here."""
        return b'{"status":"chunk","chunk":%b%b' % (event_json(chunk), self._tail)


def method_of(command: str) -> str:
    """Give the method behind a command.

    Raises:
        UnknownMethod: there is no such command.
    """
    method = COMMANDS.get(command)
    if method is None:
        near = closest(command, COMMANDS)
        hint = f"did you mean '{near}'?" if near else f"there is {listing(COMMANDS)}"
        raise UnknownMethod(f"Unknown command: there is no {shown(command)}; {hint}", did_you_mean=near)
    return method
