"""Own the way from what a caller calls a tool to the canonical one, and the check that its schema is a schema.

A schema is checked for what every vendor needs of it: an object schema whose properties are schemas. What a vendor
refuses beyond that, it says itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from manus.config.did_you_mean import listing, suggestion
from manus.errors import InvalidRequestError
from manus.messages.requests import Tool, ToolChoice
from manus.prompts import clean

ToolLike = Tool | Mapping[str, Any]
"""A `Tool`, or OpenAI's `{"type": "function", "function": {"name", "description", "parameters"}}`, wrapped or bare."""

TOOLS_MAX: Final = 512
SCHEMA_DEPTH_MAX: Final = 64
TYPES: Final = ("object", "array", "string", "number", "integer", "boolean", "null")

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_KEYS: Final = ("name", "description", "parameters", "strict")
_SUBSCHEMAS: Final = ("items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames")
_LISTS: Final = ("anyOf", "oneOf", "allOf", "prefixItems")
_MAPS: Final = ("properties", "$defs", "definitions", "patternProperties")


def tools_of(tools: object) -> tuple[Tool, ...]:
    """Make canonical tools out of a sequence of `ToolLike`.

    Raises:
        InvalidRequestError: one of them has no name, no schema, or a schema that is none.
    """
    if isinstance(tools, str | bytes) or not isinstance(tools, Sequence):
        raise InvalidRequestError(f"tools: expected a list of tools; got {type(tools).__name__}")
    if len(tools) > TOOLS_MAX:
        raise InvalidRequestError(f"tools: {len(tools)} of them; a request may have at most {TOOLS_MAX}")
    made: list[Tool] = []
    for index, tool in enumerate(tools):
        made.append(_tool_of(tool, f"tools[{index}]"))
    return tuple(made)


def tool_choice_of(choice: object) -> ToolChoice:
    """Make a canonical choice out of a mode, the name of the tool that must be called, or a `ToolChoice`.

    Raises:
        InvalidRequestError: it is none of these.
    """
    match choice:
        case ToolChoice():
            return choice
        case "auto" | "none" | "required":
            return ToolChoice(mode=choice)
        case str():
            return ToolChoice(mode="tool", name=choice)
        case {"type": "function", "function": {"name": str(name), **inner}, **outer} if not inner and not outer:
            return ToolChoice(mode="tool", name=name)  # OpenAI's own spelling, as of messages and schemas
        case _:
            expected = "'auto', 'none', 'required', the name of a tool, or a ToolChoice"
            raise InvalidRequestError(f"tool_choice: expected {expected}; got {type(choice).__name__}")


def check_schema(schema: object, place: str) -> None:
    """Check that `schema` is a JSON Schema as far as its own structure goes.

    Raises:
        InvalidRequestError: it is not; the error names the place inside it.
    """
    _check(schema, place, depth=0)


def encode_schema(schema: Mapping[str, Any], place: str) -> msgspec.Raw:
    """Write a checked schema as JSON.

    Raises:
        InvalidRequestError: it holds something that JSON has no word for, or a lone surrogate.
    """
    try:
        return msgspec.Raw(msgspec.json.encode(schema))
    except (TypeError, ValueError, RecursionError, OverflowError) as error:
        raise InvalidRequestError(f"{place}: cannot be written as JSON ({type(error).__name__})") from None


def _tool_of(tool: object, place: str) -> Tool:
    match tool:
        case Tool(name=name, description=description, strict=strict):
            place = f"{place}.schema"
            try:
                schema = msgspec.json.decode(tool.schema)
            except (msgspec.DecodeError, TypeError):
                raise InvalidRequestError(f"{place}: is no JSON") from None
        case {"type": "function", "function": Mapping() as function, **rest} if not rest:
            return _tool_of(function, f"{place}.function")
        case Mapping():
            _check_keys(tool, place)
            name, description = tool["name"], tool.get("description", "")
            strict = tool.get("strict", False)
            schema = tool.get("parameters", {"type": "object", "properties": {}})
            place = f"{place}.parameters"
        case _:
            raise InvalidRequestError(f"{place}: expected a Tool or a table; got {type(tool).__name__}")
    return _checked_tool(name, description, schema, strict, place)


