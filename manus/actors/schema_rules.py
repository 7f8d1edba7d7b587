"""Own what may be wrong with a JSON Schema before a vendor says so: references that lead nowhere, and strict mode.

Pure; answers are remembered per schema, because programs send the same few. A problem names the place inside the
schema, in the notation of a path (`properties.age.items`), and the mend.

OpenAI's strict mode (openai.md, section 2.2): the root is an object and no union, every object closes itself with
`additionalProperties: false` and requires all of its properties; what may be absent is a union with null.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import msgspec

KEPT = 512
"""Schemas remembered."""

NODES_MAX = 20_000
"""Nested schemas looked at; OpenAI takes 5,000 properties. What lies beyond is the vendor's to judge."""

_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_MAPS = ("properties", "$defs", "definitions", "patternProperties", "dependentSchemas")
_SINGLE = ("items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames")
_REFUSED = ("not", "if", "then", "else", "dependentSchemas", "dependentRequired", "patternProperties", "propertyNames")
_REFUSED_UNIONS = ("allOf", "oneOf")

# Any, throughout this file: a schema is JSON of the caller's hand, and each piece is checked before it is used.
_Node = tuple[str, dict[str, Any]]
"""A place in a schema, and the schema there."""


@lru_cache(maxsize=KEPT)
def dangling_reference(raw: bytes) -> str:
    """Say which reference of a schema leads nowhere; empty where all lead somewhere.

    Only references into the schema itself can be followed by a vendor.
    """
    schema = _decoded(raw)
    if schema is None or b"$ref" not in raw:
        return ""
    for place, node in _nodes(schema):
        reference = node.get("$ref")
        if isinstance(reference, str) and not _leads_somewhere(schema, reference):
            return f"{_at(place, '$ref')} leads nowhere: define what it names under $defs, or put it in its place"
    return ""


@lru_cache(maxsize=KEPT)
def not_strict(raw: bytes) -> str:
    """Say what strict mode refuses in a schema; empty where it fits."""
    schema = _decoded(raw)
    if schema is None:
        return ""
    if schema.get("type") != "object" or "anyOf" in schema:
        return "its root must be an object and no union: wrap it into a property"
    for place, node in _nodes(schema):
        problem = _not_strict_here(place, node)
        if problem:
            return problem
    return ""


def _not_strict_here(place: str, node: dict[str, Any]) -> str:
    for keyword in (*_REFUSED, *_REFUSED_UNIONS):
        if keyword in node:
            return f"{_at(place, keyword)} is a keyword that it does not take: say it otherwise"
    declared = node.get("type")
    is_object = declared == "object" or (isinstance(declared, list) and "object" in declared)
    if not is_object and "properties" not in node:
        return ""
    where = place or "its root"
    if node.get("additionalProperties") is not False:
        return f'{where} must close itself: add "additionalProperties": false'
    properties, required = node.get("properties"), node.get("required")
    names = set(properties) if isinstance(properties, dict) else set()
    missing = names - set(required if isinstance(required, list) else ())
    if missing:
        name = min(missing)
        return (
            f'{where} must require all of its properties: add {name!r} to "required" (a union with null may be absent)'
        )
    return ""


def _nodes(schema: dict[str, Any]) -> Iterator[_Node]:
    """Walk over all schemas inside a schema, without recursion and within a bound."""
    waiting: list[_Node] = [("", schema)]
    for _ in range(NODES_MAX):
        if not waiting:
            return
        place, node = waiting.pop()
        yield place, node
        inner: list[tuple[str, object]] = [(_at(place, keyword), node.get(keyword)) for keyword in _SINGLE]
        for keyword in _MAPS:
            held = node.get(keyword)
            if isinstance(held, dict):
                inner.extend((f"{_at(place, keyword)}.{name}", value) for name, value in held.items())
        for keyword in _LISTS:
            held = node.get(keyword)
            if isinstance(held, list):
                inner.extend((f"{_at(place, keyword)}[{index}]", value) for index, value in enumerate(held))
        waiting.extend((where, value) for where, value in reversed(inner) if isinstance(value, dict))


def _leads_somewhere(schema: dict[str, Any], reference: str) -> bool:
    if reference == "#":
        return True
    if not reference.startswith("#/"):
        return False
    node: object = schema
    for step in reference[2:].split("/"):
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(node, dict) and name in node:
            node = node[name]
        elif isinstance(node, list) and name.isascii() and name.isdigit() and int(name[:6]) < len(node):
            node = node[int(name[:6])]
        else:
            return False
    return True


def _decoded(raw: bytes) -> dict[str, Any] | None:
    try:
        schema = msgspec.json.decode(raw)
    except (ValueError, RecursionError):
        return None
    return schema if isinstance(schema, dict) else None


def _at(place: str, keyword: str) -> str:
    return f"{place}.{keyword}" if place else keyword
