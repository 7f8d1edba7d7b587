"""Own the JSON Schema of the protocol (draft 2020-12), made from the Structs that read and write it. Pure.

`$defs` has one schema per kind of line: `request:generate`, `reply:generate`, `notification:$/credit`, `event`,
`error`, and the short form's and the engine's. A whole line of either side fits the schema itself.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from manus.ipc.dialects import engine
from manus.ipc.dialects.short_form import COMMANDS
from manus.ipc.protocol import params as p
from manus.ipc.protocol.errors import NAME_OF, ErrorObject
from manus.ipc.protocol.methods import EVENT, METHODS, NOTIFICATIONS, PROTOCOL_VERSION
from manus.ipc.protocol.results import Event

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

_ENGINE_ASKS: Final[dict[str, tuple[int, Any]]] = {
    "engine:REQUEST": (engine.REQUEST, engine.RequestPayload),
    "engine:HEALTH_CHECK": (engine.HEALTH_CHECK, dict[str, Any]),
}
_ENGINE_TELLS: Final[dict[str, tuple[int, Any]]] = {
    "engine:RESPONSE": (engine.RESPONSE, engine.ResponsePayload),
    "engine:STREAM_CHUNK": (engine.STREAM_CHUNK, engine.ChunkPayload),
    "engine:ERROR": (engine.ERROR, engine.ErrorPayload),
    "engine:HEALTH_RESPONSE": (engine.HEALTH_RESPONSE, dict[str, Any]),
}

Schema = dict[str, Any]
"""Any: JSON Schema."""


def protocol_schema() -> Schema:
    """Make the schema of every line that either side may write."""
    made = _Made()
    asks = {
        **{f"request:{name}": _request(name, made.of(method.params)) for name, method in METHODS.items()},
        **{f"notification:{name}": _notification(name, made.of(kind)) for name, kind in NOTIFICATIONS.items()},
        **{f"command:{name}": _command(name, made.of(METHODS[method].params)) for name, method in COMMANDS.items()},
        **{name: _envelope(kind, made.of(payload), exact=False) for name, (kind, payload) in _ENGINE_ASKS.items()},
    }
    tells = {
        **{f"reply:{name}": _reply(made.of(method.result)) for name, method in METHODS.items()},
        "error": _error(made.of(ErrorObject)),
        "event": _event(made.of(Event)),
        **{f"success:{name}": _success(made.of(METHODS[method].result)) for name, method in COMMANDS.items()},
        "failure": _failure(made.of(ErrorObject)),
        "chunk": _chunk(made.of(Event)),
        **{name: _envelope(kind, made.of(payload), exact=True) for name, (kind, payload) in _ENGINE_TELLS.items()},
    }
    return {
        "$schema": DIALECT,
        "$id": f"urn:manus:protocol:{PROTOCOL_VERSION}",
        "title": "The protocol of `manus serve`",
        "description": "One JSON object per line. `docs/ipc.md` tells what each line means, and when it comes.",
        "anyOf": [_ref(name) for name in (*asks, *tells)],
        "x-methods": {
            name: {
                "description": method.does,
                "params": _ref(f"request:{name}") | {"description": "the whole line"},
                "result": _ref(f"reply:{name}") | {"description": "the whole line"},
            }
            for name, method in METHODS.items()
        },
        "x-error-codes": {str(code): name for code, name in NAME_OF.items()},
        "$defs": {**asks, **tells, **made.components()},
    }


class _Made:
    """The schemas of Structs, each of which stands in `$defs` once.

    Asked for before it is known what stands there, a Struct gets its reference by its place in the list.
    """

    def __init__(self) -> None:
        self._kinds: list[Any] = []

    def of(self, kind: Any) -> Schema:  # Any: types are values here
        """Give the schema of a type: a reference, for Structs."""
        self._kinds.append(kind)
        (schema,), _ = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
        return schema

    def components(self) -> dict[str, Schema]:
        """Give all that was referred to."""
        _, components = msgspec.json.schema_components(self._kinds, ref_template="#/$defs/{name}")
        return {name: components[name] for name in sorted(components)}


def _ref(name: str) -> Schema:
    # `~` and `/` have a meaning of their own in a reference, and `$` needs none.
    return {"$ref": "#/$defs/" + name.replace("~", "~0").replace("/", "~1")}


def _line(properties: dict[str, Schema], required: tuple[str, ...]) -> Schema:
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


def _rpc(properties: dict[str, Schema], required: tuple[str, ...]) -> Schema:
    return _line({"jsonrpc": {"const": "2.0"}, **properties}, ("jsonrpc", *required))


def _id() -> Schema:
    schema: Schema = msgspec.json.schema(p.Id)
    return schema


def _request(name: str, params: Schema) -> Schema:
    needed = ("params",) if _needs_params(METHODS[name].params) else ()
    return _rpc({"id": _id(), "method": {"const": name}, "params": params}, ("id", "method", *needed))


def _notification(name: str, params: Schema) -> Schema:
    needed = ("params",) if _needs_params(NOTIFICATIONS[name]) else ()
    return _rpc({"method": {"const": name}, "params": params}, ("method", *needed))


def _needs_params(kind: type[p.Params]) -> bool:
    return issubclass(kind, p.GenerateParams) or any(field.required for field in msgspec.structs.fields(kind))


def _reply(result: Schema) -> Schema:
    return _rpc({"id": _id(), "result": result}, ("id", "result"))


def _error(error: Schema) -> Schema:
    return _rpc({"id": {"anyOf": [_id(), {"type": "null"}]}, "error": error}, ("id", "error"))


def _event(event: Schema) -> Schema:
    seq = {"type": "integer", "minimum": 0}
    params = _line({"id": _id(), "seq": seq, "event": event}, ("id", "seq", "event"))
    return _rpc({"method": {"const": EVENT}, "params": params}, ("method", "params"))


def _command(name: str, params: Schema) -> Schema:
    needed = ("params",) if _needs_params(METHODS[COMMANDS[name]].params) else ()
    return _line({"command": {"const": name}, "params": params, "id": _id()}, ("command", *needed))


def _success(response: Schema) -> Schema:
    return _line({"status": {"const": "success"}, "response": response, "id": _id()}, ("status", "response"))


def _failure(error: Schema) -> Schema:
    return _line({"status": {"const": "error"}, "error": error, "id": _id()}, ("status", "error"))


def _chunk(chunk: Schema) -> Schema:
    return _line({"status": {"const": "chunk"}, "chunk": chunk, "id": _id()}, ("status", "chunk"))


def _envelope(kind: int, payload: Schema, *, exact: bool) -> Schema:
    """Describe an envelope; the engine's own may have more members, and leave out what nobody needs."""
    properties: dict[str, Schema] = {
        "id": {"type": "string"},
        "type": {"const": kind},
        "timestamp": {"type": "integer"} if exact else {},
        "payload": payload,
    }
    if exact:
        return _line(properties, ("id", "type", "timestamp", "payload"))
    return {"type": "object", "properties": {**properties, "id": {}}, "required": ["type", "payload"]}
