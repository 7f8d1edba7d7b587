"""Own the shapes of a Responses answer, streamed or not (openai.md, sections 6 and 7, read 2026-11).

Only what we read is declared; the parser skips the rest without building it. Every field may be null or absent,
because some server sends it so. `Event` is the hot path: one is parsed per event of a stream.
"""

from __future__ import annotations

import msgspec

from manus.actors.codecs.json_text import NULL


class InputDetails(msgspec.Struct, gc=False):
    """`input_tokens_details`: subsets of the input."""

    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    audio_tokens: int | None = None


class OutputDetails(msgspec.Struct, gc=False):
    """`output_tokens_details`: subsets of the output."""

    reasoning_tokens: int | None = None
    audio_tokens: int | None = None


class UsageObject(msgspec.Struct, gc=False):
    """`usage`: both counts are totals."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    input_tokens_details: InputDetails | None = None
    output_tokens_details: OutputDetails | None = None


class IncompleteDetails(msgspec.Struct, gc=False):
    """`incomplete_details`: why an answer was cut."""

    reason: str | None = None


class Response(msgspec.Struct, gc=False):
    """A whole answer, or what an event of its life cycle tells of it.

    `content_filters` is Azure's.
    """

    id: str | None = None
    model: str | None = None
    status: str | None = None
    error: msgspec.Raw = NULL
    incomplete_details: IncompleteDetails | None = None
    output: list[msgspec.Raw] | None = None
    usage: UsageObject | None = None
    service_tier: str | None = None
    content_filters: msgspec.Raw = NULL
    moderation: msgspec.Raw = NULL


class Document(Response, gc=False):
    """The body of an answer that is not streamed; an `error` may stand in its place."""

    object: str | None = None


class Event(msgspec.Struct, gc=False):
    """One event of a stream, of whatever type."""

    type: str | None = None
    delta: str | None = None
    output_index: int | None = None
    content_index: int | None = None
    summary_index: int | None = None
    logprobs: msgspec.Raw = NULL
    item: msgspec.Raw = NULL
    text: str | None = None
    refusal: str | None = None
    annotation: msgspec.Raw = NULL
    response: Response | None = None


class Piece(msgspec.Struct, gc=False):
    """One entry of a message's `content`, or of a reasoning item's `summary` or `content`."""

    type: str | None = None
    text: str | None = None
    refusal: str | None = None
    annotations: list[msgspec.Raw] | None = None
    logprobs: msgspec.Raw = NULL


class Action(msgspec.Struct, gc=False):
    """What a tool of the vendor's did: `search`, or `open_page`, which is another thing on the bill."""

    type: str | None = None


class Item(msgspec.Struct, gc=False):
    """One entry of `output`: a message, a function call, reasoning. Other types are carried unread."""

    type: str | None = None
    id: str | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    namespace: str | None = None
    phase: str | None = None
    encrypted_content: str | None = None
    content: list[Piece] | None = None
    summary: list[Piece] | None = None
    action: Action | None = None
