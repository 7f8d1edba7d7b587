"""Own the shapes of a Messages answer, streamed or not (anthropic.md, sections 4 and 5, read 2026-11).

Only what we read is declared; the parser skips the rest without building it. Every field may be null or
absent, because some server that speaks this wire sends it so. `StreamPiece` is the hot path: one is parsed
per event. `lenient_piece` reads the events that do not fit: text with lone surrogates, numbers as strings; a
field of the wrong type counts as absent there, the others hold.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from manus.actors.codecs.json_text import MALFORMED_ERRORS, NULL, dump


class CacheCreation(msgspec.Struct, gc=False):
    """`cache_creation`: the tokens written to the cache, by how long they stay."""

    ephemeral_5m_input_tokens: int | None = None
    ephemeral_1h_input_tokens: int | None = None


class OutputDetails(msgspec.Struct, gc=False):
    """`output_tokens_details`."""

    thinking_tokens: int | None = None


class ServerToolUse(msgspec.Struct, gc=False):
    """`server_tool_use`: what Anthropic ran itself, billed per request."""

    web_search_requests: int | None = None
    web_fetch_requests: int | None = None


class Iteration(msgspec.Struct, gc=False):
    """One entry of `iterations`: a pass of the model, or of another one, behind one answer."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_creation: CacheCreation | None = None


class UsageObject(Iteration, gc=False):
    """`usage`; in a stream the fields of a later one overwrite those of an earlier one."""

    output_tokens_details: OutputDetails | None = None
    server_tool_use: ServerToolUse | None = None
    service_tier: str | None = None
    iterations: list[Iteration] | None = None


class Delta(msgspec.Struct, gc=False):
    """The `delta` of a block, or of the message."""

    type: str | None = None
    text: str | None = None
    partial_json: str | None = None
    thinking: str | None = None
    signature: str | None = None
    content: str | None = None
    citation: msgspec.Raw = NULL
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: msgspec.Raw = NULL


class Block(msgspec.Struct, gc=False):
    """A content block of the kinds that we read; all others are carried as they are."""

    type: str | None = None
    text: str | None = None
    citations: list[msgspec.Raw] | None = None
    id: str | None = None
    name: str | None = None
    input: msgspec.Raw = NULL
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None


class WholeMessage(msgspec.Struct, gc=False):
    """A whole answer; `message_start` brings the same without content."""

    type: str | None = None
    id: str | None = None
    model: str | None = None
    content: list[msgspec.Raw] | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: msgspec.Raw = NULL
    usage: UsageObject | None = None
    error: msgspec.Raw = NULL
    input_transformations: list[msgspec.Raw] | None = None


class StreamPiece(msgspec.Struct, gc=False):
    """One event of a stream, whatever its type."""

    type: str | None = None
    index: int | None = None
    delta: Delta | None = None
    content_block: msgspec.Raw = NULL
    message: WholeMessage | None = None
    usage: UsageObject | None = None
    error: msgspec.Raw = NULL


class ModelEntry(msgspec.Struct, gc=False):
    """One entry of `GET /v1/models`."""

    id: str | None = None


class ModelList(msgspec.Struct, gc=False):
    """The body of `GET /v1/models`."""

    data: list[ModelEntry] | None = None


# Any, from here on: values are JSON of a foreign hand, and each is checked before it is used.

_Shape = TypeVar("_Shape", CacheCreation, OutputDetails, ServerToolUse)


def lenient_piece(value: Any) -> StreamPiece | None:
    """Read one event; None where it is no JSON object."""
    if not isinstance(value, dict):
        return None
    return StreamPiece(
        type=_text(value.get("type")),
        index=_number(value.get("index")),
        delta=_delta(value.get("delta")),
        content_block=_raw(value.get("content_block")),
        message=lenient_message(value.get("message")),
        usage=_usage(value.get("usage")),
        error=_raw(value.get("error")),
    )


def lenient_message(value: Any) -> WholeMessage | None:
    """Read a whole answer; None where it is no JSON object."""
    if not isinstance(value, dict):
        return None
    return WholeMessage(
        type=_text(value.get("type")),
        id=_text(value.get("id")),
        model=_text(value.get("model")),
        content=[_raw(block) for block in _list(value.get("content"))],
        stop_reason=_text(value.get("stop_reason")),
        stop_sequence=_text(value.get("stop_sequence")),
        stop_details=_raw(value.get("stop_details")),
        usage=_usage(value.get("usage")),
        error=_raw(value.get("error")),
        input_transformations=[_raw(entry) for entry in _list(value.get("input_transformations"))],
    )


def lenient_block(value: Any) -> Block | None:
    """Read one content block; None where it is no JSON object."""
    if not isinstance(value, dict):
        return None
    return Block(
        type=_text(value.get("type")),
        text=_text(value.get("text")),
        citations=[_raw(entry) for entry in _list(value.get("citations"))],
        id=_text(value.get("id")),
        name=_text(value.get("name")),
        input=_raw(value.get("input")),
        thinking=_text(value.get("thinking")),
        signature=_text(value.get("signature")),
        data=_text(value.get("data")),
    )


def _delta(value: Any) -> Delta | None:
    if not isinstance(value, dict):
        return None
    return Delta(
        type=_text(value.get("type")),
        text=_text(value.get("text")),
        partial_json=_text(value.get("partial_json")),
        thinking=_text(value.get("thinking")),
        signature=_text(value.get("signature")),
        content=_text(value.get("content")),
        citation=_raw(value.get("citation")),
        stop_reason=_text(value.get("stop_reason")),
        stop_sequence=_text(value.get("stop_sequence")),
        stop_details=_raw(value.get("stop_details")),
    )


def _usage(value: Any) -> UsageObject | None:
    if not isinstance(value, dict):
        return None
    return UsageObject(
        input_tokens=_number(value.get("input_tokens")),
        output_tokens=_number(value.get("output_tokens")),
        cache_read_input_tokens=_number(value.get("cache_read_input_tokens")),
        cache_creation_input_tokens=_number(value.get("cache_creation_input_tokens")),
        cache_creation=_counts(CacheCreation, value.get("cache_creation")),
        output_tokens_details=_counts(OutputDetails, value.get("output_tokens_details")),
        server_tool_use=_counts(ServerToolUse, value.get("server_tool_use")),
        service_tier=_text(value.get("service_tier")),
        iterations=[_iteration(entry) for entry in _list(value.get("iterations")) if isinstance(entry, dict)],
    )


def _iteration(value: dict[str, Any]) -> Iteration:
    return Iteration(
        input_tokens=_number(value.get("input_tokens")),
        output_tokens=_number(value.get("output_tokens")),
        cache_read_input_tokens=_number(value.get("cache_read_input_tokens")),
        cache_creation_input_tokens=_number(value.get("cache_creation_input_tokens")),
        cache_creation=_counts(CacheCreation, value.get("cache_creation")),
    )


def _counts(shape: type[_Shape], value: Any) -> _Shape | None:
    if not isinstance(value, dict):
        return None
    return shape(**{name: _number(value.get(name)) for name in shape.__struct_fields__})


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: Any) -> int | None:
    """Read a whole number: also one that is spelt `12.0` or `"12"`."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else None
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, str) and len(value) < 19 and value.isascii() and value.isdigit():
        return int(value)
    return None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _raw(value: Any) -> msgspec.Raw:
    if value is None:
        return NULL
    try:
        return msgspec.Raw(dump(value).encode())
    except MALFORMED_ERRORS:
        return NULL
