"""Own the shapes of a line: which dialect it speaks, what kind of message it is, or what is wrong with it.

What a method's params must be is not known here (`params`). Pure, and never raises: whatever the bytes are, the line
after them is read as if they had never been.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, TypeGuard

import msgspec
from msgspec import UNSET, UnsetType

from manus.config.did_you_mean import suggestion
from manus.ipc.protocol.errors import ErrorObject, protocol_error
from manus.ipc.protocol.json_text import BadJson, decode
from manus.ipc.protocol.plain_words import kind_of, shown

ID_CHARS_MAX: Final = 128
ID_NUMBER_MAX: Final = 2**53
"""Whole numbers beyond it are not the same in every language's JSON."""

METHOD_CHARS_MAX: Final = 128

Id = str | int
"""What a host calls a request, to know its reply by."""

DialectName = Literal["json-rpc", "short", "engine"]

_JSON_RPC_MEMBERS: Final = ("jsonrpc", "id", "method", "params")
_SHORT_MEMBERS: Final = ("command", "params", "id")


class Request(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """JSON-RPC: wants one reply. `params` is JSON as it came, UNSET where it was left out."""

    id: Id
    method: str
    params: object = UNSET


class Notification(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """JSON-RPC: wants no reply, whatever becomes of it."""

    method: str
    params: object = UNSET


class ShortForm(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """`{"command": ...}`: wants one reply, in its turn where it has no id."""

    command: str
    params: object = UNSET
    id: Id | UnsetType = UNSET


class EngineMessage(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The Atomic Engine's envelope. `id` is the envelope's; what its client goes by is the `request_id` inside."""

    type: int
    payload: Mapping[str, Any]  # Any: JSON, as the engine made it
    id: str = ""


class Malformed(msgspec.Struct, frozen=True, kw_only=True):
    """A line that is no message of any dialect: what is wrong, and how far its dialect and id could be told."""

    error: ErrorObject
    dialect: DialectName = "json-rpc"
    id: Id | UnsetType = UNSET


Frame = Request | Notification | ShortForm | EngineMessage | Malformed


def parse(line: bytes) -> Frame | None:
    """Tell what a line is; None where it is blank, which means nothing in any dialect."""
    if not line or line.isspace():
        return None
    try:
        frame = decode(line)
    except BadJson as error:
        return Malformed(error=protocol_error(-32700, error.kind, f"Parse error: {error}"))
    if type(frame) is not dict:
        if type(frame) is list:
            return _invalid("batches are not taken: send each request on a line of its own")
        return _invalid(f"expected an object; got {kind_of(frame)}")
    if "jsonrpc" in frame:
        return _json_rpc(frame)
    if "command" in frame:
        return _short_form(frame)
    if "payload" in frame and type(frame.get("type")) is int:
        return _engine(frame)
    hint = 'add "jsonrpc": "2.0"' if "method" in frame else 'expected "jsonrpc", "command", or "type" and "payload"'
    return _invalid(f"the object is of no dialect: {hint}", given_id=frame.get("id", UNSET))


def _json_rpc(frame: dict[str, Any]) -> Frame:  # Any: JSON, as the host made it
    given_id, method = frame.get("id", UNSET), frame.get("method")
    if frame["jsonrpc"] != "2.0":
        return _invalid('jsonrpc: expected "2.0"', given_id=given_id)
    if given_id is not UNSET and not is_id(given_id):
        return _invalid(f"id: expected a text of 1 to {ID_CHARS_MAX} characters or a whole number within 2^53")
    if type(method) is not str:
        what = "is missing" if "method" not in frame else f"expected text; got {kind_of(method)}"
        return _invalid(f"method: {what}", given_id=given_id)
    for name in frame:
        if name not in _JSON_RPC_MEMBERS:
            return _invalid(_unknown_member(name, _JSON_RPC_MEMBERS), given_id=given_id)
    params = frame.get("params", UNSET)
    if given_id is UNSET:
        return Notification(method=method, params=params)
    return Request(id=given_id, method=method, params=params)


def _short_form(frame: dict[str, Any]) -> Frame:  # Any: JSON, as the host made it
    given_id, command = frame.get("id", UNSET), frame["command"]
    if given_id is not UNSET and not is_id(given_id):
        expected = f"a text of 1 to {ID_CHARS_MAX} characters or a whole number within 2^53"
        return _invalid(f"id: expected {expected}", dialect="short")
    if type(command) is not str:
        return _invalid(f"command: expected text; got {kind_of(command)}", dialect="short", given_id=given_id)
    for name in frame:
        if name not in _SHORT_MEMBERS:
            return _invalid(_unknown_member(name, _SHORT_MEMBERS), dialect="short", given_id=given_id)
    return ShortForm(command=command, params=frame.get("params", UNSET), id=given_id)


def _engine(frame: dict[str, Any]) -> Frame:  # Any: JSON, as the engine made it
    """Take an envelope. Members that are not known are left alone: the engine's own code decides what it sends."""
    payload, given_id = frame["payload"], frame.get("id")
    if type(payload) is not dict:
        return _invalid(f"payload: expected an object; got {kind_of(payload)}", dialect="engine")
    return EngineMessage(type=frame["type"], payload=payload, id=given_id if type(given_id) is str else "")


def is_id(value: object) -> TypeGuard[Id]:
    """Say whether a request may be called so: every peer must be able to read it back as it was."""
    if type(value) is int:
        return -ID_NUMBER_MAX <= value <= ID_NUMBER_MAX
    if type(value) is not str or not 0 < len(value) <= ID_CHARS_MAX:
        return False
    return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)


def key_of(request_id: Id) -> tuple[str, Id]:
    """Give what tells a JSON-RPC request from all others in flight on a connection."""
    return ("rpc", request_id)


def _unknown_member(name: str, known: tuple[str, ...]) -> str:
    return f"there is no member {shown(name)}{suggestion(name, known)}"


def _invalid(reason: str, *, dialect: DialectName = "json-rpc", given_id: object = UNSET) -> Malformed:
    known_id = given_id if is_id(given_id) else UNSET
    error = protocol_error(-32600, "invalid_request", f"Invalid Request: {reason}", id=known_id)
    return Malformed(error=error, dialect=dialect, id=known_id)
