"""Own the shapes of a Messages answer, streamed or not (anthropic.md, sections 4 and 5, read 2026-11).

Only what we read is declared; the parser skips the rest without building it. Every field may be null or
absent, because some server that speaks this wire sends it so. `StreamPiece` is the hot path: one is parsed
per event.
"""

from __future__ import annotations

import msgspec

from manus.actors.codecs.json_text import NULL


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
    """One entry of `iterations`: a pass of the model, or of another one (`model`), behind one answer."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_creation: CacheCreation | None = None


class Pass(Iteration, gc=False):
    """An `Iteration` as the list of them has it."""

    model: str | None = None


class UsageObject(Iteration, gc=False):
    """`usage`; in a stream the fields of a later one overwrite those of an earlier one."""

    output_tokens_details: OutputDetails | None = None
    server_tool_use: ServerToolUse | None = None
    service_tier: str | None = None
    speed: str | None = None
    inference_geo: str | None = None
    iterations: list[Pass] | None = None


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
    container: msgspec.Raw = NULL


class Block(msgspec.Struct, gc=False):
    """A content block of the kinds that we read; all others are carried as they are."""

    type: str | None = None
    text: str | None = None
    citations: list[msgspec.Raw] | None = None
    id: str | None = None
    name: str | None = None
    input: msgspec.Raw = NULL
    caller: msgspec.Raw = NULL
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
    container: msgspec.Raw = NULL
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