def _check_keys(tool: Mapping[str, Any], place: str) -> None:
    for key in tool:
        if key not in _KEYS:
            hint = suggestion(key, _KEYS) if isinstance(key, str) else ""
            raise InvalidRequestError(f"{place}: has an unknown key{hint}; it may have {listing(_KEYS)}")
    if "name" not in tool:
        raise InvalidRequestError(f"{place}: has no name; a tool is {{'name', 'description', 'parameters'}}")


def _checked_tool(name: object, description: object, schema: object, strict: object, place: str) -> Tool:
    outer = place.rpartition(".")[0]
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidRequestError(f"{outer}.name: a tool's name is 1 to 64 letters, digits, '_' and '-'")
    if not isinstance(description, str | None):
        raise InvalidRequestError(f"{outer}.description: expected text; got {type(description).__name__}")
    if not isinstance(strict, bool | None):
        raise InvalidRequestError(f"{outer}.strict: expected True or False; got {type(strict).__name__}")
    if not isinstance(schema, Mapping):
        raise InvalidRequestError(f"{place}: expected a JSON Schema (an object); got {type(schema).__name__}")
    if schema.get("type") != "object":
        raise InvalidRequestError(f"{place}.type: must be 'object', because a tool's arguments have names")
    check_schema(schema, place)
    return Tool(
        name=name,
        description=clean(description or "", f"{outer}.description"),
        schema=encode_schema(schema, place),
        strict=bool(strict),
    )


def _check(schema: object, place: str, *, depth: int) -> None:
    if isinstance(schema, bool):
        return  # `true` and `false` are schemas
    if not isinstance(schema, Mapping):
        raise InvalidRequestError(f"{place}: expected a JSON Schema (an object); got {type(schema).__name__}")
    if depth > SCHEMA_DEPTH_MAX:
        raise InvalidRequestError(f"{place}: is nested deeper than {SCHEMA_DEPTH_MAX}; use $defs and $ref")
    _check_words(schema, place)
    for key in _SUBSCHEMAS:
        if key in schema:
            _check(schema[key], f"{place}.{key}", depth=depth + 1)
    for key in _LISTS:
        for index, item in enumerate(_expect(schema, key, list | tuple, "a list of schemas", place) or ()):
            _check(item, f"{place}.{key}[{index}]", depth=depth + 1)
    for key in _MAPS:
        named = _expect(schema, key, Mapping, "an object of schemas", place) or {}
        for name, item in named.items():
            if not isinstance(name, str):
                raise InvalidRequestError(f"{place}.{key}: expected names that are text")
            _check(item, f"{place}.{key}.{name[:64] if name.isprintable() else '?'}", depth=depth + 1)


def _check_words(schema: Mapping[str, Any], place: str) -> None:
    kind = schema.get("type", [])
    kinds = kind if isinstance(kind, list | tuple) else [kind]
    for each in kinds:
        if each not in TYPES:
            hint = suggestion(each, TYPES) if isinstance(each, str) else ""
            raise InvalidRequestError(f"{place}.type: expected {listing(TYPES)}{hint}")
    required = _expect(schema, "required", list | tuple, "a list of names", place) or ()
    if not all(isinstance(name, str) for name in required):
        raise InvalidRequestError(f"{place}.required: expected a list of names")
    _expect(schema, "enum", list | tuple, "a list of values", place)
    for key in ("description", "title", "$ref", "format", "pattern"):
        _expect(schema, key, str, "text", place)


def _expect(schema: Mapping[str, Any], key: str, kind: Any, expected: str, place: str) -> Any:
    """Give what stands at `key` (None where nothing does), if it is of `kind`. Any: a caller's parsed JSON."""
    value = schema.get(key)
    if key in schema and not isinstance(value, kind):
        raise InvalidRequestError(f"{place}.{key}: expected {expected}; got {type(value).__name__}")
    return value
