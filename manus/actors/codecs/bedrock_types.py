"""Own the shapes of Converse answers, whole and streamed (bedrock.md, sections 3 and 4, read 2026-11).

Only what we read is declared; the parser skips the rest without building it, the padding `p` too. Every field may
be null or absent. `BlockDelta` is the hot path: one is parsed per event.
"""

from __future__ import annotations

import msgspec

from manus.actors.codecs.json_text import NULL


class ToolUse(msgspec.Struct, rename="camel", gc=False):
    """A call, or its start in a stream. `type` is `server_tool_use` where the vendor runs the tool itself."""

    tool_use_id: str | None = None
    name: str | None = None
    type: str | None = None
    input: msgspec.Raw = NULL


class ReasoningText(msgspec.Struct, gc=False):
    """`reasoningText`: thinking and the signature it goes back with."""

    text: str | None = None
    signature: str | None = None


class ReasoningContent(msgspec.Struct, rename="camel", gc=False):
    """`reasoningContent` of a whole answer."""

    reasoning_text: ReasoningText | None = None
    redacted_content: str | None = None


class CitedText(msgspec.Struct, gc=False):
    """A piece of text in `citationsContent`, or of a source in a citation."""

    text: str | None = None


class Web(msgspec.Struct, gc=False):
    """`location.web` of a citation."""

    url: str | None = None


class Location(msgspec.Struct, gc=False):
    """`location` of a citation; the other kinds point into documents of the request."""

    web: Web | None = None


class CitationObject(msgspec.Struct, rename="camel", gc=False):
    """One citation."""

    title: str | None = None
    source: str | None = None
    location: Location | None = None
    source_content: list[CitedText] | None = None


class CitationsContent(msgspec.Struct, gc=False):
    """Text with the sources it rests on."""

    content: list[CitedText] | None = None
    citations: list[msgspec.Raw] | None = None


class Block(msgspec.Struct, rename="camel", gc=False):
    """One block of a whole answer; it has one of these keys, or one that we carry unread."""

    text: str | None = None
    tool_use: ToolUse | None = None
    reasoning_content: ReasoningContent | None = None
    citations_content: CitationsContent | None = None


class AnswerMessage(msgspec.Struct, gc=False):
    """`output.message`."""

    content: list[msgspec.Raw] | None = None


class Output(msgspec.Struct, gc=False):
    """`output`."""

    message: AnswerMessage | None = None


class CacheDetail(msgspec.Struct, rename="camel", gc=False):
    """One entry of `cacheDetails`: tokens written with this lifetime."""

    ttl: str | None = None
    input_tokens: int | None = None


class UsageObject(msgspec.Struct, rename="camel", gc=False):
    """`usage`. The wire has each cache count twice, under two names."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_write_input_tokens: int | None = None
    cache_details: list[CacheDetail] | None = None


class Trace(msgspec.Struct, gc=False):
    """`trace`: what a guardrail found."""

    guardrail: msgspec.Raw = NULL


class ServedTier(msgspec.Struct, gc=False):
    """`serviceTier`."""

    type: str | None = None


class AdditionalFields(msgspec.Struct, gc=False):
    """`additionalModelResponseFields`, as far as we read it; the caller chooses what stands there."""

    stop_sequence: str | None = None


class WholeAnswer(msgspec.Struct, rename="camel", gc=False):
    """The body of a Converse answer."""

    output: Output | None = None
    stop_reason: str | None = None
    usage: UsageObject | None = None
    trace: Trace | None = None
    service_tier: ServedTier | None = None
    additional_model_response_fields: AdditionalFields | None = None


class StartOf(msgspec.Struct, rename="camel", gc=False):
    """`start` of a `contentBlockStart`: one of these keys, or one that we carry unread."""

    tool_use: ToolUse | None = None
    tool_result: msgspec.Raw = NULL
    image: msgspec.Raw = NULL


class BlockStart(msgspec.Struct, rename="camel", gc=False):
    """`contentBlockStart`."""

    content_block_index: int | None = None
    start: StartOf | None = None


class ToolUsePiece(msgspec.Struct, gc=False):
    """More of a call's input, as JSON text."""

    input: str | None = None


class ReasoningPiece(msgspec.Struct, rename="camel", gc=False):
    """More thinking, its signature, or thinking that is hidden."""

    text: str | None = None
    signature: str | None = None
    redacted_content: str | None = None


class Delta(msgspec.Struct, rename="camel", gc=False):
    """`delta` of a `contentBlockDelta`."""

    text: str | None = None
    tool_use: ToolUsePiece | None = None
    reasoning_content: ReasoningPiece | None = None
    citation: msgspec.Raw = NULL
    tool_result: msgspec.Raw = NULL
    image: msgspec.Raw = NULL


class BlockDelta(msgspec.Struct, rename="camel", gc=False):
    """`contentBlockDelta`."""

    content_block_index: int | None = None
    delta: Delta | None = None


class BlockStop(msgspec.Struct, rename="camel", gc=False):
    """`contentBlockStop`."""

    content_block_index: int | None = None


class MessageStart(msgspec.Struct, gc=False):
    """`messageStart`."""

    role: str | None = None


class MessageStop(msgspec.Struct, rename="camel", gc=False):
    """`messageStop`."""

    stop_reason: str | None = None
    additional_model_response_fields: AdditionalFields | None = None


class Metadata(msgspec.Struct, rename="camel", gc=False):
    """`metadata`, the last event."""

    usage: UsageObject | None = None
    trace: Trace | None = None
    service_tier: ServedTier | None = None


class ListedModel(msgspec.Struct, rename="camel", gc=False):
    """One entry of `GET /foundation-models`."""

    model_id: str | None = None


class ListedProfile(msgspec.Struct, rename="camel", gc=False):
    """One entry of `GET /inference-profiles`."""

    inference_profile_id: str | None = None


class ModelListing(msgspec.Struct, rename="camel", gc=False):
    """The body of either listing."""

    model_summaries: list[ListedModel] | None = None
    inference_profile_summaries: list[ListedProfile] | None = None
    next_token: str | None = None
