"""Own the way from a line to what it asks: in the words of JSON-RPC's methods, whatever its dialect, with its voice."""

from __future__ import annotations

from typing import Final, assert_never

from msgspec import UNSET

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
from manus.ipc.protocol.errors import BadParams, ErrorObject, UnknownMethod, protocol_error
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
            voice = JsonRpcVoice(request_id)
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
        case frames.Malformed(dialect=dialect, error=error, id=given_id):
            return Malformed(reply=_said_of(dialect, error, given_id))
        case None:
            return None
        case _:
            assert_never(frame)


def _short(frame: frames.ShortForm) -> Asked | Malformed:
    voice = ShortVoice(frame.id)
    try:
        method = method_of(frame.command)
    except UnknownMethod as error:
        return Malformed(reply=voice.failure(error))
    key = None if frame.id is UNSET else ("short", frame.id)
    return Asked(key=key, method=method, params=frame.params, voice=voice, ordered=key is None)


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


def _said_of(dialect: frames.DialectName, error: ErrorObject, given_id: object) -> bytes:
    match dialect:
        case "json-rpc":
            return error_line(None, error)
        case "short":
            return ShortVoice(given_id if isinstance(given_id, str | int) else UNSET).malformed(error)
        case "engine":
            return engine_error("", "", error.message)
        case _:
            assert_never(dialect)
