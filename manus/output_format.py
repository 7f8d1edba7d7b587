"""Own structured output: from what a caller asks the answer to look like to the canonical format, and back to data."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from manus.errors import InvalidRequestError, OutputFormatError
from manus.messages.outcomes import Finished
from manus.messages.requests import OutputFormat
from manus.responses import LLMResponse, response_of
from manus.tools import check_schema, encode_schema

ResponseFormat = type[msgspec.Struct] | Mapping[str, Any] | OutputFormat | str
"""A Struct type, a JSON Schema, an `OutputFormat`, or `"json"` for any JSON object."""

_FENCE: Final = re.compile(r"\s*```[a-zA-Z]*[ \t\r]*\n(.*?)\n?```\s*", re.DOTALL)

_COMPLETE: Final = ("stop", "unknown")
"""Only an answer that ended so can be expected to have its shape."""


def output_format_of(asked: ResponseFormat) -> OutputFormat:
    """Make the canonical format.

    Raises:
        InvalidRequestError: it is no Struct type and no schema.
    """
    place = "response_format"
    match asked:
        case OutputFormat():
            return asked
        case "json":
            return OutputFormat()
        case type() if issubclass(asked, msgspec.Struct):
            return _format_of_type(asked)
        case {"type": "json_object", **rest} if not rest:
            return OutputFormat()
        case {"type": "json_schema", "json_schema": {"schema": Mapping() as schema, **options}, **rest} if not rest:
            check_schema(schema, f"{place}.json_schema.schema")
            return OutputFormat(
                schema=encode_schema(schema, place),
                name=str(options.get("name", "answer")),
                strict=bool(options.get("strict", True)),
            )
        case Mapping():
            check_schema(asked, place)
            return OutputFormat(schema=encode_schema(asked, place))
        case _:
            raise InvalidRequestError(f"{place}: expected a msgspec Struct type, a JSON Schema, or 'json'")


def parsed_response(outcome: Finished, asked: ResponseFormat | None) -> LLMResponse:
    """Make the response of a success, its text read as data if a shape was asked for.

    Raises:
        OutputFormatError: the text is not of that shape. An answer that called tools, refused or ran out of tokens
            is handed out with `parsed` None; its `finish_reason` says why.
    """
    response = response_of(outcome)
    if asked is None or response.tool_calls or response.refusal or response.finish_reason not in _COMPLETE:
        return response
    return msgspec.structs.replace(response, parsed=_parse(response, asked, outcome))


def _parse(response: LLMResponse, asked: ResponseFormat, outcome: Finished) -> object:
    text = _unfenced(response.content)
    try:
        if isinstance(asked, type):
            return msgspec.json.decode(text, type=asked)
        return json.loads(text)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        # The reason may quote the answer where it comes from json; msgspec names only places and types.
        reason = f": {error}" if isinstance(error, msgspec.ValidationError) else ""
        failed = OutputFormatError(
            f"The answer of {outcome.provider}/{outcome.model} is not what response_format asked for{reason}. Ask "
            f"again, or choose a model that answers to a schema. [request {outcome.request_id}]"
        )
        failed.request_id = outcome.request_id
        failed.route = outcome.route
        failed.partial = outcome.answer
        failed.usage = outcome.usage
        failed.cost_nano_usd = outcome.cost_nano_usd
        raise failed from None


def _unfenced(text: str) -> str:
    """Take JSON out of the fence that models put around it where they were only asked for it in words."""
    fenced = _FENCE.fullmatch(text)
    return text if fenced is None else fenced[1]


def _format_of_type(asked: type[msgspec.Struct]) -> OutputFormat:
    try:
        schema = msgspec.json.schema(asked)
    except TypeError:
        message = f"response_format: {asked.__name__} has a field whose type has no JSON Schema; use plain types"
        raise InvalidRequestError(message) from None
    # Vendors want the object itself at the top, not a reference to it.
    definitions: dict[str, Any] = schema.pop("$defs", {})
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        schema = dict(definitions[name])
        if _mentions(definitions, f"#/$defs/{name}"):
            schema["$defs"] = definitions
        else:
            rest = {key: value for key, value in definitions.items() if key != name}
            schema |= {"$defs": rest} if rest else {}
    strict = _closed(schema)
    return OutputFormat(schema=encode_schema(schema, "response_format"), name=_name_of(asked), strict=strict)


def _name_of(asked: type) -> str:
    """Name the format after its type, in the letters that every vendor takes."""
    return re.sub(r"[^a-zA-Z0-9_-]", "_", asked.__name__)[:64]


def _mentions(value: object, reference: str) -> bool:
    match value:
        case Mapping():
            return value.get("$ref") == reference or any(_mentions(item, reference) for item in value.values())
        case list():
            return any(_mentions(item, reference) for item in value)
        case _:
            return False


def _closed(schema: object) -> bool:
    """Forbid unknown properties throughout, and tell whether all are required, which is what `strict` needs."""
    strict = True
    inner: list[object] = []
    if isinstance(schema, dict):
        if schema.get("type") == "object" and "properties" in schema:
            schema.setdefault("additionalProperties", False)
            strict = set(schema.get("required", ())) == set(schema["properties"])
        elif schema.get("type") == "object":
            strict = False  # a table of any names, which no vendor's strict form allows
        inner.extend(schema.values())
    elif isinstance(schema, list):
        inner.extend(schema)
    for item in inner:
        strict = _closed(item) and strict
    return strict
