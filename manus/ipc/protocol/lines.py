"""Own the writing of lines: one object each, valid UTF-8, with its LF.

Events are the hot path: they are put together out of a Struct, without a dictionary between. What UTF-8 cannot carry
(a lone surrogate that a vendor sent) is found by the encoder itself, and only then is the text cleaned.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from manus.ipc.protocol.errors import ErrorObject
from manus.ipc.protocol.frames import Id
from manus.ipc.protocol.plain_words import whole
from manus.ipc.protocol.results import wire_result
from manus.responses import StreamChunk

_ENCODER: Final = msgspec.json.Encoder()


def reply_line(request_id: Id, result: object) -> bytes:
    """Write the reply of a success; `result` is an object of the face, or plain data."""
    return b'{"jsonrpc":"2.0","id":%b,"result":%b}\n' % (encode(request_id), encode(wire_result(result)))


def error_line(request_id: Id | None, error: ErrorObject) -> bytes:
    """Write the reply of a failure; None where the request's id could not be read, or would be ambiguous."""
    return b'{"jsonrpc":"2.0","id":%b,"error":%b}\n' % (encode(request_id), encode(error))


def event_line(request_id: Id, seq: int, chunk: StreamChunk) -> bytes:
    """Write one event of a stream."""
    return b'%b%d,"event":%b}}\n' % (event_prefix(request_id), seq, event_json(chunk))


def event_prefix(request_id: Id) -> bytes:
    """Write what every event of one stream begins with; its number follows."""
    return b'{"jsonrpc":"2.0","method":"stream.event","params":{"id":%b,"seq":' % encode(request_id)


def event_json(chunk: StreamChunk) -> bytes:
    """Write what a chunk brings: as `StreamChunk.to_dict` has it."""
    if chunk.kind == "delta":
        if chunk.index:
            return b'{"kind":"delta","delta":%b,"index":%d}' % (encode(chunk.delta), chunk.index)
        return b'{"kind":"delta","delta":%b}' % encode(chunk.delta)
    # The Struct leaves out what is at its default: `delta` is empty in every kind but one.
    return b'{"delta":"",%b' % encode(chunk)[1:]


def encode(value: object) -> bytes:
    """Write a value as JSON on one line, whatever text is in it."""
    try:
        return _ENCODER.encode(value)
    except UnicodeEncodeError:
        return _ENCODER.encode(_mended(msgspec.to_builtins(value)))


def _mended(value: Any) -> Any:  # Any: plain data, as JSON has it
    match value:
        case str():
            return whole(value)
        case dict():
            return {whole(name): _mended(each) for name, each in value.items()}
        case list() | tuple():
            return [_mended(each) for each in value]
        case _:
            return value
