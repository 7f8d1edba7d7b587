"""Own what Anthropic's grammar takes of a JSON Schema (anthropic.md, sections 2.3 and 2.4, read 2026-11).

For structured answers and strict tools every object must be closed, and bounds on numbers, lengths and counts
are refused. Such bounds are said in the description instead, where the model still reads them. What cannot be
said so (a map with free keys, a recursive type) has no grammar at all.
"""

from __future__ import annotations

from typing import Any

import msgspec

from manus.actors.codecs.json_text import dump

# Any, throughout this file: a schema is JSON of the caller's hand, and each piece is checked before it is used.

_KEPT = frozenset(
    {"$defs", "$ref", "definitions", "type", "enum", "const", "properties", "required", "items", "anyOf", "allOf"}
    | {"description", "title", "default", "format", "additionalProperties", "minItems"}
)
_SILENT = frozenset({"$schema", "$id", "$comment", "examples", "readOnly", "writeOnly", "deprecated"})
"""They bind nobody, so nothing is lost with them."""

_FORMATS = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid", "text"}
)
_DEPTH_MAX = 64
_UNIONS = ("anyOf", "oneOf", "allOf")


class NoGrammar(Exception):
    """The schema holds something that no grammar can be made of."""


class Grammatical(msgspec.Struct, frozen=True):
    """A schema as the grammar takes it, and the bounds that are only said in words now."""

    schema: dict[str, Any]
    loosened: tuple[str, ...]


def grammatical(raw: msgspec.Raw) -> Grammatical:
    """Close every object and put bounds into words.

    Raises:
        NoGrammar: with the reason.
    """
    schema = msgspec.json.decode(raw)
    if not isinstance(schema, dict):
        raise NoGrammar("it is no JSON object")
    _refuse_recursion(schema)
    loosened: dict[str, None] = {}
    return Grammatical(_adapted(schema, loosened, 0), tuple(loosened))


def tool_schema(raw: msgspec.Raw) -> tuple[msgspec.Raw | dict[str, Any], bool]:
    """Give a tool's schema as Anthropic takes it, and whether it had to be loosened.

    The root must say that it is an object, and must be no union: the properties of a union's members are then
    all offered, none is demanded, and the union itself stands in the description.

    Raises:
        NoGrammar: arguments of that type are no object.
    """
    schema = msgspec.json.decode(raw)
    if not isinstance(schema, dict):
        raise NoGrammar("it is no JSON object")
    if "$ref" in schema:
        schema = _with_root(schema)
        raw = msgspec.Raw(msgspec.json.encode(schema))
    unions = {name: schema[name] for name in _UNIONS if isinstance(schema.get(name), list)}
    declared = schema.get("type", "object")
    if declared != "object" and not (isinstance(declared, list) and "object" in declared):
        raise NoGrammar(f"its type is {declared!r}, and a tool's arguments are an object")
    if not unions:
        return (raw, False) if declared == "object" and "type" in schema else ({**schema, "type": "object"}, False)
    properties: dict[str, Any] = {}
    for members in unions.values():
        for member in members:
            if isinstance(member, dict) and isinstance(member.get("properties"), dict):
                properties.update(member["properties"])
    rest = {name: value for name, value in schema.items() if name not in unions}
    properties.update(schema.get("properties") or {})
    rest |= {"type": "object", "properties": properties}
    rest["description"] = _joined(schema.get("description"), f"The arguments must fit: {dump(unions)}")
    return rest, True


def _with_root(schema: dict[str, Any]) -> dict[str, Any]:
    """Put the definition that the root refers to in its place: the type has to stand at the root itself."""
    _, _, place = str(schema["$ref"]).partition("#/")
    group, _, name = place.partition("/")
    definitions = schema.get(group)
    definition = definitions.get(name) if isinstance(definitions, dict) else None
    if not isinstance(definition, dict):
        raise NoGrammar(f"it refers to {schema['$ref']!r}, which is not among its definitions")
    return {**definition, **{key: value for key, value in schema.items() if key != "$ref"}}


def _adapted(schema: dict[str, Any], loosened: dict[str, None], depth: int) -> dict[str, Any]:
    if depth > _DEPTH_MAX:
        raise NoGrammar(f"it is nested deeper than {_DEPTH_MAX} levels")
    written: dict[str, Any] = {}
    said: dict[str, Any] = {}
    for name, value in schema.items():
        if name in ("properties", "$defs", "definitions") and isinstance(value, dict):
            written[name] = {key: _member(member, loosened, depth) for key, member in value.items()}
        elif name in ("anyOf", "oneOf", "allOf") and isinstance(value, list):
            written["anyOf" if name == "oneOf" else name] = [_member(member, loosened, depth) for member in value]
        elif name == "items":
            written[name] = _member(value, loosened, depth)
        elif name == "additionalProperties":
            if value is not False and value is not True:
                raise NoGrammar("an object of it has free keys")
        elif (name == "format" and value not in _FORMATS) or (name == "minItems" and value not in (0, 1)):
            said[name] = value
        elif name in _KEPT:
            written[name] = value
        elif name not in _SILENT:
            said[name] = value
    if written.get("type") == "object" or "properties" in written:
        if not written.get("properties") and schema.get("additionalProperties") is not False:
            raise NoGrammar("an object of it has free keys")
        written["additionalProperties"] = False
    if said:
        loosened.update(dict.fromkeys(said))
        written["description"] = _joined(schema.get("description"), dump(said))
    return written


def _member(schema: Any, loosened: dict[str, None], depth: int) -> dict[str, Any]:
    if not isinstance(schema, dict):
        raise NoGrammar("a part of it is no JSON object")
    return _adapted(schema, loosened, depth + 1)


def _joined(description: Any, more: str) -> str:
    return f"{description}\n{more}" if isinstance(description, str) and description else more


def _refuse_recursion(schema: dict[str, Any]) -> None:
    """Follow the references between definitions; a circle has no grammar, nor has one that leads elsewhere."""
    places = {f"#/{group}/{name}": body for group in ("$defs", "definitions") for name, body in _group(schema, group)}
    followed: dict[str, bool] = {}

    def follow(place: str) -> None:
        if place not in places:
            raise NoGrammar(f"it refers to {place!r}, which is not among its definitions")
        if place in followed:
            if not followed[place]:
                raise NoGrammar(f"{place!r} refers to itself")
            return
        followed[place] = False
        for target in _references(places[place]):
            follow(target)
        followed[place] = True

    for target in _references({key: value for key, value in schema.items() if key not in ("$defs", "definitions")}):
        follow(target)
    for place in places:
        follow(place)


def _group(schema: dict[str, Any], name: str) -> list[tuple[str, Any]]:
    group = schema.get(name)
    return list(group.items()) if isinstance(group, dict) else []


def _references(schema: Any) -> list[str]:
    waiting, found = [schema], []
    while waiting:
        piece = waiting.pop()
        if isinstance(piece, dict):
            reference = piece.get("$ref")
            if isinstance(reference, str):
                found.append(reference)
            waiting.extend(piece.values())
        elif isinstance(piece, list):
            waiting.extend(piece)
    return found
