"""Own the way from a line to what it asks: in the words of JSON-RPC's methods, whatever its dialect, with its voice."""

from __future__ import annotations

from typing import Final, assert_never

from msgspec import UNSET, UnsetType

from manus.ipc.dialects.engine import (
    HEALTH_CHECK,
    REQUEST,
    EngineHealthVoice,
    EngineVoice,
    engine_error,
    params_of_payload,
    request_id_in,
    request_of,
)
from manus.ipc.dialects.json_rpc import JsonRpcVoice
from manus.ipc.dialects.short_form import ShortVoice, method_of
from manus.ipc.protocol import frames
from manus.ipc.protocol.errors import BadParams, InvalidFrame, UnknownMethod, protocol_error
from manus.ipc.protocol.lines import error_line
from manus.ipc.voice import Asked, Malformed, Told

_EXIT: Final = "Unknown method: 'exit' is a notification; send it without an id, or ask for `shutdown`"


def read(line: bytes, *, engine: bool) -> Asked | Told | Malformed | None:
    """Tell what a line asks; None where it is blank. Never raises.

    Args:
        line: with or without its end.
        engine: whether the Atomic Engine's envelope is spoken on this connection.
    """
    frame = frames.parse(line)
    match frame:
        case frames.Request(id=request_id, method=method, params=params):
            voice = JsonRpcVoice(request_id, method)
            if method == "exit":
                return Malformed(reply=voice.failure(UnknownMethod(_EXIT)))
            return Asked(key=frames.key_of(request_id), method=method, params=params, voice=voice)
        case frames.Notification(method=method, params=params):
            return Told(method=method, params=params)
        case frames.ShortForm():
            return _short(frame)
        case frames.EngineMessage() if engine:
            return _engine(frame)
        case frames.EngineMessage():
            message = "Invalid Request: the engine's envelope is spoken on the Unix socket (manus serve --unix PATH)"
            return Malformed(reply=error_line(None, protocol_error(-32600, "invalid_request", message)))
        case frames.Malformed():
            return _malformed(frame)
        case None:
            return None
        case _:
            assert_never(frame)


def _short(frame: frames.ShortForm) -> Asked:
    refused: UnknownMethod | None = None
    method = frame.command
    try:
        method = method_of(frame.command)
    except UnknownMethod as error:
        refused = error
    return _in_short(frame.id, method, frame.params, refused)


def _in_short(given_id: frames.Id | UnsetType, method: str, params: object, refused: Exception | None) -> Asked:
    """Take a command in; without an id it is answered in its turn, also where it is refused."""
    key = None if given_id is UNSET else ("short", given_id)
    voice = ShortVoice(given_id, method)
    return Asked(key=key, method=method, params=params, voice=voice, ordered=key is None, refused=refused)


def _engine(message: frames.EngineMessage) -> Asked | Malformed:
    request_id = request_id_in(message.payload)
    if message.type == HEALTH_CHECK:
        return Asked(key=None, method="health", params=UNSET, voice=EngineHealthVoice(message.id, request_id))
    if message.type != REQUEST:
        wrong = f"type: expected {REQUEST} (REQUEST) or {HEALTH_CHECK} (HEALTH_CHECK)"
        return Malformed(reply=engine_error(message.id, request_id, wrong))
    streamed = message.payload.get("stream") is True
    voice = EngineVoice(message.id, request_id, streamed=streamed)
    try:
        payload = request_of(message)
    except BadParams as error:
        return Malformed(reply=voice.failure(error))
    method = "stream" if payload.stream else "generate"
    return Asked(key=("engine", request_id), method=method, params=params_of_payload(payload), voice=voice)


def _malformed(frame: frames.Malformed) -> Asked | Malformed:
    match frame.dialect:
        case "json-rpc":
            return Malformed(reply=error_line(None, frame.error))
        case "short":
            return _in_short(frame.id, "", UNSET, InvalidFrame(frame.error))
        case "engine":
            return Malformed(reply=engine_error("", "", frame.error.message))
        case _:
            assert_never(frame.dialect)
